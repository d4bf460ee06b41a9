"""Multinomial logistic regression, solved to rounding in double precision: the linear head of classification.

The solver is a truncated Newton method of our own, since its fits are part of every round: it ends at the optimum,
where scikit-learn's default tolerance stops early, and takes soft labels as they are, where scikit-learn needs a row
for every class of a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from strongsuit.core.arrays import pytree
from strongsuit.core.classes import class_weights, smoothed, weighed
from strongsuit.core.keys import Key
from strongsuit.core.learner import Prediction
from strongsuit.errors import InputError
from strongsuit.learners.heads import Head, check_labelling, probabilities

TOLERANCE = 1e-6  # distance of the weights to the optimum: that, not the gradient's size, is what a user can read
NEWTON_STEPS = 100  # about ten are taken; where a soft label of 1e-12 asks for more, the last point stands
CG_STEPS = 200
LEAST_STEP = 1e-8  # a line search that arrives here cannot improve on rounding errors
CONSTANT = 1e-9  # a column whose spread is below this share of its size is constant up to rounding


@pytree
@dataclass(frozen=True)
class SoftmaxParams:
    """Weights W (k, d) and intercepts c (k,) on standardised inputs, mean and scale (d,) of these, classes seen (k,).

    Constant columns have scale 0, unseen classes weight and intercept 0.
    """

    W: Any
    c: Any
    mean: Any
    scale: Any
    seen: Any


@dataclass(frozen=True)
class Softmax:
    """Multinomial logistic regression with an L2 penalty; the intercept is free.

    Minimises sum_i w_i CE(q_i, p_i) + |W|^2 / (2 C), as scikit-learn's `LogisticRegression` does: with two classes seen
    it penalises the difference of their weights, which doubles the penalty. y (n, k) holds probabilities: indicator
    rows, or soft ones where annotators disagree; a soft row equals rows of its classes with its weight shared out.
    The weights lie within TOLERANCE of the optimum. The key is not used.

    A class without a row has probability exactly 0; with one class seen p is one-hot; without any row, uniform.

    standardise: inputs are centred and scaled by the training rows, and columns that are constant there are ignored.
    Without it they are taken as they come: inputs scaled over the whole pool, or frozen features. smoothing: the share
    of every label that is spread evenly over the classes seen, against wrong labels. class_weight: "balanced" weighs
    rows so that all classes seen count alike.
    """

    C: float = 1.0
    standardise: bool = True
    smoothing: float = 0.0
    class_weight: str | None = None

    traceable: ClassVar[bool] = False
    classifies: ClassVar[bool] = True
    own_units: ClassVar[bool] = True  # probabilities, which no centre and no scale may change
    deterministic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.C > 0:
            raise InputError(f"C must be positive, got {self.C}: the smaller, the stronger the penalty")
        check_labelling(self.smoothing, self.class_weight)

    def fit(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> SoftmaxParams:
        """The optimum for the rows of X (n, d), y (n, k) with weight w (n,) above zero."""
        return self._fit(None, X, y, w)

    def resume(self, key: Key, params: SoftmaxParams, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> SoftmaxParams:
        """What `fit` returns up to TOLERANCE, sooner where `params` lie near it."""
        return self._fit(params, X, y, w)

    def predict(self, params: SoftmaxParams, X: np.ndarray) -> Prediction:
        """Probabilities (n, k); no variance."""
        W, c, seen = self.head(params)
        return Prediction(probabilities(self.embed(params, X) @ W.T + c, seen))

    def embed(self, params: SoftmaxParams, X: np.ndarray) -> np.ndarray:
        """Standardised inputs (n, d), zero in the columns that were constant in training."""
        return (np.asarray(X, dtype=float) - params.mean) * _inverse(params.scale)

    def head(self, params: SoftmaxParams) -> Head:
        """(W (k, d), c (k,), seen (k,) bool): logits are embed @ W.T + c, those of classes not seen stand for
        minus infinity."""
        return params.W, params.c, params.seen

    def auxiliary(self, name: str) -> Any:
        """The learner to train beside this one: those of an `MLPClassifier` with defaults, but that "gcn" is told that
        features, here the scaled inputs, may be negative."""
        from strongsuit.learners.beside_classes import offered  # a learner on the host loads JAX only where it must
        from strongsuit.learners.loss_classifier import LossClassifier

        loss = LossClassifier()
        return offered(name, loss, loss.widths, signed=True)

    def _fit(self, start: SoftmaxParams | None, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> SoftmaxParams:
        kept = np.asarray(w) > 0
        X, y, w = (np.asarray(array, dtype=float)[kept] for array in (X, y, w))
        (n, d), k = X.shape, y.shape[1]
        mean, scale = _standard(X, w) if self.standardise and n else (np.zeros(d), np.ones(d))
        seen, W, c = (y > 0).any(axis=0), np.zeros((k, d)), np.zeros(k)
        if seen.sum() > 1:
            if start is not None:
                W, c = _carried(start, mean, scale)
            penalty = (2.0 if seen.sum() == 2 else 1.0) / self.C
            Z = (X - mean) * _inverse(scale)
            q = y[:, seen]
            if self.class_weight is not None:
                q, more = weighed(q, class_weights(q, w))
                w = w * more
            W[seen], c[seen] = _optimum(Z, smoothed(q, self.smoothing), w, penalty, W[seen], c[seen])
            W[~seen], c[~seen] = 0.0, 0.0
        return SoftmaxParams(W, c, mean, scale, seen)


def _standard(X: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted means and standard deviations of the columns; deviation 0 for constant ones."""
    mean = w @ X / w.sum()
    spread = np.sqrt(w @ (X - mean) ** 2 / w.sum())
    return mean, np.where(spread > CONSTANT * np.abs(mean), spread, 0.0)


