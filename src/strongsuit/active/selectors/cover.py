"""Rows whose balls cover most of the pool: one radius for all (ProbCover), or one for each labelled row (DCoM)."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, Usable, finish, usable
from strongsuit.core.arrays import chunks
from strongsuit.core.covering import Covering, Task, covering, greedy, nearest_anchors, some_rows
from strongsuit.core.groups import k_means, square_table
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import first_of_largest, tie_seed
from strongsuit.errors import InputError

_ROWS = 8192  # a keyed subset of so many rows tells the purity of balls
_CHUNK = 2**23  # numbers of a table of distances held at once
_WIDEST, _STEP = 1.1, 0.05  # DCoM: the largest radius of a labelled row, and where its bisection ends
_STEEPNESS, _HALF = 50.0, 0.8  # of DCoM's competence as a function of the coverage


def cover(
    key: Key,
    candidates: Candidates,
    b: int,
    *,
    delta: float | None = None,
    clusters: int | None = None,
    subset: int = 35_000,
) -> Selection:
    """Each pick has most rows nearer than `delta` that no anchor or earlier pick covers; gain is their share.

    By default delta is the `purity_radius` for `clusters`, the number of classes; without that, of those seen in
    `candidates.labels`, flagged "no_labels" or "one_class" where these are fewer than two, which then stand for two.
    Once all rows are covered the rest follows in keyed order, flagged "no_spread". A larger pool is represented by a
    keyed `subset`, to be covered as well as to choose from; by fewer rows, 8,192 at worst, where balls are so wide that
    they hold more than 2^26 pairs. Yehuda et al. 2022 (ProbCover).
    """
    pool = usable(candidates, embedding=True)
    if not pool.rows.any():
        return finish(key, pool, [], [], b)
    delta, flags = _radius(key, candidates, pool, delta, clusters)
    rows = some_rows(key_for(key, "subset"), np.flatnonzero(pool.rows), subset)
    open_rows = nearest_anchors(pool.X, rows, pool.anchors) >= delta**2
    picks, gains = greedy(key, _balls(key, pool.X, rows, open_rows, delta), pool.wanted(b))
    return finish(key, pool, picks, gains, b, *flags)


def purity_radius(key: Key, X: np.ndarray, clusters: int, *, share: float = 0.95) -> float:
    """The largest delta for which a `share` of the balls {z: |z - x| < delta} hold rows of one cluster only.

    Clusters are those of k-means on X (n, p), or on a keyed subset of 8,192 rows, whose balls are looked at. A ball is
    pure up to the distance of the nearest row of another cluster, so delta is a quantile of these distances; infinite
    if all rows are one cluster. Yehuda et al. 2022, who search for it.
    """
    if clusters < 1 or not 0.0 < share <= 1.0:
        raise InputError(f"clusters must be at least 1 and share in (0, 1], got {clusters} and {share}")
    R = X[some_rows(key_for(key, "purity"), np.arange(len(X)), _ROWS)]
    label, _ = k_means(key_for(key, "pseudo-labels"), R, min(clusters, len(R)))
    reach = np.sort(_to_others(R, label))[::-1]
    return float(reach[int(np.ceil(share * len(R) - 1e-9)) - 1])


def dcom(
    key: Key,
    candidates: Candidates,
    b: int,
    *,
    clusters: int | None = None,
    subset: int = 35_000,
) -> Selection:
    """Each pick maximises c u + (1 - c) d, its gain: u the score, d the number of rows it would cover, both in [0, 1].

    The score is 1 less the margin. u and d are scaled by their range over the rows left; c = P / (1 + exp(-50 (cov -
    0.8))), P = 1 + exp(-10), rises with the share cov of rows that are covered. A labelled row covers those nearer
    than its radius, in [0, 1.1] for an L2-normalised embedding: bisection until at least 0.2 cov + 0.4 of the rows
    within share its label by `candidates.predicted`, with the cov that a level of 0.4 gives. Picks and
    anchors without a label cover the mean of these radii. Without labels the answer is that of the radius of `cover`,
    with c near 0, flagged "no_labels". Subset as in `cover`. Mishal and Weinshall 2024 (DCoM).
    """
    pool = usable(candidates, score=True, embedding=True)
    if not pool.rows.any():
        return finish(key, pool, [], [], b)
    rows = some_rows(key_for(key, "subset"), np.flatnonzero(pool.rows), subset)
    labelled = _labelled(candidates, pool)
    if len(labelled):
        radius, covered, share = labelled_balls(
            pool, rows, labelled, candidates.labels, _classes(candidates.predicted, pool)
        )
        delta, flags = float(radius.mean()), ()
    else:
        covered, share = np.zeros(len(rows), dtype=bool), 0.0
        delta, flags = _radius(key, candidates, pool, None, clusters)
        flags = (*flags, "no_labels")
    others = np.setdiff1d(pool.anchors, labelled)
    open_rows = ~covered & (nearest_anchors(pool.X, rows, others) >= delta**2)
    state = _balls(key, pool.X, rows, open_rows, delta)
    picks, gains = _blended(key, state, pool.score[state.rows], competence(share), pool.wanted(b))
    return finish(key, pool, picks, gains, b, *dict.fromkeys(flags))


def competence(share: float) -> float:
    """How far DCoM trusts the margin where this share of the rows is covered: from about 0 to 1."""
    full = 1.0 + np.exp(-_STEEPNESS * (1.0 - _HALF))
    return float(full / (1.0 + np.exp(-_STEEPNESS * (share - _HALF))))


def labelled_balls(
    pool: Usable, rows: np.ndarray, labelled: np.ndarray, labels: np.ndarray, predicted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """The radii (c,) of the labelled rows (c,), which of the rows (m,) lie within one, and the share of all that do.

    Purity is told on the rows and the labelled ones; the share weighs the rows as all that may be chosen.
    """
    every, weights = np.append(rows, labelled), [pool.rows.sum(), len(labelled)]
    X, level = pool.X[every], 0.4
    for _ in range(2):
        radius, covered = np.empty(len(labelled)), np.zeros(len(rows), dtype=bool)
        for part in chunks(len(labelled), max(1, _CHUNK // len(every))):
            d = _distances(pool.X[labelled[part]], X)
            radius[part] = _bisected(d, labels[labelled[part], None] == predicted[every], level)
            covered |= (d[:, : len(rows)] < radius[part, None]).any(axis=0)
        share = float(np.average([covered.mean(), 1.0], weights=weights))
        level = 0.2 * share + 0.4
    return radius, covered, share


def _bisected(d: np.ndarray, same: np.ndarray, level: float) -> np.ndarray:
    """The radius (c,) at which bisection ends: distances d (c, m), and which of these rows are of the ball's class."""
    low, high = np.zeros(len(d)), np.full(len(d), _WIDEST)
    while high[0] - low[0] > _STEP:
        middle = (low + high) / 2.0
        inside = d < middle[:, None]
        pure = (inside & same).sum(axis=1) >= level * np.maximum(inside.sum(axis=1), 1)
        low, high = np.where(pure, middle, low), np.where(pure, high, middle)
    return (low + high) / 2.0


