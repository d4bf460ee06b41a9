"""The in-loop gate: multinomial logistic regression that makes won sets separable in x.

Features are the standardised inputs (`linear`) or these and random Fourier features (`smooth`). It
is refitted at every pass from its last solution; the support vector machine of boundary.py takes
over when the competition has ended.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from strongsuit.core.keys import Key

PENALTY_C = 10.0  # inverse L2 strength; the intercept is free
STEPS = 15  # L-BFGS steps a pass: warm starts make more of them needless
FLOOR = np.log(1e-6)  # a gate may veto a model, but never for ever


@dataclass(frozen=True)
class GateBasis:
    """Turns standardised inputs into gate features; `frequencies` is None for the linear gate."""

    frequencies: np.ndarray | None

    def __call__(self, Z: np.ndarray) -> np.ndarray:
        ones = np.ones((len(Z), 1))
        if self.frequencies is None:
            return np.hstack([Z, ones])
        angle = Z @ self.frequencies
        return np.hstack([Z, np.cos(angle), np.sin(angle), ones])


def gate_basis(key: Key, d: int, kind: str, *, features: int = 64) -> GateBasis:
    """The `linear` or `smooth` basis over d inputs, length-scale sqrt(d)."""
    if kind == "linear":
        return GateBasis(None)
    return GateBasis(key.numpy().normal(size=(d, features // 2)) / np.sqrt(d))


def fit_gate(P: np.ndarray, labels: np.ndarray, w: np.ndarray, start: np.ndarray, *, steps: int = STEPS) -> np.ndarray:
    """Gate weights (p, k) after some steps from `start` towards labels (n,) or shares of labels (n, k)."""
    p, k = start.shape
    if k == 1:
        return start
    shares = np.eye(k)[labels] if labels.ndim == 1 else labels
    claims = np.ascontiguousarray((shares * w[:, None]).T)
    held = 1.0 / PENALTY_C * (np.arange(p) < p - 1)[:, None]

    def objective(flat):
        W = flat.reshape(p, k)
        # Class-major: the few classes run along the slow axis, so every step is one pass over the rows.
        A = W.T @ P.T
        A -= A.max(0)
        E = np.exp(A)
        total = E.sum(0)
        loss = w @ np.log(total) - (claims * A).sum() + 0.5 * (held * W**2).sum()
        E *= w / total
        E -= claims
        return loss, (P.T @ E.T + held * W).ravel()

    found = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": steps})
    return found.x.reshape(p, k)


def log_softmax(A: np.ndarray) -> np.ndarray:
    """Row-wise log probabilities of scores (n, k)."""
    T = np.array(A.T, order="C")  # class-major, as in fit_gate
    T -= T.max(0)
    T -= np.log(np.exp(T).sum(0))
    return T.T
