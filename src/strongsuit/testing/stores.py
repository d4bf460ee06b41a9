"""check_store: what every store of journals must promise; CrashingStore: one that dies on purpose.

`make()` gives an empty store. Every promise is a function of a store, so that a failing one can be run alone.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from strongsuit.campaign.chain import ZERO, Event, line_of, linked, sealed
from strongsuit.campaign.events import Closed, Created, Told
from strongsuit.campaign.snapshot import snapshot_of
from strongsuit.campaign.state import State, replay
from strongsuit.campaign.store import Store
from strongsuit.errors import Conflict, JournalBroken, UnknownCampaign

AT = "2026-11-21T09:14:03.120Z"
NAME = "alloys"
WRITERS, TELLS = 4, 10


def check_store(make: Callable[[], Store]) -> None:
    """AssertionError if a store breaks a promise of `Store`, or one of a method that it offers besides."""
    for promise in PROMISES:
        promise(make())


def example_events(count: int = 5, *, request: str | None = None) -> list[Event]:
    """A journal of `count` events of several appends, with text that is hard to keep."""
    events = sealed([_created()], after=0, before=ZERO, at=AT, by="anna", request=request)
    while len(events) < count:
        told = Told(len(events), 0.1 + len(events), False, 1.0, None, "ä€𝄞\u2028 \x00\n\"'")
        events += sealed([told], after=len(events), before=events[-1].digest, at=AT, by="anna", request=None)
    return events


def reads_what_was_written(store: Store) -> None:
    """Events come back in order, byte for byte, from any position, in any number."""
    events = example_events()
    assert store.append(NAME, events[:2], after=0) == 2
    assert store.append(NAME, events[2:], after=2) == 5
    assert [line_of(event) for event in store.read(NAME)] == [line_of(event) for event in events]
    assert [event.position for event in store.read(NAME, after=3)] == [4, 5]
    assert [event.position for event in store.read(NAME, after=1, limit=2)] == [2, 3]
    assert list(store.read(NAME, after=5)) == []
    assert list(linked(store.read(NAME)))[-1].digest == events[-1].digest


def refuses_a_stale_position(store: Store) -> None:
    """Conflict for a position that is not the last, and the journal is as before."""
    events = example_events()
    store.append(NAME, events[:3], after=0)
    for given, after in ((events[2:3], 2), (events[:1], 0), (events[4:], 4)):
        _refused(store, given, after, Conflict)


def refuses_a_repeated_request(store: Store) -> None:
    """Conflict for a (request, part) that is there already, whatever its position."""
    events = example_events(1, request="r1")
    store.append(NAME, events, after=0)
    again = sealed([Closed("", False)], after=1, before=events[-1].digest, at=AT, by="anna", request="r1")
    _refused(store, again, 1, Conflict)


def refuses_a_broken_chain(store: Store) -> None:
    """JournalBroken for events that were sealed on another history, or changed."""
    store.append(NAME, example_events(1), after=0)
    other = sealed([Closed("", False)], after=1, before="f" * 64, at=AT, by="anna", request=None)
    _refused(store, other, 1, JournalBroken)


def tells_unknown_campaigns(store: Store) -> None:
    """UnknownCampaign to read or go on with what was never begun."""
    for attempt in (lambda: list(store.read(NAME)), lambda: store.append(NAME, example_events()[1:], after=1)):
        try:
            attempt()
        except UnknownCampaign:
            continue
        raise AssertionError("a campaign that was never begun is not UnknownCampaign")


def keeps_campaigns_apart(store: Store) -> None:
    """Campaigns do not see each other's events, and are listed by name."""
    store.append("b", example_events(2), after=0)
    store.append("a", example_events(4), after=0)
    listed = [(one.name, one.position, one.digest) for one in store.campaigns()]
    assert listed == [("a", 4, example_events(4)[-1].digest), ("b", 2, example_events(2)[-1].digest)], listed
    assert len(list(store.read("b"))) == 2


def writes_all_or_nothing(store: Store) -> None:
    """An append of many events with a bad one among them leaves the journal as it was."""
    events = example_events(6)
    store.append(NAME, events[:2], after=0)
    _refused(store, [*events[2:4], events[5]], 2, JournalBroken)


def folds_in_halves(store: Store) -> None:
    """Replay of halves equals replay of the whole."""
    events = example_events(6)
    store.append(NAME, events, after=0)
    whole = replay(store.read(NAME))
    for cut in range(7):
        assert replay(store.read(NAME, after=cut), replay(store.read(NAME, limit=cut))) == whole


