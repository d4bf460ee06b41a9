"""The pool: rows that may be asked for. It never shrinks; a row has a state, and an index always means a pool row."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from strongsuit.core.ties import ranks
from strongsuit.errors import InputError

AVAILABLE, LABELLED, PENDING, EXCLUDED = range(4)
STATES = ("available", "labelled", "pending", "excluded")
START, ACTIVE, AUDIT = range(3)
ROLES = ("start", "active", "audit")


@dataclass(frozen=True)
class Pool:
    """Inputs X (n, d); labels y (n, k), NaN where unknown; `state` and `role` (n,); `reserved` (n,) rows that
    active selection never sees, kept for the random audit; `group` (n,) numbers that rows with the same inputs share,
    None where all rows differ."""

    X: np.ndarray
    y: np.ndarray
    state: np.ndarray
    role: np.ndarray
    reserved: np.ndarray
    group: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.X)

    @property
    def available(self) -> np.ndarray:
        """(n,) bool: rows that may still be asked for."""
        return self.state == AVAILABLE

    @property
    def labelled(self) -> np.ndarray:
        """(n,) bool: rows whose label is known."""
        return self.state == LABELLED

    @property
    def pending(self) -> np.ndarray:
        """(n,) bool: rows asked for and not yet told."""
        return self.state == PENDING


def pool_of(X: np.ndarray, *, y: np.ndarray | None = None, outputs: int = 1) -> Pool:
    """A pool of rows X (n, d); rows of y (n, k) without NaN are labelled. Raises InputError for values in X
    that are not finite, and for labels that are infinite or known in part."""
    X = np.asarray(X, float)
    if X.ndim != 2 or not X.shape[1]:
        raise InputError(f"a pool needs a matrix with at least one column, got shape {X.shape}")
    wrong = ~np.isfinite(X).all(1)
    if wrong.any():
        first = ", ".join(str(i) for i in np.flatnonzero(wrong)[:3])
        where = ", ".join(str(j) for j in np.flatnonzero(~np.isfinite(X).all(0))[:3])
        raise InputError(
            f"{int(wrong.sum())} pool rows hold NaN or infinity (first: row {first}; first: column {where}): drop, "
            "impute or exclude them"
        )
    if y is None:
        labels = np.full((len(X), outputs), np.nan)
    else:
        labels = np.array(y, float)
        labels = labels[:, None] if labels.ndim == 1 else labels
    known = np.isfinite(labels)
    if labels.shape[0] != len(X) or (known.any(1) & ~known.all(1)).any() or np.isinf(labels).any():
        raise InputError(f"labels must be (rows, outputs), each row complete or all NaN; got shape {labels.shape}")
    state = np.where(known.all(1), LABELLED, AVAILABLE).astype(np.int8)
    role = np.full(len(X), START, np.int8)
    return Pool(X, labels, state, role, np.zeros(len(X), bool), groups_of(X))


def groups_of(X: np.ndarray) -> np.ndarray | None:
    """Numbers (n,) that rows of X (n, d) with the same values share, or None where all rows differ."""
    bits = np.ascontiguousarray(X + 0.0).view(np.uint64)  # 0 and -0 are one number
    _, first, number = np.unique(_digests(bits), return_index=True, return_inverse=True)
    if len(first) == len(X):
        return None
    same = (bits == bits[first[number]]).all(1)
    # Rows that share a digest by chance, as in three of 10^8 pools of a million rows, stay alone.
    return np.where(same, number, len(first) + np.arange(len(X)))


def first_of_groups(group: np.ndarray) -> np.ndarray:
    """(n,) bool: the first row of each group, in the order given."""
    mask = np.zeros(len(group), bool)
    mask[np.unique(group, return_index=True)[1]] = True
    return mask


def _digests(bits: np.ndarray) -> np.ndarray:
    """A 64-bit digest (n,) of every row: a chain of SplitMix64 steps over its columns."""
    found = np.zeros(len(bits), np.uint64)
    for column in bits.T:
        found = ranks(found, column)
    return found


def part_of(pool: Pool, rows: np.ndarray) -> Pool:
    """The rows of these numbers as a pool of their own."""
    fields = {name: getattr(pool, name)[rows] for name in ("X", "y", "state", "role", "reserved")}
    return Pool(**fields, group=None if pool.group is None else pool.group[rows])


def asked(pool: Pool, index: np.ndarray, role: np.ndarray | int = ACTIVE) -> Pool:
    """The pool with available rows marked as asked for. Raises InputError if one is not available or is named twice."""
    index = _distinct(pool, index)
    if not pool.available[index].all():
        row = int(index[~pool.available[index]][0])
        raise InputError(f"row {row} cannot be asked for: it is {STATES[pool.state[row]]}")
    state, roles = pool.state.copy(), pool.role.copy()
    state[index], roles[index] = PENDING, role
    return replace(pool, state=state, role=roles)


def told(pool: Pool, index: np.ndarray, y: np.ndarray) -> Pool:
    """The pool with labels y (b, k) of rows; a known label is revised. Nothing is recorded if one is unusable.

    Raises InputError for labels that are not finite or of another width, and for excluded rows.
    """
    index, y = _distinct(pool, index), np.asarray(y, float)
    y = y[:, None] if y.ndim == 1 else y
    if y.shape != (len(index), pool.y.shape[1]):
        raise InputError(f"labels of shape {y.shape} came for {len(index)} rows of {pool.y.shape[1]} outputs")
    if not np.isfinite(y).all():
        row = int(index[~np.isfinite(y).all(1)][0])
        raise InputError(f"the label of row {row} is not finite: leave the row out, or say that it failed")
    if (pool.state[index] == EXCLUDED).any():
        raise InputError(f"row {int(index[pool.state[index] == EXCLUDED][0])} is excluded: it takes no label")
    state, labels = pool.state.copy(), pool.y.copy()
    state[index], labels[index] = LABELLED, y
    return replace(pool, state=state, y=labels)


def failed(pool: Pool, index: np.ndarray) -> Pool:
    """The pool without rows that cannot be labelled: never asked for again, and no anchors, for their neighbours
    may work."""
    state = pool.state.copy()
    state[_distinct(pool, index)] = EXCLUDED
    return replace(pool, state=state)


def _distinct(pool: Pool, index: np.ndarray) -> np.ndarray:
    index = np.atleast_1d(np.asarray(index, int))
    if len(np.unique(index)) != len(index):
        raise InputError("a row is named twice")
    if len(index) and (index.min() < 0 or index.max() >= len(pool)):
        raise InputError(f"rows are numbered 0 to {len(pool) - 1}, got {int(index.min())} to {int(index.max())}")
    return index
