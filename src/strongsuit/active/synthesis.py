"""Inputs made up in a box: points climb to where a committee disagrees most, by gradients through its predictions.

NA-QBC, as in the public code of Ren, Deng, Padilla and Malof (arXiv 2201.12632): Adam on the places of points in the
unit cube, loss = -V + what strays from the box, V the members' variance. Three things are ours. A point keeps its own
best iterate, since points do not touch each other; one that gained nothing stays where it began; and stray
coordinates are pulled in by an offset each, where the published code draws one for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from strongsuit.active.box import Box
from strongsuit.active.committee import Committee
from strongsuit.core.arrays import bucket, pad_rows
from strongsuit.core.compile import door, over_members
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import predict_many, shell_of
from strongsuit.errors import InputError

RATE = 0.005  # of Adam, in the unit cube; this and the next from the published code
STEPS = 1000
MARGIN = 0.005  # how far inside a bound a stray coordinate is put, at most, in the unit cube
REPEL, REACH = 50.0, 50.0  # strength and sharpness of the repulsion, published too
REFINE_STEPS = 20  # so a refined point moves by a tenth of the box at most
PATIENCE, NOTABLE = 100, 1e-3  # steps without such a relative gain end the climb
CLOSE = 1e-3  # of the box's sides: nearer points are as good as one


@dataclass(frozen=True)
class Points:
    """Rows X (c, d) of a box, the committee's variance there, `gain` (c,), and flags joined by commas, or ""."""

    X: np.ndarray
    gain: np.ndarray
    degraded: str = ""


def ascend(
    key: Key,
    committee: Committee,
    starts: np.ndarray,
    box: Box,
    *,
    steps: int = STEPS,
    rate: float = RATE,
    repel: bool = False,
) -> Points:
    """Where points (s, d) of a box end that climb the committee's variance from `starts`: never lower than there.

    With `repel` the points push each other apart, 50 |V / r| r added to the loss with r = mean exp(-50 |x_i - x_j|) and
    the factor held constant in the gradient; then the iterate of largest mean variance is kept for all. The constraint
    of the box is not looked at. Raises InputError for a learner whose predictions have no gradient.
    """
    check_differentiable(committee.learner)
    shell, count = shell_of(committee.learner)[0], len(starts)
    size = bucket(count)
    place = pad_rows(box.unit(starts).astype(np.float32), size)
    low, high = (np.asarray(side, np.float32) for side in box.bounds)
    counts = (np.arange(size) < count).astype(np.float32)
    found = _climb(shell, repel, committee.params, place, counts, low, high - low, np.int32(steps), np.float32(rate))
    X = box.rows(_pulled_in(key_for(key, "margin"), np.asarray(found, float)[:count]))
    before, after = disagreement(committee, starts), disagreement(committee, X)
    higher = after >= before
    return Points(np.where(higher[:, None], X, starts), np.where(higher, after, before))


def na_qbc(
    key: Key, committee: Committee, box: Box, starts: np.ndarray, anchors: np.ndarray, b: int, *, repel: bool = False
) -> Points:
    """At most b points that climbed from the first b starts, of largest variance first.

    A point that the constraint refuses is left out, and the next start climbs in its place while there are any; fewer
    than b are flagged "few_feasible", points that met "points_met". Anchors are not looked at: NA-QBC knows none.
    """
    X, gain, turn = np.empty((0, len(box))), np.empty(0), 0
    while len(X) < b and len(starts):
        climbers, starts = np.split(starts, [b - len(X)])
        made = ascend(key_for(key, turn), committee, climbers, box, repel=repel)
        fine = box.allows(made.X)
        X, gain, turn = np.concatenate([X, made.X[fine]]), np.concatenate([gain, made.gain[fine]]), turn + 1
    best = np.argsort(-gain, kind="stable")
    flags = ["few_feasible"] if len(X) < b else []
    flags += ["points_met"] if _nearest_others(box.unit(X)).min(initial=np.inf) < CLOSE else []
    return Points(X[best], gain[best], ",".join(flags))


def refine(key: Key, committee: Committee, box: Box, starts: np.ndarray, anchors: np.ndarray, b: int) -> Points:
    """The first b starts, each moved uphill for REFINE_STEPS steps at most, where that costs no distance.

    A move is taken only if the constraint allows it and neither the nearest anchor (a, d) nor the nearest other point
    of the batch comes closer, in the unit cube. So what the start's rule spread stays spread. One point after another,
    in the order given.
    """
    starts = starts[:b]
    made = ascend(key, committee, starts, box, steps=REFINE_STEPS)
    allowed, known = box.allows(made.X), box.unit(anchors)
    at, to = box.unit(starts), box.unit(made.X)
    moved = np.zeros(len(at), bool)
    for i in np.flatnonzero(allowed):
        others = np.delete(at, i, axis=0)
        if all(_nearest(to[i], rows) >= _nearest(at[i], rows) for rows in (known, others)):
            at[i], moved[i] = to[i], True
    X = np.where(moved[:, None], made.X, starts)
    return Points(X, disagreement(committee, X))


