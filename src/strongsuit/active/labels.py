"""A target of several labels, each present or absent on its own, as so many questions of yes or no (binary relevance).

A learner that answers them apart says so by `multi_label`; `each` is the classifier of one label, and `label(params,
j)` gives its parameters. What the rules for classes see is one label at a time: a pool with two classes, a committee.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from strongsuit.active.committee import Committee, accompanied
from strongsuit.active.evidence import FOLDS
from strongsuit.active.folds import cross_fitted
from strongsuit.active.pool import Pool
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import join


def has_labels(learner: Any) -> bool:
    """Whether the learner's outputs are labels that are each present or absent, and not classes of which one is."""
    return getattr(learner, "multi_label", False)


def pool_of_label(pool: Pool, number: int) -> Pool:
    """The pool with two classes: the label is absent, or it is present."""
    present = pool.y[:, number]
    return replace(pool, y=np.stack([1.0 - present, present], axis=1))


def committee_of_label(committee: Committee, number: int) -> Committee:
    """Of a committee for all labels the members' models of one label."""
    learner = committee.learner
    models = [learner.label(one, number) for one in committee.params]
    params = join(models) if learner.each.traceable else models
    return Committee(learner.each, committee.keys, params, np.zeros(2), 1.0, committee.begun, committee.rows)


def by_label(
    key: Key, committee: Committee, pool: Pool, members: int, needs: Iterable[str], *, rows: np.ndarray
) -> Committee:
    """The committee with one for each label in `labels`, with what `needs` ask for beside it, trained on the rows (n,)
    bool."""
    found, needs = [], set(needs)
    for number in range(pool.y.shape[1]):
        own, seen = key_for(key, "label", number), pool_of_label(pool, number)
        one = accompanied(own, committee_of_label(committee, number), seen, needs, rows=rows)
        if FOLDS in needs:
            folds = cross_fitted(key_for(own, "folds"), one.learner, seen, members, needs, rows=rows)
            one = replace(one, folds=folds)
        found.append(one)
    return replace(committee, labels=tuple(found))
