"""ActiveRegressor: scikit-learn's conventions, and loops of query and teach."""

from __future__ import annotations

import doctest
import pickle
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from strongsuit import ActiveRegressor
from strongsuit.active.stopping import Budget
from strongsuit.errors import InputError

BY_DESIGN = {"check_supervised_y_no_nan": "rows of y that are NaN are the pool; without any label a campaign begins"}


@parametrize_with_checks([ActiveRegressor("ridge", random_state=0)], expected_failed_checks=lambda _: BY_DESIGN)
def test_scikit_learn_conventions(estimator, check) -> None:
    check(estimator)


def law(X: np.ndarray) -> np.ndarray:
    return np.sin(3 * X[:, 0]) + X[:, 1]


def rows(n: int = 150, known: int = 24) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).uniform(-1, 1, (n, 2))
    return X, np.where(np.arange(n) < known, law(X), np.nan)


def model(**options) -> ActiveRegressor:
    return ActiveRegressor(**({"learner": "basis", "strategy": "gsx", "random_state": 0} | options))


def test_the_example_runs() -> None:
    module = import_module("strongsuit.estimators.active_regressor")
    found = doctest.testmod(module)
    assert found.attempted > 5 and not found.failed


def test_a_loop_over_the_rows_without_a_label() -> None:
    X, y = rows()
    learner = model().fit(X, y)
    seen = set(range(24))
    for count in (34, 44, 54):
        asked = learner.query()
        assert len(asked) == 10 and not seen & set(asked.tolist())
        seen |= set(asked.tolist())
        learner.teach(asked[::-1], law(X[asked[::-1]]))
        assert learner.labelled_.sum() == count
    assert_array_equal(np.flatnonzero(learner.labelled_), sorted(seen))
    assert learner.batch_["row"].tolist() == asked.tolist()
    assert set(learner.batch_["role"]) == {"active", "audit"} and learner.batch_["why"].str.contains("gsx|random").all()
    assert np.sqrt(np.mean((learner.predict(X) - law(X)) ** 2)) < 0.2


def test_the_same_seed_gives_the_same_rows_and_pickles() -> None:
    X, y = rows()
    one, other = model().fit(X, y), clone(model()).fit(X, y)
    assert_array_equal(one.query(), other.query())
    again = pickle.loads(pickle.dumps(one))  # asked rows are remembered
    assert_array_equal(one.query(n=5), again.query(n=5))
    assert_allclose(one.predict(X), again.predict(X))


def test_a_pool_may_come_later_and_be_replaced() -> None:
    X, y = rows()
    learner = model().fit(X[:24], y[:24])
    with pytest.raises(InputError, match="no row is left"):
        learner.query()
    pool = X[24:]
    first = learner.query(pool, 8)
    learner.teach(first, law(pool[first]))
    second = learner.query(pool, 8)  # the same pool: what was asked for stays so
    assert not set(first) & set(second) and learner.session_.round == 2
    learner.teach(second, law(pool[second]))
    third = learner.query(pool[:50], 8)
    assert third.max() < 50 and learner.session_.pool.labelled.sum() == 24 + 16
    assert (learner.session_.pool.role == 2).sum() == 8 + 4  # random rows of all three rounds


def test_it_begins_without_a_label() -> None:
    X, _ = rows()
    learner = model().fit(X, np.full(len(X), np.nan))
    with pytest.raises(InputError, match=r"query\(\) and teach\(\) some before predict"):
        learner.predict(X)
    asked = learner.query(n=20)
    assert (learner.batch_["why"] == "random: to begin with").all()
    assert learner.teach(asked, law(X[asked])).predict(X).shape == (150,)


def test_rows_that_cannot_be_labelled_are_left_out() -> None:
    X, y = rows()
    learner = model().fit(X, y)
    asked = learner.query()
    learner.skip(asked[:4]).teach(asked[4:], law(X[asked[4:]]))
    assert not set(learner.query(n=200)) & set(asked)
    with pytest.raises(InputError, match="is excluded: it takes no label"):
        learner.teach(asked[:1], [1.0])


def test_curve_and_advice_follow_the_labels() -> None:
    X, y = rows(300)
    learner = model(batch_size=20, stop=Budget(labels=60)).fit(X, y)
    assert set(learner.learning_curve_["kind"]) == {"cross_validated"}
    assert not learner.stop_advice_.yes
    for _ in range(2):
        asked = learner.query()
        learner.teach(asked, law(X[asked]))
    curve = learner.learning_curve_
    assert set(curve["kind"]) == {"audit"} and curve["labels"].iloc[-1] == 64
    assert ((curve["low"] <= curve["error"]) & (curve["error"] <= curve["high"])).all()
    assert learner.stop_advice_.yes and learner.stop_advice_.rule == "budget"
    assert [one.random for one in learner.history_.rounds] == [10, 10] and learner.verdicts_ == ()


def test_several_targets_frames_and_estimators() -> None:
    X, y = rows()
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(kind=np.array(["u", "v"])[np.arange(150) % 2])
    target = pd.DataFrame({"y": y, "z": 2 * y})
    learner = model(learner=LinearRegression(), strategy="qbc_div").fit(frame, target)
    asked = learner.query()
    assert len(asked) == 10
    learner.teach(asked, np.column_stack([law(X[asked]), 2 * law(X[asked])]))
    mean, spread = learner.predict(frame, return_std=True)
    assert mean.shape == spread.shape == (150, 2) and (spread >= 0).all()
    assert_allclose(mean[:, 1], 2 * mean[:, 0], atol=1e-8)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda m, X, y: m.teach([150], [1.0]), "rows must be whole numbers from 0 to 149"),
        (lambda m, X, y: m.teach([0.5], [1.0]), "rows must be whole numbers"),
        (lambda m, X, y: m.teach([30], [np.nan]), "the label of row 30 is not finite"),
        (lambda m, X, y: m.teach([30, 31], [1.0]), "labels of shape"),
        (lambda m, X, y: m.fit(X, np.column_stack([y, np.zeros(150)])), "y contains NaN in 126 of 150 rows"),
        (lambda m, X, y: m.fit(X, np.where(y > 0, np.inf, y)), "y contains infinity"),
        (lambda m, X, y: m.query(X[:, :1]), "features"),
        (lambda m, X, y: m.query(n=0), "n == 0, must be >= 1"),
        (lambda m, X, y: m.set_params(strategy="best").fit(X, y), "no strategy is called 'best'"),
        (lambda m, X, y: m.set_params(batch_size=0).fit(X, y), "batch_size == 0"),
    ],
)
def test_what_does_not_fit_is_refused(act, words: str) -> None:
    X, y = rows()
    with pytest.raises(ValueError, match=words):
        act(model().fit(X, y), X, y)
