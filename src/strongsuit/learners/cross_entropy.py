"""What networks for classification share: inputs scaled, cross-entropy over the classes that training showed."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp

from strongsuit.core.network import Layers
from strongsuit.core.scaling import Scaling, blockwise_sum, fit_scaling

FAR = -1e30  # stands for a logit of minus infinity, which times a label of 0 would not be a number


def classes_seen(y: jax.Array, w: jax.Array) -> jax.Array:
    """Which classes (k,) have a row of positive weight in y (n, k)."""
    return jnp.any((y > 0) & (w > 0)[:, None], axis=0)


def masked(logits: jax.Array, seen: jax.Array) -> jax.Array:
    """Logits (k, rows) with FAR in place of those of unseen classes; as they are where no class is seen."""
    return jnp.where((seen | ~jnp.any(seen))[:, None], logits, FAR)


def class_probabilities(logits: jax.Array, seen: jax.Array) -> jax.Array:
    """Probabilities (rows, k) of logits (k, rows): exactly 0 for unseen classes."""
    return jax.nn.softmax(masked(logits, seen), axis=0).T


def cross_entropy(logits: jax.Array, y: jax.Array, share: jax.Array, seen: jax.Array) -> jax.Array:
    """Sum over rows of share (rows,) times the cross-entropy of y (k, rows) and the softmax over the classes seen."""
    return jnp.sum(share * cross_entropies(logits, y, seen))


def cross_entropies(logits: jax.Array, y: jax.Array, seen: jax.Array) -> jax.Array:
    """The cross-entropy (rows,) of each row's y (k, rows) and the softmax over the classes seen."""
    logits = masked(logits, seen)
    return jax.nn.logsumexp(logits, axis=0) - jnp.sum(y * logits, axis=0)


def relabelled(found: tuple, seen: jax.Array, smoothing: float, class_weight: str | None) -> tuple:
    """Gathered rows (X, y, w, n) with labels spread by the share `smoothing` over the classes seen (k,) and, if
    `class_weight` is "balanced", with weights by which these count alike."""
    X, y, w, n = found
    if class_weight is not None:
        counts = blockwise_sum(w[:, None] * y, n)
        each = jnp.where(seen, jnp.sum(counts) / (jnp.sum(seen) * jnp.maximum(counts, 1e-30)), 0.0)
        weight = jnp.sum(y * each, axis=1)
        y, w = y * each / jnp.maximum(weight, 1e-30)[:, None], w * weight
    if smoothing:
        y = (1.0 - smoothing) * y + smoothing * seen / jnp.maximum(jnp.sum(seen), 1)
    return X, y, w, n


def right(logits: jax.Array, y: jax.Array, w: jax.Array, seen: jax.Array) -> jax.Array:
    """Weighted sum over rows of the label y (k, rows) of the class that has the largest logit."""
    said = jnp.argmax(masked(logits, seen), axis=0)
    return jnp.sum(w * jnp.take_along_axis(y, said[None], axis=0)[0])


def thinned(key: jax.Array, features: jax.Array, rate: float) -> jax.Array:
    """Features (p, rows) of which each is dropped with chance `rate`, the rest enlarged to keep the mean."""
    kept = jax.random.bernoulli(key, 1.0 - rate, features.shape)
    return jnp.where(kept, features / (1.0 - rate), 0.0)


def without_unseen(layers: Layers, seen: jax.Array) -> Layers:
    """The layers with zeros in the last one for unseen classes, so that nothing random is left there."""
    weights, bias = layers[-1]
    return (*layers[:-1], (jnp.where(seen[:, None], weights, 0.0), jnp.where(seen[:, None], bias, 0.0)))


def input_scaling(found: tuple) -> Scaling:
    """The scaling of gathered inputs alone: class probabilities are targets as they are."""
    k = found[1].shape[1]
    return replace(fit_scaling(*found), y_mean=jnp.zeros(k), y_scale=jnp.ones(k))


def no_scaling(d: int, k: int) -> Scaling:
    """The scaling that leaves d inputs and k targets as they are."""
    return Scaling(jnp.zeros(d), jnp.ones(d), jnp.zeros(k), jnp.ones(k))
