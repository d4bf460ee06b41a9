"""The decisions of `tell`, `skip`, `fail` and `revise`: what comes back from those who were asked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from numbers import Real
from typing import Any, NamedTuple

from strongsuit.campaign import events as ev
from strongsuit.campaign.asking import Decided
from strongsuit.campaign.chain import stamp
from strongsuit.campaign.commands import Fail, Given, Revise, Skip, Tell
from strongsuit.campaign.labels import checked_label
from strongsuit.campaign.state import State
from strongsuit.errors import AlreadyTold, InputError, InvalidLabel, UnknownRow

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)  # before a failed row is due again


class Rejected(NamedTuple):
    """An answer that was not written, with the name of the error and what it says."""

    row: Any
    error: str
    message: str


@dataclass(frozen=True)
class Receipt:
    """What a verb wrote: the position of the journal after it, the rows written, and those that changed nothing."""

    position: int
    rows: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def decide_tell(state: State, command: Tell, now: datetime) -> Decided:
    """The answers written, all or none; with `partial` those that are right."""
    good: dict[int, tuple[Given, Any]] = {}
    repeated: list[int] = []
    rejected: list[Rejected] = []
    for given in command.answers:
        try:
            value = _answer(state, command.by, given, good)
        except InputError as error:
            if not command.partial:
                raise
            rejected.append(Rejected(given.row, type(error).__name__, str(error)))
            continue
        if value is None:
            repeated.append(given.row)
        else:
            good[given.row] = (given, value)
    costs = expected_costs(state, command, tuple(good))
    bodies = tuple(
        _told(state, given, value, expected) for (given, value), expected in zip(good.values(), costs, strict=True)
    )
    position = state.position + len(bodies)
    return Decided(bodies, Receipt(position, tuple(good), tuple(repeated), tuple(rejected)))


def _answer(state: State, by: str, given: Given, good: dict[int, tuple[Given, Any]]) -> Any:
    """The answer's value in the journal's form, or None if it is there already; an InputError for a bad one."""
    check_rows(state, (given.row,))
    value = checked_label(state.rules, given.value, given.row)
    _check_amount("cost", given.cost, given.row)
    _check_amount("seconds", given.seconds, given.row)
    if given.row in good:
        if good[given.row][1] != value:
            raise InvalidLabel(f"row {given.row} came twice, as {good[given.row][1]!r} and as {value!r}")
        return None
    before = state.answers.get(given.row, {}).get(by)
    if before is None:
        return value
    if before.value != value:
        raise AlreadyTold(
            f"row {given.row}: {by} said {before.value!r} before and says {value!r} now; `revise` replaces an answer"
        )
    return None


def _told(state: State, given: Given, value: Any, expected: float) -> ev.Told:
    cost = expected if given.cost is None else given.cost
    seconds = None if given.seconds is None else float(given.seconds)
    return ev.Told(given.row, value, given.row in state.asked, float(cost), seconds, given.note)


def decide_skip(state: State, command: Skip, now: datetime) -> Decided:
    """The rows skipped by this annotator; InputError for a row that it has answered."""
    check_rows(state, command.rows)
    answered = [row for row in command.rows if command.by in state.answers.get(row, ())]
    if answered:
        raise InputError(f"row {answered[0]}: {command.by} has answered it; `revise` with no value withdraws an answer")
    new = [row for row in dict.fromkeys(command.rows) if command.by not in state.skips.get(row, ())]
    return _done(state, [ev.Skipped(row, command.reason) for row in new], new, command.rows)


def decide_fail(state: State, command: Fail, now: datetime) -> Decided:
    """The failure, due again later, or for good after `retries` repeats. A label afterwards wins."""
    check_rows(state, (command.row,))
    _check_amount("cost", command.cost, command.row)
    if command.row in state.labels and command.by not in state.leases.get(command.row, ()):
        raise InputError(
            f"row {command.row} is labelled: `revise` with no value withdraws an answer, `exclude` the row"
        )
    before = state.failures.get(command.row)
    attempt = (before.attempt if before else 0) + 1
    final = command.final or attempt > command.retries
    wait = min(2 ** min(attempt, 20) * FIRST_WAIT, LONGEST_WAIT)
    expected = expected_costs(state, command, (command.row,))[0] if state.rules.fail_costs else 0.0
    body = ev.Failed(
        row=command.row, reason=command.reason, final=final, attempt=attempt,
        cost=float(expected if command.cost is None else command.cost), retry_at=None if final else stamp(now + wait),
    )  # fmt: skip
    return _done(state, [body], [command.row], (command.row,))


def decide_revise(state: State, command: Revise, now: datetime) -> Decided:
    """Another value for an answer, or none: one's own, or as owner anybody's."""
    check_rows(state, (command.row,))
    whose = command.of if command.of is not None else command.by
    if whose != command.by and state.rules.owners and command.by not in state.rules.owners:
        raise InputError(
            f"of={whose!r}: only an owner ({', '.join(sorted(state.rules.owners))}) revises others' answers"
        )
    answer = state.answers.get(command.row, {}).get(whose)
    if answer is None:
        raise InputError(f"row {command.row} has no answer of {whose} to revise; `tell` gives one")
    value = None if command.value is None else checked_label(state.rules, command.value, command.row)
    if value == answer.value:
        return _done(state, [], [], (command.row,))
    body = ev.Revised(command.row, answer.position, value, command.note)
    return _done(state, [body], [command.row], (command.row,))


def expected_costs(state: State, command: Tell | Fail, rows: Sequence[int]) -> list[float]:
    """What the rows were expected to cost: as their leases say, else as the command's prices do."""
    leased = {row: state.leases.get(row, {}).get(command.by) for row in rows}
    others = [row for row in rows if leased[row] is None]
    prices = dict(zip(others, command.costs(others) if others else (), strict=True))
    return [float(lease.cost if lease else prices[row]) for row, lease in leased.items()]


def check_rows(state: State, rows: Sequence[Any]) -> None:
    """UnknownRow unless all are numbers of pool rows."""
    bad = [row for row in rows if type(row) is not int or not 0 <= row < state.rules.rows]
    if bad and isinstance(bad[0], str):
        raise UnknownRow(f"key {bad[0]!r} is not in the pool, which has {state.rules.rows} rows")
    if bad:
        raise UnknownRow(f"row {bad[0]!r}: the pool has rows 0 to {state.rules.rows - 1}")


def _check_amount(name: str, amount: Any, row: int) -> None:
    right = isinstance(amount, Real) and not isinstance(amount, bool) and math.isfinite(amount) and float(amount) >= 0
    if amount is not None and not right:
        raise InputError(f"row {row}: {name} must be a number of 0 or more, got {amount!r}")


def _done(state: State, bodies: Sequence[Any], rows: Sequence[int], given: Sequence[int]) -> Decided:
    """The events with their receipt."""
    repeated = tuple(row for row in given if row not in rows)
    return Decided(tuple(bodies), Receipt(state.position + len(bodies), tuple(rows), repeated))
