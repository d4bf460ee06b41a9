"""Gaussian processes against scikit-learn's and against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, Matern

from strongsuit.core import root_key
from strongsuit.errors import InputError
from strongsuit.learners import GP
from strongsuit.learners import gp as module


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(80, 3)) * [1.0, 20.0, 0.1] + [0.0, 5.0, -3.0]
    y = np.stack([np.sin(X[:, 0]) + X[:, 1] / 20, X[:, 0] * X[:, 1]], axis=1) + 0.05 * rng.normal(size=(80, 2))
    return X, y, rng.integers(1, 4, 80).astype(float)


@pytest.mark.parametrize("kernel", ["rbf", "matern"])
def test_the_gradient_is_that_of_the_likelihood(rows: tuple, kernel: str) -> None:
    X, y, w = rows
    Z, t = X / X.std(axis=0), y / y.std(axis=0)

    def value(theta: np.ndarray) -> float:
        return module._objective(theta, Z, t, w, 0.5, kernel)[0]

    def slope(theta: np.ndarray) -> np.ndarray:
        return module._objective(theta, Z, t, w, 0.5, kernel)[1]

    start = np.random.default_rng(1).normal(size=6) * 0.3
    assert check_grad(value, slope, start) < 1e-5 * np.linalg.norm(slope(start))


@pytest.mark.parametrize("kernel", ["rbf", "matern"])
def test_predictions_are_those_of_scikit_learn_with_the_same_hyper_parameters(rows: tuple, kernel: str) -> None:
    X, y, w = rows
    learner = GP(kernel)
    params = learner.fit(root_key(0), X, y, w)
    signal, linear, noise = np.exp(params["theta"][:3])
    lengths = np.exp(params["theta"][3:])
    curved = RBF(lengths) if kernel == "rbf" else Matern(lengths, nu=2.5)
    kernels = ConstantKernel(signal) * curved + ConstantKernel(linear / 3) * DotProduct(1e-8)
    Z = (X - params["x_center"]) / params["x_spread"]
    t = (y - params["y_center"]) / params["y_spread"]
    peer = GaussianProcessRegressor(kernels, alpha=noise / w + module.JITTER * signal, optimizer=None).fit(Z, t)
    mean, spread = peer.predict(Z[:20] + 0.1, return_std=True)
    found = learner.predict(params, (Z[:20] + 0.1) * params["x_spread"] + params["x_center"])
    np.testing.assert_allclose(found.mean, mean * params["y_spread"] + params["y_center"], rtol=1e-6, atol=1e-6)
    assert found.variance.shape == (20, 2)
    np.testing.assert_allclose(found.variance, spread**2 * params["y_spread"] ** 2, rtol=1e-6, atol=1e-9)


def test_the_kernel_of_larger_likelihood_is_taken() -> None:
    X = np.linspace(-1, 1, 60)[:, None]
    smooth, rough = np.sin(3 * X), np.abs(X - 0.15)
    w = np.ones(60)
    assert GP().fit(root_key(0), X, smooth, w)["kernel"] == 0
    assert GP().fit(root_key(0), X, rough, w)["kernel"] == 1


def test_a_thorough_search_finds_waves_and_steps_that_a_plain_one_misses() -> None:
    X = np.random.default_rng(3).uniform(-1, 1, (250, 3))
    w, new = np.ones(250), np.random.default_rng(4).uniform(-1, 1, (500, 3))
    for law in (lambda A: np.sin(40 * A[:, :1]), lambda A: np.floor(4 * A[:, 1:2])):
        errors = []
        for learner in (GP(), GP(thorough=True)):
            params = learner.fit(root_key(0), X, law(X), w)
            errors.append(np.mean((learner.predict(params, new).mean - law(new)) ** 2) / law(new).var())
        assert errors[1] < min(0.01, 0.5 * errors[0])


def test_a_fit_begins_from_hyper_parameters_of_an_earlier_one_too() -> None:
    X, new = (np.random.default_rng(seed).uniform(-1, 1, (400, 1)) for seed in (3, 4))
    learner, w = GP("rbf", search_rows=40), np.ones(400)  # too few rows for the wave
    found = learner.fit(root_key(0), X, np.sin(60 * X), w)
    before = dict(found, theta=np.array([0.0, -4.0, -8.0, -3.5]))
    again = learner.fit(root_key(0), X, np.sin(60 * X), w, before=before)
    errors = [np.mean((learner.predict(params, new).mean - np.sin(60 * new)) ** 2) for params in (found, again)]
    assert errors[1] < 0.01 < errors[0]
    np.testing.assert_array_equal(again["theta"], before["theta"])


def test_equal_rows_without_noise_get_the_jitter_they_need() -> None:
    Z = np.repeat(np.linspace(-1, 1, 30), 20)[:, None]
    theta = np.array([-12.0, 6.0, -60.0, 0.5])  # against the linear part the usual jitter is lost in rounding
    K = module._kernel(Z, Z, theta, "rbf")
    usual = K + module.JITTER * np.exp(theta[0]) * np.eye(600)
    assert module.dpotrf(usual, lower=1)[1], "the usual jitter would do"
    factor = module._labelled_factor(Z, np.ones(600), theta, "rbf")
    np.testing.assert_allclose(np.tril(factor) @ np.tril(factor).T, K, atol=1e-3)


def test_relevance_is_that_of_the_column_that_matters() -> None:
    Z = np.random.default_rng(0).normal(size=(200, 4))
    y, w = np.abs(Z[:, 2:3]), np.ones(200)
    assert module._relevance(Z, y, w).argmax() == 2
    w[:50] = 2.0
    twice = [np.vstack([A, A[:50]]) for A in (Z, y)]
    np.testing.assert_allclose(module._relevance(Z, y, w), module._relevance(*twice, np.ones(250)))


def test_a_projected_process_on_all_rows_is_the_exact_one(rows: tuple) -> None:
    X, y, w = rows
    exact, projected = GP("rbf"), GP("rbf", exact_rows=10, inducing=80)
    params = exact.fit(root_key(0), X, y, w)
    approximate = projected.fit(root_key(0), X, y, w)
    near = exact.predict(params, X).mean, projected.predict(approximate, X).mean
    np.testing.assert_allclose(*near, atol=2e-3 * y.std())
    variances = exact.predict(params, X).variance, projected.predict(approximate, X).variance
    np.testing.assert_allclose(*variances, rtol=0.4)  # the base rows' jitter, here a third of the noise, adds to it


def test_the_variance_of_few_inducing_rows_is_that_of_the_plain_formula(rows: tuple) -> None:
    X, y, w = rows
    learner = GP("matern", exact_rows=10, inducing=25)
    params = learner.fit(root_key(0), X, y, w)
    theta, base, Z = params["theta"], params["base"], learner.embed(params, X)
    noise, new = np.exp(theta[2]), learner.embed(params, X[:30] * 1.1)
    K = module._kernel(base, base, theta, "matern")
    K += (1e-6 * np.exp(theta[0]) + 1e-10 * np.trace(K) / 25) * np.eye(25)
    cross, far = module._kernel(base, Z, theta, "matern"), module._kernel(base, new, theta, "matern")
    prior = np.diag(module._kernel(new, new, theta, "matern"))
    given = far.T @ np.linalg.solve(noise * K + (cross * w) @ cross.T, far)
    expected = prior - np.diag(far.T @ np.linalg.solve(K, far)) + noise * np.diag(given)
    found = learner.predict(params, X[:30] * 1.1).variance / params["y_spread"] ** 2
    np.testing.assert_allclose(found, np.stack([expected, expected], axis=1), rtol=1e-6)


def test_the_variance_can_be_left_out_and_is_nothing_that_old_parameters_must_have(rows: tuple) -> None:
    X, y, w = rows
    full, plain = GP("rbf"), GP("rbf", variance=False)
    params = plain.fit(root_key(0), X, y, w)
    assert plain.predict(params, X).variance is None and full.predict(params, X).variance is None
    both = full.fit(root_key(0), X, y, w)
    np.testing.assert_array_equal(full.predict(both, X).mean, plain.predict(params, X).mean)
    assert plain.predict(both, X).variance is None


def test_many_rows_are_predicted_in_pieces(rows: tuple, monkeypatch) -> None:
    X, y, w = rows
    learner = GP("rbf")
    params = learner.fit(root_key(0), X, y, w)
    whole = learner.predict(params, X)
    largest = []
    kernel = module._kernel
    monkeypatch.setattr(module, "CHUNK", 7)
    monkeypatch.setattr(module, "_kernel", lambda Z, B, *rest: largest.append(len(Z)) or kernel(Z, B, *rest))
    pieces = learner.predict(params, X)
    np.testing.assert_allclose(pieces.mean, whole.mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(pieces.variance, whole.variance, rtol=1e-6, atol=1e-12)
    assert sorted(set(largest)) == [80 % 7, 7, 80]  # the labels' own matrix once


@pytest.mark.parametrize("kernel", ["rbf", "matern"])
def test_kernel_features_carry_the_prior_and_with_the_noise_the_posterior(rows: tuple, kernel: str) -> None:
    X, y, _ = rows
    learner = GP(kernel)
    params = learner.fit(root_key(0), X[:40], y[:40], np.ones(40))
    F, noise = learner.kernel_features(params, X)
    Z, theta = learner.embed(params, X), params["theta"]
    K = module._kernel(Z, Z, theta, kernel)
    assert np.trace(K - F @ F.T) < 1e-6 * np.trace(K) and noise == np.exp(theta[2])
    L = F[:40]
    left = F @ F.T - F @ L.T @ np.linalg.solve(L @ L.T + noise * np.eye(40), L @ F.T)
    wanted = learner.predict(params, X).variance / params["y_spread"] ** 2
    np.testing.assert_allclose(np.diag(left), wanted[:, 0], atol=3e-4 * K.max())
    assert learner.kernel_features(params, X, 9)[0].shape == (80, 9)


def test_few_inducing_rows_still_follow_a_smooth_law() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(3000, 2))
    y = np.sin(2 * X[:, :1]) * X[:, 1:]
    learner = GP("rbf", search_rows=100, inducing=120)
    found = learner.predict(learner.fit(root_key(0), X, y, np.ones(3000)), X[:500]).mean
    assert np.mean((found - y[:500]) ** 2) < 1e-3 * y.var()


def test_an_unknown_kernel_is_named() -> None:
    with pytest.raises(InputError, match="kernel must be auto, rbf or matern, got 'cubic'"):
        GP("cubic")


def test_going_on_keeps_the_hyper_parameters_and_takes_all_rows(rows: tuple) -> None:
    X, y, w = rows
    learner = GP()
    first = learner.fit(root_key(0), X[:30], y[:30], w[:30])
    found = learner.resume(root_key(1), first, X, y, w)
    same = ("theta", "kernel", "x_center", "x_spread", "y_center", "y_spread")
    assert all(np.array_equal(found[name], first[name]) for name in same)
    Z, t = learner.embed(found, X), (y - found["y_center"]) / found["y_spread"]
    kind = tuple(module.KERNELS)[int(found["kernel"])]
    np.testing.assert_allclose(found["alpha"], module._exact(Z, t, w, found["theta"], kind))
