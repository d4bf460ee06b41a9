"""How a search looks at a row, where the weights of strategies depend on it: ranks, doubt and place, in one scale."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from strongsuit.active.class_scores import entropy, margin
from strongsuit.active.evidence import Evidence
from strongsuit.active.search.weights import Lesson
from strongsuit.core.nearest import kth_distance

DIRECTIONS = 32  # of the inputs' largest variance


@dataclass(frozen=True)
class Looks:
    """Inputs are seen along `basis` (d, <= 32) about `middle` (d,); columns are centred by `mean` and divided by
    `spread` (q,), those of the labelled rows."""

    middle: np.ndarray
    basis: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    def at(self, evidence: Evidence, ranks: np.ndarray) -> np.ndarray:
        """The looks (n, q) of all rows with these ranks (n, K); of rows without ranks they say nothing."""
        return (self.raw(evidence, ranks) - self.mean) / self.spread

    def raw(self, evidence: Evidence, ranks: np.ndarray) -> np.ndarray:
        """The same before scaling."""
        return np.hstack([np.nan_to_num(ranks), _doubts(evidence), (evidence.x - self.middle) @ self.basis])


def looks_of(evidence: Evidence, folds: tuple[Evidence, ...], lesson: Lesson) -> tuple[Looks, Lesson]:
    """How to look at rows, and the lesson with the looks of its rows as features.

    Inputs stand for the features of deep models: those of two trainings have no direction in common.
    """
    middle = evidence.x.mean(0)
    centred = evidence.x - middle
    basis = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :DIRECTIONS]
    plain = Looks(middle, basis, np.zeros(1), np.ones(1))
    found = []
    for fold, ranks in zip(folds, lesson.ranks, strict=True):
        own = np.flatnonzero(fold.available)
        wide = np.zeros((len(fold.x), ranks.shape[1]))
        wide[own] = ranks[: len(own)]
        found.append(plain.raw(fold, wide)[own])
    rows = np.concatenate(found)
    looks = replace(plain, mean=rows.mean(0), spread=np.where(np.ptp(rows, axis=0) > 0, rows.std(0), 1.0))
    features = np.zeros((*lesson.real.shape, rows.shape[1]))
    features[lesson.real] = (rows - looks.mean) / looks.spread  # real rows come first in every fold, in this order
    return looks, replace(lesson, features=features)


def _doubts(evidence: Evidence) -> np.ndarray:
    """Of classes the largest probability, the margin and the entropy (n, 3); of numbers the mean, the variance and the
    distance to the nearest row that counts (n, k + 2)."""
    if evidence.proba is not None:
        p = evidence.proba
        return np.stack([p.max(1), margin(p), entropy(p)], axis=1)
    near = kth_distance(evidence.x, evidence.x[evidence.anchors], 1)
    return np.nan_to_num(np.column_stack([evidence.mean, evidence.var, near]))
