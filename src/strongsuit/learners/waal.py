"""Wasserstein adversarial active learning: a classifier and a critic of how far a row lies from labelled ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from strongsuit.core.arrays import pytree
from strongsuit.core.learner import Prediction
from strongsuit.core.network import Layers, affine, hidden, init_layers, transposed
from strongsuit.core.scaling import Scaling
from strongsuit.errors import InputError
from strongsuit.learners.cross_entropy import class_probabilities, classes_seen, cross_entropy, without_unseen
from strongsuit.learners.minibatch import ADAM, adam_step, check_settings
from strongsuit.learners.two_sides import both_sides, drawn

PENALTY = 2.0  # of gradients whose length is not 1, as in the authors' public code, there with the wrong sign
FLAT = 1e-12  # added to a squared length: the root has no slope at 0


@pytree
@dataclass(frozen=True)
class WAALParams:
    """Layers of the classifier, zero for unseen classes in the last, and of the critic on its features, the scaling of
    X and the classes seen (k,) bool."""

    body: Layers
    critic: Layers
    scaling: Scaling
    seen: Any


@dataclass(frozen=True)
class WAAL:
    """A classifier whose features shall lie alike for labelled and open rows, and a critic that says where they do not
    (Shui, Zhou, Gagne and Wang 2020).

    Fitted to labelled and to open rows, whose y is 0 (`two_sides`). In every step the classifier lowers the
    cross-entropy of labelled rows plus `alpha` times the critic's distance, E_open g - E_labelled g; then the critic
    raises that distance, less PENALTY times the mean of (|dg/dz| - 1)^2 at the features of both and at points between
    them (Gulrajani et al. 2017). The critic is larger far from labelled rows. It looks at features over the root of
    their number, so that distances, and with them a critic of slope 1, are of one size at every width. Two departures
    from the authors' code: its penalty rewards steep critics by a sign, and it weighs labelled rows by their share,
    which lets a constant in g grow without bound.

    `predict` gives as mean (n, k + 1) the probabilities and, behind them, the critic.

    widths: hidden units of the classifier, the last of which are the features. sees: "inputs", or "features" where it
    is shown those of a committee's first member. width: units of both hidden layers of the critic. batch: rows of each
    kind a step. steps: a thousand, some 160 passes over 200 labels. Rates, steps and alpha are run-time values.
    """

    widths: tuple[int, ...] = (256,)
    width: int = 64
    batch: int = 32
    steps: float = 1000
    learning_rate: float = 1e-3
    alpha: float = 1e-3
    sees: str = "inputs"

    traceable: ClassVar[bool] = True
    most_rows: ClassVar[int] = 4096  # labelled and open ones that it is fitted to
    smallest_bucket: ClassVar[int] = 1024
    runtime: ClassVar[tuple[str, ...]] = ("steps", "learning_rate", "alpha")

    def __post_init__(self) -> None:
        check_settings(self.widths, self.batch, full=False)
        if self.sees not in ("inputs", "features"):
            raise InputError(f"sees must be 'inputs' or 'features', got {self.sees!r}")

    def fit(self, key: jax.Array, X: jax.Array, y: jax.Array, w: jax.Array) -> WAALParams:
        """Parameters after training from random weights."""
        labelled, others, scaling = both_sides(X, y, w)
        start = self._begun(key, X.shape[1], y.shape[1], scaling, classes_seen(y, w))
        exists, draws = (others.n > 0).astype(X.dtype), jax.random.fold_in(key, 3)

        def step(count, state):
            body, adam, critic, own = state
            one, two, between = jax.random.split(jax.random.fold_in(draws, count), 3)
            (x, labels), (other, _) = drawn(one, labelled, self.batch), drawn(two, others, self.batch)
            slope = jax.grad(classifying_loss)(body, critic, x, labels, other, start.seen, self.alpha * exists)
            body, adam = adam_step(body, adam, slope, self.learning_rate, 0.0)
            known, far = (features_of(body, rows) for rows in (x, other))
            mix = jax.random.uniform(between, (self.batch,))
            slope = jax.tree.map(lambda part: exists * part, jax.grad(critic_loss)(critic, known, far, mix))
            critic, own = adam_step(critic, own, slope, self.learning_rate, 0.0)
            return body, adam, critic, own

        state = (start.body, ADAM.init(start.body), start.critic, ADAM.init(start.critic))
        body, _, critic, _ = lax.fori_loop(0, jnp.int32(self.steps), step, state)
        return replace(start, body=without_unseen(body, start.seen), critic=critic)

    def predict(self, params: WAALParams, X: jax.Array) -> Prediction:
        """Probabilities and the critic's answer (n, k + 1); no variance."""
        features = features_of(params.body, params.scaling.inputs(X).T)
        p = class_probabilities(logits_of(params.body, features), params.seen)
        return Prediction(jnp.concatenate([p, criticised(params.critic, features)[:, None]], axis=1))

    def embed(self, params: WAALParams, X: jax.Array) -> jax.Array:
        """Features (n, width) that the critic looks at."""
        return features_of(params.body, params.scaling.inputs(X).T).T

    def _begun(self, key: jax.Array, d: int, k: int, scaling: Scaling, seen: jax.Array) -> WAALParams:
        body = init_layers(jax.random.fold_in(key, 1), d, self.widths, k, "relu")
        critic = init_layers(jax.random.fold_in(key, 2), self.widths[-1], (self.width, self.width), 1, "relu")
        return WAALParams(body, critic, scaling, seen)


