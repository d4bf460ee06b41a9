"""The student networks of the published regression benchmark: batch norm, coupled L2, a rate that falls on plateaus.

The recipe is that of the public code of arXiv 2201.12632, from which the benchmark of arXiv 2302.00098 descends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import optax
from jax import lax

from strongsuit.core.arrays import pytree
from strongsuit.core.learner import Prediction
from strongsuit.core.network import Layers, affine, forward, hidden, scramble, sketched_gradients, transposed
from strongsuit.errors import InputError
from strongsuit.learners.dropout import DropoutMLP
from strongsuit.learners.gp import GP
from strongsuit.learners.loss_net import LossMLP
from strongsuit.learners.minibatch import Rows, batch_rows, batches_of, gathered, seed_of
from strongsuit.learners.mlp import MLP

EPSILON = 1e-5  # added to a variance before its root is divided by (Ioffe and Szegedy, 2015; PyTorch's default)
MOMENTUM = 0.1  # share of a batch in the running averages: PyTorch's default
LEAST_CUT = 1e-8  # PyTorch leaves a learning rate alone that would fall by less
# Of the networks beside a student: the short training of the network that chooses by default, and no decay, since
# a narrow dropout network of six layers then has no variance left (1e-7 of the labels' on HYDR).
BESIDE = {"epochs": 20, "least_steps": 1500, "most_steps": 20000, "weight_decay": 0.0}
ADAM = optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8)


@pytree
@dataclass(frozen=True)
class BatchNormParams:
    """Linear layers; (scale, shift) and running (mean, variance) of each batch norm, all (width, 1)."""

    layers: Layers
    norms: tuple
    running: tuple


@pytree
@dataclass(frozen=True)
class Pace:
    """The learning rate, the least training loss so far, and how many epochs ago that was or the rate was cut."""

    rate: Any
    best: Any
    stale: Any


@dataclass(frozen=True)
class BatchNormMLP:
    """A ReLU network with batch norm, trained as the students of arXiv 2201.12632 and 2302.00098 are.

    A hidden layer is an affine map, batch norm and ReLU; predictions use the running averages. Adam minimises the mean
    squared error for `steps` steps on all rows, or on mini-batches of at most `batch` rows where there are more; `l2`
    times the parameter is added to each gradient (coupled, not AdamW), batch norm included. The learning rate is
    multiplied by `rate_factor` whenever the training loss has not fallen below its least by the share `threshold` for
    more than `patience` epochs. `resume` takes `resume_steps` more steps with fresh moments and a fresh rate.

    widths: units of each hidden layer. Inputs and targets are taken as they come: inputs should lie in [-1, 1], and the
    published students learn the oracle's own units (`own_units`). Centred and scaled labels would help: on HYDR, BESS
    and FOIL with 80 and 400 rows the test error after 500 steps was then 0.36 to 0.88 of that in the oracle's units
    (mean of three committees of three). The published optimiser also watches the loss of the whole committee, here
    each member watches its own.

    Weights count rows: weight 2 equals the row twice, in the batch statistics too. Numbers except `widths` and `batch`
    are run-time values: learners that differ only in these share an executable.
    """

    widths: tuple[int, ...] = (50,) * 6
    batch: int = 5000
    learning_rate: float = 1e-3
    l2: float = 0.0
    steps: float = 500
    resume_steps: float = 500
    rate_factor: float = 0.8
    patience: float = 10
    threshold: float = 1e-4

    traceable: ClassVar[bool] = True
    own_units: ClassVar[bool] = True
    smallest_bucket: ClassVar[int] = 128  # a step costs what its buffer holds, so they double from small ones on
    runtime: ClassVar[tuple[str, ...]] = (
        "learning_rate",
        "l2",
        "steps",
        "resume_steps",
        "rate_factor",
        "patience",
        "threshold",
    )

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1:
            raise InputError(f"widths must be positive whole numbers, one a hidden layer, got {self.widths}")
        if self.batch < 2:
            raise InputError(f"batch must be at least 2 rows, for batch norm needs a spread, got {self.batch}")

    def fit(self, key: jax.Array, X: jax.Array, y: jax.Array, w: jax.Array) -> BatchNormParams:
        """Parameters after `steps` steps from random weights."""
        start = first_params(key, X.shape[1], self.widths, y.shape[1])
        return self._train(start, _existing(X, y, w), seed_of(jax.random.fold_in(key, 1)), self.steps)

    def resume(self, key: jax.Array, params: BatchNormParams, X: jax.Array, y: jax.Array, w: jax.Array):
        """Parameters after `resume_steps` more steps; the optimiser and the learning rate start afresh."""
        return self._train(params, _existing(X, y, w), seed_of(key), self.resume_steps)

    def predict(self, params: BatchNormParams, X: jax.Array) -> Prediction:
        """Means (n, k), by the running averages; no variance."""
        layers = folded(params)
        return Prediction(forward(layers, transposed(layers), X.T, "relu").T)

    def embed(self, params: BatchNormParams, X: jax.Array) -> jax.Array:
        """Activations of the last hidden layer, (n, width), by the running averages."""
        layers = folded(params)
        return hidden(layers, transposed(layers), X.T, "relu").T

    def sketch(self, key: jax.Array, params: BatchNormParams, X: jax.Array, width: int) -> jax.Array:
        """Sketched gradient features (n, width) of the folded layers; see `core.network.sketched_gradients`."""
        return sketched_gradients(key, folded(params), X.T, "relu", width).T

    def auxiliary(self, name: str) -> DropoutMLP | LossMLP | GP:
        """The learner that an `MLP` of the same widths and learning rate has beside it: "dropout", "loss" or "gp"."""
        return MLP(self.widths, "relu", learning_rate=self.learning_rate, **BESIDE).auxiliary(name)

    def _train(self, start: BatchNormParams, rows: Rows, seed: Any, steps: Any) -> BatchNormParams:
        """The parameters after so many steps; unchanged where no row exists."""
        theta = (start.layers, start.norms)
        pace = Pace(jnp.float32(self.learning_rate), jnp.float32(jnp.inf), jnp.float32(0))
        batches = batches_of(rows.n, self._size(rows))

        def step(number, state):
            theta, running, adam, pace, total = state
            x, y, counts = self._batch(rows, seed, number, batches)
            theta, adam, loss, moments = self._step(theta, adam, pace.rate, x, y, counts)
            running = averaged(running, moments, jnp.sum(counts))
            ends, total = (number + 1) % batches == 0, total + loss / batches
            # An epoch is a pass over all rows: only then does the schedule look at the loss.
            pace = jax.tree.map(lambda new, old: jnp.where(ends, new, old), self._paced(pace, total), pace)
            return theta, running, adam, pace, jnp.where(ends, 0.0, total)

        planned = jnp.where(rows.n > 0, jnp.ceil(steps), 0).astype(jnp.int32)
        first = (theta, start.running, ADAM.init(theta), pace, jnp.float32(0))
        (layers, norms), running, *_ = lax.fori_loop(0, planned, step, first)
        return BatchNormParams(layers, norms, running)

    def _size(self, rows: Rows) -> int | None:
        """Rows of a mini-batch; None where the buffer is one batch."""
        return self.batch if rows.x.shape[1] > self.batch else None

    def _batch(self, rows: Rows, seed: Any, number: Any, batches: Any) -> tuple[Any, Any, Any]:
        """x (d, size), y (k, size) and counts (size,) of a step: 0 where there is no row."""
        if self._size(rows) is None:
            return rows.x, rows.y, rows.w
        salt = scramble(seed ^ (number // batches).astype(jnp.uint32))
        picked, share = batch_rows(rows, salt, number % batches, batches, self.batch)
        return rows.x[:, picked], rows.y[:, picked], share * (rows.n / batches)

    def _step(self, theta: Any, adam: Any, rate: Any, x: Any, y: Any, counts: Any) -> tuple[Any, Any, Any, Any]:
        """Layers and norms after a step of Adam, its state, and the loss and the batch's moments before it."""
        share = counts / jnp.maximum(jnp.sum(counts), 1e-30)
        (loss, moments), slope = jax.value_and_grad(training_loss, has_aux=True)(theta, x, y, share)
        slope = jax.tree.map(lambda g, value: g + self.l2 * value, slope, theta)
        move, adam = ADAM.update(slope, adam)
        return jax.tree.map(lambda value, m: value - rate * m, theta, move), adam, loss, moments

    def _paced(self, pace: Pace, loss: Any) -> Pace:
        """The schedule after an epoch of this loss: the rules of PyTorch's ReduceLROnPlateau, relative, no cooldown."""
        better = loss < pace.best * (1.0 - self.threshold)
        stale = jnp.where(better, 0.0, pace.stale + 1.0)
        cut = pace.rate * (1.0 - self.rate_factor)
        due = stale > self.patience
        rate = jnp.where(due & (cut > LEAST_CUT), pace.rate - cut, pace.rate)
        return Pace(rate, jnp.where(better, loss, pace.best), jnp.where(due, 0.0, stale))


