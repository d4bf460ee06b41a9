"""Greedy covering of rows by few of them: herding with a Gaussian or a top-hat kernel, exactly and lazily.

Kept for every row are the rows that it would cover better than they are covered at the start. Those are few: rows
farther than a kernel reaches gain nothing, nor do rows with an anchor nearer than the new one. Float32 products of
strips of rows say which pairs can matter; their distances come from differences, so equal rows gain equally.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush

import numpy as np

from strongsuit.core.centres import Centres
from strongsuit.core.keys import Key
from strongsuit.core.ties import first_of_largest, keyed_order, tie_seed

_ENTRIES = 2**26  # pairs kept, 6 bytes each: 400 MB; kernels that are wider are asked of fewer rows
_ROOM = 1.25  # times as many fit, since their number is estimated
_SAMPLE = 1024  # rows on which it is
_STRIP = 512  # rows whose distances to all are held at once
_EQUAL = 1e-6  # gains that differ by a smaller share count as equal: float32 cannot tell them apart
_WIDEST = 8.0  # no squared distance of unit rows is larger
_NARROW = 64  # columns below which the products are as cheap as looking at them
_MOST = 0.9  # share of the squares that a projection is to hold
_ROUNDING = 4.0 * 2.0**-24  # error of a squared distance from float32 products of unit rows, per column


@dataclass
class Covering:
    """Rows (m,) of a pool, each covered to the degree best (m,), and by how much each would cover the others."""

    rows: np.ndarray
    weight: np.ndarray  # (m,) float64
    best: np.ndarray  # (m,) float32
    start: np.ndarray  # (strips, m + 1)
    target: np.ndarray
    value: np.ndarray

    def gains(self) -> np.ndarray:
        """How much the weighted sum of degrees would grow with each row (m,)."""
        from strongsuit.core import coverings

        return coverings.gains(_STRIP, self.start, self.target, self.value, self.best, self.weight)

    def gain(self, a: int) -> float:
        """The same of one row."""
        from strongsuit.core import coverings

        lists = (self.start, self.target, self.value)
        return coverings.gain(a, a // _STRIP + 1, *lists, self.best, self.weight)

    def take(self, a: int) -> None:
        """Cover what row a covers."""
        from strongsuit.core import coverings

        coverings.cover(a, a // _STRIP + 1, self.start, self.target, self.value, self.best)


@dataclass(frozen=True)
class Task:
    """What is to be covered: rows (m,) of X (n, p), their weights, their degrees at the start and their reach (m,).

    Row a covers row b by exp(-d^2 / width), or by 1 where the width is 0, if their squared distance d^2 is below
    reach[b]; the reach is to leave out only what would not raise b's degree.
    """

    X: np.ndarray
    rows: np.ndarray
    weight: np.ndarray
    best: np.ndarray
    reach: np.ndarray
    width: float


def some_rows(key: Key, rows: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the rows, ascending, drawn by the key; smaller draws lie within larger ones."""
    return rows if len(rows) <= count else np.sort(keyed_order(key, rows)[:count])


def covering(key: Key, task: Task) -> Covering:
    """The lists of who covers whom; of a keyed subset of the rows where there would be too many entries."""
    while True:
        share = _share_in_reach(key, task) if len(task.rows) ** 2 > _ENTRIES else 0.0
        if share * len(task.rows) ** 2 > _ENTRIES:
            task = _part(key, task, int((_ENTRIES / share) ** 0.5))
        done = _lists(task)
        if done is not None:
            return done
        task = _part(key, task, int(0.8 * len(task.rows)))


def greedy(key: Key, state: Covering, b: int, *, free: np.ndarray | None = None) -> tuple[list[int], list[float]]:
    """Rows of the pool and their mean gains, in order: each pick's gain is the largest, ties keyed; while above 0. Only
    rows that are `free` (m,) bool are picked, by default all.

    Gains only fall while rows are picked, so an old gain is an upper bound and most are never computed anew (Minoux
    1978). The picks are those of computing all.
    """
    seed, heap = tie_seed(key), [(-g, a) for a, g in enumerate(state.gains().tolist()) if free is None or free[a]]
    heapify(heap)
    picks: list[int] = []
    gains: list[float] = []
    while len(picks) < b:
        top, fresh = 0.0, []
        while heap and -heap[0][0] > 0.0 and -heap[0][0] >= top * (1.0 - _EQUAL):
            a = heappop(heap)[1]
            fresh.append((state.gain(a), a))
            top = max(top, fresh[-1][0])
        if top <= 0.0:
            break
        equal = np.array([a for g, a in fresh if g >= top * (1.0 - _EQUAL)])
        best = int(equal[first_of_largest(seed, np.zeros(len(equal)), state.rows[equal])])
        for g, a in fresh:
            if a != best:
                heappush(heap, (-g, a))
            else:
                gains.append(g / len(state.rows))
        picks.append(int(state.rows[best]))
        state.take(best)
    return picks, gains


