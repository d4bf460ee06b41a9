"""Scores and embeddings of classification: (Evidence) -> (n,) and (key, Evidence) -> (n, p)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.special import expit

from strongsuit.active import class_scores
from strongsuit.active.evidence import Evidence
from strongsuit.core import flips
from strongsuit.core.keys import Key

LEADING = 50  # directions in which farthest-first looks at wider features
_NEVER = -1e300
_LEAST = 1e-300  # a probability whose logarithm is taken
CRITIC = 10.0  # weight of WAAL's critic against its doubt, as in the authors' public code
OPEN_SHARE = 0.1  # the answer of a graph network near which rows are asked for (Caramalau et al. 2021, public code)


def least_confidence(evidence: Evidence) -> np.ndarray:
    """1 minus the largest probability (n,)."""
    return class_scores.least_confidence(evidence.proba)


def margin(evidence: Evidence) -> np.ndarray:
    """Minus the difference (n,) of the two largest probabilities."""
    return class_scores.margin(evidence.proba)


def doubt(evidence: Evidence) -> np.ndarray:
    """1 minus that difference (n,), between 0 and 1."""
    return 1.0 + class_scores.margin(evidence.proba)


def calibrated_doubt(evidence: Evidence) -> np.ndarray:
    """The same of probabilities cooled by the temperature that suits labels the models had not seen (Guo et al., 2017);
    0 for rows whose label is known."""
    p = np.maximum(evidence.proba, _LEAST) ** (1.0 / evidence.temperature)
    return np.where(evidence.labelled, 0.0, 1.0 + class_scores.margin(p / p.sum(1, keepdims=True)))


def entropy(evidence: Evidence) -> np.ndarray:
    """The entropy (n,) of the probabilities."""
    return class_scores.entropy(evidence.proba)


def var_ratio(evidence: Evidence) -> np.ndarray:
    """The share (n,) of models that do not vote for the class with most votes, ties by entropy."""
    return class_scores.var_ratio(evidence.votes, evidence.proba)


def mean_std(evidence: Evidence) -> np.ndarray:
    """The standard deviation (n,) over models, averaged over classes."""
    return class_scores.mean_std(evidence.votes)


def bald(evidence: Evidence) -> np.ndarray:
    """What the label would tell about the models (n,)."""
    return class_scores.bald(evidence.votes)


def flip_share(evidence: Evidence) -> np.ndarray:
    """Minus the share (n,) of the way to the farthest class anchor after which the predicted class flips (ALFA-Mix)."""
    (W, c, seen), Z = evidence.head, features(None, evidence)
    anchors = flips.class_anchors(Z, evidence.classes)
    return -flips.flip_share(W, c, Z, anchors, seen=seen)


def flip_margin(evidence: Evidence) -> np.ndarray:
    """The same (n,), finite: rows that no step flips come last."""
    return np.maximum(flip_share(evidence), _NEVER)


def nearest_plane(evidence: Evidence) -> np.ndarray:
    """Minus the distance (n,) to the nearest plane on which the predicted class changes (DeepFool)."""
    W, c, seen = evidence.head
    return np.maximum(-flips.nearest_plane(W, c, features(None, evidence), seen=seen), _NEVER)


def signed_steps(evidence: Evidence) -> np.ndarray:
    """Minus the squared length (n,) of the least signed-gradient steps that flip the predicted class (BIM)."""
    from strongsuit.core.flips_traced import bim

    W, c, seen = evidence.head
    distance, flipped = bim(_logits, (W, c), features(None, evidence), seen=seen)
    far = 2.0 * (np.max(distance, initial=0.0) + 1.0)  # rows that no step flips come after those that one does
    return -(np.where(flipped, distance, far + distance) ** 2)


def dropped_votes(evidence: Evidence) -> np.ndarray:
    """How many (n,) of the passes with thinned features predict another class (DropQuery)."""
    return evidence.dropped_votes


def error_drop(evidence: Evidence) -> np.ndarray:
    """By how much (n,) the label should lower the error, as learned on made problems (LAL)."""
    return evidence.error_drop


def predicted_loss(evidence: Evidence) -> np.ndarray:
    """The losses (n,) that a network predicts of itself."""
    return evidence.loss_hat


def unlike_labelled(evidence: Evidence) -> np.ndarray:
    """1 minus the probability (n,) that a discriminator gives to the row being a labelled one (VAAL)."""
    return expit(evidence.unlike)


def far_and_unsure(evidence: Evidence) -> np.ndarray:
    """Half the length of log p and half the sum of -log p, both negated, plus CRITIC times the critic (n,) (WAAL).

    Both sums are least where p is uniform over the classes that are possible at all.
    """
    p, critic = evidence.critic[:, :-1], evidence.critic[:, -1]
    f = np.log(np.maximum(p[:, p.max(axis=0, initial=0.0) > 0.0], _LEAST))
    return 0.5 * f.sum(axis=1) - 0.5 * np.sqrt((f**2).sum(axis=1)) + CRITIC * critic


def open_in_graph(evidence: Evidence) -> np.ndarray:
    """Minus the distance (n,) of what a graph network says from OPEN_SHARE: rows that look most surely open."""
    return -np.abs(evidence.graph[:, -1] - OPEN_SHARE)


def after_pseudo_labels(evidence: Evidence, *, base: Callable[[Evidence], np.ndarray] = entropy) -> np.ndarray:
    """The score `base` (n,) of models that have learned pseudo-labels too (CEAL)."""
    return base(replace(evidence, proba=evidence.taught))


def graph_features(key: Key | None, evidence: Evidence) -> np.ndarray:
    """Hidden features (n, h) of a graph network."""
    return evidence.graph[:, :-1]


def features(key: Key | None, evidence: Evidence) -> np.ndarray:
    """The features (n, h) on which the last layer stands."""
    return evidence.last[:, :-1]


def unit_features(key: Key | None, evidence: Evidence) -> np.ndarray:
    """The same (n, h), each row of length 1."""
    return _unit(features(key, evidence))


def leading_features(key: Key | None, evidence: Evidence) -> np.ndarray:
    """The same (n, <= 50) in the directions of largest variance."""
    Z = features(key, evidence)
    if Z.shape[1] <= LEADING:
        return Z
    centred = Z - Z.mean(0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(centred @ vectors[:, ::-1][:, :LEADING])


def unit_inputs(key: Key | None, evidence: Evidence) -> np.ndarray:
    """Standardised inputs (n, d), float32, each row of length 1: features that know no labels."""
    return _unit(evidence.x_std.astype(np.float32))


def probabilities(key: Key | None, evidence: Evidence) -> np.ndarray:
    """Class probabilities (n, k)."""
    return evidence.proba


def votes(key: Key | None, evidence: Evidence) -> np.ndarray:
    """The models' probabilities (n, t k), model by model."""
    return np.swapaxes(evidence.votes, 0, 1).reshape(len(evidence.x), -1)


