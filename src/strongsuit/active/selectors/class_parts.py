"""What selectors for classes share: parts of an embedding, checked probabilities, ties up to rounding."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates
from strongsuit.core.ties import first_of_largest
from strongsuit.errors import InputError

_OFF, _BELOW = 1e-2, -1e-6  # what sums of half-precision probabilities over a thousand classes still keep
_EQUAL = 1e-10  # relative: products of matrices round equal rows apart, and that must not break a tie


def two_widths(candidates: Candidates, X: np.ndarray, what: str) -> tuple[int, int]:
    """The widths of the two blocks of X (n, p), or InputError that says what they should hold."""
    widths = tuple(candidates.blocks)
    if len(widths) != 2 or min(widths) < 1 or sum(widths) != X.shape[1]:
        raise InputError(f"candidates.blocks must be two widths that sum to {X.shape[1]}, for {what}; got {widths}")
    return int(widths[0]), int(widths[1])


def check_probabilities(P: np.ndarray, rows: np.ndarray) -> None:
    """InputError unless P (n, k) or (n, T, k) holds class probabilities in the rows (n,) bool; others may be NaN."""
    with np.errstate(invalid="ignore"):
        bad = (np.abs(P.sum(axis=-1, dtype=np.float64) - 1.0) > _OFF) | (P.min(axis=-1) < _BELOW)
    bad = np.flatnonzero(rows & (bad if bad.ndim == 1 else bad.any(axis=1)))
    if len(bad):
        raise InputError(
            f"candidates.embedding must hold class probabilities that sum to 1, of one softmax only; in "
            f"{len(bad)} rows it does not, row {bad[0]} the first"
        )


def first_of_nearly_largest(seed: np.uint64, values: np.ndarray, rows: np.ndarray) -> int:
    """The position of the largest of values (n,); of those equal but for rounding the first in the seed's order."""
    top = values.max()
    return first_of_largest(seed, np.where(values >= top - _EQUAL * abs(top), top, values), rows)
