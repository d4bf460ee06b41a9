"""Before a model can tell rows apart: nothing labelled, or one class only, and coverage of the inputs decides."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from strongsuit import ActiveClassifier, ActiveRegressor, suggest
from strongsuit.active.class_strategies import CLASS_STRATEGIES
from strongsuit.active.coverage import blind, uninformed
from strongsuit.active.pool import ACTIVE, AUDIT, START
from strongsuit.active.session import ask, init, tell
from strongsuit.active.strategies import CLASSIFICATION, REGRESSION, STRATEGIES
from strongsuit.cli import main
from strongsuit.core import root_key
from strongsuit.errors import InputError
from strongsuit.learners.ridge import Ridge
from strongsuit.learners.softmax import Softmax

KEY, BATCH = root_key(8), 6
ON_INPUTS = {"random", "typiclust", "prob_cover", "max_herding"}
ON_FEATURES = {"k_means", "k_center", "lcmd"}
HERDING = {"u_herding", "wide_herding"}  # without labels the first is max_herding, the second reaches farther
COMBINED = {name for name, row in CLASS_STRATEGIES.items() if row.parts}


def rows(n: int = 90) -> tuple[np.ndarray, np.ndarray]:
    number = np.arange(n) % 3
    return np.random.default_rng(1).normal(size=(n, 3)) + 3.0 * np.eye(3)[number], number


def first(name: str, y: np.ndarray | None = None, **options):
    X, _ = rows()
    given = {"strategy": name, "outputs": 3, "guarded": False, "start": "cover"} | options
    return ask(init(KEY, Softmax(), X, y=y, **given), BATCH)[1]


@pytest.mark.parametrize("name", CLASS_STRATEGIES)
def test_every_strategy_begins_with_coverage(name: str) -> None:
    batch = first(name)
    assert len(set(batch.index)) == BATCH and "no_labels" in batch.degraded
    if name not in ON_INPUTS | ON_FEATURES | COMBINED | {"wide_herding"}:
        assert_array_equal(batch.index, first("max_herding").index)
    assert batch.strategy == (name if name in {*ON_INPUTS, *ON_FEATURES, *COMBINED, *HERDING} else "max_herding")


@pytest.mark.parametrize("name", CLASS_STRATEGIES)
def test_labels_of_one_class_leave_the_choice_to_coverage(name: str) -> None:
    y = np.full((90, 3), np.nan)
    y[:9] = np.eye(3)[1]
    batch = first(name, y, start="random")
    assert len(set(batch.index)) == BATCH and not (batch.index < 9).any()
    # What asks no model is what it ever was; ProbCover says itself that it had to guess the number of clusters.
    assert ("one_class" in batch.degraded) == (name not in ON_INPUTS - {"prob_cover"})
    if name not in {*ON_INPUTS, *ON_FEATURES, *COMBINED, *HERDING}:
        assert_array_equal(batch.index, first("max_herding", y).index)


def test_features_are_inputs_while_there_is_no_model() -> None:
    X, _ = rows()
    batch = first("k_means")
    own = uninformed(CLASS_STRATEGIES["k_means"], CLASSIFICATION)
    assert not own.needs and not own.learns
    spread = X.std(0)
    nearest = np.linalg.norm((X[:, None] - X[batch.index][None]) / spread, axis=2).min(1)
    anywhere = np.linalg.norm((X[:, None] - X[None, :BATCH]) / spread, axis=2).min(1)
    assert (nearest**2).mean() < (anywhere**2).mean()


@pytest.mark.parametrize(
    ("y", "task", "reason"),
    [
        (np.zeros((0, 3)), CLASSIFICATION, "no_labels"), (np.zeros((0, 1)), REGRESSION, "no_labels"),
        (np.eye(3)[[1, 1]], CLASSIFICATION, "one_class"), (np.eye(3)[[1, 2]], CLASSIFICATION, ""),
        (np.array([[0.5, 0.5], [0.0, 1.0]]), CLASSIFICATION, ""), (np.ones((4, 1)), REGRESSION, ""),
    ],
)  # fmt: skip
def test_when_a_model_is_blind(y, task, reason) -> None:
    assert blind(y, task) == reason


def test_the_random_start_is_the_default_and_the_guard_keeps_its_share() -> None:
    X, number = rows()
    _, batch = ask(init(KEY, Softmax(), X, outputs=3), 20)
    assert batch.strategy == "random" and (batch.role == START).all()
    session, batch = ask(init(KEY, Softmax(), X, outputs=3, start="cover"), 20)
    assert (batch.role == AUDIT).sum() == 2 and (batch.role == ACTIVE).sum() == 18
    audit = batch.index[batch.role == AUDIT]
    assert set(audit) == set(session.stream[:2])  # blindly, whatever coverage would have liked
    session = tell(session, audit, np.eye(3)[number[audit]])
    session, batch = ask(session, 20)  # labels that the choice may not see
    assert "no_labels" in batch.degraded
    known = np.flatnonzero(session.pool.pending)
    later = ask(tell(session, known, np.eye(3)[number[known]]), 10)[1]
    assert later.strategy == "wide_herding" and later.degraded == ""


def test_numbers_may_begin_with_coverage_too() -> None:
    X, _ = rows()
    _, batch = ask(init(KEY, Ridge(), X, strategy="qbc", guarded=False, start="cover"), BATCH)
    assert batch.strategy == "lcmd_x" and "no_labels" in batch.degraded
    assert uninformed(STRATEGIES["gsx"], REGRESSION) is STRATEGIES["gsx"]
    with pytest.raises(InputError, match="start must be one of random, cover, got 'first'"):
        init(KEY, Ridge(), X, start="first")


def test_estimators_begin_without_a_label() -> None:
    X, number = rows()
    names = np.array(["ape", "bee", "cow"])[number]
    model = ActiveClassifier(classes=["ape", "bee", "cow"], start="cover", random_state=0).fit(X, [None] * 90)
    asked = model.query(n=12)
    assert model.batch_["why"].str.contains("wide_herding").sum() == 10
    assert model.teach(asked, names[asked]).score(X, names) > 0.8
    number_model = ActiveRegressor("ridge", start="cover", random_state=0).fit(X, np.full(90, np.nan))
    assert len(number_model.query(n=5)) == 5


def test_a_pool_without_a_labelled_table(tmp_path: Path, capsys) -> None:
    X, number = rows()
    pool = pd.DataFrame(X, columns=list("abc")).assign(sample=[f"s{i}" for i in range(90)])
    declared = {"target": "kind", "id": "sample", "classes": ["ape", "bee", "cow"], "n": 8}
    found = suggest(pool, **declared, start="cover")
    assert found.facts["labelled"] == 0 and found.facts["strategy"] == "wide_herding"
    assert found.facts["degraded"] == "no_labels" and found.facts["random"] == 1
    assert "no label yet that a choice may see" in found.text
    by_chance = suggest(pool, **declared)
    assert by_chance.facts["strategy"] == "random" and by_chance.facts["random"] == 0
    told = found.frame.assign(kind=np.array(["ape", "bee", "cow"])[number[found.frame["strongsuit_row"] - 1]])
    assert suggest(pool, labelled=told, **declared, start="cover").facts["labelled"] == 8
    empty = suggest(pool, labelled=told.assign(kind=None), **declared, start="cover")
    assert empty.facts["labelled"] == 0 and empty.facts["pending"] == 8
    with pytest.raises(InputError, match="declare the classes"):
        suggest(pool, target="kind")
    pool.to_csv(tmp_path / "pool.csv", index=False)
    words = ["suggest", str(tmp_path / "pool.csv"), "--target", "kind", "--id", "sample", "-n", "8", "--json"]
    assert main([*words, "--classes", "ape,bee,cow", "--start", "cover"]) == 0
    assert [one["sample"] for one in json.loads(capsys.readouterr().out)["chosen"]] == list(found.frame["sample"])
    assert main(words) == 2


def test_the_mean_over_classes_stands_beside_the_error_where_classes_differ_in_size() -> None:
    X, number = rows(160)
    rare = np.where(np.arange(160) % 9 == 0, "rare", np.where(number == 1, "much", "more"))
    pool = pd.DataFrame(X, columns=list("abc")).assign(sample=[f"s{i}" for i in range(160)])
    found = suggest(pool, labelled=pool.iloc[:90].assign(kind=rare[:90]), target="kind", id="sample", n=4)
    points, balanced = found.facts["curve"]["points"], found.facts["curve"]["balanced"]
    assert len(balanced) == len(points) and "mean over classes" in found.text
    assert balanced[-1] > points[-1]["error"]  # the rare class is missed
    even = suggest(pool, labelled=pool.iloc[:90].assign(kind=number[:90].astype(str)), target="kind", id="sample",
                   task="classification", n=4)  # fmt: skip
    assert even.facts["curve"]["balanced"] is None and "mean over classes" not in even.text
