"""Keyed order of rows: ties are broken by it, so that the order of a table decides nothing."""

from __future__ import annotations

import numpy as np

from strongsuit.core.keys import Key

# SplitMix64 (Steele, Lea and Flood 2014): a bijection of 64-bit words, so no two rows share a rank.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
_SHIFTS = tuple(np.uint64(bits) for bits in (30, 27, 31))


def tie_seed(key: Key) -> np.uint64:
    """The 64-bit seed of a key's order of rows."""
    return np.uint64((key.words[0] << 32) | key.words[1])


def ranks(seed: np.uint64, rows: np.ndarray) -> np.ndarray:
    """Ranks (c,) of row numbers (c,): distinct 64-bit integers, the least first; no memory of the other rows."""
    with np.errstate(over="ignore"):  # the arithmetic is modulo 2**64 by design
        z = seed + (np.asarray(rows).astype(np.uint64) + np.uint64(1)) * GOLDEN
        z = (z ^ (z >> _SHIFTS[0])) * FIRST
        z = (z ^ (z >> _SHIFTS[1])) * SECOND
    return z ^ (z >> _SHIFTS[2])


def keyed_order(key: Key, rows: np.ndarray) -> np.ndarray:
    """The row numbers (c,) in the key's order, a uniform random permutation of them."""
    rows = np.asarray(rows, dtype=np.int64)
    return rows[np.argsort(ranks(tie_seed(key), rows))]


def largest(key: Key, values: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """The `count` rows of largest value, largest first: values (c,) belong to row numbers (c,), ties keyed.

    Only rows at or above the cut are sorted.
    """
    rows, values = np.asarray(rows, dtype=np.int64), np.asarray(values)
    if 0 < count < len(rows):
        kept = values >= np.partition(values, len(rows) - count)[len(rows) - count]
        rows, values = rows[kept], values[kept]
    return rows[np.lexsort((ranks(tie_seed(key), rows), -values))[:count]]


def first_of_largest(seed: np.uint64, values: np.ndarray, rows: np.ndarray | None = None) -> int:
    """The position of the largest of values (n,), of equal ones the first in the seed's order of their rows (n,)."""
    equal = np.flatnonzero(values == values.max())
    if len(equal) == 1:
        return int(equal[0])
    return int(equal[np.argmin(ranks(seed, equal if rows is None else rows[equal]))])
