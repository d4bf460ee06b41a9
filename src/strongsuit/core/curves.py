"""Figures of learning curves: area against random, batch diversity, labels needed. A curve is an error by label count.

Names follow "Does Deep Active Learning Work in the Wild?" (arXiv 2302.00098); where its text does not fix a formula,
the form is ours and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from strongsuit.core.keys import Key, key_for
from strongsuit.core.nearest import kth_distance
from strongsuit.errors import InputError

POOL_BATCHES = 10  # random batches whose diversity stands for the pool's
STEPS_BELOW = 5  # a run of the data burden ends after so many steps below the cutoff, counted in all
LATE = 0.1  # the last share of a curve, which the linear area hardly sees


@dataclass(frozen=True)
class Burden:
    """Labels that a method needs to bring its error below a cutoff, over those that random needs.

    `ratio` is a bound where a median run never got there: `sign` is "=" for a value, ">" if the method's did not,
    "<" if random's did not, "?" if neither did (and the ratio says nothing). `method` and `random` are medians.
    """

    ratio: float
    sign: str
    method: float
    random: float

    def __str__(self) -> str:
        if self.sign == "?":
            return "not reached"
        return f"{'' if self.sign == '=' else self.sign}{self.ratio:.2f}"


@dataclass(frozen=True)
class Areas:
    """Of repetitions (s,): the area under their curves, and the mean of the error's logarithm over label counts."""

    linear: np.ndarray
    log: np.ndarray


def area(labels: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Trapezoid area (...) under error (..., t) over label counts (t,).

    Raises InputError for fewer than two points, counts that do not grow, or values that are not finite.
    """
    labels, error = np.asarray(labels, float), np.asarray(error, float)
    if labels.ndim != 1 or len(labels) < 2 or np.any(np.diff(labels) <= 0):
        raise InputError("labels must be two or more growing counts")
    if error.shape[-1] != len(labels) or not np.all(np.isfinite(error)):
        raise InputError(f"a curve must have a finite error for each of the {len(labels)} label counts")
    return np.trapezoid(error, labels, axis=-1)


def log_area(labels: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Trapezoid mean (...) of log error (..., t) over label counts (t,); errors must be positive."""
    if np.any(np.asarray(error) <= 0):
        raise InputError("the logarithm of an error needs positive errors: a curve reached 0")
    return area(labels, np.log(error)) / (labels[-1] - labels[0])


def late_log(error: np.ndarray) -> np.ndarray:
    """Mean (...) of log error (..., t) over the last LATE of the label counts, at least one; errors > 0."""
    last = np.asarray(error)[..., -max(1, round(LATE * np.shape(error)[-1])) :]
    if np.any(last <= 0):
        raise InputError("the logarithm of an error needs positive errors: a curve reached 0")
    return np.log(last).mean(axis=-1)


def areas(labels: np.ndarray, error: np.ndarray) -> Areas:
    """Both areas of repetitions (s, t) over label counts (t,). Raises InputError like `area` and `log_area`."""
    return Areas(area(labels, error), log_area(labels, error))


def nauc(method: Areas, random: Areas) -> float:
    """Linear nAUC: mean area of the method's curves over the mean area of random's; above 1 is worse.

    The name is published, this form is ours. The first steps rule it: see `nauc_log`.
    """
    return float(np.mean(method.linear) / np.mean(random.linear))


def nauc_log(method: Areas, random: Areas) -> float:
    """Logarithmic nAUC: the geometric mean, over label counts and repetitions, of the error over random's (ours)."""
    return float(np.exp(np.mean(method.log - random.log)))


def error_at(labels: np.ndarray, error: np.ndarray, count: float) -> np.ndarray:
    """The error (...) of curves (..., t) at the last label count that is at most `count`."""
    at = int(np.searchsorted(labels, count, side="right")) - 1
    if at < 0:
        raise InputError(f"no curve has an error at {count} labels: the first is at {labels[0]}")
    return np.asarray(error)[..., at]


def labels_to_reach(labels: np.ndarray, error: np.ndarray, cutoff: float | np.ndarray, *, steps: int = 1) -> np.ndarray:
    """Labels (s,) at the first of `steps` points below the cutoff, in all and not in a row; inf where there are fewer.

    cutoff is a number or one per run (s,).
    """
    below = np.atleast_2d(error) < np.reshape(cutoff, (-1, 1))
    reached = below.sum(axis=1) >= steps
    return np.where(reached, np.asarray(labels, float)[below.argmax(axis=1)], np.inf)


def data_burden(method: np.ndarray, random: np.ndarray, *, last: float) -> Burden:
    """Median labels that the method's runs (s,) needed over the median of random's; below 1 is good.

    Labels are those of `labels_to_reach` with `STEPS_BELOW` points; a run that never got there, inf, is censored at
    its `last` point, so that a median among such runs is a bound. (Published; counting from the first is ours.)
    """
    (own, own_censored), (other, other_censored) = (_median(needed, last) for needed in (method, random))
    sign = {(False, False): "=", (True, False): ">", (False, True): "<", (True, True): "?"}
    return Burden(own / other, sign[own_censored, other_censored], own, other)


def _median(needed: np.ndarray, last: float) -> tuple[float, bool]:
    """The median count of labels, with censored runs at their last point, and whether it is only a bound."""
    filled = np.where(np.isfinite(needed), needed, last)
    return float(np.median(filled)), not np.isfinite(np.median(needed))


def diversity(batch: np.ndarray) -> float:
    """D: mean distance of a row of the batch (b, d) to its nearest other row; duplicates count with 0, b >= 2."""
    if len(batch) < 2:
        raise InputError(f"the diversity of a batch needs at least two rows, got {len(batch)}")
    return float(kth_distance(batch, batch, 2).mean())


def relative_diversity(key: Key, batch: np.ndarray, pool: np.ndarray, *, batches: int = POOL_BATCHES) -> float:
    """D of a batch (b, d) over the mean D of random batches of its pool (n, d): 1 for a random batch of any pool.

    Far below 1 is collapse. NaN for a pool without spread. (Published name; dividing by batches of equal size is ours,
    since the pool's own D falls with its size.)
    """
    draws = [key_for(key, draw).numpy().choice(len(pool), len(batch), replace=False) for draw in range(batches)]
    return _ratio(diversity(batch), float(np.mean([diversity(pool[rows]) for rows in draws])))


def pool_relative_diversity(batch: np.ndarray, pool: np.ndarray) -> float:
    """D of a batch over D of its whole pool: above 1 for a random batch, and more so the larger the pool."""
    return _ratio(diversity(batch), diversity(pool))


def ndiv(key: Key, batches: Sequence[np.ndarray], pools: Sequence[np.ndarray], *, whole_pool: bool = False) -> float:
    """nDiv of a run: the mean over its steps of `relative_diversity`, or of `pool_relative_diversity`.

    Steps whose pool has no spread are left out; NaN if all are.
    """
    ratios = [
        pool_relative_diversity(batch, pool) if whole_pool else relative_diversity(key_for(key, step), batch, pool)
        for step, (batch, pool) in enumerate(zip(batches, pools, strict=True))
    ]
    known = [ratio for ratio in ratios if np.isfinite(ratio)]
    return float(np.mean(known)) if known else float("nan")


def _ratio(over: float, under: float) -> float:
    return over / under if under > 0 else float("nan")
