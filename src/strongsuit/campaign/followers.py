"""Followers: whatever watches a campaign reads its journal, keeps its own place, and is on nobody's path.

No verb waits for a follower or knows of one. What it has taken is its own to remember, where it reports: a run in
MLflow, a file, a mailbox. Following twice, or again after a crash, takes nothing twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from strongsuit.campaign.chain import Event, linked
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.state import State, advance
from strongsuit.errors import ServiceError, StoreBusy, StoreError

log = logging.getLogger(__name__)
EVERY_SECONDS = 30.0


class Follower(Protocol):
    """Reports a campaign somewhere else. Its methods may fail in any way; they are called again from its place."""

    def place(self) -> int:
        """The position up to which it has taken the journal, 0 at first."""
        ...

    def take(self, event: Event, state: State) -> bool:
        """Whether it reported the event, given the state after it; the same event again must report nothing new."""
        ...

    def keep(self, position: int) -> None:
        """Remembers that everything up to here is taken."""
        ...


def follow(campaign: Campaign, follower: Follower, state: State | None = None) -> State:
    """The state up to which the follower has taken the journal; the one given is where the last call ended.

    ServiceError for whatever the follower raises: what it took is kept, and the next call goes on from there.
    """
    state = State() if state is None else state.copy()
    news = linked(
        campaign.desk.store.read(campaign.name, after=state.position), after=state.position, before=state.digest
    )
    try:
        place = follower.place()
        for event in news:
            advance(state, [event])
            if event.position > place and follower.take(event, state):
                place = event.position
                follower.keep(place)
        if state.position > place:
            follower.keep(state.position)
    except StoreError:
        raise  # of the journal, and not the follower's
    except Exception as error:
        message = f"the follower stopped at position {state.position} of {campaign.name}: {error}"
        raise ServiceError(message) from error
    return state


def follow_on(
    campaign: Campaign,
    follower: Follower,
    *,
    every: float = EVERY_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    progress: Callable[[State], None] = lambda state: None,
) -> None:
    """Follows until it is interrupted; a follower that fails is a warning, and is tried again."""
    state: State | None = None
    while True:
        try:
            state = follow(campaign, follower, state)
            progress(state)
        except (ServiceError, StoreBusy) as error:
            log.warning("%s; trying again in %g s", error, every)
        sleep(every)
