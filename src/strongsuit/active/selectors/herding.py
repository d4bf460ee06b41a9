"""Rows that raise the kernel coverage of the pool most: MaxHerding, and UHerding where rows weigh by a score."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, Usable, finish, usable
from strongsuit.core.covering import Task, covering, greedy, nearest_anchors, some_rows
from strongsuit.core.groups import square_table
from strongsuit.core.keys import Key, key_for
from strongsuit.errors import InputError

_FAR = 20.0  # squared distances in units of sigma^2 beyond which a kernel of 2e-9 counts as 0
_SAMPLE = 512  # rows on which the median distance is taken
_FLOOR = 1e-3  # of the median distance: the least sigma that labelled rows give
_ANCHORS = 8192  # labelled rows whose mutual distances are looked at
_CHUNK = 1024


def herding(
    key: Key, candidates: Candidates, b: int, *, sigma: float | str = 1.0, scale: float = 1.0, subset: int = 35_000
) -> Selection:
    """Each pick x maximises mean_n w_n max(k(x, x_n) - best_n, 0), its gain; k(x, z) = exp(-|x - z|^2 / sigma^2).

    best_n is the largest kernel of row n and an anchor or earlier pick; picks x are those that may be chosen, rows n
    these and those of `candidates.reference`. `candidates.score`, not negative, is w if present (UHerding), else w = 1
    (MaxHerding). The embedding is to be L2-normalised. `sigma` "labelled" is the smallest positive distance between
    labelled anchors, at least 1e-3 of the median distance of the pool, and 1 where fewer than two of them differ; it is
    multiplied by `scale`.

    A larger pool is represented by a keyed `subset` of its rows, to be covered as well as to choose from; by fewer
    where the kernel is so wide that more than 2^26 pairs could matter (at worst 8,192 rows). Bae et al. 2024
    (MaxHerding), 2025 (UHerding). A row without anything left to cover is taken in keyed order, flagged "no_spread".
    """
    weighted = candidates.score is not None
    pool = usable(candidates, score=weighted, embedding=True)
    served = pool.served(candidates.reference)
    if weighted and pool.score[served].min(initial=0.0) < 0.0:
        raise InputError("candidates.score weighs the rows to be covered: it must not be negative")
    if not pool.rows.any():
        return finish(key, pool, [], [], b)
    width = scale**2 * _width(key, candidates, pool, sigma)
    rows = some_rows(key_for(key, "subset"), np.flatnonzero(served), subset)
    d2 = nearest_anchors(pool.X, rows, pool.anchors)
    weight = pool.score[rows] if weighted else np.ones(len(rows))
    best = np.exp(-d2 / width).astype(np.float32)
    task = Task(pool.X, rows, weight, best, np.minimum(d2, _FAR * width), width)
    state = covering(key_for(key, "subset"), task)
    picks, gains = greedy(key, state, pool.wanted(b), free=pool.rows[state.rows])
    return finish(key, pool, picks, gains, b)


def labelled_sigma(key: Key, candidates: Candidates, pool: Usable) -> float:
    """The smallest positive distance between labelled anchors, at least 1e-3 of the median distance of a sample.

    1 where fewer than two labelled rows differ. Labelled anchors are those with a class in `candidates.labels`, all
    anchors where it is None; of more than 8,192 a keyed subset is looked at.
    """
    from scipy.spatial.distance import pdist

    known = pool.anchors if candidates.labels is None else pool.anchors[candidates.labels[pool.anchors] >= 0]
    Z = np.unique(pool.X[some_rows(key_for(key, "labelled"), known, _ANCHORS)], axis=0)
    if len(Z) < 2:
        return 1.0
    every = np.union1d(np.flatnonzero(pool.rows), pool.anchors)
    sample = pool.X[some_rows(key_for(key, "sample"), every, _SAMPLE)]
    return max(_closest(Z), _FLOOR * float(np.median(pdist(sample))))


def _width(key: Key, candidates: Candidates, pool: Usable, sigma: float | str) -> float:
    """sigma^2."""
    if sigma == "labelled":
        sigma = labelled_sigma(key, candidates, pool)
    if isinstance(sigma, str) or not (sigma > 0.0 and 0.0 < sigma**2 < np.inf):
        raise InputError(f"sigma must be a positive distance or 'labelled', got {sigma!r}")
    return float(sigma) ** 2


def _closest(Z: np.ndarray) -> float:
    """The smallest distance between two of the rows of Z (c, p), which all differ."""
    least, pair = np.inf, (0, 1)
    for first in range(0, len(Z), _CHUNK):
        d2 = square_table(Z[first : first + _CHUNK], Z[first:])
        d2[np.tril_indices(*d2.shape[:1], 0, d2.shape[1])] = np.inf
        at = np.unravel_index(d2.argmin(), d2.shape)
        if d2[at] < least:
            least, pair = d2[at], (first + at[0], first + at[1])
    return float(np.linalg.norm(Z[pair[0]].astype(np.float64) - Z[pair[1]]))
