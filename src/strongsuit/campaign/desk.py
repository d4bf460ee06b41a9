"""The one writer: reads on, folds, decides, appends, and does it again if somebody was quicker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from strongsuit.campaign.asking import Decided
from strongsuit.campaign.chain import Event, linked, sealed, stamp
from strongsuit.campaign.repeats import repeated
from strongsuit.campaign.snapshot import snapshot_of, state_from
from strongsuit.campaign.state import State, advance
from strongsuit.campaign.store import Store, keep_snapshot, kept_at, kept_snapshot, turn
from strongsuit.errors import Conflict, InputError, StoreBusy, StoreError

log = logging.getLogger(__name__)
TRIES = 8
SNAPSHOT_EVENTS, SNAPSHOT_SHARE = 1_000, 0.1  # events since the last one, at least, and as a share of the journal
OVERDUE = 1.5  # times as many, after which whoever should have kept it is taken for gone
MAX_NAME = 200  # of people and request ids

Decide = Callable[[State, Any, datetime], Decided]


def utc_now() -> datetime:
    """The time now."""
    return datetime.now(UTC)


@dataclass
class Desk:
    """One campaign of a store with its state up to a position; only its methods change that state."""

    store: Store
    name: str
    clock: Callable[[], datetime] = utc_now
    state: State = field(default_factory=State)
    kept: int = 0  # position of the last snapshot
    lock: Any = field(default_factory=threading.RLock)

    def refresh(self) -> State:
        """The state as the journal is now; JournalBroken if what came does not follow what was known."""
        with self.lock:
            news = self.store.read(self.name, after=self.state.position)
            advance(self.state, linked(news, after=self.state.position, before=self.state.digest))
            return self.state

    def commit(self, command: Any, decide: Decide) -> Any:
        """The outcome of a command once its events are written.

        Raises what `decide` raises, RequestMismatch for a request id used for something else, StoreBusy if others
        were quicker eight times.
        """
        check_identity(command.by, command.request)
        for _ in range(TRIES):
            try:
                with self.lock, turn(self.store, self.name):
                    others, outcome = self._once(command, decide)
            except Conflict:
                continue
            self._keep(others)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        raise StoreBusy(f"campaign {self.name!r}: others wrote first {TRIES} times; nothing was written: try again")

    def _once(self, command: Any, decide: Decide) -> tuple[int, Any]:
        """The position that others left behind, and the outcome."""
        state = self.refresh()
        others = state.position
        if command.request is not None and command.request in state.requests:
            return others, repeated(state, command, self._events_of(command.request))
        now = self.clock()
        decided = decide(state, command, now)
        if decided.bodies:
            events = sealed(
                decided.bodies, after=state.position, before=state.digest, at=stamp(now), by=command.by,
                request=command.request,
            )  # fmt: skip
            self.store.append(self.name, events, after=state.position)
            advance(state, events)
        return others, decided.outcome

    def _events_of(self, request: str) -> list[Event]:
        first, last = self.state.requests[request]
        return list(self.store.read(self.name, after=first - 1, limit=last - first + 1))

    def _keep(self, others: int) -> None:
        """Keeps a snapshot now and then; it is only a cache, so a failure is only a warning.

        Of many processes the one whose events made it due does it. The others look whether it is done, and do it
        themselves only when it is long overdue.
        """
        with self.lock:
            if not self._due(self.state.position):
                return
            try:
                if self._due(others):
                    self.kept = kept_at(self.store, self.name)
                    if not self._due(self.state.position, OVERDUE):
                        return
                self.kept = self.state.position
                keep_snapshot(self.store, self.name, snapshot_of(self.state))
            except StoreError as error:
                log.warning("no snapshot was kept of campaign %s: %s", self.name, error)

    def _due(self, position: int, times: float = 1.0) -> bool:
        return position - self.kept >= times * (SNAPSHOT_EVENTS + SNAPSHOT_SHARE * position)


def opened(store: Store, name: str, clock: Callable[[], datetime] = utc_now) -> Desk:
    """The desk of a campaign, from its last snapshot where that fits the journal; UnknownCampaign, JournalBroken."""
    snapshot = kept_snapshot(store, name)
    state = state_from(snapshot) if snapshot else None
    if state is not None:
        there = next(iter(store.read(name, after=state.position - 1, limit=1)), None)
        if there is None or there.digest != state.digest:
            log.warning("the snapshot of campaign %s does not fit its journal and is not used", name)
            state = None
    desk = Desk(store, name, clock, state or State(), state.position if state else 0)
    desk.refresh()
    return desk


def check_identity(by: str, request: str | None) -> None:
    """InputError for a person or request id that cannot stand in a journal."""
    for name, value in (("by", by), ("request", request)):
        if value is None and name == "request":
            continue
        if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or "\0" in value:
            raise InputError(f"{name} must be a text of 1 to {MAX_NAME} characters, got {value!r}")
    if request is not None and request.startswith("@"):
        raise InputError(f"request {request!r}: ids that begin with '@' are the journal's own")