def _inverse(scale: np.ndarray) -> np.ndarray:
    """1 / scale, and 0 for 0."""
    return np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)


def _carried(old: SoftmaxParams, mean: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (k, d) and intercepts (k,) on inputs standardised anew that say the same as the old ones."""
    slope = old.W * _inverse(old.scale)
    return slope * scale, old.c + slope @ (mean - old.mean)


def _optimum(
    Z: np.ndarray, q: np.ndarray, w: np.ndarray, penalty: float, W: np.ndarray, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (k, d) and intercepts (k,) that minimise the penalised cross-entropy, started from W and c.

    The weights lie in the span of the rows: where these are few, the problem is solved in coordinates of that span.
    """
    n, d = Z.shape
    basis = np.linalg.qr(Z.T)[0] if d >= 2 * n else None
    if basis is not None:
        Z, W = Z @ basis, W @ basis
    theta = _newton(np.hstack([Z, np.ones((n, 1))]), q, w[:, None], penalty, np.vstack([W.T, c]))
    W, c = theta[:-1].T, theta[-1]
    # A common shift of all intercepts changes nothing: the free one is taken out, so that starts leave no trace.
    return W if basis is None else W @ basis.T, c - c.mean()


def _newton(Z: np.ndarray, q: np.ndarray, w: np.ndarray, penalty: float, theta: np.ndarray) -> np.ndarray:
    """theta (d + 1, k) at the minimum; truncated Newton steps with backtracking (Nocedal and Wright 2006, ch. 7).

    The penalty makes the objective strongly convex in the weights: they are within |gradient| / penalty of the optimum.
    """
    ridge = np.full((len(theta), 1), penalty)
    ridge[-1] = 0.0
    value, slope, p = _state(theta, Z, q, w, ridge)
    for _ in range(NEWTON_STEPS):
        size = np.linalg.norm(slope)
        if size <= TOLERANCE * penalty:
            break
        # Few steps of conjugate gradients far from the optimum, superlinear convergence near it.
        move = _direction(Z, p, w * p, ridge, slope, min(0.5, np.sqrt(size / w.sum())) * size)
        gain, step = np.vdot(move, slope), 1.0
        while (found := _state(theta + step * move, Z, q, w, ridge))[0] > value + 1e-4 * step * gain + 1e-12 * value:
            step *= 0.5
            if step < LEAST_STEP:
                return theta
        theta = theta + step * move
        value, slope, p = found
    return theta


def _state(theta: np.ndarray, Z: np.ndarray, q: np.ndarray, w: np.ndarray, ridge: np.ndarray):
    """The objective, its gradient (d + 1, k) and the probabilities (n, k)."""
    logits = Z @ theta
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    value = np.sum(w * (np.log(total) - (q * logits).sum(axis=1, keepdims=True)))
    slope = Z.T @ (w * (p - q)) + ridge * theta
    return value + 0.5 * np.sum(ridge * theta**2), slope, p


def _direction(
    Z: np.ndarray, p: np.ndarray, weight: np.ndarray, ridge: np.ndarray, slope: np.ndarray, enough: float
) -> np.ndarray:
    """-H^-1 slope up to a residual of `enough`, by conjugate gradients on products with the Hessian H."""
    move, residual = np.zeros_like(slope), -slope
    along, square = residual.copy(), np.vdot(residual, residual)
    for _ in range(CG_STEPS):
        change = Z @ along
        change -= np.einsum("ij,ij->i", p, change)[:, None]
        change *= weight
        bent = Z.T @ change + ridge * along
        step = square / np.vdot(along, bent)
        move += step * along
        residual -= step * bent
        before, square = square, np.vdot(residual, residual)
        if square <= enough**2:
            break
        along *= square / before
        along += residual
    return move
