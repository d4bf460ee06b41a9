"""The row farthest from all labelled and chosen rows, again and again (core-set, greedy sampling in x)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, usable
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import largest
from strongsuit.errors import InputError


def k_center(
    key: Key, candidates: Candidates, b: int, *, weights: str | None = None, sift: int | None = None
) -> Selection:
    """Each pick maximises the distance to the nearest anchor or earlier pick; gain is that distance, weighted.

    Without anchors the first pick is the row nearest to the mean, its gain infinity. `weights` names the field of the
    candidates that multiplies distances, "density" or "score": rows end up spaced as its inverse. A score that is the
    same for all rows multiplies nothing. `sift` keeps only the `sift` x b rows of largest score. Gonzalez 1985; Sener
    and Savarese 2018; Wu, Lin and Huang 2019 (GSx).
    """
    from strongsuit.core.farthest import farthest_first

    pool = usable(candidates, score=sift is not None or weights == "score", embedding=True)
    weight = _weights(getattr(candidates, weights), weights, pool.rows) if weights else None
    if weights == "score" and "constant_score" in pool.flags:
        weight = None
    rows = pool.rows
    if sift is not None:
        kept = np.flatnonzero(rows)
        rows = np.zeros_like(rows)
        rows[largest(key_for(key, "sift"), pool.score[kept], kept, sift * pool.wanted(b))] = True
    picks, gains = farthest_first(key, pool.X, rows, pool.anchors, pool.wanted(b), weights=weight)
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


def _weights(values: np.ndarray | None, name: str, rows: np.ndarray) -> np.ndarray:
    """Weights (n,) of at most 1, 0 where a row may not be chosen."""
    if values is None:
        raise InputError(f"k_center(weights={name!r}) needs candidates.{name}, which is None")
    weights = np.asarray(values, dtype=np.float64)
    if not np.all(weights[rows] >= 0.0) or np.isinf(weights[rows]).any():
        raise InputError(f"candidates.{name} must be finite and not negative in every available row")
    weights = np.where(rows, weights, 0.0)
    return weights / (weights.max(initial=0.0) or 1.0)
