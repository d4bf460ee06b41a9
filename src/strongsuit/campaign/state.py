"""Events -> the state of a campaign: a total, pure fold. What is allowed is decided before; here facts are only kept.

Facts are kept for rows that something happened to, in one dictionary a kind of fact, so that a pool of a million
untouched rows costs nothing. The state of a row is derived from its facts. Time is never read: leases end by events.
Inner dictionaries are replaced, never changed, so that a copy of the state is a copy of the outer ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any, NamedTuple

from strongsuit.campaign import events as ev
from strongsuit.campaign.aggregate import Answer, Label, aggregate
from strongsuit.campaign.chain import ZERO, Event
from strongsuit.campaign.rules import Rules, rules_of

EXCLUDED, LABELLED, FAILED, PENDING = "excluded", "labelled", "failed", "pending"
SKIPPED, UNLABELLED = "skipped", "unlabelled"
STATES = (UNLABELLED, LABELLED, PENDING, SKIPPED, FAILED, EXCLUDED)


class Lease(NamedTuple):
    """A row handed to somebody at `at` until `until`; `cost` is what it is expected to cost."""

    until: str
    at: str
    round: int | None
    cost: float


class Failure(NamedTuple):
    """The last failure of a row; unless final the row is due again at `retry_at`."""

    reason: str
    final: bool
    attempt: int
    retry_at: str | None


class Request(NamedTuple):
    """The positions of what a request id wrote."""

    first: int
    last: int


@dataclass
class State:
    """Everything the journal says; see the module. Only the functions of this module change it."""

    position: int = 0
    digest: str = ZERO
    settings: dict[str, Any] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    closed: bool = False
    round: int = 0
    answers: dict[int, dict[str, Answer]] = field(default_factory=dict)
    labels: dict[int, Label] = field(default_factory=dict)
    leases: dict[int, dict[str, Lease]] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)
    skips: dict[int, frozenset[str]] = field(default_factory=dict)
    excluded: dict[int, str] = field(default_factory=dict)
    revised: dict[int, int] = field(default_factory=dict)  # row -> position of the last revision
    queued: dict[int, int] = field(default_factory=dict)  # row -> position, in the order of queueing
    begun: dict[int, int] = field(default_factory=dict)  # row -> position: asked for, and answers still wanted
    asked: dict[int, int | None] = field(default_factory=dict)  # row -> round in which it was last asked for
    slate: dict[int, ev.Chosen] = field(default_factory=dict)  # the open round's rows by rank
    chosen: dict[int, ev.Chosen] = field(default_factory=dict)  # the same of older rounds, while somebody holds them
    sources: dict[int, tuple[str, int]] = field(default_factory=dict)  # row -> source and round of its proposal
    rounds: list[dict[str, Any]] = field(default_factory=list)  # of each round what it was, without its rows
    curve: list[dict[str, Any]] = field(default_factory=list)
    spent: Fraction = Fraction(0)  # exact, so that the order of answers cannot show in the last bit
    requests: dict[str, Request] = field(default_factory=dict)

    def copy(self) -> State:
        """A state that can be folded further without changing this one."""
        held = {one.name: getattr(self, one.name) for one in fields(self)}
        return State(**{name: value.copy() if hasattr(value, "copy") else value for name, value in held.items()})


def replay(events: Iterable[Event], state: State | None = None) -> State:
    """The state after the events; the one given stays as it is."""
    return advance(State() if state is None else state.copy(), events)


def apply(state: State, event: Event) -> State:
    """The state after one event; the one given stays as it is."""
    return replay([event], state)


def advance(state: State, events: Iterable[Event]) -> State:
    """The same state, folded further in place: for its one owner."""
    for event in events:
        _FOLDS[type(event.body)](state, event, event.body)
        state.position, state.digest = event.position, event.digest
        if not event.request.startswith("@"):  # those name themselves; nobody can send them again
            known = state.requests.get(event.request)
            state.requests[event.request] = Request(known.first if known else event.position, event.position)
    return state


def state_of(state: State, row: int) -> str:
    """The state of a row: excluded before labelled before failed before pending before skipped before unlabelled."""
    if row in state.excluded:
        return EXCLUDED
    if row in state.labels:
        return LABELLED
    if row in state.failures and state.failures[row].final:
        return FAILED
    if row in state.leases:
        return PENDING
    if len(state.skips.get(row, ())) >= state.rules.skip_limit:
        return SKIPPED
    return UNLABELLED


def touched(state: State) -> set[int]:
    """The rows whose state may be another than unlabelled."""
    return set().union(state.excluded, state.labels, state.failures, state.leases, state.skips)


def counts(state: State) -> dict[str, int]:
    """How many rows are in each state."""
    found = dict.fromkeys(STATES, 0)
    rows = touched(state)
    for row in rows:
        found[state_of(state, row)] += 1
    found[UNLABELLED] += max(0, state.rules.rows - len(rows))
    return found


def disputed(state: State, row: int) -> bool:
    """Whether the row has answers that make no label."""
    return row in state.answers and row not in state.labels


def wanted(state: State, row: int) -> int:
    """How many answers the row should have: one more than it has where they are a tie, up to `overlap_max`."""
    if disputed(state, row):
        return max(state.rules.overlap, min(len(state.answers[row]) + 1, state.rules.overlap_max))
    return state.rules.overlap


def lacking(state: State, row: int) -> int:
    """How many answers the row still wants, those that are being worked on not counted."""
    return wanted(state, row) - len(state.answers.get(row, ()))


def usable(state: State, row: int) -> bool:
    """Whether the row may be asked for at all, by somebody, at some time."""
    return state_of(state, row) not in (EXCLUDED, FAILED, SKIPPED)


def waiting(state: State, row: int) -> bool:
    """Whether the row failed and is due again later."""
    return row in state.failures and not state.failures[row].final and row in state.begun


def committed(state: State) -> Fraction:
    """The expected cost of the leases there are."""
    return sum((Fraction(lease.cost) for held in state.leases.values() for lease in held.values()), Fraction(0))


def proposal_of(state: State, row: int) -> ev.Chosen | None:
    """What the proposal said of the row, if it is of the open round or somebody holds it."""
    return state.slate.get(row) or state.chosen.get(row)


def relabel(state: State) -> None:
    """Derives the labels of all rows anew from their answers."""
    found = {row: _aggregate(state, row) for row in state.answers}
    state.labels = {row: label for row, label in found.items() if label is not None}


def _created(state: State, event: Event, body: ev.Created) -> None:
    if not state.settings:
        _set(state, ev.json_of(body))


def _amended(state: State, event: Event, body: ev.Amended) -> None:
    _set(state, {**state.settings, **body.set})


def _set(state: State, settings: dict[str, Any]) -> None:
    before, state.settings, state.rules = state.rules, settings, rules_of(settings)
    same = (before.aggregate, before.owners, before.overlap, before.overlap_max)
    if same != (state.rules.aggregate, state.rules.owners, state.rules.overlap, state.rules.overlap_max):
        for row in list(state.answers):
            _label(state, row)


def _proposed(state: State, event: Event, body: ev.Proposed) -> None:
    state.chosen = {row: one for row, one in (state.chosen | state.slate).items() if row in state.begun}
    kept = {row: state.slate[row] for row in body.kept if row in state.slate}
    state.slate = kept | {one.row: one for one in sorted(body.rows, key=lambda one: one.rank)}
    state.sources.update({one.row: (one.source, body.round) for one in body.rows})
    state.round = max(state.round, body.round)
    about = {name: value for name, value in ev.json_of(body).items() if name != "rows"}
    more = {
        "dropped": list(body.dropped),
        "kept": list(body.kept),
        "size": len(body.rows),
        "position": event.position,
        "at": event.at,
    }
    state.rounds.append({**about, **more})


def _assessed(state: State, event: Event, body: ev.Assessed) -> None:
    state.curve.append({**ev.json_of(body), "round": state.round})


def _asked(state: State, event: Event, body: ev.Asked) -> None:
    costs = body.costs if len(body.costs) == len(body.rows) else (0.0,) * len(body.rows)
    for row, cost in zip(body.rows, costs, strict=True):
        lease = Lease(body.until, event.at, body.round, cost)
        state.leases[row] = {**state.leases.get(row, {}), body.to: lease}
        state.asked[row] = body.round
        state.queued.pop(row, None)
        state.begun.setdefault(row, event.position)


def _renewed(state: State, event: Event, body: ev.Renewed) -> None:
    for row in body.rows:
        held = state.leases.get(row, {})
        if body.to in held:
            state.leases[row] = {**held, body.to: held[body.to]._replace(until=body.until, at=event.at)}


def _expired(state: State, event: Event, body: ev.Expired) -> None:
    for row in body.rows:
        _end_lease(state, row, body.to)


def _told(state: State, event: Event, body: ev.Told) -> None:
    _end_lease(state, body.row, event.by)
    state.spent += Fraction(body.cost)
    if body.value is None:
        return
    answer = Answer(event.by, body.value, event.position, event.at, body.cost, body.asked)
    state.answers[body.row] = {**state.answers.get(body.row, {}), event.by: answer}
    _label(state, body.row)


def _revised(state: State, event: Event, body: ev.Revised) -> None:
    held = state.answers.get(body.row, {})
    old = next((answer for answer in held.values() if answer.position == body.of), None)
    if old is None:
        return
    rest = {by: answer for by, answer in held.items() if by != old.by}
    if body.value is not None:
        rest[old.by] = old._replace(value=body.value, position=event.position, at=event.at)
    if rest:
        state.answers[body.row] = rest
    else:
        del state.answers[body.row]
    state.revised[body.row] = event.position
    _label(state, body.row)


def _skipped(state: State, event: Event, body: ev.Skipped) -> None:
    _end_lease(state, body.row, event.by)
    state.skips[body.row] = state.skips.get(body.row, frozenset()) | {event.by}


def _failed(state: State, event: Event, body: ev.Failed) -> None:
    _end_lease(state, body.row, event.by)
    state.spent += Fraction(body.cost)
    state.failures[body.row] = Failure(body.reason, body.final, body.attempt, body.retry_at)
    if body.final:
        state.begun.pop(body.row, None)
    elif body.row not in state.labels:
        state.begun.setdefault(body.row, event.position)


def _excluded(state: State, event: Event, body: ev.Excluded) -> None:
    for row in body.rows:
        if body.back:
            for facts in (state.excluded, state.skips, state.failures):
                facts.pop(row, None)
        else:
            state.excluded[row] = body.reason
            state.leases.pop(row, None)
            state.begun.pop(row, None)
            state.queued.pop(row, None)


def _queued(state: State, event: Event, body: ev.Queued) -> None:
    for row in body.rows:
        state.queued.setdefault(row, event.position)


def _closed(state: State, event: Event, body: ev.Closed) -> None:
    state.closed = not body.open


def _end_lease(state: State, row: int, by: str) -> None:
    held = state.leases.get(row, {})
    if by in held:
        rest = {who: lease for who, lease in held.items() if who != by}
        state.leases.pop(row)
        if rest:
            state.leases[row] = rest


def _label(state: State, row: int) -> None:
    """Derives the label of a row anew, and whether more answers are wanted."""
    held, label = state.answers.get(row, {}), _aggregate(state, row)
    if label is None:
        state.labels.pop(row, None)
    else:
        state.labels[row] = label
    if held and lacking(state, row) > 0:
        state.begun.setdefault(row, state.position)
    elif held:
        state.begun.pop(row, None)
        state.queued.pop(row, None)
        state.chosen.pop(row, None)


def _aggregate(state: State, row: int) -> Label | None:
    return aggregate(state.answers.get(row, {}).values(), state.rules.aggregate, state.rules.owners)


_FOLDS: Mapping[type, Callable[[State, Event, Any], None]] = {
    ev.Created: _created,
    ev.Amended: _amended,
    ev.Proposed: _proposed,
    ev.Assessed: _assessed,
    ev.Asked: _asked,
    ev.Renewed: _renewed,
    ev.Expired: _expired,
    ev.Told: _told,
    ev.Revised: _revised,
    ev.Skipped: _skipped,
    ev.Failed: _failed,
    ev.Excluded: _excluded,
    ev.Queued: _queued,
    ev.Closed: _closed,
}
