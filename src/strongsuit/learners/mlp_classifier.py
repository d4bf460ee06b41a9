"""Multilayer perceptrons that classify, trained until they have learnt the labels: a JAX Learner."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from strongsuit.core.arrays import pytree
from strongsuit.core.keys import Key
from strongsuit.core.learner import Prediction, embed_many, join
from strongsuit.core.network import Layers, affine, blocked, columns, forward, hidden, init_layers, scramble, transposed
from strongsuit.core.scaling import Scaling
from strongsuit.errors import InputError
from strongsuit.learners.beside_classes import offered
from strongsuit.learners.cross_entropy import (
    class_probabilities,
    classes_seen,
    cross_entropy,
    input_scaling,
    no_scaling,
    relabelled,
    right,
    thinned,
    without_unseen,
)
from strongsuit.learners.heads import Head, check_labelling, head_passes
from strongsuit.learners.loss_classifier import LossClassifier
from strongsuit.learners.minibatch import (
    ADAM,
    Rows,
    adam_step,
    batch_rows,
    batch_size,
    batches_of,
    check_settings,
    gathered,
    scaled,
    seed_of,
)


@pytree
@dataclass(frozen=True)
class MLPClassifierParams:
    """Layers, the last of which is zero for unseen classes, the scaling of X, and the classes seen (k,) bool."""

    layers: Layers
    scaling: Scaling
    seen: Any


@dataclass(frozen=True)
class MLPClassifier:
    """A ReLU network with a softmax head, trained as in the public code of BADGE and ALFA-Mix.

    Adam at a constant rate minimises the cross-entropy over at most `epochs` passes; training ends with the pass in
    which `stop_accuracy` of the labels were right, each row judged just before the step that learns it (soft labels:
    that share of what naming each row's likeliest class would give), but not before `least_epochs`. Few labels are
    right after few passes, long before the network is at its best: 100 passes at least are worth trying. y (n, k) holds
    probabilities, as for `Softmax`.
    The first weights depend on the key and the shapes alone: the same key starts every round from the same network.

    A class without a row has probability exactly 0 and no part in training; with one class seen p is one-hot; without
    any row, uniform.

    widths: units of each hidden layer, the last of which are the features. batch: "auto" (mini-batches of 32 rows, 256
    in buffers above 16,384 rows), "full", or rows a mini-batch. dropout: the chance that a feature is left out before
    the head in training, anew for every row and step; predictions use all. standardise: inputs are centred and scaled
    by the training rows; without it they are taken as they come. smoothing: the share of every label that is spread
    evenly over the classes seen. class_weight: "balanced" weighs rows so that all classes seen count alike.

    Rates, passes and `stop_accuracy` are run-time values: learners that differ only in these share an executable.
    """

    widths: tuple[int, ...] = (256,)
    learning_rate: float = 1e-3
    epochs: float = 1000
    batch: str | int = "auto"
    stop_accuracy: float = 0.99
    least_epochs: float = 0.0
    dropout: float = 0.0
    standardise: bool = True
    smoothing: float = 0.0
    class_weight: str | None = None

    traceable: ClassVar[bool] = True
    classifies: ClassVar[bool] = True
    own_units: ClassVar[bool] = True  # probabilities, which no centre and no scale may change
    smallest_bucket: ClassVar[int] = 1024  # holds the labels of a campaign: one executable for all of its rounds
    runtime: ClassVar[tuple[str, ...]] = ("learning_rate", "epochs", "stop_accuracy", "least_epochs")

    def __post_init__(self) -> None:
        check_settings(self.widths, self.batch, full=True)
        if not 0.0 <= self.dropout < 1.0:
            raise InputError(f"dropout must be at least 0 and below 1, got {self.dropout}")
        check_labelling(self.smoothing, self.class_weight)

    def fit(self, key: jax.Array, X: jax.Array, y: jax.Array, w: jax.Array) -> MLPClassifierParams:
        """Parameters after training from random weights."""
        found = gathered(None, X, y, w)
        scaling = input_scaling(found) if self.standardise else no_scaling(X.shape[1], y.shape[1])
        layers = init_layers(key, X.shape[1], self.widths, y.shape[1], "relu")
        start = MLPClassifierParams(layers, scaling, classes_seen(y, w))
        found = relabelled(found, start.seen, self.smoothing, self.class_weight)
        return self._train(jax.random.fold_in(key, 1), start, scaled(found, scaling, 0.0), self.least_epochs)

    def resume(self, key: jax.Array, params: MLPClassifierParams, X: jax.Array, y: jax.Array, w: jax.Array):
        """Parameters trained on from given ones until `stop_accuracy`; the scaling stays, the optimiser starts afresh.

        The classes seen are those of these rows: the head of a class that is new among them starts at zero.
        """
        seen = classes_seen(y, w)
        found = relabelled(gathered(None, X, y, w), seen, self.smoothing, self.class_weight)
        rows = scaled(found, params.scaling, 0.0)
        return self._train(jax.random.fold_in(key, 1), replace(params, seen=seen), rows, 0.0)

    def predict(self, params: MLPClassifierParams, X: jax.Array) -> Prediction:
        """Probabilities (n, k), no feature dropped; no variance."""
        logits = forward(params.layers, transposed(params.layers), params.scaling.inputs(X).T, "relu")
        return Prediction(class_probabilities(logits, params.seen))

    def embed(self, params: MLPClassifierParams, X: jax.Array) -> jax.Array:
        """Activations of the last hidden layer, (n, width)."""
        return hidden(params.layers, transposed(params.layers), params.scaling.inputs(X).T, "relu").T

    def head(self, params: MLPClassifierParams) -> Head:
        """(W (k, width), c (k,), seen (k,) bool), of stacked models each with a first axis: logits are
        embed @ W.T + c, those of classes not seen stand for minus infinity."""
        weights, bias = params.layers[-1]
        return weights, bias[..., 0], params.seen

    def passes(
        self, params: MLPClassifierParams, key: Key, X: np.ndarray, count: int, *, rate: float | None = None
    ) -> np.ndarray:
        """Probabilities (count, n, k) of passes that drop the share `rate` (default `dropout`) of the features; on the
        host, of one model. See `heads.head_passes`."""
        z = embed_many(self, join([params]), X)[0]
        return head_passes(key, z, self.head(params), count=count, rate=self.dropout if rate is None else rate)

    def auxiliary(self, name: str) -> Any:
        """The learner to train beside this one: "loss", a network of the same widths that predicts its losses; "vaal"
        and, of the same widths, "waal" on the inputs; "gcn" on this network's features (`beside_classes.offered`)."""
        batch = "auto" if self.batch == "full" else self.batch
        loss = LossClassifier(self.widths, batch=batch, standardise=self.standardise)
        return offered(name, loss, self.widths)

    def _train(self, key: jax.Array, start: MLPClassifierParams, rows: Rows, least: Any) -> MLPClassifierParams:
        """Parameters after as many passes as the labels need, from those of `start`."""
        seed, noise = seed_of(key), jax.random.fold_in(key, 2)
        size = batch_size(self.batch, rows.x.shape[1])
        batches = batches_of(rows.n, size)
        epochs = jnp.where(rows.n > 0, jnp.ceil(self.epochs), 0.0)
        # Less a trifle: sums of the same weights in another order must not miss an accuracy of 1.
        enough = self.stop_accuracy * (1.0 - 1e-5) * jnp.sum(rows.w * jnp.max(rows.y, axis=0))

        def step(salt, number, state):
            layers, adam, hits = state
            slope, more = self._slope(jax.random.fold_in(noise, adam.count), layers, rows, salt, number, start.seen)
            return *adam_step(layers, adam, slope, self.learning_rate, 0.0), hits + more

        def going(carry):
            done, (_, _, hits) = carry
            return (done < epochs) & ((done < least) | (hits < enough))

        def epoch(carry):
            done, (layers, adam, _) = carry
            salt = scramble(seed ^ done.astype(jnp.uint32))
            first = (layers, adam, jnp.float32(0))
            return done + 1, lax.fori_loop(0, batches, lambda number, state: step(salt, number, state), first)

        first = (jnp.int32(0), (start.layers, ADAM.init(start.layers), jnp.float32(-1)))
        _, (layers, _, _) = lax.while_loop(going, epoch, first)
        return replace(start, layers=without_unseen(layers, start.seen))

    def _slope(self, noise, layers: Layers, rows: Rows, salt, number, seen) -> tuple[Layers, jax.Array]:
        """The gradient of a step and the weight of the labels that were right before it: of all rows in blocks, or of
        a mini-batch."""
        size, flipped = batch_size(self.batch, rows.x.shape[1]), transposed(layers)
        grad = jax.grad(self._loss, has_aux=True)
        if size is not None:
            picked, share = batch_rows(rows, salt, number, batches_of(rows.n, size), size)
            w = jnp.where(share > 0, rows.w[picked], 0.0)
            return grad(layers, flipped, rows.x[:, picked], rows.y[:, picked], share, w, seen, noise)

        def part(start, size):
            x, y, w = (columns(array, start, size) for array in (rows.x, rows.y, rows.w))
            share = w / jnp.maximum(rows.n, 1)
            return grad(layers, flipped, x, y, share, w, seen, jax.random.fold_in(noise, start))

        return blocked(part, (jax.tree.map(jnp.zeros_like, layers), jnp.float32(0)), rows.n)

    def _loss(self, layers: Layers, flipped: tuple, x, y, share, w, seen, noise) -> tuple[jax.Array, jax.Array]:
        """Cross-entropy of x (d, rows), y (k, rows) by shares, and the weight w of the labels that are right."""
        features = hidden(layers, flipped, x, "relu")
        (weights, bias), back = layers[-1], flipped[-1]
        logits = affine(weights, back, bias, features)
        hits = right(lax.stop_gradient(logits), y, w, seen)
        if self.dropout:
            logits = affine(weights, back, bias, thinned(noise, features, self.dropout))
        return cross_entropy(logits, y, share, seen), hits
