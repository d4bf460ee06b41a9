"""Gaussian process regression: automatic relevance, a linear trend, noise; fitted by marginal likelihood.

Rasmussen and Williams, Gaussian Processes for Machine Learning (2006): equations 2.25 (prediction),
5.8 and 5.9 (marginal likelihood and its gradient), 8.15 (projected process for many rows).
Hyper-parameters are found on a subset, the posterior mean on all rows, so that a fit costs a fixed
search and one Cholesky factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import Prediction

JITTER = 1e-8  # of the signal variance, on the diagonal
STEPS = 60  # L-BFGS steps of the marginal-likelihood search
LENGTH_PRIOR_SD = 1.0  # of log lengths about log sqrt(d): keeps idle columns from running away
NOISE_PRIOR = (-4.0, 2.0)  # mean and sd of the log noise variance of standardised targets
NOISE_BOUNDS = (-16.0, 2.0)
BOUNDS = (-6.0, 6.0)
CHUNK = 4096  # rows predicted at once

Params = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class GP:
    """Gaussian process with an RBF kernel of one length a column, plus a linear kernel.

    `search_rows` rows serve the search for hyper-parameters; up to `exact_rows` rows the posterior mean
    is exact, above it a projected process on `inducing` of the rows.
    """

    search_rows: int = 300
    exact_rows: int = 1_500
    inducing: int = 800
    traceable: ClassVar[bool] = False

    def fit(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> Params:
        """Parameters of the posterior mean given X (n, d), y (n, k) and weights w (n,): noise / w."""
        alive = np.flatnonzero(w)
        X, y, w = np.asarray(X, float)[alive], np.asarray(y, float)[alive], np.asarray(w, float)[alive]
        scaling = _scaling(X, y, w)
        Z, t = (X - scaling["x_center"]) / scaling["x_spread"], (y - scaling["y_center"]) / scaling["y_spread"]
        some = _subset(key_for(key, "search"), len(Z), self.search_rows)
        theta = _search(Z[some], t[some], w[some])
        if len(Z) <= self.exact_rows:
            base, alpha = Z, _exact(Z, t, w, theta)
        else:
            base = Z[_subset(key_for(key, "inducing"), len(Z), self.inducing)]
            alpha = _projected(Z, t, w, base, theta)
        return {**scaling, "theta": theta, "base": base, "alpha": alpha}

    def predict(self, params: Params, X: np.ndarray) -> Prediction:
        """Posterior mean (n, k); no variance."""
        Z = self.embed(params, X)
        parts = [
            _kernel(Z[i : i + CHUNK], params["base"], params["theta"]) @ params["alpha"]
            for i in range(0, max(1, len(Z)), CHUNK)
        ]
        return Prediction(np.concatenate(parts) * params["y_spread"] + params["y_center"], None)

    def embed(self, params: Params, X: np.ndarray) -> np.ndarray:
        """Standardised inputs (n, d)."""
        return (np.asarray(X, float) - params["x_center"]) / params["x_spread"]


def _scaling(X: np.ndarray, y: np.ndarray, w: np.ndarray) -> dict[str, np.ndarray]:
    found = {}
    for name, A in (("x", X), ("y", y)):
        center = np.average(A, axis=0, weights=w)
        spread = np.sqrt(np.average((A - center) ** 2, axis=0, weights=w))
        tiny = 1e-9 * np.maximum(1.0, np.abs(center))
        found[f"{name}_center"], found[f"{name}_spread"] = center, np.where(spread > tiny, spread, 1.0)
    return found


def _subset(key: Key, n: int, size: int) -> np.ndarray:
    return np.arange(n) if n <= size else np.sort(key.numpy().choice(n, size, replace=False))


def _rbf(Z: np.ndarray, B: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Signal variance exp(theta_0) times exp(-r^2 / 2), lengths exp(theta_3...)."""
    lengths = np.exp(theta[3:])
    A, C = Z / lengths, B / lengths
    square = (A**2).sum(1)[:, None] + (C**2).sum(1)[None] - 2.0 * A @ C.T
    return np.exp(theta[0] - 0.5 * np.maximum(square, 0.0))


