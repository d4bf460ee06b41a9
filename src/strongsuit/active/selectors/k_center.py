"""The row farthest from all labelled and chosen rows, again and again (core-set, greedy sampling in x)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, usable
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import largest
from strongsuit.errors import InputError


def k_center(key: Key, candidates: Candidates, b: int, *, weighted: bool = False, sift: int | None = None) -> Selection:
    """Each pick maximises the distance to the nearest anchor or earlier pick; gain is that distance.

    Without anchors the first pick is the row nearest to the mean, its gain infinity. `weighted` multiplies distances by
    `candidates.density`, so that rows end up spaced as its inverse. `sift` keeps only the `sift` x b rows of largest
    score. Gonzalez 1985; Sener and Savarese 2018; Wu, Lin and Huang 2019 (GSx).
    """
    from strongsuit.core.farthest import farthest_first

    pool = usable(candidates, score=sift is not None, embedding=True)
    weights = _weights(candidates.density, pool.rows) if weighted else None
    rows = pool.rows
    if sift is not None:
        kept = np.flatnonzero(rows)
        rows = np.zeros_like(rows)
        rows[largest(key_for(key, "sift"), pool.score[kept], kept, sift * pool.wanted(b))] = True
    picks, gains = farthest_first(key, pool.X, rows, pool.anchors, pool.wanted(b), weights=weights)
    return finish(key, replace(pool, rows=rows), picks, gains, b)


def density_weights(spacing: np.ndarray, *, alpha: float = 0.5) -> np.ndarray:
    """Weights (n,) of `k_center` from each row's distance (n,) to its K-th neighbour: spacing^-alpha, of mean 1.

    Chosen rows end up spaced as spacing^alpha: 0 is plain farthest-first, 1 follows the pool's density. Rows on top of
    each other count as spaced like the closest pair. After arXiv 2509.13213.
    """
    spacing = np.asarray(spacing, dtype=np.float64)
    apart = spacing[spacing > 0.0]
    if not len(apart):
        return np.ones(len(spacing))
    weights = np.maximum(spacing, apart.min()) ** -alpha
    return weights / weights.mean()


def _weights(density: np.ndarray | None, rows: np.ndarray) -> np.ndarray:
    if density is None:
        raise InputError("k_center(weighted=True) needs candidates.density, which is None")
    weights = np.asarray(density, dtype=np.float64)
    if not np.all(weights[rows] >= 0.0) or np.isinf(weights[rows]).any():
        raise InputError("candidates.density must be finite and not negative in every available row")
    return np.where(rows, weights, 0.0)
