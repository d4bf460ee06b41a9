"""Classes that a committee is so sure of that it learns them as if they were labels: CEAL's cost-effective half."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from strongsuit.active.class_scores import entropy
from strongsuit.core.keys import Key
from strongsuit.core.learner import fit_many, member_keys

TAUGHT = "taught"  # the field that models answer which were fitted to pseudo-labels too
SURE, STRICTER = 5e-5, 3.3e-7  # entropy below which a row is one, and what is taken off every round (its public code)
MOST = 4096  # pseudo-labels at most, the surest: a fit to all rows of a large pool would be what a round costs


class Committee(Protocol):
    """What is asked of a committee: models fitted to labels alone."""

    learner: Any
    params: Any
    keys: tuple[Key, ...]


def threshold(round_: int) -> float:
    """The entropy in nats below which a class counts as known, after so many rounds; never below 0."""
    return max(0.0, SURE - STRICTER * round_)


def sure(p: np.ndarray, round_: int) -> np.ndarray:
    """Numbers (m,) of the rows of probabilities p (n, k) whose entropy is below the round's threshold, in order; the
    MOST surest if there are more."""
    doubt = entropy(p)
    rows = np.flatnonzero(doubt < threshold(round_))
    return rows if len(rows) <= MOST else np.sort(rows[np.argsort(doubt[rows], kind="stable")[:MOST]])


def self_taught(
    key: Key, committee: Committee, X: np.ndarray, y: np.ndarray, others: np.ndarray, p: np.ndarray, round_: int
) -> Any:
    """Parameters of as many models as the committee has, fitted to labels X (n, d), y (n, k) and to pseudo-labels of
    those rows of others (u, d) that its probabilities p (u, k) are sure of; its own parameters where there are none.

    Pseudo-labels are never kept: the committee that decides about them has learned labels alone, so a wrong one cannot
    confirm itself in later rounds, and a call that begins afresh gives the same answer. Wang et al. (2017).
    """
    rows = sure(p, round_)
    if not len(rows):
        return committee.params
    size = len(committee.keys)
    both, labels = np.concatenate([X, others[rows]]), np.concatenate([y, np.eye(y.shape[1])[p[rows].argmax(1)]])
    return fit_many(committee.learner, member_keys(key, size), both, labels, np.ones((size, len(both))))
