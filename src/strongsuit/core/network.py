"""Multilayer perceptrons as plain functions: parameters, predictions, gradients over blocks of rows.

Everything is stored *feature-major*: activations are (width, rows), weights (width out, width in). Then the
three matrix products of a layer contract in the orders (1, 0), (1, 1) and, with the weights transposed once
a step, (1, 0): the orders for which XLA's CPU kernels run at full speed. Differentiating the usual row-major
form leaves one product in three at half of it.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

Layers = tuple[tuple[jax.Array, jax.Array], ...]  # (weights (out, in), biases (out, 1)) of each layer

ACTIVATIONS: dict[str, Callable] = {"tanh": jnp.tanh, "relu": jax.nn.relu, "gelu": jax.nn.gelu}
# Variance-keeping gains: LeCun et al. 1998 (tanh), He et al. 2015 (relu and its smooth relatives).
_GAINS = {"tanh": 1.0, "relu": 2.0**0.5, "gelu": 2.0**0.5}

BLOCK = 128  # rows of a large block: near the peak of a CPU core for widths from 64 to 200
# What is left over goes through smaller blocks; of the last size at most 15 masked rows are computed in vain.
SIZES = (BLOCK, 64, 16)
_GOLDEN = 2654435769  # 2**32 over the golden ratio: Weyl's sequence


def init_layers(key: jax.Array, d: int, widths: tuple[int, ...], k: int, activation: str, scale=1.0) -> Layers:
    """Random layers d -> widths -> k: Gaussian weights that keep variance from layer to layer, times `scale`, and
    zero biases."""
    sizes = (d, *widths, k)
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    gains = [_GAINS[activation]] * len(widths) + [1.0]
    # One draw for all layers compiles three times faster than one for each.
    drawn = jax.random.normal(key, (sum(out * into for out, into in shapes),))
    layers = []
    for (out, into), gain in zip(shapes, gains, strict=True):
        weights, drawn = drawn[: out * into].reshape(out, into), drawn[out * into :]
        layers.append((weights * (scale * gain / into**0.5), jnp.zeros((out, 1))))
    return tuple(layers)


def transposed(layers: Layers) -> tuple[jax.Array, ...]:
    """The weights of all layers, transposed in memory: the barrier keeps XLA from folding it into products."""
    return tuple(lax.optimization_barrier(weights.T) for weights, _ in layers)


@jax.custom_vjp
def affine(weights: jax.Array, flipped: jax.Array, bias: jax.Array, h: jax.Array) -> jax.Array:
    """weights @ h + bias, (out, rows); `flipped` = weights.T is used by the backward pass only."""
    return _dot(weights, h, 1, 0) + bias


def _affine_forward(weights, flipped, bias, h):
    return affine(weights, flipped, bias, h), (flipped, h)


def _affine_backward(saved, g):
    flipped, h = saved
    ones = jnp.ones((g.shape[1], 1), g.dtype)  # a product sums over rows faster than a reduction does
    return _dot(g, h, 1, 1), jnp.zeros_like(flipped), _dot(g, ones, 1, 0), _dot(flipped, g, 1, 0)


affine.defvjp(_affine_forward, _affine_backward)


def _dot(a: jax.Array, b: jax.Array, of_a: int, of_b: int) -> jax.Array:
    return lax.dot_general(a, b, (((of_a,), (of_b,)), ((), ())))


def hidden(layers: Layers, flipped: tuple, x: jax.Array, activation: str) -> jax.Array:
    """Activations of the last hidden layer, (width, rows), for x (d, rows)."""
    act = ACTIVATIONS[activation]
    for (weights, bias), back in zip(layers[:-1], flipped[:-1], strict=True):
        x = act(affine(weights, back, bias, x))
    return x


def forward(layers: Layers, flipped: tuple, x: jax.Array, activation: str) -> jax.Array:
    """Outputs (k, rows) for x (d, rows)."""
    weights, bias = layers[-1]
    return affine(weights, flipped[-1], bias, hidden(layers, flipped, x, activation))


def loss(layers: Layers, flipped: tuple, x: jax.Array, y: jax.Array, w: jax.Array, activation: str):
    """Squared error, mean over outputs, weighted sum over rows: x (d, rows), y (k, rows), w (rows,)."""
    errors = forward(layers, flipped, x, activation) - y
    return jnp.sum(w * jnp.mean(errors**2, axis=0))


def gradient(layers: Layers, x: jax.Array, y: jax.Array, w: jax.Array, activation: str) -> Layers:
    """Gradient of `loss` over all rows given; two blocks of them go one after the other, each within the nearest
    cache."""
    flipped = transposed(layers)
    if x.shape[1] != 2 * BLOCK:
        return jax.grad(loss)(layers, flipped, x, y, w, activation)
    halves = zip(*(jnp.split(rows, 2, axis=-1) for rows in (x, y, w)), strict=True)
    return jax.tree.map(jnp.add, *(jax.grad(loss)(layers, flipped, *half, activation) for half in halves))


def blocked(fn: Callable, zero, n: jax.Array):
    """Sum of fn(start, size) over the first n rows, in blocks of SIZES, the largest first.

    n is a run-time value: one executable serves every row count. `fn` masks the rows past n by their zero
    weight; its buffers need a smallest block of rows beyond the last.
    """
    total, start = zero, 0
    for size in SIZES:
        left = n - start + (size - 1 if size == SIZES[-1] else 0)
        total, start = _add_blocks(fn, total, start, left // size, size), start + left // size * size
    return total


def _add_blocks(fn: Callable, total, start, count, size: int):
    """`total` and fn of `count` blocks of this size from `start` on."""

    def add(number, total):
        return jax.tree.map(jnp.add, total, fn(start + number * size, size))

    return lax.fori_loop(0, count, add, total)


def columns(array: jax.Array, start: jax.Array, size: int) -> jax.Array:
    """`size` columns (or entries of a vector) from `start` on."""
    return lax.dynamic_slice_in_dim(array, start, size, axis=-1)


def blocked_gradient(layers: Layers, x: jax.Array, y: jax.Array, w: jax.Array, n, activation: str) -> Layers:
    """Gradient of `loss` over the first n columns of x (d, c), y (k, c), w (c,)."""
    flipped = transposed(layers)

    def part(start, size):
        rows = (columns(array, start, size) for array in (x, y, w))
        return jax.grad(loss)(layers, flipped, *rows, activation)

    return blocked(part, jax.tree.map(jnp.zeros_like, layers), n)


def blocked_loss(layers: Layers, x: jax.Array, y: jax.Array, w: jax.Array, start, n, activation: str):
    """`loss` over the n columns from `start` on."""
    flipped = transposed(layers)

    def part(offset, size):
        mask = (offset + jnp.arange(size) < n).astype(w.dtype)
        rows = [columns(array, start + offset, size) for array in (x, y, w)]
        return loss(layers, flipped, rows[0], rows[1], rows[2] * mask, activation)

    return blocked(part, jnp.zeros(()), n)


def scramble(value: jax.Array) -> jax.Array:
    """A well-mixed 32-bit hash of unsigned integers (the "lowbias32" constants of C. Wellons, 2018)."""
    value = (value ^ (value >> 16)) * jnp.uint32(0x7FEB352D)
    value = (value ^ (value >> 15)) * jnp.uint32(0x846CA68B)
    return value ^ (value >> 16)


def shuffle(seed: jax.Array, index: jax.Array, n: jax.Array, *, rounds: int = 8, unroll: bool = True):
    """Where a random permutation of 0..n-1 sends `index` (swap-or-not; Hoang, Morris and Rogaway, 2012).

    Needs no sort and no array of n entries, and n is a run-time value: each batch computes just its own
    rows. Eight rounds do not make a uniform permutation, but mix batches well from epoch to epoch.
    """
    n = jnp.maximum(n, 1).astype(jnp.int32)

    def swap(round_, place):
        salt = scramble(seed + jnp.uint32(_GOLDEN) * (jnp.uint32(round_) + 1))
        partner = (salt % n.astype(jnp.uint32)).astype(jnp.int32) - place
        partner = jnp.where(partner < 0, partner + n, partner)
        coin = scramble(jnp.maximum(place, partner).astype(jnp.uint32) ^ ~salt) & 1
        return jnp.where(coin == 1, partner, place)

    place = jnp.minimum(index.astype(jnp.int32), n - 1)
    return lax.fori_loop(0, rounds, swap, place, unroll=rounds if unroll else 1)


def sketched_gradients(key: jax.Array, layers: Layers, x: jax.Array, activation: str, p: int) -> jax.Array:
    """Features (p, rows) whose inner products have the gradient kernel of the network as their mean.

    The kernel is sum_l (a_l . a'_l) (g_l . g'_l) with a_l the inputs of layer l over the root of their number and
    a 1 appended, g_l the gradient of the output after its affine map: the neural tangent parametrisation, in which
    Holzmueller et al. (JMLR 24, 2023) ran their benchmark. Each layer's product of sums is sketched by
    (U a) * (V g) / sqrt(p) with Gaussian U and V, so the Jacobian is never formed. Several outputs enter as one
    random combination of them, which leaves the mean kernel that of all outputs together.
    """
    act = ACTIVATIONS[activation]
    inputs, pulls = [x], []
    for weights, bias in layers[:-1]:
        out, pull = jax.vjp(act, weights @ inputs[-1] + bias)
        inputs.append(out)
        pulls.append(pull)
    outputs = layers[-1][0].shape[0]
    key, drawn = jax.random.split(key)
    mix = jax.random.normal(drawn, (outputs, 1)) if outputs > 1 else jnp.ones((1, 1))
    slope = jnp.broadcast_to(mix, (outputs, x.shape[1]))
    total = jnp.zeros((p, x.shape[1]))
    for level in reversed(range(len(layers))):
        weights, _ = layers[level]
        out, into = weights.shape
        left, right = jax.random.split(jax.random.fold_in(key, level))
        U, V = jax.random.normal(left, (p, into + 1)), jax.random.normal(right, (p, out))
        total += (U[:, :-1] @ (inputs[level] / into**0.5) + U[:, -1:]) * (V @ slope)
        if level:
            (slope,) = pulls[level - 1](weights.T @ slope)
    return total / p**0.5
