"""`suggest_in_box`: from a box and what is known in it to the next inputs."""

from __future__ import annotations

import json
import logging

import numpy as np
import pandas as pd
import pytest

from strongsuit import suggest_in_box
from strongsuit.cli import main
from strongsuit.errors import InputError
from strongsuit.learners import MLP

LOW, HIGH, NAMES = [0.0, 20.0], [1.0, 80.0], ("share", "heat")
NETWORK = MLP(widths=(8,), epochs=20, least_steps=200, choose_decay=False)


def measured(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(out=np.sin(5 * frame["share"]) + frame["heat"] / 40)


def test_answers_are_appended_and_the_loop_goes_on() -> None:
    known = measured(suggest_in_box(LOW, HIGH, n=20, names=NAMES, learner="ridge"))
    assert set(known["strongsuit_role"]) == {"start"} and known["strongsuit_why"].str.startswith("random").all()
    for number in (2, 3, 4):
        found = suggest_in_box(LOW, HIGH, known, "out", n=10, strategy="gsx", learner="ridge")
        assert list(found.columns[:2]) == list(NAMES) and (found["strongsuit_round"] == number).all()
        assert found["share"].between(0, 1).all() and found["heat"].between(20, 80).all()
        assert sorted(found["strongsuit_role"]) == ["active"] * 5 + ["audit"] * 5
        assert found["strongsuit_why"].str.len().min() > 10 and found["strongsuit_rank"].notna().sum() == 5
        known = pd.concat([known, measured(found)], ignore_index=True)
    assert len(known[list(NAMES)].drop_duplicates()) == 50
    one = suggest_in_box(LOW, HIGH, known, ["out"], n=10, strategy="gsx", learner="ridge", guarded=False)
    assert set(one["strongsuit_role"]) == {"active"} and set(one["strongsuit_guard"]) == {"off"}


def test_plain_arrays_will_do_and_the_same_known_rows_give_the_same_inputs() -> None:
    X = np.random.default_rng(0).uniform(LOW, HIGH, (24, 2))
    y = np.sin(5 * X[:, 0])
    first = suggest_in_box(LOW, HIGH, X, y, n=6, learner="ridge")
    pd.testing.assert_frame_equal(first, suggest_in_box(LOW, HIGH, X, y, n=6, learner="ridge"))
    assert list(first.columns[:2]) == ["x0", "x1"]
    more = np.vstack([X, first[["x0", "x1"]]])
    waiting = np.r_[y, np.full(6, np.nan)]  # asked for, not yet measured
    second = suggest_in_box(LOW, HIGH, more, waiting, n=6, learner="ridge")
    assert not len(pd.merge(first[["x0", "x1"]], second[["x0", "x1"]]))
    other = suggest_in_box(LOW, HIGH, X, y, n=6, learner="ridge", random_state=1)
    assert not len(pd.merge(first[["x0", "x1"]], other[["x0", "x1"]]))


@pytest.mark.parametrize("strategy", ["na_qbc", "lcmd_refined"])
def test_made_up_inputs_say_what_the_committee_thinks_of_them(strategy: str) -> None:
    X = np.random.default_rng(0).uniform(LOW, HIGH, (60, 2))
    found = suggest_in_box(
        LOW, HIGH, X, np.sin(5 * X[:, 0]) + X[:, 1] / 40, n=6, strategy=strategy, learner=NETWORK, guarded=False
    )
    assert found["strongsuit_why"].str.startswith(f"{strategy}: ").all()
    assert found["strongsuit_why"].str.contains("committee variance").all()


def test_a_constraint_is_kept_and_a_shortage_is_said(caplog) -> None:
    found = suggest_in_box(LOW, HIGH, n=30, constraint=lambda rows: rows[:, 0] * 60 < rows[:, 1] - 20)
    assert (found["x0"] * 60 < found["x1"] - 20).all() and len(found) == 30 and not caplog.records
    with caplog.at_level(logging.WARNING):
        few = suggest_in_box(LOW, HIGH, n=100, constraint=lambda rows: rows[:, 0] < 2e-3)
    assert 0 < len(few) < 100 and "instead of 100" in caplog.text


X4, Y4 = np.full((4, 2), [0.5, 50.0]), np.arange(4.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((LOW, HIGH, X4, Y4[:3]), "X has 4 rows and y has 3"),
        ((LOW, HIGH, X4), "X has 4 rows and y has 0"),
        ((LOW, HIGH, X4[:, :1], Y4), r"X must have shape \(rows, 2\)"),
        ((LOW, HIGH, X4 * np.nan, Y4), "4 pool rows hold NaN"),
        ((LOW, HIGH, pd.DataFrame(X4, columns=["a", "b"]), "out"), "y names 'out', which is no column of X"),
        ((LOW, HIGH, X4, "out"), "y names 'out'"),
        ((LOW, HIGH, X4, ["a"] * 4), "y names 'a'"),
        ((LOW, HIGH, X4, np.array(["a"] * 4)), "y names|labels must be numbers"),
        ((LOW, HIGH, pd.DataFrame({"a": ["u"] * 4, "b": 1.0}), Y4), "inputs of a box must be numbers"),
        ((HIGH, LOW, X4, Y4), "low must be below high"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, words: str) -> None:
    with pytest.raises(InputError, match=words):
        suggest_in_box(*arguments, learner="ridge")


def test_names_of_the_box_are_columns_of_the_frame() -> None:
    frame = pd.DataFrame(X4, columns=["a", "b"])
    with pytest.raises(InputError, match="X lacks the columns 'c' of the box"):
        suggest_in_box(LOW, HIGH, frame, Y4, names=["a", "c"], learner="ridge")
    with pytest.raises(InputError, match="na_qbc"):
        suggest_in_box(LOW, HIGH, frame, Y4, strategy="nothing", learner="ridge")
    with pytest.raises(InputError, match="is not differentiable"):
        suggest_in_box(LOW, HIGH, frame, Y4, strategy="na_qbc", learner="ridge")


def test_the_command_begins_at_random_and_goes_on(tmp_path, capsys) -> None:
    box, known, out = tmp_path / "box.csv", tmp_path / "known.csv", tmp_path / "next.csv"
    box.write_text("name,low,high\nshare,0,1\nheat,20,80\n")
    assert main(["suggest", "--box", str(box), "-n", "20", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 20
    told = measured(pd.read_csv(out))
    told.loc[[3, 7], "out"] = np.nan  # not measured yet
    told.to_csv(known, index=False)
    arguments = ["suggest", "--box", str(box), "--labelled", str(known), "--target", "out", "-n", "8"]
    assert main([*arguments, "--learner", "ridge", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["rows"] == 8 == len(facts["chosen"]) and facts["chosen"][0]["strongsuit_round"] == 2
    assert main([*arguments, "--learner", "ridge"]) == 0
    assert "append them to the labelled table" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "extra", "code", "words"),
    [
        ("name,low,high\na,0,1\n", ["--cost", "price"], 3, "--cost speaks of a pool"),
        ("name,low,high\na,0,1\n", ["pool.csv"], 3, "POOL speaks of a pool"),
        ("name,low\na,0\n", [], 3, "the box lacks the column 'high'"),
        ("name,low,high\na,zero,1\n", [], 3, "column 'low' must hold numbers; row 1 does not"),
        ("name,low,high\na,1,0\n", [], 3, "low must be below high"),
        ("name,low,high\na,0,1\n", ["--labelled", "KNOWN"], 2, "--labelled needs --target"),
        ("name,low,high\nb,0,1\n", ["--labelled", "KNOWN", "--target", "y"], 3, "lacks the column 'b'"),
        ("name,low,high\na,0,1\n", ["--labelled", "KNOWN", "--target", "y"], 3, "column 'y' must hold numbers; row 2"),
    ],
)
def test_the_command_refuses_in_words(tmp_path, capsys, text: str, extra: list[str], code: int, words: str) -> None:
    (tmp_path / "box.csv").write_text(text)
    (tmp_path / "known.csv").write_text("a,y\n0.5,\n0.7,soon\n")
    extra = [str(tmp_path / "known.csv") if word == "KNOWN" else word for word in extra]
    assert main(["suggest", *extra, "--box", str(tmp_path / "box.csv")]) == code
    assert words in capsys.readouterr().err


def test_without_a_pool_or_a_box_it_is_a_matter_of_usage(capsys) -> None:
    assert main(["suggest"]) == 2
    assert "give POOL, --labelled and --target, or --box" in capsys.readouterr().err
