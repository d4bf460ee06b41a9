"""`suggest` for classes: text targets, classes that no label shows yet, the share of wrong ones as the curve."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from strongsuit import suggest
from strongsuit.cli import main
from strongsuit.errors import InputError


def tables(rows: int = 90, known: int = 36) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """A pool of three kinds, labels of some of its rows, and the truth."""
    rng = np.random.default_rng(0)
    number = np.arange(rows) % 3
    X = rng.normal(size=(rows, 3)) + 2.5 * np.eye(3)[number]
    pool = pd.DataFrame(X, columns=["a", "b", "c"]).assign(sample=[f"s{i}" for i in range(rows)])
    truth = np.array(["cat", "dog", "owl"])[number]
    return pool, pool.iloc[:known].assign(kind=truth[:known]), truth


def test_a_text_target_is_a_classification() -> None:
    pool, labelled, _ = tables()
    found = suggest(pool, labelled=labelled, target="kind", id="sample", n=6)
    assert found.facts["task"] == "classification" and found.facts["classes"] == ["cat", "dog", "owl"]
    assert len(found.frame) == 6 and not set(found.frame["sample"]) & set(labelled["sample"])
    assert "share of wrong classes" in found.text and found.history.classes
    errors = [point["error"] for point in found.facts["curve"]["points"]]
    assert all(0.0 <= error <= 1.0 for error in errors) and errors[-1] < 0.3


def test_answers_come_back_as_labels_and_the_loop_goes_on() -> None:
    pool, labelled, truth = tables()
    for round_ in (1, 2):
        found = suggest(pool, labelled=labelled, target="kind", id="sample", n=6, strategy="margin")
        assert found.facts["round"] == round_
        answered = found.frame.assign(kind=truth[[int(name[1:]) for name in found.frame["sample"]]])
        labelled = pd.concat([labelled, answered], ignore_index=True)
    assert found.facts["labelled"] == 42 and labelled["sample"].is_unique


def test_numbers_are_classes_where_the_user_says_so() -> None:
    pool, labelled, _ = tables()
    coded = labelled.assign(kind=labelled["kind"].map({"cat": 1, "dog": 2, "owl": 3}))
    assert suggest(pool, labelled=coded, target="kind", id="sample", strategy="gsx", learner="ridge").facts["task"] == (
        "regression"
    )
    by_task = suggest(pool, labelled=coded, target="kind", id="sample", task="classification", n=4)
    by_classes = suggest(pool, labelled=coded, target="kind", id="sample", classes=[1, 2, 3], n=4)
    assert by_task.facts["classes"] == [1, 2, 3] and by_task.frame.equals(by_classes.frame)
    forest = suggest(pool, labelled=coded, target="kind", id="sample", learner=RandomForestClassifier(10), n=4)
    assert forest.facts["task"] == "classification"
    with pytest.raises(InputError, match="RandomForestClassifier is a learner for classification"):
        suggest(pool, labelled=coded, target="kind", id="sample", learner=RandomForestClassifier(10), task="regression")


def test_a_class_without_labels_is_declared() -> None:
    pool, labelled, _ = tables()
    seen = labelled[labelled["kind"] != "owl"]
    found = suggest(pool, labelled=seen, target="kind", id="sample", classes=["owl", "dog", "cat"], n=5)
    assert found.facts["classes"] == ["cat", "dog", "owl"]
    with pytest.raises(InputError, match=r"outside the declared classes: 'dog'; the classes are 'cat', 'owl'"):
        suggest(pool, labelled=seen, target="kind", id="sample", classes=["owl", "cat"])


def test_a_target_error_is_the_share_of_wrong_classes() -> None:
    pool, labelled, _ = tables(240, 200)
    found = suggest(pool, labelled=labelled, target="kind", id="sample", target_error=0.5)
    assert found.facts["stop"]["rule"] != "plateau" and "share of wrong classes is at most" in found.facts["advice"]


def test_the_command_chooses_rows_for_classes(tmp_path: Path, capsys) -> None:
    pool, labelled, _ = tables()
    pool.to_csv(tmp_path / "pool.csv", index=False)
    labelled[labelled["kind"] != "owl"].to_csv(tmp_path / "known.csv", index=False)
    code = main([
        "suggest", str(tmp_path / "pool.csv"), "--labelled", str(tmp_path / "known.csv"), "--target", "kind", "--id",
        "sample", "-n", "3", "--classes", "cat,dog,owl", "--plot", str(tmp_path / "c.png"), "--json",
    ])  # fmt: skip
    facts = json.loads(capsys.readouterr().out)
    assert code == 0 and facts["classes"] == ["cat", "dog", "owl"] and len(facts["chosen"]) == 3
    assert (tmp_path / "c.png").stat().st_size > 1000
    assert main(["strategies"]) == 0
    listed = capsys.readouterr().out
    assert "Regression:" in listed and "Classification:" in listed and "* wide_herding" in listed
