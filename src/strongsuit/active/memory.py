"""What a strategy made of others recorded of earlier rounds: a bandit learns from how its own picks turned out.

A session keeps a record of every batch for strategies that need their `past`; others pay nothing. All that is
remembered was known when the batch was asked for, so the order in which labels come leaves no trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from strongsuit.active.pool import ACTIVE, Pool

PAST = "past"  # the need of strategies that learn from their own picks
NO_MEMORY = "no_memory"  # flag: batches were asked for of which nothing is remembered


@dataclass(frozen=True)
class Recorded:
    """One batch: how many were asked for before, by which strategy, its pool rows (b,) in the order of choice, the part
    (b,) that proposed each, the chance (b,) with which it was asked for, and the facts of the search."""

    round: int
    strategy: str
    rows: np.ndarray
    part: np.ndarray
    chance: np.ndarray
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Past:
    """The same over all n rows: the `round` in which a row was asked for and its `turn` among all rows asked for, -1
    for never; the number of the `part` that proposed it, -1 for none; the `chance`, NaN for none. `facts` by round.
    `forgotten`: rows were chosen before, and nothing is remembered of any."""

    round: np.ndarray
    turn: np.ndarray
    part: np.ndarray
    chance: np.ndarray
    facts: Mapping[int, Mapping[str, Any]]
    forgotten: bool = False

    def of(self, rows: np.ndarray) -> Past:
        """What is remembered of these rows (c,)."""
        return replace(
            self, round=self.round[rows], turn=self.turn[rows], part=self.part[rows], chance=self.chance[rows]
        )


def past_of(records: tuple[Recorded, ...], strategy: str, pool: Pool) -> Past:
    """What a strategy's own records say of the pool's rows."""
    own = [one for one in records if one.strategy == strategy]
    round_, turn, part = (np.full(len(pool), -1) for _ in range(3))
    chance, turns = np.full(len(pool), np.nan), 0
    for one in own:
        round_[one.rows], part[one.rows], chance[one.rows] = one.round, one.part, one.chance
        turn[one.rows] = turns + np.arange(len(one.rows))
        turns += len(one.rows)
    forgotten = not own and bool((pool.role == ACTIVE).any())
    return Past(round_, turn, part, chance, {one.round: one.facts for one in own}, forgotten)


def lacking(past: Past | None, round_: int) -> str:
    """NO_MEMORY where batches were asked for before and nothing is remembered of them, else ""."""
    return NO_MEMORY if (round_ > 0 if past is None else past.forgotten) else ""
