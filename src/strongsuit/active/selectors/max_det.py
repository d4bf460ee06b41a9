"""The row of largest conditional variance, again and again: the greedy largest determinant."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, noise_of, usable
from strongsuit.core.arrays import chunks
from strongsuit.core.keys import Key
from strongsuit.core.ties import first_of_largest, tie_seed

_SHARE, _LEAST = 32, 4096  # the rows kept current between picks: one in so many, but at least so many
_CHUNK = 4096


def max_det(key: Key, candidates: Candidates, b: int) -> Selection:
    """Each pick maximises the variance given the earlier ones, of the kernel X X^T with `candidates.noise`; gain is it.

    X is a posterior embedding, which knows the anchors already. Greedy log-determinant of K + noise I, by pivoted
    Cholesky in p dimensions and float64; equals BatchBALD for Gaussian noise. Kirsch et al. 2019; Holzmüller et al.
    2023 (MaxDet). Variances only fall, so between picks only the rows above a threshold are brought up to date.
    """
    pool = usable(candidates, embedding=True)
    rows = np.flatnonzero(pool.rows)
    state = _Cholesky(pool.X, rows, pool.norms[rows].copy(), noise_of(candidates), pool.wanted(b))
    seed, picks, gains = tie_seed(key), [], []
    while len(picks) < pool.wanted(b):
        row, variance = state.best(seed)
        if variance <= 0.0:
            break
        picks.append(row)
        gains.append(variance)
        state.condition(row, variance)
    return finish(key, pool, picks, gains, b)


class _Cholesky:
    """Conditional variances: of all rows given `done` picks, of the rows in the window given all picks."""

    def __init__(self, X: np.ndarray, rows: np.ndarray, variance: np.ndarray, noise: float, b: int) -> None:
        self.X, self.rows, self.variance, self.noise = X, rows, variance, noise
        self.U, self.count, self.done = np.zeros((b, X.shape[1])), 0, 0
        self.taken: list[int] = []
        self._open()

    def _open(self) -> None:
        """Bring all rows up to date and keep those of largest variance in the window, above `tau`."""
        U = self.U[self.done : self.count]
        for part in chunks(len(self.rows) if len(U) else 0, _CHUNK):
            known = np.asarray(self.X[self.rows[part]], dtype=np.float64) @ U.T
            self.variance[part] -= np.einsum("ij,ij->i", known, known)
        self.variance[np.isin(self.rows, self.taken)] = -1.0
        self.done, n = self.count, len(self.rows)
        size = max(n // _SHARE, _LEAST)
        self.tau = np.partition(self.variance, n - size)[n - size] if size < n else -np.inf
        self.kept = np.flatnonzero(self.variance >= self.tau)
        if len(self.kept) > 2 * size:  # so many are equal that a window would save nothing
            self.kept, self.tau = np.arange(n), -np.inf
        self.near = np.asarray(self.X[self.rows[self.kept]], dtype=np.float64)
        self.current = self.variance[self.kept]

    def best(self, seed: np.uint64) -> tuple[int, float]:
        """The row of largest variance given all picks, and that variance."""
        if self.current.max() < self.tau:  # rows outside were below tau, and can only have fallen
            self._open()
        at = first_of_largest(seed, self.current, self.rows[self.kept])
        return int(self.rows[self.kept[at]]), float(self.current[at])

    def condition(self, row: int, variance: float) -> None:
        """Learn the row: lower the variances in the window by what it tells of them."""
        x = np.asarray(self.X[row], dtype=np.float64)
        U = self.U[: self.count]
        u = (x - (U @ x) @ U) / np.sqrt(self.noise + variance)
        self.U[self.count] = u
        self.count += 1
        self.taken.append(row)
        self.current -= (self.near @ u) ** 2
        self.current[self.rows[self.kept] == row] = -1.0
