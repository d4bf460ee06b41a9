"""What the campaign tests share: a clock that is set, a proposer without a model, small campaigns."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from strongsuit.campaign import Campaign, Chosen, MemoryStore, Proposal, View, create_campaign
from strongsuit.campaign.chain import line_of
from strongsuit.campaign.events import Assessed

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ROWS = 40


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class RandomProposer:
    """Rows by a seeded shuffle of those that are free; it depends on the labels, so that a wrong view shows."""

    calls: list[tuple[View, int, int]] = field(default_factory=list)
    advice: dict[str, Any] | None = None

    def propose(self, view: View, b: int, round: int) -> Proposal:
        self.calls.append((view, b, round))
        closed = {*view.labelled, *view.pending, *view.unavailable, *view.queued}
        free = [row for row in range(view.settings["pool"]["n"]) if row not in closed]
        random.Random(f"{view.seed} {round} {view.values}").shuffle(free)
        rows = tuple(Chosen(row, i, "model", key=f"K{row}", why="they differ") for i, row in enumerate(free[:b]))
        return Proposal(rows, "none", "random", guard={"test": 0}, assessed=self._assessed(view))

    def _assessed(self, view: View) -> Assessed | None:
        if self.advice is None:
            return None
        return Assessed(0, len(view.labelled), "rmse", 1.0, 0.5, 2.0, 0.95, 5, "cv", self.advice)


def description(rows: int = ROWS, **more: Any) -> dict[str, Any]:
    """A pool in the journal's words."""
    return {"n": rows, "fingerprint": f"{rows:064d}", "key": None, "columns": [], "chunks": [], **more}


NUMBER = {"name": "strength", "kind": "number", "low": 0, "high": 2500, "unit": "MPa"}
ANIMAL = {"name": "animal", "kind": "class", "classes": ["cat", "dog", "owl"]}


def campaign(*, clock: Clock | None = None, store: Any = None, **settings: Any) -> Campaign:
    """A campaign of 40 rows with batches of 4 in a store of its own, unless told otherwise."""
    given = {
        "name": "alloys", "pool": description(), "target": NUMBER, "batch": 4, "proposer": RandomProposer(),
        "by": "anna", "versions": {}, **settings,
    }  # fmt: skip
    return create_campaign(store=MemoryStore() if store is None else store, clock=clock or Clock(), **given)


def kinds(one: Campaign, after: int = 0) -> list[str]:
    """The kinds of the events behind a position."""
    return [event.kind for event in one.journal(after)]


def lines(one: Campaign) -> list[str]:
    """The journal as its file would have it."""
    return [line_of(event) for event in one.journal()]
