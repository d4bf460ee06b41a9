"""Votes, mean ranks and a change of rule: the plain ways to use several strategies at once.

A search for weights has to beat these: what an untrained search over binary picks amounts to is a vote.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from strongsuit.active.evidence import Evidence
from strongsuit.active.selectors.candidates import Selection
from strongsuit.active.strategy import Strategy, propose, scores_of
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import largest

RANKED = 4  # batches of picks that a rule which ranks by its picks is asked for: among fewer, rules hardly ever agree
EARLY_ROUNDS = 3  # of `then`, as its source has it (TCM)


def vote(key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int) -> Selection:
    """The rows that most parts have among their own b picks; gain is the number of votes, ties by the key."""
    votes, flags = np.zeros(len(evidence.x)), []
    for part in parts:
        chosen = propose(key_for(key, part.name), part, evidence, b)
        votes[chosen.index] += 1.0
        flags.append(chosen.degraded)
    return _largest(key, votes, evidence, b, flags)


def rank_average(key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int) -> Selection:
    """The rows of highest mean rank over the parts; gain is that mean, 1 for a row which all put first."""
    found = [ranks(key_for(key, part.name), part, evidence, RANKED * b) for part in parts]
    return best_ranked(key, found, evidence, b)


def best_ranked(key: Key, found: list[tuple[np.ndarray, str]], evidence: Evidence, b: int) -> Selection:
    """The rows of highest mean rank, of pairs of ranks (n,) and flags as `ranks` gives them."""
    return _largest(key, np.mean([rank for rank, _ in found], axis=0), evidence, b, [flag for _, flag in found])


def then(key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int) -> Selection:
    """The picks of the first part in the first rounds, those of the second one later (TCM: Doucet et al., 2024)."""
    part = parts[0] if evidence.round < EARLY_ROUNDS else parts[1]
    return propose(key_for(key, part.name), part, evidence, b)


def ranks(key: Key, strategy: Strategy, evidence: Evidence, q: int) -> tuple[np.ndarray, str]:
    """Ranks (n,) from 0 to 1 of the available rows in the strategy's eyes, NaN elsewhere, and its flags.

    A rule that only scores ranks all of them, ties alike. One that makes picks ranks its first q in order, and all
    others share the mean of the ranks that remain.
    """
    open_rows = np.flatnonzero(evidence.available & ~evidence.anchors)
    found, count = np.full(len(evidence.x), np.nan), len(open_rows)
    if count < 2:
        found[open_rows] = 1.0
        return found, ""
    scores = scores_of(strategy, evidence)
    if scores is not None:
        said = scores[open_rows]
        said = np.where(np.isfinite(said), said, -np.inf)
        found[open_rows] = (rankdata(said) - 1.0) / (count - 1.0)
        return found, ""
    chosen = propose(key, strategy, evidence, min(q, count))
    picked = len(chosen.index)
    found[open_rows] = max(count - picked - 1.0, 0.0) / 2.0 / (count - 1.0)
    found[chosen.index] = (count - 1.0 - np.arange(picked)) / (count - 1.0)
    return found, chosen.degraded


def _largest(key: Key, score: np.ndarray, evidence: Evidence, b: int, flags: list[str]) -> Selection:
    open_rows = np.flatnonzero(evidence.available & ~evidence.anchors)
    index = largest(key_for(key, "ties"), score[open_rows], open_rows, b)
    return Selection(index, score[index], ",".join(dict.fromkeys(f for flag in flags for f in flag.split(",") if f)))
