"""Whether a journal is whole, and whether its proposals come out again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from strongsuit.campaign.chain import linked
from strongsuit.campaign.events import Proposed, Rows
from strongsuit.campaign.snapshot import state_from
from strongsuit.campaign.state import State, advance
from strongsuit.campaign.store import Store, kept_snapshot
from strongsuit.campaign.view import Proposer, View, view_of
from strongsuit.errors import JournalBroken, StrongsuitError

EQUAL, DIFFERS, IMPOSSIBLE = "equal", "differs", "impossible"


@dataclass(frozen=True)
class Verdict:
    """Of one round whether its proposal came out again: equal, differs or impossible, and what was found."""

    round: int
    basis: int
    verdict: str
    detail: str = ""


def verify_journal(store: Store, campaign: str, until: int | None = None) -> State:
    """The state folded from the start, up to a position; JournalBroken for a broken chain or a wrong snapshot."""
    state, snapshot = State(), kept_snapshot(store, campaign)
    for event in linked(store.read(campaign, limit=until)):
        advance(state, [event])
        if snapshot and snapshot.position == event.position:
            read = state_from(snapshot)
            if read is not None and read != state:
                raise JournalBroken(f"the snapshot at position {event.position} is not what the journal says")
    return state


def verify_proposals(store: Store, campaign: str, proposer: Proposer) -> list[Verdict]:
    """A verdict a round: its rows and dropped rows against those proposed again from the journal up to its basis."""
    proposed = [event.body for event in store.read(campaign) if isinstance(event.body, Proposed)]
    views = _views(store, campaign, {(body.basis, body.kept) for body in proposed})
    return [_verdict(body, views.get((body.basis, body.kept)), proposer) for body in proposed]


def _views(store: Store, campaign: str, wanted: set[tuple[int, Rows]]) -> dict[tuple[int, Rows], View]:
    """What a proposer saw at each of the positions, with what was left of the slate there."""
    state, views = State(), {}
    for event in store.read(campaign):
        advance(state, [event])
        for basis, kept in wanted:
            if basis == event.position:
                views[basis, kept] = view_of(state.copy(), ahead=kept)
    return views


def _verdict(body: Proposed, view: View | None, proposer: Proposer) -> Verdict:
    if view is None:
        return Verdict(body.round, body.basis, IMPOSSIBLE, "the journal has no such position")
    recorded = [one.row for one in body.rows]
    try:
        again = proposer.propose(view, body.b or len(recorded) + len(body.dropped), body.round)
    except (StrongsuitError, ImportError, OSError) as error:
        return Verdict(body.round, body.basis, IMPOSSIBLE, str(error))
    rows = [one.row for one in sorted(again.rows, key=lambda one: one.rank)]
    kept: list[Any] = [row for row in rows if row not in body.dropped]
    if kept == recorded and set(rows) == {*recorded, *body.dropped}:
        return Verdict(body.round, body.basis, EQUAL)
    return Verdict(body.round, body.basis, DIFFERS, f"recorded {recorded[:10]}, now {rows[:10]}")
