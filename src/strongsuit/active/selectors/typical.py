"""The most typical row of clusters that hold few labels (TypiClust)."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, usable
from strongsuit.core.covering import some_rows
from strongsuit.core.groups import k_means, square_table
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import first_of_largest, ranks, tie_seed
from strongsuit.errors import InputError

_SMALL = 5  # clusters of so many rows or fewer wait until the others are used up
_OFFSET = 1e-5  # added to mean distances, so that coinciding rows have a finite typicality
_LARGEST = 4096  # members of a cluster among which neighbours are sought; a keyed subset beyond
_EQUAL = 1e-9  # a relative difference of typicalities that rounding may make


def typical(key: Key, candidates: Candidates, b: int, *, clusters: int = 500, neighbours: int = 20) -> Selection:
    """Each pick is the most typical row of the next cluster; gain is its typicality.

    All rows that may be chosen, those of `candidates.reference` and the anchors are put into min(anchors + b,
    `clusters`) clusters by k-means. These
    take turns, those with the fewest anchors first and the largest of them; clusters of up to 5 rows only once the
    others are used up. Typicality is 1 / (mean distance to the nearest rows + 1e-5), over min(`neighbours`, half of
    the rows) of the cluster's rows that are neither anchors nor picks; in clusters of more than 4,096 of them over a
    keyed subset. Hacohen, Dekel and Weinshall 2022.
    """
    if clusters < 1 or neighbours < 1:
        raise InputError(f"clusters and neighbours must be at least 1, got {clusters} and {neighbours}")
    pool = usable(candidates, embedding=True)
    served, wanted = pool.served(candidates.reference), pool.wanted(b)
    rows = np.union1d(np.flatnonzero(served), pool.anchors)
    if wanted == 0:
        return finish(key, pool, [], [], b)
    count = min(len(pool.anchors) + wanted, clusters, len(rows))
    R = pool.X if len(rows) == len(pool.X) else pool.X[rows]
    label, _ = k_means(key_for(key, "clusters"), R, count)
    free, open_rows = pool.rows[rows], served[rows] & ~np.isin(rows, pool.anchors)
    picks: list[int] = []
    gains: list[float] = []
    for turn in _turns(key, label, free, open_rows, count, wanted):
        members = np.flatnonzero((label == turn) & open_rows)
        at, value = _most_typical(key, R, members, free, rows, neighbours)
        free[at] = open_rows[at] = False
        picks.append(int(rows[at]))
        gains.append(value)
    return finish(key, pool, picks, gains, b)


def _turns(key: Key, label: np.ndarray, free: np.ndarray, open_rows: np.ndarray, count: int, wanted: int) -> np.ndarray:
    """The clusters (wanted,) in the order in which they are asked for a row, each as often as it has free rows; the
    rows that are not open are anchors."""
    size, left = np.bincount(label, minlength=count), np.bincount(label[free], minlength=count)
    anchors = np.bincount(label[~open_rows], minlength=count)
    once = np.repeat(np.arange(count), left)
    round_ = np.arange(len(once)) - np.repeat(np.cumsum(left) - left, left)
    tie = ranks(tie_seed(key), once)
    order = np.lexsort((tie, -size[once], anchors[once], round_, size[once] <= _SMALL))
    return once[order[:wanted]]


def _most_typical(
    key: Key, R: np.ndarray, members: np.ndarray, free: np.ndarray, rows: np.ndarray, neighbours: int
) -> tuple[int, float]:
    """The place in R (n, p) of the most typical `free` one of the members (c,) and its value; rows (n,) are the
    pool's."""
    if len(members) > _LARGEST:
        draw = key_for(key, "members")
        few = (some_rows(draw, rows, _LARGEST) for rows in (members, members[free[members]]))
        members = np.union1d(*few)
    nearest = max(1, min(neighbours, len(members) // 2))
    mean = np.zeros(1)
    if len(members) > 1:
        d2 = square_table(R[members], R[members])
        np.fill_diagonal(d2, np.inf)
        mean = np.sqrt(np.partition(d2, nearest - 1, axis=1)[:, :nearest]).mean(axis=1)
    value = np.where(free[members], 1.0 / (mean + _OFFSET), 0.0)
    equal = np.where(value >= value.max() * (1.0 - _EQUAL), 1.0, 0.0)
    best = first_of_largest(tie_seed(key), equal, rows[members])
    return int(members[best]), float(value[best])
