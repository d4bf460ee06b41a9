"""The support vector machine that stores a partition: which regime a row belongs to, and how sure that is.

Labels of the training rows go in, and a frozen `Boundary` comes out that labels any row. Up to `max_rows`
rows a support vector machine is fitted to all of them (linear or RBF kernel, chosen by accuracy on held-out
units: boundary_search.py), with boosted trees over it where held-out units clearly prefer them
(boundary_boosted.py); beyond, see boundary_large.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import softmax

from strongsuit.core.keys import Key, key_for
from strongsuit.errors import InputError
from strongsuit.partition.boundary_boosted import boosted_logits, fit_boosting, rival
from strongsuit.partition.boundary_large import fit_large
from strongsuit.partition.boundary_search import (
    CLEAN,
    LINEAR_C,
    SMOOTH_C,
    Choice,
    Found,
    Settings,
    calibrated,
    choose,
    compare,
    fit_settled,
    grid,
)
from strongsuit.partition.labelled import Labelled
from strongsuit.partition.margins import SHARP, log_scores, margins
from strongsuit.partition.routing import standardisation

KINDS = ("auto", "linear", "rbf", "boosted", "active_linear", "active_rbf")
MAX_ROWS = 3_000  # beyond, the active machine and boosting are both cheaper and more accurate (docs/performance)
SMOOTH_COLUMNS = 500  # beyond, an RBF kernel sees only noise: linear
CALIBRATION_ROWS, CALIBRATION_FOLDS = 600, 3  # with settings given: the temperature is one number
BOOST_COLUMNS, BOOST_LEAST, BOOST_FOLDS = 2, 400, 2  # trees need rows, and one column is the machine's own ground
PLAIN = {"linear": Settings("linear", 1.0), "rbf": Settings("rbf", 10.0)}  # where nothing can be held out
PREDICT_ROWS = 65_536  # rows standardised at once


@dataclass(frozen=True)
class Boundary:
    """A stored partition: `labels` and `probabilities` of any rows of d inputs.

    classes (r,) are the regime numbers 0..r-1, present (p,) those that had rows. center, scale and weights
    (d,) standardise as (X - center) / scale * weights; constant columns have scale 1 and weight 0. model is an
    SVC, for the kind "boosted" a dictionary {"svm", "boosting"} of two estimators, for one regime None.
    temperature and cap turn margins into probabilities (margins.log_scores); a degraded boundary is always
    certain, its temperature 0. accuracy is held out by unit (NaN if degraded), compared holds the best
    held-out accuracy of each kind tried, and settings spares a later fit the search.
    """

    kind: str
    classes: np.ndarray
    present: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    model: Any
    temperature: float
    cap: float
    accuracy: float
    degraded: bool
    settings: Settings | None = None
    compared: tuple[tuple[str, float], ...] = ()

    def labels(self, X: np.ndarray) -> np.ndarray:
        """Regime number (n,) of each row of X (n, d): the most probable one, ties to the lowest."""
        return self.classes[self.probabilities(X).argmax(axis=1)]

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        """Probability (n, r) of each regime, rows summing to one; zero for regimes that had no rows."""
        X = np.asarray(X, float)
        p = np.zeros((len(X), len(self.classes)))
        for start in range(0, len(X), PREDICT_ROWS):
            rows = slice(start, start + PREDICT_ROWS)
            p[rows, self.present] = self._present((X[rows] - self.center) / self.scale * self.weights)
        return p

    def _present(self, Z: np.ndarray) -> np.ndarray:
        if self.model is None:
            return np.ones((len(Z), 1))
        if self.kind == "boosted":
            scores = boosted_logits(self.model, Z) / (self.temperature or 1.0)
        else:
            values = margins(self.model, Z)
            scores = log_scores(values, self.temperature or SHARP, self.cap)
        if self.degraded:
            return np.eye(scores.shape[1])[scores.argmax(1)]
        return softmax(scores, axis=1)


def fit_boundary(
    key: Key,
    labels: np.ndarray,
    X: np.ndarray,
    w: np.ndarray,
    *,
    units: np.ndarray,
    kind: str = "auto",
    smooth: bool = True,
    max_rows: int = MAX_ROWS,
    settings: Settings | None = None,
    column_scale: np.ndarray | None = None,
) -> Boundary:
    """The boundary that gives rows of X (n, d) with weights w (n,) their labels (n,), integers 0..r-1.

    units (n,) are integers; rows of one unit never fall in two folds. Rows of weight zero do not exist, weight 2 is
    the row twice, and the order of the rows is immaterial. kind "auto" tries a linear kernel first, then, if
    `smooth`, an RBF kernel and boosting; above `max_rows` rows see boundary_large.fit_large. `settings` of an
    earlier boundary take the place of `kind` and of the search; unless they hold a temperature, that is found
    again. column_scale is that of routing.standardisation. A regime of fewer than two units cannot be held
    out: the boundary is then `degraded`, its probabilities are 0 or 1. Raises InputError for an unknown kind
    and when no weight is positive.
    """
    if kind not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    alive = np.asarray(w) > 0
    if not alive.any():
        raise InputError("w has no positive weight: a boundary needs at least one row")
    regimes = int(np.max(labels)) + 1
    X, w, labels, units = (
        np.asarray(X, float)[alive],
        np.asarray(w, float)[alive],
        labels[alive],
        units[alive],
    )
    present, codes = np.unique(labels, return_inverse=True)
    X, w, codes, units = _canonical(X, w, codes, units)
    center, scale, weights = standardisation(X, w, column_scale=column_scale)
    frame = Boundary("one", np.arange(regimes), present, center, scale, weights, None, 1.0, 1.0, 1.0, False)
    if len(present) == 1:
        return frame
    rows = Labelled((X - center) / scale * weights, codes, w / w.mean(), units, len(present))
    found = _found(key, rows, kind, smooth, max_rows, settings)
    heat = found.settings.temperature
    return replace(
        frame,
        kind=found.settings.kind,
        model=found.model,
        temperature=0.0 if heat is None else heat,
        cap=found.settings.cap,
        accuracy=found.settings.accuracy,
        degraded=heat is None,
        settings=found.settings,
        compared=found.compared,
    )


def _found(key: Key, rows: Labelled, kind: str, smooth: bool, max_rows: int, settings: Settings | None) -> Found:
    """The fitted model for standardised rows of two or more regimes."""
    smooth = smooth and rows.columns <= min(SMOOTH_COLUMNS, len(rows))
    if kind == "auto" and not smooth:
        kind = "linear"
    kind = kind if settings is None else settings.kind
    if len(rows) > max_rows or kind.startswith("active"):
        large = f"active_{kind}" if kind in ("linear", "rbf") else kind
        return fit_large(key, rows, kind=large, settings=settings)
    if settings is not None and settings.temperature is not None:
        return _fitted(key, rows, settings, ())
    if settings is None:
        choice = choose(key_for(key, "choose"), rows, _candidates(kind, rows.columns))
    else:
        choice = compare(key, rows, [settings], size=CALIBRATION_ROWS, most=CALIBRATION_FOLDS)
    if choice is None:
        return _fitted(key, rows, settings or PLAIN["linear" if kind == "linear" or not smooth else "rbf"], ())
    return _fitted(key, rows, *_settled(key_for(key, "rival"), choice, kind))


def _settled(key: Key, choice: Choice, kind: str) -> tuple[Settings, tuple[tuple[str, float], ...]]:
    """The settings of the machine, or of boosting where that is wanted or better, and the kinds compared."""
    machine = calibrated(choice)
    hopeless = machine.accuracy > CLEAN or choice.rows.columns < BOOST_COLUMNS or len(choice.rows) < BOOST_LEAST
    if kind != "boosted" and (kind != "auto" or hopeless):
        return machine, choice.compared
    boosted, better = rival(key, choice)
    compared = (*choice.compared, ("boosted", boosted.accuracy))
    return (boosted if better or kind == "boosted" else machine), compared


def _fitted(key: Key, rows: Labelled, settings: Settings, compared: tuple[tuple[str, float], ...]) -> Found:
    svm, settings = fit_settled(rows, settings)
    if settings.kind != "boosted":
        return Found(settings, svm, compared)
    within, own = key_for(key, "boosting"), np.arange(len(rows))
    boosting = fit_boosting(within, rows, own, svm, settings, folds=BOOST_FOLDS)
    return Found(settings, {"svm": svm, "boosting": boosting}, compared)


def _candidates(kind: str, columns: int) -> list[Settings]:
    linear = () if kind == "rbf" else LINEAR_C
    return grid(columns, linear=linear, smooth=() if kind == "linear" else SMOOTH_C)


def _canonical(X: np.ndarray, w: np.ndarray, codes: np.ndarray, units: np.ndarray) -> tuple:
    """The rows in an order that depends on their values only, identical ones merged, their weights summed.

    So the order of the rows is immaterial and weight 2 is the row twice, both exactly.
    """
    # One irrational mixture of the columns orders the rows as well as all columns would, and sorts faster.
    # It is summed column by column, for a matrix product may round equal rows differently.
    mixture = np.zeros(len(X))
    for j in range(X.shape[1]):
        mixture += X[:, j] * np.sin(1.0 + j)
    order = np.lexsort((w, codes, mixture, units))
    X, w, codes, units = X[order], w[order], codes[order], units[order]
    same = (X[1:] == X[:-1]).all(1) & (codes[1:] == codes[:-1]) & (units[1:] == units[:-1])
    first = np.flatnonzero(np.concatenate([[True], ~same]))
    return X[first], np.add.reduceat(w, first), codes[first], units[first]
