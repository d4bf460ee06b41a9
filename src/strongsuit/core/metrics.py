"""Losses, intervals and paired tests: what every comparison in this package is reported with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from strongsuit.core.keys import Key

CONFIDENCE = 0.95
_DRAWS = 2000  # bootstrap draws: the ends of a 95 % interval then rest on about fifty draws each


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Paired:
    """Mean of paired differences, its standard error, two-sided p, and the ends of its 95 % interval."""

    mean: float
    error: float
    p: float
    low: float
    high: float


def row_losses(y: np.ndarray, mean: np.ndarray, *, omega: np.ndarray | None = None) -> np.ndarray:
    """Squared errors (n,) or (m, n), summed over outputs with weights omega (k,); equal weights by default.

    y (n, k); mean (n, k) or, of m models, (m, n, k). Standardise y first to compare outputs of different units.
    """
    k = y.shape[-1]
    omega = np.full(k, 1.0 / k) if omega is None else np.asarray(omega, float)
    return (np.asarray(mean) - y) ** 2 @ omega


def weighted_mse(
    y: np.ndarray, mean: np.ndarray, w: np.ndarray | None = None, *, omega: np.ndarray | None = None
) -> float:
    """Mean of `row_losses` with row weights w (n,)."""
    return float(np.average(row_losses(y, mean, omega=omega), weights=w))


def relative_mse(y: np.ndarray, mean: np.ndarray, w: np.ndarray | None = None) -> float:
    """Squared error over the variance of y, averaged over outputs; 1 is as good as the mean of y.

    Outputs that do not vary are left out; nan if none varies.
    """
    center = np.average(y, axis=0, weights=w)
    variance = np.average((y - center) ** 2, axis=0, weights=w)
    error = np.average((mean - y) ** 2, axis=0, weights=w)
    varies = variance > 0
    return float(np.mean(error[varies] / variance[varies])) if varies.any() else float("nan")


def t_interval(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval:
    """Student's interval for the mean of independent values; unbounded for fewer than two."""
    values = np.asarray(values, float)
    mean, n = float(values.mean()), len(values)
    if n < 2:
        return Interval(mean, -np.inf, np.inf)
    reach = float(stats.t.ppf(0.5 + confidence / 2, n - 1) * values.std(ddof=1) / n**0.5)
    return Interval(mean, mean - reach, mean + reach)


def bootstrap_interval(
    key: Key,
    values: Sequence[float],
    *,
    statistic: Callable[[np.ndarray], np.ndarray] = lambda draws: draws.mean(axis=-1),
    confidence: float = CONFIDENCE,
) -> Interval:
    """Percentile bootstrap interval (Efron 1979) of a statistic of independent values.

    `statistic` maps (draws, n) to (draws,).
    """
    values = np.asarray(values, float)
    drawn = values[key.numpy().integers(len(values), size=(_DRAWS, len(values)))]
    low, high = np.quantile(statistic(drawn), [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Interval(float(statistic(values[None])[0]), float(low), float(high))


def paired_test(a: Sequence[float], b: Sequence[float], *, test_share: float = 0.0) -> Paired:
    """The t test of a - b over random splits, corrected for training sets that overlap (Nadeau and Bengio 2003).

    `test_share` is test rows over training rows; the variance of the mean is (1/J + test_share) s^2, since J splits
    of one table are no independent samples. 0 is the plain paired t test. With one split nothing is known: p = 1.
    """
    difference = np.asarray(a, float) - np.asarray(b, float)
    mean, count = float(difference.mean()), len(difference)
    if count < 2:
        return Paired(mean, np.inf, 1.0, -np.inf, np.inf)
    error = float(np.sqrt((1 / count + test_share) * difference.var(ddof=1)))
    if error == 0.0:
        return Paired(mean, 0.0, 1.0 if mean == 0.0 else 0.0, mean, mean)
    p = float(2 * stats.t.sf(abs(mean) / error, count - 1))
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1)) * error
    return Paired(mean, error, p, mean - reach, mean + reach)


def signed_rank_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Two-sided p of Wilcoxon's (1945) signed-rank test of a - b, as over data sets (Demsar 2006); 1 if equal."""
    difference = np.asarray(a, float) - np.asarray(b, float)
    if not np.any(difference):
        return 1.0
    return float(stats.wilcoxon(difference, zero_method="zsplit").pvalue)


def holm(p: Sequence[float]) -> np.ndarray:
    """Adjusted p values by Holm's (1979) step-down rule; those below alpha are rejected, family-wise at alpha."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    scaled = np.minimum(p[order] * np.arange(len(p), 0, -1), 1.0)
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(scaled)
    return adjusted
