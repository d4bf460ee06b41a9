"""Evidence by hand for bandits: what was asked for, who proposed it, and what models of the others say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from strongsuit.active.evidence import Evidence
from strongsuit.active.memory import Past
from strongsuit.active.search.albl import albl
from strongsuit.active.search.tailor import tailor
from strongsuit.active.selectors.top_k import top_k
from strongsuit.active.selectors.uniform import uniform
from strongsuit.active.strategy import Strategy


def evidence(classes: np.ndarray, proba: np.ndarray, known: int, past: Past | None = None, round_: int = 0) -> Evidence:
    """Rows of which the first are labelled; one column of inputs, the row's number."""
    n, k = proba.shape
    labelled = np.arange(n) < known
    y = np.where(labelled[:, None], np.eye(k)[classes], np.nan)
    x = np.arange(n, dtype=float)[:, None]
    return Evidence(x, x, y, ~labelled, labelled.copy(), labelled, proba=proba, past=past, round=round_)


def in_folds(one: Evidence, outside: np.ndarray, folds: int) -> Evidence:
    """The evidence with folds in turn, in which models that did not see a labelled row say `outside` (known, k)."""
    known = int(one.labelled.sum())
    truth = one.y[:known]
    found = []
    for fold in range(folds):
        own = np.arange(known) % folds == fold
        part = Evidence(
            one.x[:known], one.x[:known], np.where(own[:, None], np.nan, truth), own, ~own, ~own, y_true=truth,
            proba=np.where(own[:, None], outside, truth),  # of rows they saw the models are sure
        )  # fmt: skip
        found.append(part)
    return replace(one, folds=tuple(found))


def past(n: int, rounds: list[tuple[list[int], list[int], list[float], dict]]) -> Past:
    """What batches of rows, parts, chances and facts leave behind."""
    found, turn = Past(*(np.full(n, -1) for _ in range(3)), np.full(n, np.nan), {}), 0
    for number, (rows, parts, chances, facts) in enumerate(rounds):
        found.round[rows], found.part[rows], found.chance[rows] = number, parts, chances
        found.turn[rows] = turn + np.arange(len(rows))
        found.facts[number] = facts
        turn += len(rows)
    return found


def by_column(name: str, sign: float) -> Strategy:
    """The rows of largest or least first input."""
    return Strategy(name, name, "", top_k, score=lambda seen: sign * seen.x[:, 0])


HIGH, LOW = by_column("high", 1.0), by_column("low", -1.0)
BLIND = Strategy("random", "blindly", "", uniform)


def bandit(name: str, parts: tuple[Strategy, ...]) -> Strategy:
    """A row of the table with other parts."""
    combine, needs = {"albl": (albl, {"proba", "folds", "past"}), "tailor": (tailor, {"proba", "past"})}[name]
    return Strategy(name, name, "", uniform, needs=frozenset(needs), parts=parts, combine=combine)
