"""Shapes: pytrees, row buckets, padding and chunks.

Shape letters used throughout: n rows, d features, k outputs, m models, c rows of a padded buffer, b batch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import fields

import numpy as np

_pending: list[type] = []


def pytree(cls: type) -> type:
    """The dataclass itself, made known to JAX as a pytree: at once where JAX is loaded, else when it is.

    The delay keeps host-only use free of JAX.
    """
    _pending.append(cls)
    if "jax" in sys.modules:
        register_pytrees()
    return cls


def register_pytrees() -> None:
    """Make the dataclasses marked so far known to JAX; called by whoever loads JAX."""
    import jax

    while _pending:
        cls = _pending.pop()
        jax.tree_util.register_dataclass(cls, [field.name for field in fields(cls)], [])


def bucket(n: int, *, smallest: int = 64) -> int:
    """The least power-of-two multiple of `smallest` that holds n rows: few shapes are ever compiled."""
    size = smallest
    while size < n:
        size *= 2
    return size


def pad_rows(array: np.ndarray, size: int, *, axis: int = 0) -> np.ndarray:
    """The array with zeros added along `axis` up to `size` rows; itself where it has them already."""
    if array.shape[axis] == size:
        return array
    shape = (*array.shape[:axis], size, *array.shape[axis + 1 :])
    padded = np.zeros(shape, array.dtype)  # a tenth of the time of np.pad where there are few rows
    padded[(slice(None),) * axis + (slice(array.shape[axis]),)] = array
    return padded


def chunks(n: int, size: int) -> Iterator[slice]:
    """Slices that cover 0..n in steps of `size`; one empty slice for n = 0."""
    for start in range(0, max(n, 1), size):
        yield slice(start, min(start + size, n))


def map_chunks(fn: Callable[[np.ndarray], np.ndarray], X: np.ndarray, *, size: int) -> np.ndarray:
    """`fn` applied to chunks of rows and joined along the first axis: bounded memory for wide evidence."""
    return np.concatenate([fn(X[rows]) for rows in chunks(len(X), size)])
