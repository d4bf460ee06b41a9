"""Which rows lie so far from all training rows that no expert should speak for them.

A row is far when its distance to the k-th nearest training row exceeds `factor` times the `quantile` of the
training rows' own leave-one-out distances. Distances are taken between standardised inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

REFERENCE_ROWS = 20_000  # more rows make the tree slower and the rule hardly sharper
QUANTILE_ROWS = 2_000  # leave-one-out distances that estimate the quantile: 20 lie beyond the 99 % point
SCREEN_ROWS = 512  # a row with k of these within the limit is near, whatever the other rows are
SAME = 6  # decimals of a standard deviation: rows that agree so far are one point of a design
CHUNK = 2_048  # rows compared at once with the screen: 8 MB of distances


@dataclass(frozen=True)
class Far:
    """The training rows in brief: `is_far` says which new rows lie beyond them.

    reference (m, d) holds standardised distinct training rows; scale (d,) is 1 and weights (d,) are 0 for
    columns that were constant in training, which leave every distance; a row is far when the k-th nearest
    reference row is farther than `limit`.
    """

    center: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    reference: np.ndarray
    k: int
    limit: float

    def is_far(self, X: np.ndarray) -> np.ndarray:
        """True (n,) where X (n, d) is far from the training rows; rows that are not finite are far."""
        X = np.asarray(X, float)
        far = np.ones(len(X), bool)
        finite = np.flatnonzero(np.isfinite(X).all(1))
        Z = (X[finite] - self.center) / self.scale * self.weights
        open_rows = ~_surely_near(Z, self.reference, self.k, self.limit)
        beyond = np.zeros(len(Z), bool)
        if open_rows.any():
            tree = cKDTree(self.reference)
            beyond[open_rows] = _kth(tree, Z[open_rows], self.k) > self.limit
        far[finite] = beyond
        return far


def fit_far(
    X: np.ndarray,
    w: np.ndarray,
    *,
    k: int = 5,
    factor: float = 3.0,
    quantile: float = 0.99,
    column_scale: np.ndarray | None = None,
) -> Far:
    """The rule for rows of X (n, d) with weights w (n,); rows of weight zero do not exist.

    column_scale (d,): where finite, the column is multiplied by it instead of being standardised (one-hot
    columns: 1/sqrt(2), so that two levels lie at distance 1); NaN means standardise. Identical rows count as
    one row of their summed weight, so that replicates of a designed experiment do not shrink the distances to
    zero. With fewer than k + 1 distinct rows, the farthest of them takes the place of the k-th.
    """
    X, w = np.asarray(X, float)[np.asarray(w) > 0], np.asarray(w, float)[np.asarray(w) > 0]
    center, scale, weights = standardisation(X, w, column_scale=column_scale)
    points, mass = _distinct((X - center) / scale * weights, w)
    keep = _evenly(len(points), REFERENCE_ROWS)
    points, mass = points[keep], mass[keep]
    nearest = min(k, len(points) - 1)
    if nearest == 0:
        return Far(center, scale, weights, points, 1, 10.0**-SAME)
    asked = _evenly(len(points), QUANTILE_ROWS)
    own = _kth(cKDTree(points), points[asked], nearest + 1)  # the nearest of all is the row itself
    limit = factor * _weighted_quantile(own, mass[asked], quantile)
    return Far(center, scale, weights, points, nearest, max(limit, 10.0**-SAME))


def standardisation(
    X: np.ndarray, w: np.ndarray, *, column_scale: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre, scale and weight (d,) of the columns, so that (X - center) / scale * weight is standardised.

    Centre and scale are weighted mean and standard deviation; constant columns get scale 1 and weight 0. A
    finite entry of `column_scale` multiplies its column instead.
    """
    center = np.average(X, axis=0, weights=w)
    spread = np.sqrt(np.average((X - center) ** 2, axis=0, weights=w))
    # A constant column's mean is not exact: its spread is rounding, relative to its size.
    varies = spread > 1e-9 * np.maximum(np.abs(center), np.finfo(float).tiny)
    scale = np.where(varies, spread, 1.0)
    if column_scale is not None:
        given = np.isfinite(column_scale) & varies
        scale = np.where(given, 1.0 / np.where(given, column_scale, 1.0), scale)
    return center, scale, varies.astype(float)


def _distinct(Z: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows in lexical order, and their summed weights: the same whatever the order of the rows."""
    points, inverse = np.unique(np.round(Z, SAME), axis=0, return_inverse=True)
    return points, np.bincount(inverse.ravel(), w, len(points))


def _evenly(count: int, most: int) -> np.ndarray:
    """At most `most` indices spread evenly over range(count); all of them if they fit."""
    if count <= most:
        return np.arange(count)
    return np.floor(np.arange(most) * (count / most)).astype(int)


def _kth(tree: cKDTree, Z: np.ndarray, k: int) -> np.ndarray:
    return tree.query(Z, k=[k])[0][:, 0]


def _weighted_quantile(values: np.ndarray, mass: np.ndarray, quantile: float) -> float:
    """The least value that at least this share of the mass does not exceed."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(mass[order])
    return float(values[order][min(np.searchsorted(below, quantile * below[-1]), len(values) - 1)])


def _surely_near(Z: np.ndarray, reference: np.ndarray, k: int, limit: float) -> np.ndarray:
    """True where k rows of a small screen already lie within the limit, so that the tree need not be asked.

    The limit is several spacings of the training rows, so the screen settles almost every row of a table.
    """
    near = np.zeros(len(Z), bool)
    screen = reference[_evenly(len(reference), SCREEN_ROWS)]
    if len(screen) == len(reference) or len(Z) < len(screen):
        return near
    for start in range(0, len(Z), CHUNK):
        rows = slice(start, start + CHUNK)
        near[rows] = (cdist(Z[rows], screen, "sqeuclidean") <= limit**2).sum(1) >= k
    return near
