"""The one strategy whose picks would have been worth most on labelled rows that its models did not see.

What a search over weights has to beat, and a warning: picking one winner on few labels follows luck.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from strongsuit.active.evidence import Evidence
from strongsuit.active.search.autoal import FEWEST_LABELS, PICKS, SHARES, lesson_of
from strongsuit.active.search.turns import flags_of
from strongsuit.active.search.votes import rank_average
from strongsuit.active.search.weights import Lesson
from strongsuit.active.selectors.candidates import Selection
from strongsuit.active.strategy import Strategy, propose
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import first_of_largest, largest, tie_seed

TOO_FEW = "too_few_labels"


def best_of_folds(
    key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int, *, reward: str = "influence"
) -> Selection:
    """The batch of the part whose top rows of each fold have the largest mean reward, by `influence` or by `loss`; with
    too few labels the rows of highest mean rank."""
    if not _enough(evidence):
        chosen = rank_average(key, parts, evidence, b)
        facts = {"strategy": "rank_average", "rewards": {}, "reason": TOO_FEW}
        return replace(chosen, degraded=flags_of(TOO_FEW, chosen.degraded), facts=facts)
    open_rows, known = max(1, int(evidence.available.sum())), int(evidence.labelled.sum())
    share = float(np.clip(max(b / open_rows, PICKS / known), *SHARES))
    lesson = lesson_of(key_for(key, "folds"), parts, evidence.folds, share, reward)
    worth = mean_rewards(key_for(key, "ties"), lesson)
    part = parts[first_of_largest(tie_seed(key), worth)]
    chosen = propose(key_for(key, part.name), part, evidence, b)
    facts = {
        "strategy": part.name, "rewards": dict(zip((one.name for one in parts), worth.tolist(), strict=True)),
        "reason": "",
    }  # fmt: skip
    return replace(chosen, facts=facts)


def mean_rewards(key: Key, lesson: Lesson) -> np.ndarray:
    """The mean reward (K,), over folds, of the rows that each strategy ranks highest in a fold, ties by the key."""
    worth = np.empty((len(lesson.real), lesson.ranks.shape[2]))
    for f, real in enumerate(lesson.real):
        ranks, reward = lesson.ranks[f][real], lesson.reward[f][real]
        for k in range(ranks.shape[1]):
            top = largest(key_for(key, f, k), ranks[:, k], np.arange(len(ranks)), int(lesson.take[f]))
            worth[f, k] = reward[top].mean()
    return worth.mean(0)


def _enough(evidence: Evidence) -> bool:
    """Whether there are labels enough, two classes with two each among them."""
    found = np.bincount(evidence.classes[evidence.labelled], minlength=1)
    return bool(evidence.folds) and found.sum() >= FEWEST_LABELS and (found >= 2).sum() >= 2
