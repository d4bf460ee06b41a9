"""The boosted boundary: histogram gradient boosting over the inputs and the margins of a support vector machine.

Trees alone climb an oblique boundary in steps; a machine alone is blunt on a few thousand rows and helpless
among columns that do not matter. Together they are neither. The kind is deployed only where held-out units
prefer it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.svm import SVC

from strongsuit.core.keys import Key, key_for
from strongsuit.partition.boundary_search import Choice, Settings, fit_svm
from strongsuit.partition.labelled import RARE_ROWS, Labelled, deal, sample_index, within_errors
from strongsuit.partition.margins import calibrate_logits, log_scores, margins

TOLERANCE = 1e-2  # of the solver where a machine is not the one to keep
RIVAL_FOLDS, CLEARLY = 3, 2.0  # standard errors
BOOST_ROWS = 60_000  # a third less time than with 100,000, a tenth more error
# Without the L2 penalty the leaves of nearly pure rows explode at this learning rate: six times the error at
# 0.5 % label noise in two columns.
BOOSTING = {"learning_rate": 0.25, "l2_regularization": 10.0, "early_stopping": False}
# Half the bins and four fifths of the trees that accuracy asks for: three quarters of the time, 0.1 points less.
MANY = {"max_iter": 24, "max_leaf_nodes": 63, "max_bins": 127}
FEW, FEW_ROWS = {"max_iter": 20, "max_leaf_nodes": 12}, 5_000  # as accurate there, in a third of the time


def boosted_logits(model: dict, Z: np.ndarray) -> np.ndarray:
    """Log-odds (n, r) of a boosted model {"svm", "boosting"}: its trees see inputs and the machine's margins."""
    return _logits(model["boosting"], _with_margins(Z, model["svm"]))


def fit_boosting(
    key: Key, rows: Labelled, own: np.ndarray, svm: SVC, settings: Settings, *, folds: int
) -> HistGradientBoostingClassifier:
    """Boosted trees over inputs and margins of at most BOOST_ROWS rows and the rows `own` that trained the svm.

    The latter bring margins of machines that did not see them (so many folds), or the trees would trust the
    machine more than it deserves. Where BOOST_ROWS others of all regimes remain, these are enough.
    """
    others = np.setdiff1d(np.arange(len(rows)), own)
    rarest = np.bincount(rows.labels[others], minlength=rows.regimes).min()
    if len(others) >= BOOST_ROWS and rarest >= RARE_ROWS:
        few = others[sample_index(key_for(key, "rows"), rows.take(others), BOOST_ROWS)]
        return _trees(key, rows.take(few), _with_margins(rows.Z[few], svm))
    few = np.union1d(sample_index(key_for(key, "rows"), rows, BOOST_ROWS), own)
    inputs = _with_margins(rows.Z[few], svm)
    part = rows.take(own)
    fold, folds = deal(key_for(key, "folds"), part, folds)
    place = np.searchsorted(few, own)
    for f in range(folds if folds > 1 else 0):
        other = fit_svm(part.take(fold != f), settings, tolerance=TOLERANCE)
        inputs[place[fold == f]] = _with_margins(part.Z[fold == f], other)
    return _trees(key, rows.take(few), inputs)


def rival(key: Key, choice: Choice) -> tuple[Settings, bool]:
    """The chosen machine's settings as a boosted boundary, calibrated, and whether held-out rows prefer it.

    They do if it is right more often by more than two standard errors (by unit), for the machine is the simpler
    value to keep. The trees are cross-fitted over the margins that were held out when the machine was chosen.
    """
    rows = choice.rows
    fold, folds = deal(key_for(key, "folds"), rows, RIVAL_FOLDS)
    inputs = np.hstack([rows.Z, choice.values])
    logits = np.zeros((len(rows), rows.regimes))
    for f in range(folds):
        held = fold == f
        trees = _trees(key_for(key, "fold", f), rows.take(~held), inputs[~held])
        logits[held] = _logits(trees, inputs[held])
    right = logits.argmax(1) == rows.labels
    machine = log_scores(choice.values).argmax(1) == rows.labels
    settings = replace(
        choice.settings,
        kind="boosted",
        temperature=calibrate_logits(logits, rows.labels, rows.w),
        accuracy=float(np.average(right, weights=rows.w)),
    )
    return settings, not within_errors(right.astype(float) - machine, rows.w, rows.units, CLEARLY)


def _trees(key: Key, rows: Labelled, inputs: np.ndarray) -> HistGradientBoostingClassifier:
    size = FEW if len(rows) <= FEW_ROWS else MANY
    trees = HistGradientBoostingClassifier(**BOOSTING, **size, random_state=key.integer())
    drawn = _by_weight(key_for(key, "weights"), rows)
    return trees.fit(inputs[drawn], rows.labels[drawn])


def _logits(trees: HistGradientBoostingClassifier, inputs: np.ndarray) -> np.ndarray:
    logits = trees.decision_function(inputs)
    return logits if logits.ndim == 2 else np.column_stack([np.zeros(len(inputs)), logits])


def _with_margins(Z: np.ndarray, svm: SVC) -> np.ndarray:
    return np.hstack([Z, margins(svm, Z, dtype=np.float32)])


def _by_weight(key: Key, rows: Labelled) -> np.ndarray:
    """Row indices, each as often as its weight says (systematic resampling); every regime keeps a row.

    Handing the weights on would cost four times the fit: scikit-learn then takes a weighted percentile for
    each bin edge.
    """
    upto = np.cumsum(rows.w) * (len(rows) / rows.w.sum())
    # Rounding must not split a whole weight in two, or rows of equal weight would be drawn unequally.
    counts = np.diff(np.floor(np.round(upto, 6) + key.numpy().random()), prepend=0.0).astype(int)
    for regime in range(rows.regimes):
        own = np.flatnonzero(rows.labels == regime)
        if not counts[own].any():
            counts[own[rows.w[own].argmax()]] = 1
    return np.repeat(np.arange(len(rows)), counts)