def nearest_anchors(X: np.ndarray, rows: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Squared distance (m,) of each of the rows (m,) of X to the nearest anchor (c,); infinite without any."""
    taking = np.zeros(len(X), dtype=bool)
    taking[rows] = True
    return Centres(X, taking, anchors, 0).d2[rows].astype(np.float64)


def _part(key: Key, task: Task, count: int) -> Task:
    kept = np.isin(task.rows, some_rows(key, task.rows, count), assume_unique=True)
    names = ("rows", "weight", "best", "reach")
    return replace(task, **{name: getattr(task, name)[kept] for name in names})


def _share_in_reach(key: Key, task: Task) -> float:
    """The share of all pairs that are in reach, estimated on a sample of the rows."""
    part = _part(key, task, _SAMPLE)
    R = part.X[part.rows].astype(np.float64)
    R -= R.mean(axis=0)
    squares = np.einsum("ij,ij->i", R, R)
    d2 = squares[:, None] + squares - 2.0 * R @ R.T
    return float(np.mean(d2 < part.reach))


def _lists(task: Task) -> Covering | None:
    """The entries of all pairs of rows, or None where they find no room."""
    from strongsuit.core import coverings

    m = len(task.rows)
    X = np.ascontiguousarray(task.X[task.rows])
    left, right, screen = _products(X, task.reach)
    room = int(min(m * m, _ROOM * _ENTRIES))
    number = np.uint16 if m <= 2**16 else np.int32
    target, value = np.empty(room, number), np.empty(room, np.float32)
    start, filled = np.zeros((-(-m // _STRIP), m + 1), dtype=np.int64), 0
    giver, taker = np.empty((2, 2 * _STRIP * m), number)
    found = np.empty(2 * _STRIP * m, np.float32)
    near = np.empty(_STRIP * m, np.float32)
    for s, first in enumerate(range(0, m, _STRIP)):
        last = min(first + _STRIP, m)
        table = near[: (last - first) * (m - first)].reshape(last - first, m - first)
        np.matmul(left[first:last], right[first:].T, out=table)
        count = coverings.pairs_in_reach(X, table, first, screen, task.reach, task.width, giver, taker, found)
        if filled + count > room:
            return None
        coverings.sort_by_giver(giver, taker, found, count, filled, start[s], target, value)
        filled += count
    return Covering(task.rows, task.weight, task.best.copy(), start, target, value)


def _products(X: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tables (m, width) in float32 whose products are at most squared distances in units of the rows' radius.

    And the level (m,) below which such a product may belong to a pair in reach, its rounding allowed for.
    """
    R = X - X.mean(axis=0, dtype=np.float64)
    unit = float(np.sqrt(np.einsum("ij,ij->i", R, R).max(initial=0.0))) or 1.0
    R = _leading((R / unit).astype(np.float32))
    squares, one = np.einsum("ij,ij->i", R, R), np.ones(len(R), np.float32)
    left = np.column_stack([np.float32(-2.0) * R, squares, one])
    right = np.column_stack([R, one, squares])
    screen = np.minimum(reach / unit**2, _WIDEST) + _ROUNDING * (X.shape[1] + 10)
    return left, right, np.where(reach > 0.0, screen, -np.inf).astype(np.float32)


def _leading(R: np.ndarray) -> np.ndarray:
    """The rows of R (m, p) in the principal directions that hold most of their squares, where half as many do.

    Distances there are no larger, and nearly as large: few more pairs are looked at, for a fraction of the products.
    """
    p = R.shape[1]
    if p < _NARROW:
        return R
    squares, V = np.linalg.eigh((R.T @ R).astype(np.float64))
    held = np.cumsum(squares[::-1])
    r = int(np.searchsorted(held, _MOST * held[-1])) + 1
    return R @ V[:, -r:].astype(np.float32) if r <= p // 2 else R
