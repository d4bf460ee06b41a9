"""Kernel, C and gamma of a boundary, by cross-validated accuracy over units, at the cost of a few fits.

The grid races on a few hundred rows, fold by fold, half of it dropping out each time; the survivors meet again
in five folds of a larger sample. Within one standard error of the best the simpler one is taken: linear
before smooth, then the one with the fewest support vectors.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from strongsuit.core.keys import Key, key_for
from strongsuit.partition.labelled import Labelled, deal, sample, within_errors
from strongsuit.partition.margins import calibrate, log_scores, margins

LINEAR_C = (0.1, 1.0, 10.0)
SMOOTH_C = (1.0, 10.0, 100.0, 1000.0)  # 1000 only wins where labels are clean, and there it halves the error
GAMMA = (0.3, 1.0, 3.0, 10.0)  # times 1 / (columns x variance), scikit-learn's "scale"
SHARP_GAMMA = (30.0, 100.0)  # also tried on up to three columns, where a regime may be a narrow interval
SHARP_COLUMNS = 3
RACE_ROWS, RACE_FOLDS, SURVIVORS = 450, 3, 3
FEW_SURVIVORS = 6  # of small tables, where the race is noisy and more finalists are cheap
FINAL_ROWS, FINAL_FOLDS = 1_000, 5
BEHIND = 2.0  # standard errors after which a candidate stays behind for good
CLEAN = 0.98  # held-out accuracy above which labels count as clean
HARDEST, SHARP_ROWS, FEWER = 1e4, 3_000, 0.9
SHARP_ERRORS = 2.0  # so few rows differ there that two of them would already be more than one standard error
STEPS = 200_000  # of the solver for each pair; only labels without any pattern need more
CACHE = 200  # MB


@dataclass(frozen=True)
class Settings:
    """What a search decides and a later fit may reuse: kind, C, gamma in standardised space (0 if linear).

    Where a temperature is given, a fit that reuses the settings does not calibrate again (large ones always do).
    """

    kind: str
    C: float
    gamma: float = 0.0
    temperature: float | None = None
    cap: float = 1.0
    accuracy: float = float("nan")


@dataclass(frozen=True)
class Choice:
    """The chosen settings, the held-out margins that chose them, and each kind's accuracy."""

    settings: Settings
    rows: Labelled
    values: np.ndarray
    compared: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Found:
    """A fitted model, its settings (temperature None: nothing could be held out), the kinds compared."""

    settings: Settings
    model: object
    compared: tuple[tuple[str, float], ...]


@dataclass
class _Runner:
    """A candidate in the race: what it got right so far, the margins it gave, its support vectors."""

    settings: Settings
    right: np.ndarray
    values: np.ndarray
    asked: np.ndarray
    vectors: int = 0
    stopped: bool = False


def fit_svm(rows: Labelled, settings: Settings, *, tolerance: float = 1e-3) -> SVC:
    """A support vector classifier of the rows; its `fit_status_` is 1 if the solver was stopped."""
    linear = settings.gamma == 0
    svm = SVC(
        C=settings.C,
        kernel="linear" if linear else "rbf",
        gamma="scale" if linear else settings.gamma,
        tol=tolerance,
        cache_size=CACHE,
        max_iter=STEPS,
        decision_function_shape="ovo",
    )
    with warnings.catch_warnings():
        # Large C on labels without a pattern may stop the solver; whoever asks reads fit_status_.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return svm.fit(rows.Z, rows.labels, sample_weight=rows.w)


def fit_settled(rows: Labelled, settings: Settings) -> tuple[SVC, Settings]:
    """The classifier of the rows and its settings: C is lowered tenfold until the solver comes to an end.

    A stopped solver can leave a boundary that is plainly wrong; it happens when all rows are noisier
    than the sample that chose C.
    """
    svm = fit_svm(rows, settings)
    while svm.fit_status_ and settings.C > LINEAR_C[0]:
        settings = replace(settings, C=settings.C / 10)
        svm = fit_svm(rows, settings)
    return svm, settings


def grid(columns: int, *, linear: Sequence[float] = (), smooth: Sequence[float] = ()) -> list[Settings]:
    """Settings for standardised inputs of so many columns: values of C for the linear and the RBF kernel."""
    gammas = GAMMA + (SHARP_GAMMA if columns <= SHARP_COLUMNS else ())
    lines = [Settings("linear", C) for C in linear]
    return lines + [Settings("rbf", C, gamma / columns) for gamma in gammas for C in smooth]


def choose(
    key: Key,
    rows: Labelled,
    candidates: Sequence[Settings],
    *,
    race_rows: int = RACE_ROWS,
    final_rows: int = FINAL_ROWS,
    final_folds: int = FINAL_FOLDS,
) -> Choice | None:
    """The settings to fit with, or None if some regime has too few units for two folds."""
    survivors = SURVIVORS if len(rows) > race_rows else FEW_SURVIVORS
    if len(candidates) > survivors:
        few = sample(key_for(key, "race"), rows, race_rows)
        fold, folds = deal(key_for(key, "race", "folds"), few, RACE_FOLDS)
        if folds < 2:
            return None
        candidates = _race(few, fold, folds, candidates, survivors)
    choice = compare(key, rows, candidates, size=final_rows, most=final_folds)
    if choice is None or dict(choice.compared)[choice.settings.kind] < CLEAN:
        return choice
    return _sharpened(key_for(key, "sharpen"), rows, choice)


