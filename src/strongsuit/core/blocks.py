"""One epoch of a competition among equal networks: all models bid for all rows, the owner of a row takes the step.

Rows are sorted by owner, so that each model's rows are one run, and a model computes gradients over the blocks of its
own run only: N rows of work instead of m N for masks, and no array of m N activations. Masking everything loses even
to a plain loop from about ten models on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from strongsuit.core.arrays import bucket, pad_rows, pytree
from strongsuit.core.compile import door, over_members
from strongsuit.core.keys import Key, key_for
from strongsuit.core.network import Layers, blocked, columns, forward, init_layers, loss, transposed

BID_BLOCK = 256  # rows of a forward pass: activations of 64 units then stay in the second-level cache
TAIL = 256  # rows of weight zero behind a buffer, so that the last block may reach past its end
SMALLEST = 1024
TOO_FEW = 2  # a model that owns fewer rows skips its step
_ADAM = optax.scale_by_adam()


@pytree
@dataclass(frozen=True)
class Rivals:
    """m equal networks, stacked along the first axis, and their optimiser states."""

    layers: Layers
    adam: Any


@pytree
@dataclass(frozen=True)
class Table:
    """Rows in fixed buffers: X (c, d), y (c, k), w (c,) with zeros behind the n rows that exist."""

    X: Any
    y: Any
    w: Any
    n: Any


def rivals(key: Key, m: int, d: int, k: int, *, widths: tuple[int, ...], activation: str = "tanh") -> Rivals:
    """m networks d -> widths -> k with random weights."""
    words = np.array([key_for(key, "rival", i).words for i in range(m)], np.uint32)
    return _start(widths, activation, (d, k), words)


def table(X: np.ndarray, y: np.ndarray, w: np.ndarray | None = None) -> Table:
    """X (n, d), y (n, k) and w (n,) in float32 buffers, which few different row counts need to be compiled for."""
    n = len(X)
    size = bucket(n, smallest=SMALLEST) + TAIL
    w = np.ones(n) if w is None else w
    X, y, w = (pad_rows(np.asarray(array, np.float32), size) for array in (X, y, w))
    return Table(X, y, w, np.int32(n))


def bids(models: Rivals, rows: Table, *, activation: str = "tanh") -> np.ndarray:
    """Squared error (n, m) of every model on every row, averaged over outputs."""
    return np.asarray(_all_bids(activation, models.layers, rows)).T[: int(rows.n)]


def owner_pass(
    models: Rivals, rows: Table, owner: np.ndarray, *, learning_rate: float, activation: str = "tanh"
) -> Rivals:
    """The models after one Adam step each on the rows they own: owner (n,) of 0..m-1."""
    padded = pad_rows(np.asarray(owner, np.int32), len(rows.w))
    return _one_pass(activation, models, rows, padded, np.float32(learning_rate))


def compete(
    models: Rivals, rows: Table, epochs: int, *, learning_rate: float, activation: str = "tanh"
) -> tuple[Rivals, np.ndarray]:
    """The models after so many epochs, and the owners (n,) in the last one; ties go to the lowest index.

    The number of epochs and of rows are run-time values: nothing is compiled anew when they change.
    """
    found, owner = _epochs(activation, models, rows, np.int32(epochs), np.float32(learning_rate))
    return found, np.asarray(owner)[: int(rows.n)]


def _init(widths, activation, sizes, words):
    def one(word):
        key = jax.random.wrap_key_data(word, impl="threefry2x32")
        layers = init_layers(key, sizes[0], widths, sizes[1], activation)
        return Rivals(layers, _ADAM.init(layers))

    return jax.vmap(one)(words)


def _bid(activation, layers, rows):
    """Errors (m, c) of all models, computed over the blocks that hold rows."""
    x, y = rows.X.T, rows.y.T
    whole = (rows.n + BID_BLOCK - 1) // BID_BLOCK

    def one(own):
        flipped = transposed(own)

        def block(i, out):
            place = i * BID_BLOCK
            seen, wanted = columns(x, place, BID_BLOCK), columns(y, place, BID_BLOCK)
            error = jnp.mean((forward(own, flipped, seen, activation) - wanted) ** 2, axis=0)
            return lax.dynamic_update_slice_in_dim(out, error, place, 0)

        return lax.fori_loop(0, whole, block, jnp.zeros(x.shape[1]))

    return over_members(one)(layers)


def _winners(errors):
    """Owner (c,) of each row, the lowest index among equals; a bid that is not a number never wins."""

    def better(k, best):
        least, owner = best
        wins = errors[k] < least
        return jnp.where(wins, errors[k], least), jnp.where(wins, k, owner)

    first = (jnp.full(errors.shape[1], jnp.inf), jnp.zeros(errors.shape[1], jnp.int32))
    return lax.fori_loop(0, len(errors), better, first)[1]


def _sorted_by_owner(owner, rows, m):
    """Feature-major rows in the order of their owners, and where each model's run starts and how long it is."""
    c = len(owner)
    bits = (c - 1).bit_length()
    owner = jnp.where(jnp.arange(c) < rows.n, owner, m)
    # Owner and row number share one integer: sorting one array is four times faster than sorting pairs.
    packed = jnp.sort((owner.astype(jnp.uint32) << bits) | jnp.arange(c, dtype=jnp.uint32))
    order = packed & jnp.uint32((1 << bits) - 1)
    edges = jnp.searchsorted(packed, jnp.arange(m + 1, dtype=jnp.uint32) << bits).astype(jnp.int32)
    x, y, w = (jnp.pad(array[order], ((0, TAIL), (0, 0))).T for array in (rows.X, rows.y, rows.w[:, None]))
    return (x, y, w[0]), edges[:-1], edges[1:] - edges[:-1]


def _owner_step(activation, models, rows, owner, rate):
    """One Adam step of each model on the mean loss of its own run."""
    m = len(jax.tree.leaves(models.layers)[0])
    (x, y, w), starts, counts = _sorted_by_owner(owner, rows, m)

    def one(own, adam, start, count):
        flipped = transposed(own)

        def part(offset, size):
            mask = offset + jnp.arange(size) < count
            seen = [columns(array, start + offset, size) for array in (x, y, w)]
            weights = jnp.where(mask, seen[2], 0.0)
            slope = jax.grad(loss)(own, flipped, seen[0], seen[1], weights, activation)
            return slope, weights.sum()

        slope, total = blocked(part, (jax.tree.map(jnp.zeros_like, own), jnp.zeros(())), count)
        slope = jax.tree.map(lambda leaf: leaf / jnp.maximum(total, 1e-30), slope)
        move, later = _ADAM.update(slope, adam)
        stepped = jax.tree.map(lambda leaf, step: leaf - rate * step, own, move)
        moves = (count >= TOO_FEW) & (total > 0)
        return jax.tree.map(lambda new, old: jnp.where(moves, new, old), (stepped, later), (own, adam))

    return Rivals(*over_members(one)(models.layers, models.adam, starts, counts))


def _many_epochs(activation, models, rows, epochs, rate):
    def epoch(_, state):
        models, _ = state
        owner = _winners(_bid(activation, models.layers, rows))
        return _owner_step(activation, models, rows, owner, rate), owner

    return lax.fori_loop(0, epochs, epoch, (models, jnp.zeros(len(rows.w), jnp.int32)))


_start = door(_init, static=(0, 1, 2), name="rivals")
_all_bids = door(_bid, static=(0,), name="bids")
_one_pass = door(_owner_step, static=(0,), name="owner_pass")
_epochs = door(_many_epochs, static=(0,), name="compete")