def first_params(key: jax.Array, d: int, widths: tuple[int, ...], k: int) -> BatchNormParams:
    """Random layers d -> widths -> k, weights and biases uniform within 1 / sqrt(inputs), and batch norms that change
    nothing yet."""
    sizes = (d, *widths, k)
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    # One draw for all layers compiles faster than one for each.
    drawn = jax.random.uniform(key, (sum(out * (into + 1) for out, into in shapes),), minval=-1.0, maxval=1.0)
    layers = []
    for out, into in shapes:
        both, drawn = drawn[: out * (into + 1)].reshape(out, into + 1) / into**0.5, drawn[out * (into + 1) :]
        layers.append((both[:, :-1], both[:, -1:]))
    ones, zeros = [jnp.ones((width, 1)) for width in widths], [jnp.zeros((width, 1)) for width in widths]
    return BatchNormParams(tuple(layers), tuple(zip(ones, zeros, strict=True)), tuple(zip(zeros, ones, strict=True)))


def folded(params: BatchNormParams) -> Layers:
    """The layers of the plain network that says the same: in prediction, batch norm is an affine map."""
    layers = []
    for (weights, bias), (scale, shift), (mean, variance) in zip(
        params.layers[:-1], params.norms, params.running, strict=True
    ):
        factor = scale * lax.rsqrt(variance + EPSILON)
        layers.append((factor * weights, factor * (bias - mean) + shift))
    return (*layers, params.layers[-1])


