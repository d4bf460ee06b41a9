"""What models lose that miss a few labelled rows: random ones, typical ones, or odd ones.

Which rows a classifier misses most says what it still lives on: with few labels the typical ones, with many the odd
ones near its boundaries (Hacohen and Weinshall 2023). All losses are of rows that the models did not see.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from strongsuit.active.calibration import MOST, dealt, folds_of
from strongsuit.active.choice import deterministic, fit_each
from strongsuit.core.covering import some_rows
from strongsuit.core.groups import k_means, square_table
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import predict_many
from strongsuit.core.standard import standard

REMOVED = "removed"  # the field of Evidence
KINDS = ("random", "typical", "odd")
SHARE = 0.05  # of each class, at least one row
REPEATS = 5
FEWEST = 30  # labels below which no regime is told apart
SPARED = 4  # a class with fewer rows keeps them all
NEIGHBOURS = 20  # of a cluster, by whose mean distance a row is typical, as in TypiClust
_LARGEST = 4096  # rows of a class that are looked at; a keyed subset beyond
_LEAST = 1e-6  # a probability whose logarithm is taken


def losses_without(key: Key, learner: Any, X: np.ndarray, y: np.ndarray, *, share: float = SHARE) -> np.ndarray | None:
    """Mean held-out cross entropy (3, REPEATS) of models fitted to rows X (n, d) of classes y (n, k) without `share` of
    each class: rows drawn at random, the most typical ones, the oddest ones, in the order of KINDS.

    In every repetition the rows are dealt into folds anew; a fold judges models of the others, less what is removed.
    Learners with chance are judged by one fold a repetition. None with fewer than FEWEST rows or two classes of SPARED
    rows. All models are fitted in one call. Hacohen and Weinshall 2023.
    """
    if len(X) < FEWEST or (np.bincount(y.argmax(1)) >= SPARED).sum() < 2:
        return None
    center, spread = standard(X)
    Z, folds = _unit((X - center) / spread), folds_of(len(X)) if deterministic(learner) else MOST
    W, judged, keys = [], [], []
    for repeat in range(REPEATS):
        own = key_for(key, repeat)
        fold = dealt(key_for(own, "deal"), y, folds)
        for f in range(folds if deterministic(learner) else 1):
            rows = np.flatnonzero(fold != f)
            removed = removals(key_for(own, f), Z, y.argmax(1), rows, share=share)
            W += [np.isin(np.arange(len(X)), np.setdiff1d(rows, gone)) for gone in removed]
            judged += [fold == f] * len(KINDS)
            keys += [key_for(own, "member", f)] * len(KINDS)  # all three begin with the same weights
    params = fit_each(learner, keys, X, y, np.array(W, float))
    said = np.asarray(predict_many(learner, params, X).mean, float)
    loss = -(y * np.log(np.maximum(said, _LEAST))).sum(2)
    each = np.array([one[rows].mean() for one, rows in zip(loss, judged, strict=True)])
    return each.reshape(REPEATS, -1, len(KINDS)).mean(1).T


def removals(
    key: Key, Z: np.ndarray, label: np.ndarray, rows: np.ndarray, *, share: float = SHARE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of the rows (r,) go, as many of each kind: `share` of each class of `label` (n,), by features Z (n, p)."""
    found = [np.zeros((3, 0), int)]
    for c in np.unique(label[rows]):
        members = some_rows(key_for(key, "members"), rows[label[rows] == c], _LARGEST)
        if len(members) >= SPARED:
            own, count = key_for(key, int(c)), max(1, round(share * len(members)))
            drawn = own.numpy().choice(members, count, replace=False)
            typical, odd = np.array([*_ends(own, Z, members, count)]).T
            found.append(np.stack([drawn, typical, odd]))
    return tuple(np.concatenate(found, axis=1))


def _ends(key: Key, Z: np.ndarray, members: np.ndarray, count: int) -> Iterator[tuple[int, int]]:
    """The most and the least typical row of each of `count` clusters of the members (c,). Of a cluster of one row both
    are that row; empty clusters, where rows coincide, are made up for by members not taken."""
    label = np.zeros(len(members), int) if count == 1 else k_means(key, Z[members], count)[0]
    typical, odd = [], []
    for cluster in np.unique(label):
        own = members[label == cluster]
        order = own[np.argsort(_crowding(Z[own]), kind="stable")]
        typical.append(int(order[0]))
        odd.append(int(order[-1]))
    short = count - len(typical)
    for found in (typical, odd):
        found += [int(row) for row in members if row not in found][:short]
    yield from zip(typical, odd, strict=True)


def _crowding(Z: np.ndarray) -> np.ndarray:
    """The mean distance (c,) of each row to its nearest ones: the less, the more typical."""
    if len(Z) < 2:
        return np.zeros(len(Z))
    d2 = square_table(Z, Z)
    np.fill_diagonal(d2, np.inf)
    nearest = max(1, min(NEIGHBOURS, len(Z) // 2))
    return np.sqrt(np.partition(d2, nearest - 1, axis=1)[:, :nearest]).mean(1)


def _unit(Z: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(Z, axis=1, keepdims=True)
    return Z / np.where(size > 0.0, size, 1.0)
