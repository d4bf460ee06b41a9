"""Standardised rows with their regimes: folds and samples that keep units and rare regimes.

The rows come in an order that depends on their values only (boundary.py sees to it), so that draws by position do not
depend on the order of the user's rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from strongsuit.core.keys import Key

RARE_ROWS = 50  # rows of a rare regime that a sample keeps, if there are as many


@dataclass(frozen=True)
class Labelled:
    """Standardised rows Z (n, d), regime codes 0..r-1 (n,), weights (n,) of mean one, unit numbers (n,)."""

    Z: np.ndarray
    labels: np.ndarray
    w: np.ndarray
    units: np.ndarray
    regimes: int

    def __len__(self) -> int:
        return len(self.Z)

    @property
    def columns(self) -> int:
        """How many columns vary, at least one."""
        return max(int((self.Z != self.Z[0]).any(axis=0).sum()), 1)

    def take(self, index: np.ndarray) -> Labelled:
        """The rows of an index or a mask."""
        return Labelled(self.Z[index], self.labels[index], self.w[index], self.units[index], self.regimes)


def deal(key: Key, rows: Labelled, most: int) -> tuple[np.ndarray, int]:
    """Fold number (n,) by unit with every regime in every fold, and the number of folds.

    That is `most`, or as many as the rarest regime has units; below two, no fold can be left out.
    """
    _, unit = np.unique(rows.units, return_inverse=True)
    votes = np.zeros((unit.max() + 1, rows.regimes))
    np.add.at(votes, (unit, rows.labels), rows.w)
    main = votes.argmax(1)  # a unit of several regimes counts where most of its weight lies
    folds = min(most, np.bincount(main, minlength=rows.regimes).min())
    order = np.lexsort((key.numpy().random(len(main)), main))
    fold = np.empty(len(main), int)
    fold[order] = np.arange(len(main)) % max(folds, 1)
    return fold[unit], int(folds)


def sample_index(key: Key, rows: Labelled, size: int) -> np.ndarray:
    """Ascending indices of about `size` random rows; a rare regime keeps more rows than its share."""
    if len(rows) <= size:
        return np.arange(len(rows))
    draw = key.numpy().random(len(rows))
    counts = np.bincount(rows.labels, minlength=rows.regimes)
    quota = np.maximum((counts * size / len(rows)).astype(int), np.minimum(counts, RARE_ROWS))
    order = np.lexsort((draw, rows.labels))
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[rank < quota[rows.labels[order]]])


def sample(key: Key, rows: Labelled, size: int) -> Labelled:
    """The rows of `sample_index`, weighted such that each regime keeps its share of the total weight."""
    part = rows.take(sample_index(key, rows, size))
    if len(part) == len(rows):
        return rows
    totals = np.bincount(rows.labels, rows.w, rows.regimes)
    w = part.w * (totals / np.bincount(part.labels, part.w, rows.regimes))[part.labels]
    return replace(part, w=w / w.mean())


def within_errors(d: np.ndarray, w: np.ndarray, units: np.ndarray, errors: float = 1.0) -> bool:
    """Whether the weighted mean of d (n,) is at most so many standard errors, rows of a unit together."""
    mean = float(w @ d / w.sum())
    _, unit = np.unique(units, return_inverse=True)
    sums = np.bincount(unit, w * (d - mean))
    count = len(sums)
    return mean <= errors * np.sqrt((sums**2).sum() * count / max(count - 1, 1)) / w.sum()
