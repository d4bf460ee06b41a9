"""Rows drawn by uncertainty and by distance in class probabilities at once (FALCUN)."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, usable
from strongsuit.active.selectors.class_parts import check_probabilities
from strongsuit.core.arrays import chunks
from strongsuit.core.keys import Key, key_for
from strongsuit.errors import InputError

_NUMBERS = 2**20  # of a table of differences held at once


def falcun(key: Key, candidates: Candidates, b: int, *, power: float = 10.0) -> Selection:
    """Each pick is drawn in proportion to (d + u)^power, d scaled to [0, 1] over the rows that remain; gain is d + u.

    u is the score, 1 minus the margin; the embedding is p; d starts as u and is then the least of it and the L1
    distances of p to the picks. A twin of a pick may follow it while its u is large. Gilhuber et al. 2024.
    """
    from strongsuit.core import distances

    if not 0.0 <= power < np.inf:
        raise InputError(f"power must be finite and at least 0, got {power}")
    pool = usable(candidates, score=True, embedding=True)
    check_probabilities(pool.X, pool.rows)
    u = np.where(pool.rows, pool.score, 0.0)
    if u.min(initial=0.0) < 0.0:
        raise InputError(f"falcun needs scores of at least 0, such as 1 minus the margin; the least is {u.min():.3g}")
    d, free, sums = u.copy(), pool.rows.copy(), np.zeros(-(-len(u) // 1024))
    picks: list[int] = []
    gains: list[float] = []
    for share in key_for(key, "shares").numpy().random(pool.wanted(b)):
        value = np.where(free, _scaled(d, free) + u, 0.0)
        # Over the largest, so that no power overflows or makes all chances 0.
        row = int(distances.draw(np.where(free, (value / (value.max() or 1.0)) ** power, 0.0), share, sums))
        if row < 0 or value.max() <= 0.0:
            break
        picks.append(row)
        gains.append(float(value[row]))
        free[row] = False
        np.minimum(d, _manhattan(pool.X, row), out=d)
    return finish(key, pool, picks, gains, b)


def _scaled(d: np.ndarray, free: np.ndarray) -> np.ndarray:
    """d (n,) scaled to [0, 1] over the free rows; a range of 0 scales to 0."""
    low, high = d[free].min(), d[free].max()
    return (d - low) / (high - low) if high > low else np.zeros(len(d))


def _manhattan(P: np.ndarray, row: int) -> np.ndarray:
    """L1 distances (n,) of the rows of P (n, k) to one of them; NaN where a row is."""
    out, own = np.empty(len(P)), P[row].astype(np.float64)
    for part in chunks(len(P), max(1, _NUMBERS // P.shape[1])):
        out[part] = np.abs(P[part] - own).sum(axis=1)
    return out
