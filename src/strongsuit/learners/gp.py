"""Gaussian process regression: automatic relevance, a linear trend, noise; fitted by marginal likelihood.

Rasmussen and Williams, Gaussian Processes for Machine Learning (2006): equations 2.25 and 2.26 (prediction),
4.17 (Matern), 5.8 and 5.9 (marginal likelihood and its gradient), section 8.3.4 (projected process for many rows).
Hyper-parameters are found on a subset, the posterior mean on all rows, so that a fit costs a fixed
search and one Cholesky factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import Prediction
from strongsuit.core.pivoted import RANK, pivoted_cholesky
from strongsuit.errors import InputError

JITTER = 1e-8  # of the signal variance, on the diagonal
FIRST_STEPS = 20  # L-BFGS steps after which kernels are compared
STEPS = 40  # further steps for the better one
LENGTH_PRIOR_SD = 1.0  # of log lengths about log sqrt(d): keeps idle columns from running away
NOISE_PRIOR = (-4.0, 2.0)  # mean and sd of the log noise variance of standardised targets
NOISE_BOUNDS = (-16.0, 2.0)
BOUNDS = (-6.0, 6.0)
CHUNK = 4096  # rows predicted at once
MANY = 1500  # rows on which hyper-parameters of two searches are compared

Params = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class GP:
    """Gaussian process with a curved kernel of one length a column, plus a linear kernel.

    `kernel` is "rbf" (smooth), "matern" (twice differentiable) or "auto", the one of larger likelihood.
    `search_rows` rows serve the search for hyper-parameters; up to `exact_rows` rows the posterior mean
    is exact, above it a projected process on `inducing` of the rows. Without `variance` predictions have none,
    which at 2,000 labelled rows saves more than half of their cost. `thorough`: search from short lengths too, and from
    one short length, of the most relevant column, among long ones: fast waves, and steps along one column, are missed
    from long lengths alone in one fit of a few.
    """

    kernel: str = "auto"
    search_rows: int = 300
    exact_rows: int = 2_000
    inducing: int = 800
    thorough: bool = False
    variance: bool = True
    traceable: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True  # but for the subsets of a large table: a committee needs no second one

    def __post_init__(self) -> None:
        if self.kernel not in ("auto", *KERNELS):
            raise InputError(f"kernel must be auto, {' or '.join(KERNELS)}, got {self.kernel!r}")

    def fit(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray, *, before: Params | None = None) -> Params:
        """Parameters of the posterior mean given X (n, d), y (n, k) and weights w (n,): noise / w.

        Hyper-parameters of an earlier fit, if it is given, are kept where the search finds no likelier ones.
        """
        # One thread: at these sizes a second one saves nothing and, on a busy machine, waits at great cost.
        with threadpool_limits(limits=1, user_api="blas"):
            X, y, w = _alive(X, y, w)
            scaling = _scaling(X, y, w)
            Z, t = _standardised(scaling, X, y)
            kind, theta = self._searched(key, Z, t, w, before)
            return self._posterior(key, scaling, Z, t, w, kind, theta)

    def resume(self, key: Key, params: Params, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> Params:
        """The posterior given other rows; kernel, hyper-parameters and scaling stay, so that nothing is searched."""
        with threadpool_limits(limits=1, user_api="blas"):
            X, y, w = _alive(X, y, w)
            scaling = {name: params[name] for name in ("x_center", "x_spread", "y_center", "y_spread")}
            return self._posterior(key, scaling, *_standardised(scaling, X, y), w, _kind(params), params["theta"])

    def _searched(self, key: Key, Z, t, w: np.ndarray, before: Params | None) -> tuple[str, np.ndarray]:
        """Kernel and log hyper-parameters: the likeliest a search finds, or those of an earlier fit if these are."""
        some = _subset(key_for(key, "search"), len(Z), self.search_rows)
        kinds = tuple(KERNELS) if self.kernel == "auto" else (self.kernel,)
        found = _search(Z[some], t[some], w[some], kinds, self.thorough)
        if before is None:
            return found
        many = _subset(key_for(key, "compare"), len(Z), MANY)
        rivals = (found, (_kind(before), before["theta"]))
        return min(rivals, key=lambda one: _loss(one[1], Z[many], t[many], w[many], one[0]))

    def _posterior(self, key: Key, scaling: dict, Z, t, w: np.ndarray, kind: str, theta: np.ndarray) -> Params:
        if len(Z) <= self.exact_rows:
            base, alpha, known = Z, _exact(Z, t, w, theta, kind), {"weight": w}
        else:
            base = Z[_subset(key_for(key, "inducing"), len(Z), self.inducing)]
            alpha, gram = _projected(Z, t, w, base, theta, kind)
            known = {"gram": gram}
        found = {"kernel": np.array(tuple(KERNELS).index(kind)), "theta": theta, "base": base, "alpha": alpha}
        return {**scaling, **found, **(known if self.variance else {})}

    def predict(self, params: Params, X: np.ndarray) -> Prediction:
        """Posterior mean (n, k), and the posterior variance (n, k) of the function without the labels' noise: what
        further labels can lower. The noise of a label comes on top, `exp(theta[2])` in units of `y_spread` squared.
        """
        Z, theta, kind = self.embed(params, X), params["theta"], _kind(params)
        factors = _factors(params) if self.variance else None
        means, variances = [], []
        for i in range(0, max(1, len(Z)), CHUNK):
            block = Z[i : i + CHUNK]
            K = _kernel(block, params["base"], theta, kind)
            means.append(K @ params["alpha"])
            if factors is not None:
                variances.append(_prior_variance(block, theta) - _explained(K.T, theta, *factors))
        mean = np.concatenate(means) * params["y_spread"] + params["y_center"]
        if factors is None:
            return Prediction(mean, None)
        return Prediction(mean, np.maximum(np.concatenate(variances), 0.0)[:, None] * params["y_spread"] ** 2)

    def kernel_features(self, params: Params, X: np.ndarray, rank: int = RANK) -> tuple[np.ndarray, float]:
        """Features (n, r <= rank) whose inner products are the prior kernel of X, and the variance of a label's noise
        in the same units, those of standardised targets."""
        Z, theta, kind = self.embed(params, X), params["theta"], _kind(params)
        diagonal = _prior_variance(Z, theta)
        features = pivoted_cholesky(Z, lambda A, B: _kernel(A, B, theta, kind), diagonal, rank=rank)
        return features, float(np.exp(theta[2]))

    def auxiliary(self, name: str) -> Any:
        """The network to train beside this model for estimates that it cannot give: that of an `MLP` with defaults."""
        from strongsuit.learners.mlp import MLP  # a learner on the host loads JAX only where it must

        return MLP().auxiliary(name)

    def embed(self, params: Params, X: np.ndarray) -> np.ndarray:
        """Standardised inputs (n, d)."""
        return (np.asarray(X, float) - params["x_center"]) / params["x_spread"]


def _alive(X: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of positive weight."""
    alive = np.flatnonzero(w)
    return np.asarray(X, float)[alive], np.asarray(y, float)[alive], np.asarray(w, float)[alive]


