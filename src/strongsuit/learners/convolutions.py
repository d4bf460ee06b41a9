"""Convolutional blocks as plain functions, written so that XLA's CPU kernels run at full speed inside loops.

Images are (rows, height, width, channels), kernels (3, 3, in, out): the orders in which a convolution runs near the
speed of a matrix product. Inside a loop XLA brings no other form into this one, and takes fifty times as long for it.
"""

from __future__ import annotations

from math import gcd

import jax
import jax.numpy as jnp
from jax import lax

GROUPS = 8  # of channels that share their moments: what they are is not critical (Wu and He 2018, table 3)
EPSILON = 1e-5  # added to a variance before its root is divided by, as in Wu and He 2018
_ORDERS = ("NHWC", "HWIO", "NHWC")

Blocks = tuple[tuple[jax.Array, jax.Array, jax.Array], ...]  # (kernel, log scale (out,), shift (out,)) of each block


def first_blocks(key: jax.Array, channels: int, widths: tuple[int, ...]) -> Blocks:
    """Kernels that keep variance (He et al. 2015) and group norms with scale 1 and shift 0."""
    shapes = list(zip((channels, *widths[:-1]), widths, strict=True))
    # One draw for all kernels compiles faster than one for each.
    drawn, blocks = jax.random.normal(key, (sum(9 * into * out for into, out in shapes),)), []
    for into, out in shapes:
        kernel, drawn = drawn[: 9 * into * out].reshape(3, 3, into, out), drawn[9 * into * out :]
        blocks.append((kernel * (2.0 / (9 * into)) ** 0.5, jnp.zeros(out), jnp.zeros(out)))
    return tuple(blocks)


def maps(blocks: Blocks, images: jax.Array) -> jax.Array:
    """Outputs of the last block, flat (rows, numbers), for images (rows, h, w, c)."""
    for kernel, log_scale, shift in blocks:
        images = norm_relu_pool(convolution(images, kernel), log_scale, shift)
    return images.reshape(len(images), -1)


@jax.custom_vjp
def convolution(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """The 3x3 convolution, zeros beyond the edges: sides stay."""
    return _convolved(images, kernel, "SAME")


def _convolved(images, kernel, padding):
    return lax.conv_general_dilated(images, kernel, (1, 1), padding, dimension_numbers=_ORDERS)


def _convolution_forward(images, kernel):
    return convolution(images, kernel), (images, kernel)


def _convolution_backward(saved, slope):
    """Both gradients as convolutions in the fast orders: the barriers keep XLA from folding the transposes in."""
    images, kernel = saved
    mirrored = lax.optimization_barrier(kernel[::-1, ::-1].transpose(0, 1, 3, 2))
    over_rows = lax.optimization_barrier((images.transpose(3, 1, 2, 0), slope.transpose(1, 2, 0, 3)))
    of_kernel = _convolved(*over_rows, ((1, 1), (1, 1)))
    return _convolved(slope, mirrored, "SAME"), of_kernel.transpose(1, 2, 0, 3)


convolution.defvjp(_convolution_forward, _convolution_backward)


def norm_relu_pool(z: jax.Array, log_scale: jax.Array, shift: jax.Array) -> jax.Array:
    """The largest of each 2x2 square of relu(group_norm(z)), for z (rows, h, w, c).

    The scale is kept positive, so that norm and ReLU grow with z: pooling first is the same, and leaves them a quarter
    of the work.
    """
    rows, h, w, c = z.shape
    flat = z.reshape(rows, h * w, c)
    mean, square = (_by_group(part.mean(axis=1)) for part in (flat, flat**2))
    pace = jnp.exp(log_scale) * lax.rsqrt(jnp.maximum(square - mean**2, 0.0) + EPSILON)
    return jax.nn.relu(max_pool(z) * pace[:, None, None] + (shift - mean * pace)[:, None, None])


def _by_group(moments: jax.Array) -> jax.Array:
    """Means over the groups of channels, (rows, c) again."""
    rows, c = moments.shape
    groups = gcd(GROUPS, c)
    return jnp.repeat(moments.reshape(rows, groups, -1).mean(axis=2), c // groups, axis=1)


@jax.custom_vjp
def max_pool(z: jax.Array) -> jax.Array:
    """The largest of each 2x2 square of z (rows, h, w, c); squares reach over odd edges.

    Differentiating XLA's own windows takes longer than all convolutions together. Ties share a gradient.
    """
    return _corners(jnp.maximum, _even(z))


def _even(z: jax.Array) -> jax.Array:
    return jnp.pad(z, ((0, 0), (0, z.shape[1] % 2), (0, z.shape[2] % 2), (0, 0)), constant_values=-jnp.inf)


def _corners(join, z: jax.Array) -> jax.Array:
    """The four corners of each 2x2 square joined."""
    top, bottom = join(z[:, ::2, ::2], z[:, ::2, 1::2]), join(z[:, 1::2, ::2], z[:, 1::2, 1::2])
    return join(top, bottom)


def _pool_forward(z):
    largest = max_pool(z)
    return largest, (z, largest)


def _pool_backward(saved, slope):
    z, largest = saved
    h, w = z.shape[1:3]

    def spread(part):
        return jnp.repeat(jnp.repeat(part, 2, axis=1), 2, axis=2)[:, :h, :w]

    ties = z == spread(largest)
    count = _corners(jnp.add, jnp.pad(ties.astype(z.dtype), ((0, 0), (0, h % 2), (0, w % 2), (0, 0))))
    return (jnp.where(ties, spread(slope / count), 0.0),)


max_pool.defvjp(_pool_forward, _pool_backward)