def votes_blocks(evidence: Evidence) -> tuple[int, int]:
    """The number of models and of classes."""
    return evidence.votes.shape[0], evidence.votes.shape[2]


def errors_features(key: Key | None, evidence: Evidence) -> np.ndarray:
    """Probabilities less the predicted class's indicator, beside the features and 1 (n, k + h + 1)."""
    errors = evidence.proba.copy()
    errors[np.arange(len(errors)), errors.argmax(1)] -= 1.0
    return np.hstack([errors, evidence.last]).astype(evidence.last.dtype, copy=False)


def probabilities_features(key: Key | None, evidence: Evidence) -> np.ndarray:
    """Probabilities beside the features and 1 (n, k + h + 1)."""
    return np.hstack([evidence.proba, evidence.last])


def class_blocks(evidence: Evidence) -> tuple[int, int]:
    """The number of classes, and of features with the 1."""
    return evidence.proba.shape[1], evidence.last.shape[1]


def doubtful_features(key: Key | None, evidence: Evidence) -> np.ndarray:
    """Features and 1 (n, h + 1) times sqrt(p (1 - p)), p the largest probability."""
    top = evidence.proba.max(1)
    return evidence.last * np.sqrt(np.maximum(top * (1.0 - top), 0.0))[:, None]


def class_margins(key: Key | None, evidence: Evidence) -> np.ndarray:
    """For every class (n, k) its logit less the largest of the others."""
    f = np.log(np.maximum(evidence.proba, _LEAST))
    if f.shape[1] < 2:
        return f
    order = np.sort(f, axis=1)
    return f - np.where(f == order[:, -1:], order[:, -2:-1], order[:, -1:])


def _unit(Z: np.ndarray) -> np.ndarray:
    size = np.sqrt(np.einsum("ij,ij->i", Z, Z, dtype=np.float64))[:, None]  # without a table of squares
    return Z / np.where(size > 0.0, size, 1.0).astype(Z.dtype)


def _logits(head: tuple[np.ndarray, np.ndarray], z: np.ndarray) -> np.ndarray:
    W, c = head
    return W @ z + c
