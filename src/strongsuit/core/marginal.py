"""Marginal likelihoods of fitted models, so that groupings of rows can be compared: what each model says of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Marginal:
    """A fitted model's terms of a Gaussian marginal likelihood: `misfit` (k,), the penalised sum of squares
    of every output, `dof`, the rows it leaves for the noise, and `occam`, what the parameters cost."""

    misfit: np.ndarray
    dof: float
    occam: float


def log_marginal(parts: Sequence[Marginal]) -> float:
    """Log marginal likelihood of models that share one noise level and own disjoint rows, up to a constant
    (Bishop, Pattern Recognition and Machine Learning, equations 3.86 to 3.95)."""
    dof = max(sum(part.dof for part in parts), 1e-9)
    misfit = np.maximum(sum(part.misfit for part in parts), 1e-300)
    return float(-0.5 * dof * np.log(misfit / dof).sum() - sum(part.occam for part in parts))
