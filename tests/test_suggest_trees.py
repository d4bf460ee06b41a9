"""Suggestions with models that are no networks: forests, boosting, and any estimator a user hands in."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor

from strongsuit import suggest
from strongsuit.active.defaults import default_strategy
from strongsuit.cli import main
from strongsuit.learners import MLP, External, Ridge, random_forest


def tables(known: int = 40, rows: int = 150) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    kinds = rng.choice(["steel", "wood", "glass"], rows)
    pool = pd.DataFrame({"sample": np.arange(rows), "a": rng.normal(size=rows), "kind": kinds})
    return pool, pool.iloc[:known].assign(y=lambda t: 3 * t.a + (t.kind == "wood"))


@pytest.mark.parametrize("strategy", ["acs_fw", "bait_f", "lcmd_tp", "max_det", "qbc"])
def test_a_forest_chooses_by_every_kind_of_strategy(strategy: str) -> None:
    pool, labelled = tables()
    found = suggest(pool, labelled=labelled, target="y", n=6, id="sample", strategy=strategy, learner="forest",
                    guarded=False)  # fmt: skip
    assert len(set(found.frame["sample"])) == 6 and found.frame["sample"].min() >= 40
    assert found.facts["strategy"] == strategy and "surrogate" not in json.dumps(found.facts)


@pytest.mark.parametrize(
    ("estimator", "silent"),
    [
        (GradientBoostingRegressor(n_estimators=20), False),
        (make_pipeline(StandardScaler(), LinearRegression()), False),
        (make_pipeline(StandardScaler(), SVR()), True),
    ],
    ids=["boosting", "linear", "machine"],
)
def test_any_estimator_may_choose_and_a_surrogate_is_named(estimator, silent: bool) -> None:
    pool, labelled = tables()
    found = suggest(pool, labelled=labelled, target="y", n=6, id="sample", strategy="lcmd_tp", learner=estimator,
                    guarded=False)  # fmt: skip
    assert found.facts["strategy"] == "lcmd_tp" and len(found.frame) == 6
    assert ("shows no gradients" in found.text) == silent


def test_the_command_takes_the_forest(tmp_path, capsys) -> None:
    pool, labelled = tables()
    pool.to_csv(tmp_path / "pool.csv", index=False)
    labelled.to_csv(tmp_path / "known.csv", index=False)
    arguments = ["suggest", str(tmp_path / "pool.csv"), "--labelled", str(tmp_path / "known.csv"), "--target", "y"]
    arguments += ["--id", "sample", "-n", "5", "--learner", "forest", "--no-guard", "--json"]
    for strategy, used in [("bait_f", "bait_f"), ("auto", "lcmd_x")]:
        assert main([*arguments, "--strategy", strategy]) == 0
        assert json.loads(capsys.readouterr().out)["strategy"] == used


def test_auto_chooses_in_gradients_of_networks_only() -> None:
    assert default_strategy(MLP()) == "qbc_gsxy"
    learners = [Ridge(), random_forest(), External(DecisionTreeRegressor())]
    assert {default_strategy(learner) for learner in learners} == {"lcmd_x"}
