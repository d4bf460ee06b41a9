"""Rules that keep every row's nearest centre: largest cluster, maximum distance; and k-means++ seeding."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, usable
from strongsuit.core.keys import Key


def lcmd(key: Key, candidates: Candidates, b: int) -> Selection:
    """Each pick is the farthest row of the cluster of largest mass; gain is its squared distance to its centre.

    Anchors and picks are centres; a cluster is the rows nearest to one, its mass the sum of their squared distances.
    Without anchors the first pick is the row of largest norm, its gain infinity. Nothing to tune. Holzmüller et al.
    2023 (LCMD-TP). Distances in the precision of the embedding.
    """
    from strongsuit.core.centres import cluster_walk

    pool = usable(candidates, embedding=True)
    picks, gains = cluster_walk(key, pool.X, pool.rows, pool.anchors, pool.wanted(b))
    return finish(key, pool, picks, gains, b)


def kmeans_pp(key: Key, candidates: Candidates, b: int, *, anchored: bool = True) -> Selection:
    """Each pick is drawn in proportion to the squared distance to the nearest centre; gain is that square.

    Anchors are centres if `anchored` ("TP"); else, or without any, the first pick is uniform ("P"), its gain infinity.
    Arthur and Vassilvitskii 2007; Ash et al. 2020 (BADGE).
    """
    from strongsuit.core.centres import distance_seeds

    pool = usable(candidates, embedding=True)
    anchors = pool.anchors if anchored else np.zeros(0, dtype=np.int64)
    picks, gains = distance_seeds(key, pool.X, pool.rows, anchors, pool.wanted(b))
    return finish(key, pool, picks, gains, b)
