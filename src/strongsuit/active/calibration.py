"""How sure a classifier may be: folds of labelled rows, and the temperature that suits labels it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from strongsuit.active.choice import deterministic
from strongsuit.core.bilevel import cross_fit
from strongsuit.core.keys import Key, key_for

ROWS_A_FOLD, FEWEST, MOST = 8, 2, 5  # a fold for so many labels, and how many there are at least and at most
TEMPERATURES = np.arange(1.0, 20.0, 0.1)
_LEAST = 1e-12  # probability of a class that a model excludes


def folds_of(rows: int) -> int:
    """How many folds so many labelled rows make."""
    return int(np.clip(rows // ROWS_A_FOLD, FEWEST, MOST))


def dealt(key: Key, y: np.ndarray, count: int) -> np.ndarray:
    """The fold (n,) of every row, like classes spread evenly: rows are put in random order within a class and dealt out
    in turn, and the next class goes on where the last one stopped. Of numbers y (n, k), neighbours count as alike."""
    shuffled = key.numpy().permutation(len(y))
    kind = y[shuffled].argmax(1) if y.shape[1] > 1 else np.argsort(np.argsort(y[shuffled, 0])) // count
    order = shuffled[np.argsort(kind, kind="stable")]
    found = np.empty(len(y), int)
    found[order] = np.arange(len(y)) % count
    return found


def temperature_of(key: Key, learner: Any, X: np.ndarray, y: np.ndarray) -> float:
    """The temperature, at least 1, that suits rows X (n, d) of classes y (n, k) which the learner had not seen.

    A learner without chance is cross-fitted; of one that trains for long one fold in five judges, as published for
    UHerding. 1 with fewer than four rows, or where all are of one class.
    """
    if len(X) < 2 * FEWEST or (y.max(0) > 0).sum() < 2:
        return 1.0
    count = folds_of(len(X)) if deterministic(learner) else MOST
    fold = dealt(key_for(key, "deal"), y, count)
    if not deterministic(learner):
        fold = np.where(fold == 0, 0, -1)
    _, said = cross_fit(key, learner, X, y, np.ones(len(X)), fold)
    return best_temperature(said[fold >= 0], y[fold >= 0])


def best_temperature(p: np.ndarray, y: np.ndarray) -> float:
    """The temperature of least cross entropy between probabilities p (n, k), cooled by it, and classes y (n, k) (Guo et
    al., 2017)."""
    logits = np.log(np.maximum(p, _LEAST))
    found = []
    for temperature in TEMPERATURES:
        cooled = logits / temperature
        top = cooled.max(1)
        found.append((np.log(np.exp(cooled - top[:, None]).sum(1)) + top - (y * cooled).sum(1)).sum())
    return float(TEMPERATURES[int(np.argmin(found))])
