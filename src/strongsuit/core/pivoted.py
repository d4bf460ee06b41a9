"""A kernel matrix as a product of thin factors, without ever forming it.

Shapes: n rows, d columns, r rank of the factor, q pivots taken at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import solve_triangular

from strongsuit.core.arrays import chunks

RANK, TOLERANCE = 1024, 1e-6  # columns at most; share of the trace that may be missing
WINDOW = 256  # rows among which pivots are sought between two passes over all rows
CHUNK = 4096  # rows whose kernel with the new pivots is held at once

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


def pivoted_cholesky(
    X: np.ndarray, kernel: Kernel, diagonal: np.ndarray, *, rank: int = RANK, tolerance: float = TOLERANCE
) -> np.ndarray:
    """F (n, r) in float64 with F F' = K up to `tolerance` x trace(K), or the best that `rank` columns reach greedily.

    X (n, d) are rows, `kernel` maps rows (a, d) and (b, d) to (a, b), `diagonal` (n,) is that of K. Each pivot is the
    row of largest remaining diagonal, the first of equal ones: the factor is that of the greedy algorithm (Harbrecht,
    Peters and Schneider, 2012), in O(n r) memory. K - F F' is positive semidefinite, so its trace bounds every error.
    Remaining diagonals only fall. So pivots may be taken from a window of the largest as long as none of its rows has
    fallen below those outside, and one product of matrices brings all rows up to date.
    """
    left = np.array(diagonal, dtype=np.float64)
    total, least = left.sum(), len(left) * np.finfo(float).eps * left.max(initial=0.0)
    F, done = np.empty((len(left), min(rank, len(left)))), 0
    while done < F.shape[1] and left.max(initial=0.0) > least and left.sum() > tolerance * total:
        pivots, corner = _next_pivots(X, kernel, F[:, :done], left, F.shape[1] - done, least)
        added = F[:, done : done + len(pivots)]
        for part in chunks(len(left), CHUNK):
            unknown = kernel(X[part], X[pivots]) - F[part, :done] @ F[pivots, :done].T
            added[part] = solve_triangular(corner, unknown.T, lower=True, check_finite=False).T
        missing = left.sum() - np.cumsum(np.einsum("ij,ij->j", added, added))
        left = np.maximum(left - np.einsum("ij,ij->i", added, added), 0.0)
        left[pivots] = 0.0
        enough = np.flatnonzero(missing <= tolerance * total)
        if len(enough):
            done += int(enough[0]) + 1
            break
        done += len(pivots)
    return np.ascontiguousarray(F[:, :done])


def _next_pivots(
    X: np.ndarray, kernel: Kernel, F: np.ndarray, left: np.ndarray, most: int, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """The next pivots (q,) of the greedy algorithm and their triangular factor (q, q)."""
    rows, outside = _largest(left, WINDOW)
    rest = kernel(X[rows], X[rows]) - F[rows] @ F[rows].T
    current, taken = left[rows].copy(), []
    U = np.zeros((len(rows), min(most, len(rows))))
    for q in range(U.shape[1]):
        at = int(current.argmax())
        if q and (current[at] < outside or current[at] <= least):
            break
        U[:, q] = (rest[:, at] - U[:, :q] @ U[at, :q]) / np.sqrt(current[at])
        current = current - U[:, q] ** 2
        current[at] = -1.0
        taken.append(at)
    return rows[taken], U[taken, : len(taken)]


def _largest(values: np.ndarray, count: int) -> tuple[np.ndarray, float]:
    """The rows of the `count` largest values in order of row number, first ones of equal, and the bound of the rest."""
    if len(values) <= count:
        return np.arange(len(values)), -np.inf
    bound = np.partition(values, len(values) - count)[len(values) - count]
    above, equal = np.flatnonzero(values > bound), np.flatnonzero(values == bound)
    return np.sort(np.append(above, equal[: count - len(above)])), float(bound)
