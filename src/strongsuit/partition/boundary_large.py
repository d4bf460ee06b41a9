"""Boundaries of more rows than a support vector machine can take at once.

Two kinds are fitted and held-out rows choose: the active machine, which learns from a sample and then from the
rows nearest its margin, where all the information about a boundary lies (Schohn & Cohn 2000; Tong & Koller
2001), and boosting over that machine (boundary_boosted.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.svm import SVC

from strongsuit.core.keys import Key, key_for
from strongsuit.partition.boundary_boosted import TOLERANCE, boosted_logits, fit_boosting
from strongsuit.partition.boundary_search import Found, Settings, choose, fit_svm, grid
from strongsuit.partition.labelled import Labelled, sample_index, within_errors
from strongsuit.partition.margins import calibrate, calibrate_logits, log_scores, margins

LINEAR_C, SMOOTH_C = (1.0,), (30.0,)  # rows near a margin make large C slow, small C makes the margin blunt
# Held-out rows have the last word, so the search may be brief; more rows want a narrower kernel than 1,000 do.
RACE_ROWS, FINAL_ROWS, FINAL_FOLDS = 450, 2_400, 2
HELD_SHARE, HELD_ROWS = 0.1, 10_000
HELD_FEW, HELD_MOST = 1_000, 0.2  # below 10,000 rows a tenth would choose by chance: up to a fifth
CALIBRATION_ROWS = 3_000
START_ROWS, NEAR_ROWS, CANDIDATE_ROWS = 3_000, 2_500, 20_000
MARGIN_FOLDS = 2  # machines that give the trees honest margins
SURE = 1.0  # log odds at which the machine is sure that a label is wrong: the hinge's margin of one


def fit_large(key: Key, rows: Labelled, *, kind: str, settings: Settings | None) -> Found:
    """The active machine or the boosted boundary of many rows, whichever is better on held-out units.

    The machine is preferred unless boosting is better by more than one standard error; a `kind` other than
    "auto" leaves no choice. A tenth of the rows, at most 10,000, is held out by unit for choice, temperature and
    accuracy, and trains nothing; without it (one unit holds nearly all rows) no temperature is given. `settings`
    spare the search for C and gamma.
    """
    train, held = _hold_out(key_for(key, "held"), rows)
    if settings is None:
        settings = _searched(key_for(key, "search"), train, kind)
    svm, own = _active_svm(key_for(key, "active"), train, settings)
    models = {}
    if kind != "boosted":
        models["active_linear" if svm.kernel == "linear" else "active_rbf"] = svm
    if kind in ("auto", "boosted"):
        within = key_for(key, "boosting")
        boosting = fit_boosting(within, train, own, svm, settings, folds=MARGIN_FOLDS)
        models["boosted"] = {"svm": svm, "boosting": boosting}
    return _better(key_for(key, "calibrate"), models, held, settings)


def _hold_out(key: Key, rows: Labelled) -> tuple[Labelled, Labelled]:
    """Training and held-out rows: random units up to a share of the rows, or a single one, if that leaves
    half of the rows. A regime that would have no training row keeps all its rows."""
    share = min(max(HELD_SHARE, min(HELD_FEW / len(rows), HELD_MOST)), HELD_ROWS / len(rows))
    _, unit, sizes = np.unique(rows.units, return_inverse=True, return_counts=True)
    order = key.numpy().permutation(len(sizes))
    taken = np.cumsum(sizes[order]) <= share * len(rows)
    taken[0] |= sizes[order[0]] <= len(rows) / 2
    chosen = np.zeros(len(sizes), bool)
    chosen[order[taken]] = True
    held = chosen[unit]
    trained = np.bincount(rows.labels[~held], minlength=rows.regimes) > 0
    held &= trained[rows.labels]
    return rows.take(~held), rows.take(held)


def _searched(key: Key, rows: Labelled, kind: str) -> Settings:
    linear = LINEAR_C if kind in ("auto", "active_linear", "boosted") else ()
    smooth = SMOOTH_C if kind != "active_linear" else ()
    candidates = grid(rows.columns, linear=linear, smooth=smooth)
    sizes = {"race_rows": RACE_ROWS, "final_rows": FINAL_ROWS, "final_folds": FINAL_FOLDS}
    choice = choose(key, rows, candidates, **sizes)
    return candidates[-1] if choice is None else choice.settings


def _active_svm(key: Key, rows: Labelled, settings: Settings) -> tuple[SVC, np.ndarray]:
    """The machine fitted to a sample and the rows nearest its first margin, and the rows it saw.

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


def _better(key: Key, models: dict, held: Labelled, settings: Settings) -> Found:
    """The first of the models within one standard error of the best, calibrated on the held-out rows."""
    if not len(held):
        kind = next(iter(models))
        return Found(replace(settings, kind=kind, temperature=None), models[kind], ())
    few = sample_index(key, held, CALIBRATION_ROWS)
    settled, right = {}, {}
    for kind, model in models.items():
        settled[kind], scores = _calibrated(kind, model, held, few, settings)
        right[kind] = (scores.argmax(1) == held.labels).astype(float)
    compared = {kind: float(np.average(r, weights=held.w)) for kind, r in right.items()}
    best = right[max(compared, key=lambda kind: compared[kind])]
    kind = next(k for k, r in right.items() if within_errors(best - r, held.w, held.units))
    return Found(replace(settled[kind], accuracy=compared[kind]), models[kind], tuple(compared.items()))


def _calibrated(
    kind: str, model: Any, held: Labelled, few: np.ndarray, settings: Settings
) -> tuple[Settings, np.ndarray]:
    """Settings with temperature and cap from a few held-out rows, and the log-scores (n, r) of all of them."""
    labels, w = held.labels[few], held.w[few]
    if kind == "boosted":
        logits = boosted_logits(model, held.Z)
        return replace(settings, kind=kind, temperature=calibrate_logits(logits[few], labels, w)), logits
    values = margins(model, held.Z)
    heat, cap = calibrate(values[few], labels, w)
    return replace(settings, kind=kind, temperature=heat, cap=cap), log_scores(values, heat, cap)
