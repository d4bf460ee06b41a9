"""Gradient features of fitted estimators that are no networks: leaves, inputs of linear models, or a surrogate's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from strongsuit.core.keys import Key, key_for
from strongsuit.core.sketches import matern_features, sketch_columns
from strongsuit.learners.leaves import has_leaves, leaf_features

LEAST_WEIGHT = 0.01  # of a column in the surrogate's distance, as in the weighted inputs of active.embeddings
PROBED = 256  # training rows on which columns are shuffled and distances measured
LEAVES, LINEAR, SURROGATE = "leaves", "linear", "surrogate"


def kind_of(estimator: Any) -> str:
    """LEAVES, LINEAR or SURROGATE: where the gradient features of a fitted estimator come from."""
    model = _innermost(estimator)
    if np.ndim(getattr(model, "coef_", None)):  # machines with a curved kernel, and trees in XGBoost, have none
        return LINEAR
    return LEAVES if has_leaves(model) else SURROGATE


def gradient_features(key: Key, estimator: Any, X: np.ndarray, seen: np.ndarray, width: int) -> np.ndarray:
    """Features (n, width) of a tree ensemble or a linear model, alone or at the end of a pipeline.

    A linear model's gradient is its input with a 1 appended; inputs are centred and scaled by the training rows `seen`,
    since a column's unit is no measure of how much there is to learn about its coefficient.
    """
    model, Z = _innermost(estimator), _transformed(estimator, X)
    if kind_of(estimator) == LEAVES:
        return leaf_features(key, model, Z, width)
    Z = _standardised(Z, _transformed(estimator, seen))
    return sketch_columns(key, np.hstack([Z, np.ones((len(Z), 1))]), width)


def surrogate_features(
    key: Key, predict: Callable[[np.ndarray], np.ndarray], X: np.ndarray, seen: np.ndarray, width: int
) -> np.ndarray:
    """Features (n, width) of a Gaussian process that stands in for a model which exposes nothing but `predict`.

    Kernel: Matern 5/2 on inputs standardised by the training rows `seen`, each column weighted by the root of its
    total effect on the model's predictions, the length the median distance of the training rows.
    """
    seen = seen[:PROBED]
    weight = _effects(key_for(key, "effects"), predict, seen)
    shown = _standardised(seen, seen) * weight
    return matern_features(key_for(key, "waves"), _standardised(X, seen) * weight, _median_distance(shown), width)


def _effects(key: Key, predict: Callable[[np.ndarray], np.ndarray], seen: np.ndarray) -> np.ndarray:
    """Weights (d,) in [LEAST_WEIGHT, 1]: by how much predictions move when a column is shuffled.

    The mean square move is twice the variance times the column's total Sobol index (Jansen 1999).
    """
    said, moves = predict(seen), np.zeros(seen.shape[1])
    order = key.numpy().permutation(len(seen))
    partner = np.empty_like(order)
    partner[order] = np.roll(order, 1)  # one cycle: no row is its own partner
    for j in range(seen.shape[1]):
        moved = seen.copy()
        moved[:, j] = seen[partner, j]
        moves[j] = ((predict(moved) - said) ** 2).mean()
    top = moves.max(initial=0.0)
    return np.maximum(np.sqrt(moves / top), LEAST_WEIGHT) if top > 0 else np.ones(len(moves))


def _standardised(X: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """X (n, d) by mean and standard deviation of the rows seen; missing values lie at the mean, and columns in which
    nothing was seen to vary count for nothing."""
    known = np.isfinite(seen)
    count = np.maximum(known.sum(0), 1)
    center = np.where(known, seen, 0.0).sum(0) / count
    spread = np.sqrt((np.where(known, seen - center, 0.0) ** 2).sum(0) / count)
    spread = np.where(spread > 1e-9 * np.maximum(1.0, np.abs(center)), spread, np.inf)
    return np.nan_to_num((X - center) / spread, nan=0.0)


def _median_distance(Z: np.ndarray) -> float:
    """The median distance between rows, 1 if it is zero."""
    squares = (Z**2).sum(1)
    between = np.maximum(squares[:, None] + squares[None] - 2 * Z @ Z.T, 0.0)[np.triu_indices(len(Z), 1)]
    return float(np.sqrt(np.median(between))) if len(between) and np.median(between) > 0 else 1.0


def _innermost(estimator: Any) -> Any:
    """The model inside pipelines, searches and transformed targets."""
    while (wrapped := _wrapped(estimator)) is not None:
        estimator = wrapped
    return estimator


def _wrapped(estimator: Any) -> Any:
    steps = getattr(estimator, "steps", None)
    if steps:
        return steps[-1][1]
    for name in ("best_estimator_", "regressor_"):
        if hasattr(estimator, name):
            return getattr(estimator, name)
    return None


def _transformed(estimator: Any, X: np.ndarray) -> np.ndarray:
    """The inputs as the innermost model sees them, in float64."""
    while (wrapped := _wrapped(estimator)) is not None:
        if len(getattr(estimator, "steps", ())) > 1:
            X = estimator[:-1].transform(X)
        estimator = wrapped
    X = X.toarray() if hasattr(X, "toarray") else X
    return np.asarray(X, float)
