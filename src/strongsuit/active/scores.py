"""Evidence -> a score (n,) for every pool row; the largest is chosen first."""

from __future__ import annotations

import numpy as np

from strongsuit.active.evidence import Evidence
from strongsuit.core.arrays import chunks

CHUNK = 4096  # rows whose influence on the references is held at once


def committee_variance(evidence: Evidence) -> np.ndarray:
    """Variance (n,) of the members' answers, over members and averaged over outputs (Seung et al., 1992)."""
    return evidence.var


def committee_spread(evidence: Evidence) -> np.ndarray:
    """Standard deviation (n,) of the members' answers: the root of `committee_variance`."""
    return np.sqrt(np.maximum(evidence.var, 0.0))


def true_loss(evidence: Evidence) -> np.ndarray:
    """Squared error (n,) of the committee's mean: known in a benchmark only."""
    return ((evidence.mean - evidence.y_true) ** 2).mean(1)


def dropout_variance(evidence: Evidence) -> np.ndarray:
    """Variance (n,) over thinned copies of a dropout network, averaged over outputs (Gal, Islam and Ghahramani 2017; in
    regression BALD grows with the variance)."""
    return evidence.dropout_var


def learning_loss(evidence: Evidence) -> np.ndarray:
    """Loss (n,) that a network predicts of itself; its order is learned, its size is not (Yoo and Kweon, 2019)."""
    return evidence.loss_hat


def expected_change(evidence: Evidence) -> np.ndarray:
    """How much (n,) the outputs of reference rows would move: member disagreement times the mean absolute gradient
    kernel between the row and the references (after Kaeding et al., 2018)."""
    disagreement = np.abs(evidence.members - evidence.members.mean(0)).mean((0, 2))
    reference = evidence.grad[evidence.reference]
    influence = np.concatenate(
        [np.abs(evidence.grad[rows] @ reference.T).mean(1) for rows in chunks(len(evidence.grad), CHUNK)]
    )
    return disagreement * influence


def posterior_variance(evidence: Evidence) -> np.ndarray:
    """Variance (n,) of the linear model on the gradient features given the labelled rows (`MaxDiag`)."""
    from strongsuit.active.embeddings import grad_posterior

    return (grad_posterior(None, evidence) ** 2).sum(1)
