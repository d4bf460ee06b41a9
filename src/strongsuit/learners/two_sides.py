"""Labelled and open rows in one table, for networks that learn to tell them apart.

A row without a label has a y of 0 in every class; a label's probabilities sum to 1. So the contract of learners stands
as it is: a weight of 0 still means that a row does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from strongsuit.core.arrays import pytree
from strongsuit.core.scaling import Scaling
from strongsuit.learners.cross_entropy import input_scaling
from strongsuit.learners.minibatch import gathered


@pytree
@dataclass(frozen=True)
class Side:
    """Rows of one kind in front of a buffer: standardised x (d, c), y (k, c), and how many there are."""

    x: Any
    y: Any
    n: Any


def has_label(y: jax.Array) -> jax.Array:
    """(n,) bool: the rows of y (n, k) that are labels."""
    return jnp.sum(y, axis=1) > 0.5


def both_sides(X: jax.Array, y: jax.Array, w: jax.Array) -> tuple[Side, Side, Scaling]:
    """The labelled rows, the open ones, and the scaling of inputs by both, of X (n, d), y (n, k), w (n,)."""
    scaling = input_scaling(gathered(None, X, y, w))
    labelled = has_label(y)
    return _side(X, y, jnp.where(labelled, w, 0.0), scaling), _side(X, y, jnp.where(labelled, 0.0, w), scaling), scaling


def _side(X: jax.Array, y: jax.Array, w: jax.Array, scaling: Scaling) -> Side:
    found, labels, _, n = gathered(None, X, y, w)
    return Side(scaling.inputs(found).T, labels.T, n)


def drawn(key: jax.Array, side: Side, size: int) -> tuple[jax.Array, jax.Array]:
    """x (d, size) and y (k, size) of rows drawn with replacement: few labelled rows fill a batch as many open ones do.

    Their weight is uniform, as in the published training. Of a side without rows it is any row of the buffer.
    """
    picked = jax.random.randint(key, (size,), 0, jnp.maximum(side.n, 1))
    return side.x[:, picked], side.y[:, picked]
