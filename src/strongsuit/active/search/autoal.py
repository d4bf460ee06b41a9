"""AutoAL repaired: weights of strategies learned from what their picks would have been worth on labelled rows."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from strongsuit.active.evidence import Evidence
from strongsuit.active.search.lookahead import Layer
from strongsuit.active.search.looks import Looks, looks_of
from strongsuit.active.search.rewards import influence, losses, refitted, standardised
from strongsuit.active.search.votes import RANKED, ranks
from strongsuit.active.search.weights import HIDDEN, Learned, Lesson, blended, mixed_by_row, weighted
from strongsuit.active.selectors.candidates import Selection
from strongsuit.active.strategy import Strategy
from strongsuit.core.classes import class_weights, weighed
from strongsuit.core.groups import nearest_rows
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import largest
from strongsuit.errors import InputError

log = logging.getLogger(__name__)

FEWEST_LABELS, FEWEST_NUMBERS = 30, 20  # labels below which equal weights are used: of classes, of numbers
FEWEST_BY_ROW = 400  # labels below which weights do not depend on the row
PICKS = 20  # rows that a batch takes of all folds together, at least: fewer tell strategies apart by luck
SHARES = (0.1, 0.5)  # of a fold, at least and at most
HELD = 0.2  # of all weight, by a favourite
PENALTY = 1.0  # of the last layer, where a learner does not say
INFLUENCE, LOSS, LOOKAHEAD = "influence", "loss", "lookahead"
CONSTANT, PER_ROW = "constant", "per_row"


@dataclass(frozen=True)
class Found:
    """What a search has learned, the share of the rows that a batch takes, and how it looks at a row, where weights
    depend on it."""

    learned: Learned
    share: float
    looks: Looks | None = None
    flag: str = ""


def autoal(
    key: Key,
    parts: tuple[Strategy, ...],
    evidence: Evidence,
    b: int,
    *,
    reward: str = INFLUENCE,
    weights: str = CONSTANT,
    favourite: str = "",
) -> Selection:
    """The rows of highest weighted mean rank; gain is that mean.

    Every strategy ranks labelled rows by models that did not see them; rows are rewarded, and weights are learned so
    that a batch of each fold would have been worth most. `reward`: "influence", by how much the loss of others falls;
    "lookahead", the same once the rest of the batch is learned; "loss", the row's own, as published. `weights`:
    "constant", or "per_row", which depend on the row (experimental; constant below FEWEST_BY_ROW labels, and said so).
    `favourite`: the part that holds a share HELD of the weight whatever is learned; none by default. arXiv 2410.13853,
    its search repaired. Raises InputError for other names.
    """
    _check(reward, (INFLUENCE, LOSS, LOOKAHEAD), "reward")
    _check(weights, (CONSTANT, PER_ROW), "weights")
    _check(favourite, ("", *(part.name for part in parts)), "favourite")
    told = _searched(key, parts, evidence, b, reward, weights == PER_ROW)
    found = [ranks(key_for(key, part.name), part, evidence, RANKED * b) for part in parts]
    learned, all_ranks = told.learned, np.stack([rank for rank, _ in found], axis=1)
    held = HELD * np.array([part.name == favourite for part in parts])
    score = weighted(all_ranks, held + (1.0 - held.sum()) * _weights(told, evidence, all_ranks), told.share)
    open_rows = np.flatnonzero(evidence.available & ~evidence.anchors)
    index = largest(key_for(key, "ties"), score[open_rows], open_rows, b)
    flags = [learned.reason, told.flag, *(flag for _, said in found for flag in said.split(","))]
    share = held + (1.0 - held.sum()) * learned.share
    facts = {
        "weights": dict(zip((part.name for part in parts), share.tolist(), strict=True)),
        "blend": learned.blend, "gains": learned.gains.tolist(), "gradient": learned.gradient,
        "reason": learned.reason,
    }  # fmt: skip
    log.info("strategies by weight: %s", ", ".join(f"{name} {w:.2f}" for name, w in _sorted(facts["weights"])))
    return Selection(index, score[index], ",".join(dict.fromkeys(flag for flag in flags if flag)), facts)


def lesson_of(
    key: Key, parts: tuple[Strategy, ...], folds: tuple[Evidence, ...], share: float, reward: str = INFLUENCE
) -> Lesson:
    """Ranks and rewards of every fold's rows, in which a batch takes a share of them."""
    counts = [int(fold.available.sum()) for fold in folds]
    F, c, K = len(folds), max(counts), len(parts)
    R, v, real = np.zeros((F, c, K)), np.zeros((F, c)), np.zeros((F, c), bool)
    layers = []
    for f, fold in enumerate(folds):
        own = np.flatnonzero(fold.available)
        real[f, : len(own)] = True
        judges = stood_for(fold, own)
        first = _reward(fold, own, judges, reward)
        v[f, : len(own)] = standardised(first)
        layers.append((_layer(fold, own, judges), first))
        for k, part in enumerate(parts):
            picks = max(2, len(own) - min(counts) // 2)  # half, and with those it may not choose as many in every fold
            # Folds hold the same rows: with one key, what a rule makes of them without labels is made once.
            R[f, : len(own), k] = ranks(key_for(key, part.name), part, fold, picks)[0][own]
    take = np.array([min(max(2, round(share * count)), count - 1) for count in counts])

    def again(f: int, taken: np.ndarray) -> np.ndarray:
        layer, first = layers[f]
        return standardised(layer.rewards(taken), first)

    return Lesson(R, v, real, take, again=again if reward == LOOKAHEAD else None)


def _searched(key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int, reward: str, by_row: bool) -> Found:
    known, folds = int(evidence.labelled.sum()), evidence.folds
    classes = evidence.proba is not None
    if known < (FEWEST_LABELS if classes else FEWEST_NUMBERS) or not folds or not _two_classes(evidence, classes):
        even = np.full(len(parts), 1.0 / len(parts))
        return Found(Learned(even, 0.0, np.zeros(0), 0.0, "too_few_labels"), 0.0)
    open_rows = max(1, int(evidence.available.sum()))
    share = float(np.clip(max(b / open_rows, PICKS / known), *SHARES))
    lesson = lesson_of(key_for(key, "folds"), parts, folds, share, reward)
    if by_row and known >= FEWEST_BY_ROW:
        looks, lesson = looks_of(evidence, folds, lesson)
        width = lesson.features.shape[-1]
        draws = key_for(key, "within").numpy().normal(size=(HIDDEN, width)) / width**0.5
        return Found(blended(lesson, draws=draws), lesson.share, looks)
    return Found(blended(lesson), lesson.share, flag="too_few_for_rows" if by_row else "")


def _weights(found: Found, evidence: Evidence, all_ranks: np.ndarray) -> np.ndarray:
    """The weights (K,) of all rows, or (n, K) where they depend on the row."""
    learned = found.learned
    if learned.by_row is None:
        return learned.share
    return mixed_by_row(learned.by_row, found.looks.at(evidence, all_ranks), learned.blend)


def _two_classes(evidence: Evidence, classes: bool) -> bool:
    """Whether two classes have two labels each."""
    if not classes:
        return True
    return (np.bincount(evidence.classes[evidence.labelled]) >= 2).sum() >= 2


def _reward(fold: Evidence, own: np.ndarray, judges: np.ndarray, reward: str) -> np.ndarray:
    """What each of the fold's own rows was worth, learned alone, to the others as much as these count (c,)."""
    classes = fold.proba is not None
    said = (fold.proba if classes else fold.mean)[own]
    truth, train = fold.y_true[own], np.flatnonzero(fold.labelled)
    if reward == LOSS:
        return losses(said, truth, classes=classes)
    if fold.linear and reward == INFLUENCE:
        return refitted(said, truth, fold.last[own], fold.last[train], penalty=PENALTY, judges=judges)
    if not classes:
        return influence(said, truth, fold.last[own], None, fold.last[train], penalty=PENALTY, judges=judges)
    y, w = fold.y_true, np.ones(len(fold.y_true))
    if fold.balanced:  # rewards count classes as the training does
        y, w = weighed(y, class_weights(y[train], np.ones(len(train))))
    return influence(
        said, y[own], fold.last[own], fold.proba[train], fold.last[train], penalty=PENALTY, judges=judges,
        weights=w[own], weights_train=w[train],
    )  # fmt: skip


def stood_for(fold: Evidence, own: np.ndarray) -> np.ndarray:
    """How many of the rows served each of the fold's own (c,) is nearest to: labelled rows lie where they were wanted,
    and are to judge as the pool would."""
    return np.bincount(nearest_rows(fold.x_std[fold.served], fold.x_std[own]), minlength=len(own)).astype(float)


def _layer(fold: Evidence, own: np.ndarray, judges: np.ndarray) -> Layer:
    classes, train = fold.proba is not None, np.flatnonzero(fold.labelled)
    said = (fold.proba if classes else fold.mean)[own]
    told = fold.proba[train] if classes else None
    return Layer(fold.last[own], said, fold.y_true[own], fold.last[train], told, judges, PENALTY)


def _check(value: str, allowed: tuple[str, ...], name: str) -> None:
    if value not in allowed:
        raise InputError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")


def _sorted(weights: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(weights.items(), key=lambda pair: -pair[1])
