"""Groups of rows and the distances they need: k-means of scikit-learn and average linkage of SciPy for our pools."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np

from strongsuit.core.arrays import chunks
from strongsuit.core.keys import Key

_TABLE = 2**21  # rows times clusters up to which every step of k-means sees all rows,
_BATCH = 4096  # beyond which it sees so many
_CHUNK = 2**21  # numbers of a table of distances held at once
_KEPT = 2**17  # numbers of a table up to which its clusters are remembered for a while


def k_means(key: Key, X: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The cluster (n,) of each row of X (n, p), and the centres (count, p): k-means, by mini-batches where large.

    Lloyd's iterations up to 2^21 rows times clusters, else Sculley's mini-batches of 4,096 rows (2010); seeds by
    k-means++. Fewer distinct rows than clusters leave clusters empty. Small tables that are asked about again with the
    same key and count, as the folds of a search do, are not clustered again.
    """
    if X.size > _KEPT:
        return _clustered(key.integer(), X, count)
    label, centres = _remembered(key.integer(), X.tobytes(), X.shape, X.dtype.str, count)
    return label.copy(), centres.copy()


@lru_cache(maxsize=8)
def _remembered(
    seed: int, data: bytes, shape: tuple[int, ...], dtype: str, count: int
) -> tuple[np.ndarray, np.ndarray]:
    return _clustered(seed, np.frombuffer(data, dtype).reshape(shape), count)


def _clustered(seed: int, X: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    if len(X) * count <= _TABLE:
        model = KMeans(count, n_init=1, random_state=seed)
    else:
        model = MiniBatchKMeans(count, n_init=1, batch_size=_BATCH, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # that rows coincide is the caller's to see
        model.fit(X)
    return model.labels_.astype(np.int64), model.cluster_centers_


def average_linkage(X: np.ndarray, count: int) -> np.ndarray:
    """The cluster (n,) of each row of X (n, p) in the tree of average linkage cut into at most `count` clusters.

    Holds all distances, 12 n^2 bytes at its peak: for a few thousand rows.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(X) < 2:
        return np.zeros(len(X), dtype=np.int64)
    table = square_table(X, X)
    np.sqrt(table, out=table)
    pairs = squareform(table, checks=False)
    del table
    tree = linkage(pairs, "average")
    return fcluster(tree, count, "maxclust").astype(np.int64) - 1


def square_table(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Squared distances (a, b) of the rows of A and B from products in float64, less the mean of B.

    Relative to the spread of the rows they err by about 1e-15; those that this makes uncertain are 0.
    """
    middle = B.mean(axis=0, dtype=np.float64)
    A, B = A - middle, B - middle
    a, b = np.einsum("ij,ij->i", A, A), np.einsum("ij,ij->i", B, B)
    d2 = A @ (-2.0 * B.T)
    d2 += a[:, None]
    d2 += b
    d2[d2 < 1e-13 * max(a.max(initial=0.0), b.max(initial=0.0))] = 0.0
    return d2


def nearest_rows(X: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The number (n,) of the point (c, p) nearest to each row of X (n, p)."""
    size = max(1, _CHUNK // max(1, len(points)))
    return np.concatenate([square_table(X[part], points).argmin(axis=1) for part in chunks(len(X), size)])


def squares_to_own(X: np.ndarray, labels: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared distance (n,) in float64 of each row of X (n, p) to the centre that its label (n,) names."""
    out = np.empty(len(X))
    for part in chunks(len(X), max(1, _CHUNK // X.shape[1])):
        step = X[part].astype(np.float64) - centres[labels[part]]
        out[part] = np.einsum("ij,ij->i", step, step)
    return out
