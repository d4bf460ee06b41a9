"""Exact distances on the host: to the k-th nearest row, and seeds by k-means++."""

from __future__ import annotations

import numpy as np

from strongsuit.core.arrays import map_chunks
from strongsuit.core.keys import Key

_CHUNK = 4096  # rows whose distances are held at once
_TREE_FEATURES = 16  # beyond so many features a k-d tree visits most of its leaves and loses to a plain scan


def kth_distance(X: np.ndarray, points: np.ndarray, k: int) -> np.ndarray:
    """Euclidean distance (n,) of each row of X (n, d) to its k-th nearest of points (p, d), k from 1 to p.

    A row that is itself among the points is its own nearest, at distance 0.
    """
    if X.shape[1] <= _TREE_FEATURES:
        from scipy.spatial import cKDTree

        tree = cKDTree(points)
        return map_chunks(lambda rows: tree.query(rows, [k])[0][:, 0], X, size=_CHUNK)
    square = np.einsum("ij,ij->i", points, points)

    def scan(rows: np.ndarray) -> np.ndarray:
        near = np.argpartition(square - 2.0 * rows @ points.T, k - 1, axis=1)[:, :k]
        # The expanded square loses digits; the few distances that matter are computed from differences.
        exact = np.sqrt(((rows[:, None] - points[near]) ** 2).sum(axis=2))
        return exact.max(axis=1)

    size = max(1, min(_CHUNK, 2**24 // max(len(points), 1)))
    return map_chunks(scan, X, size=size)


def kmeans_pp(key: Key, X: np.ndarray, count: int, *, w: np.ndarray | None = None) -> np.ndarray:
    """Row numbers (count,) of k-means++ seeds (Arthur and Vassilvitskii 2007), drawn with weights w (n,).

    Rows of weight zero are never drawn. Fewer distinct rows than seeds: some seeds repeat.
    """
    from sklearn.cluster import kmeans_plusplus

    kept = np.arange(len(X)) if w is None else np.flatnonzero(w > 0)
    weights = None if w is None else w[kept]
    _, seeds = kmeans_plusplus(X[kept], count, sample_weight=weights, random_state=key.integer())
    return kept[seeds]
