"""Choosing a committee's learner by cross-validation: the better one, on labelled rows, only when training begins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from strongsuit import recipes
from strongsuit.active import session as sessions
from strongsuit.active.box import Box
from strongsuit.active.choice import Choice, committee_size, point_only, serving, settled
from strongsuit.active.committee import GROWTH, answer, train
from strongsuit.active.history import look_back
from strongsuit.active.pool import pool_of
from strongsuit.core import root_key
from strongsuit.errors import InputError
from strongsuit.learners import GP, MLP, Ridge, hgb

SMALL = MLP(widths=(8,), epochs=5, least_steps=20, choose_decay=False)
LINEAR, CURVED = Ridge("linear"), GP("rbf")
NAMES = ("one", "other")


def rows(n: int, law, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    return X, law(X)[:, None]


def wavy(X: np.ndarray) -> np.ndarray:
    return np.sin(5 * X[:, 0])


def flat(X: np.ndarray) -> np.ndarray:
    """Two steps, which no smooth process follows."""
    return np.floor(2 * X[:, 0]) + np.floor(2 * X[:, 1])


def test_the_better_learner_is_taken_in_either_order() -> None:
    X, y = rows(60, wavy)
    for order in ((LINEAR, CURVED), (CURVED, LINEAR)):
        assert settled(root_key(0), Choice(order, NAMES), X, y) is CURVED
    X, y = rows(300, flat)
    steps = hgb()
    assert settled(root_key(0), Choice((CURVED, steps), NAMES), X, y) is steps


def test_a_single_learner_few_rows_and_a_constant_target_ask_for_no_fit() -> None:
    X, y = rows(60, wavy)
    assert settled(root_key(0), LINEAR, X, y) is LINEAR
    assert settled(root_key(0), Choice((LINEAR, CURVED), NAMES), X[:7], y[:7]) is LINEAR
    assert settled(root_key(0), Choice((LINEAR, CURVED), NAMES), X, np.ones_like(y)) is LINEAR


def test_a_learner_whose_answers_are_not_finite_is_not_taken() -> None:
    class Broken(GP):
        def predict(self, params, X):
            found = super().predict(params, X)
            return type(found)(found.mean * np.nan, None)

    class Failing(GP):
        def fit(self, *given, **also):
            raise np.linalg.LinAlgError("not positive definite")

    X, y = rows(40, wavy)
    for learner in (Broken(), Failing()):
        assert settled(root_key(0), Choice((learner, LINEAR), NAMES), X, y) is LINEAR


def test_a_committee_keeps_its_learner_until_its_rows_have_doubled() -> None:
    X, y = rows(120, wavy)
    hidden = y.copy()
    hidden[20:] = np.nan
    choice = Choice((SMALL, CURVED), NAMES)
    first = train(root_key(0), choice, pool_of(X, y=hidden), 3)
    assert first.learner is CURVED and len(first.keys) == 1
    assert [name for name, _ in first.compared] == ["other", "one"]
    assert first.compared[0][1] < first.compared[1][1]
    # The choice would now be another one: it is not asked while training goes on, and is once it begins anew.
    for known, expected in ((30, CURVED), (int(20 * GROWTH), SMALL)):
        hidden[:known] = y[:known]
        found = train(root_key(1), SMALL, pool_of(X, y=hidden), 3, start=first)
        assert found.learner is expected


def test_what_is_left_of_a_choice_can_serve() -> None:
    choice = Choice((SMALL, CURVED), NAMES)

    def only_networks(learner) -> None:
        if learner is not SMALL:
            raise InputError("a network is needed")

    def nobody(learner) -> None:
        raise InputError(f"not by {type(learner).__name__}")

    assert serving(choice, only_networks) is SMALL
    assert serving(choice, lambda learner: None) == choice
    with pytest.raises(InputError, match="not by GP"):
        serving(choice, nobody)
    with pytest.raises(InputError, match="not by MLP"):
        serving(SMALL, nobody)


def test_sizes_and_variances() -> None:
    assert (committee_size(SMALL, 5), committee_size(CURVED, 5)) == (5, 1)
    assert not point_only(CURVED).variance and point_only(SMALL) is SMALL


def test_the_default_learner_follows_a_fast_wave_and_a_session_with_it_finds_its_rows() -> None:
    X, _ = rows(200, wavy)
    y = np.full((200, 1), np.nan)
    y[:40, 0] = np.sin(12 * X[:40, 0])
    learner = recipes.active_learner("auto")
    session = sessions.init(root_key(0), learner, X, y=y)
    session, batch = sessions.ask(session, 10)
    assert len(set(batch.index)) == 10 and not session.pool.labelled[batch.index].any()
    session = sessions.tell(session, batch.index, np.sin(12 * X[batch.index, 0]))
    committee = sessions.fit(session)
    assert isinstance(committee.learner, GP)
    assert np.mean((answer(committee, X)[:, 0] - np.sin(12 * X[:, 0])) ** 2) < 0.05
    history = look_back(root_key(1), learner, session.pool, session.order, batch=10, start=40)
    assert history.points


def test_synthesis_leaves_the_network_of_a_choice() -> None:
    box = Box([0.0, 0.0], [1.0, 1.0])
    session = sessions.init_box(root_key(0), Choice((SMALL, CURVED), NAMES), box, strategy="na_qbc")
    assert session.learner is SMALL


def test_models_beside_an_unguarded_committee_go_on_when_it_is_fitted_to_new_labels() -> None:
    X, y = rows(80, wavy)
    hidden = y.copy()
    hidden[40:] = np.nan
    session = sessions.init(root_key(0), SMALL, X, y=hidden, strategy="bald_dropout", guarded=False)
    session, batch = sessions.ask(replace(session, learned=True), 5)
    beside = session.selecting.auxiliary
    assert set(beside) == {"dropout_var"}
    session, committee = sessions.fitted(sessions.tell(session, batch.index, y[batch.index]), start=session.selecting)
    assert committee.rows == 45 and session.selecting.auxiliary == beside