def _standardised(scaling: dict[str, np.ndarray], X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (X - scaling["x_center"]) / scaling["x_spread"], (y - scaling["y_center"]) / scaling["y_spread"]


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


def _rbf(square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """exp(-r^2 / 2), and minus twice its derivative with respect to r^2."""
    value = np.exp(-0.5 * square)
    return value, value


def _matern(square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(1 + s + s^2 / 3) exp(-s) with s = sqrt(5) r, and minus twice its derivative with respect to r^2."""
    s = np.sqrt(5.0 * square)
    fall = np.exp(-s)
    return (1.0 + s + s**2 / 3.0) * fall, 5.0 / 3.0 * (1.0 + s) * fall


KERNELS = {"rbf": _rbf, "matern": _matern}


def _square(Z: np.ndarray, B: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Squared distances in units of the lengths exp(theta_3...)."""
    lengths = np.exp(theta[3:])
    A, C = Z / lengths, B / lengths
    return np.maximum((A**2).sum(1)[:, None] + (C**2).sum(1)[None] - 2.0 * A @ C.T, 0.0)


def _kernel(Z: np.ndarray, B: np.ndarray, theta: np.ndarray, kind: str) -> np.ndarray:
    curved = np.exp(theta[0]) * KERNELS[kind](_square(Z, B, theta))[0]
    return curved + np.exp(theta[1]) / Z.shape[1] * (Z @ B.T)


def _kind(params: Params) -> str:
    return tuple(KERNELS)[int(params["kernel"])]


def _prior_variance(Z: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """The diagonal (n,) of the kernel."""
    return np.exp(theta[0]) + np.exp(theta[1]) / Z.shape[1] * (Z**2).sum(1)


def _search(
    Z: np.ndarray, t: np.ndarray, w: np.ndarray, kinds: tuple[str, ...], thorough: bool
) -> tuple[str, np.ndarray]:
    """Kernel of largest likelihood and its log hyper-parameters (3 + d,): signal, linear, noise, lengths."""
    d = Z.shape[1]
    middle = _middle(d)
    starts = [np.r_[0.0, -1.0, -3.0, np.full(d, middle)]]
    if thorough:
        short, lone = np.full(d, middle - 2.3), np.full(d, middle + 1.5)
        lone[int(np.argmax(_relevance(Z, t, w)))] = middle - 3.0
        starts += [np.r_[0.0, -1.0, -3.0, short], np.r_[0.0, -1.0, -6.0, lone]]
    bounds = [BOUNDS, BOUNDS, NOISE_BOUNDS, *[(middle + BOUNDS[0], middle + BOUNDS[1])] * d]

    def descend(kind: str, theta: np.ndarray, steps: int):
        arguments, options = (Z, t, w, middle, kind), {"maxiter": steps}
        return minimize(_objective, theta, arguments, "L-BFGS-B", True, bounds=bounds, options=options)

    found = [(kind, descend(kind, start, FIRST_STEPS)) for kind in kinds for start in starts]
    kind, best = min(found, key=lambda one: one[1].fun)
    return kind, descend(kind, best.x, STEPS).x


def _loss(theta: np.ndarray, Z: np.ndarray, t: np.ndarray, w: np.ndarray, kind: str) -> float:
    return _objective(theta, Z, t, w, _middle(Z.shape[1]), kind)[0]


def _middle(d: int) -> float:
    """The log length that is likeliest beforehand."""
    return 0.5 * np.log(max(d, 1))


def _relevance(Z: np.ndarray, t: np.ndarray, w: np.ndarray) -> np.ndarray:
    """How much (d,) of the targets' sum of squares a cubic polynomial of each column explains."""
    root = np.sqrt(w)[:, None]
    powers = [root * np.column_stack([np.ones(len(Z)), z, z**2, z**3]) for z in Z.T]
    return np.array([((P @ np.linalg.lstsq(P, root * t)[0]) ** 2).sum() for P in powers])


def _objective(theta: np.ndarray, Z: np.ndarray, t: np.ndarray, w: np.ndarray, middle: float, kind: str):
    """Negative log marginal likelihood plus priors, and gradient.

    A row of weight w has the noise of w repeated rows; `extra` is what their scatter, zero, adds to the
    likelihood, so that weight 2 is the row twice.
    """
    (n, d), k = Z.shape, t.shape[1]
    shape, slope = KERNELS[kind](_square(Z, Z, theta))
    curved, linear = np.exp(theta[0]) * shape, np.exp(theta[1]) / d * (Z @ Z.T)
    noise = np.exp(theta[2]) / w
    K = curved + linear
    K[np.diag_indices(n)] += noise + JITTER * np.exp(theta[0])
    factor, failed = dpotrf(K, lower=1)
    if failed:
        return 1e25, np.zeros_like(theta)
    alpha = dpotrs(factor, t, lower=1)[0]
    inverse = dpotri(factor, lower=1)[0]
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    inner = k * inverse - alpha @ alpha.T
    extra = 0.5 * k * (w.sum() - n)
    value = 0.5 * (t * alpha).sum() + k * np.log(np.diag(factor)).sum() + extra * theta[2]
    R = inner * (np.exp(theta[0]) * slope)
    A = Z / np.exp(theta[3:])
    lengths = R.sum(1) @ A**2 - ((R @ A) * A).sum(0)
    about = 0.5 * np.diag(inner) @ noise + extra
    gradient = np.r_[0.5 * (inner * curved).sum(), 0.5 * (inner * linear).sum(), about, lengths]
    off = np.r_[0.0, 0.0, (theta[2] - NOISE_PRIOR[0]) / NOISE_PRIOR[1], (theta[3:] - middle) / LENGTH_PRIOR_SD]
    scale = np.r_[1.0, 1.0, NOISE_PRIOR[1], np.full(d, LENGTH_PRIOR_SD)]
    return value + 0.5 * off @ off, gradient + off / scale


def _exact(Z: np.ndarray, t: np.ndarray, w: np.ndarray, theta: np.ndarray, kind: str) -> np.ndarray:
    return cho_solve((_labelled_factor(Z, w, theta, kind), True), t)


def _labelled_factor(Z: np.ndarray, w: np.ndarray, theta: np.ndarray, kind: str) -> np.ndarray:
    """Cholesky factor of the labels' covariance; the jitter grows until there is one."""
    K, place = _kernel(Z, Z, theta, kind), np.diag_indices(len(Z))
    diagonal = K[place] + np.exp(theta[2]) / w
    for jitter in JITTER * 10.0 ** np.arange(6):
        K[place] = diagonal + jitter * np.exp(theta[0])
        factor, failed = dpotrf(K, lower=1)
        if not failed:
            return factor
    raise np.linalg.LinAlgError("the covariance of the labels is not positive definite")


def _base_factor(base: np.ndarray, theta: np.ndarray, kind: str) -> np.ndarray:
    """Cholesky factor of the base rows' kernel, with a jitter."""
    m, K = len(base), _kernel(base, base, theta, kind)
    return np.linalg.cholesky(K + 1e-6 * np.exp(theta[0]) * np.eye(m) + 1e-10 * np.trace(K) / m * np.eye(m))


def _factors(params: Params) -> tuple[np.ndarray, np.ndarray | None] | None:
    """What `_explained` needs: the labels' factor, or those of a projected process; None if the fit kept neither."""
    if "weight" in params:
        return _labelled_factor(params["base"], params["weight"], params["theta"], _kind(params)), None
    if "gram" in params:
        return _base_factor(params["base"], params["theta"], _kind(params)), cho_factor(params["gram"], lower=True)[0]
    return None


def _explained(K: np.ndarray, theta: np.ndarray, factor: np.ndarray, gram: np.ndarray | None) -> np.ndarray:
    """How much (n,) of the prior variance the labels take away, from the kernel K (m, n) with the base rows.

    In a projected process the base rows' values are themselves uncertain, which gives back a part.
    """
    V = solve_triangular(factor, K, lower=True, check_finite=False)
    explained = np.einsum("ij,ij->j", V, V)
    if gram is None:
        return explained
    V = solve_triangular(gram, V, lower=True, check_finite=False)
    return explained - np.exp(theta[2]) * np.einsum("ij,ij->j", V, V)


def _projected(
    Z: np.ndarray, t: np.ndarray, w: np.ndarray, base: np.ndarray, theta: np.ndarray, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the base rows in a projected process, and the matrix of its normal equations; whitened by
    the Cholesky factor of the base kernel, which keeps them well conditioned."""
    m, noise = len(base), np.exp(theta[2])
    L = _base_factor(base, theta, kind)
    gram, cross = noise * np.eye(m), np.zeros((m, t.shape[1]))
    for i in range(0, len(Z), CHUNK):
        block = slice(i, i + CHUNK)
        V = solve_triangular(L, _kernel(base, Z[block], theta, kind), lower=True)
        gram += (V * w[block]) @ V.T
        cross += V @ (w[block][:, None] * t[block])
    return solve_triangular(L.T, cho_solve(cho_factor(gram, lower=True), cross), lower=False), gram
