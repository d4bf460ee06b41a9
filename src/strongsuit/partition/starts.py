"""Where a competition begins: the first owners of the rows."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans

from strongsuit.core.keys import Key

TARGET_WEIGHT = 3.0  # how much a standardised target counts against one standardised input
STARTS = ("kmeans_xy", "residual", "random", "kmeans_x")


def first_owners(
    key: Key, start: str, Z: np.ndarray, Y: np.ndarray, residual: np.ndarray, w: np.ndarray, *, models: int
) -> np.ndarray:
    """Owner (n,) of every row under a named start rule.

    Z (n, d) standardised inputs, Y (n, q) standardised targets, residual (n, q) of a simple global
    model, standardised.
    """
    if start == "random":
        return key.numpy().integers(0, models, len(Z))
    extra = {"kmeans_xy": Y, "residual": residual, "kmeans_x": Y[:, :0]}[start]
    features = np.hstack([Z, TARGET_WEIGHT * extra])
    means = KMeans(models, n_init=1, random_state=key.integer())
    return means.fit(features, sample_weight=w).labels_
