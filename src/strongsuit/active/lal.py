"""By how much a label would lower the error: a guess learned offline, on made problems of two classes (LAL).

On problems drawn at random a forest is fitted to a few labels, then again with one more; the fall of its test error is
what a second forest learns to predict from the state of the first (`lal_states`). The lesson is the same for everyone,
is made when first asked for, and is kept while the process lives. Konyushkova, Sznitman and Fua 2017.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from strongsuit.active.lal_states import OneClass, one_class, states
from strongsuit.core.arrays import chunks
from strongsuit.core.keys import Key, key_for, root_key

ERROR_DROP = "error_drop"  # the field of Evidence
PROBLEMS, TRIED = 30, 8  # problems, and rows tried at each number of labels
LABELS = (8, 16, 32, 64)  # numbers of labels at which rows are tried
TEST = 2048  # rows that judge
LEARNERS, LEAF = 100, 20  # trees of the second forest, and the least rows of a leaf: single falls are mostly luck
_ROWS = 16384


def error_drop(found: tuple[OneClass, ...], X: np.ndarray) -> np.ndarray:
    """How much (n,) the label of each row X (n, d) should lower the error, mean over classes told apart; 0 where there
    is but one class."""
    if not found:
        return np.zeros(len(X))
    guess = np.empty(len(X))
    for rows in chunks(len(X), _ROWS):
        guess[rows] = np.mean([_second().predict(states(one, X[rows])) for one in found], axis=0)
    return guess


def lessons(key: Key, *, problems: int = PROBLEMS) -> tuple[np.ndarray, np.ndarray]:
    """States (m, 6) of rows of made problems, and the fall (m,) of the test error when their label was learned."""
    found = [pair for number in range(problems) for pair in _problem(key_for(key, number))]
    return np.concatenate([state for state, _ in found]), np.array([drop for _, drop in found])


def clouds(key: Key, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, 2) of two Gaussian clouds of random place, shape and share, and which of them (n,) are of the second."""
    rng = key.numpy()
    share, middles, shapes = rng.uniform(0.1, 0.9), rng.normal(0.0, 1.5, (2, 2)), rng.normal(size=(2, 2, 2))
    own = rng.random(rows) < share
    noise = rng.normal(size=(rows, 2))
    return middles[own.astype(int)] + np.einsum("ni,nij->nj", noise, shapes[own.astype(int)]), own


def _problem(key: Key) -> Iterator[tuple[np.ndarray, float]]:
    """The state (1, 6) and the fall of the error for rows tried on one problem; none where the clouds give too few rows
    of a class."""
    X, own = clouds(key_for(key, "clouds"), 2 * TEST)
    test, order = np.arange(TEST), TEST + key_for(key, "order").numpy().permutation(TEST)
    firsts = [order[own[order] == one][:1] for one in (False, True)]
    if min(map(len, firsts)) == 0:
        return
    order = np.concatenate([*firsts, order[~np.isin(order, firsts)]])
    for labels in LABELS:
        known, others = order[:labels], order[labels:]
        before = one_class(key_for(key, labels), X[known], own[known])
        error = _error(before, X[test], own[test])
        for row in key_for(key, "tried", labels).numpy().choice(others, TRIED, replace=False):
            with_row = np.append(known, row)
            after = one_class(key_for(key, labels), X[with_row], own[with_row])
            yield states(before, X[[row]]), error - _error(after, X[test], own[test])


def _error(one: OneClass, X: np.ndarray, own: np.ndarray) -> float:
    return float(((states(one, X)[:, 0] > 0.5) != own).mean())


@cache
def _second() -> Any:
    """The forest that predicts the fall of the error from a state."""
    from sklearn.ensemble import RandomForestRegressor

    key = key_for(root_key(0), "lal")
    X, drop = lessons(key_for(key, "lessons"))
    return RandomForestRegressor(LEARNERS, min_samples_leaf=LEAF, random_state=key.integer()).fit(X, drop)
