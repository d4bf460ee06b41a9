"""Units: the rows that must stay together in every split, and statistics over them.

Rows with identical features, of one group, or of both in a chain, form one unit; a unit is one
observation in every test. Copies of a row therefore never make evidence.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from strongsuit.core.keys import Key


def unit_ids(X: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Unit number (n,) of every row; the same whatever the order of the rows."""
    _, unit = np.unique(X, axis=0, return_inverse=True)
    unit = unit.ravel()
    if groups is None:
        return unit
    _, group = np.unique(groups, return_inverse=True)
    size = unit.max() + 1
    links = coo_matrix((np.ones(len(unit)), (unit, size + group)), shape=(size + group.max() + 1,) * 2)
    _, part = connected_components(links, directed=False)
    return np.unique(part[unit], return_inverse=True)[1]


def folds(key: Key, units: np.ndarray, count: int) -> np.ndarray:
    """Fold number (n,) by unit, folds as equal in rows as units allow."""
    _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
    order = key.numpy().permutation(len(sizes))
    middle = np.cumsum(sizes[order]) - 0.5 * sizes[order]
    fold = np.empty(len(sizes), int)
    fold[order] = np.minimum((middle * count / sizes.sum()).astype(int), count - 1)
    return fold[unit]


def split(key: Key, units: np.ndarray, share: float) -> np.ndarray:
    """True (n,) for the rows of a random `share` of the rows, by unit; never all, never none."""
    _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
    order = key.numpy().permutation(len(sizes))
    taken = np.cumsum(sizes[order]) <= share * sizes.sum()
    taken[0], taken[-1] = True, False
    chosen = np.empty(len(sizes), bool)
    chosen[order] = taken
    return chosen[unit]


def mean_and_error(d: np.ndarray, w: np.ndarray, units: np.ndarray) -> tuple[float, float]:
    """Weighted mean of d (n,) and its standard error with rows of a unit taken together."""
    total = w.sum()
    mean = float(w @ d / total)
    _, unit = np.unique(units, return_inverse=True)
    sums = np.bincount(unit, w * (d - mean))
    count = len(sums)
    if count < 2:
        return mean, float("inf")
    return mean, float(np.sqrt((sums**2).sum() * count / (count - 1)) / total)


def standardise(X: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted centre (d,) and spread (d,); a constant column gets an infinite spread, so it leaves
    every distance."""
    center = np.average(X, axis=0, weights=w)
    spread = np.sqrt(np.average((X - center) ** 2, axis=0, weights=w))
    tiny = 1e-9 * np.maximum(1.0, np.abs(center))
    return center, np.where(spread > tiny, spread, np.inf)
