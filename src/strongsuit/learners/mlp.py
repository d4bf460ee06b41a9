"""Multilayer perceptrons trained with Adam: a Learner whose one executable serves every row and step count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from strongsuit.core.arrays import pytree
from strongsuit.core.compile import take_lines
from strongsuit.core.learner import Prediction
from strongsuit.core.network import (
    ACTIVATIONS,
    Layers,
    blocked_gradient,
    blocked_loss,
    forward,
    gradient,
    hidden,
    init_layers,
    scramble,
    sketched_gradients,
    transposed,
)
from strongsuit.core.scaling import Scaling, fit_scaling
from strongsuit.errors import InputError
from strongsuit.learners.dropout import DropoutMLP, narrowed
from strongsuit.learners.gp import GP
from strongsuit.learners.loss_net import LossMLP
from strongsuit.learners.minibatch import (
    ADAM,
    TAIL,
    adam_step,
    batch_places,
    batch_size,
    batches_of,
    check_settings,
    cosine,
    gathered,
    is_large,
    planned_epochs,
    scaled,
    seed_of,
)

CHECKS = 50  # how often early stopping looks at its held-out rows
# Candidate decays, a factor of about three apart: the least suits noise-free simulations (airfoil, energy
# efficiency), the largest small noisy tables (the piecewise linear data of Breiman et al.); chosen on nine
# tables.
DECAYS = (0.03, 0.1, 0.3, 1.0)
# How much steeper first layers are tried than the one that keeps variance: networks that start smooth do not find
# fast waves, such as those of the problem SINE.
SCALES = (1.0, 3.0, 10.0, 30.0)
TRIAL = 0.25  # share of the steps that a trial of a decay gets: enough to rank them as full training does
TRIAL_STEPS = 5000.0  # and never more: rows that warrant longer training leave little to a decay
LARGE_TRIAL_STEPS = 1000.0  # where batches are large: decays as good are chosen, in two thirds of the time
NEAR_ROWS = 8192 + TAIL  # up to so many in the buffer, columns are gathered one by one


@pytree
@dataclass(frozen=True)
class MLPParams:
    """Layers, the scaling of X and y; the optimiser's state and the decay, with which `refine` and `resume` go on."""

    layers: Layers
    adam: Any
    scaling: Scaling
    decay: Any


