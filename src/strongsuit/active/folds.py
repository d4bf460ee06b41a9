"""Labelled rows in the eyes of models that did not see them: what a search for a strategy learns from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from strongsuit.active.committee import Committee, train
from strongsuit.active.evidence import FOLDS, Evidence, gather
from strongsuit.active.pool import AVAILABLE, Pool, part_of
from strongsuit.core.keys import Key, key_for

ROWS_A_FOLD, FEWEST, MOST = 8, 2, 5  # a fold for so many labels, and how many there are at least and at most


@dataclass(frozen=True)
class Fold:
    """Labelled rows by their numbers in the pool, which of them are the fold's own (c,) bool, and a committee trained
    on the others."""

    rows: np.ndarray
    own: np.ndarray
    committee: Committee


def cross_fitted(
    key: Key, learner: Any, pool: Pool, members: int, needs: Iterable[str], *, rows: np.ndarray | None = None
) -> tuple[Fold, ...]:
    """A committee for each fold of the labelled rows, or of those of `rows` (n,) bool among them, trained on the rest
    with what `needs` ask for beside it."""
    labelled = np.flatnonzero(pool.labelled if rows is None else pool.labelled & rows)
    count = int(np.clip(len(labelled) // ROWS_A_FOLD, FEWEST, MOST))
    number = dealt(key_for(key, "deal"), pool.y[labelled], count)
    beside = set(needs) - {FOLDS}
    found = []
    for fold in range(count):
        seen = np.zeros(len(pool), bool)
        seen[labelled[number != fold]] = True
        committee = train(key_for(key, fold), learner, pool, members, rows=seen, needs=beside)
        found.append(Fold(labelled, number == fold, committee))
    return tuple(found)


def dealt(key: Key, y: np.ndarray, count: int) -> np.ndarray:
    """The fold (n,) of every row, like classes spread evenly: rows are put in random order within a class and dealt out
    in turn, and the next class goes on where the last one stopped. Of numbers y (n, k), neighbours count as alike."""
    shuffled = key.numpy().permutation(len(y))
    kind = y[shuffled].argmax(1) if y.shape[1] > 1 else np.argsort(np.argsort(y[shuffled, 0])) // count
    order = shuffled[np.argsort(kind, kind="stable")]
    found = np.empty(len(y), int)
    found[order] = np.arange(len(y)) % count
    return found


def seen_from_outside(key: Key, folds: tuple[Fold, ...], pool: Pool, needs: Iterable[str]) -> tuple[Evidence, ...]:
    """What each fold's committee says of the labelled rows: the fold's own stand for a pool, the others are labelled.
    `y_true` holds all labels."""
    needs, found = set(needs) - {FOLDS}, []
    for number, fold in enumerate(folds):
        part = part_of(pool, fold.rows)
        truth, state = part.y, part.state.copy()
        state[fold.own] = AVAILABLE
        part = replace(part, state=state, reserved=np.zeros(len(state), bool))
        box = (pool.X.min(0), pool.X.max(0))
        found.append(gather(key_for(key, number), fold.committee, part, needs | {"y_true"}, box=box, y_true=truth))
    return tuple(found)
