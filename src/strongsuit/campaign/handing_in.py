"""Filled lines -> the journal: tells in one append a person, then what was revised, skipped and failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strongsuit.campaign.commands import MAX_REPEATS, Given
from strongsuit.campaign.filled import FAIL, REVISE, SKIP, TELL, Line
from strongsuit.campaign.service import Campaign


@dataclass(frozen=True)
class HandedIn:
    """How many lines were written as what, how many changed nothing, and the journal's position afterwards."""

    told: int = 0
    revised: int = 0
    skipped: int = 0
    failed: int = 0
    repeated: int = 0
    position: int = 0


def hand_in(
    campaign: Campaign, lines: Sequence[Line], *, retries: int = MAX_REPEATS, request: str | None = None
) -> HandedIn:
    """What was written of lines that were checked; what the journal says already changes nothing.

    `request` is the id of the first append of answers, and begins those of the others: one a person.
    """
    wrote = dict.fromkeys((TELL, REVISE, SKIP, FAIL), 0)
    for place, by in enumerate(dict.fromkeys(line.by for line in lines if line.do == TELL)):
        given = [
            Given(one.row, one.value, one.cost, None, one.note) for one in lines if one.do == TELL and one.by == by
        ]
        id_ = f"{request} {place}" if request and place else request
        wrote[TELL] += len(campaign.tell(given, by=by, request=id_, by_row=True).rows)
    for line in lines:
        if line.do == REVISE:
            done = campaign.revise(line.row, line.value, note=line.note, by=line.by, by_row=True)
            wrote[REVISE] += len(done.rows)
        elif line.do == SKIP and line.by not in campaign.state.answers.get(line.row, ()):
            wrote[SKIP] += len(campaign.skip(line.row, reason=line.note, by=line.by, by_row=True).rows)
        elif line.do == FAIL and _is_news(campaign, line):
            reason = line.note or "no reason given"
            campaign.fail(line.row, reason=reason, cost=line.cost, retries=retries, by=line.by, by_row=True)
            wrote[FAIL] += 1
    count = len(lines) - sum(wrote.values())
    return HandedIn(wrote[TELL], wrote[REVISE], wrote[SKIP], wrote[FAIL], count, campaign.state.position)


def _is_news(campaign: Campaign, line: Line) -> bool:
    """Whether a failure is not the one that the journal has: the row never failed, or is leased to this person anew."""
    state = campaign.state
    if line.row in state.labels and line.by not in state.leases.get(line.row, ()):
        return False
    return line.row not in state.failures or line.by in state.leases.get(line.row, ())
