"""Boxes of inputs: what may be one, what is drawn from it, and the loop over it."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, qmc

from strongsuit.active import guard
from strongsuit.active.box import Box, draw, spread
from strongsuit.active.committee import answer
from strongsuit.active.offers import narrowed, offered, widened
from strongsuit.active.pool import ACTIVE, AUDIT, EXCLUDED, LABELLED, PENDING, START, asked, pool_of
from strongsuit.active.selectors.top_k import top_k
from strongsuit.active.session import Session, ask, fail, fit, init_box, start_rows, tell
from strongsuit.active.strategy import Strategy
from strongsuit.core import root_key
from strongsuit.core.keys import key_for
from strongsuit.datasets.simulators import bess
from strongsuit.errors import InputError
from strongsuit.learners import MLP, Ridge

CURVED = Ridge("fourier")
NETWORK = MLP(widths=(8,), epochs=20, least_steps=60, choose_decay=False)
BOX = Box([0.0, -1.0], [10.0, 3.0], names=("dose", "time"))


def law(X: np.ndarray) -> np.ndarray:
    return (np.sin(0.6 * X[:, 0]) + X[:, 1] ** 2)[:, None]


def play(session: Session, rounds: int, b: int, of=law):
    batches = []
    for _ in range(rounds):
        session, batch = ask(session, b)
        batches.append(batch)
        session = tell(session, batch.index, of(session.pool.X[batch.index]))
    return session, batches


@pytest.mark.parametrize(
    ("low", "high", "names", "words"),
    [
        ([0, 1], [1], (), "got 2 low, 1 high and 2 names"),
        ([0, 1], [1, 1], (), "column 'x1' runs from 1.0 to 1.0: low must be below high"),
        ([0, np.nan], [1, 2], (), "low must be finite numbers"),
        ([0], [np.inf], (), "high must be finite numbers"),
        ([], [], (), "at least one"),
        (["a"], [1], (), "low must be numbers"),
        ([0, 0], [1, 1], ("a", "a"), "must differ, got a, a"),
        ([0, 0], [1, 1], ("a",), "2 high and 1 names"),
        ([-1e308], [1e308], (), "too wide"),
    ],
)
def test_bounds_that_make_no_box_are_refused(low, high, names, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Box(low, high, names=names)


def test_a_box_goes_from_its_units_to_the_unit_cube_and_back() -> None:
    X = draw(root_key(0), BOX, 50)
    np.testing.assert_allclose(BOX.rows(BOX.unit(X)), X, rtol=1e-12)
    assert len(BOX) == 2 and BOX.names == ("dose", "time") and Box([0], [1]).names == ("x0",)
    assert BOX == Box(np.array([0, -1]), np.array([10, 3]), names=["dose", "time"])
    tight = Box([0.1 + 0.2], [0.9])
    assert tight.rows(np.ones((1, 1)))[0, 0] <= 0.9


def test_random_rows_are_uniform_and_a_short_draw_heads_a_long_one() -> None:
    X = draw(root_key(1), BOX, 2000)
    for j in range(2):
        assert kstest(BOX.unit(X)[:, j], "uniform").pvalue > 0.01
    np.testing.assert_array_equal(draw(root_key(1), BOX, 70), X[:70])
    half = replace(BOX, constraint=lambda rows: rows[:, 0] > 5.0)
    some = draw(root_key(1), half, 900)
    np.testing.assert_array_equal(some, X[X[:, 0] > 5.0][:900])  # the same stream with refused rows passed over
    np.testing.assert_array_equal(draw(root_key(1), half, 7), some[:7])


def test_even_rows_are_more_even_than_random_ones() -> None:
    even, random = spread(root_key(2), BOX, 320), draw(root_key(2), BOX, 320)
    assert even.shape == (320, 2)
    assert qmc.discrepancy(BOX.unit(even)) < 0.2 * qmc.discrepancy(BOX.unit(random))
    assert not np.array_equal(even, spread(root_key(3), BOX, 320))


@given(st.integers(1, 200), st.floats(0.05, 1.0), st.integers(1, 5))
def test_what_is_drawn_meets_the_constraint(count: int, share: float, d: int) -> None:
    box = Box([2.0] * d, [3.0] * d, constraint=lambda rows: rows[:, 0] <= 2.0 + share)
    for rows in (draw(root_key(0), box, count), spread(root_key(0), box, count)):
        assert rows.shape == (count, d)
        assert ((rows >= 2.0) & (rows <= 3.0)).all() and (rows[:, 0] <= 2.0 + share).all()


def test_a_constraint_that_refuses_nearly_all_gives_fewer_rows_in_the_end() -> None:
    assert not len(draw(root_key(0), replace(BOX, constraint=lambda X: np.zeros(len(X), bool)), 10))
    narrow = replace(BOX, constraint=lambda X: X[:, 0] < 0.01)
    assert 0 < len(draw(root_key(0), narrow, 50)) < 50
    for wrong in (lambda X: X[:, 0], lambda X: True, lambda X: X > 0):
        with pytest.raises(InputError, match="one truth value a row"):
            draw(root_key(0), replace(BOX, constraint=wrong), 5)


def test_a_constraint_cannot_spoil_the_rows_it_looks_at() -> None:
    def rude(X: np.ndarray) -> np.ndarray:
        X[:] = 1e9
        return np.ones(len(X), bool)

    np.testing.assert_array_equal(draw(root_key(0), replace(BOX, constraint=rude), 9), draw(root_key(0), BOX, 9))


def test_more_rows_wanted_are_offered_more_points() -> None:
    assert [offered(b) for b in (1, 8, 40)] == [64, 64, 320]


def test_offers_are_behind_the_rows_that_stay_and_random_ones_are_out_of_sight() -> None:
    pool = replace(pool_of(BOX.rows(np.eye(2)), y=np.ones((2, 1))), group=None)
    wide, stream = widened(root_key(0), pool, BOX, 5)
    assert len(wide) == 2 + 5 + offered(5) and list(stream) == [2, 3, 4, 5, 6]
    assert wide.reserved.nonzero()[0].tolist() == stream.tolist() and wide.available.sum() == 5 + offered(5)
    index = np.array([50, 3])
    left = narrowed(asked(wide, index), len(pool), index)
    assert len(left) == 4 and left.state.tolist() == [LABELLED, LABELLED, PENDING, PENDING]
    np.testing.assert_array_equal(left.X, wide.X[[0, 1, 50, 3]])
    with pytest.raises(InputError, match="no point drawn from the box meets the constraint"):
        widened(root_key(0), pool, replace(BOX, constraint=lambda X: np.zeros(len(X), bool)), 5)


@pytest.mark.parametrize("strategy", ["gsx", "lcmd_x", "qbc_div", "random"])
def test_the_pool_holds_what_was_asked_for_and_nothing_else(strategy: str) -> None:
    session, batches = play(init_box(root_key(0), CURVED, BOX, strategy=strategy), 4, 20)
    assert len(session.pool) == 80 and (session.pool.state == LABELLED).all() and not session.pool.reserved.any()
    assert [b.index.tolist() for b in batches] == [list(range(20 * r, 20 * r + 20)) for r in range(4)]
    low, high = BOX.bounds
    assert ((session.pool.X >= low) & (session.pool.X <= high)).all()
    assert len(np.unique(session.pool.X, axis=0)) == 80
    assert session.order.tolist() == np.repeat([1, 2, 3, 4], 20).tolist()
    assert (batches[0].role == START).all() and batches[0].strategy == "random"
    audits = [(b.role == AUDIT).sum() for b in batches[1:]]
    assert audits == ([0] * 3 if strategy == "random" else [10] * 3)
    assert batches[1].strategy == strategy and not batches[1].degraded


def test_rows_keep_their_number_whatever_becomes_of_them() -> None:
    session, first = ask(init_box(root_key(0), CURVED, BOX, strategy="gsx"), 20)
    inputs = session.pool.X.copy()
    session = fail(session, first.index[:5])
    session = tell(session, first.index[5:12], law(inputs[5:12]))
    later, second = ask(session, 6)
    np.testing.assert_array_equal(later.pool.X[:20], inputs)
    assert later.pool.state[:20].tolist() == [EXCLUDED] * 5 + [LABELLED] * 7 + [PENDING] * 8
    assert second.index.tolist() == list(range(20, 26)) and (later.pool.state[20:] == PENDING).all()
    done = tell(later, [13, 22], law(later.pool.X[[13, 22]]))
    assert done.pool.labelled.sum() == 9 and fit(done).center.shape == (1,)


def test_asking_leaves_the_session_as_it_was_and_twice_gives_the_same_rows() -> None:
    session, _ = play(init_box(root_key(1), NETWORK, BOX), 2, 20)
    before = [array.copy() for array in (session.pool.X, session.pool.y, session.pool.state, session.order)]
    one, first = ask(session, 12)
    two, again = ask(session, 12)
    np.testing.assert_array_equal(one.pool.X, two.pool.X)
    np.testing.assert_array_equal(first.role, again.role)
    after = (session.pool.X, session.pool.y, session.pool.state, session.order)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)
    forward = tell(one, first.index, law(one.pool.X[first.index]))
    backward = one
    for row in first.index[::-1]:
        backward = tell(backward, [row], law(one.pool.X[[row]]))
    np.testing.assert_array_equal(ask(forward, 12)[0].pool.X, ask(backward, 12)[0].pool.X)


def test_falling_back_is_the_random_strategy_itself() -> None:
    start, _ = play(init_box(root_key(4), CURVED, BOX, strategy="gsx"), 1, 20)
    plain, _ = play(init_box(root_key(4), CURVED, BOX, strategy="random"), 1, 20)
    np.testing.assert_array_equal(start.pool.X, plain.pool.X)
    fallen, batch = ask(replace(start, state=guard.RANDOM), 15)
    baseline, _ = ask(plain, 15)
    assert (batch.role == AUDIT).all() and batch.strategy == "random"
    assert set(map(tuple, fallen.pool.X[20:])) == set(map(tuple, baseline.pool.X[20:]))
    # On trial the random half of a batch is the head of the same draw.
    trial, batch = ask(start, 15)
    audit = trial.pool.X[batch.index[batch.role == AUDIT]]
    assert len(audit) == 8 and set(map(tuple, audit)) <= set(map(tuple, baseline.pool.X[20:]))


def test_random_rows_do_not_move_active_selection() -> None:
    session, _ = play(init_box(root_key(2), CURVED, BOX, strategy="qbc_div"), 3, 20)
    pool = replace(session.pool, y=session.pool.y.copy(), X=session.pool.X.copy())
    audit = np.flatnonzero(pool.role == AUDIT)
    pool.y[audit] += 100.0
    pool.X[audit] = BOX.rows(np.full((len(audit), 2), 0.5))
    one, batch = ask(session, 20)
    other, _ = ask(replace(session, pool=pool), 20)
    active = batch.index[batch.role == ACTIVE]
    np.testing.assert_array_equal(one.pool.X[active], other.pool.X[active])


def clump() -> Strategy:
    """The rows nearest to the first labelled one: as harmful as can be."""

    def near(evidence) -> np.ndarray:
        first = evidence.x[np.flatnonzero(evidence.labelled)[0]]
        return -((evidence.x - first) ** 2).sum(1)

    return Strategy("clump", "rows around one row", "", top_k, score=near)


def test_the_guard_falls_back_from_harm_and_trusts_what_works(caplog) -> None:
    bad = replace(init_box(root_key(0), CURVED, BOX, strategy="gsx"), strategy=clump())
    with caplog.at_level(logging.WARNING):
        bad, batches = play(bad, 14, 20)
    assert bad.state == guard.RANDOM and "falling back to random rows" in caplog.text
    assert "did harm" in batches[-1].words and bad.verdicts[-1].reason == "harm"
    good, _ = play(init_box(root_key(0), CURVED, BOX, strategy="gsx"), 12, 20)
    assert good.state == guard.TRUSTED and good.verdicts


def test_constrained_rounds_stay_inside_and_say_when_they_come_short() -> None:
    disc = replace(BOX, constraint=lambda X: (X[:, 0] - 5) ** 2 + (X[:, 1] - 1) ** 2 < 1.0)
    session, batches = play(init_box(root_key(0), CURVED, disc, strategy="gsx"), 3, 20)
    assert disc.allows(session.pool.X).all() and not batches[-1].degraded
    sliver = replace(BOX, constraint=lambda X: X[:, 0] < 0.01)
    later, batch = ask(init_box(root_key(0), CURVED, sliver, strategy="gsx"), 200)
    assert 0 < len(batch.index) == len(later.pool) < 200 and batch.degraded == "few_feasible"


def test_labelled_rows_may_come_with_a_box() -> None:
    X = draw(root_key(9), BOX, 30)
    X[0] = [20.0, 0.0]  # measured outside the box: it trains all the same
    session = init_box(root_key(0), CURVED, BOX, X=X, y=law(X), strategy="gsx")
    assert start_rows(session.pool) == 20
    later, batch = ask(session, 10)
    assert batch.strategy == "gsx" and batch.index.tolist() == list(range(30, 40)) and len(later.pool) == 40
    with pytest.raises(InputError, match="need labels and 2 columns"):
        init_box(root_key(0), CURVED, BOX, X=X)
    with pytest.raises(InputError, match="need labels and 2 columns"):
        init_box(root_key(0), CURVED, BOX, X=X[:, :1], y=law(X))
    with pytest.raises(InputError, match="runs in benchmarks only"):
        init_box(root_key(0), CURVED, BOX, strategy="true_loss")
    with pytest.raises(InputError, match="at least one row, got 0"):
        ask(session, 0)


@pytest.mark.parametrize("strategy", ["lcmd_x", "gsx"])
def test_twenty_rounds_on_bess_do_not_lose_to_random(strategy: str) -> None:
    box = Box([-1.0, -1.0], [1.0, 1.0])
    test = draw(key_for(root_key(0), "test"), box, 2000)
    ratios = []
    for seed in range(3):
        areas = {}
        for name in (strategy, "random"):
            session, errors = init_box(root_key(seed), CURVED, box, strategy=name, guarded=False), []
            for _ in range(20):
                session, _ = play(session, 1, 8, bess)
                errors.append(((answer(fit(session, members=1), test) - bess(test)) ** 2).mean())
            areas[name] = np.log(errors[2:]).mean()
        ratios.append(areas[strategy] - areas["random"])
    assert np.mean(ratios) < 0.0
