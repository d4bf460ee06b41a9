"""Score, distance and sparsity in one weighted mean (query by committee with diversity and density)."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, usable
from strongsuit.active.selectors.sparsity import Sparsity
from strongsuit.core.keys import Key
from strongsuit.core.ties import tie_seed
from strongsuit.errors import InputError


def blend(
    key: Key, candidates: Candidates, b: int, *, w_div: float = 0.5, w_den: float = 0.0, den_sign: int = 1
) -> Selection:
    """Each pick maximises (1 - w_div - w_den) V + w_div D + w_den den_sign S; gain is that value.

    V is the score, scaled once to [0, 1] over the available rows; D the distance to the nearest anchor or pick and S
    the mean of the 10 smallest cosine distances to remaining rows (itself included), both scaled to [0, 1] over the
    remaining rows at each pick. A range of 0 scales to 0, and D is 0 before there is any centre. `den_sign` = +1
    prefers sparse directions, as published; -1 dense ones, as Kee, del Castillo and Runger 2018 intend.
    """
    if not 0.0 <= w_div <= 1.0 or not 0.0 <= w_den <= 1.0 - w_div + 1e-12 or den_sign not in (-1, 1):
        raise InputError(f"w_div {w_div} and w_den {w_den} must be shares of 1 and den_sign {den_sign} -1 or 1")
    from strongsuit.active.selectors.mixing import best_blend
    from strongsuit.core.centres import Centres

    pool = usable(candidates, score=True, embedding=True)
    centres = Centres(pool.X, pool.rows, pool.anchors, pool.wanted(b))
    sparsity = _Sparse(pool.X, pool.rows) if w_den > 0.0 and pool.rows.any() else None
    fixed = (1.0 - w_div - w_den) * _scaled(pool.score, pool.rows)
    seed, none = tie_seed(key), np.zeros(0)
    picks: list[int] = []
    gains: list[float] = []
    while len(picks) < pool.wanted(b):
        sparse = none if sparsity is None else sparsity.mean
        row, value = best_blend(fixed, centres.d2, sparse, w_div, w_den * den_sign, seed)
        picks.append(int(row))
        gains.append(float(value))
        centres.add(row)
        if sparsity is not None:
            sparsity.drop(row)
    return finish(key, pool, picks, gains, b)


class _Sparse:
    """`Sparsity` of the usable rows, numbered as in the pool."""

    def __init__(self, X: np.ndarray, usable_rows: np.ndarray) -> None:
        self._rows = np.flatnonzero(usable_rows)
        self._place = np.cumsum(usable_rows) - 1
        self._inner = Sparsity(X[self._rows])
        self.mean = np.zeros(len(X))
        self.mean[self._rows] = self._inner.mean

    def drop(self, row: int) -> None:
        """Take the row out of all others' neighbours."""
        changed = self._inner.drop(int(self._place[row]))
        self.mean[self._rows[changed]] = self._inner.mean[changed]


def _scaled(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The values (n,) moved to [0, 1] by the least and largest of those kept; 0 where these are equal."""
    low, high = values[kept].min(initial=np.inf), values[kept].max(initial=-np.inf)
    return (values - low) / (high - low) if high > low else np.zeros(len(values))
