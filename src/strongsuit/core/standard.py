"""Columns of mean 0 and deviation 1, on the host."""

from __future__ import annotations

import numpy as np

CONSTANT = 1e-12  # of a column's largest size, or of 1: a smaller deviation is rounding


def standard(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and deviations (d,) of the columns of X (n, d); infinity for a constant column, which so becomes 0."""
    spread = X.std(0)
    return X.mean(0), np.where(spread > CONSTANT * np.maximum(1.0, np.abs(X).max(0)), spread, np.inf)
