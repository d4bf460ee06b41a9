"""Where journals are kept: the contract of a store, what a store may offer besides, and the store in memory.

Three methods are the contract. A store that can do more says so by having the method; the functions here ask for it and
do without where it is missing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from strongsuit.campaign.chain import ZERO, Event, linked
from strongsuit.campaign.snapshot import Snapshot
from strongsuit.errors import Conflict, InputError, StoreError, UnknownCampaign


class Listed(NamedTuple):
    """One campaign of a store: its name, how long its journal is, the digest at its end, when it began."""

    name: str
    position: int
    digest: str
    created_at: str


class Store(Protocol):
    """Append-only journals by name.

    A store may also offer `turn(campaign)`, a context in which waiting writers queue fairly; `delete(campaign)`;
    `snapshot(campaign)`, `kept_at(campaign)` and `keep(campaign, snapshot)`; `claim(campaign, task, owner, now, until)`
    and `release(campaign, task, owner)`; `links(campaign, system)` and `link(campaign, system, pairs)`.
    """

    def append(self, campaign: str, events: Sequence[Event], after: int) -> int:
        """The position of the last event, all of them written or none.

        `after` is the position they follow, 0 to begin a campaign. Raises Conflict if the journal is longer or one of
        the (request, part) is there already, JournalBroken if the events do not continue the chain of digests,
        UnknownCampaign for a campaign that was not begun.
        """
        ...

    def read(self, campaign: str, after: int = 0, limit: int | None = None) -> Iterator[Event]:
        """The events behind a position, in order, at most `limit`; UnknownCampaign for a name that is not there."""
        ...

    def campaigns(self) -> list[Listed]:
        """All campaigns, by name."""
        ...


def turn(store: Store, campaign: str) -> AbstractContextManager[Any]:
    """The store's turn for one writer, or nothing where it has no queue."""
    return store.turn(campaign) if hasattr(store, "turn") else nullcontext()


def listed(store: Store, campaign: str) -> Listed | None:
    """The campaign's entry, or None."""
    return next((one for one in store.campaigns() if one.name == campaign), None)


def delete(store: Store, campaign: str) -> None:
    """Deletes a campaign; StoreError where the store cannot, UnknownCampaign if it is not there."""
    if not hasattr(store, "delete"):
        raise StoreError(f"a {type(store).__name__} cannot delete campaigns")
    store.delete(campaign)


def kept_snapshot(store: Store, campaign: str) -> Snapshot | None:
    """The last snapshot, or None."""
    return store.snapshot(campaign) if hasattr(store, "snapshot") else None


def kept_at(store: Store, campaign: str) -> int:
    """The position of the last snapshot, 0 without one."""
    return store.kept_at(campaign) if hasattr(store, "kept_at") else 0


def keep_snapshot(store: Store, campaign: str, snapshot: Snapshot) -> None:
    """Keeps a snapshot where the store can."""
    if hasattr(store, "keep"):
        store.keep(campaign, snapshot)


def check_order(campaign: str, events: Sequence[Event], after: int, last: tuple[int, str] | None) -> None:
    """Raises what `append` promises, given the position and digest at the end of the journal, if there is one."""
    if not events:
        raise InputError("append needs at least one event")
    if last is None and after > 0:
        raise unknown(campaign)
    position, digest = last or (0, ZERO)
    if position != after:
        raise Conflict(f"campaign {campaign!r} is at position {position}, not {after}: read and decide again")
    for _ in linked(events, after=after, before=digest):
        pass


def unknown(campaign: str) -> UnknownCampaign:
    """The error for a name that is not in the store."""
    return UnknownCampaign(f"campaign {campaign!r} is not in this store; `strongsuit campaign list` shows which are")


@dataclass
class _Kept:
    """One campaign in memory."""

    events: list[Event] = field(default_factory=list)
    parts: set[tuple[str, int]] = field(default_factory=set)
    snapshot: Snapshot | None = None
    claims: dict[str, tuple[str, str]] = field(default_factory=dict)
    links: dict[str, dict[int, str]] = field(default_factory=dict)


class MemoryStore:
    """Journals in this process's memory: for tests, notebooks and trying things out."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.RLock()

    def append(self, campaign: str, events: Sequence[Event], after: int) -> int:
        """See `Store`."""
        with self._lock:
            kept = self._kept.get(campaign)
            last = (kept.events[-1].position, kept.events[-1].digest) if kept else None
            check_order(campaign, events, after, last)
            parts = {(event.request, event.part) for event in events}
            if kept and kept.parts & parts:
                raise Conflict(f"request {events[0].request!r} was written already")
            kept = self._kept.setdefault(campaign, _Kept())
            kept.parts |= parts
            kept.events += events
            return events[-1].position

    def read(self, campaign: str, after: int = 0, limit: int | None = None) -> Iterator[Event]:
        """See `Store`."""
        events = self._of(campaign).events
        return iter(events[after : None if limit is None else after + limit])

    def campaigns(self) -> list[Listed]:
        """See `Store`."""
        with self._lock:
            pairs = [(name, kept.events) for name, kept in sorted(self._kept.items())]
            return [Listed(name, all_[-1].position, all_[-1].digest, all_[0].at) for name, all_ in pairs]

    @contextmanager
    def turn(self, campaign: str) -> Iterator[None]:
        """One writer at a time."""
        with self._lock:
            yield

    def delete(self, campaign: str) -> None:
        """Deletes a campaign; UnknownCampaign if it is not there."""
        with self._lock:
            self._of(campaign)
            del self._kept[campaign]

    def snapshot(self, campaign: str) -> Snapshot | None:
        """The last snapshot, or None."""
        return self._of(campaign).snapshot

    def kept_at(self, campaign: str) -> int:
        """The position of the last snapshot, 0 without one."""
        last = self._of(campaign).snapshot
        return last.position if last else 0

    def keep(self, campaign: str, snapshot: Snapshot) -> None:
        """Keeps the snapshot in place of the last."""
        self._of(campaign).snapshot = snapshot

    def claim(self, campaign: str, task: str, owner: str, now: str, until: str, gone: Callable[[str], bool]) -> bool:
        """Whether the task is now the owner's until then: it was nobody's, its own, run out, or its owner is gone."""
        with self._lock:
            claims = self._of(campaign).claims
            held = claims.get(task)
            if held and held[0] != owner and held[1] > now and not gone(held[0]):
                return False
            claims[task] = (owner, until)
            return True

    def release(self, campaign: str, task: str, owner: str) -> None:
        """Gives the task back if it is the owner's."""
        with self._lock:
            claims = self._of(campaign).claims
            if claims.get(task, ("",))[0] == owner:
                del claims[task]

    def links(self, campaign: str, system: str) -> dict[int, str]:
        """The identifiers of rows in another system."""
        return dict(self._of(campaign).links.get(system, {}))

    def link(self, campaign: str, system: str, pairs: Mapping[int, str]) -> None:
        """Remembers identifiers of rows in another system; an identifier replaces an earlier one."""
        with self._lock:
            self._of(campaign).links.setdefault(system, {}).update(pairs)

    def _of(self, campaign: str) -> _Kept:
        with self._lock:
            if campaign not in self._kept:
                raise unknown(campaign)
            return self._kept[campaign]
