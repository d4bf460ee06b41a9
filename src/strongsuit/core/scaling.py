"""Standardisation inside compiled learners, with sums whose bits do not depend on padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from strongsuit.core.arrays import pytree

_SUM_BLOCK = 64  # every buffer is a multiple of it (arrays.bucket), so padding adds whole blocks of zeros
_CONSTANT = 1e-6  # a column whose spread is below this share of its size is constant up to float32 rounding


@pytree
@dataclass(frozen=True)
class Scaling:
    """Means and scales of X (d,) and y (k,), weighted; constant columns have scale 1."""

    x_mean: Any
    x_scale: Any
    y_mean: Any
    y_scale: Any

    def inputs(self, X: jax.Array) -> jax.Array:
        """Standardised X."""
        return (X - self.x_mean) / self.x_scale

    def targets(self, y: jax.Array) -> jax.Array:
        """Standardised y."""
        return (y - self.y_mean) / self.y_scale

    def outputs(self, z: jax.Array) -> jax.Array:
        """y in its own units from standardised z."""
        return z * self.y_scale + self.y_mean


def fit_scaling(X: jax.Array, y: jax.Array, w: jax.Array) -> Scaling:
    """The scaling of the rows of positive weight."""
    return Scaling(*_moments(X, w), *_moments(y, w))


def _moments(A: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Weighted mean and standard deviation of each column; deviation 1 for constant columns."""
    total = jnp.maximum(padded_sum(w[:, None])[0], 1e-30)
    mean = padded_sum(w[:, None] * A) / total
    spread = jnp.sqrt(padded_sum(w[:, None] * (A - mean) ** 2) / total)
    return mean, jnp.where(spread > _CONSTANT * (jnp.abs(mean) + spread), spread, 1.0)


def padded_sum(A: jax.Array) -> jax.Array:
    """Column sums in blocks, one after another, so that rows of zeros behind the last leave every bit as it was."""
    blocks = A.reshape(-1, _SUM_BLOCK, A.shape[1]).sum(axis=1)
    return lax.fori_loop(0, len(blocks), lambda i, t: t + blocks[i], jnp.zeros(A.shape[1], A.dtype))
