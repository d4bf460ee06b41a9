"""How strategies choose while no model can tell rows apart: by how well the inputs are covered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from strongsuit.active.evidence import Evidence
from strongsuit.active.search.votes import rank_average
from strongsuit.active.selectors.herding import herding
from strongsuit.active.strategies import CLASSIFICATION, REGRESSION, find_strategy
from strongsuit.active.strategy import Strategy
from strongsuit.core.keys import Key

NO_LABELS, ONE_CLASS = "no_labels", "one_class"
COVERS = {CLASSIFICATION: "max_herding", REGRESSION: "lcmd_x"}  # what stands in for a rule that asks a model


def blind(y: np.ndarray, task: str) -> str:
    """Why a model trained on labels y (u, k) could not tell rows apart, "" if it could: there are none, or those of a
    classifier are all alike."""
    if not len(y):
        return NO_LABELS
    return ONE_CLASS if task == CLASSIFICATION and not np.ptp(y, axis=0).any() else ""


def uninformed(strategy: Strategy, task: str) -> Strategy:
    """The strategy as it chooses without a model.

    One that asks none stays as it is, one that looks at features sees inputs in their place, herding weighs all rows
    alike, and parts of a combination change one by one, all of equal weight where it would learn their weights; for all
    others coverage stands in.
    """
    if not strategy.learns:
        return strategy
    if strategy.parts:
        parts = tuple(uninformed(part, task) for part in strategy.parts)
        own = strategy.needs.difference(*(part.needs for part in strategy.parts))
        combine = rank_average if own else strategy.combine  # what it would learn the parts' weights from is not there
        return replace(
            strategy, parts=parts, combine=combine, needs=frozenset().union(*(part.needs for part in parts))
        )  # fmt: skip
    if strategy.needs == {"last"}:
        return replace(strategy, needs=frozenset(), embed=partial(_of_inputs, strategy.embed))
    if getattr(strategy.select, "func", strategy.select) is herding:
        return replace(strategy, needs=frozenset(), score=None)
    return find_strategy(COVERS[task], task)


def _of_inputs(embed: Callable[[Key, Evidence], np.ndarray], key: Key, evidence: Evidence) -> np.ndarray:
    """What the embedding makes of standardised inputs (n, d) as features."""
    ones = np.ones((len(evidence.x_std), 1))
    return embed(key, replace(evidence, last=np.hstack([evidence.x_std, ones])))
