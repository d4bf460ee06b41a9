"""What a labeller does: the row in hand with the next one leased ahead, and what comes back from them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from strongsuit.campaign.aggregate import Answer
from strongsuit.campaign.asking import live_leases
from strongsuit.campaign.chain import stamp
from strongsuit.campaign.events import Asked
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.state import Lease, State, proposal_of
from strongsuit.errors import CampaignClosed, NothingToAsk
from strongsuit.web.auth import Visitor
from strongsuit.web.jobs import Job, Jobs
from strongsuit.web.problems import Refused, problem_of

IN_HAND = 2  # the row that is shown, and the next
MOST_IN_HAND = 6  # also when a browser still holds back answers


@dataclass(frozen=True)
class Turn:
    """The row that a labeller has before them until a time; without one the fit they wait for, or why there is none."""

    row: int | None = None
    until: str = ""
    waiting: bool = False
    nothing: str = ""
    closed: bool = False


def turn_of(campaign: Campaign, jobs: Jobs, by: str, sent: Collection[int] = ()) -> Turn:
    """The labeller's turn; `sent` are rows whose answers are on their way. Leases the next row ahead."""
    held = [row for row, _ in leases_held(campaign, by)]
    lacks = min(IN_HAND - sum(row not in sent for row in held), MOST_IN_HAND - len(held))
    waiting, nothing, closed = False, "", False
    if lacks > 0:
        try:
            waiting = isinstance(jobs.handed(campaign, by, lacks, more=True), Job)
        except NothingToAsk as error:
            nothing, closed = problem_of(error).text, isinstance(error, CampaignClosed)
        except Refused as error:
            nothing = error.text
    first = next(((row, lease) for row, lease in leases_held(campaign, by) if row not in sent), None)
    if first is None:
        return Turn(waiting=waiting, nothing=nothing, closed=closed)
    return Turn(first[0], first[1].until)


def leases_held(campaign: Campaign, by: str) -> list[tuple[int, Lease]]:
    """The rows leased to somebody, in the order in which they were handed out."""
    with campaign.desk.lock:
        state = campaign.state
        live = live_leases(state, stamp(campaign.desk.clock()))
        held = [(row, state.leases[row][by]) for row, holders in live.items() if by in holders]
        return sorted(held, key=lambda one: (one[1].at, _rank(state, one[0]), one[0]))


def _rank(state: State, row: int) -> int:
    said = proposal_of(state, row)
    return said.rank if said else -1


def last_answer(state: State, by: str) -> tuple[int, Answer] | None:
    """The row that somebody answered last, with the answer."""
    own = ((row, held[by]) for row, held in state.answers.items() if by in held)
    return max(own, key=lambda one: one[1].position, default=None)


def check_own(campaign: Campaign, visitor: Visitor, rows: Collection[int]) -> None:
    """Refused if a labeller names a row that was never theirs; an owner may name any."""
    if visitor.owns:
        return
    with campaign.desk.lock:
        state = campaign.state
        own = {row for row in rows if visitor.name in {**state.leases.get(row, {}), **state.answers.get(row, {})}}
    strange = set(rows) - own
    if strange:  # the lease may be over: what it was for still comes in late
        for event in campaign.journal():
            if isinstance(event.body, Asked) and event.body.to == visitor.name:
                strange.difference_update(event.body.rows)
    if strange:
        raise Refused(403, "NotYours", f"Row {min(strange, key=str)} was not asked of you.")


def progress_of(state: State, by: str) -> dict[str, int]:
    """How far this person, the open round and the campaign are."""
    with_label = sum(1 for row in state.slate if row in state.labels)
    return {
        "own": sum(1 for held in state.answers.values() if by in held),
        "labelled": len(state.labels),
        "rows": state.rules.rows,
        "round": state.round,
        "round_done": with_label,
        "round_size": len(state.slate),
    }
