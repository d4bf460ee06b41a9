"""One expert a regime, and one fallback for all: families chosen by cross-validation, then fitted.

Both sides choose among the same families with the same rule, so that a gain of the experts is never
the gain of a better-tuned model.
"""

from __future__ import annotations

import numpy as np

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import fit_one
from strongsuit.partition.units import folds, mean_and_error, split
from strongsuit.partition.values import Competitor, Model, Rows

TRIAL_ROWS = 1_500  # rows on which all families are compared; the chosen one is fitted to all
SECOND_TRIAL_ROWS = 6_000  # many rows change the order: those not far behind meet again on so many
FAR_BEHIND = 1.5  # times the least loss of the first trial
CROSS_VALIDATED_UP_TO = 500  # above it a single held-out third is precise enough
TRIAL_FOLDS = 5
WIDER = 0.1  # predictions may leave the regime's target range by this share of it


def fit_model(key: Key, family: Competitor, rows: Rows) -> Model:
    """The family's learner fitted to the rows."""
    return Model(family.name, family.learner, fit_one(family.learner, key, rows.X, rows.Y, rows.w))


def choose_family(key: Key, families: tuple[Competitor, ...], rows: Rows, omega: np.ndarray) -> Competitor:
    """The family of least cross-validated loss on the rows (on a sample of them if they are many)."""
    if len(families) == 1:
        return families[0]
    scores = _scores(key_for(key, "trial"), families, rows, TRIAL_ROWS, omega)
    if len(rows) < 2 * TRIAL_ROWS:
        return families[int(np.argmin(scores))]
    close = tuple(f for f, score in zip(families, scores, strict=True) if score <= FAR_BEHIND * min(scores))
    again = _scores(key_for(key, "second"), close or families, rows, SECOND_TRIAL_ROWS, omega)
    return (close or families)[int(np.argmin(again))]


def _scores(key: Key, families: tuple[Competitor, ...], rows: Rows, limit: int, omega: np.ndarray) -> list[float]:
    """The families' losses on rows left out of a sample of at most `limit`."""
    sample = _sample(key_for(key, "sample"), rows, limit)
    tests = _tests(key, sample)
    return [_score(key, family, sample, tests, omega) for family in families]


def _tests(key: Key, rows: Rows) -> list[np.ndarray]:
    if len(np.unique(rows.units)) < 2 * TRIAL_FOLDS:
        return []
    if len(rows) > CROSS_VALIDATED_UP_TO:
        return [~split(key_for(key, "holdout"), rows.units, 2 / 3)]
    fold = folds(key_for(key, "folds"), rows.units, TRIAL_FOLDS)
    return [fold == f for f in range(TRIAL_FOLDS)]


def _score(key: Key, family: Competitor, rows: Rows, tests: list[np.ndarray], omega: np.ndarray) -> float:
    """Summed loss on the rows left out; infinite for a family that fails or diverges."""
    total = 0.0
    for number, test in enumerate(tests):
        rest, left_out = rows.take(~test), rows.take(test)
        try:
            model = fit_model(key_for(key, family.name, number), family, rest)
            residual = left_out.Y - model.mean(left_out.X)
        except (np.linalg.LinAlgError, FloatingPointError, ValueError):
            return float("inf")
        total += float(left_out.w @ (residual**2 @ omega))
    return total if np.isfinite(total) else float("inf")


def _sample(key: Key, rows: Rows, limit: int) -> Rows:
    if len(rows) <= limit:
        return rows
    return rows.take(split(key, rows.units, limit / len(rows)))


def sample_rows(key: Key, rows: Rows, limit: int) -> Rows:
    """At most about `limit` rows, drawn by unit."""
    return _sample(key, rows, limit)


def clip_range(rows: Rows) -> np.ndarray:
    """Lowest and highest prediction allowed (2, q): the target range of the rows, widened."""
    low, high = rows.Y.min(0), rows.Y.max(0)
    room = WIDER * (high - low)
    return np.stack([low - room, high + room])


def shrinkage(y: np.ndarray, base: np.ndarray, expert: np.ndarray, w, units, omega) -> float:
    """How far (0 to 1) to go from the fallback to the expert, judged on rows that trained neither.

    The regression coefficient of the fallback's residual on the experts' correction, times the
    positive-part James-Stein factor 1 - (se / coefficient)^2, se robust to units.
    """
    step = expert - base
    scale = float(w @ (step**2 @ omega))
    if not np.isfinite(scale) or scale <= 0.0:
        return 0.0
    coefficient = float(w @ (((y - base) * step) @ omega)) / scale
    if coefficient <= 0.0:
        return 0.0
    influence = ((y - base - coefficient * step) * step) @ omega / (scale / w.sum())
    _, error = mean_and_error(influence, w, units)
    return float(np.clip(coefficient * max(0.0, 1.0 - (error / coefficient) ** 2), 0.0, 1.0))
