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
from strongsuit.core.covering import some_rows
from strongsuit.core.keys import Key, key_for

MOST = 3  # folds of a search: five cost half as much again, and no gain of theirs was seen
STANDING = 300  # open rows that stand for the pool beside a fold's own rows


@dataclass(frozen=True)
class Fold:
    """Labelled rows by their numbers in the pool, which of them are the fold's own (c,) bool, and a committee trained
    on the others."""

    rows: np.ndarray
    own: np.ndarray
    committee: Committee


def cross_fitted(
    key: Key,
    learner: Any,
    pool: Pool,
    members: int,
    needs: Iterable[str],
    *,
    rows: np.ndarray | None = None,
    most: int = MOST,
) -> tuple[Fold, ...]:
    """A committee for each of at most `most` folds of the labelled rows, or of those of `rows` (n,) bool among them,
    trained on the rest with what `needs` ask for beside it; but for a temperature, which takes that of the whole."""
    labelled = np.flatnonzero(pool.labelled if rows is None else pool.labelled & rows)
    count = min(folds_of(len(labelled)), most)
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
    """What each fold's committee says of the labelled rows, which come first: the fold's own may be chosen, the others
    are labelled. STANDING open rows follow, which may not: a choice is to serve these and the fold's own, as one of the
    pool serves the pool. `y_true` holds all labels."""
    needs, found = set(needs) - {FOLDS, TEMPERATURE}, []
    standing = some_rows(key_for(key, "standing"), np.flatnonzero(pool.available), STANDING)
    for number, fold in enumerate(folds):
        part = part_of(pool, np.concatenate([fold.rows, standing]))
        own = np.concatenate([fold.own, np.zeros(len(standing), bool)])
        stands = np.arange(len(own)) >= len(fold.own)
        part = replace(part, state=np.where(own, AVAILABLE, part.state), reserved=stands)
        box = (pool.X.min(0), pool.X.max(0))
        seen = gather(key_for(key, number), fold.committee, part, needs | {"y_true"}, box=box, y_true=part.y)
        found.append(replace(seen, served=own | stands))
    return tuple(found)
