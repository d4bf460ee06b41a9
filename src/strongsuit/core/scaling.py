"""Standardisation inside compiled learners, with sums whose bits do not depend on padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from strongsuit.core.arrays import pytree

_SUM_BLOCK = 64  # buffers are multiples of it (arrays.bucket)
_CONSTANT = 1e-6  # a column whose spread is below this share of its size is constant up to float32 rounding


@pytree
@dataclass(frozen=True)
class Scaling:
    """Means and scales of X (d,) and y (k,), weighted; constant columns have scale 0.

    A constant feature is ignored, also where a new row differs from it; a constant target is predicted exactly.
    """

    x_mean: Any
    x_scale: Any
    y_mean: Any
    y_scale: Any

    def inputs(self, X: jax.Array) -> jax.Array:
        """Standardised X."""
        return (X - self.x_mean) * _inverse(self.x_scale)

    def targets(self, y: jax.Array) -> jax.Array:
        """Standardised y."""
        return (y - self.y_mean) * _inverse(self.y_scale)

    def outputs(self, z: jax.Array) -> jax.Array:
        """y in its own units from standardised z."""
        return z * self.y_scale + self.y_mean


def _inverse(scale: jax.Array) -> jax.Array:
    """1 / scale, and 0 for 0."""
    return jnp.where(scale > 0, 1.0 / jnp.where(scale > 0, scale, 1.0), 0.0)


def fit_scaling(X: jax.Array, y: jax.Array, w: jax.Array, n: jax.Array) -> Scaling:
    """The scaling of the first n rows, weighted; later rows of the buffer must have weight zero."""
    return Scaling(*_moments(X, w, n), *_moments(y, w, n))


def _moments(A: jax.Array, w: jax.Array, n: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Weighted mean and standard deviation of each column; deviation 0 for constant columns."""
    total = jnp.maximum(blockwise_sum(w[:, None], n)[0], 1e-30)
    mean = blockwise_sum(w[:, None] * A, n) / total
    spread = jnp.sqrt(blockwise_sum(w[:, None] * (A - mean) ** 2, n) / total)
    return mean, jnp.where(spread > _CONSTANT * (jnp.abs(mean) + spread), spread, 0.0)


def blockwise_sum(A: jax.Array, n: jax.Array) -> jax.Array:
    """Column sums over blocks one after another: the same bits whatever the size of the buffer."""
    blocks = A.reshape(-1, _SUM_BLOCK, A.shape[1]).sum(axis=1)
    whole = (n + _SUM_BLOCK - 1) // _SUM_BLOCK
    return lax.fori_loop(0, whole, lambda i, t: t + blocks[i], jnp.zeros(A.shape[1], A.dtype))