def serves_several_writers(store: Store) -> None:
    """Writers that read, decide and append at one time lose nothing and write nothing twice."""
    store.append(NAME, example_events(1), after=0)
    threads = [threading.Thread(target=_write, args=(store, f"w{i}")) for i in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = list(linked(store.read(NAME)))
    told = [(event.by, event.body.row) for event in events[1:]]
    assert sorted(told) == sorted((f"w{i}", row) for i in range(WRITERS) for row in range(TELLS))


def offers_more_rightly(store: Any) -> None:
    """Deleting, snapshots, claims and links, as far as the store has them."""
    store.append(NAME, example_events(2), after=0)
    if hasattr(store, "snapshot"):
        assert store.snapshot(NAME) is None
        for count in (1, 2):
            store.keep(NAME, snapshot_of(replay(store.read(NAME, limit=count), State())))
        assert store.snapshot(NAME) == snapshot_of(replay(store.read(NAME)))
    if hasattr(store, "claim"):
        _check_claims(store)
    if hasattr(store, "links"):
        store.link(NAME, "other", {1: "a", 2: "b"})
        store.link(NAME, "other", {2: "c"})
        assert store.links(NAME, "other") == {1: "a", 2: "c"} and store.links(NAME, "third") == {}
    if hasattr(store, "delete"):
        store.delete(NAME)
        assert store.campaigns() == []
        store.append(NAME, example_events(1), after=0)
        assert store.snapshot(NAME) is None, "a new campaign has something of a deleted one"


def _check_claims(store: Any) -> None:
    first, later, last = AT, AT.replace("09", "10", 1), AT.replace("09", "11", 1)

    def lives(owner: str) -> bool:
        return owner == "gone"

    assert store.claim(NAME, "fit", "one", first, later, lives)
    assert store.claim(NAME, "fit", "one", first, later, lives), "one's own claim is renewed"
    assert not store.claim(NAME, "fit", "two", first, last, lives), "a claim is one's own while it lasts"
    assert store.claim(NAME, "other", "two", first, last, lives)
    assert store.claim(NAME, "fit", "gone", later, last, lives), "a claim ends at its time"
    assert store.claim(NAME, "fit", "two", later, last, lives), "a claim ends with its owner"
    store.release(NAME, "fit", "one")
    assert not store.claim(NAME, "fit", "three", later, last, lives), "only the owner releases"
    store.release(NAME, "fit", "two")
    assert store.claim(NAME, "fit", "three", later, last, lives)


PROMISES: Sequence[Callable[[Any], None]] = (
    reads_what_was_written,
    refuses_a_stale_position,
    refuses_a_repeated_request,
    refuses_a_broken_chain,
    tells_unknown_campaigns,
    keeps_campaigns_apart,
    writes_all_or_nothing,
    folds_in_halves,
    serves_several_writers,
    offers_more_rightly,
)


class Crash(BaseException):
    """What CrashingStore raises: no error that anybody handles."""


@dataclass
class CrashingStore:
    """A store that dies at its `at`-th append (0 first): before, after, or inside after a number of statements.

    It raises Crash, or with `kill` ends the process by signal 9. Inside needs a store with an SQLAlchemy `engine`.
    """

    store: Any
    at: int
    when: str = "before"
    statement: int = 1
    kill: bool = False
    appends: int = 0

    def append(self, campaign: str, events: Sequence[Event], after: int) -> int:
        """The store's append, or death."""
        mine, self.appends = self.appends == self.at, self.appends + 1
        if mine and self.when == "before":
            self._die()
        if mine and self.when == "inside":
            return self._append_and_die(campaign, events, after)
        position = self.store.append(campaign, events, after)
        if mine and self.when == "after":
            self._die()
        return position

    def read(self, campaign: str, after: int = 0, limit: int | None = None) -> Iterator[Event]:
        """The store's."""
        return self.store.read(campaign, after, limit)

    def campaigns(self) -> Any:
        """The store's."""
        return self.store.campaigns()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def _append_and_die(self, campaign: str, events: Sequence[Event], after: int) -> int:
        from sqlalchemy import event

        done = 0

        def count(*_: Any) -> None:
            nonlocal done
            done += 1
            if done == self.statement:
                self._die()

        event.listen(self.store.engine, "after_cursor_execute", count)
        try:
            return self.store.append(campaign, events, after)
        except Crash:
            pass  # its traceback holds the driver's cursors, and they the lock: a new one is raised below
        finally:
            event.remove(self.store.engine, "after_cursor_execute", count)
        gc.collect()
        raise Crash

    def _die(self) -> None:
        if self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        raise Crash


def _created() -> Created:
    pool = {"n": 100, "fingerprint": "0" * 64, "key": None, "columns": []}
    return Created(
        name="alloys", task="regression", pool=pool, target={"name": "strength", "kind": "number"}, recipe={}, seed=0,
        batch=5, lease_s=1800.0, cost={"unit": "h", "row": 1.0}, budget=None, annotation={}, stopping={}, show={},
        versions={"strongsuit": "0"},
    )  # fmt: skip


def _refused(store: Store, events: Sequence[Event], after: int, error: type[Exception]) -> None:
    before = [line_of(event) for event in store.read(NAME)]
    try:
        store.append(NAME, events, after=after)
    except error:
        assert [line_of(event) for event in store.read(NAME)] == before, "a refused append left something behind"
        return
    raise AssertionError(f"an append after {after} is not {error.__name__}")


def _write(store: Store, by: str) -> None:
    """Tells TELLS rows, reading and deciding again after each Conflict."""
    for row in range(TELLS):
        while True:
            last = max(store.read(NAME), key=lambda event: event.position)
            body = Told(row, 1.0, False, 1.0, None, "")
            events = sealed([body], after=last.position, before=last.digest, at=AT, by=by, request=None)
            try:
                store.append(NAME, events, after=last.position)
                break
            except Conflict:
                continue
