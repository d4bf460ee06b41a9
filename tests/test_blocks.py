"""The competition epoch against a masked reference in plain NumPy and JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from strongsuit.core import blocks, root_key
from strongsuit.core.compile import trace_counts

RATE = 1e-2


def rows(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2]], axis=1), rng.uniform(0.5, 2.0, n)


def reference_outputs(layers, X: np.ndarray) -> jax.Array:
    h = jnp.asarray(X, jnp.float32)
    for weights, bias in layers[:-1]:
        h = jnp.tanh(h @ weights.T + bias[:, 0])
    weights, bias = layers[-1]
    return h @ weights.T + bias[:, 0]


def masked_loss(layers, X, y, w) -> jax.Array:
    errors = jnp.mean((reference_outputs(layers, X) - jnp.asarray(y, jnp.float32)) ** 2, axis=1)
    return jnp.sum(jnp.asarray(w, jnp.float32) * errors) / np.sum(w)


def member(tree, k: int):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[k], tree)


@pytest.mark.parametrize("n", [3, 129, 700])
def test_bids_are_squared_errors(n: int) -> None:
    X, y, w = rows(n)
    models = blocks.rivals(root_key(1), 3, 4, 2, widths=(16, 16))
    found = blocks.bids(models, blocks.table(X, y, w))
    for k in range(3):
        expected = np.mean((np.asarray(reference_outputs(member(models.layers, k), X)) - y) ** 2, axis=1)
        np.testing.assert_allclose(found[:, k], expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("n", [40, 513])
def test_a_pass_moves_each_model_by_the_masked_gradient_of_its_own_rows(n: int) -> None:
    X, y, w = rows(n)
    owner = np.random.default_rng(4).integers(0, 3, n)
    owner[owner == 2] = 0
    owner[0] = 2  # one row is too few for a step, and model 3 owns none
    models = blocks.rivals(root_key(2), 4, 4, 2, widths=(16, 16))
    found = blocks.owner_pass(models, blocks.table(X, y, w), owner, learning_rate=RATE)
    for k in range(4):
        before, after = member(models.layers, k), member(found.layers, k)
        if k >= 2:
            assert all(
                np.array_equal(a, b) for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
            )
            continue
        slope = jax.grad(masked_loss)(before, X, y, w * (owner == k))
        moment = member(found.adam.mu, k)  # Adam's first moment after one step is a tenth of the gradient
        for mine, theirs in zip(jax.tree.leaves(moment), jax.tree.leaves(slope), strict=True):
            np.testing.assert_allclose(10.0 * mine, theirs, rtol=1e-4, atol=1e-6)
        assert float(masked_loss(after, X, y, w * (owner == k))) < float(masked_loss(before, X, y, w * (owner == k)))


def test_an_epoch_is_bids_then_a_pass_and_ties_go_to_the_lowest() -> None:
    X, y, w = rows(300)
    models, table = blocks.rivals(root_key(3), 3, 4, 2, widths=(8,)), blocks.table(X, y, w)
    found, owner = blocks.compete(models, table, 1, learning_rate=RATE)
    np.testing.assert_array_equal(owner, blocks.bids(models, table).argmin(axis=1))
    apart = blocks.owner_pass(models, table, owner, learning_rate=RATE)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(apart), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    twins = jax.tree.map(lambda leaf: jnp.repeat(leaf[:1], 3, axis=0), models)
    assert not blocks.compete(twins, table, 1, learning_rate=RATE)[1].any()


def test_models_divide_a_law_that_changes() -> None:
    X = np.random.default_rng(0).uniform(-1, 1, size=(600, 1))
    y = np.where(X < 0, np.sin(8 * X), 2.0 - 3 * X)
    models, table = blocks.rivals(root_key(0), 3, 1, 1, widths=(16, 16)), blocks.table(X, y)
    before = blocks.bids(models, table).min(axis=1).mean()
    models, _ = blocks.compete(models, table, 400, learning_rate=RATE)
    assert blocks.bids(models, table).min(axis=1).mean() < 0.05 * before


def test_row_and_epoch_counts_compile_nothing() -> None:
    models = blocks.rivals(root_key(1), 2, 4, 2, widths=(8,))
    blocks.compete(models, blocks.table(*rows(100)), 1, learning_rate=RATE)
    before = trace_counts()
    for n, epochs in [(257, 3), (1000, 2)]:
        blocks.compete(models, blocks.table(*rows(n)), epochs, learning_rate=RATE)
    assert trace_counts() == before
