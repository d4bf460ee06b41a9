"""What a request id answers the second time: what it answered the first time, or RequestMismatch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from strongsuit.campaign import commands as co
from strongsuit.campaign import events as ev
from strongsuit.campaign.asking import Query
from strongsuit.campaign.chain import Event, canonical
from strongsuit.campaign.labels import checked_label
from strongsuit.campaign.state import State, proposal_of
from strongsuit.campaign.telling import Receipt
from strongsuit.errors import InputError, RequestMismatch

_NOTED = (ev.Expired, ev.Proposed, ev.Assessed)  # what a verb writes besides what it was asked for


def repeated(state: State, command: Any, events: Sequence[Event]) -> Any:
    """The recorded outcome of a request; RequestMismatch if the command says something else than it did then."""
    wrote, says = {one for event in events for one in _wrote(event)}, _says(state, command)
    strange = isinstance(command, co.Tell) and any(
        command.by not in state.answers.get(row, ()) for _, row, _ in says - wrote
    )
    if any(event.by != command.by for event in events) or not wrote <= says or strange:
        raise RequestMismatch(
            f"request {command.request!r} was used by {events[0].by} at position {events[0].position} for something "
            "else: take a new request id"
        )
    if isinstance(command, co.Ask):
        return _query(state, [event.body for event in events if isinstance(event.body, ev.Asked)])
    if isinstance(command, co.Prepare):
        return True
    return Receipt(events[-1].position, (), tuple(getattr(command, "rows", None) or ()))


def _wrote(event: Event) -> list[tuple[Any, ...]]:
    """What an event says that its command must say too."""
    body = event.body
    if isinstance(body, _NOTED):
        return []
    if isinstance(body, ev.Told | ev.Revised):
        return [(event.kind, body.row, body.value)]
    if isinstance(body, ev.Skipped | ev.Failed):
        return [(event.kind, body.row, body.reason)]
    if isinstance(body, ev.Excluded):
        return [(event.kind, row, body.back) for row in body.rows]
    if isinstance(body, ev.Queued):
        return [(event.kind, row) for row in body.rows]
    if isinstance(body, ev.Amended):
        return [(event.kind, name, canonical(value)) for name, value in body.set.items()]
    if isinstance(body, ev.Closed):
        return [(event.kind, body.open)]
    return [(event.kind,)]


def _says(state: State, command: Any) -> set[tuple[Any, ...]]:
    """The same of a command."""
    if isinstance(command, co.Ask | co.Prepare):
        return {("Asked",), ("Renewed",), ("Closed", False)}
    if isinstance(command, co.Tell):
        return {("Told", one.row, _value(state, one.value, one.row)) for one in command.answers}
    if isinstance(command, co.Revise):
        value = None if command.value is None else _value(state, command.value, command.row)
        return {("Revised", command.row, value)}
    if isinstance(command, co.Skip):
        return {("Skipped", row, command.reason) for row in command.rows}
    if isinstance(command, co.Fail):
        return {("Failed", command.row, command.reason)}
    if isinstance(command, co.Exclude):
        return {("Excluded", row, command.back) for row in command.rows}
    if isinstance(command, co.Queue):
        return {("Queued", row) for row in command.rows}
    if isinstance(command, co.Amend):
        return {("Amended", name, canonical(value)) for name, value in command.set.items()}
    if isinstance(command, co.Release):
        return set()  # what it writes is what `ask` writes of leases that ran out
    return {("Renewed",)} if isinstance(command, co.Renew) else {("Closed", command.open)}


def _value(state: State, value: Any, row: int) -> Any:
    try:
        return checked_label(state.rules, value, row)
    except InputError:
        return ("not a label", repr(value))  # equals nothing that was written


def _query(state: State, asked: Sequence[ev.Asked]) -> Query:
    rows = tuple(row for body in asked for row in body.rows)
    said = [proposal_of(state, row) for row in rows]
    return Query(
        rows=rows,
        keys=tuple(one.key if one else None for one in said),
        rank=tuple(one.rank if one else None for one in said),
        source=tuple(state.sources.get(row, ("queued",))[0] for row in rows),
        why=tuple(one.why if one else "" for one in said),
        until=min(body.until for body in asked),
    )
