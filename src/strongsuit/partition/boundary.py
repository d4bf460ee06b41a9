"""The support vector machine that stores a partition: which regime a row belongs to, and how sure that is.

Labels of the training rows go in, and a frozen `Boundary` comes out that labels any row. Up to `max_rows` rows a
support vector machine is fitted to all of them (linear or RBF kernel, chosen by accuracy over held-out
units); beyond, see boundary_large.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import softmax

from strongsuit.core.keys import Key, key_for
from strongsuit.errors import InputError
from strongsuit.partition.boundary_large import boosted_logits, fit_large
from strongsuit.partition.boundary_search import (
    LINEAR_C,
    SMOOTH_C,
    Found,
    Labelled,
    Settings,
    calibrated,
    choose,
    compare,
    fit_settled,
    grid,
)
from strongsuit.partition.margins import log_scores, margins
from strongsuit.partition.routing import standardisation

KINDS = ("auto", "linear", "rbf", "active_linear", "active_rbf", "boosted")
LARGE = ("active_linear", "active_rbf", "boosted")
SMOOTH_COLUMNS = 500  # beyond, an RBF kernel sees only noise: linear
CALIBRATION_ROWS, CALIBRATION_FOLDS = 600, 3  # with settings given: the temperature is one number
PLAIN = {"linear": Settings("linear", 1.0), "rbf": Settings("rbf", 10.0)}  # where nothing can be held out
PREDICT_ROWS = 65_536  # rows standardised at once


@dataclass(frozen=True)
class Boundary:
    """A stored partition: `labels` and `probabilities` of any rows of d inputs.

    classes (r,) are the regime numbers 0..r-1 and present (p,) those that had rows; center, scale, weights (d,)
    standardise as (X - center) / scale * weights (constant columns: scale 1, weight 0). model is an SVC, for the kind
    "boosted" a dictionary {"svm", "boosting"} of two estimators, for one regime None. temperature and cap turn its
    margins into probabilities (margins.log_scores); degraded boundaries answer with certainty, temperature 0.
    accuracy is held out by unit (NaN if degraded or unknown), compared the best held-out accuracy of each kind tried.
    """

    kind: str
    classes: np.ndarray
    present: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    model: object | None
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
            scores = log_scores(values, self.temperature, self.cap) if self.temperature else log_scores(values)
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
    max_rows: int = 10_000,
    settings: Settings | None = None,
    column_scale: np.ndarray | None = None,
) -> Boundary:
    """The boundary that gives rows of X (n, d) their labels (n,), integers 0..r-1 with weights w (n,).

    units (n,) are integers; rows of one unit never fall in two folds. Rows of weight zero do not exist, weight 2 is
    the row twice, and the order of the rows is immaterial. kind "auto" tries a linear kernel first and an RBF
    kernel if `smooth`; above `max_rows` rows see boundary_large.fit_large. `settings` of an earlier boundary spare the
    search. column_scale is that of routing.standardisation. A regime with fewer than two units cannot be held out:
    the boundary is then `degraded` and its probabilities are 0 or 1. Raises InputError for an unknown kind or
    when no weight is positive.
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
    kind, degraded = found.settings.kind, found.settings.temperature is None
    return replace(
        frame,
        kind=kind,
        model=found.model,
        temperature=0.0 if degraded else found.settings.temperature,
        cap=found.settings.cap,
        accuracy=found.settings.accuracy,
        degraded=degraded,
        settings=found.settings,
        compared=found.compared,
    )


def _found(key: Key, rows: Labelled, kind: str, smooth: bool, max_rows: int, settings: Settings | None) -> Found:
    """The fitted model for standardised rows of two or more regimes."""
    smooth = smooth and rows.columns <= min(SMOOTH_COLUMNS, len(rows))
    if kind == "auto" and not smooth:
        kind = "linear"
    if settings is not None and settings.kind in LARGE:
        kind = settings.kind
    if len(rows) > max_rows or kind in LARGE:
        kind = f"active_{kind}" if kind in ("linear", "rbf") else kind
        return fit_large(key, rows, kind=kind, settings=settings)
    if settings is None:
        choice = choose(key_for(key, "choose"), rows, _candidates(kind, rows.columns))
    elif settings.temperature is None:
        choice = compare(key, rows, [settings], size=CALIBRATION_ROWS, most=CALIBRATION_FOLDS)
    else:
        return Found(settings, fit_settled(rows, settings), ())
    if choice is None:
        plain = settings or PLAIN["rbf" if smooth and kind != "linear" else "linear"]
        return Found(plain, fit_settled(rows, plain), ())
    settings = calibrated(choice)
    return Found(settings, fit_settled(rows, settings), choice.compared)


def _candidates(kind: str, columns: int) -> list[Settings]:
    linear = LINEAR_C if kind in ("auto", "linear") else ()
    return grid(columns, linear=linear, smooth=SMOOTH_C if kind in ("auto", "rbf") else ())


def _canonical(X: np.ndarray, w: np.ndarray, codes: np.ndarray, units: np.ndarray) -> tuple:
    """The rows in an order that depends on their values only, identical ones merged into one of summed weight.

    So the order of the rows is immaterial and weight 2 is the row twice, both exactly.
    """
    # One irrational mixture of the columns orders the rows as well as all columns would, and sorts faster. It is
    # summed column by column, for a matrix product may round equal rows differently.
    mixture = np.zeros(len(X))
    for j in range(X.shape[1]):
        mixture += X[:, j] * np.sin(1.0 + j)
    order = np.lexsort((w, codes, mixture, units))
    X, w, codes, units = X[order], w[order], codes[order], units[order]
    same = (X[1:] == X[:-1]).all(1) & (codes[1:] == codes[:-1]) & (units[1:] == units[:-1])
    first = np.flatnonzero(np.concatenate([[True], ~same]))
    return X[first], np.add.reduceat(w, first), codes[first], units[first]
