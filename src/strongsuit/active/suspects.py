"""Labelled rows that should be looked at again: improbable to models that did not see them, or disputed. None is ever
taken out for it: that is for people to decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from strongsuit.active.answers import LEAST_AGREEMENT, Answers, agreement
from strongsuit.active.calibration import MOST
from strongsuit.active.committee import moments
from strongsuit.active.folds import cross_fitted
from strongsuit.active.labels import has_labels, pool_of_label
from strongsuit.active.pool import Pool
from strongsuit.core.keys import Key, key_for

IMPROBABLE = 0.05  # a label of less probability is suspect
FEWEST_LABELS = 20  # labelled rows below which models of a part of them say little
MEMBERS = 3  # of each committee that judges, as on the learning curve
IMPROBABLE_LABEL, DISPUTED = "improbable", "disputed"


@dataclass(frozen=True)
class Suspect:
    """A labelled row: the probability of its label in the eyes of models that did not see it, None where none could
    judge; the share of its annotators that gave the most frequent answer; the number of the label meant, where rows
    have several, else None; and the reasons."""

    row: int
    probability: float | None
    agreement: float
    label: int | None
    reasons: tuple[str, ...]


def suspects(
    key: Key, learner: Any, pool: Pool, answers: Answers | None = None, *, members: int = MEMBERS
) -> tuple[Suspect, ...]:
    """The suspects among the labelled rows, the least probable first: rows whose label has a probability below
    IMPROBABLE, and disputed ones. With more than ten classes the bar is half of what chance would say."""
    chance, which = _least(key, learner, pool, members)
    bar = min(IMPROBABLE, 0.5 / (2 if has_labels(learner) else pool.y.shape[1]))
    agreed = np.ones(len(pool))
    if answers is not None:
        rows, share = agreement(answers)
        agreed[rows] = share
    doubtful, torn = pool.labelled & (chance < bar), pool.labelled & (agreed < LEAST_AGREEMENT)
    order = np.argsort(np.where(np.isnan(chance), 1.0, chance), kind="stable")
    return tuple(
        Suspect(
            int(row),
            None if np.isnan(chance[row]) else float(chance[row]),
            float(agreed[row]),
            int(which[row]) if has_labels(learner) and doubtful[row] else None,
            tuple(word for word, yes in ((IMPROBABLE_LABEL, doubtful[row]), (DISPUTED, torn[row])) if yes),
        )
        for row in order
        if doubtful[row] or torn[row]
    )


def chance_of_label(key: Key, learner: Any, pool: Pool, members: int = MEMBERS) -> np.ndarray:
    """The probability (n,) of each labelled row's own label in the eyes of a committee that did not see it, NaN on all
    others, on rows of classes that this committee saw no row of, and below FEWEST_LABELS labelled rows. Of a row on
    which annotators disagree it is the mean over their answers."""
    found = np.full(len(pool), np.nan)
    if pool.labelled.sum() < FEWEST_LABELS:
        return found
    for fold in cross_fitted(key, learner, pool, members, (), most=MOST):
        own, others = fold.rows[fold.own], fold.rows[~fold.own]
        y, seen = pool.y[own], (pool.y[others] > 0.0).any(0)
        p, _ = moments(fold.committee, pool.X[own])
        found[own] = np.where((y[:, ~seen] > 0.0).any(1), np.nan, (p * y).sum(1))
    return found


def _least(key: Key, learner: Any, pool: Pool, members: int) -> tuple[np.ndarray, np.ndarray]:
    """The probability (n,) of the row's least probable label, and which (n,) label that is."""
    if not has_labels(learner):
        return chance_of_label(key, learner, pool, members), np.zeros(len(pool), int)
    every = np.stack([
        chance_of_label(key_for(key, number), learner.each, pool_of_label(pool, number), members)
        for number in range(pool.y.shape[1])
    ])  # fmt: skip
    which = np.where(np.isnan(every), np.inf, every).argmin(0)
    return every[which, np.arange(len(pool))], which
