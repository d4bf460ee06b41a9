"""`strongsuit suggest`, as a function and as a command."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from strongsuit import suggest
from strongsuit.cli import main
from strongsuit.errors import InputError


def tables(known: int = 30, rows: int = 120) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    pool = pd.DataFrame(
        {"sample": [f"s{i}" for i in range(rows)], "a": rng.normal(size=rows), "b": rng.normal(size=rows)}
    )
    labelled = pool.iloc[:known].assign(y=lambda t: np.sin(2 * t.a) + t.b)
    return pool, labelled


@pytest.mark.parametrize("strategy", ["gsx", "lcmd_x", "qbc_div"])
def test_rows_keep_their_identity_and_say_why(strategy: str) -> None:
    pool, labelled = tables()
    found = suggest(pool, labelled=labelled, target="y", n=8, id="sample", strategy=strategy, learner="ridge")
    assert len(found.frame) == 8 and not set(found.frame["sample"]) & set(labelled["sample"])
    again = pool.set_index("sample").loc[found.frame["sample"], ["a", "b"]].to_numpy()
    np.testing.assert_array_equal(found.frame[["a", "b"]].to_numpy(), again)
    assert found.frame["strongsuit_why"].str.len().min() > 10
    assert set(found.frame["strongsuit_role"]) == {"active", "audit"}
    same = suggest(pool, labelled=labelled, target="y", n=8, id="sample", strategy=strategy, learner="ridge")
    pd.testing.assert_frame_equal(found.frame, same.frame)


def test_answers_are_appended_and_the_loop_goes_on() -> None:
    pool, labelled = tables()
    labelled = labelled.drop(columns="sample")
    pool = pool.drop(columns="sample")
    for _ in range(3):
        found = suggest(pool, labelled=labelled, target="y", n=10, strategy="gsx", learner="ridge")
        told = found.frame.assign(y=lambda t: np.sin(2 * t.a) + t.b)
        assert not pd.merge(told[["a", "b"]], labelled[["a", "b"]]).shape[0]
        labelled = pd.concat([labelled, told], ignore_index=True)
    assert found.facts["round"] == 3 and found.facts["left"] == 120 - 30 - 30
    assert sorted(labelled["strongsuit_round"].dropna().unique()) == [1, 2, 3]


def test_the_last_rows_come_short_and_a_finished_pool_says_so() -> None:
    pool, labelled = tables(known=115)
    found = suggest(pool, labelled=labelled, target="y", n=20, id="sample", strategy="gsx", learner="ridge")
    assert len(found.frame) == 5 and "Fewer than the 20" in found.text
    with pytest.raises(InputError, match="all 120 rows of the pool are labelled"):
        suggest(pool, labelled=tables(known=120)[1], target="y", id="sample", learner="ridge")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p, t: (pd.concat([p, p.iloc[:1]]), t), "identifier 's0' stands twice in column 'sample' of the pool"),
        (lambda p, t: (p.drop(columns="b"), t), "the pool lacks the columns 'b'"),
        (lambda p, t: (p, t.drop(columns="sample")), "id names 'sample', which the labelled table does not have"),
    ],
)
def test_tables_that_do_not_fit_are_refused(change, words: str) -> None:
    pool, labelled = change(*tables())
    with pytest.raises(InputError, match=words):
        suggest(pool, labelled=labelled, target="y", id="sample", learner="ridge")


def test_a_learner_without_gradients_is_told(tmp_path) -> None:
    pool, labelled = tables()
    with pytest.raises(InputError, match="has no gradients"):
        suggest(pool, labelled=labelled, target="y", id="sample", strategy="max_det", learner="ridge")
    with pytest.raises(InputError, match="no strategy is called 'best'"):
        suggest(pool, labelled=labelled, target="y", id="sample", strategy="best", learner="ridge")


def test_the_command_writes_rows_and_lists_strategies(tmp_path, capsys) -> None:
    pool, labelled = tables()
    pool.to_csv(tmp_path / "pool.csv", index=False)
    labelled.to_csv(tmp_path / "known.csv", index=False)
    out = tmp_path / "next.csv"
    arguments = ["suggest", str(tmp_path / "pool.csv"), "--labelled", str(tmp_path / "known.csv"), "--target", "y"]
    assert main([*arguments, "--id", "sample", "-n", "6", "--out", str(out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["rows"] == 6 == len(facts["chosen"]) == len(pd.read_csv(out))
    assert facts["strategy"] == "lcmd_tp"
    assert main([*arguments, "-n", "3", "--id", "nothing"]) == 3
    assert "id names 'nothing'" in capsys.readouterr().err
    assert main(["strategies"]) == 0
    assert "lcmd_tp" in capsys.readouterr().out
