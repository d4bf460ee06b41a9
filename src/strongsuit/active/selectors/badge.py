"""Rows drawn by the squared distance of their hallucinated gradients (BADGE)."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, Usable, finish, usable
from strongsuit.active.selectors.class_parts import two_widths
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import first_of_largest, tie_seed


def badge(key: Key, candidates: Candidates, b: int) -> Selection:
    """The row of largest gradient, then rows drawn in proportion to the squared distance to the picks; gain is that.

    The embedding is [e | z] in two blocks (k, q): e = p - onehot(argmax p), z the features with a 1 appended; the
    gradient of the last layer is e (x) z, of which only inner products are formed. Anchors are not centres; the first
    gain is infinity. Rows at distance 0 come last. One pick costs n k products and a fraction of n q. Ash et al. 2020;
    after the first pick the draws are those of `kmeans_pp`.
    """
    pool = usable(candidates, embedding=True)
    k, _ = two_widths(candidates, pool.X, "[p - onehot(argmax p) | features and 1]")
    picks, gains = _seeds(key, pool, k, pool.wanted(b))
    return finish(key, pool, picks, gains, b)


def _seeds(key: Key, pool: Usable, k: int, b: int) -> tuple[list[int], list[float]]:
    """Picks and the squared distances that they had; fewer than b when all that remain are 0."""
    from strongsuit.core import class_distances, distances

    e2, z2 = np.empty(len(pool.X)), np.empty(len(pool.X))
    class_distances.part_norms(pool.X, k, e2, z2)
    size = np.where(pool.rows, e2 * z2, -1.0)
    if b == 0 or size.max() <= 0.0:
        return [], []
    E, d2 = np.ascontiguousarray(pool.X[:, :k]), np.where(pool.rows, np.inf, -1.0)
    shares, sums = key_for(key, "shares").numpy().random(b - 1), np.zeros(-(-len(d2) // 1024))
    picks, gains = [first_of_largest(tie_seed(key), size)], [float("inf")]
    class_distances.absorb_outer(pool.X, E, e2, z2, picks[0], d2)
    for share in shares:
        row = int(distances.draw(d2, share, sums))
        if row < 0:
            break
        picks.append(row)
        gains.append(float(d2[row]))
        class_distances.absorb_outer(pool.X, E, e2, z2, row, d2)
    return picks, gains
