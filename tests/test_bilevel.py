"""Hypergradients: against finite differences, closed forms and each other; rows answered by models without them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from strongsuit.core import root_key
from strongsuit.core.bilevel import cross_fit, implicit_gradient, influence, unrolled_gradient
from strongsuit.core.compile import trace_counts
from strongsuit.learners.ridge import Ridge
from strongsuit.learners.softmax import Softmax

KEY = root_key(0)


@pytest.fixture(autouse=True)
def in_double():
    with jax.enable_x64(True):
        yield


def softmax_inner(theta, m, Z, Y, Z_out, Y_out):
    """Cross entropy of rows with weights m, and a penalty."""
    logs = jax.nn.log_softmax(Z @ theta["W"] + theta["c"])
    return -jnp.sum(m * (Y * logs).sum(1)) + 0.5 * (jnp.sum(theta["W"] ** 2) + jnp.sum(theta["c"] ** 2))


def softmax_outer(theta, m, Z, Y, Z_out, Y_out):
    """Mean cross entropy of other rows, and something that looks at m itself."""
    logs = jax.nn.log_softmax(Z_out @ theta["W"] + theta["c"])
    return -(Y_out * logs).sum(1).mean() + 0.01 * jnp.sum(m**2)


def softmax_rows(seed: int = 0):
    rng = np.random.default_rng(seed)
    Z, Z_out = rng.normal(size=(40, 4)), rng.normal(size=(30, 4))
    Y, Y_out = (np.eye(3)[rng.integers(0, 3, count)] for count in (40, 30))
    return Z, Y, Z_out, Y_out


def solved(m: np.ndarray, rows) -> dict[str, np.ndarray]:
    """The inner minimum in plain NumPy, by Newton's method."""
    Z, Y = np.hstack([rows[0], np.ones((len(rows[0]), 1))]), rows[1]
    theta = np.zeros((5, 3))
    for _ in range(12):
        p = np.exp(Z @ theta)
        p /= p.sum(1, keepdims=True)
        bent = m[:, None, None] * (p[:, :, None] * np.eye(3) - p[:, :, None] * p[:, None, :])
        hessian = np.einsum("nq,nce,nr->qcre", Z, bent, Z).reshape(15, 15) + np.eye(15)
        slope = Z.T @ (m[:, None] * (p - Y)) + theta
        theta = theta - np.linalg.solve(hessian, slope.ravel()).reshape(5, 3)
    return {"W": theta[:4], "c": theta[4]}


