"""Which leaf of which tree a row falls into, for every library of tree ensembles.

A tree ensemble is linear in its leaf values: the gradient of a prediction with respect to them is a one-hot vector for
each tree, scaled by what the tree counts. Two rows are alike in the share of trees that send them to the same leaf.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from strongsuit.core.arrays import map_chunks
from strongsuit.core.keys import Key
from strongsuit.core.sketches import sketch_groups

PAGE = 8192  # rows whose leaves are held at once


def has_leaves(estimator: Any) -> bool:
    """Whether the fitted estimator is a tree or an ensemble of trees that says where rows fall."""
    return any(knows(estimator) for knows, _ in _LIBRARIES)


def leaf_indices(estimator: Any, X: np.ndarray) -> np.ndarray:
    """Numbers (n, trees) of the leaves of a fitted tree ensemble into which the rows of X (n, d) fall.

    Numbers are distinct within a tree; trees that grow one for each class or output stand side by side.
    """
    read = next(read for knows, read in _LIBRARIES if knows(estimator))
    return np.asarray(read(estimator, X)).reshape(len(X), -1).astype(np.int64)


def leaf_features(key: Key, estimator: Any, X: np.ndarray, width: int) -> np.ndarray:
    """Features (n, width) whose expected inner product is the share of trees in which two rows share their leaf.

    All trees count the same: a forest averages its trees, boosting multiplies every tree by one learning rate. The
    scale is immaterial, so the shares sum to one.
    """

    def page(rows: np.ndarray) -> np.ndarray:
        leaf = leaf_indices(estimator, rows)
        return sketch_groups(key, leaf, np.full(leaf.shape[1], 1.0 / leaf.shape[1]), width)

    return map_chunks(page, X, size=PAGE)


def _is_histogram(estimator: Any) -> bool:
    return all(hasattr(estimator, name) for name in ("_predictors", "_bin_mapper", "_preprocess_X"))


def _histogram(estimator: Any, X: np.ndarray) -> np.ndarray:
    """Histogram gradient boosting offers no `apply`. Its own compiled walk returns the value of a leaf, so it is sent
    through copies of the trees in which the value is the node's number: missing values and categories go the same way
    as in a prediction."""
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

    X = estimator._preprocess_X(X, reset=False)
    known, columns = estimator._bin_mapper.make_known_categories_bitsets()
    threads = _openmp_effective_n_threads(None)
    trees = [_numbered(tree) for tree in chain.from_iterable(estimator._predictors)]
    return np.stack([tree.predict(X, known, columns, threads) for tree in trees], axis=1)


def _numbered(tree: Any) -> Any:
    nodes = tree.nodes.copy()
    nodes["value"] = np.arange(len(nodes))
    return type(tree)(nodes, tree.binned_left_cat_bitsets, tree.raw_left_cat_bitsets)


def _is_lightgbm(estimator: Any) -> bool:
    return hasattr(estimator, "booster_")


def _lightgbm(estimator: Any, X: np.ndarray) -> np.ndarray:
    return estimator.booster_.predict(X, pred_leaf=True)


def _has_apply(estimator: Any) -> bool:
    """scikit-learn's trees, forests and gradient boosting, and XGBoost."""
    return callable(getattr(estimator, "apply", None))


def _apply(estimator: Any, X: np.ndarray) -> np.ndarray:
    return estimator.apply(X)


_LIBRARIES: tuple[tuple[Callable[[Any], bool], Callable[[Any, np.ndarray], np.ndarray]], ...] = (
    (_is_histogram, _histogram),
    (_is_lightgbm, _lightgbm),
    (_has_apply, _apply),
)
