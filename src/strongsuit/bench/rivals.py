"""Methods of others on encoded matrices, each at or near its defaults: (X, y, X_test, seed) -> predictions."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from strongsuit._optional import require

Rival = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]
TREES = 200
ITERATIONS = 300
CLUSTERS = 3
EXPERTS = ("RBF", "KPLS")  # others of SMT's surrogates fail on collinear columns


def cubist(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, seed: int) -> np.ndarray:
    """Cubist (Quinlan), one rule set with linear models."""
    return _cubist(X, y, X_test, n_committees=1, neighbors=None, random_state=seed)


def cubist_committees(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, seed: int) -> np.ndarray:
    """Cubist with 20 committees and five neighbours' correction."""
    return _cubist(X, y, X_test, n_committees=20, neighbors=5, random_state=seed)


def boosting(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, seed: int) -> np.ndarray:
    """scikit-learn's histogram gradient boosting, 300 iterations."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(max_iter=ITERATIONS, early_stopping=False, random_state=seed)
    return model.fit(X, y).predict(X_test)


def forest(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, seed: int) -> np.ndarray:
    """A random forest of 200 trees."""
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(TREES, random_state=seed).fit(X, y).predict(X_test)


def linear_tree(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, seed: int) -> np.ndarray:
    """The package linear-tree: a tree with least squares in its leaves."""
    from sklearn.linear_model import LinearRegression

    trees = require("lineartree", extra="peers")
    return trees.LinearTreeRegressor(LinearRegression()).fit(X, y).predict(X_test)


def smt_experts(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, seed: int) -> np.ndarray:
    """SMT's mixture of experts: three clusters of (x, y), the better of RBF and KPLS in each, smooth blending."""
    applications = require("smt.applications", extra="peers")
    np.random.seed(seed)  # its clustering draws from NumPy's global generator
    with contextlib.redirect_stdout(io.StringIO()):
        model = applications.MOE(n_clusters=CLUSTERS, allow=list(EXPERTS))
        model.set_training_values(X, y[:, None])
        model.train()
        return np.asarray(model.predict_values(X_test), dtype=float)[:, 0]


def _cubist(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, **options: Any) -> np.ndarray:
    package = require("cubist", extra="peers")
    names = [f"x{j}" for j in range(X.shape[1])]
    model = package.Cubist(**options).fit(pd.DataFrame(X, columns=names), pd.Series(y, name="y"))
    return np.asarray(model.predict(pd.DataFrame(X_test, columns=names)), dtype=float)
