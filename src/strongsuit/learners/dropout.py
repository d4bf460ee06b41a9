"""A network trained with dropout, whose thinned copies disagree where it does not know: a Learner with a variance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from strongsuit.core.arrays import pytree
from strongsuit.core.learner import Prediction
from strongsuit.core.network import Layers, affine, hidden, init_layers, transposed
from strongsuit.core.scaling import Scaling, fit_scaling
from strongsuit.errors import InputError
from strongsuit.learners.minibatch import Schedule, check_settings, gathered, scaled, seed_of, train

NARROWER = 10**0.5  # an auxiliary network's widths are a committee member's over this (arXiv 2201.12632, its code)
NARROWEST = 2  # units of a hidden layer: of one, half the passes would leave nothing


@pytree
@dataclass(frozen=True)
class DropoutParams:
    """Layers, scaling, and the units (passes, all hidden units) bool that each pass of a prediction keeps."""

    layers: Layers
    scaling: Scaling
    kept: Any


@dataclass(frozen=True)
class DropoutMLP:
    """A ReLU network with dropout after every hidden layer, for least squares (Gal and Ghahramani, 2016).

    widths: units of each hidden layer. dropout: the chance that a unit is left out, in training anew for every row
    and step. passes: thinned networks whose answers have the mean and the variance of a prediction; which units
    each of them keeps is drawn once, when the network is fitted, and is the same for all rows. A row's answer then
    depends neither on its neighbours nor on its place, the variance is as smooth as the network, and the spread of
    one row is distributed as if its masks were its own. The other settings are those of `MLP`, but batches are
    never full.
    """

    widths: tuple[int, ...] = (20, 20)
    batch: str | int = "auto"
    passes: int = 25
    dropout: float = 0.5
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
        "dropout",
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
        if self.passes < 2:
            raise InputError(f"passes must be at least 2, for a variance needs two answers, got {self.passes}")

    def fit(self, key: jax.Array, X: jax.Array, y: jax.Array, w: jax.Array) -> DropoutParams:
        """Parameters after training from random weights."""
        seed, drawn, thinned = (jax.random.fold_in(key, part) for part in (1, 2, 3))
        found = gathered(seed_of(seed), X, y, w)
        scaling = fit_scaling(*found)
        layers = init_layers(key, X.shape[1], self.widths, y.shape[1], "relu")

        start = DropoutParams(layers, scaling, self._kept(drawn, self.passes).T)
        return self._train(start, found, seed_of(seed), thinned)

    def resume(self, key: jax.Array, params: DropoutParams, X: jax.Array, y: jax.Array, w: jax.Array) -> DropoutParams:
        """Parameters trained on from given ones for `resume_steps` steps; see `MLP.resume`."""
        seed, thinned = (jax.random.fold_in(key, part) for part in (1, 3))
        rate, steps = self.learning_rate * self.resume_rate, self.resume_steps
        short = replace(self, learning_rate=rate, least_steps=steps, most_steps=steps)
        return short._train(params, gathered(None, X, y, w), seed_of(seed), thinned)

    def predict(self, params: DropoutParams, X: jax.Array) -> Prediction:
        """Mean and variance (n, k) of the thinned networks' answers; the variance has divisor `passes`."""
        x, layers = params.scaling.inputs(X).T, params.layers
        flipped = transposed(layers)

        def add(number, seen):
            # Welford's sums: answers of all passes at once would be 25 times the memory, plain squares cancel.
            mean, squares = seen
            answer = self._thinned(layers, flipped, x, params.kept[number][:, None])
            gap = answer - mean
            mean = mean + gap / (number + 1)
            return mean, squares + gap * (answer - mean)

        nothing = jnp.zeros((layers[-1][0].shape[0], len(X)))
        mean, squares = lax.fori_loop(0, self.passes, add, (nothing, nothing))
        scale = params.scaling.y_scale
        return Prediction(params.scaling.outputs(mean.T), squares.T * (scale**2 / self.passes))

    def embed(self, params: DropoutParams, X: jax.Array) -> jax.Array:
        """Activations of the last hidden layer with all units kept, (n, width)."""
        return hidden(params.layers, transposed(params.layers), params.scaling.inputs(X).T, "relu").T

    def _train(self, start, found, seed, thinned):
        """Parameters after all steps from those of `start`, whose scaling and passes stay."""

        def slope(layers, x, y, share, step, done):
            kept = self._kept(jax.random.fold_in(thinned, step), len(share))
            return jax.grad(self._loss)(layers, transposed(layers), x, y, share, kept)

        layers = train(start.layers, scaled(found, start.scaling, 0.0), seed, slope, self._schedule())
        return replace(start, layers=layers)

    def _kept(self, key, size):
        """Which of all hidden units stay, (units, size) bool."""
        return jax.random.bernoulli(key, 1.0 - self.dropout, (sum(self.widths), size))

    def _thinned(self, layers, flipped, x, kept):
        """Outputs (k, rows) with only the kept units (units, rows or 1), enlarged by the share that is left out."""
        first = 0
        for (weights, bias), back in zip(layers[:-1], flipped[:-1], strict=True):
            stays = kept[first : first + len(weights)]
            x = jnp.where(stays, jax.nn.relu(affine(weights, back, bias, x)) / (1.0 - self.dropout), 0.0)
            first += len(weights)
        weights, bias = layers[-1]
        return affine(weights, flipped[-1], bias, x)

    def _loss(self, layers, flipped, x, y, share, kept):
        errors = self._thinned(layers, flipped, x, kept) - y
        return jnp.sum(share * jnp.mean(errors**2, axis=0))

    def _schedule(self) -> Schedule:
        return Schedule(
            self.batch, self.learning_rate, self.epochs, self.least_steps, self.most_steps, self.weight_decay
        )


def narrowed(widths: tuple[int, ...]) -> tuple[int, ...]:
    """Hidden widths of the dropout network beside one of these widths."""
    return tuple(max(NARROWEST, int(width / NARROWER)) for width in widths)