def training_loss(theta: Any, x: jax.Array, y: jax.Array, share: jax.Array) -> tuple[jax.Array, tuple]:
    """Squared error, mean over outputs, and (mean, variance) of every hidden layer before its batch norm: of
    x (d, rows), y (k, rows) and shares of the rows (rows,) that sum to 1.

    Batch norm takes a hidden bias away again: it enters the mean alone, and its gradient is exactly zero.
    """
    layers, norms = theta
    flipped, moments = transposed(layers), []
    for (weights, bias), back, (scale, shift) in zip(layers[:-1], flipped[:-1], norms, strict=True):
        before = affine(weights, back, jnp.zeros_like(bias), x)
        x, mean, variance = batch_norm_relu(before, scale, shift, share)
        moments.append((mean + bias, variance))
    weights, bias = layers[-1]
    errors = affine(weights, flipped[-1], bias, x) - y
    return jnp.sum(share * jnp.mean(errors**2, axis=0)), tuple(moments)


@jax.custom_vjp
def batch_norm_relu(z: jax.Array, scale: jax.Array, shift: jax.Array, share: jax.Array) -> tuple[Any, Any, Any]:
    """relu(scale (z - mean) / sqrt(variance + EPSILON) + shift), (width, rows), with mean and variance (width, 1) over
    the rows by their shares; only the first has a gradient, and none reaches `share`."""
    return _norm_forward(z, scale, shift, share)[0]


def _norm_forward(z, scale, shift, share):
    mean = z @ share[:, None]  # products sum over rows faster than reductions do
    variance = (z - mean) ** 2 @ share[:, None]
    pace = lax.rsqrt(variance + EPSILON)
    out = jax.nn.relu((z - mean) * (pace * scale) + shift)
    return (out, mean, variance), (z, mean, pace, out, scale, share)


def _norm_backward(saved, slopes):
    z, mean, pace, out, scale, share = saved
    slope = jnp.where(out > 0, slopes[0], 0.0)
    unit, ones = (z - mean) * pace, jnp.ones((z.shape[1], 1))
    of_shift, of_scale = slope @ ones, (slope * unit) @ ones
    of_z = (scale * pace) * (slope - share * (of_shift + unit * of_scale))
    return of_z, of_scale, of_shift, jnp.zeros_like(share)


batch_norm_relu.defvjp(_norm_forward, _norm_backward)


def averaged(running: tuple, moments: tuple, count: jax.Array) -> tuple:
    """The running (mean, variance) of every layer after a batch of `count` rows, its variance with divisor count - 1.

    Counts below 2, which only fractional weights give, are treated as 2.
    """
    unbiased = count / jnp.maximum(count - 1.0, 0.5 * count)
    return tuple(
        (mean + MOMENTUM * (m - mean), variance + MOMENTUM * (unbiased * v - variance))
        for (mean, variance), (m, v) in zip(running, moments, strict=True)
    )


def _existing(X: jax.Array, y: jax.Array, w: jax.Array) -> Rows:
    """The rows that exist, feature-major and in front; their weights are counts."""
    X, y, weight, n = gathered(None, X, y, w)
    size = len(w)  # the tail that mini-batch readers need is cut: batch norm passes over whole buffers
    counts = weight * (jnp.sum(jnp.where(w > 0, w, 0.0)) / jnp.maximum(n, 1))
    return Rows(X[:size].T, y[:size].T, counts[:size], n, jnp.int32(0))
