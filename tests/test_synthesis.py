"""Inputs made up in a box: they climb, stay inside, keep their distance, and say what they could not do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

from strongsuit.active.box import Box, draw
from strongsuit.active.committee import Committee, train
from strongsuit.active.evidence import gather
from strongsuit.active.pool import pool_of
from strongsuit.active.session import MEMBERS, ask, init, init_box, tell
from strongsuit.active.strategies import STRATEGIES, find_strategy
from strongsuit.active.strategy import propose
from strongsuit.active.synthesis import MARGIN, REFINE_STEPS, ascend, disagreement, na_qbc, refine
from strongsuit.core import root_key
from strongsuit.core.compile import trace_counts
from strongsuit.core.keys import key_for
from strongsuit.core.learner import Prediction
from strongsuit.errors import InputError
from strongsuit.learners import GP, MLP, Ridge

NETWORK = MLP(widths=(16,), epochs=20, least_steps=200, choose_decay=False)
BOX = Box([0.0, -3.0], [10.0, 3.0])
MAKERS = sorted(name for name, row in STRATEGIES.items() if row.synthesise is not None)


def law(X: np.ndarray) -> np.ndarray:
    return np.sin(X[:, :1]) * X[:, 1:2]


def committee(seed: int = 0, rows: int = 30) -> tuple[Committee, np.ndarray]:
    X = draw(root_key(seed), BOX, rows)
    return train(root_key(seed), NETWORK, pool_of(X, y=law(X)), MEMBERS), X


@dataclass(frozen=True)
class Hill:
    """Member i says height_i * sum_j x_j^2 / 2: a committee whose variance and slope are known."""

    traceable: ClassVar[bool] = True

    def predict(self, params, X) -> Prediction:
        return Prediction(0.5 * params["height"] * (X**2).sum(1, keepdims=True))


def hill() -> Committee:
    heights = {"height": np.array([1.0, 2.0, 4.0], np.float32)}
    return Committee(Hill(), (root_key(0),) * 3, heights, np.zeros(1), 1.0)


def climbed_by_hand(starts: np.ndarray, steps: int) -> np.ndarray:
    """The published climb on the hill in plain NumPy, for a box of [-1, 1]: best iterate of each point."""
    spread, u = np.var([1.0, 2.0, 4.0]), (starts + 1.0) / 2.0
    first, second = np.zeros_like(u), np.zeros_like(u)
    best, most = u.copy(), np.full(len(u), -np.inf)
    for step in range(1, steps + 2):
        x = 2.0 * u - 1.0
        square = (x**2).sum(1)
        value = spread * 0.25 * square**2
        best[value > most], most = u[value > most], np.maximum(most, value)
        slope = -(spread * square[:, None] * x) * 2.0 / len(u) + 2.0 * np.sign(x) * (np.abs(x) > 1.0)
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        u = u - 0.005 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return 2.0 * best - 1.0


@pytest.mark.parametrize("steps", [1, 20, 60])
def test_points_climb_as_the_published_steps_do(steps: int) -> None:
    starts = np.array([[0.1, 0.3], [-0.4, 0.2], [0.05, -0.6], [0.0, 0.0]])
    made = ascend(root_key(0), hill(), starts, Box([-1, -1], [1, 1]), steps=steps)
    wanted = climbed_by_hand(starts, steps)
    inside = np.abs(wanted) <= 1.0
    np.testing.assert_allclose(made.X[inside], wanted[inside], atol=2e-5)
    np.testing.assert_allclose(made.X[~inside], np.sign(wanted[~inside]), atol=2.0 * MARGIN)
    assert (~inside).sum() == (3 if steps == 60 else 0)


def test_at_the_walls_points_stop_a_little_inside_each_at_its_own_distance() -> None:
    starts = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    made = ascend(root_key(0), hill(), starts, Box([-1, -1], [1, 1]))
    inside = (1.0 - np.abs(made.X)) / 2.0
    assert (inside >= 0.0).all() and (inside <= MARGIN + 1e-6).all()
    assert len(np.unique(inside.round(12))) > 60
    np.testing.assert_allclose(made.gain, disagreement(hill(), made.X))


def test_a_box_of_other_units_gives_the_same_points() -> None:
    starts = np.random.default_rng(1).uniform(-1, 1, (10, 2))
    params = {"height": np.array([1.0, 2.0, 4.0], np.float32) * 1e-8}
    small = ascend(root_key(0), hill(), starts, Box([-1, -1], [1, 1]), steps=50)
    large = ascend(root_key(0), replace(hill(), params=params), starts * 1e4, Box([-1e4, -1e4], [1e4, 1e4]), steps=50)
    np.testing.assert_allclose(large.X, small.X * 1e4, rtol=1e-3, atol=1.0)


@pytest.mark.parametrize("repel", [False, True])
def test_points_end_no_lower_than_they_began_and_inside_the_box(repel: bool) -> None:
    members, _ = committee()
    starts = draw(root_key(5), BOX, 25)
    made = ascend(root_key(1), members, starts, BOX, repel=repel)
    before = disagreement(members, starts)
    assert (made.gain >= before).all() and made.gain.mean() > 2.0 * before.mean()
    np.testing.assert_allclose(made.gain, disagreement(members, made.X))
    low, high = BOX.bounds
    assert ((made.X >= low) & (made.X <= high)).all()
    again = ascend(root_key(1), members, starts, BOX, repel=repel)
    np.testing.assert_array_equal(made.X, again.X)


@pytest.mark.parametrize("seed", range(3))
def test_the_best_point_beats_ten_thousand_random_ones(seed: int) -> None:
    members, X = committee(seed)
    best = disagreement(members, draw(root_key(50 + seed), BOX, 10_000)).max()
    made = na_qbc(root_key(seed), members, BOX, draw(root_key(60 + seed), BOX, 20), X, 20)
    # Coordinates beyond a wall are put up to MARGIN inside, which may cost a little of a peak that lies on it.
    assert made.gain[0] >= 0.98 * best and (np.diff(made.gain) <= 0).all()


def test_repulsion_keeps_points_apart() -> None:
    starts = np.random.default_rng(2).uniform(0.2, 0.5, (20, 2))
    alone = ascend(root_key(0), hill(), starts, Box([-1, -1], [1, 1]), steps=100)
    apart = ascend(root_key(0), hill(), starts, Box([-1, -1], [1, 1]), steps=100, repel=True)
    assert pdist(apart.X).min() > 2.0 * pdist(alone.X).min()


def test_points_that_meet_are_said_to() -> None:
    members, X = committee()
    together = np.repeat([[5.0, 0.5]], 4, axis=0)
    assert na_qbc(root_key(0), members, BOX, together, X, 4).degraded == "points_met"
    assert na_qbc(root_key(0), members, BOX, together, X, 1).degraded == ""


@pytest.mark.parametrize("seed", range(3))
def test_refined_points_rise_and_keep_their_distance(seed: int) -> None:
    members, X = committee(seed)
    starts = draw(root_key(70 + seed), BOX, 15)
    made = refine(root_key(0), members, BOX, starts, X, 12)
    assert len(made.X) == 12
    near = [cdist(BOX.unit(rows), BOX.unit(X)).min(1) for rows in (starts[:12], made.X)]
    assert (near[1] >= near[0] - 1e-12).all()
    assert pdist(BOX.unit(made.X)).min() >= pdist(BOX.unit(starts[:12])).min() - 1e-12
    before = disagreement(members, starts[:12])
    assert (made.gain >= before - 1e-12).all() and made.gain.sum() > before.sum()
    assert np.abs(BOX.unit(made.X) - BOX.unit(starts[:12])).max() < 2.0 * 0.005 * REFINE_STEPS
    np.testing.assert_array_equal(refine(root_key(0), members, BOX, starts, X[:0], 12).X.shape, (12, 2))


def test_points_the_constraint_refuses_make_room_for_the_next_start() -> None:
    members, X = committee()
    starts = draw(root_key(80), BOX, 40)
    ends = ascend(key_for(root_key(0), 0), members, starts[:10], BOX).X
    middle = float(np.median(ends[:, 0]))
    half = replace(BOX, constraint=lambda rows: rows[:, 0] <= middle)
    made = na_qbc(root_key(0), members, half, starts[half.allows(starts)], X, 10)
    assert len(made.X) == 10 and half.allows(made.X).all() and "few_feasible" not in made.degraded
    low, high = BOX.bounds
    inner = replace(BOX, constraint=lambda rows: ((rows > low + 2.0) & (rows < high - 2.0)).all(1))
    few = na_qbc(root_key(0), members, inner, starts[inner.allows(starts)][:6], X, 6)
    assert len(few.X) < 6 and inner.allows(few.X).all() and "few_feasible" in few.degraded
    kept = refine(root_key(0), members, inner, starts[inner.allows(starts)], X, 3)
    assert len(kept.X) == 3 and inner.allows(kept.X).all()  # a refused move leaves a point where it was


def test_a_committee_that_breaks_down_leaves_points_where_they_were() -> None:
    broken = replace(hill(), params={"height": np.array([1.0, np.nan, 4.0], np.float32)})
    starts = np.array([[0.1, 0.3], [-0.4, 0.2]])
    np.testing.assert_array_equal(ascend(root_key(0), broken, starts, Box([-1, -1], [1, 1])).X, starts)


def test_the_climb_is_compiled_once() -> None:
    members, X = committee()
    starts = draw(root_key(5), BOX, 60)
    ascend(root_key(1), members, starts[:3], BOX)
    before = trace_counts()["ascend"]
    for count in (1, 17, 60):
        ascend(root_key(1), members, starts[:count], BOX, steps=10 * count)
    refine(root_key(1), committee(3)[0], Box([0.0, 0.0], [1.0, 1.0]), np.full((2, 2), 0.5), X, 2)
    assert trace_counts()["ascend"] == before


@pytest.mark.parametrize("name", MAKERS)
def test_sessions_on_a_box_ask_for_points_that_were_made_up(name: str) -> None:
    session = init_box(root_key(0), NETWORK, BOX, strategy=name)
    for b in (30, 20):
        session, batch = ask(session, b)
        session = tell(session, batch.index, law(session.pool.X[batch.index]))
    ready = replace(session, learned=True)
    inputs = ready.pool.X.copy()
    one, batch = ask(ready, 16)
    two, again = ask(ready, 16)
    np.testing.assert_array_equal(one.pool.X, two.pool.X)
    np.testing.assert_array_equal(ready.pool.X, inputs)
    assert batch.strategy == name and len(batch.index) == 16 == len(one.pool) - len(inputs)
    assert (batch.role == 2).sum() == 8 and np.isfinite(batch.gain).sum() == 8
    low, high = BOX.bounds
    assert ((one.pool.X >= low) & (one.pool.X <= high)).all()
    assert again.degraded == batch.degraded and set(batch.degraded.split(",")) <= {"", "points_met"}
    # Random rows of the batch are not moved: those of another strategy are the same.
    other, beside = ask(replace(ready, strategy=find_strategy("gsx")), 16)
    audits = [{tuple(s.pool.X[i]) for i in k.index[k.role == 2]} for s, k in ((one, batch), (other, beside))]
    assert audits[0] == audits[1]


@pytest.mark.parametrize("name", MAKERS)
def test_a_table_or_a_learner_without_slope_is_refused_in_words(name: str) -> None:
    X = draw(root_key(0), BOX, 40)
    with pytest.raises(InputError, match=f"'{name}' makes up inputs, so it needs a box .* take lcmd_tp"):
        init(root_key(0), NETWORK, X, strategy=name)
    for learner in (Ridge("fourier"), GP()):
        with pytest.raises(InputError, match=r"is not differentiable.* lcmd_x, qbc_div or gsx"):
            init_box(root_key(0), learner, BOX, strategy=name)
    pool = pool_of(np.vstack([X, X[:5] + 0.01]), y=np.r_[law(X), np.full((5, 1), np.nan)])
    with pytest.raises(InputError, match="needs a box of inputs"):
        gather(root_key(0), train(root_key(0), NETWORK, pool, 2), pool, find_strategy(name).needs)
    evidence = gather(root_key(0), None, pool, ())
    with pytest.raises(InputError, match="only its `starts` are rows"):
        propose(root_key(0), find_strategy(name), evidence, 2)


def test_a_constrained_session_asks_for_fewer_rather_than_for_forbidden_points() -> None:
    X = draw(root_key(3), BOX, 30)
    free = init_box(root_key(0), NETWORK, BOX, X=X, y=law(X), strategy="na_qbc", guarded=False)
    later, batch = ask(replace(free, learned=True), 12)
    peaks = BOX.unit(later.pool.X[batch.index])
    away = replace(BOX, constraint=lambda rows: cdist(BOX.unit(rows), peaks[1:]).min(1) > 0.05)
    session = init_box(root_key(0), NETWORK, away, X=X, y=law(X), strategy="na_qbc", guarded=False)
    later, batch = ask(replace(session, learned=True), 60)
    assert 0 < len(batch.index) < 60 and "few_feasible" in batch.degraded
    assert away.allows(later.pool.X[batch.index]).all() and len(later.pool) == 30 + len(batch.index)
    later, batch = ask(replace(free, learned=True), 60)
    peaks = BOX.unit(later.pool.X[batch.index])
    none = replace(BOX, constraint=lambda rows: cdist(BOX.unit(rows), peaks).min(1) > 0.05)
    session = init_box(root_key(0), NETWORK, none, X=X, y=law(X), strategy="na_qbc", guarded=False)
    with pytest.raises(InputError, match="refused every point that was made up"):
        ask(replace(session, learned=True), 2)
