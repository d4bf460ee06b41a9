"""Rows that a small step towards another class flips, one from each of b clusters (ALFA-Mix)."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, Usable, finish, usable
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import keyed_order, largest
from strongsuit.errors import InputError

_NEVER = -1e300  # the finite score of a row that never flips
_LEAST_CAP = 1e-6  # a loop over caps that would take a million steps is no one's wish
_EQUALLY_FAR = 1e-9  # of the longest row: smaller differences of distances to a centre are rounding


def feature_mixing(
    key: Key, candidates: Candidates, b: int, *, cap: float = 0.2, fill: str = "nearest_flip", width: int | None = None
) -> Selection:
    """One row from each of b k-means clusters of the rows that flip within the cap, earliest flip first.

    The score is -e, e the share of the way to the farthest anchor after which a row flips (`core.flips.flip_share`);
    -infinity says never, and such a row is no candidate. `width` is that of the features in which e was measured, by
    default the embedding's, which should be the same features at length 1. A cluster gives the row nearest to its
    centre, an empty one the next candidate by e. Fewer than b candidates, flagged "few_candidates", are all taken;
    then come the rows of smallest e, or, with `fill` = "random", any. gain is -e. Parvaneh et al., CVPR 2022, arXiv
    2203.07034, its loop over caps by one sort.
    """
    if not _LEAST_CAP <= cap < 1.0:
        raise InputError(f"cap must be at least {_LEAST_CAP:g} and below 1, got {cap}; 0.2 is usual")
    if fill not in ("nearest_flip", "random"):
        raise InputError(f'fill must be "nearest_flip" or "random", got {fill!r}')
    pool, never = _usable(candidates)
    rows, wanted = np.flatnonzero(pool.rows), pool.wanted(b)
    reach = -pool.score[rows] * np.sqrt(pool.X.shape[1] if width is None else width)
    flips = rows[(reach < cap_level(reach, wanted, cap=cap)) & ~never[rows]]
    picks = _one_a_cluster(key, pool, flips, min(wanted, len(flips)))
    flags = ("few_candidates",) if len(picks) < wanted else ()
    if flags:
        picks = np.append(picks, _filled(key, pool, np.setdiff1d(rows, picks), wanted - len(picks), fill))
    return finish(key, pool, picks, np.where(never, -np.inf, pool.score)[picks], b, *flags)


def cap_level(reach: np.ndarray, b: int, *, cap: float) -> float:
    """The least of cap, 2 cap, ... below 1 that exceeds more than b of the numbers reach (n,), or the last of them.

    A row is a candidate at cap number i where e sqrt(p) < i cap: what the published loop finds by trying every step.
    """
    levels = cap * np.arange(1, np.ceil(1.0 / cap) + 1.0)
    levels = levels[levels < 1.0]
    enough = np.searchsorted(np.sort(reach), levels, side="left") > b
    return float(levels[enough.argmax() if enough.any() else -1])


def _usable(candidates: Candidates) -> tuple[Usable, np.ndarray]:
    """The finite part of the pool, to which rows that never flip belong, and which rows (n,) these are."""
    if candidates.score is None:
        return usable(candidates, score=True, embedding=True), np.zeros(0, dtype=bool)
    score = np.maximum(np.asarray(candidates.score, np.float64), _NEVER)
    return usable(replace(candidates, score=score), score=True, embedding=True), score == _NEVER


def _one_a_cluster(key: Key, pool: Usable, rows: np.ndarray, b: int) -> np.ndarray:
    """b of the rows, largest score first: the nearest to each of b centres, then the best others for empty clusters."""
    order = largest(key, pool.score[rows], rows, len(rows))  # by the score, so that the pool's order decides nothing
    if b == len(order):
        return order
    nearest = np.zeros(len(order), dtype=bool)
    nearest[_nearest_to_centres(key, pool.X[order], b)] = True
    places = np.flatnonzero(nearest)
    return order[np.append(places, np.flatnonzero(~nearest)[: b - len(places)])]


def _nearest_to_centres(key: Key, X: np.ndarray, b: int) -> np.ndarray:
    """The place of the row nearest to its centre in each of at most b clusters of X (m, p); of equal ones the first."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct rows than clusters: some are empty
        # In float64, so that a pool's precision does not decide where the centres end.
        means = KMeans(b, n_init=1, random_state=key_for(key, "k_means").integer()).fit(X.astype(np.float64))
    off = np.linalg.norm(X - means.cluster_centers_[means.labels_], axis=1)
    least = np.full(b, np.inf)
    np.minimum.at(least, means.labels_, off)
    # The two rows of a cluster are equally far from their mean; rounding is not to choose between them.
    near = np.flatnonzero(off <= least[means.labels_] + _EQUALLY_FAR * np.linalg.norm(X, axis=1).max())
    return near[np.unique(means.labels_[near], return_index=True)[1]]


def _filled(key: Key, pool: Usable, rows: np.ndarray, count: int, fill: str) -> np.ndarray:
    """`count` of the rows: those that flip first, or any, without replacement."""
    if fill == "random":
        return keyed_order(key_for(key, "others"), rows)[:count]
    return largest(key, pool.score[rows], rows, count)
