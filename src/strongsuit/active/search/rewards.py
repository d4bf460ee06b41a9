"""What a labelled row was worth: one number per row that a model of other rows has not seen.

The loss of a row, as published for AutoAL, says that it was hard; mislabelled rows are. Its influence says how much
the loss of other rows falls when the model takes it in: to first order v_j = mean_i g_i' H^-1 g_j, with gradients g of
the rows' losses and the Hessian H of the penalised training loss (`core.bilevel.influence`). For a ridge regression the
fall is known exactly.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from strongsuit.core import bilevel

MOST = 2_000  # weights of the last layer: of wider ones, the directions in which features are largest
CLIP = 3.0


def losses(said: np.ndarray, y: np.ndarray, *, classes: bool) -> np.ndarray:
    """The loss (n,) of predictions (n, k): cross entropy of probabilities, or the mean squared error."""
    if classes:
        return -(y * np.log(np.maximum(said, 1e-6))).sum(1)
    return ((said - y) ** 2).mean(1)


def influence(
    said: np.ndarray,
    y: np.ndarray,
    Z: np.ndarray,
    said_train: np.ndarray | None,
    Z_train: np.ndarray,
    *,
    penalty: float = 1.0,
    judges: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    weights_train: np.ndarray | None = None,
) -> np.ndarray:
    """How fast (n,) the mean loss of the other rows falls as each row j enters the training of the last layer.

    `said` (n, k) predictions of rows with targets y (n, k) and features Z (n, q), the last column 1; the layer was
    trained on features Z_train (t, q), where it said said_train (t, k) if it is a softmax, None if it is linear.
    `judges` (n,): how much each row's loss counts, all alike by default. `weights` (n,) and `weights_train` (t,) of the
    rows' losses, where the training of a softmax weighed them. Predictions and targets of a linear layer may be in any
    units, the same for both: its Hessian has none of them, so a change of units is a factor of all influences.
    """
    if said_train is not None:
        Z, Z_train = leading(Z, Z_train, MOST // y.shape[1])
    errors = said - y if weights is None else (said - y) * weights[:, None]
    g = errors[:, :, None] * Z[:, None, :]
    counted = np.ones(len(Z)) if judges is None else judges
    if said_train is None:  # a squared error has the same Hessian for every output
        return bilevel.influence(g, ridged(Z_train.T @ Z_train, penalty), counted)
    hessian = softmax_hessian(said_train, Z_train, weights_train)
    return bilevel.influence(g.reshape(len(Z), -1), ridged(hessian, penalty), counted)


def refitted(
    said: np.ndarray,
    y: np.ndarray,
    Z: np.ndarray,
    Z_train: np.ndarray,
    *,
    penalty: float = 1.0,
    judges: np.ndarray | None = None,
) -> np.ndarray:
    """By how much (n,) the mean squared error of the other rows falls when a ridge regression takes in row j: exactly.

    v_j = mean_{i != j} e_i^2 - (e_i - c_ij e_j / (1 + c_jj))^2 with e = y - said, c_ij = z_i' A^-1 z_j and
    A = Z_train' Z_train + penalty I (Sherman and Morrison, 1950), summed over outputs; arguments as of `influence`.
    """
    error, counted = y - said, np.ones(len(Z)) if judges is None else np.asarray(judges, float)
    c = Z @ cho_solve(cho_factor(ridged(Z_train.T @ Z_train, penalty), lower=True), Z.T)
    step = c / (1.0 + np.diag(c))
    falls = 2.0 * step * (error @ error.T) - step**2 * (error**2).sum(1)
    np.fill_diagonal(falls, 0.0)
    others = counted.sum() - counted
    return counted @ falls / np.where(others > 0.0, others, 1.0)


def leading(Z: np.ndarray, Z_train: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Both features in the `width` directions in which they are largest together, if they are wider."""
    if Z.shape[1] <= width:
        return Z, Z_train
    basis = np.linalg.svd(np.vstack([Z_train, Z]), full_matrices=False)[2][: max(1, width)].T
    return Z @ basis, Z_train @ basis


def standardised(reward: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
    """A fold's rewards (n,) of mean 0 and deviation 1, or on the scale that does this to those `like` (n,), cut at
    CLIP; zero where these are all alike."""
    like = reward if like is None else like
    spread = like.std()
    if not spread > 0.0:
        return np.zeros_like(reward)
    return np.clip((reward - like.mean()) / spread, -CLIP, CLIP)


def ridged(hessian: np.ndarray, penalty: float) -> np.ndarray:
    """The Hessian (p, p) with the penalty's added."""
    return hessian + penalty * np.eye(len(hessian))


def softmax_hessian(said: np.ndarray, Z: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The Hessian (k q, k q) of the summed cross entropy of a softmax layer that says `said` (n, k) at features Z
    (n, q): the sum over rows, weighted by `weights` (n,), of (diag p - pp') (x) zz'."""
    (n, k), q = said.shape, Z.shape[1]
    counted = np.ones(n) if weights is None else weights
    both = ((np.sqrt(counted)[:, None] * said)[:, :, None] * Z[:, None, :]).reshape(n, k * q)
    found = -(both.T @ both)
    blocks = found.reshape(k, q, k, q)
    for c in range(k):
        blocks[c, :, c, :] += (Z * (counted * said[:, c])[:, None]).T @ Z
    return found
