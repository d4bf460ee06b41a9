"""A classifier that learns beside its classes how large its own loss on a row is: Learning Loss, as a Learner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from strongsuit.core.arrays import pytree
from strongsuit.core.learner import Prediction
from strongsuit.core.network import Layers, hidden, init_layers, transposed
from strongsuit.core.scaling import Scaling
from strongsuit.learners.cross_entropy import (
    class_probabilities,
    classes_seen,
    cross_entropies,
    input_scaling,
    no_scaling,
    without_unseen,
)
from strongsuit.learners.loss_net import FREE, init_head, outputs_and_loss, pair_loss
from strongsuit.learners.minibatch import Schedule, check_settings, gathered, scaled, seed_of, train


@pytree
@dataclass(frozen=True)
class LossClassifierParams:
    """Layers of the body, zero for unseen classes in the last, one small network for each hidden layer, the scaling of
    X and the classes seen (k,) bool."""

    body: Layers
    head: tuple[Layers, ...]
    scaling: Scaling
    seen: Any


@dataclass(frozen=True)
class LossClassifier:
    """A ReLU network with a softmax whose `predict` gives as variance the cross-entropy that it expects of each row.

    The head and its loss over pairs are those of `LossMLP` (Yoo and Kweon, 2019); so the order of the predicted losses
    is learned, not their size. Classes, widths and standardise are as for `MLPClassifier`; but Adam runs for a number
    of passes that is known beforehand, since the head's gradients stop reaching the body after FREE of them: 200, as
    published, with a thousand steps at least where labels are few. The rate falls along a cosine.
    """

    widths: tuple[int, ...] = (256,)
    learning_rate: float = 1e-3
    epochs: float = 200
    batch: str | int = "auto"
    least_steps: float = 1000
    most_steps: float = 10000
    standardise: bool = True

    traceable: ClassVar[bool] = True
    classifies: ClassVar[bool] = True
    own_units: ClassVar[bool] = True
    smallest_bucket: ClassVar[int] = 1024  # as for MLPClassifier: one executable for all rounds of a campaign
    runtime: ClassVar[tuple[str, ...]] = ("learning_rate", "epochs", "least_steps", "most_steps")

    def __post_init__(self) -> None:
        check_settings(self.widths, self.batch, full=False)

    def fit(self, key: jax.Array, X: jax.Array, y: jax.Array, w: jax.Array) -> LossClassifierParams:
        """Parameters after training from random weights."""
        found, seen = gathered(None, X, y, w), classes_seen(y, w)
        scaling = input_scaling(found) if self.standardise else no_scaling(X.shape[1], y.shape[1])
        body, head = init_layers(key, X.shape[1], self.widths, y.shape[1], "relu"), init_head(key, self.widths)

        def slope(both, x, y, share, step, done):
            return jax.grad(class_and_pair_loss)(both, x, y, share, seen, done < FREE)

        schedule = Schedule(self.batch, self.learning_rate, self.epochs, self.least_steps, self.most_steps, 0.0)
        seed = seed_of(jax.random.fold_in(key, 1))
        body, head = train((body, head), scaled(found, scaling, 0.0), seed, slope, schedule)
        return LossClassifierParams(without_unseen(body, seen), head, scaling, seen)

    def predict(self, params: LossClassifierParams, X: jax.Array) -> Prediction:
        """Probabilities (n, k) and predicted losses (n, k), the same in every column."""
        logits, said = outputs_and_loss(params.body, params.head, params.scaling.inputs(X).T, False, "relu")
        return with_losses(class_probabilities(logits, params.seen), said)

    def embed(self, params: LossClassifierParams, X: jax.Array) -> jax.Array:
        """Activations of the last hidden layer, (n, width)."""
        return hidden(params.body, transposed(params.body), params.scaling.inputs(X).T, "relu").T


def class_and_pair_loss(both: tuple, x: jax.Array, y: jax.Array, share: jax.Array, seen: jax.Array, free) -> jax.Array:
    """The cross-entropy of x (d, rows), y (k, rows) by shares plus the hinge of the batch's pairs."""
    logits, said = outputs_and_loss(*both, x, free, "relu")
    losses = cross_entropies(logits, y, seen)
    return jnp.sum(share * losses) + pair_loss(said, lax.stop_gradient(losses), share)


def with_losses(p: jax.Array, said: jax.Array) -> Prediction:
    """Probabilities (n, k), and the head's raw answer (n,) as losses above 0 in each column."""
    return Prediction(p, jnp.broadcast_to(jax.nn.softplus(said)[:, None], p.shape))
