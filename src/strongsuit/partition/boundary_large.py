"""Boundaries of more rows than a support vector machine can take at once.

Two kinds are fitted and held-out rows choose. The active machine learns from a sample and then from the rows nearest
its margin, where all the information about a boundary lies (Schohn & Cohn 2000; Tong & Koller 2001). The
boosted one is histogram gradient boosting over the inputs and that machine's margins: trees alone climb an
oblique boundary in steps, a machine on a few thousand rows alone is blunt, and together they are neither.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.svm import SVC

from strongsuit.core.keys import Key, key_for
from strongsuit.partition.boundary_search import (
    Found,
    Labelled,
    Settings,
    choose,
    deal,
    fit_svm,
    grid,
    sample_index,
    within_errors,
)
from strongsuit.partition.margins import calibrate, calibrate_logits, log_scores, margins

LINEAR_C, SMOOTH_C = (1.0,), (30.0,)  # rows near a margin make large C slow; smaller C makes the margin blunt
RACE_ROWS, FINAL_ROWS, FINAL_FOLDS = (
    450,
    900,
    3,
)  # held-out rows have the last word, so the search may be brief
HELD_SHARE, HELD_ROWS = 0.1, 10_000
CALIBRATION_ROWS = 3_000
START_ROWS, NEAR_ROWS, CANDIDATE_ROWS = 3_000, 2_500, 20_000
TOLERANCE = 1e-2  # of the solver: a tenth less time, the same labels
SURE = 1.0  # log odds at which the machine is sure that a label is wrong: the hinge's margin of one
BOOST_ROWS = 200_000
SPARE = 8  # with so many times the machine's own rows, boosting can do without them
# Without the L2 penalty leaves of nearly pure rows explode at this learning rate: four times the error at 0.5 % noise.
BOOSTING = {
    "max_iter": 30,
    "learning_rate": 0.25,
    "max_leaf_nodes": 63,
    "l2_regularization": 10.0,
    "early_stopping": False,
}


def fit_large(key: Key, rows: Labelled, *, kind: str, settings: Settings | None) -> Found:
    """The active machine or the boosted boundary of many rows, whichever is better on held-out units.

    The machine is preferred unless boosting is better by more than one standard error; a `kind` other than "auto"
    leaves no choice. A tenth of the units, at most 10,000 rows, is held out for choice, temperature and accuracy,
    and trains nothing. `settings` spare the search for C and gamma.
    """
    train, held = _hold_out(key_for(key, "held"), rows)
    if settings is None:
        settings = _searched(key_for(key, "search"), train, kind)
    svm, own = _active_svm(key_for(key, "active"), train, settings)
    models = {}
    if kind != "boosted":
        models["active_linear" if svm.kernel == "linear" else "active_rbf"] = svm
    if kind in ("auto", "boosted"):
        boosting = _boosting(key_for(key, "boosting"), train, own, svm, settings)
        models["boosted"] = {"svm": svm, "boosting": boosting}
    return _better(key_for(key, "calibrate"), models, held, settings)


def boosted_logits(model: dict, Z: np.ndarray) -> np.ndarray:
    """Log-odds (n, r) of the boosted boundary; its trees see the inputs and the machine's margins."""
    logits = model["boosting"].decision_function(_with_margins(Z, model["svm"]))
    return logits if logits.ndim == 2 else np.column_stack([np.zeros(len(Z)), logits])


def _hold_out(key: Key, rows: Labelled) -> tuple[Labelled, Labelled]:
    """Training and held-out rows, by unit; a regime that would have no training row keeps all its rows."""
    _, unit = np.unique(rows.units, return_inverse=True)
    held = key.numpy().random(unit.max() + 1)[unit] < min(HELD_SHARE, HELD_ROWS / len(rows))
    trained = np.bincount(rows.labels[~held], minlength=rows.regimes) > 0
    held &= trained[rows.labels]
    return rows.take(~held), rows.take(held)


def _searched(key: Key, rows: Labelled, kind: str) -> Settings:
    linear = LINEAR_C if kind in ("auto", "active_linear", "boosted") else ()
    smooth = SMOOTH_C if kind != "active_linear" else ()
    candidates = grid(rows.columns, linear=linear, smooth=smooth)
    choice = choose(key, rows, candidates, race_rows=RACE_ROWS, final_rows=FINAL_ROWS, final_folds=FINAL_FOLDS)
    return candidates[-1] if choice is None else choice.settings


