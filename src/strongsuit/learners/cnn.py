"""A small convolutional network that classifies images: a JAX Learner, fast enough for one core of a CPU."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from strongsuit.core.arrays import pytree
from strongsuit.core.keys import Key
from strongsuit.core.learner import Prediction, embed_many, join
from strongsuit.core.network import Layers, affine, hidden, init_layers, transposed
from strongsuit.core.scaling import Scaling
from strongsuit.errors import InputError
from strongsuit.learners.beside_classes import FEATURES, offered
from strongsuit.learners.convolutions import Blocks, first_blocks, maps
from strongsuit.learners.cross_entropy import (
    class_probabilities,
    classes_seen,
    cross_entropy,
    input_scaling,
    thinned,
    without_unseen,
)
from strongsuit.learners.heads import Head, head_passes
from strongsuit.learners.minibatch import Schedule, check_settings, gathered, scaled, seed_of, train

CROP = 8  # crops are moved by up to one part in so many of a side: 4 pixels of 32, the custom since He et al. 2016
PART = 128  # images predicted at once: their widest maps take 17 MB, those of a whole block of rows two gigabytes


@pytree
@dataclass(frozen=True)
class CNNParams:
    """Convolutional blocks, the embedding layer and the head, the scaling of X, and the classes seen (k,) bool."""

    blocks: Blocks
    layers: Layers
    scaling: Scaling
    seen: Any


@dataclass(frozen=True)
class CNN:
    """Blocks of 3x3 convolution, group norm (Wu and He 2018), ReLU and 2x2 max-pool; an embedding layer; a linear head.

    X holds flat rows (n, h * w * c) of images of `shape` (h, w, c), pixels in [0, 1]; channels are centred and scaled
    by the training rows, so that another unit, such as 0 to 255, gives the same network. y (n, k) holds probabilities,
    as for `Softmax`. Adam minimises the cross-entropy for `epochs` passes in mini-batches of at most `batch` rows; the
    learning rate falls along a cosine. A class without a row has probability exactly 0 and no part in training; with
    one class seen p is one-hot; without any row, uniform.

    channels: of each block. embedding: units of the ReLU layer whose activations are the features. dropout: the chance
    that a feature is left out before the head in training; predictions use all. augment: in training, images are moved
    by up to an eighth of their sides, and, if `flip`, mirrored left to right at random: not for digits or letters.
    resume_epochs and resume_rate: for how many passes, and from which share of the learning rate on, `resume` trains.

    `learning_rate`, `epochs` and those of `resume` are run-time values.
    """

    channels: tuple[int, ...] = (32, 64, 128)
    embedding: int = 128
    dropout: float = 0.25
    learning_rate: float = 1e-3
    epochs: float = 60
    batch: int = 64
    augment: bool = True
    flip: bool = True
    shape: tuple[int, int, int] = (32, 32, 3)
    resume_epochs: float = 20
    resume_rate: float = 0.3

    traceable: ClassVar[bool] = True
    classifies: ClassVar[bool] = True
    own_units: ClassVar[bool] = True  # probabilities, which no centre and no scale may change
    smallest_bucket: ClassVar[int] = 1024  # holds the labels of a campaign: one executable for all of its rounds
    runtime: ClassVar[tuple[str, ...]] = ("learning_rate", "epochs", "resume_epochs", "resume_rate")

    def __post_init__(self) -> None:
        check_settings((*self.channels, self.embedding), self.batch, full=False)
        if not 0.0 <= self.dropout < 1.0:
            raise InputError(f"dropout must be at least 0 and below 1, got {self.dropout}")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise InputError(f"shape must be (height, width, channels) of an image, got {self.shape}")

    def fit(self, key: jax.Array, X: jax.Array, y: jax.Array, w: jax.Array) -> CNNParams:
        """Parameters after training from random weights."""
        start, found = self.begun(key, X, y, w)
        return self._train(jax.random.fold_in(key, 3), start, found, self.learning_rate, self.epochs)

    def begun(self, key: jax.Array, X: jax.Array, y: jax.Array, w: jax.Array) -> tuple[CNNParams, tuple]:
        """Parameters before training, and the rows that exist: where networks like this one begin too."""
        if X.shape[1] != prod(self.shape):
            raise InputError(f"images of shape {self.shape} are rows of {prod(self.shape)} numbers, got {X.shape[1]}")
        found = gathered(None, X, y, w)
        kernels, dense = (jax.random.fold_in(key, part) for part in (1, 2))
        layers = init_layers(dense, self._flat(), (self.embedding,), y.shape[1], "relu")
        scaling = _by_channel(input_scaling(found), self.shape[2])
        blocks = first_blocks(kernels, self.shape[2], self.channels)
        return CNNParams(blocks, layers, scaling, classes_seen(y, w)), found

    def resume(self, key: jax.Array, params: CNNParams, X: jax.Array, y: jax.Array, w: jax.Array) -> CNNParams:
        """Parameters trained on from given ones for `resume_epochs` passes; the scaling stays, the optimiser starts
        afresh. The classes seen are those of these rows: the head of a new one starts at zero."""
        start, rate = replace(params, seen=classes_seen(y, w)), self.learning_rate * self.resume_rate
        return self._train(jax.random.fold_in(key, 3), start, gathered(None, X, y, w), rate, self.resume_epochs)

    def predict(self, params: CNNParams, X: jax.Array) -> Prediction:
        """Probabilities (n, k), no feature dropped; no variance."""
        weights, bias = params.layers[-1]
        return Prediction(class_probabilities(weights @ self.embed(params, X).T + bias, params.seen))

    def embed(self, params: CNNParams, X: jax.Array) -> jax.Array:
        """Activations of the embedding layer, (n, embedding)."""
        n, size = len(X), min(PART, len(X))
        parts = jnp.pad(X, ((0, -n % size), (0, 0))).reshape(-1, size, X.shape[1])
        flipped = transposed(params.layers)

        def features(part):
            images = params.scaling.inputs(part).reshape(-1, *self.shape)
            return hidden(params.layers, flipped, maps(params.blocks, images).T, "relu").T

        return lax.map(features, parts).reshape(-1, self.embedding)[:n]

    def head(self, params: CNNParams) -> Head:
        """(W (k, embedding), c (k,), seen (k,) bool), of stacked models each with a first axis: logits are
        embed @ W.T + c, those of classes not seen stand for minus infinity."""
        weights, bias = params.layers[-1]
        return weights, bias[..., 0], params.seen

    def passes(self, params: CNNParams, key: Key, X: np.ndarray, count: int, *, rate: float | None = None):
        """Probabilities (count, n, k) of passes that drop the share `rate` (default `dropout`) of the features; on the
        host, of one model. See `heads.head_passes`."""
        z = embed_many(self, join([params]), X)[0]
        return head_passes(key, z, self.head(params), count=count, rate=self.dropout if rate is None else rate)

    def auxiliary(self, name: str) -> Any:
        """The learner to train beside this one: "loss", this network with a head that predicts its losses; "vaal" on
        the pixels; "waal" and "gcn" on this network's features. See `beside_classes.offered`."""
        from strongsuit.learners.loss_cnn import LossCNN  # which is made of this class

        return offered(name, LossCNN(self), (self.embedding,), sees=FEATURES)

    def _train(self, key: jax.Array, start: CNNParams, found: tuple, rate: Any, epochs: Any) -> CNNParams:
        """Parameters after so many passes from those of `start`, whose scaling and classes stay."""
        shuffles, moves, drops = (jax.random.fold_in(key, part) for part in range(3))

        def slope(theta, x, y, share, step, done):
            images = x.T.reshape(-1, *self.shape)
            if self.augment:
                images = augmented(jax.random.fold_in(moves, step), images, flip=self.flip)
            return jax.grad(self._loss)(theta, images, y, share, start.seen, jax.random.fold_in(drops, step))

        schedule = Schedule(self.batch, rate, epochs, least_steps=0.0, most_steps=jnp.inf, weight_decay=0.0)
        rows = scaled(found, start.scaling, 0.0)
        blocks, layers = train((start.blocks, start.layers), rows, seed_of(shuffles), slope, schedule)
        return replace(start, blocks=blocks, layers=without_unseen(layers, start.seen))

    def _loss(self, theta, images: jax.Array, y: jax.Array, share: jax.Array, seen: jax.Array, drops: jax.Array):
        """Cross-entropy of images (rows, h, w, c) and y (k, rows) by shares, some features dropped."""
        blocks, layers = theta
        flipped = transposed(layers)
        features = hidden(layers, flipped, maps(blocks, images).T, "relu")
        if self.dropout:
            features = thinned(drops, features, self.dropout)
        weights, bias = layers[-1]
        return cross_entropy(affine(weights, flipped[-1], bias, features), y, share, seen)

    def _flat(self) -> int:
        """Numbers that the last block hands on: every block halves the sides, rounded up."""
        h, w, _ = self.shape
        for _ in self.channels:
            h, w = -(-h // 2), -(-w // 2)
        return h * w * self.channels[-1]


def augmented(key: jax.Array, images: jax.Array, *, flip: bool) -> jax.Array:
    """Images (rows, h, w, c), each moved at random by up to 1 / CROP of its sides, zeros (a channel's mean) coming in,
    and mirrored left to right with chance 1/2 where `flip` says so."""
    count, h, w, _ = images.shape
    y, x = h // CROP, w // CROP
    mirror, move = jax.random.split(key)
    first = jax.random.randint(move, (count, 2), 0, jnp.array([2 * y + 1, 2 * x + 1]))
    back = jax.random.bernoulli(mirror, 0.5 if flip else 0.0, (count,))
    padded = jnp.pad(images, ((0, 0), (y, y), (x, x), (0, 0)))

    def moved(image, corner, back):
        # Mirrored by the order of the columns: a choice between two images nearly doubles the time of a step.
        order = jnp.where(back, w - 1 - jnp.arange(w), jnp.arange(w))
        return image[corner[0] + jnp.arange(h)][:, corner[1] + order]

    return jax.vmap(moved)(padded, first, back)


def _by_channel(scaling: Scaling, channels: int) -> Scaling:
    """The scaling that treats all pixels of a channel alike, from that of single pixels."""
    mean, scale = (part.reshape(-1, channels) for part in (scaling.x_mean, scaling.x_scale))
    centre = mean.mean(axis=0)
    spread = jnp.sqrt((scale**2 + (mean - centre) ** 2).mean(axis=0))
    same = jnp.where(spread > 1e-6 * jnp.abs(centre), spread, 0.0)  # below, it is rounding: see core.scaling
    return replace(scaling, x_mean=jnp.tile(centre, len(mean)), x_scale=jnp.tile(same, len(mean)))
