"""Sketched gradient features against gradients taken one by one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from strongsuit.core import root_key
from strongsuit.core.learner import fit_many, member_keys, sketch_many
from strongsuit.core.network import init_layers, sketched_gradients
from strongsuit.learners import MLP


def tangent_kernel(layers, X: np.ndarray) -> np.ndarray:
    """Kernel (n, n) of the gradients of all outputs with weights W = V / sqrt(inputs) differentiated in V."""

    def outputs(scaled, x):
        h = x
        for level, (weights, bias) in enumerate(scaled):
            h = weights @ h / weights.shape[1] ** 0.5 + bias[:, 0]
            h = jnp.tanh(h) if level < len(scaled) - 1 else h
        return h

    scaled = tuple((weights * weights.shape[1] ** 0.5, bias) for weights, bias in layers)
    with jax.enable_x64(True):
        rows = [jax.jacobian(outputs)(scaled, jnp.asarray(x, jnp.float32)) for x in X]
    flat = np.stack(
        [np.concatenate([np.asarray(leaf).reshape(leaf.shape[0], -1) for leaf in jax.tree.leaves(r)], 1) for r in rows]
    )
    return np.einsum("iop,jop->ij", flat, flat)


@pytest.mark.parametrize("outputs", [1, 3])
def test_inner_products_estimate_the_gradient_kernel(outputs: int) -> None:
    X = np.random.default_rng(0).normal(size=(5, 3))
    layers = init_layers(jax.random.key(1), 3, (8, 6), outputs, "tanh")
    exact = tangent_kernel(layers, X)
    draws = []
    for seed in range(60):
        phi = np.asarray(sketched_gradients(jax.random.key(seed), layers, jnp.asarray(X.T, jnp.float32), "tanh", 512))
        draws.append(phi.T @ phi)
    error = np.std(draws, axis=0, ddof=1) / len(draws) ** 0.5
    assert (np.abs(np.mean(draws, axis=0) - exact) < 5 * error + 1e-6).all()


def test_a_committee_sums_its_members_and_pages_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    learner = MLP(widths=(8,), epochs=2, least_steps=2, choose_decay=False)
    keys = member_keys(root_key(0), 3)
    params = fit_many(learner, keys, X, y, np.ones((3, 60)))
    whole = sketch_many(learner, keys, params, X, 64)
    assert whole.shape == (60, 64) and np.isfinite(whole).all()
    one_by_one = [
        sketch_many(learner, keys[i : i + 1], jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], params), X, 64)
        for i in range(3)
    ]
    np.testing.assert_allclose(whole, sum(one_by_one) / 3**0.5, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(sketch_many(learner, keys, params, X[:7], 64), whole[:7], rtol=1e-4, atol=1e-5)
