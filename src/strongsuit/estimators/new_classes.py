"""Classes that nobody declared, taken in while a campaign runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from strongsuit.active.session import Session
from strongsuit.core.classes import Classes, classes_of


def with_new(classes: Classes, labels: Any) -> Classes:
    """The classes and those among the labels (n,) that are none of them yet."""
    return classes_of(list(classes.values) + np.asarray(labels, object).ravel().tolist())


def carried_over(session: Session, before: Classes, after: Classes) -> Session:
    """The session with a column for each class, of which nothing is known so far where it is new; what chooses is
    trained anew."""
    place = after.numbers(list(before.values))
    answers = session.answers
    if answers is not None:
        answers = replace(answers, said=_spread(answers.said, place, len(after)))
    pool = replace(session.pool, y=_spread(session.pool.y, place, len(after)))
    return replace(session, pool=pool, answers=answers, selecting=None)


def _spread(y: np.ndarray, place: np.ndarray, k: int) -> np.ndarray:
    """Columns (n, k) of which those in `place` are y's, the others 0, or NaN where y is."""
    found = np.repeat(np.where(np.isnan(y[:, :1]), np.nan, 0.0), k, axis=1)
    found[:, place] = y
    return found
