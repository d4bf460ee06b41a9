"""(key, Evidence) -> an embedding (n, p) of every pool row, in which selectors measure distance."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from strongsuit.active.evidence import Evidence
from strongsuit.core.keys import Key, key_for

POSTERIOR_NOISE = 1e-6  # share of the mean prior variance of the labelled rows; float64 throughout
LEAST_WEIGHT = 0.01  # of a column in the weighted inputs
NEIGHBOURS = 10  # the density of a row is that of its so many nearest


def inputs(key: Key | None, evidence: Evidence) -> np.ndarray:
    """The inputs (n, d) in [-1, 1]."""
    return evidence.x


def inputs_weighted(key: Key | None, evidence: Evidence) -> np.ndarray:
    """Standardised inputs (n, d), each times the root mean square of its ridge coefficients (after arXiv
    2604.02019): columns that do not matter count little."""
    weight = np.sqrt((evidence.ridge**2).mean(1))
    top = weight.max() if len(weight) and weight.max() > 0 else 1.0
    return evidence.x_std * np.maximum(weight / top, LEAST_WEIGHT)


def outputs(key: Key | None, evidence: Evidence) -> np.ndarray:
    """Known labels, the committee's mean elsewhere (n, k)."""
    return np.where(evidence.labelled[:, None], evidence.y, evidence.mean)


def inputs_outputs(key: Key | None, evidence: Evidence) -> np.ndarray:
    """Inputs beside outputs (n, d + k): two blocks for the product selector."""
    return np.hstack([evidence.x, outputs(key, evidence)])


def last(key: Key | None, evidence: Evidence) -> np.ndarray:
    """Hidden units (n, h + 1) of the first member, with a 1 appended."""
    return evidence.last


def grad(key: Key | None, evidence: Evidence) -> np.ndarray:
    """Sketched gradients (n, p) of the committee."""
    return evidence.grad


def grad_posterior(key: Key | None, evidence: Evidence) -> np.ndarray:
    """Gradient features (n, p) whose inner products are the posterior covariance given the labelled rows."""
    return posterior(evidence.grad, evidence.labelled)


def gp(key: Key | None, evidence: Evidence) -> np.ndarray:
    """Features (n, r) whose inner products are the prior kernel of a Gaussian process fitted to the labels."""
    return evidence.gp


def gp_posterior(key: Key | None, evidence: Evidence) -> np.ndarray:
    """The same (n, r) given labels of the rows that count, pending ones too, with the noise that the process found in
    its labels: inner products are its posterior covariance, over the mean prior variance of these rows."""
    return posterior(evidence.gp, evidence.anchors, noise=gp_noise(evidence))


def gp_noise(evidence: Evidence) -> float:
    """The variance of a label's noise in the units of `gp_posterior`, at least POSTERIOR_NOISE."""
    return max(POSTERIOR_NOISE, evidence.gp_noise / _size(evidence.gp, evidence.anchors))


def acs_features(key: Key, evidence: Evidence, *, width: int = 512) -> np.ndarray:
    """Random features (n, width) of the expected log-likelihood gain (Pinsler et al., 2019): for draws t from the
    posterior, (log(1 + q / s) / 2 - ((f t)^2 + q) / (2 s)) / sqrt(width), q the posterior variance, s the noise."""
    features, noise = _scaled(evidence.grad, evidence.labelled), POSTERIOR_NOISE
    whitened = posterior(evidence.grad, evidence.labelled)
    q = (whitened**2).sum(1)[:, None]
    draws = key_for(key, "acs").numpy().normal(size=(features.shape[1], width))
    values = whitened @ draws
    return (0.5 * np.log1p(q / noise) - (values**2 + q) / (2 * noise)) / width**0.5


def posterior(features: np.ndarray, labelled: np.ndarray, *, noise: float = POSTERIOR_NOISE) -> np.ndarray:
    """Features s C f (n, p) with C'C = (F'F + s^2 I)^-1 over the labelled rows F, s^2 = `noise`: their inner
    products are the kernel conditioned on the labelled rows. Features are first scaled so that labelled rows have
    mean square norm one. Raises LinAlgError if no jitter makes the matrix positive definite."""
    features = _scaled(features, labelled)
    known = features[labelled]
    gram = known.T @ known
    gram[np.diag_indices_from(gram)] += noise
    jitter = 0.0
    for _ in range(16):
        try:
            factor = cholesky(gram + jitter * np.eye(len(gram)), lower=True)
            break
        except np.linalg.LinAlgError:
            jitter = 2 * jitter or 1e-5 * np.trace(gram) / len(gram)
    else:
        raise np.linalg.LinAlgError("the posterior of the features is not positive definite")
    return np.sqrt(noise) * solve_triangular(factor, features.T, lower=True).T


def _scaled(features: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    return np.asarray(features, float) / np.sqrt(_size(features, labelled))


def _size(features: np.ndarray, labelled: np.ndarray) -> float:
    """Mean square norm of the labelled rows; 1 if there are none, or if it is zero."""
    size = float((np.asarray(features[labelled], float) ** 2).sum(1).mean()) if labelled.any() else 0.0
    return size if size > 0 else 1.0
