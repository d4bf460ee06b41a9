"""Labelled rows in the eyes of models that did not see them: what a search for a strategy learns from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from strongsuit.active.auxiliary import TEMPERATURE
from strongsuit.active.calibration import dealt, folds_of
from strongsuit.active.committee import Committee, train
from strongsuit.active.evidence import FOLDS, Evidence, gather
from strongsuit.active.pool import AVAILABLE, Pool, part_of
from strongsuit.core.keys import Key, key_for


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
    with what `needs` ask for beside it; but for a temperature, which takes that of the whole."""
    labelled = np.flatnonzero(pool.labelled if rows is None else pool.labelled & rows)
    count = folds_of(len(labelled))
    number = dealt(key_for(key, "deal"), pool.y[labelled], count)
    beside = set(needs) - {FOLDS, TEMPERATURE}
    found = []
    for fold in range(count):
        seen = np.zeros(len(pool), bool)
        seen[labelled[number != fold]] = True
        committee = train(key_for(key, fold), learner, pool, members, rows=seen, needs=beside)
        found.append(Fold(labelled, number == fold, committee))
    return tuple(found)


def seen_from_outside(key: Key, folds: tuple[Fold, ...], pool: Pool, needs: Iterable[str]) -> tuple[Evidence, ...]:
    """What each fold's committee says of the labelled rows: the fold's own stand for a pool, the others are labelled.
    `y_true` holds all labels."""
    needs, found = set(needs) - {FOLDS, TEMPERATURE}, []
    for number, fold in enumerate(folds):
        part = part_of(pool, fold.rows)
        truth, state = part.y, part.state.copy()
        state[fold.own] = AVAILABLE
        part = replace(part, state=state, reserved=np.zeros(len(state), bool))
        box = (pool.X.min(0), pool.X.max(0))
        found.append(gather(key_for(key, number), fold.committee, part, needs | {"y_true"}, box=box, y_true=truth))
    return tuple(found)