@dataclass(frozen=True)
class MLP:
    """A multilayer perceptron for least squares; X and y are standardised inside.

    widths: units of each hidden layer. activation: "tanh", "relu" or "gelu". epochs: passes over the data,
    at least `least_steps` and at most `most_steps` steps, while the learning rate falls along a cosine.
    batch: "auto" (mini-batches of 32 rows, 256 in buffers above 16,384 rows), "full", or rows a mini-batch.
    choose_decay: the decoupled weight decay (Loshchilov and Hutter 2019) is chosen among DECAYS by short
    trials that keep the share `held_out` of the rows aside; the final training uses all rows. Otherwise it
    is `weight_decay`. choose_scale: the scale of the first layer is chosen among SCALES first, in the same way.
    early_stopping: train without the held-out rows, look at them CHECKS times, stop when
    `patience` looks brought nothing new, and keep the best weights.

    initial_scale: size of the first weights, 1 keeps the variance from layer to layer. resume_steps and resume_rate:
    for how many steps, and from which share of the learning rate on, `resume` trains a fitted network after rows
    were added. The full rate would throw it out of its minimum: a committee of 4x200 on the smooth law of
    `benchmarks/resume.py` then has ten times the error.

    All numbers but `widths` and `batch` are run-time values: learners that differ only in these share an
    executable.
    """

    widths: tuple[int, ...] = (64, 64)
    activation: str = "tanh"
    learning_rate: float = 1e-2
    epochs: float = 300
    batch: str | int = "auto"
    weight_decay: float = 0.1
    choose_decay: bool = True
    choose_scale: bool = False
    early_stopping: bool = False
    held_out: float = 0.25
    patience: float = 10
    initial_scale: float = 1.0
    least_steps: float = 3000
    most_steps: float = 40000
    resume_steps: float = 300
    resume_rate: float = 0.3

    traceable: ClassVar[bool] = True
    # One buffer for all tables up to this size: padding rows cost next to nothing, a compilation seconds.
    smallest_bucket: ClassVar[int] = 4096
    runtime: ClassVar[tuple[str, ...]] = (
        "learning_rate",
        "epochs",
        "weight_decay",
        "held_out",
        "patience",
        "initial_scale",
        "least_steps",
        "most_steps",
        "resume_steps",
        "resume_rate",
    )

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise InputError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")
        if self.choose_scale and not self.choose_decay:
            raise InputError("choose_scale is part of the trials of choose_decay: set both, or neither")
        check_settings(self.widths, self.batch, full=True)

    def fit(self, key: jax.Array, X: jax.Array, y: jax.Array, w: jax.Array) -> MLPParams:
        """Parameters after training from random weights."""
        start, seed, found = self._start(key, X, y, w)
        held = self.held_out if self.early_stopping or self.choose_decay else 0.0
        rows = scaled(found, start.scaling, held)
        if not self.choose_decay:
            return MLPParams(*self._train(start, rows, seed), start.scaling, jnp.float32(self.weight_decay))
        (layers, adam), decay = self._train_chosen(start, rows, seed)
        return MLPParams(layers, adam, start.scaling, decay)

    def init(self, key: jax.Array, X: jax.Array, y: jax.Array, w: jax.Array) -> MLPParams:
        """Random weights with the scaling of these rows: what `refine` starts from in stepwise training."""
        return self._start(key, X, y, w)[0]

    def refine(self, key: jax.Array, params: MLPParams, X: jax.Array, y: jax.Array, w: jax.Array):
        """Parameters after one pass at the constant learning rate from given ones; the scaling stays."""
        seed = seed_of(key)
        # Batches are shuffled anyway, and nothing is held out: the rows' order does not matter.
        rows = scaled(gathered(None, X, y, w), params.scaling, 0.0)
        layers, adam = self._pass(params.layers, params.adam, rows, seed, lambda _: self.learning_rate)
        return replace(params, layers=layers, adam=adam)

    def resume(self, key: jax.Array, params: MLPParams, X: jax.Array, y: jax.Array, w: jax.Array):
        """Parameters trained on from given ones for `resume_steps` steps, the rate falling along a cosine from a share
        of the first one; the scaling and the decay stay, the optimiser starts afresh."""
        seed, steps = seed_of(key), self.resume_steps
        rows = scaled(gathered(None, X, y, w), params.scaling, 0.0)
        short = replace(
            self, early_stopping=False, weight_decay=params.decay, least_steps=steps, most_steps=steps,
            learning_rate=self.learning_rate * self.resume_rate,
        )  # fmt: skip
        layers, adam = short._train(replace(params, adam=ADAM.init(params.layers)), rows, seed)
        return replace(params, layers=layers, adam=adam)

    def predict(self, params: MLPParams, X: jax.Array) -> Prediction:
        """Means (n, k); no variance."""
        x = params.scaling.inputs(X).T
        out = forward(params.layers, transposed(params.layers), x, self.activation)
        return Prediction(params.scaling.outputs(out.T))

    def embed(self, params: MLPParams, X: jax.Array) -> jax.Array:
        """Activations of the last hidden layer, (n, width)."""
        x = params.scaling.inputs(X).T
        return hidden(params.layers, transposed(params.layers), x, self.activation).T

    def sketch(self, key: jax.Array, params: MLPParams, X: jax.Array, width: int) -> jax.Array:
        """Sketched gradient features (n, width); see `core.network.sketched_gradients`."""
        x = params.scaling.inputs(X).T
        return sketched_gradients(key, params.layers, x, self.activation, width).T

    def auxiliary(self, name: str) -> DropoutMLP | LossMLP | GP:
        """The learner to train beside this one for estimates that it cannot give: "dropout" or "loss", as deep as
        this network and trained on the same schedule, in mini-batches, the first narrower by NARROWER; or
        "gp", a Gaussian process."""
        schedule = {
            "batch": "auto" if self.batch == "full" else self.batch,
            "learning_rate": self.learning_rate,
            "epochs": self.epochs,
            "weight_decay": self.weight_decay,
            "least_steps": self.least_steps,
            "most_steps": self.most_steps,
            "resume_steps": self.resume_steps,
            "resume_rate": self.resume_rate,
        }
        if name == "dropout":
            return DropoutMLP(narrowed(self.widths), **schedule)
        if name == "loss":
            return LossMLP(self.widths, self.activation, **schedule)
        if name == "gp":
            return GP(variance=False)
        raise InputError(f"an auxiliary learner is 'dropout', 'loss' or 'gp', got {name!r}")

    def _start(self, key, X, y, w):
        """Random layers, a fresh optimiser and the scaling; the seed of all shuffles; the gathered rows."""
        seed = seed_of(jax.random.fold_in(key, 1))
        found = gathered(seed, X, y, w)
        layers = init_layers(key, X.shape[1], self.widths, y.shape[1], self.activation, self.initial_scale)
        start = MLPParams(layers, ADAM.init(layers), fit_scaling(*found), jnp.float32(self.weight_decay))
        return start, seed, found

    def _train_chosen(self, start, rows, seed):
        """The training on all rows with the scale of the first layer, and then the decay, that were best on held-out
        rows after short trials; and that decay.

        Trials and final training are turns of one loop, so that the training is compiled once.
        """
        scales = len(SCALES) if self.choose_scale else 1
        most = LARGE_TRIAL_STEPS if is_large(self.batch, rows.x.shape[1]) else TRIAL_STEPS
        trials = scales + len(DECAYS) - 1  # scales are tried with the first decay, the other decays with the best scale

        def chosen(errors):
            scale = jnp.argmin(errors[:scales])
            return scale, jnp.argmin(jnp.append(errors[scale], errors[scales:]))

        def turn(number, carry):
            errors, _ = carry
            final, (best_scale, best_decay) = number == trials, chosen(errors)
            scale = jnp.array(SCALES)[jnp.where(number < scales, number, best_scale)]
            decay = jnp.array(DECAYS)[jnp.where(final, best_decay, jnp.maximum(number - scales + 1, 0))]
            begin = replace(start, layers=_steeper(start.layers, rows, scale)) if self.choose_scale else start
            share = jnp.where(final, 1.0, TRIAL)
            seen = replace(rows, n=jnp.where(final & (not self.early_stopping), rows.n + rows.held, rows.n))
            shorter = replace(
                self,
                weight_decay=decay,
                epochs=self.epochs * share,
                least_steps=self.least_steps * share,
                most_steps=jnp.where(final, self.most_steps, jnp.minimum(self.most_steps * share, most)),
            )
            state = shorter._train(begin, seen, seed)
            error = blocked_loss(state[0], rows.x, rows.y, rows.w, rows.n, rows.held, self.activation)
            error = jnp.where(jnp.isfinite(error), error, jnp.inf)
            return errors.at[number].set(error, mode="drop"), state

        first = (jnp.full(trials, jnp.inf), (start.layers, start.adam))
        errors, state = lax.fori_loop(0, trials + 1, turn, first)
        return state, jnp.array(DECAYS)[chosen(errors)[1]]

    def _train(self, start, rows, seed):
        """Layers and optimiser state after all epochs; the best seen on held-out rows where these are kept."""
        steps_an_epoch = self._batches(rows)
        epochs = planned_epochs(rows, self.batch, self.epochs, self.least_steps, self.most_steps, steps_an_epoch)
        total = jnp.maximum(epochs * steps_an_epoch, 1)

        def rate(step):
            return cosine(self.learning_rate, step, total)

        def epoch(number, state):
            salt = scramble(seed ^ number.astype(jnp.uint32))
            return self._pass(*state, rows, salt, rate)

        if not self.early_stopping:
            return lax.fori_loop(0, epochs, epoch, (start.layers, start.adam))
        return self._stop_early(start, rows, epochs, epoch)

    def _stop_early(self, start, rows, epochs, epoch):
        """As many epochs as help on the held-out rows: the state that was best there."""
        every = jnp.maximum(epochs // CHECKS, 1)

        def going(carry):
            done, stale = carry[0], carry[4]
            return (done < epochs) & (stale < self.patience)

        def look(carry):
            done, state, best, least, stale = carry
            until = jnp.minimum(done + every, epochs)
            state = lax.fori_loop(done, until, epoch, state)
            error = blocked_loss(state[0], rows.x, rows.y, rows.w, rows.n, rows.held, self.activation)
            better = error < least
            best = jax.tree.map(lambda new, old: jnp.where(better, new, old), state, best)
            return until, state, best, jnp.where(better, error, least), jnp.where(better, 0, stale + 1)

        state = (start.layers, start.adam)
        first = (jnp.int32(0), state, state, jnp.float32(jnp.inf), jnp.int32(0))
        return lax.while_loop(going, look, first)[2]

    def _batches(self, rows):
        """Steps in one epoch."""
        return batches_of(rows.n, batch_size(self.batch, rows.x.shape[1]))

    def _pass(self, layers, adam, rows, seed, rate):
        """Layers and optimiser state after one epoch: one full-batch step, or shuffled mini-batches."""
        size = batch_size(self.batch, rows.x.shape[1])
        if size is None:
            w = jnp.where(jnp.arange(rows.w.shape[0]) < rows.n, rows.w, 0.0) / jnp.maximum(rows.n, 1)
            slope = blocked_gradient(layers, rows.x, rows.y, w, rows.n, self.activation)
            return self._step(layers, adam, slope, rate)
        batches = self._batches(rows)
        # Beyond the nearest caches a row must lie in one place of memory, not in one a column.
        near = rows.x.shape[1] <= NEAR_ROWS
        lines = None if near else jnp.concatenate([rows.x, rows.y, rows.w[None]]).T

        def step(number, state):
            layers, adam = state
            picked, live, count = batch_places(rows, seed, number, batches, size)
            if lines is None:
                x, y, w = rows.x[:, picked], rows.y[:, picked], rows.w[picked]
            else:
                x, y, (w,) = jnp.split(take_lines(lines, picked).T, [len(rows.x), len(lines.T) - 1])
            share = jnp.where(live, w, 0.0) / count
            slope = gradient(layers, x, y, share, self.activation)
            return self._step(layers, adam, slope, rate)

        return lax.fori_loop(0, batches, step, (layers, adam))

    def _step(self, layers, adam, slope, rate):
        """One step of AdamW."""
        return adam_step(layers, adam, slope, rate(adam.count), self.weight_decay)


def _steeper(layers: Layers, rows, scale) -> Layers:
    """Layers whose first is `scale` times as steep, each of its units about a row of the table, so that the steep parts
    lie where rows are (Nguyen and Widrow 1990 spread them over the range); at scale 1 as they were."""
    (weights, bias), *rest = layers
    about = rows.x[:, jnp.arange(len(weights)) % jnp.maximum(rows.n, 1)].T
    bias = jnp.where(scale > 1.0, -scale * (weights * about).sum(1, keepdims=True), bias)
    return ((scale * weights, bias), *rest)