def _kernel(Z: np.ndarray, B: np.ndarray, theta: np.ndarray) -> np.ndarray:
    return _rbf(Z, B, theta) + np.exp(theta[1]) / Z.shape[1] * (Z @ B.T)


def _search(Z: np.ndarray, t: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Log hyper-parameters (3 + d,): signal, linear and noise variance, lengths."""
    d = Z.shape[1]
    middle = 0.5 * np.log(max(d, 1))
    start = np.r_[0.0, -1.0, -3.0, np.full(d, middle)]
    bounds = [BOUNDS, BOUNDS, NOISE_BOUNDS, *[(middle + BOUNDS[0], middle + BOUNDS[1])] * d]
    found = minimize(
        _objective,
        start,
        args=(Z, t, w, middle),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": STEPS},
    )
    return found.x


def _objective(theta: np.ndarray, Z: np.ndarray, t: np.ndarray, w: np.ndarray, middle: float):
    """Negative log marginal likelihood plus priors, and gradient."""
    n, d = Z.shape
    K_rbf, K_lin = _rbf(Z, Z, theta), np.exp(theta[1]) / d * (Z @ Z.T)
    noise = np.exp(theta[2]) / w
    try:
        factor = cho_factor(K_rbf + K_lin + np.diag(noise + JITTER * np.exp(theta[0])), lower=True)
    except np.linalg.LinAlgError:
        return 1e25, np.zeros_like(theta)
    alpha = cho_solve(factor, t)
    inner = t.shape[1] * cho_solve(factor, np.eye(n)) - alpha @ alpha.T
    value = 0.5 * (t * alpha).sum() + t.shape[1] * np.log(np.diag(factor[0])).sum()
    R = inner * K_rbf
    A = Z / np.exp(theta[3:])
    rows = R.sum(1)
    lengths = rows @ A**2 - np.einsum("id,ij,jd->d", A, R, A, optimize=True)
    gradient = np.r_[0.5 * R.sum(), 0.5 * (inner * K_lin).sum(), 0.5 * (np.diag(inner) @ noise), lengths]
    off = np.r_[0.0, 0.0, (theta[2] - NOISE_PRIOR[0]) / NOISE_PRIOR[1], (theta[3:] - middle) / LENGTH_PRIOR_SD]
    scale = np.r_[1.0, 1.0, NOISE_PRIOR[1], np.full(d, LENGTH_PRIOR_SD)]
    return value + 0.5 * off @ off, gradient + off / scale


def _exact(Z: np.ndarray, t: np.ndarray, w: np.ndarray, theta: np.ndarray) -> np.ndarray:
    K = _kernel(Z, Z, theta)
    K[np.diag_indices_from(K)] += np.exp(theta[2]) / w + JITTER * np.exp(theta[0])
    return cho_solve(cho_factor(K, lower=True), t)


def _projected(Z: np.ndarray, t: np.ndarray, w: np.ndarray, base: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Weights of the base rows in a projected process; whitened by the Cholesky factor of the base
    kernel, which keeps the normal equations well conditioned."""
    m, noise = len(base), np.exp(theta[2])
    K = _kernel(base, base, theta)
    L = np.linalg.cholesky(K + 1e-6 * np.exp(theta[0]) * np.eye(m) + 1e-10 * np.trace(K) / m * np.eye(m))
    gram, cross = noise * np.eye(m), np.zeros((m, t.shape[1]))
    for i in range(0, len(Z), CHUNK):
        block = slice(i, i + CHUNK)
        V = solve_triangular(L, _kernel(base, Z[block], theta), lower=True)
        gram += (V * w[block]) @ V.T
        cross += V @ (w[block][:, None] * t[block])
    return solve_triangular(L.T, cho_solve(cho_factor(gram, lower=True), cross), lower=False)
