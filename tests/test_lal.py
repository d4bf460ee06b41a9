"""LAL: states of small forests, lessons of made problems, and what they say of rows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import spearmanr

from strongsuit.active import lal
from strongsuit.active.lal import clouds, error_drop, lessons
from strongsuit.active.lal_states import FEATURES, TREES, one_class, states, told_apart
from strongsuit.active.session import ask, init
from strongsuit.core import root_key
from strongsuit.core.keys import key_for
from strongsuit.learners.softmax import Softmax

KEY = root_key(5)


def test_a_state_is_what_the_trees_say_of_a_row_and_of_themselves() -> None:
    X, own = clouds(KEY, 40)
    one = one_class(KEY, X, own)
    found = states(one, X[:7])
    votes = np.stack([tree.predict(X[:7].astype(np.float32)) for tree in one.trees])
    assert found.shape == (7, len(FEATURES)) and len(one.trees) == TREES
    np.testing.assert_allclose(found[:, 0], votes.mean(0))
    np.testing.assert_allclose(found[:, 3], ((votes - votes.mean(0)) ** 2).mean(0), atol=1e-12)
    assert (found[:, 1] == own.mean()).all() and (found[:, 5] == 40).all()
    assert found[0, 4] == pytest.approx(np.mean([tree.get_depth() for tree in one.trees]))
    seen = KEY.numpy().poisson(1.0, (40, TREES)).T
    by_hand = []
    for row in range(40):
        said = [
            tree.predict(X[[row]].astype(np.float32))[0] for tree, w in zip(one.trees, seen, strict=True) if not w[row]
        ]
        by_hand.append((np.mean(said) > 0.5) == own[row])
    assert found[0, 2] == pytest.approx(np.mean(by_hand))


def test_a_further_row_leaves_the_others_as_often_seen() -> None:
    few, more = (KEY.numpy().poisson(1.0, (rows, TREES)) for rows in (10, 11))
    np.testing.assert_array_equal(few, more[:10])


def test_lessons_are_falls_of_the_error() -> None:
    X, drop = lessons(KEY, problems=2)
    assert X.shape == (2 * len(lal.LABELS) * lal.TRIED, len(FEATURES)) and np.isfinite(X).all()
    assert sorted(set(X[:, 5])) == list(lal.LABELS)
    assert (np.abs(drop) <= 1.0).all() and np.abs(drop[X[:, 5] == 8]).mean() > np.abs(drop[X[:, 5] == 64]).mean()
    again, same = lessons(KEY, problems=1)
    np.testing.assert_array_equal(again, X[: len(again)])
    np.testing.assert_array_equal(same, drop[: len(same)])


def test_the_guess_is_the_mean_over_classes_and_no_order_of_them_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lal, "_second", lambda: SimpleNamespace(predict=lambda states: states[:, 3]))
    rng = np.random.default_rng(0)
    classes = np.arange(30) % 3
    X = rng.normal(size=(30, 3)) + np.eye(3)[classes]
    found = told_apart(KEY, X, np.eye(3)[classes])
    guess = error_drop(found, X)
    np.testing.assert_allclose(guess, np.mean([states(one, X)[:, 3] for one in found], axis=0))
    turned = told_apart(KEY, X, np.eye(4)[[2, 0, 1]][classes])
    np.testing.assert_allclose(error_drop(turned, X), guess)
    assert told_apart(KEY, X, np.eye(3)[np.zeros(30, int)]) == ()
    assert not error_drop((), X).any()


def test_a_session_asks_for_rows_of_the_largest_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lal, "_second", lambda: SimpleNamespace(predict=lambda states: states[:, 3]))
    rng = np.random.default_rng(1)
    classes = np.arange(80) % 2
    X = rng.normal(size=(80, 2)) + 2.0 * np.eye(2)[classes]
    y = np.where(np.arange(80)[:, None] < 24, np.eye(2)[classes], np.nan)
    _, batch = ask(init(KEY, Softmax(), X, y=y, strategy="lal", guarded=False), 5)
    assert len(set(batch.index.tolist())) == 5 and (np.diff(batch.gain[np.argsort(batch.pick)]) <= 0).all()
    same = np.where(np.arange(80)[:, None] < 24, np.eye(2)[np.zeros(80, int)], np.nan)
    _, batch = ask(init(KEY, Softmax(), X, y=same, strategy="lal", guarded=False), 5)
    assert batch.degraded == "one_class" and batch.strategy == "max_herding"


def test_what_a_few_problems_teach_is_that_doubtful_rows_help() -> None:
    X, drop = lessons(key_for(KEY, "taught"), problems=6)
    small = X[:, 5] <= 16
    assert spearmanr(X[small, 3], np.abs(drop[small])).statistic > 0.1
