"""Shuffled mini-batches over the rows that exist: buffers, schedule and Adam, shared by all networks.

Row and step counts are run-time values: one executable serves every table that fits the buffer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from strongsuit.core.arrays import pytree
from strongsuit.core.network import scramble, shuffle
from strongsuit.core.scaling import Scaling, blockwise_sum
from strongsuit.errors import InputError

BATCH = 32  # rows of a mini-batch in buffers of up to LARGE rows
LARGE_BATCH = 256
LARGE = 16384
LARGE_SHARE = 0.6  # of the most steps, where batches are large: each sees eight times the rows
TAIL = 64  # rows of weight zero behind the buffer, so that a block may reach past its end
FINAL_RATE = 0.01  # the cosine schedule ends at this share of the learning rate
ADAM = optax.scale_by_adam()


@pytree
@dataclass(frozen=True)
class Rows:
    """The rows that exist, in front of fixed buffers: x (d, c), y (k, c), w (c,); n train, `held` follow them."""

    x: Any
    y: Any
    w: Any
    n: Any
    held: Any


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train: passes over the rows, at least and at most so many steps of rows `batch`
    ("auto" or a number), the first learning rate of a cosine, and the decoupled weight decay."""

    batch: str | int
    learning_rate: Any
    epochs: Any
    least_steps: Any
    most_steps: Any
    weight_decay: Any


def seed_of(key: jax.Array) -> jax.Array:
    """A 32-bit seed of shuffles."""
    return jax.random.bits(key, dtype=jnp.uint32)


def gathered(seed: Any, X: Any, y: Any, w: Any) -> tuple[Any, Any, Any, Any]:
    """The rows of positive weight, shuffled if there is a seed, at the front of X, y, w, and their number: what a
    model pays for.

    The order depends on these rows alone, so that rows of weight zero between them change no bit of a fit. The
    weights are divided by their mean.
    """
    exists = w > 0
    n = jnp.sum(exists)
    place = jnp.cumsum(exists) - 1
    if seed is not None:
        place = shuffle(~seed, place, n, rounds=24, unroll=False)
    place = jnp.where(exists, place, len(w))
    size = len(w) + TAIL
    order = jnp.zeros(size, jnp.int32).at[place].set(jnp.arange(len(w)), mode="drop")
    alive = jnp.arange(size) < n
    order = jnp.where(alive, order, order[0])  # never a row of weight zero, whose values may be anything
    weight = jnp.where(alive, w[order], 0.0)
    total = blockwise_sum(weight[:, None], n)[0]
    return X[order], y[order], weight * (n / jnp.maximum(total, 1e-30)), n


def scaled(found: tuple, scaling: Scaling, held: Any) -> Rows:
    """Feature-major, standardised rows, of which the last share `held` is kept out of training."""
    X, y, w, n = found
    out = jnp.floor(n * held).astype(jnp.int32)
    return Rows(scaling.inputs(X).T, scaling.targets(y).T, w, n - out, out)


def is_large(batch: str | int, capacity: int) -> bool:
    """True where mini-batches of a buffer are large."""
    return batch == "auto" and capacity > LARGE + TAIL


def batch_size(batch: str | int, capacity: int) -> int | None:
    """Rows of a mini-batch; None for full batches."""
    if batch == "full":
        return None
    if batch == "auto":
        return LARGE_BATCH if is_large(batch, capacity) else BATCH
    return int(batch)


def batches_of(n: jax.Array, size: int | None) -> jax.Array:
    """Steps in one epoch of n rows."""
    return jnp.int32(1) if size is None else jnp.maximum((n + size - 1) // size, 1)


def planned_epochs(rows: Rows, batch: str | int, epochs: Any, least: Any, most: Any, batches: jax.Array) -> jax.Array:
    """Whole passes over the rows within the least and most steps; none without rows."""
    most = most * (LARGE_SHARE if is_large(batch, rows.x.shape[1]) else 1.0)
    planned = jnp.clip(jnp.ceil(epochs), jnp.ceil(least / batches), jnp.ceil(most / batches))
    return jnp.where((epochs > 0) & (rows.n > 0), planned, 0).astype(jnp.int32)


def cosine(rate: Any, step: jax.Array, total: jax.Array) -> jax.Array:
    """The learning rate after so many of all steps."""
    share = jnp.minimum(step / total, 1.0)
    return rate * (FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + jnp.cos(jnp.pi * share)))


def batch_places(rows: Rows, seed: jax.Array, number: jax.Array, batches: jax.Array, size: int):
    """Places (size,) of the rows in a mini-batch, which of them it has (size,), and how many (at least one)."""
    first, last = number * rows.n // batches, (number + 1) * rows.n // batches
    place = first + jnp.arange(size)
    return shuffle(seed, place, rows.n), place < last, jnp.maximum(last - first, 1)


def batch_rows(rows: Rows, seed: jax.Array, number: jax.Array, batches: jax.Array, size: int):
    """Places (size,) of the rows in a mini-batch and their weights over its row count, 0 where it has no row."""
    picked, live, count = batch_places(rows, seed, number, batches, size)
    return picked, jnp.where(live, rows.w[picked], 0.0) / count


def adam_step(layers: Any, adam: Any, slope: Any, speed: jax.Array, weight_decay: Any) -> tuple[Any, Any]:
    """Layers and optimiser state after one step of AdamW (Loshchilov and Hutter 2019)."""
    move, adam = ADAM.update(slope, adam)
    decay = speed * weight_decay
    layers = jax.tree.map(lambda weight, m: weight - speed * m - decay * weight, layers, move)
    return layers, adam


def train(layers: Any, rows: Rows, seed: jax.Array, slope: Callable[..., Any], schedule: Schedule) -> Any:
    """The layers after all epochs of mini-batches.

    `slope(layers, x, y, share, step, done)` is the gradient for x (d, size), y (k, size), weights over the row count
    (size,), the number of steps before this one and their share of all.
    """
    size = batch_size(schedule.batch, rows.x.shape[1])
    batches = batches_of(rows.n, size)
    epochs = planned_epochs(rows, schedule.batch, schedule.epochs, schedule.least_steps, schedule.most_steps, batches)
    total = jnp.maximum(epochs * batches, 1)

    def step(number, state):
        layers, adam = state
        count = adam.count
        salt = scramble(seed ^ (number // batches).astype(jnp.uint32))
        picked, share = batch_rows(rows, salt, number % batches, batches, size)
        found = slope(layers, rows.x[:, picked], rows.y[:, picked], share, count, count / total)
        speed = cosine(schedule.learning_rate, count, total)
        return adam_step(layers, adam, found, speed, schedule.weight_decay)

    return lax.fori_loop(0, epochs * batches, step, (layers, ADAM.init(layers)))[0]


def check_settings(widths: tuple[int, ...], batch: str | int, *, full: bool) -> None:
    """InputError unless widths are positive and the batch is one that is known; `full` allows full batches."""
    words = ("auto", "full") if full else ("auto",)
    if isinstance(batch, str) and batch not in words:
        raise InputError(f"batch must be {', '.join(map(repr, words))} or a number of rows, got {batch!r}")
    if not widths or min(widths) < 1:
        raise InputError(f"widths must be positive whole numbers, one a hidden layer, got {widths}")
