"""How sparse the directions around each row are, kept while rows leave."""

from __future__ import annotations

import numpy as np

from strongsuit.core.arrays import chunks

_NEAREST = 10  # the authors' public code averages so many, the row itself among them
_SPARE = 22  # further neighbours kept, so that few lists must be found anew as rows leave
_TREE_FEATURES = 16  # beyond so many features a k-d tree visits most of its leaves and loses to a plain scan
_NUMBERS = 2**23  # of a table of distances held at once


class Sparsity:
    """`mean` (n,): each row's mean of its 10 smallest cosine distances among the remaining rows, itself included at 0.

    X (n, p) has at least one row; a row of norm 0 is at distance 1 from all others. Lists of neighbours are kept, never
    a table of all pairs.
    """

    def __init__(self, X: np.ndarray) -> None:
        norms = np.linalg.norm(X.astype(np.float64), axis=1)
        self.unit = X / np.where(norms > 0.0, norms, 1.0)[:, None]
        self.free = np.ones(len(X), dtype=bool)
        self.near, self.far = self._search(np.arange(len(X)), tree=bool(np.all(norms > 0.0)))
        self._invert()
        self.mean = self._average(np.arange(len(X)))

    def drop(self, row: int) -> np.ndarray:
        """Take the row out of all others' neighbours; the rows whose mean that changes."""
        self.free[row] = False
        touched = self.listed[self.starts[row] : self.starts[row + 1]]
        touched = np.append(touched, self.renewed[np.any(self.near[self.renewed] == row, axis=1)])
        touched = np.unique(touched[self.free[touched]])
        left = np.sum(self.free[self.near[touched]], axis=1)
        poor = touched[left < min(_NEAREST, int(self.free.sum()))]
        if len(poor):
            self.near[poor], self.far[poor] = self._search(poor, tree=False)
            self.renewed = np.union1d(self.renewed, poor)
        self.mean[touched] = self._average(touched)
        return touched

    def _average(self, rows: np.ndarray) -> np.ndarray:
        """The mean over the first free neighbours of each row, whose lists are in order of distance."""
        free = self.free[self.near[rows]]
        used = free & (np.cumsum(free, axis=1) <= _NEAREST)
        return np.where(used, self.far[rows], 0.0).sum(axis=1) / np.maximum(used.sum(axis=1), 1)

    def _search(self, rows: np.ndarray, *, tree: bool) -> tuple[np.ndarray, np.ndarray]:
        """The nearest free rows (c, K) of each row and their cosine distances, in order."""
        width = self.near.shape[1] if hasattr(self, "near") else min(len(self.unit), _NEAREST + _SPARE)
        if tree and 1 < self.unit.shape[1] <= _TREE_FEATURES and width > 1:
            from scipy.spatial import cKDTree

            d, near = cKDTree(self.unit).query(self.unit, width)
            return _itself_first(rows, near.astype(np.int32), d**2 / 2.0)  # |u - v|^2 = 2 - 2 u.v
        parts = [self._scan(rows[part], width) for part in chunks(len(rows), max(1, _NUMBERS // len(self.unit)))]
        return np.concatenate([near for near, _ in parts]), np.concatenate([far for _, far in parts])

    def _scan(self, rows: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
        d = np.maximum(1.0 - self.unit[rows] @ self.unit.T, 0.0)
        d[:, ~self.free] = np.inf
        d[np.arange(len(rows)), rows] = -1.0  # the row itself is always in its list
        near = np.argpartition(d, width - 1, axis=1)[:, :width].astype(np.int32)
        return _itself_first(rows, near, np.take_along_axis(d, near, axis=1))

    def _invert(self) -> None:
        """For each row the rows that list it; lists found anew later are remembered in `renewed`."""
        flat = self.near.ravel()
        order = np.argsort(flat, kind="stable")
        self.listed = (order // self.near.shape[1]).astype(np.int64)
        self.starts = np.searchsorted(flat[order], np.arange(len(self.unit) + 1))
        self.renewed = np.zeros(0, dtype=np.int64)


def _itself_first(rows: np.ndarray, near: np.ndarray, far: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lists in order of distance, the row itself at 0 in front even where others have the same direction."""
    far = np.where(near == rows[:, None], -1.0, far)
    missing = ~np.any(far < 0.0, axis=1)  # a tree may name only its twins
    near[missing, -1], far[missing, -1] = rows[missing], -1.0
    order = np.argsort(far, axis=1, kind="stable")
    return np.take_along_axis(near, order, axis=1), np.maximum(np.take_along_axis(far, order, axis=1), 0.0)
