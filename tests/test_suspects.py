"""Labels to be looked at again: found by models that did not see them, listed, never taken out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from strongsuit import ActiveClassifier, suggest
from strongsuit.active.answers import answers_of
from strongsuit.active.calibration import MOST
from strongsuit.active.folds import cross_fitted
from strongsuit.active.pool import Pool, pool_of
from strongsuit.active.suspects import chance_of_label, suspects
from strongsuit.cli import main
from strongsuit.core import root_key
from strongsuit.learners.softmax import Softmax

KEY, FLIPPED = root_key(1), [4, 17, 70]
NAMES = np.array(["ape", "bee", "cow"])


def clusters(rows: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Three far clusters and the class numbers of their rows, three of which are wrong."""
    number = np.arange(rows) % 3
    X = np.random.default_rng(0).normal(size=(rows, 3)) + 6.0 * np.eye(3)[number]
    number[FLIPPED] = (number[FLIPPED] + 1) % 3
    return X, number


def pool(known: int = 120, classes: int = 3) -> Pool:
    X, number = clusters()
    return pool_of(X, y=np.where(np.arange(150)[:, None] < known, np.eye(classes)[number], np.nan))


def test_probabilities_are_those_of_models_that_did_not_see_the_label() -> None:
    one = pool()
    found = chance_of_label(KEY, Softmax(), one)
    assert np.isnan(found[120:]).all() and not np.isnan(found[:120]).any()
    for fold in cross_fitted(KEY, Softmax(), one, 3, (), most=MOST):
        own, others = fold.rows[fold.own], fold.rows[~fold.own]
        center, scale = one.X[others].mean(0), one.X[others].std(0)
        model = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000)
        model.fit((one.X[others] - center) / scale, one.y[others].argmax(1))
        said = model.predict_proba((one.X[own] - center) / scale)
        assert_allclose(found[own], said[np.arange(len(own)), one.y[own].argmax(1)], atol=1e-5)


def test_wrong_labels_are_suspects_and_stay_where_they_are() -> None:
    one = pool()
    found = suspects(KEY, Softmax(), one)
    assert {suspect.row for suspect in found} == set(FLIPPED)
    assert all(s.reasons == ("improbable",) and s.probability < 0.05 and s.agreement == 1.0 for s in found)
    assert [s.probability for s in found] == sorted(s.probability for s in found)
    assert one.labelled.sum() == 120


def test_a_class_that_a_fold_cannot_know_is_no_suspect() -> None:
    one = pool(classes=4)
    one.y[10] = np.eye(4)[3]  # the only row of its class
    assert np.isnan(chance_of_label(KEY, Softmax(), one)[10])
    assert {suspect.row for suspect in suspects(KEY, Softmax(), one)} == set(FLIPPED)


def test_few_labels_say_nothing_but_disputes_are_disputes() -> None:
    one = pool(known=19)
    assert suspects(KEY, Softmax(), one) == ()
    rows = np.array([2, 2, 2, 5, 5])
    told = answers_of(rows, np.eye(3)[[0, 1, 2, 0, 1]], np.array(["a", "b", "c", "a", "b"], object))
    (torn,) = suspects(KEY, Softmax(), one, told)  # half of two annotators are not less than half
    assert (torn.row, torn.probability, torn.reasons) == (2, None, ("disputed",))
    assert torn.agreement == pytest.approx(1 / 3)


def test_of_many_classes_not_every_label_is_suspect() -> None:
    rng = np.random.default_rng(0)
    noise = pool_of(rng.normal(size=(90, 2)), y=np.eye(30)[np.arange(90) % 30])
    chance = chance_of_label(KEY, Softmax(C=1e-3), noise)
    assert (chance < 0.05).all() and suspects(KEY, Softmax(C=1e-3), noise) == ()


def test_the_estimator_lists_them() -> None:
    X, number = clusters()
    y = np.where(np.arange(150) < 120, NAMES[number], None)
    model = ActiveClassifier(random_state=0).fit(X, y)
    found = model.suspects_
    assert set(found["row"]) == set(FLIPPED) and (found["why"] == "improbable").all()
    assert_array_equal(found["label"], NAMES[number[found["row"]]])
    assert model.labelled_.sum() == 120
    model.teach(FLIPPED, NAMES[(number[FLIPPED] + 2) % 3])
    assert model.suspects_.empty and list(model.suspects_.columns) == list(found.columns)


def test_the_command_prints_them(tmp_path: Path, capsys) -> None:
    X, number = clusters()
    table = pd.DataFrame(X, columns=list("abc")).assign(sample=[f"s{i}" for i in range(150)])
    known = table.iloc[:120].assign(kind=NAMES[number[:120]])
    table.to_csv(tmp_path / "pool.csv", index=False)
    known.to_csv(tmp_path / "known.csv", index=False)
    words = ["suggest", str(tmp_path / "pool.csv"), "--labelled", str(tmp_path / "known.csv"), "--target", "kind"]
    assert main([*words, "--id", "sample", "-n", "4"]) == 0
    assert "Labels to check (3; none is left out for it): s" in capsys.readouterr().out
    assert main([*words, "--id", "sample", "-n", "4", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {one["id"] for one in facts["suspects"]} == {f"s{i}" for i in FLIPPED} and facts["labelled"] == 120
    assert {one["strongsuit_row"] for one in facts["suspects"]} == {i + 1 for i in FLIPPED}
    without = suggest(table, labelled=known, target="kind", exclude=["sample"], n=4)
    assert "of the pool (" in without.text and len(without.facts["suspects"]) == 3
