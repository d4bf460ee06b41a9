"""Farthest-first in class probabilities, by the symmetric Kullback-Leibler divergence (CDAL)."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, usable
from strongsuit.active.selectors.class_parts import check_probabilities
from strongsuit.core.keys import Key
from strongsuit.core.ties import first_of_largest, tie_seed

_LEAST = 1e-6  # probabilities are clipped there (CDAL's public code)


def k_center_divergence(key: Key, candidates: Candidates, b: int) -> Selection:
    """Each pick maximises the least divergence to anchors and picks, 0.5 KL(p, q) + 0.5 KL(q, p); gain is that.

    The embedding is p, clipped at 1e-6 and not scaled again, so a class that nobody expects changes nothing. Without
    anchors the first pick is the row of least divergence to the mean, its gain infinity. Agarwal et al. 2020 (CDAL).
    """
    from strongsuit.core.class_distances import absorb_divergence

    pool, seed = usable(candidates, embedding=True), tie_seed(key)
    check_probabilities(pool.X, pool.rows)
    # Rows that are not finite become 1e-6 everywhere: they are neither chosen nor centres.
    P = np.maximum(np.where(np.isfinite(pool.norms)[:, None], pool.X, 0.0).astype(np.float64, copy=False), _LEAST)
    L, value = np.log(P), np.where(pool.rows, np.inf, -1.0)
    absorb_divergence(P, L, P[pool.anchors], L[pool.anchors], value)
    picks: list[int] = []
    gains: list[float] = []
    while len(picks) < pool.wanted(b):
        if len(pool.anchors) == 0 and not picks:
            row = _most_central(seed, P, L, pool.rows)
        else:
            row = first_of_largest(seed, value)
        if value[row] <= 0.0:
            break
        picks.append(row)
        gains.append(float(value[row]))
        value[row] = -1.0
        absorb_divergence(P, L, P[[row]], L[[row]], value)
    return finish(key, pool, picks, gains, b)


def _most_central(seed: np.uint64, P: np.ndarray, L: np.ndarray, rows: np.ndarray) -> int:
    """The row of least divergence to the rows' mean."""
    from strongsuit.core.class_distances import absorb_divergence

    mean, value = P[rows].mean(axis=0, keepdims=True), np.where(rows, np.inf, -1.0)
    absorb_divergence(P, L, mean, np.log(mean), value)
    return first_of_largest(seed, np.where(rows, -value, -np.inf))
