"""Nearest centres of a pool, kept while centres are added: clusters of largest mass and seeding by distance.

No table of all pairs is ever held: memory is a few numbers a row.
"""

from __future__ import annotations

import numpy as np

from strongsuit.core.arrays import chunks
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import tie_seed

_NUMBERS = 2**21  # of a table of products held at once
_NARROW = 16  # up to so many columns a missed branch costs more than a distance
_PAIRS = 4096  # up to so many centres their mutual distances are kept to skip work: 64 MB in float32


class Centres:
    """Rows of X (n, p) that serve as centres, and each row's squared distance d2 (n,) to the nearest of them.

    `usable` (n,) marks the rows that take part; the others have d2 = -1. `anchors` are the centres at the start.
    """

    def __init__(self, X: np.ndarray, usable: np.ndarray, anchors: np.ndarray, room: int) -> None:
        from strongsuit.core import distances

        self.X, self.count = X, len(anchors)
        self.rows = np.zeros(len(anchors) + room, dtype=np.int64)
        self.rows[: self.count] = anchors
        self.d2 = np.where(usable, np.inf, -1.0).astype(X.dtype)
        self.owner = np.full(len(X), -1, dtype=np.int32)
        self._kernels, self._reach = distances, np.zeros(len(self.rows), dtype=X.dtype)
        if self.count and X.shape[1] <= _NARROW:
            distances.absorb_many(X, self.rows[: self.count], self._apart(), self.d2, self.owner)
        elif self.count:
            self._by_products()

    def _apart(self) -> np.ndarray:
        c = self.count if self.count <= _PAIRS else 0
        apart = np.zeros((c, c), dtype=self.X.dtype)
        for number in range(c):
            self._kernels.reaches(self.X, self.rows, c, self.rows[number], apart[number])
        return apart

    def _by_products(self) -> None:
        """Nearest centres of all rows at the speed of a matrix product.

        |c|^2 - 2 x.c loses the digits of short distances, so it only tells which few centres can be the nearest: those
        within twice its error of the least. Their distances are computed from differences.
        """
        centres, unit = self.rows[: self.count], np.finfo(self.X.dtype).eps / 2.0
        middle = self.X[centres].mean(axis=0)
        C = self.X[centres] - middle
        squares = np.einsum("ij,ij->i", C, C)
        taking = np.flatnonzero(self.d2 >= 0.0)
        for part in chunks(len(taking), max(1, _NUMBERS // self.count)):
            rows = taking[part]
            R = self.X[rows] - middle
            near = R @ (-2.0 * C.T)
            near += squares
            reach = np.sqrt(np.einsum("ij,ij->i", R, R)) + np.sqrt(squares.max())
            level = near.min(axis=1) + 4.0 * (C.shape[1] + 8) * unit * reach**2
            self._kernels.nearest_of_few(self.X, rows, near, level.astype(C.dtype), centres, self.d2, self.owner)

    def add(self, row: int) -> float:
        """Make the row a centre that takes no further part; the squared distance that it had."""
        had = float(self.d2[row])
        self.d2[row] = -1.0
        self._kernels.reaches(self.X, self.rows, self.count, row, self._reach)
        absorb = self._kernels.absorb_narrow if self.X.shape[1] <= _NARROW else self._kernels.absorb
        absorb(self.X, row, self.count, self._reach, self.d2, self.owner)
        self.rows[self.count] = row
        self.count += 1
        return had


def cluster_walk(key: Key, X: np.ndarray, usable: np.ndarray, anchors: np.ndarray, b: int) -> tuple[list, list]:
    """Rows and their squared distances, in order: each the farthest of the cluster of largest mass (LCMD).

    A cluster is the rows nearest to one centre, its mass the sum of their squared distances (Holzmüller et al. 2023,
    section 4). Without anchors the first row is the one of largest norm. Fewer than b when all distances are 0.
    """
    seed, state = tie_seed(key), Centres(X, usable, anchors, b)
    mass, far = np.zeros(len(state.rows)), np.zeros(len(state.rows), dtype=np.int64)
    picks: list[int] = []
    gains: list[float] = []
    while len(picks) < b:
        if state.count:
            row = state._kernels.heaviest(state.d2, state.owner, state.count, seed, mass, far)
        else:
            norms = np.where(usable, np.einsum("ij,ij->i", X, X), -1.0)
            row = state._kernels.farthest(norms, seed)
        if row < 0:
            break
        picks.append(int(row))
        gains.append(state.add(row))
    return picks, gains


def distance_seeds(key: Key, X: np.ndarray, usable: np.ndarray, anchors: np.ndarray, b: int) -> tuple[list, list]:
    """Rows and their squared distances, in order: each drawn in proportion to the distance to the nearest centre.

    Without anchors the first is uniform (k-means++, Arthur and Vassilvitskii 2007). Fewer than b when all are 0.
    """
    state = Centres(X, usable, anchors, b)
    shares = key_for(key, "shares").numpy().random(b)
    sums = np.zeros(-(-len(X) // 1024))
    picks: list[int] = []
    gains: list[float] = []
    for share in shares:
        row = state._kernels.draw(state.d2 if state.count else usable.astype(float), share, sums)
        if row < 0:
            break
        picks.append(int(row))
        gains.append(state.add(row))
    return picks, gains