def disagreement(committee: Committee, X: np.ndarray) -> np.ndarray:
    """Variance (n,) of the members at X (n, d), over members and averaged over outputs, on the committee's scale."""
    return np.asarray(predict_many(committee.learner, committee.params, X).mean, float).var(0).mean(1)


def check_differentiable(learner: Any) -> None:
    """InputError for a learner through whose predictions no gradient leads."""
    if not getattr(learner, "traceable", False):
        raise InputError(
            f"{type(learner).__name__} is not differentiable, so points cannot climb its committee's variance: take a "
            "network (MLP), or a strategy that chooses among drawn points, such as lcmd_x, qbc_div or gsx"
        )


def _pulled_in(key: Key, place: np.ndarray) -> np.ndarray:
    """Places (s, d) with coordinates outside [0, 1] put at most MARGIN inside, each at its own distance."""
    offset = MARGIN * key.numpy().random(place.shape)
    return np.where(place < 0.0, offset, np.where(place > 1.0, 1.0 - offset, place))


def _nearest(point: np.ndarray, rows: np.ndarray) -> float:
    """Distance of a point (d,) to the nearest row, infinity if there is none."""
    return float(np.sqrt(((rows - point) ** 2).sum(1)).min(initial=np.inf))


def _nearest_others(rows: np.ndarray) -> np.ndarray:
    """Largest coordinate difference (n,) of each row to the row for which it is least."""
    apart = np.abs(rows[:, None] - rows[None]).max(2, initial=0.0)
    apart[np.diag_indices(len(rows))] = np.inf
    return apart.min(1, initial=np.inf)


def _climbed(learner, repel, params, start, counts, low, width, steps, rate):
    """Best places (s, d) on the way up from `start`; rows of `counts` zero are padding."""
    import jax
    import jax.numpy as jnp
    import optax

    adam = optax.scale_by_adam()
    number = counts.sum()

    def loss(place):
        X = low + place * width
        said = over_members(lambda one: learner.predict(one, X).mean)(params)
        variance = said.var(0).mean(1)
        mean = (counts * variance).sum() / number
        # In coordinates from -1 to 1, as in the published problems: a box's units do not weigh.
        stray = jax.nn.relu(jnp.abs(2.0 * place - 1.0) - 1.0).sum()
        push = _repulsion(2.0 * place - 1.0, counts, mean) if repel else 0.0
        return stray + push - mean, jnp.broadcast_to(mean, variance.shape) if repel else variance

    def going(state):
        return (state[0] <= steps) & (state[-1] < PATIENCE)

    def step(state):
        done, place, moments, best, most, mark, stale = state
        (_, value), slope = jax.value_and_grad(loss, has_aux=True)(place)
        better = value > most  # False for NaN: a climb that breaks down keeps what it had
        best, most = jnp.where(better[:, None], place, best), jnp.where(better, value, most)
        total = (counts * most).sum()
        notable = total > mark * (1.0 + NOTABLE)
        move, moments = adam.update(slope, moments)
        mark, stale = jnp.where(notable, total, mark), jnp.where(notable, 0, stale + 1)
        return done + 1, place - rate * move, moments, best, most, mark, stale

    none = jnp.full(len(start), -jnp.inf)
    first = (jnp.int32(0), start, adam.init(start), start, none, jnp.float32(0.0), jnp.int32(0))
    return jax.lax.while_loop(going, step, first)[3]


def _repulsion(x, counts, variance):
    """50 |V| in value, whose gradient drives points x (s, d) apart: the published "MD" term."""
    import jax
    import jax.numpy as jnp

    square = ((x[:, None] - x[None]) ** 2).sum(2)
    apart = jnp.where(square > 0.0, jnp.sqrt(jnp.where(square > 0.0, square, 1.0)), 0.0)  # no gradient at distance 0
    pairs = counts[:, None] * counts[None]
    near = (pairs * jnp.exp(-REACH * apart)).sum() / pairs.sum()
    return jax.lax.stop_gradient(REPEL * jnp.abs(variance / near)) * near


_climb = door(_climbed, static=(0, 1), name="ascend")