def _blended(key: Key, state: Covering, score: np.ndarray, trust: float, wanted: int) -> tuple[list[int], list[float]]:
    """Picks and their values, each the largest of trust x score + (1 - trust) x rows to be covered."""
    seed, free = tie_seed(key), np.ones(len(score), dtype=bool)
    picks: list[int] = []
    gains: list[float] = []
    while len(picks) < min(wanted, len(score)):
        value = trust * _unit_range(score, free) + (1.0 - trust) * _unit_range(state.gains(), free)
        at = first_of_largest(seed, np.where(free, value, -np.inf), state.rows)
        picks.append(int(state.rows[at]))
        gains.append(float(value[at]))
        free[at] = False
        state.take(at)
    return picks, gains


def _unit_range(values: np.ndarray, free: np.ndarray) -> np.ndarray:
    low, high = values[free].min(), values[free].max()
    return (values - low) / (high - low) if high > low else np.zeros(len(values))


def _balls(key: Key, X: np.ndarray, rows: np.ndarray, open_rows: np.ndarray, delta: float) -> Covering:
    """The covering of the open rows (m,) by balls of radius delta."""
    reach = np.where(open_rows, delta**2, 0.0)
    task = Task(X, rows, np.ones(len(rows)), (~open_rows).astype(np.float32), reach, 0.0)
    return covering(key_for(key, "subset"), task)


def _radius(
    key: Key, candidates: Candidates, pool: Usable, delta: float | None, clusters: int | None
) -> tuple[float, tuple[str, ...]]:
    """The radius given or found by purity, and flags."""
    if delta is not None:
        if not delta > 0.0:
            raise InputError(f"delta must be a positive distance, got {delta}")
        return float(delta), ()
    flags = ()
    if clusters is None:
        labelled = _labelled(candidates, pool)
        seen = len(np.unique(candidates.labels[labelled])) if len(labelled) else 0
        clusters, flags = max(seen, 2), (("no_labels",), ("one_class",), ())[min(seen, 2)]
    every = np.union1d(np.flatnonzero(pool.rows), pool.anchors)
    every = some_rows(key_for(key, "purity"), every, _ROWS)
    return purity_radius(key, pool.X[every], clusters), flags


def _labelled(candidates: Candidates, pool: Usable) -> np.ndarray:
    """The anchors whose class is known."""
    if candidates.labels is None:
        return pool.anchors[:0]
    return pool.anchors[np.asarray(candidates.labels)[pool.anchors] >= 0]


def _classes(predicted: np.ndarray | None, pool: Usable) -> np.ndarray:
    if predicted is None or np.shape(predicted) != pool.rows.shape:
        raise InputError(
            f"dcom needs candidates.predicted, the predicted classes ({len(pool.rows)},), got {np.shape(predicted)}"
        )
    return np.asarray(predicted)


def _to_others(R: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Distance (n,) of each row of R (n, p) to the nearest row with another label."""
    out = np.empty(len(R))
    for part in chunks(len(R), max(1, _CHUNK // len(R))):
        out[part] = np.where(label[part, None] == label, np.inf, _distances(R[part], R)).min(axis=1)
    return out


def _distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    return np.sqrt(square_table(A, B))
