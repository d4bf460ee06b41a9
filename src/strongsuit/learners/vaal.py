"""Variational adversarial active learning: which open rows look unlike all labelled ones, as a Learner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from strongsuit.core.arrays import pytree
from strongsuit.core.learner import Prediction
from strongsuit.core.network import Layers, forward, init_layers, transposed
from strongsuit.core.scaling import Scaling
from strongsuit.learners.minibatch import ADAM, adam_step
from strongsuit.learners.two_sides import Side, both_sides, drawn

# Variance of the decoder's noise, of standardised inputs. Codes say nothing of a direction in which rows vary less than
# by this (Lucas et al. 2019): with 1, nothing at all of independent inputs.
NOISE = 0.1
SPREAD = 10.0  # a latent's log-variance stays within this: beyond, its exponential leaves float32
Nets = tuple[Layers, Layers]


@pytree
@dataclass(frozen=True)
class VAALParams:
    """Layers of the encoder (d -> 2 latent) and of the discriminator (latent -> 1), and the scaling of X."""

    encoder: Layers
    judge: Layers
    scaling: Scaling


@dataclass(frozen=True)
class VAAL:
    """A variational autoencoder whose code shall not tell labelled from open rows, and a discriminator that tries to
    (Sinha, Ebrahimi and Darrell 2019).

    Fitted to labelled and to open rows, whose y is 0 (`two_sides`). In every step the autoencoder lowers the mean
    negative evidence bound of both kinds of rows plus what the discriminator would lose if all rows were labelled; then
    the discriminator lowers its own loss, labelled = 1, open = 0, on the means of the codes. The bound is that of a
    Gaussian of variance NOISE: the squared error summed over the inputs, over twice that, plus beta times the
    divergence of the code from a standard normal. (The public code takes the *mean* squared error over inputs and rows
    and the *sum* of divergences, against which the error is nothing.)

    `predict` gives as mean (n, 1) minus the discriminator's logit: the logit of being open.

    latent: width of the code. width: units of the one hidden layer of each of the three networks; published ones are
    convolutions on images. batch: rows of each kind a step. steps: a thousand, after which ranks of open rows change
    little; the published 100 passes over 50,000 images would be a hundred times that. learning_rate: of Adam; twice the
    published one, for fewer steps. Rates, steps and beta are run-time values.
    """

    latent: int = 32
    width: int = 128
    batch: int = 64
    steps: float = 1000
    learning_rate: float = 1e-3
    beta: float = 1.0

    traceable: ClassVar[bool] = True
    sees: ClassVar[str] = "inputs"
    most_rows: ClassVar[int] = 4096  # labelled and open ones that it is fitted to
    smallest_bucket: ClassVar[int] = 1024
    runtime: ClassVar[tuple[str, ...]] = ("steps", "learning_rate", "beta")

    def fit(self, key: jax.Array, X: jax.Array, y: jax.Array, w: jax.Array) -> VAALParams:
        """Parameters after training from random weights."""
        labelled, others, scaling = both_sides(X, y, w)
        nets, judge = self.begun(key, X.shape[1])
        exists = (others.n > 0).astype(X.dtype)
        noise = jax.random.fold_in(key, 4)

        def step(count, state):
            nets, adam, judge, own = state
            words = jax.random.split(jax.random.fold_in(noise, count), 3)
            batch = self._batch(words, labelled, others)
            slope = jax.grad(coding_loss)(nets, judge, *batch, self.beta, exists)
            nets, adam = adam_step(nets, adam, slope, self.learning_rate, 0.0)
            slope = jax.grad(judging_loss)(judge, nets[0], *batch[:2], exists)
            judge, own = adam_step(judge, own, slope, self.learning_rate, 0.0)
            return nets, adam, judge, own

        start = (nets, ADAM.init(nets), judge, ADAM.init(judge))
        nets, _, judge, _ = lax.fori_loop(0, jnp.int32(self.steps), step, start)
        return VAALParams(nets[0], judge, scaling)

    def predict(self, params: VAALParams, X: jax.Array) -> Prediction:
        """The logit (n, 1) of being open; no variance."""
        mean, _ = encoded(params.encoder, params.scaling.inputs(X).T)
        return Prediction(-judged(params.judge, mean)[:, None])

    def embed(self, params: VAALParams, X: jax.Array) -> jax.Array:
        """Means of the codes (n, latent)."""
        return encoded(params.encoder, params.scaling.inputs(X).T)[0].T

    def begun(self, key: jax.Array, d: int) -> tuple[Nets, Layers]:
        """Random layers of the encoder and the decoder, and of the discriminator."""
        one, two, three = (jax.random.fold_in(key, part) for part in (1, 2, 3))
        encoder = init_layers(one, d, (self.width,), 2 * self.latent, "relu")
        decoder = init_layers(two, self.latent, (self.width,), d, "relu")
        return (encoder, decoder), init_layers(three, self.latent, (self.width,), 1, "relu")

    def _batch(self, words, labelled: Side, others: Side) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Labelled and open rows (d, batch), and standard normal noise (2, latent, batch) for their codes."""
        one, two = (drawn(word, side, self.batch)[0] for word, side in zip(words, (labelled, others), strict=False))
        return one, two, jax.random.normal(words[2], (2, self.latent, self.batch))


def encoded(encoder: Layers, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Means and log-variances (latent, rows) of the codes of x (d, rows)."""
    both = forward(encoder, transposed(encoder), x, "relu")
    latent = len(both) // 2
    return both[:latent], jnp.clip(both[latent:], -SPREAD, SPREAD)


def judged(judge: Layers, code: jax.Array) -> jax.Array:
    """The discriminator's logit (rows,) that a row is labelled."""
    return forward(judge, transposed(judge), code, "relu")[0]


def negative_bound(decoder: Layers, x: jax.Array, mean: jax.Array, spread: jax.Array, noise: jax.Array, beta):
    """Mean over rows of |x - decoded|^2 / (2 NOISE) + beta KL(code, standard normal); spread are log-variances."""
    again = forward(decoder, transposed(decoder), mean + jnp.exp(spread / 2) * noise, "relu")
    divergence = (jnp.exp(spread) + mean**2 - 1.0 - spread) / 2
    return jnp.mean(jnp.sum((x - again) ** 2, axis=0) / (2 * NOISE) + beta * jnp.sum(divergence, axis=0))


def coding_loss(nets: Nets, judge: Layers, known: jax.Array, others: jax.Array, noise: jax.Array, beta, exists):
    """What the autoencoder lowers for rows (d, rows) of both kinds: their bounds, and the discriminator's loss as if
    all were labelled. `exists` is 0 where there are no open rows, whose terms then vanish."""
    encoder, decoder = nets
    total = 0.0
    for x, drawn_noise, weight in ((known, noise[0], 1.0), (others, noise[1], exists)):
        mean, spread = encoded(encoder, x)
        fooled = jnp.mean(jax.nn.softplus(-judged(judge, mean)))
        total += weight * (negative_bound(decoder, x, mean, spread, drawn_noise, beta) + fooled)
    return total


def judging_loss(judge: Layers, encoder: Layers, known: jax.Array, others: jax.Array, exists):
    """The discriminator's cross-entropy: labelled rows 1, open ones 0."""
    right, wrong = (judged(judge, encoded(encoder, x)[0]) for x in (known, others))
    return jnp.mean(jax.nn.softplus(-right)) + exists * jnp.mean(jax.nn.softplus(wrong))