def features_of(body: Layers, x: jax.Array) -> jax.Array:
    """Activations (width, rows) of the last hidden layer for x (d, rows), over the root of the width."""
    return hidden(body, transposed(body), x, "relu") / len(body[-2][0]) ** 0.5


def logits_of(body: Layers, features: jax.Array) -> jax.Array:
    """Logits (k, rows) of features (width, rows) of that size."""
    weights, bias = body[-1]
    return affine(weights, weights.T, bias, features * len(body[-2][0]) ** 0.5)


def criticised(critic: Layers, features: jax.Array) -> jax.Array:
    """The critic's answer (rows,) to features (width, rows). Plain products: the penalty differentiates it twice."""
    for weights, bias in critic[:-1]:
        features = jax.nn.relu(weights @ features + bias)
    weights, bias = critic[-1]
    return (weights @ features + bias)[0]


def distance(critic: Layers, known: jax.Array, far: jax.Array) -> jax.Array:
    """E_open g - E_labelled g for features (width, rows) of labelled and open rows."""
    return jnp.mean(criticised(critic, far)) - jnp.mean(criticised(critic, known))


def gradient_penalty(critic: Layers, features: jax.Array) -> jax.Array:
    """Mean over rows of (|dg/dz| - 1)^2 at features (width, rows)."""
    slope = jax.grad(lambda z: jnp.sum(criticised(critic, z)))(features)
    return jnp.mean((jnp.sqrt(jnp.sum(slope**2, axis=0) + FLAT) - 1.0) ** 2)


def critic_loss(critic: Layers, known: jax.Array, far: jax.Array, mix: jax.Array) -> jax.Array:
    """What the critic lowers: minus its distance, plus the penalty at the features of labelled and open rows and at
    points that lie the shares mix (rows,) of the way from these to those."""
    everywhere = jnp.concatenate([far + mix * (known - far), known, far], axis=1)
    return PENALTY * gradient_penalty(critic, everywhere) - distance(critic, known, far)


def classifying_loss(body: Layers, critic: Layers, x: jax.Array, y: jax.Array, others: jax.Array, seen, alpha):
    """Mean cross-entropy of x (d, rows), y (k, rows) plus alpha times the critic's distance between features."""
    known, far = (features_of(body, rows) for rows in (x, others))
    share = jnp.full(x.shape[1], 1.0 / x.shape[1])
    return cross_entropy(logits_of(body, known), y, share, seen) + alpha * distance(critic, known, far)