def test_an_implicit_gradient_is_that_of_finite_differences() -> None:
    rows, m = softmax_rows(), np.random.default_rng(1).uniform(0.2, 1.0, 40)
    found = implicit_gradient(softmax_inner, softmax_outer, solved(m, rows), m, rows, enough=1e-10)
    assert found.degraded == "" and found.residual <= 1e-10
    for j in range(0, 40, 5):
        ends = []
        for step in (1e-5, -1e-5):
            moved = m + step * (np.arange(40) == j)
            ends.append(softmax_outer(solved(moved, rows), moved, *rows))
        assert found.value[j] == pytest.approx(float(ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-7)
    coarse = implicit_gradient(softmax_inner, softmax_outer, solved(m, rows), m, rows)
    assert np.abs(coarse.value - found.value).max() < 1e-3 * np.abs(found.value).max()


def ridge_inner(theta, m, Z, y, Z_out, y_out):
    return 0.5 * jnp.sum(m * (Z @ theta - y) ** 2) + 0.5 * jnp.sum(theta**2)


def ridge_outer(theta, m, Z, y, Z_out, y_out):
    return 0.5 * jnp.mean((Z_out @ theta - y_out) ** 2)


def ridge_rows():
    rng = np.random.default_rng(2)
    return rng.normal(size=(25, 5)), rng.normal(size=25), rng.normal(size=(20, 5)), rng.normal(size=20)


def test_weights_of_rows_in_a_ridge_regression_have_a_closed_form() -> None:
    Z, y, Z_out, y_out = rows = ridge_rows()
    m = np.random.default_rng(3).uniform(0.0, 2.0, 25)
    A = Z.T @ (m[:, None] * Z) + np.eye(5)
    theta = np.linalg.solve(A, Z.T @ (m * y))
    outer = Z_out.T @ (Z_out @ theta - y_out) / 20
    exact = -(Z @ np.linalg.solve(A, outer)) * (Z @ theta - y)
    found = implicit_gradient(ridge_inner, ridge_outer, theta, m, rows, enough=1e-12)
    np.testing.assert_allclose(found.value, exact, rtol=1e-9, atol=1e-12)
    damped = implicit_gradient(ridge_inner, ridge_outer, theta, m, rows, enough=1e-12, damping=3.0)
    np.testing.assert_allclose(
        damped.value, -(Z @ np.linalg.solve(A + 3.0 * np.eye(5), outer)) * (Z @ theta - y), rtol=1e-9, atol=1e-12
    )


def test_an_unrolled_gradient_tends_to_the_implicit_one() -> None:
    Z, y, *_ = rows = ridge_rows()
    m = np.ones(25)
    theta = np.linalg.solve(Z.T @ Z + np.eye(5), Z.T @ y)
    exact = implicit_gradient(ridge_inner, ridge_outer, theta, m, rows, enough=1e-12).value
    far, near, there = (
        unrolled_gradient(ridge_inner, ridge_outer, np.zeros(5), m, rows, rate=0.02, steps=steps)
        for steps in (3, 30, 601)
    )
    errors = [np.abs(one.value - exact).max() for one in (far, near, there)]
    assert errors[0] > errors[1] > 100.0 * errors[2] and errors[2] < 1e-5
    assert far.residual > near.residual > there.residual and there.degraded == ""
    cut = unrolled_gradient(ridge_inner, ridge_outer, np.zeros(5), m, rows, rate=0.02, steps=601, window=300)
    np.testing.assert_allclose(cut.value, exact, atol=1e-5)


def parabola(theta, omega):
    return 0.5 * 4.0 * (theta - omega) ** 2


def distance(theta, omega):
    return theta


@pytest.mark.parametrize("steps", [1, 2, 7, 12])
def test_descent_on_a_parabola_is_known_step_by_step(steps: int) -> None:
    whole = unrolled_gradient(parabola, distance, np.array(3.0), np.array(1.0), rate=0.1, steps=steps)
    assert whole.value == pytest.approx(1.0 - (1.0 - 0.4) ** steps)
    assert whole.residual == pytest.approx(0.6**steps)
    last = unrolled_gradient(parabola, distance, np.array(3.0), np.array(1.0), rate=0.1, steps=steps, window=1)
    assert last.value == pytest.approx(0.4)
    assert unrolled_gradient(parabola, distance, np.array(3.0), np.array(1.0), rate=0.6, steps=steps).degraded == (
        "diverged"
    )


def saddle(theta, m):
    return m * (theta[0] ** 2 - theta[1] ** 2)


def along(theta, m):
    return theta[1]


def test_what_is_not_to_be_trusted_is_said() -> None:
    found = implicit_gradient(saddle, along, np.zeros(2), np.array(1.0))
    assert found.degraded == "indefinite"
    rows, m = softmax_rows(), np.ones(40)
    short = implicit_gradient(softmax_inner, softmax_outer, solved(m, rows), m, rows, steps=2, enough=1e-8)
    assert short.degraded == "slow" and short.residual > 1e-8


def test_a_pair_of_losses_is_compiled_once_a_shape() -> None:
    rows = ridge_rows()
    before = trace_counts().get("implicit_gradient", 0)
    for size in (1.0, 2.0, 3.0):
        implicit_gradient(ridge_inner, along_first, np.zeros(5), size * np.ones(25), rows, damping=size)
    assert trace_counts()["implicit_gradient"] == before + 1


def along_first(theta, m, *rows):
    return theta[0]


def test_influence_is_the_implicit_gradient_at_zero_but_for_a_rows_own_loss() -> None:
    Z, y, Z_out, y_out = ridge_rows()
    theta = np.linalg.solve(Z.T @ Z + np.eye(5), Z.T @ y)
    weight = np.random.default_rng(5).uniform(0.5, 1.5, 20)

    g, H = (Z_out @ theta - y_out)[:, None] * Z_out, Z.T @ Z + np.eye(5)
    found = influence(g, H, weight)
    for j in range(20):
        others = np.where(np.arange(20) == j, 0.0, weight)
        fall = implicit_gradient(joined, judged, theta, np.zeros(20), (Z, y, Z_out, y_out, others), enough=1e-12)
        assert found[j] == pytest.approx(-fall.value[j], rel=1e-8)
    both = influence(np.stack([g, 2.0 * g], axis=1), H, weight)
    np.testing.assert_allclose(both, 5.0 * found)
    np.testing.assert_allclose(both, influence(np.hstack([g, 2.0 * g]), np.kron(np.eye(2), H), weight))
    assert influence(g[:1], H, weight[:1]) == pytest.approx([0.0], abs=1e-15)


def joined(theta, m, Z, y, Z_out, y_out, others):
    return ridge_inner(theta, jnp.ones(len(y)), Z, y, Z_out, y_out) + 0.5 * jnp.sum(m * (Z_out @ theta - y_out) ** 2)


def judged(theta, m, Z, y, Z_out, y_out, others):
    return jnp.sum(others * 0.5 * (Z_out @ theta - y_out) ** 2) / jnp.sum(others)


@pytest.mark.parametrize("learner", [Ridge(), Softmax()])
def test_rows_are_answered_by_models_that_did_not_see_them(learner) -> None:
    rng = np.random.default_rng(0)
    X, fold = rng.normal(size=(30, 3)), np.arange(30) % 4 - 1
    y = np.eye(2)[(X[:, 0] > 0).astype(int)]
    w = rng.uniform(0.5, 1.5, 30)
    params, said = cross_fit(KEY, learner, X, y, w, fold)
    assert len(params) == 3 and np.isnan(said[fold < 0]).all()
    for f in range(3):
        own = learner.fit(KEY, X[fold != f], y[fold != f], w[fold != f])
        np.testing.assert_allclose(said[fold == f], learner.predict(own, X[fold == f]).mean, atol=1e-5)
