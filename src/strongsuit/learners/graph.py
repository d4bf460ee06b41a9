"""A graph network over a pool's features that learns to tell labelled rows from open ones, as a Learner.

No matrix of rows by rows is ever made. The adjacency is a product of features, so that its product with any H is
Z (Z' H) and two terms of the diagonal; over 10,000 rows the matrix itself would hold 400 MB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from strongsuit.core.arrays import pytree
from strongsuit.core.learner import Prediction
from strongsuit.core.network import Layers, affine, init_layers, transposed
from strongsuit.learners.cross_entropy import thinned
from strongsuit.learners.minibatch import ADAM, adam_step, gathered
from strongsuit.learners.two_sides import has_label

LEAST = 1e-6  # similarity to all other rows together, below which a row has no neighbours
OPEN_WEIGHT = 1.2  # of the open rows' loss (Caramalau, Bhattarai and Kim 2021, their public code)


@pytree
@dataclass(frozen=True)
class GraphParams:
    """Two layers h -> width -> 1 and what is left of the graph: the sum of its features (h,), and the products
    Z' D^-1 Z (h, h) and Z' D^-1 v (h,) by which a row meets all others, v being what the second layer says before it is
    shared."""

    layers: Layers
    total: Any
    features: Any
    said: Any


@dataclass(frozen=True)
class GraphNetwork:
    """Two graph convolutions that say how labelled a row looks among its neighbours (Caramalau, Bhattarai and Kim 2021;
    Kipf and Welling 2017).

    Fitted to features of labelled and of open rows, whose y is 0 (`two_sides`). These are brought to length 1, Z; the
    adjacency is ZZ' without its diagonal, each column divided by its sum, plus the identity. The hidden layer is a ReLU
    with dropout. Adam minimises -mean_labelled log s - 1.2 mean_open log(1 - s) on the whole graph at once.

    `predict` gives as mean (n, width + 1) the hidden layer and, behind it, s. A row is looked at as one of the graph:
    of one that was not in it, what its own part would add is left out.

    signed: features may be negative, as scaled inputs are: each column is split in two, its positive and its negative
    part. Similarities of unlike sign would cancel in the columns' sums, by which they are divided. ReLU features would
    stay as they are. Rates, steps and dropout are run-time values.
    """

    width: int = 128
    dropout: float = 0.3
    steps: float = 200
    learning_rate: float = 1e-3
    signed: bool = False

    traceable: ClassVar[bool] = True
    sees: ClassVar[str] = "features"
    most_rows: ClassVar[int] = 10000
    smallest_bucket: ClassVar[int] = 1024
    runtime: ClassVar[tuple[str, ...]] = ("dropout", "steps", "learning_rate")

    def fit(self, key: jax.Array, X: jax.Array, y: jax.Array, w: jax.Array) -> GraphParams:
        """Parameters after all steps from random weights."""
        found, labels, _, n = gathered(None, X, y, w)
        exists = jnp.arange(len(found)) < n
        Z = jnp.where(exists[:, None], self._nodes(found), 0.0)
        total, labelled = Z.sum(axis=0), exists & has_label(labels)
        size, pace = columns_of(Z, total)
        x = shared(Z, size, pace, Z).T
        layers = init_layers(jax.random.fold_in(key, 1), Z.shape[1], (self.width,), 1, "relu")
        weights = _shares(labelled), OPEN_WEIGHT * _shares(exists & ~labelled)
        drops = jax.random.fold_in(key, 2)

        def loss(layers, word):
            told = second_layer(layers, thinned(word, first_layer(layers, x), self.dropout))
            return graph_loss(shared(Z, size, pace, told[:, None])[:, 0] + layers[1][1][0, 0], *weights)

        def step(count, state):
            slope = jax.grad(loss)(state[0], jax.random.fold_in(drops, count))
            return adam_step(*state, slope, self.learning_rate, 0.0)

        layers, _ = lax.fori_loop(0, jnp.int32(self.steps), step, (layers, ADAM.init(layers)))
        told = second_layer(layers, first_layer(layers, x))
        return GraphParams(layers, total, Z.T @ (pace[:, None] * Z), Z.T @ (pace * told))

    def predict(self, params: GraphParams, X: jax.Array) -> Prediction:
        """The hidden layer and the share s (n, width + 1), no unit dropped; no variance."""
        Z = self._nodes(X)
        size, pace = columns_of(Z, params.total)
        own = 1.0 - size * pace
        layer = first_layer(params.layers, (Z @ params.features + own[:, None] * Z).T)
        told = second_layer(params.layers, layer)
        logit = Z @ params.said + own * told + params.layers[1][1][0, 0]
        return Prediction(jnp.concatenate([layer.T, jax.nn.sigmoid(logit)[:, None]], axis=1))

    def embed(self, params: GraphParams, X: jax.Array) -> jax.Array:
        """The hidden layer (n, width)."""
        return self.predict(params, X).mean[:, :-1]

    def _nodes(self, X: jax.Array) -> jax.Array:
        """Features of length 1, none negative where they are signed; 0 for a row of zeros."""
        if self.signed:
            X = jnp.concatenate([jnp.maximum(X, 0.0), jnp.maximum(-X, 0.0)], axis=1)
        # First by the largest: the squares of tiny or huge features would leave float32.
        X = X * _inverse(jnp.max(jnp.abs(X), axis=1, keepdims=True))
        return X * _inverse(jnp.sqrt(jnp.sum(X**2, axis=1, keepdims=True)))


def columns_of(Z: jax.Array, total: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Squared lengths (n,) of rows Z (n, h), and one over the sum of their similarities to all others of a graph whose
    rows sum to `total` (h,); 0 for a row without neighbours."""
    size = jnp.sum(Z**2, axis=1)
    degree = Z @ total - size
    return size, jnp.where(degree > LEAST, 1.0 / jnp.where(degree > LEAST, degree, 1.0), 0.0)


def shared(Z: jax.Array, size: jax.Array, pace: jax.Array, H: jax.Array) -> jax.Array:
    """The adjacency times H (n, q): ((ZZ' - diag) D^-1 + I) H, as Z (Z' (H / D)) and what the diagonal adds."""
    return Z @ (Z.T @ (pace[:, None] * H)) + (1.0 - size * pace)[:, None] * H


def first_layer(layers: Layers, x: jax.Array) -> jax.Array:
    """Hidden units (width, n) of shared features x (h, n)."""
    weights, bias = layers[0]
    return jax.nn.relu(affine(weights, transposed(layers)[0], bias, x))


def second_layer(layers: Layers, units: jax.Array) -> jax.Array:
    """What the second layer says (n,) of hidden units (width, n), before it is shared and without its bias."""
    return (layers[1][0] @ units)[0]


def graph_loss(logits: jax.Array, labelled: jax.Array, others: jax.Array) -> jax.Array:
    """-sum labelled log s - sum others log(1 - s) with s the sigmoid of logits (n,) and weights (n,) of the rows."""
    return jnp.sum(labelled * jax.nn.softplus(-logits)) + jnp.sum(others * jax.nn.softplus(logits))


def _shares(rows: jax.Array) -> jax.Array:
    """Weights (n,) that take the mean over rows (n,) bool."""
    return rows / jnp.maximum(jnp.sum(rows), 1)


def _inverse(size: jax.Array) -> jax.Array:
    """1 / size, and 0 for 0."""
    return jnp.where(size > 0, 1.0 / jnp.where(size > 0, size, 1.0), 0.0)