def _sharpened(key: Key, rows: Labelled, choice: Choice) -> Choice:
    """The choice with C raised tenfold as long as that saves support vectors and costs no accuracy.

    Where the machine hardly errs, only the full density of the rows shows how sharp the boundary is. Wrong
    labels stay support vectors whatever C is, so that noise ends the climb at once.
    """
    rows = sample(key_for(key, "rows"), rows, SHARP_ROWS)
    fold, folds = deal(key_for(key, "folds"), rows, RACE_FOLDS)
    best = _tried(choice.settings, rows, fold, folds)
    while 10 * best.settings.C <= HARDEST:
        harder = _tried(replace(best.settings, C=10 * best.settings.C), rows, fold, folds)
        worse = not within_errors(best.right - harder.right, rows.w, rows.units, SHARP_ERRORS)
        if harder.stopped or worse or harder.vectors > FEWER * best.vectors:
            break
        best = harder
    accuracy = float(np.average(best.right, weights=rows.w))
    compared = tuple((k, accuracy if k == best.settings.kind else a) for k, a in choice.compared)
    return Choice(best.settings, rows, best.values, compared)


def compare(key: Key, rows: Labelled, candidates: Sequence[Settings], *, size: int, most: int) -> Choice | None:
    """The simplest of the candidates whose cross-validated accuracy is within one standard error of the
    best. A machine whose solver was stopped in some fold never counts as simple."""
    rows = sample(key_for(key, "final"), rows, size)
    fold, folds = deal(key_for(key, "final", "folds"), rows, most)
    if folds < 2:
        return None
    runners = [_runner(settings, rows) for settings in candidates]
    alive = runners
    for f in range(folds):
        for runner in alive:
            _run(runner, rows, fold == f)
        alive = _contenders(alive, rows, fold <= f) if f > 0 else alive
    chosen = _simplest(alive, rows)
    return Choice(chosen.settings, rows, chosen.values, _accuracies(runners, rows))


def _contenders(runners: Sequence[_Runner], rows: Labelled, seen: np.ndarray) -> list[_Runner]:
    """Those not yet clearly behind the leader on the rows seen so far."""
    w, units = rows.w[seen], rows.units[seen]
    leader = max(runners, key=lambda runner: float(w @ runner.right[seen]))
    return [r for r in runners if within_errors(leader.right[seen] - r.right[seen], w, units, BEHIND)]


def _accuracies(runners: Sequence[_Runner], rows: Labelled) -> tuple[tuple[str, float], ...]:
    """The best held-out accuracy of each kind, over the rows its machine was asked about."""
    found: dict[str, float] = {}
    for runner in runners:
        accuracy = float(np.average(runner.right[runner.asked], weights=rows.w[runner.asked]))
        kind = runner.settings.kind
        found[kind] = max(accuracy, found.get(kind, 0.0))
    return tuple(found.items())


def calibrated(choice: Choice) -> Settings:
    """The chosen settings with temperature, cap and accuracy from the held-out margins."""
    rows = choice.rows
    temperature, cap = calibrate(choice.values, rows.labels, rows.w)
    right = log_scores(choice.values, temperature, cap).argmax(1) == rows.labels
    accuracy = float(np.average(right, weights=rows.w))
    return replace(choice.settings, temperature=temperature, cap=cap, accuracy=accuracy)


def _runner(settings: Settings, rows: Labelled) -> _Runner:
    pairs = rows.regimes * (rows.regimes - 1) // 2
    return _Runner(settings, np.zeros(len(rows)), np.zeros((len(rows), pairs)), np.zeros(len(rows), bool))


def _tried(settings: Settings, rows: Labelled, fold: np.ndarray, folds: int) -> _Runner:
    runner = _runner(settings, rows)
    for f in range(folds):
        _run(runner, rows, fold == f)
    return runner


def _run(runner: _Runner, rows: Labelled, held: np.ndarray) -> None:
    """Let the candidate predict the held-out rows from the others."""
    svm = fit_svm(rows.take(~held), runner.settings, tolerance=1e-2)
    values = margins(svm, rows.Z[held])
    runner.values[held], runner.asked[held] = values, True
    runner.right[held] = log_scores(values).argmax(1) == rows.labels[held]
    runner.vectors += len(svm.support_)
    runner.stopped |= bool(svm.fit_status_)


def _race(
    rows: Labelled, fold: np.ndarray, folds: int, candidates: Sequence[Settings], survivors: int
) -> list[Settings]:
    """The survivors: after each fold the worse half drops out (successive halving). One linear machine always
    stays in, for it is preferred in the end."""
    runners = [_runner(settings, rows) for settings in candidates]
    for f in range(folds):
        for runner in runners:
            _run(runner, rows, fold == f)
        seen = fold <= f
        runners.sort(key=lambda runner: (-float(rows.w[seen] @ runner.right[seen]), runner.vectors))
        last = f == folds - 1
        keep = survivors if last else max(survivors, (len(runners) + 1) // 2)
        linear = [runner for runner in runners[keep:] if runner.settings.kind == "linear"]
        runners = runners[:keep] + linear[: not any(r.settings.kind == "linear" for r in runners[:keep])]
    return [runner.settings for runner in runners]


def _simplest(runners: Sequence[_Runner], rows: Labelled) -> _Runner:
    best = max(runners, key=lambda runner: float(rows.w @ runner.right))
    near = [r for r in runners if within_errors(best.right - r.right, rows.w, rows.units)]
    # The share of support vectors bounds the leave-one-out error (Vapnik 1995) and sets the cost to predict.
    return min(near, key=lambda r: (r.stopped, r.settings.kind != "linear", r.vectors, r.settings.C))
