"""Paired comparison over random splits, with the correction that overlapping training sets ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Paired:
    """Mean of paired differences, its corrected standard error, two-sided p, and a 95 % interval."""

    mean: float
    error: float
    p: float
    low: float
    high: float


def paired_test(a: Sequence[float], b: Sequence[float], *, test_share: float) -> Paired:
    """The corrected resampled t test of a - b over random splits (Nadeau and Bengio, 2003).

    `test_share` is test rows over training rows; the variance of the mean is (1/J + test_share) s^2, since
    J splits of one table are no independent samples. With one split nothing is known: p = 1.
    """
    difference = np.asarray(a, float) - np.asarray(b, float)
    mean, count = float(difference.mean()), len(difference)
    if count < 2:
        return Paired(mean, np.inf, 1.0, -np.inf, np.inf)
    error = float(np.sqrt((1 / count + test_share) * difference.var(ddof=1)))
    if error == 0.0:
        return Paired(mean, 0.0, 1.0 if mean == 0.0 else 0.0, mean, mean)
    p = float(2 * student.sf(abs(mean) / error, count - 1))
    reach = float(student.ppf(0.5 + CONFIDENCE / 2, count - 1)) * error
    return Paired(mean, error, p, mean - reach, mean + reach)


def holm(p: Sequence[float]) -> np.ndarray:
    """Adjusted p values by Holm's (1979) step-down rule; below alpha they reject family-wise at alpha."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    scaled = np.minimum(p[order] * np.arange(len(p), 0, -1), 1.0)
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(scaled)
    return adjusted
