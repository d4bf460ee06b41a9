"""Signs that rows belong together although no group says so: repeats in all columns but one.

A sweep (22 hulls at 14 speeds each) looks like that: without the swept column few distinct rows are left.
A random split then puts rows of one sweep on both sides and every loss looks better than it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

HASHED_ROWS = 200_000
HASHED_COLUMNS = 100
FEW_LEFT = 0.5  # share of distinct rows left without a column that makes it a sweep
FEWEST_GROUPS = 3
FEW_VALUES = 0.5  # a swept column repeats its values: at most so many of them per distinct row


def design_warning(X: np.ndarray, names: Sequence[str]) -> str:
    """A sentence if rows of X (n, d) look like sweeps over one column, else an empty string."""
    n, d = X.shape
    if not 2 <= d <= HASHED_COLUMNS or n < 2 * FEWEST_GROUPS:
        return ""
    marks = _column_marks(X[:HASHED_ROWS])
    whole = marks.sum(1, dtype=np.uint64)  # sums of 64-bit marks wrap around, which keeps them exact
    distinct = len(np.unique(whole))
    counts = np.array([len(np.unique(whole - marks[:, j])) for j in range(d)])
    values = np.array([len(np.unique(marks[:, j])) for j in range(d)])
    swept = (values > 2) & (values <= FEW_VALUES * distinct) & (counts >= FEWEST_GROUPS)
    candidates = np.where(swept, counts, len(X) + 1)
    j = int(candidates.argmin())
    if candidates[j] > FEW_LEFT * distinct:
        return ""
    return (
        f"Rows may belong together: without {names[j]} only {counts[j]} of {distinct} distinct rows are left. "
        "If each of these is one specimen or one series, name a group column; else losses look too good."
    )


def _column_marks(X: np.ndarray) -> np.ndarray:
    """A 64-bit mark (n, d) of each cell, different for equal values of different columns."""
    salts = np.random.default_rng(0).integers(1, 2**63, X.shape[1], dtype=np.uint64) | np.uint64(1)
    columns = [pd.util.hash_array(np.ascontiguousarray(X[:, j])) * salts[j] for j in range(X.shape[1])]
    return np.stack(columns, axis=1)


def copies_warning(notes: Sequence[str]) -> str:
    """The note on repeated rows as a sentence, or an empty string."""
    found = [note.partition(": ")[2] for note in notes if note.startswith("repeated_rows")]
    return f"Repeated rows: {found[0]}; each set of them counts as one observation." if found else ""
