"""A network that learns beside its task how large its own loss on a row is: Learning Loss, as a Learner."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from strongsuit.core.arrays import pytree
from strongsuit.core.learner import Prediction
from strongsuit.core.network import ACTIVATIONS, Layers, affine, forward, hidden, init_layers, transposed
from strongsuit.core.scaling import Scaling, fit_scaling
from strongsuit.errors import InputError
from strongsuit.learners.minibatch import Schedule, check_settings, gathered, scaled, seed_of, train

HEAD = 128  # units that look at each hidden layer (Yoo and Kweon 2019, section 3.3)
MARGIN = 1.0  # by which predicted losses of a pair shall differ (equation 2)
FREE = 0.6  # share of the steps after which the head's gradients no longer reach the body (section 4: 120 of 200)


@pytree
@dataclass(frozen=True)
class LossParams:
    """Layers of the body, one small network d -> HEAD -> 1 for each hidden layer, and the scaling of X and y."""

    body: Layers
    head: tuple[Layers, ...]
    scaling: Scaling


@dataclass(frozen=True)
class LossMLP:
    """A network for least squares whose `predict` gives as variance the loss that it expects of each row.

    Each hidden layer passes through a linear layer of HEAD units and a ReLU; a linear layer on all of these
    together says the loss (Yoo and Kweon, 2019). It learns from pairs of rows of a mini-batch which of both has
    the larger squared error, by a hinge of weight 1. So the *order* of the predicted losses is learned, their size
    is not; the softplus makes them positive, as a variance and power sampling need. Settings are those of `MLP`,
    but batches are never full.
    """

    widths: tuple[int, ...] = (64, 64)
    activation: str = "tanh"
    batch: str | int = "auto"
    learning_rate: float = 1e-2
    epochs: float = 300
    weight_decay: float = 0.1
    least_steps: float = 3000
    most_steps: float = 40000
    resume_steps: float = 300
    resume_rate: float = 0.3

    traceable: ClassVar[bool] = True
    smallest_bucket: ClassVar[int] = 4096  # as for MLP: one buffer for all tables up to this size
    runtime: ClassVar[tuple[str, ...]] = (
        "learning_rate",
        "epochs",
        "weight_decay",
        "least_steps",
        "most_steps",
        "resume_steps",
        "resume_rate",
    )

    def __post_init__(self) -> None:
        check_settings(self.widths, self.batch, full=False)
        if self.activation not in ACTIVATIONS:
            raise InputError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")

    def fit(self, key: jax.Array, X: jax.Array, y: jax.Array, w: jax.Array) -> LossParams:
        """Parameters after training from random weights."""
        seed = seed_of(jax.random.fold_in(key, 1))
        found = gathered(seed, X, y, w)
        scaling = fit_scaling(*found)
        body = init_layers(key, X.shape[1], self.widths, y.shape[1], self.activation)
        head = init_head(key, self.widths)

        return self._train(LossParams(body, head, scaling), found, seed)

    def resume(self, key: jax.Array, params: LossParams, X: jax.Array, y: jax.Array, w: jax.Array) -> LossParams:
        """Parameters trained on from given ones for `resume_steps` steps; see `MLP.resume`."""
        rate, steps = self.learning_rate * self.resume_rate, self.resume_steps
        short = replace(self, learning_rate=rate, least_steps=steps, most_steps=steps)
        return short._train(params, gathered(None, X, y, w), seed_of(key))

    def predict(self, params: LossParams, X: jax.Array) -> Prediction:
        """Means (n, k) and predicted losses (n, k): one for all outputs, in their squared units."""
        output, said = self._both(params.body, params.head, params.scaling.inputs(X).T, False)
        scale = params.scaling.y_scale
        return Prediction(params.scaling.outputs(output.T), jax.nn.softplus(said)[:, None] * scale**2)

    def embed(self, params: LossParams, X: jax.Array) -> jax.Array:
        """Activations of the last hidden layer, (n, width)."""
        x = params.scaling.inputs(X).T
        return hidden(params.body, transposed(params.body), x, self.activation).T

    def _train(self, start, found, seed):
        """Parameters after all steps from those of `start`, whose scaling stays."""

        def slope(both, x, y, share, step, done):
            return jax.grad(self._loss)(both, x, y, share, done < FREE)

        rows = scaled(found, start.scaling, 0.0)
        return LossParams(*train((start.body, start.head), rows, seed, slope, self._schedule()), start.scaling)

    def _both(self, body, head, x, free):
        """Outputs (k, rows) and the head's raw answer (rows,); its gradients reach the body only while `free`."""
        return outputs_and_loss(body, head, x, free, self.activation)

    def _loss(self, both, x, y, share, free):
        """Squared error plus the hinge of the batch's pairs."""
        output, said = self._both(*both, x, free)
        losses = jnp.mean((output - y) ** 2, axis=0)
        return jnp.sum(share * losses) + pair_loss(said, lax.stop_gradient(losses), share)

    def _schedule(self) -> Schedule:
        return Schedule(
            self.batch, self.learning_rate, self.epochs, self.least_steps, self.most_steps, self.weight_decay
        )


def init_head(key: jax.Array, widths: tuple[int, ...]) -> tuple[Layers, ...]:
    """Random layers of a head that looks at layers of these widths: one small network for each."""
    return tuple(
        init_layers(jax.random.fold_in(key, 2 + level), width, (HEAD,), 1, "relu") for level, width in enumerate(widths)
    )


def outputs_and_loss(body: Layers, head: tuple[Layers, ...], x: jax.Array, free, activation: str):
    """Outputs (k, rows) of the body and the head's raw answer (rows,) for x (d, rows); the answer's gradients reach the
    body only while `free`."""
    act, said = ACTIVATIONS[activation], jnp.zeros(x.shape[1])
    flipped = transposed(body)
    for (weights, bias), back, part in zip(body[:-1], flipped[:-1], head, strict=True):
        x = act(affine(weights, back, bias, x))
        said += head_answer(part, x, free)
    weights, bias = body[-1]
    return affine(weights, flipped[-1], bias, x), said


def head_answer(part: Layers, x: jax.Array, free) -> jax.Array:
    """What one part of a head says (rows,) of the layer x (width, rows) that it looks at: a linear layer on all hidden
    units of the head is the sum of these. Its gradients pass through x only while `free`."""
    still = lax.stop_gradient(x)
    return forward(part, transposed(part), still + jnp.where(free, x - still, 0.0), "relu")[0]


def pair_loss(said: jax.Array, losses: jax.Array, share: jax.Array) -> jax.Array:
    """Weighted mean over pairs of max(0, MARGIN - sign(l_i - l_j) (s_i - s_j)), s said and l true losses (rows,).

    Row i of the first half of a batch is paired with row i of the second; batches are shuffled, so pairs are random.
    `share` (rows,) are weights over the row count, positive for the rows in front and zero behind them. Yoo and
    Kweon (2019), equation 2.
    """
    place, count = jnp.arange(len(said)), jnp.sum(share > 0)
    pairs = count // 2
    other = jnp.minimum(place + pairs, len(said) - 1)
    order = jnp.sign(losses - losses[other])
    hinge = jnp.maximum(0.0, MARGIN - order * (said - said[other]))
    weight = jnp.where(place < pairs, share * share[other], 0.0) * count.astype(share.dtype) ** 2
    return jnp.sum(weight * hinge) / jnp.maximum(pairs, 1)
