"""What a labelled row was worth: one number per row that a model of other rows has not seen.

The loss of a row, as published for AutoAL, says that it was hard; mislabelled rows are. Its influence says how much
the loss of other rows falls when the model takes it in (after Koh and Liang, 2017): to first order
v_j = mean_i g_i' H^-1 g_j, with gradients g of the rows' losses and the Hessian H of the penalised training loss.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

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
    `judges` (n,) bool: rows whose loss counts, all by default. `weights` (n,) and `weights_train` (t,) of the rows'
    losses, where the training of a softmax weighed them. Targets that a linear layer knows in other units than the
    model must come in these.
    """
    if said_train is not None:
        Z, Z_train = _leading(Z, Z_train, MOST // y.shape[1])
    errors = said - y if weights is None else (said - y) * weights[:, None]
    counted = np.ones(len(Z), bool) if judges is None else judges
    own = errors[:, :, None] * Z[:, None, :]
    flat = own.reshape(len(Z), -1)
    total = flat[counted].sum(0)
    solved = _linear(total, flat, Z_train, penalty) if said_train is None else _softmax(
        total, flat, said_train, Z_train, penalty, weights_train
    )  # fmt: skip
    towards_all, towards_own = solved
    others = counted.sum() - counted
    return (towards_all - np.where(counted, towards_own, 0.0)) / np.maximum(others, 1)


def _leading(Z: np.ndarray, Z_train: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Both features in the `width` directions in which they are largest together, if they are wider."""
    if Z.shape[1] <= width:
        return Z, Z_train
    basis = np.linalg.svd(np.vstack([Z_train, Z]), full_matrices=False)[2][: max(1, width)].T
    return Z @ basis, Z_train @ basis


def standardised(reward: np.ndarray) -> np.ndarray:
    """A fold's rewards (n,) of mean 0 and deviation 1, cut at CLIP; zero where they are all alike."""
    spread = reward.std()
    if not spread > 0.0:
        return np.zeros_like(reward)
    return np.clip((reward - reward.mean()) / spread, -CLIP, CLIP)


def _linear(total: np.ndarray, flat: np.ndarray, Z: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """total' H^-1 g_j and g_j' H^-1 g_j (n,) for squared errors: H = Z'Z + penalty I for every output apart."""
    q = Z.shape[1]
    factor = cho_factor(Z.T @ Z + penalty * np.eye(q), lower=True)
    rows = flat.reshape(-1, q)
    solved = cho_solve(factor, rows.T).T.reshape(flat.shape)
    return solved @ total, (solved * flat).sum(1)


def _softmax(
    total: np.ndarray, flat: np.ndarray, said: np.ndarray, Z: np.ndarray, penalty: float, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The same for cross entropy: H = weighted sum over training rows of (diag p - pp') (x) zz', plus penalty I."""
    factor = cho_factor(_hessian(said, Z, weights) + penalty * np.eye(flat.shape[1]), lower=True, overwrite_a=True)
    solved = cho_solve(factor, flat.T).T
    return solved @ total, (solved * flat).sum(1)


def _hessian(said: np.ndarray, Z: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    k, q = said.shape[1], Z.shape[1]
    found = np.empty((k, q, k, q))
    for c in range(k):
        for e in range(c, k):
            weight = said[:, c] * ((c == e) - said[:, e]) * (1.0 if weights is None else weights)
            found[c, :, e, :] = (Z * weight[:, None]).T @ Z
            found[e, :, c, :] = found[c, :, e, :].T
    return found.reshape(k * q, k * q)
