"""ActiveClassifier: scikit-learn's conventions, and loops of query and teach."""

from __future__ import annotations

import doctest
import pickle
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from strongsuit import ActiveClassifier
from strongsuit.errors import InputError


@parametrize_with_checks([ActiveClassifier(random_state=0)])
def test_scikit_learn_conventions(estimator, check) -> None:
    check(estimator)


def rows(n: int = 150, known: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, labels of the first rows, and the truth."""
    rng = np.random.default_rng(0)
    number = np.arange(n) % 3
    truth = np.array(["ape", "bee", "cow"])[number]
    return rng.normal(size=(n, 3)) + 3 * np.eye(3)[number], np.where(np.arange(n) < known, truth, None), truth


def test_the_example_runs() -> None:
    found = doctest.testmod(import_module("strongsuit.estimators.active_classifier"))
    assert found.attempted > 5 and not found.failed


def test_a_loop_over_the_rows_without_a_label() -> None:
    X, y, truth = rows()
    model = ActiveClassifier(random_state=0).fit(X, y)
    seen = set(range(24))
    for count in (34, 44, 54):
        asked = model.query()
        assert len(asked) == 10 and not seen & set(asked.tolist())
        seen |= set(asked.tolist())
        model.teach(asked[::-1], truth[asked[::-1]])
        assert model.labelled_.sum() == count
    assert model.classes_.tolist() == ["ape", "bee", "cow"]
    assert model.score(X, truth) > 0.95
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1.0)
    assert_array_equal(model.classes_[model.predict_proba(X).argmax(1)], model.predict(X))
    curve = model.learning_curve_
    assert len(curve) and curve["error"].between(0, 1).all()
    assert model.batch_["why"].str.contains("wide_herding|random").all()


def test_the_same_seed_gives_the_same_rows_and_pickles() -> None:
    X, y, _ = rows()
    one, other = ActiveClassifier(random_state=0).fit(X, y), clone(ActiveClassifier(random_state=0)).fit(X, y)
    assert_array_equal(one.query(), other.query())
    again = pickle.loads(pickle.dumps(one))
    assert_array_equal(one.query(n=5), again.query(n=5))
    assert_array_equal(one.predict(X), again.predict(X))


def test_unknown_labels_may_be_none_or_nan_and_classes_may_be_declared() -> None:
    X, y, truth = rows()
    number = np.searchsorted(["ape", "bee", "cow"], truth)
    coded = np.where(np.arange(150) < 24, number, np.nan)
    found = ActiveClassifier(random_state=0).fit(X, coded)
    assert found.classes_.tolist() == [0, 1, 2] and found.labelled_.sum() == 24
    series = ActiveClassifier(random_state=0).fit(pd.DataFrame(X, columns=list("abc")), pd.Series(y))
    assert series.labelled_.sum() == 24
    wider = ActiveClassifier(random_state=0, classes=["ape", "bee", "cow", "dog"]).fit(X, y)
    assert (wider.predict_proba(X)[:, 3] == 0.0).all()
    wider.teach([30], ["dog"])
    assert (wider.predict_proba(X)[:, 3] > 0.0).all()


def test_new_classes_are_taken_in_where_they_are_allowed() -> None:
    X, y, truth = rows()
    model = ActiveClassifier(allow_new_classes=True, random_state=0).fit(X, np.where(truth == "bee", None, y))
    assert model.classes_.tolist() == ["ape", "cow"]
    first = model.query()
    model.teach(first, truth[first], annotator="ann")
    assert model.classes_.tolist() == ["ape", "bee", "cow"] and model.session_.pool.y.shape[1] == 3
    assert_array_equal(model.session_.pool.y[first].argmax(1), np.searchsorted(model.classes_, truth[first]))
    assert_array_equal(model.session_.pool.y[0], [1, 0, 0])
    model.teach(model.query(), truth[model.batch_["row"]])
    assert model.score(X, truth) > 0.9
    with pytest.raises(InputError, match="mixed types"):
        model.teach([100], [3])
    with pytest.raises(InputError, match="rows must be whole numbers"):
        model.teach([900], ["dog"])
    assert "dog" not in model.classes_


def test_any_classifier_and_any_strategy_of_the_table() -> None:
    X, y, truth = rows()
    for learner, strategy in (("mlp", "badge"), (RandomForestClassifier(10), "bald"), ("softmax", "autoal")):
        model = ActiveClassifier(learner, strategy=strategy, guarded=False, random_state=0).fit(X, y)
        assert len(model.query(n=4)) == 4 and model.score(X, truth) > 0.7


def test_what_is_no_class_is_refused_and_nothing_is_taken() -> None:
    X, y, _ = rows()
    model = ActiveClassifier(random_state=0).fit(X, y)
    before = model.labelled_.copy()
    with pytest.raises(InputError, match="outside the declared classes: 'emu'"):
        model.teach([30, 31], ["ape", "emu"])
    assert_array_equal(model.labelled_, before)
    with pytest.raises(InputError, match="at least two classes"):
        ActiveClassifier().fit(X, np.where(np.arange(150) < 9, "ape", None))
    with pytest.raises(InputError, match="no strategy is called 'gsx' for classification"):
        ActiveClassifier(strategy="gsx").fit(X, y)
