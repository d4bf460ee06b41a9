"""What rows are worth once others of their batch are learned: rewards anew, at weights that rows have already.

`influence` values each row as if it were the only one. Here the last layer is refitted with every row of a fold at the
weight m_j with which the search takes it so far, theta(m) = argmin sum_T l + sum_j m_j l_j + penalty, and a row is
worth how fast the others' loss then falls: the implicit gradient at m, a row's own loss left out. At m = 0 the two are
the same.

The model need not be the optimum of that penalty: the layer moves by the delta from where the model stands, and what
its training rows pull is taken from what the model says of them, so that delta = 0 at m = 0 for any learner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import log_softmax

from strongsuit.active.search.rewards import MOST, leading, ridged, softmax_hessian
from strongsuit.core import bilevel

_LEAST = 1e-6  # a probability that a class without training rows is given
_SETTLED = 1e-6  # gradient at which a refit ends; the weights are then within this over the penalty


@dataclass(frozen=True)
class Layer:
    """A fold's last layer: features (c, q), predictions and targets (c, k) of its own rows, and features (t, q) of the
    rows it was trained on with what a softmax said of them (t, k), None for a linear layer; judges (c,): how much the
    loss of each of its own rows counts."""

    Z: np.ndarray
    said: np.ndarray
    y: np.ndarray
    Z_train: np.ndarray
    said_train: np.ndarray | None
    judges: np.ndarray
    penalty: float = 1.0

    def rewards(self, m: np.ndarray) -> np.ndarray:
        """How fast (c,) the mean loss of the other rows falls as each row's weight grows from m (c,) on."""
        if self.said_train is None:
            return self._of_numbers(m)
        Z, Z_train = leading(self.Z, self.Z_train, MOST // self.y.shape[1])
        delta = _moved(Z, _logs(self.said), self.y, m, Z_train, _logs(self.said_train), self.penalty)
        own = np.exp(log_softmax(_logs(self.said) + Z @ delta, axis=1))
        told = np.exp(log_softmax(_logs(self.said_train) + Z_train @ delta, axis=1))
        root = np.sqrt(m)[:, None]
        hessian = softmax_hessian(told, Z_train) + softmax_hessian(own, root * Z)
        g = ((own - self.y)[:, :, None] * Z[:, None, :]).reshape(len(Z), -1)
        return bilevel.influence(g, ridged(hessian, self.penalty), self.judges)

    def _of_numbers(self, m: np.ndarray) -> np.ndarray:
        weighted = m[:, None] * self.Z
        hessian = ridged(self.Z_train.T @ self.Z_train + weighted.T @ self.Z, self.penalty)
        delta = cho_solve(cho_factor(hessian, lower=True), weighted.T @ (self.y - self.said))
        error = self.said + self.Z @ delta - self.y
        return bilevel.influence(error[:, :, None] * self.Z[:, None, :], hessian, self.judges)


def _moved(
    Z: np.ndarray,
    logits: np.ndarray,
    y: np.ndarray,
    m: np.ndarray,
    Z_train: np.ndarray,
    told: np.ndarray,
    penalty: float,
) -> np.ndarray:
    """How far (q, k) a softmax layer moves when rows of weight m (c,) join its training; Newton's steps within a trust
    region (Nocedal and Wright 2006, ch. 7)."""
    features, before = np.vstack([Z_train, Z]), np.vstack([told, logits])
    target, weight = np.vstack([np.exp(told), y]), np.concatenate([np.ones(len(told)), m])[:, None]
    shape = (Z.shape[1], y.shape[1])

    def said(delta: np.ndarray) -> np.ndarray:
        return log_softmax(before + features @ delta.reshape(shape), axis=1)

    def state(delta: np.ndarray) -> tuple[float, np.ndarray]:
        logs = said(delta)
        slope = features.T @ (weight * (np.exp(logs) - target)) + penalty * delta.reshape(shape)
        return float(0.5 * penalty * delta @ delta - (weight * target * logs).sum()), slope.ravel()

    def bend(delta: np.ndarray, along: np.ndarray) -> np.ndarray:
        p, change = np.exp(said(delta)), features @ along.reshape(shape)
        change = p * (change - (p * change).sum(1, keepdims=True))
        return (features.T @ (weight * change)).ravel() + penalty * along

    start = np.zeros(shape[0] * shape[1])
    found = minimize(state, start, jac=True, hessp=bend, method="trust-ncg", options={"gtol": _SETTLED})
    return found.x.reshape(shape)


def _logs(p: np.ndarray) -> np.ndarray:
    """Logarithms (n, k) of probabilities, normalised; classes of probability 0 get a little."""
    return log_softmax(np.log(np.maximum(p, _LEAST)), axis=1)
