"""A convolutional network that learns beside its classes how large its own loss on an image is, as a Learner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from strongsuit.core.arrays import pytree
from strongsuit.core.learner import Prediction
from strongsuit.core.network import Layers, affine, hidden, transposed
from strongsuit.learners.cnn import CNN, PART, CNNParams, augmented
from strongsuit.learners.convolutions import convolution, norm_relu_pool
from strongsuit.learners.cross_entropy import class_probabilities, cross_entropies, thinned, without_unseen
from strongsuit.learners.loss_classifier import with_losses
from strongsuit.learners.loss_net import FREE, head_answer, init_head, pair_loss
from strongsuit.learners.minibatch import Schedule, scaled, seed_of, train


@pytree
@dataclass(frozen=True)
class LossCNNParams:
    """A `CNN`'s parameters, and one small network channels -> HEAD -> 1 for each of its blocks."""

    net: CNNParams
    head: tuple[Layers, ...]


@dataclass(frozen=True)
class LossCNN:
    """The network `net` with a head whose `predict` gives as variance the cross-entropy that it expects of each image.

    The head looks at each block's maps, averaged over the image (Yoo and Kweon, 2019, section 3.3). Training is that of
    `net`, the hinge over pairs added; the head's gradients reach the body in the first FREE of the steps only.
    """

    net: CNN

    traceable: ClassVar[bool] = True
    classifies: ClassVar[bool] = True
    own_units: ClassVar[bool] = True
    smallest_bucket: ClassVar[int] = CNN.smallest_bucket

    def fit(self, key: jax.Array, X: jax.Array, y: jax.Array, w: jax.Array) -> LossCNNParams:
        """Parameters after training from random weights."""
        net, (start, found) = self.net, self.net.begun(key, X, y, w)
        head = init_head(jax.random.fold_in(key, 4), net.channels)
        shuffles, moves, drops = (jax.random.fold_in(jax.random.fold_in(key, 3), part) for part in range(3))

        def slope(theta, x, y, share, step, done):
            images = x.T.reshape(-1, *net.shape)
            if net.augment:
                images = augmented(jax.random.fold_in(moves, step), images, flip=net.flip)
            drop = jax.random.fold_in(drops, step)
            return jax.grad(self._loss)(theta, images, y, share, start.seen, drop, done < FREE)

        schedule = Schedule(net.batch, net.learning_rate, net.epochs, 0.0, jnp.inf, 0.0)
        theta = (start.blocks, start.layers, head)
        blocks, layers, head = train(theta, scaled(found, start.scaling, 0.0), seed_of(shuffles), slope, schedule)
        return LossCNNParams(CNNParams(blocks, without_unseen(layers, start.seen), start.scaling, start.seen), head)

    def predict(self, params: LossCNNParams, X: jax.Array) -> Prediction:
        """Probabilities (n, k) and predicted losses (n, k), the same in every column."""
        n, size, net = len(X), min(PART, len(X)), params.net
        parts = jnp.pad(X, ((0, -n % size), (0, 0))).reshape(-1, size, X.shape[1])

        def told(part):
            images = net.scaling.inputs(part).reshape(-1, *self.net.shape)
            features, said = features_and_loss((net.blocks, net.layers, params.head), images, False)
            weights, bias = net.layers[-1]
            return class_probabilities(weights @ features + bias, net.seen), said

        p, said = lax.map(told, parts)
        return with_losses(p.reshape(-1, p.shape[-1])[:n], said.reshape(-1)[:n])

    def embed(self, params: LossCNNParams, X: jax.Array) -> jax.Array:
        """Activations of the embedding layer, (n, embedding)."""
        return self.net.embed(params.net, X)

    def _loss(self, theta, images: jax.Array, y: jax.Array, share: jax.Array, seen: jax.Array, drops: jax.Array, free):
        """Cross-entropy of images (rows, h, w, c) and y (k, rows) by shares, features dropped, plus the hinge."""
        features, said = features_and_loss(theta, images, free)
        if self.net.dropout:
            features = thinned(drops, features, self.net.dropout)
        weights, bias = theta[1][-1]
        losses = cross_entropies(affine(weights, transposed(theta[1])[-1], bias, features), y, seen)
        return jnp.sum(share * losses) + pair_loss(said, lax.stop_gradient(losses), share)


def features_and_loss(theta: Any, images: jax.Array, free) -> tuple[jax.Array, jax.Array]:
    """Features (embedding, rows) and the head's raw answer (rows,) for images (rows, h, w, c); the answer's gradients
    reach the blocks only while `free`."""
    blocks, layers, head = theta
    said = jnp.zeros(len(images))
    for (kernel, log_scale, shift), part in zip(blocks, head, strict=True):
        images = norm_relu_pool(convolution(images, kernel), log_scale, shift)
        said += head_answer(part, images.mean(axis=(1, 2)).T, free)
    return hidden(layers, transposed(layers), images.reshape(len(images), -1).T, "relu"), said