def _active_svm(key: Key, rows: Labelled, settings: Settings) -> tuple[SVC, np.ndarray]:
    """The machine fitted to a sample and the rows nearest its first margin, and the indices of the rows it saw.

    Rows that lie beyond the margin of another regime are left out of the second fit: they are wrong labels,
    not boundary, and as support vectors they would only make prediction slow.
    """
    start = sample_index(key_for(key, "start"), rows, START_ROWS)
    svm = fit_svm(rows.take(start), settings, tolerance=TOLERANCE)
    pool = sample_index(key_for(key, "pool"), rows, CANDIDATE_ROWS)
    gap, doubt = _gap(svm, rows.take(pool))
    kept = start[_gap(svm, rows.take(start))[1] < SURE]
    near = pool[np.argsort(np.where(doubt < SURE, gap, np.inf), kind="stable")[:NEAR_ROWS]]
    own = np.union1d(kept, near)
    return fit_svm(rows.take(own), settings, tolerance=TOLERANCE), own


def _gap(svm: SVC, rows: Labelled) -> tuple[np.ndarray, np.ndarray]:
    """How far the best regime leads the second (n,), and how far it leads the row's own label (n,)."""
    scores = log_scores(margins(svm, rows.Z, dtype=np.float32), temperature=1.0)
    own = scores[np.arange(len(rows)), rows.labels]
    scores.sort(axis=1)
    return scores[:, -1] - scores[:, -2], scores[:, -1] - own


def _boosting(
    key: Key, rows: Labelled, own: np.ndarray, svm: SVC, settings: Settings
) -> HistGradientBoostingClassifier:
    """Boosted trees over inputs and margins; rows that trained the machine bring the margins of one half's machine
    for the other half, or the trees would trust the machine more than it deserves."""
    few = np.union1d(sample_index(key_for(key, "rows"), rows, BOOST_ROWS), own)
    inputs = _with_margins(rows.Z[few], svm)
    part = rows.take(own)
    fold, folds = deal(key_for(key, "halves"), part, 2)
    if folds == 2:
        place = np.searchsorted(few, own)
        for f in (0, 1):
            half = fit_svm(part.take(fold != f), settings, tolerance=TOLERANCE)
            inputs[place[fold == f]] = _with_margins(part.Z[fold == f], half)
    trees = HistGradientBoostingClassifier(**BOOSTING, random_state=key.integer())
    drawn = _by_weight(key_for(key, "weights"), rows.take(few))
    return trees.fit(inputs[drawn], rows.labels[few][drawn])


def _by_weight(key: Key, rows: Labelled) -> np.ndarray:
    """Row indices, each as often as its weight says (systematic resampling); every regime keeps a row.

    Handing the weights on would cost four times the fit: scikit-learn then takes a weighted percentile for each bin edge.
    """
    upto = np.cumsum(rows.w) * (len(rows) / rows.w.sum())
    # Rounding must not split a whole weight in two, or rows of equal weight would be drawn unequally.
    counts = np.diff(np.floor(np.round(upto, 6) + key.numpy().random()), prepend=0.0).astype(int)
    for regime in range(rows.regimes):
        own = np.flatnonzero(rows.labels == regime)
        if not counts[own].any():
            counts[own[rows.w[own].argmax()]] = 1
    return np.repeat(np.arange(len(rows)), counts)


def _with_margins(Z: np.ndarray, svm: SVC) -> np.ndarray:
    return np.hstack([Z, margins(svm, Z, dtype=np.float32)])


def _better(key: Key, models: dict, held: Labelled, settings: Settings) -> Found:
    """The first of the models within one standard error of the best, calibrated on the held-out rows."""
    few = sample_index(key, held, CALIBRATION_ROWS)
    settled, right = {}, {}
    for kind, model in models.items():
        if kind == "boosted":
            logits = boosted_logits(model, held.Z)
            heat = calibrate_logits(logits[few], held.labels[few], held.w[few])
            settled[kind], scores = replace(settings, kind=kind, temperature=heat), logits
        else:
            values = margins(model, held.Z)
            heat, cap = calibrate(values[few], held.labels[few], held.w[few])
            settled[kind] = replace(settings, kind=kind, temperature=heat, cap=cap)
            scores = log_scores(values, heat, cap)
        right[kind] = (scores.argmax(1) == held.labels).astype(float)
    compared = {kind: float(np.average(r, weights=held.w)) for kind, r in right.items()}
    best = right[max(compared, key=compared.get)]
    kind = next(k for k, r in right.items() if within_errors(best - r, held.w, held.units))
    return Found(replace(settled[kind], accuracy=compared[kind]), models[kind], tuple(compared.items()))
