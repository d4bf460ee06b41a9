"""Rows that stand for clusters: the row nearest to each centre of k-means, and margins spread over clusters."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, usable
from strongsuit.core.covering import some_rows
from strongsuit.core.groups import average_linkage, k_means, nearest_rows, squares_to_own
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import keyed_order, largest, ranks, tie_seed
from strongsuit.errors import InputError


def nearest_to_centres(key: Key, candidates: Candidates, b: int, *, above: float | None = None) -> Selection:
    """The row nearest to each of b centres of k-means, largest cluster first; gain is the size of its cluster.

    Clusters are made of the rows that may be chosen; with `above` only of those whose score is larger. Where these are
    fewer than b all are taken, and the rest are representatives of the other rows, flagged "few_candidates". Where
    clusters are empty the second nearest rows follow, and so on, flagged "empty_clusters". DropQuery (Gupte et al.
    2024) is `above` = 0 on the number of dropout passes that disagree.
    """
    pool = usable(candidates, score=above is not None, embedding=True)
    rows, count, flags = np.flatnonzero(pool.rows), pool.wanted(b), ()
    kept = rows if above is None else rows[pool.score[rows] > above]
    picks, gains = kept[:0], np.zeros(0)
    if len(kept) < count:
        picks, gains, flags = keyed_order(key, kept), np.ones(len(kept)), ("few_candidates",)
        kept = np.setdiff1d(rows, kept)
    if len(picks) < count:
        more, sizes, filled = representatives(key_for(key, "centres"), pool.X, kept, count - len(picks))
        picks, gains = np.append(picks, more), np.append(gains, sizes)
        flags += ("empty_clusters",) if filled else ()
    return finish(key, pool, picks, gains, b, *flags)


def representatives(key: Key, X: np.ndarray, rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """`count` of the rows (c,) of X (n, p), the nearest to k-means centres, and the sizes of their clusters.

    Largest cluster first. True where clusters were empty and the second nearest rows of others had to follow.
    """
    if count >= len(rows):
        return keyed_order(key, rows)[:count], np.ones(len(rows)), False
    R = X if len(rows) == len(X) else X[rows]
    label, centres = k_means(key, R, count)
    size = np.bincount(label, minlength=count)
    place = _places(label, squares_to_own(R, label, centres), ranks(tie_seed(key), rows))
    first = np.lexsort((ranks(tie_seed(key), rows), -size[label], place))[:count]
    return rows[first], size[label[first]].astype(np.float64), bool(place[first[-1]] > 0)


def cluster_margin(
    key: Key,
    candidates: Candidates,
    b: int,
    *,
    share: float = 1.25,
    clusters: int | None = None,
    subset: int = 5000,
) -> Selection:
    """b of the `share` x b rows of largest score, in turn from each of their clusters, the smallest first.

    A cluster's size is its number of rows among those; rows of one are drawn by the key; gain is the score. Clusters
    are those of average linkage on a keyed `subset` of the rows that may be chosen, cut into `clusters`, by default
    half as many as rows; other rows belong to their nearest row's. Citovsky et al. 2021 (Cluster-Margin), who cluster
    the pool once.
    """
    if not share >= 1.0 or (clusters is not None and clusters < 1):
        raise InputError(f"share must be at least 1 and clusters at least 1, got {share} and {clusters}")
    pool = usable(candidates, score=True, embedding=True)
    rows, count = np.flatnonzero(pool.rows), pool.wanted(b)
    if count == 0:
        return finish(key, pool, [], [], b)
    some = some_rows(key_for(key, "subset"), rows, subset)
    label = average_linkage(pool.X[some], clusters or -(-len(some) // 2))
    best = largest(key_for(key, "margin"), pool.score[rows], rows, int(np.ceil(share * count)))
    label = label[nearest_rows(pool.X[best], pool.X[some])]
    rank = ranks(tie_seed(key), best)
    size, place = np.bincount(label), _places(label, np.zeros(len(best)), rank)
    picks = best[np.lexsort((rank, size[label], place))[:count]]
    return finish(key, pool, picks, pool.score[picks], b)


def _places(label: np.ndarray, value: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """The place (n,) of each row among those with its label (n,): 0 for the least value (n,), ties by rank (n,)."""
    order = np.lexsort((rank, value, label))
    begins = np.searchsorted(label[order], label[order])
    place = np.empty(len(label), dtype=np.int64)
    place[order] = np.arange(len(label)) - begins
    return place
