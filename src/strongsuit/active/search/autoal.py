"""AutoAL repaired: weights of strategies learned from what their picks would have been worth on labelled rows."""

from __future__ import annotations

import logging

import numpy as np

from strongsuit.active.evidence import Evidence
from strongsuit.active.search.rewards import influence, losses, standardised
from strongsuit.active.search.votes import ranks
from strongsuit.active.search.weights import Learned, Lesson, blended
from strongsuit.active.selectors.candidates import Selection
from strongsuit.active.strategy import Strategy
from strongsuit.core.classes import class_weights, weighed
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import largest

log = logging.getLogger(__name__)

FEWEST_LABELS, FEWEST_NUMBERS = 30, 20  # labels below which equal weights are used: of classes, of numbers
PICKS = 20  # rows that a batch takes of all folds together, at least: fewer tell strategies apart by luck
SHARES = (0.1, 0.5)  # of a fold, at least and at most
PENALTY = 1.0  # of the last layer, where a learner does not say


def autoal(
    key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int, *, reward: str = "influence"
) -> Selection:
    """The rows of highest weighted mean rank; gain is that mean.

    Every strategy ranks labelled rows by models that did not see them; rows are rewarded by `influence` or by `loss`,
    as published; weights are learned so that a batch of each fold would have been worth most. arXiv 2410.13853.
    """
    found, learned = [], _learned(key, parts, evidence, b, reward)
    found = [ranks(key_for(key, part.name), part, evidence, b) for part in parts]
    score = np.stack([rank for rank, _ in found], axis=1) @ learned.share
    open_rows = np.flatnonzero(evidence.available & ~evidence.anchors)
    index = largest(key_for(key, "ties"), score[open_rows], open_rows, b)
    flags = [learned.reason, *(flag for _, said in found for flag in said.split(","))]
    facts = {
        "weights": dict(zip((part.name for part in parts), learned.share.tolist(), strict=True)),
        "blend": learned.blend, "gains": learned.gains.tolist(), "gradient": learned.gradient,
        "reason": learned.reason,
    }  # fmt: skip
    log.info("strategies by weight: %s", ", ".join(f"{name} {w:.2f}" for name, w in _sorted(facts["weights"])))
    return Selection(index, score[index], ",".join(dict.fromkeys(flag for flag in flags if flag)), facts)


def lesson_of(key: Key, parts: tuple[Strategy, ...], folds: tuple[Evidence, ...], share: float, reward: str) -> Lesson:
    """Ranks and rewards of every fold's rows, in which a batch takes a share of them."""
    counts = [int(fold.available.sum()) for fold in folds]
    F, c, K = len(folds), max(counts), len(parts)
    R, v, real = np.zeros((F, c, K)), np.zeros((F, c)), np.zeros((F, c), bool)
    for f, fold in enumerate(folds):
        own = np.flatnonzero(fold.available)
        real[f, : len(own)] = True
        v[f, : len(own)] = standardised(_reward(fold, own, reward))
        for k, part in enumerate(parts):
            picks = max(2, -(-len(own) // 2))
            R[f, : len(own), k] = ranks(key_for(key, f, part.name), part, fold, picks)[0][own]
    take = np.array([min(max(2, round(share * count)), count - 1) for count in counts])
    return Lesson(R, v, real, take)


def _learned(key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int, reward: str) -> Learned:
    known, folds = int(evidence.labelled.sum()), evidence.folds
    classes = evidence.proba is not None
    if known < (FEWEST_LABELS if classes else FEWEST_NUMBERS) or not folds or not _two_classes(evidence, classes):
        return Learned(np.full(len(parts), 1.0 / len(parts)), 0.0, np.zeros(0), 0.0, "too_few_labels")
    open_rows = max(1, int(evidence.available.sum()))
    share = float(np.clip(max(b / open_rows, PICKS / known), *SHARES))
    return blended(lesson_of(key_for(key, "folds"), parts, folds, share, reward))


def _two_classes(evidence: Evidence, classes: bool) -> bool:
    """Whether two classes have two labels each."""
    if not classes:
        return True
    return (np.bincount(evidence.classes[evidence.labelled]) >= 2).sum() >= 2


def _reward(fold: Evidence, own: np.ndarray, reward: str) -> np.ndarray:
    classes = fold.proba is not None
    said = fold.proba if classes else fold.mean
    if reward == "loss":
        return losses(said[own], fold.y_true[own], classes=classes)
    train = np.flatnonzero(fold.labelled)
    if not classes:
        return influence(said[own], fold.y_true[own], fold.last[own], None, fold.last[train], penalty=PENALTY)
    y, w = fold.y_true, np.ones(len(said))
    if fold.balanced:  # rewards count classes as the training does
        y, w = weighed(y, class_weights(y[train], np.ones(len(train))))
    return influence(
        said[own], y[own], fold.last[own], said[train], fold.last[train], penalty=PENALTY, weights=w[own],
        weights_train=w[train],
    )  # fmt: skip


def _sorted(weights: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(weights.items(), key=lambda pair: -pair[1])
