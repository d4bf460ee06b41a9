"""What all baselines share: standardised rows, and the choice among plans by rows left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from strongsuit.core.keys import Key
from strongsuit.core.learner import Prediction
from strongsuit.partition.units import mean_and_error, split, standardise, unit_ids
from strongsuit.partition.values import Rows

BUILD_SHARE = 0.7  # of the rows build the plans, the others judge them, as in the guarded pipelines
Plan = TypeVar("Plan")


@dataclass(frozen=True)
class Scale:
    """Centre and spread of inputs (d,) and targets (q,); constant inputs have an infinite spread."""

    center: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    unit: np.ndarray

    def inputs(self, X: np.ndarray) -> np.ndarray:
        """Standardised inputs (n, d)."""
        return (np.asarray(X, float) - self.center) / self.spread


@dataclass(frozen=True)
class Scaled:
    """A model of standardised rows with its scale: the parameters of every baseline."""

    scale: Scale
    model: Any

    def predict(self, X: np.ndarray) -> Prediction:
        """Means (n, q), and variances where the model knows them, in target units."""
        said = self.model.predict(self.scale.inputs(X))
        variance = None if said.variance is None else said.variance * self.scale.unit**2
        return Prediction(said.mean * self.scale.unit + self.scale.low, variance)


def standard_rows(X: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[Rows, Scale]:
    """The rows of positive weight, inputs and targets standardised, weights of mean one."""
    X, y, w = (np.asarray(array, dtype=float) for array in (X, y, w))
    alive = w > 0
    X, Y, w = X[alive], y.reshape(len(y), -1)[alive], w[alive] / w[alive].mean()
    center, spread = standardise(X, w)
    low, unit = standardise(Y, w)
    scale = Scale(center, spread, low, np.where(np.isfinite(unit), unit, 1.0))
    units = unit_ids(X, None)
    return Rows(scale.inputs(X), (Y - low) / scale.unit, w, units), scale


def squared(model: Any, rows: Rows) -> np.ndarray:
    """Squared errors (n,) of the model's means, averaged over the outputs."""
    return np.mean((rows.Y - model.predict(rows.X).mean) ** 2, axis=1)


def judge(
    key: Key, rows: Rows, plans: Sequence[Plan], fit: Callable[[Rows, Plan], Any], loss: Callable = squared
) -> Plan:
    """The plan of least mean loss on rows that did not build it; the first one where rows are too few or plans tie.

    A plan whose fit fails in its arithmetic loses.
    """
    if len(plans) == 1 or len(np.unique(rows.units)) < 4:
        return plans[0]
    build = split(key, rows.units, BUILD_SHARE)
    left_out = rows.take(~build)
    totals = [float(left_out.w @ one) for one in _losses(rows.take(build), left_out, plans, fit, loss)]
    return plans[int(np.argmin(totals))]


def climb(
    key: Key, rows: Rows, plans: Sequence[Plan], fit: Callable[[Rows, Plan], Any], *, errors: float = 1.0
) -> Plan:
    """The last of ever larger plans that each improved on the one before by `errors` standard errors."""
    if len(plans) == 1 or len(np.unique(rows.units)) < 4:
        return plans[0]
    build = split(key, rows.units, BUILD_SHARE)
    left_out = rows.take(~build)
    before, best = None, plans[0]
    for plan in plans:
        (now,) = _losses(rows.take(build), left_out, [plan], fit, squared)
        if before is not None:
            gain, error = mean_and_error(before - now, left_out.w, left_out.units)
            if not gain > errors * error:
                break
        before, best = now, plan
    return best


def _losses(build: Rows, left_out: Rows, plans, fit, loss) -> list[np.ndarray]:
    found = []
    for plan in plans:
        try:
            one = loss(fit(build, plan), left_out)
        except (np.linalg.LinAlgError, FloatingPointError):
            one = np.full(len(left_out), np.inf)
        found.append(np.where(np.isfinite(one), one, np.inf))
    return found
