"""Sketched gradient features against gradients taken one by one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from strongsuit.core import key_for, root_key
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


def committee(members: int):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    learner = MLP(widths=(8,), epochs=2, least_steps=2, choose_decay=False)
    params = fit_many(learner, member_keys(root_key(0), members), X, y, np.ones((members, 60)))
    return learner, params, X


def test_members_share_the_columns_and_pages_do_not_matter() -> None:
    learner, params, X = committee(3)
    keys = member_keys(root_key(1), 3)
    whole = sketch_many(learner, keys, params, X, 64)
    assert whole.shape == (60, 63) and np.isfinite(whole).all()
    side_by_side = [
        sketch_many(learner, keys[i : i + 1], jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], params), X, 21)
        for i in range(3)
    ]
    np.testing.assert_allclose(whole, np.hstack(side_by_side) / 3**0.5, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(sketch_many(learner, keys, params, X[:7], 64), whole[:7], rtol=1e-4, atol=1e-5)


def test_side_by_side_estimates_the_mean_kernel_nearly_as_well_as_sums_of_full_sketches() -> None:
    learner, params, X = committee(4)
    X = X[:6]
    one = [jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], params) for i in range(4)]
    narrow, wide = [], []
    for draw in range(80):
        keys = [key_for(root_key(2), draw, i) for i in range(4)]
        phi = sketch_many(learner, keys, params, X, 32).astype(float)
        total = sum(sketch_many(learner, keys[i : i + 1], one[i], X, 32).astype(float) for i in range(4)) / 2
        narrow.append(phi @ phi.T)
        wide.append(total @ total.T)
    spread = np.std(wide, axis=0, ddof=1)
    assert (np.abs(np.mean(narrow, axis=0) - np.mean(wide, axis=0)) < 5 * 1.5 * spread / 80**0.5).all()
    assert np.median(np.std(narrow, axis=0, ddof=1) / spread) < 1.6
