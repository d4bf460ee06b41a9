"""Mixtures of experts by expectation and maximisation, soft or hard, with or without a gate in the loop.

p(y|x) = sum_k softmax(V z)_k N(y; M_k(x), s_k^2): Jacobs, Jordan, Nowlan and Hinton (1991), the EM
algorithm of Jordan and Jacobs (1994). Hard shares make it the classification EM of Celeux and Govaert
(1992); without inputs in the gate it is the mixture of regressions of Spaeth (1979) and DeSarbo and
Cron (1988).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import Prediction, can_refine, fit_many, predict_many, refine_many
from strongsuit.partition.experts import WIDER
from strongsuit.partition.gate import fit_gate, gate_basis, log_softmax
from strongsuit.partition.values import Rows

VARIANCE_FLOOR = 1e-6  # of a standardised target: a model that owns few rows must not claim perfection
LEAST_WEIGHT = 5.0  # rows' worth of shares below which a model leaves the mixture
SHARE_FLOOR = 1e-6  # smaller shares count as none
PASSES = 40
TOLERANCE = 1e-4  # gain in mean log-likelihood below which nothing more happens


@dataclass(frozen=True)
class Constant:
    """The gate basis that does not look at the inputs: prior shares only."""

    def __call__(self, Z: np.ndarray) -> np.ndarray:
        return np.ones((len(Z), 1))


@dataclass(frozen=True)
class Mixture:
    """Models (k of `base`), gate weights (p, k) on a basis, noise variances (k, q), and the range (2, q) of
    targets seen, beyond which a model's mean is cut."""

    base: Any
    models: Any
    basis: Callable[[np.ndarray], np.ndarray]
    gate: np.ndarray
    variance: np.ndarray
    range: np.ndarray

    @property
    def count(self) -> int:
        """Number of models."""
        return self.gate.shape[1]

    def means(self, Z: np.ndarray) -> np.ndarray:
        """Means (k, n, q) of all models."""
        return np.clip(np.asarray(predict_many(self.base, self.models, Z).mean, float), *self.range)

    def log_prior(self, Z: np.ndarray) -> np.ndarray:
        """Log probabilities (n, k) that the gate gives the models."""
        return log_softmax(self.basis(Z) @ self.gate)

    def log_joint(self, Z: np.ndarray, Y: np.ndarray) -> np.ndarray:
        """log p_k(x) N(y; M_k(x), s_k^2), (n, k)."""
        residual = (Y[None] - self.means(Z)) ** 2 / self.variance[:, None]
        normal = -0.5 * (residual + np.log(2 * np.pi * self.variance)[:, None]).sum(2)
        return self.log_prior(Z) + normal.T

    def predict(self, Z: np.ndarray) -> Prediction:
        """Mean and variance (n, q) of the mixture."""
        p, means = np.exp(self.log_prior(Z)).T[:, :, None], self.means(Z)
        mean = (p * means).sum(0)
        return Prediction(mean, (p * (self.variance[:, None] + (means - mean) ** 2)).sum(0))


def fit_mixture(
    key: Key, base: Any, rows: Rows, owners: np.ndarray, *, gate: str, hard: bool = False, passes: int = PASSES
) -> tuple[Mixture, list[float]]:
    """The mixture that starts from owners (n,), and its objective after every pass.

    The objective is the mean log-likelihood; with hard shares that of each row's best model.
    """
    basis = Constant() if gate == "constant" else gate_basis(key_for(key, "basis"), rows.X.shape[1], gate)
    P, shares = basis(rows.X), np.eye(owners.max() + 1)[owners]
    mixture, levels = None, []
    for step in range(passes):
        shares, lost = _living(shares, rows.w)
        mixture = _maximise(key_for(key, "pass", step), base, rows, basis, P, shares, None if lost else mixture)
        joint = mixture.log_joint(rows.X, rows.Y)
        levels.append(float(rows.w @ (joint.max(1) if hard else logsumexp(joint, axis=1)) / rows.w.sum()))
        shares = _shares(joint, hard)
        if mixture.count == 1 or (len(levels) > 1 and levels[-1] - levels[-2] < TOLERANCE):
            break
    return mixture, levels


def owners_of(mixture: Mixture, rows: Rows) -> np.ndarray:
    """The model (n,) of largest posterior probability for every row; uses the targets."""
    return mixture.log_joint(rows.X, rows.Y).argmax(1)


def _maximise(key: Key, base: Any, rows: Rows, basis, P, shares: np.ndarray, before: Mixture | None) -> Mixture:
    """Models, variances and gate that fit the shares (n, k); cheap passes go on from the mixture before."""
    W = (shares * rows.w[:, None]).T
    keys = [key_for(key, "model", k) for k in range(len(W))]
    if before is not None and can_refine(base):
        models = refine_many(base, keys, before.models, rows.X, rows.Y, W)
    else:
        models = fit_many(base, keys, rows.X, rows.Y, W)
    start = before.gate if before is not None else np.zeros((P.shape[1], len(W)))
    gate = fit_gate(P, shares, rows.w, start)
    low, high = rows.Y.min(0), rows.Y.max(0)
    room = WIDER * (high - low)
    mixture = Mixture(
        base, models, basis, gate, np.ones((len(W), rows.Y.shape[1])), np.stack([low - room, high + room])
    )
    errors = (rows.Y[None] - mixture.means(rows.X)) ** 2
    variance = np.einsum("kn,knq->kq", W, errors) / W.sum(1)[:, None]
    return Mixture(base, models, basis, gate, np.maximum(variance, VARIANCE_FLOOR), mixture.range)


def _shares(joint: np.ndarray, hard: bool) -> np.ndarray:
    if hard:
        return np.eye(joint.shape[1])[joint.argmax(1)]
    shares = np.exp(log_softmax(joint))
    shares[shares < SHARE_FLOOR] = 0.0
    return shares / shares.sum(1, keepdims=True)


def _living(shares: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, bool]:
    """Shares without the models that own next to nothing, and whether there were any."""
    weight = w @ shares
    keep = weight >= LEAST_WEIGHT
    keep[weight.argmax()] = True
    if keep.all():
        return shares, False
    left = shares[:, keep]
    total = left.sum(1, keepdims=True)
    # Rows of a model that left go to the others in proportion to the others' weight.
    return np.where(total > 0, left / np.where(total > 0, total, 1.0), weight[keep] / weight[keep].sum()), True
