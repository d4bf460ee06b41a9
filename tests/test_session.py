"""The loop of active learning: batches, roles, the guard and what it may never do."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from strongsuit.active import guard, offers, rounds
from strongsuit.active import strategy as strategies
from strongsuit.active.box import Box
from strongsuit.active.pool import ACTIVE, AUDIT, EXCLUDED, LABELLED, START
from strongsuit.active.session import ask, fail, fit, init, init_box, start_rows, tell
from strongsuit.active.strategies import STRATEGIES
from strongsuit.active.strategy import Strategy
from strongsuit.core import root_key
from strongsuit.errors import InputError
from strongsuit.learners import MLP, Ridge

CURVED = Ridge("fourier")
NETWORK = MLP(widths=(8,), epochs=20, least_steps=60, choose_decay=False)


def law(X: np.ndarray) -> np.ndarray:
    return (np.sin(3 * X[:, 0]) + X[:, 1] ** 2)[:, None]


def rows(n: int = 400, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, size=(n, 2))


def play(session, X: np.ndarray, rounds: int, b: int):
    batches = []
    for _ in range(rounds):
        session, batch = ask(session, b)
        batches.append(batch)
        session = tell(session, batch.index, law(X[batch.index]))
    return session, batches


def test_it_begins_at_random_and_then_follows_its_strategy() -> None:
    X = rows()
    session, batches = play(init(root_key(0), CURVED, X, strategy="gsx"), X, 4, 20)
    assert batches[0].strategy == "random" and (batches[0].role == START).all()
    assert [len(b.index) for b in batches] == [20] * 4
    for batch in batches[1:]:
        assert batch.strategy == "gsx" and (batch.role == AUDIT).sum() == 10  # half a batch while on trial
    asked = np.concatenate([b.index for b in batches])
    assert len(np.unique(asked)) == 80 and (session.pool.state[asked] == LABELLED).all()


def test_a_strategy_with_a_record_is_trusted_from_the_start_and_watched_all_the_same(monkeypatch) -> None:
    X = rows()
    named = replace(STRATEGIES["gsx"], proven=True)
    monkeypatch.setitem(STRATEGIES, "gsx", named)
    session, batches = play(init(root_key(0), CURVED, X, strategy="gsx"), X, 4, 20)
    assert session.state == guard.TRUSTED
    assert all((batch.role == AUDIT).sum() == 2 for batch in batches[1:])  # a tenth
    pool = replace(session.pool, role=session.pool.role.copy())
    watching = np.flatnonzero(pool.labelled)[:41]
    pool.role[:], pool.role[watching] = ACTIVE, AUDIT
    assert not guard.due(pool, 4, guard.TRUSTED)  # 40 chosen rows are needed too
    pool.state[:] = LABELLED
    assert (
        guard.due(pool, 4, guard.TRUSTED)
        and not guard.due(pool, 4, guard.TRIAL)
        and not guard.due(pool, 5, guard.TRUSTED)
    )
    box = Box(np.full(2, -1.0), np.full(2, 1.0))
    assert init_box(root_key(0), CURVED, box, strategy="gsx").state == guard.TRUSTED
    assert init_box(root_key(0), CURVED, box, strategy="lcmd_x").state == guard.TRIAL


def test_asking_twice_gives_the_same_rows_and_the_order_of_telling_is_immaterial() -> None:
    X = rows()
    session, _ = play(init(root_key(1), NETWORK, X), X, 2, 20)
    one, first = ask(session, 12)
    _, again = ask(session, 12)
    np.testing.assert_array_equal(first.index, again.index)
    forward = tell(one, first.index, law(X[first.index]))
    backward = one
    for row in first.index[::-1]:
        backward = tell(backward, [row], law(X[[row]]))
    np.testing.assert_array_equal(ask(forward, 12)[1].index, ask(backward, 12)[1].index)


def test_random_rows_are_neither_anchors_nor_chosen_actively() -> None:
    X = rows()
    session, batches = play(init(root_key(2), CURVED, X, strategy="gsx"), X, 5, 20)
    reserved = session.pool.reserved
    active = np.concatenate([b.index[b.role == ACTIVE] for b in batches])
    assert reserved.sum() == 40 and not reserved[active].any()
    # Labels and places of audit rows do not move active selection: swap them for other rows, the choice stays.
    base, _ = play(init(root_key(2), CURVED, X, strategy="gsx"), X, 2, 20)
    audit = np.flatnonzero(base.pool.role == AUDIT)
    audit = audit[base.pool.labelled[audit]]
    pool = replace(base.pool, y=base.pool.y.copy())
    pool.y[audit] += 100.0
    moved = replace(base, pool=pool)
    np.testing.assert_array_equal(ask(base, 20)[1].index, ask(moved, 20)[1].index)


def test_without_a_guard_every_row_follows_the_strategy() -> None:
    X = rows()
    session = init(root_key(3), CURVED, X, strategy="gsx", guarded=False)
    _, batches = play(session, X, 3, 20)
    assert all((b.role == ACTIVE).all() for b in batches[1:])
    assert not session.pool.reserved.any()


def clump() -> Strategy:
    """The rows nearest to the first labelled one: as harmful as can be."""
    from strongsuit.active.selectors.top_k import top_k

    def near(evidence) -> np.ndarray:
        first = evidence.x[np.flatnonzero(evidence.labelled)[0]]
        return -((evidence.x - first) ** 2).sum(1)

    return Strategy("clump", "rows around one row", "", top_k, score=near)


def test_harm_makes_it_fall_back_to_random_and_say_so(caplog) -> None:
    X = rows(1500)
    fallen = 0
    for seed in range(3):
        session = replace(init(root_key(seed), CURVED, X, strategy="gsx"), strategy=clump())
        with caplog.at_level(logging.WARNING):
            session, batches = play(session, X, 14, 20)
        fallen += session.state == guard.RANDOM
        if session.state == guard.RANDOM:
            assert "falling back to random rows" in caplog.text
            assert batches[-1].strategy == "random" and "did harm" in batches[-1].words
            assert session.verdicts[-1].reason == "harm" and session.verdicts[-1].theta > 0
    assert fallen >= 2


def test_a_harmless_strategy_gains_trust() -> None:
    X = rows(1500)
    states = []
    for seed in range(3):
        session, _ = play(init(root_key(seed), CURVED, X, strategy="gsx"), X, 12, 20)
        states.append(session.state)
        assert session.verdicts
    assert states.count(guard.RANDOM) == 0 and guard.TRUSTED in states


def test_a_learner_that_knows_nothing_yet_is_not_asked() -> None:
    X = rows()
    noise = np.random.default_rng(0).normal(size=(400, 1))
    session = init(root_key(0), NETWORK, X)
    session, batch = ask(session, 20)
    session = tell(session, batch.index, noise[batch.index])
    assert ask(session, 10)[1].strategy == "lcmd_x"
    learnt, _ = play(init(root_key(0), NETWORK, X), X, 4, 30)
    assert ask(learnt, 10)[1].strategy == "qbc_gsxy"


def test_the_last_rows_come_short_and_then_none() -> None:
    X = rows(30)
    session, batches = play(init(root_key(0), CURVED, X, strategy="gsx"), X, 2, 20)
    assert len(batches[1].index) == 10
    with pytest.raises(InputError, match="no row is left"):
        ask(session, 1)
    with pytest.raises(InputError, match="at least one row, got 0"):
        ask(init(root_key(0), CURVED, X), 0)


def test_failed_rows_are_left_out_and_pending_ones_wait() -> None:
    X = rows()
    session, batch = ask(init(root_key(0), CURVED, X, strategy="gsx"), 20)
    session = fail(session, batch.index[:5])
    assert (session.pool.state[batch.index[:5]] == EXCLUDED).all()
    session = tell(session, batch.index[5:10], law(X[batch.index[5:10]]))
    later, following = ask(session, 20)
    assert not set(following.index) & set(batch.index)
    assert fit(later).center.shape == (1,)


def test_rows_that_come_labelled_are_the_start() -> None:
    X = rows()
    y = np.full((400, 1), np.nan)
    y[:40] = law(X[:40])
    session = init(root_key(0), CURVED, X, y=y, strategy="gsx")
    assert start_rows(session.pool) == 20
    assert ask(session, 10)[1].strategy == "gsx"


def test_of_a_large_table_a_fresh_sample_is_looked_at(monkeypatch) -> None:
    monkeypatch.setattr(offers, "MOST", 60)
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (400, 2))
    X[200:260] = X[100:160]  # equal rows too
    y = np.full((400, 1), np.nan)
    y[:30] = X[:30, :1] ** 2
    started = replace(init(root_key(0), Ridge(), X, y=y, strategy="bait_f", guarded=False), learned=True)
    seen = []

    def watched(key, strategy, evidence, b):
        seen.append(evidence.x)
        return strategies.propose(key, strategy, evidence, b)

    monkeypatch.setattr(rounds, "propose", watched)
    one, first = ask(started, 10)
    assert len(seen[0]) == 90 and one.pool.pending[first.index].all()
    np.testing.assert_array_equal(ask(started, 10)[1].index, first.index)
    _, second = ask(tell(one, first.index, X[first.index, :1] ** 2), 10)
    assert not set(first.index) & set(second.index)
    assert not np.array_equal(np.unique(seen[0], axis=0)[:5], np.unique(seen[-1], axis=0)[:5])
    low, high = X.min(0), X.max(0)
    scaled = (X - (low + high) / 2) / ((high - low) / 2)
    assert np.isin(np.round(seen[0], 9), np.round(scaled, 9)).all()  # scaled by the whole table
