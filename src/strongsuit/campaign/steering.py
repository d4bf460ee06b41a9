"""The decisions of the owner's verbs: exclude, restore, queue, renew, release, amend, close and reopen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from strongsuit.campaign import events as ev
from strongsuit.campaign.asking import Decided
from strongsuit.campaign.chain import moment, stamp
from strongsuit.campaign.commands import Amend, Close, Exclude, Queue, Release, Renew
from strongsuit.campaign.rules import check_pool, check_settings
from strongsuit.campaign.state import EXCLUDED, FAILED, SKIPPED, State, lacking, state_of
from strongsuit.campaign.telling import Receipt, check_rows
from strongsuit.errors import InputError, PoolMismatch

FIXED = ("task", "seed")  # what a campaign is; another of these is another campaign


def decide_exclude(state: State, command: Exclude, now: datetime) -> Decided:
    """Rows never to be used; with `back` usable again, their skips and failures forgotten."""
    check_rows(state, command.rows)
    if command.back:
        rows = [row for row in command.rows if row in state.excluded or row in state.skips or row in state.failures]
    else:
        rows = [row for row in command.rows if row not in state.excluded]
    rows = list(dict.fromkeys(rows))
    return _done(state, [ev.Excluded(tuple(rows), command.reason, command.back)] if rows else [], rows, command.rows)


def decide_queue(state: State, command: Queue, now: datetime) -> Decided:
    """Rows that are handed out before the slate; InputError for rows that cannot be asked for."""
    check_rows(state, command.rows)
    for row in command.rows:
        now_ = state_of(state, row)
        if now_ in (EXCLUDED, FAILED, SKIPPED):
            raise InputError(f"row {row} is {now_}: `restore` brings it back")
        if row in state.answers and lacking(state, row) <= 0:
            raise InputError(f"row {row} has the answers it needs: `revise` one, or `amend` the overlap")
    new = [row for row in dict.fromkeys(command.rows) if row not in state.queued]
    return _done(state, [ev.Queued(tuple(new), command.note)] if new else [], new, command.rows)


def decide_renew(state: State, command: Renew, now: datetime) -> Decided:
    """Leases that end later: those with less than half their time left, so that events are few."""
    mine = {row: held[command.by] for row, held in state.leases.items() if command.by in held}
    lost = [row for row in command.rows or () if row not in mine]
    if lost:
        raise InputError(
            f"row {lost[0]} is not leased to {command.by}: `ask` leases rows, a late answer is still taken"
        )
    wanted = command.rows if command.rows is not None else tuple(mine)
    half = timedelta(seconds=state.rules.lease_s / 2)
    rows = [row for row in dict.fromkeys(wanted) if moment(mine[row].until) - now <= half]
    until = stamp(now + timedelta(seconds=state.rules.lease_s))
    return _done(state, [ev.Renewed(tuple(rows), command.by, until)] if rows else [], rows, wanted)


def decide_release(state: State, command: Release, now: datetime) -> Decided:
    """Leases that end before their time: their rows go to the next who asks, and a late answer still counts."""
    held = {row for row, holders in state.leases.items() if command.to in holders}
    wanted = tuple(sorted(held)) if command.rows is None else command.rows
    check_rows(state, wanted)
    rows = [row for row in dict.fromkeys(wanted) if row in held]
    return _done(state, [ev.Expired(tuple(rows), command.to)] if rows else [], rows, wanted)


def decide_close(state: State, command: Close, now: datetime) -> Decided:
    """The campaign closed or opened again; nothing if it is already."""
    same = state.closed != command.open
    return _done(state, [] if same else [ev.Closed(command.reason, command.open)], [], ())


def decide_amend(state: State, command: Amend, now: datetime) -> Decided:
    """Other settings from now on; InputError for those that are fixed or make no sense, PoolMismatch for a pool."""
    allowed = [name for name in ev.Created.__slots__ if name not in FIXED]  # type: ignore[attr-defined]
    wrong = [name for name in command.set if name not in allowed]
    if wrong:
        raise InputError(f"{wrong[0]!r} cannot be amended; these can: {', '.join(allowed)}")
    changes = {name: value for name, value in command.set.items() if value != state.settings.get(name)}
    if not changes:
        return _done(state, [], [], ())
    try:
        ev.Created(**{**state.settings, **changes})
    except TypeError as error:
        raise InputError(f"amend: {error}") from error
    check_settings({**state.settings, **changes})
    _check_target(state, changes.get("target"))
    if "pool" in changes:
        _check_growth(state, command, changes["pool"])
    return _done(state, [ev.Amended(changes, command.reason)], [], ())


def _check_target(state: State, target: Mapping[str, Any] | None) -> None:
    """InputError for a target that labels already given do not fit."""
    if target is None:
        return
    if target["kind"] != state.rules.kind or target["name"] != state.settings["target"]["name"]:
        raise InputError("target: name and kind are what the labels mean; create another campaign for another target")
    used = {label.value for label in state.labels.values()} if state.rules.kind == "class" else set()
    lost = sorted(used - set(target.get("classes") or ()))
    if lost:
        raise InputError(f"target.classes lacks {lost[0]!r}, which rows are labelled with; classes can be added")


def _check_growth(state: State, command: Amend, pool: Mapping[str, Any]) -> None:
    """PoolMismatch unless the old pool is the beginning of the new one, or a change is owned up to, with a reason."""
    check_pool(pool)
    old = state.settings["pool"]
    if not command.reason:
        raise PoolMismatch(f"{mismatch(old, pool)}: another pool needs a reason, which the journal keeps")
    if pool["n"] < old["n"]:
        raise PoolMismatch(
            f"the new pool has {pool['n']} rows, the old one {old['n']}: rows are excluded, never removed"
        )
    if not command.changed and tuple(command.proof or ()) != tuple(old.get("chunks", ())):
        raise PoolMismatch(
            f"{mismatch(old, pool)}: the old rows must be the first of the new pool, unchanged; "
            "if a row still means the same thing, say so with changed=True"
        )


def mismatch(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """In words what differs between the descriptions of two pools: columns, rows, or the first changed chunk."""
    ours, theirs = (
        {(one["name"], one["type"]) for one in pool.get("columns", ()) if one.get("role") not in ("ignore", "target")}
        for pool in (old, new)
    )
    if ours != theirs:
        gone, came = (sorted(name for name, _ in side) for side in (ours - theirs, theirs - ours))
        return f"columns differ (gone or of another type: {gone}; new or of another type: {came})"
    if old["n"] != new["n"]:
        return f"the pool has {new['n']} rows instead of {old['n']}"
    size = int(old.get("chunk_rows", 65_536))
    for i, (one, other) in enumerate(zip(old.get("chunks", ()), new.get("chunks", ()), strict=False)):
        if one != other:
            return f"cells differ in rows {i * size} to {min((i + 1) * size, old['n']) - 1}"
    return "the fingerprint differs"


def _done(state: State, bodies: Sequence[Any], rows: Sequence[int], given: Sequence[int]) -> Decided:
    repeated = tuple(row for row in given if row not in rows)
    return Decided(tuple(bodies), Receipt(state.position + len(bodies), tuple(rows), repeated))
