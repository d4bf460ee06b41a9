"""The decision of `ask`: which rows are handed out now, to whom, until when, and whether a proposal is needed first.

Rows queued by hand lead, then rows that were begun and lack an answer (a lease ran out, a repeat is due, a second
annotator is wanted), then the slate by rank.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from strongsuit.campaign import events as ev
from strongsuit.campaign.chain import stamp
from strongsuit.campaign.commands import Ask, Prepare, Ready, Wanted
from strongsuit.campaign.state import (
    UNLABELLED,
    State,
    disputed,
    lacking,
    proposal_of,
    state_of,
    touched,
    waiting,
)
from strongsuit.campaign.view import view_of
from strongsuit.errors import BudgetSpent, CampaignClosed, InputError, PoolExhausted

AHEAD = timedelta(minutes=5)  # a lease asked for later than this from now was written by a clock that was wrong
SHORT_POOL, SHORT_BUDGET, SHORT_SLATE = "pool", "budget", "slate"


class Decided(NamedTuple):
    """What to append, and what to answer once it is written; an exception is raised then."""

    bodies: tuple[Any, ...]
    outcome: Any


@dataclass(frozen=True)
class Query:
    """Rows to label, for one person or program: with what the proposal said of each, and until when they are leased.

    `keys` are the user's identifiers, `features` the pool's rows where the pool is at hand. `short` says why there are
    fewer than wanted: pool, budget or slate; None if there are not.
    """

    rows: tuple[int, ...]
    keys: tuple[Any, ...]
    rank: tuple[int | None, ...]
    source: tuple[str, ...]
    why: tuple[str, ...]
    until: str
    short: str | None = None
    features: Any = None

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class _Offer:
    """Rows taken for one asker, their costs, and whether the budget refused a row."""

    rows: tuple[int, ...]
    costs: tuple[float, ...]
    refused: bool


def decide_ask(state: State, command: Ask, now: datetime) -> Decided:
    """Leases for the asker, or the proposal that is needed before; CampaignClosed, BudgetSpent, PoolExhausted."""
    n = state.rules.batch if command.n is None else command.n
    if type(n) is not int or n < 1:
        raise InputError(f"n must be a whole number of rows, 1 or more, got {n!r}")
    if state.closed:
        raise CampaignClosed("the campaign is closed; `reopen` lets it go on")
    at, live = stamp(now), live_leases(state, stamp(now))
    held = tuple(row for row, holders in live.items() if command.by in holders)
    if held and not command.more and command.request is None:
        return Decided((), _query(state, held, _until(state, held, command.by)))
    first = (*_run_out(state, at), *_rebased(state, now))
    ready = command.ready if command.ready and command.ready.round == state.round + 1 else None
    command = replace(command, ready=ready)  # one of a round that somebody else won is worth nothing
    offer = _take(state, command, n, live, at, (*state.queued, *state.begun, *(() if ready else state.slate)))
    lacks = n - len(offer.rows)
    if lacks and ready is None and command.can_propose and not _refuses_all(state, offer, live):
        if _fresh(state, command.by, offer.rows) > 0:
            return Decided((), Wanted(view_of(state), max(lacks, state.rules.batch), state.position))
    if lacks and ready is not None:
        return _from_proposal(state, command, now, n, offer, ready, first)
    return _leased(state, command, now, first, offer, _short(lacks, offer, command, proposed=False))


def _from_proposal(
    state: State, command: Ask, now: datetime, n: int, offer: _Offer, ready: Ready, first: tuple[Any, ...]
) -> Decided:
    """The proposal written, with leases for its first rows; or another proposal if most of its rows are gone."""
    proposed, rows = written(state, ready)
    if 2 * len(proposed.dropped) > len(ready.proposal.rows) and not ready.repeats:
        wanted = max(n - len(offer.rows), state.rules.batch)
        return Decided((), Wanted(view_of(state), wanted, state.position, repeats=1))
    if not proposed.rows:
        return _leased(state, command, now, first, offer, SHORT_POOL)
    bodies = (*first, proposed, *_assessed(ready))
    if closes(state, ready):
        assessed = ready.proposal.assessed
        reason = str(assessed.advice.get("text", "")) if assessed else ""
        outcome = CampaignClosed(f"the campaign closed itself, as its settings say: {reason}")
        return Decided((*bodies, ev.Closed(reason=reason, open=False)), outcome)
    live = live_leases(state, stamp(now))
    more = _take(state, command, n - len(offer.rows), live, stamp(now), rows, already=offer)
    whole = _Offer(offer.rows + more.rows, offer.costs + more.costs, offer.refused or more.refused)
    return _leased(state, command, now, bodies, whole, _short(n - len(whole.rows), whole, command, proposed=True))


def decide_prepare(state: State, command: Prepare, now: datetime) -> Decided:
    """A proposal written ahead of need: True if it was, False if half a batch is still there; or `Wanted`.

    What is left of the slate will be handed out before the new rows: the proposer takes it for handed out. Else it
    would choose the same rows again, and random rows, which differ each time, would take their place.
    """
    free = free_slate(state)
    if state.closed or not running_low(state) or _fresh(state, command.by, ()) == 0:
        return Decided((), False)
    ready = command.ready if command.ready and command.ready.round == state.round + 1 else None
    if ready is None:
        return Decided((), Wanted(view_of(state, ahead=free), state.rules.batch, state.position, kept=free))
    proposed, _ = written(state, ready)
    if not proposed.rows:
        return Decided((), False)
    closing = (ev.Closed(reason="the stopping rule was met", open=False),) if closes(state, ready) else ()
    return Decided((proposed, *_assessed(ready), *closing), True)


def free_slate(state: State) -> tuple[int, ...]:
    """The rows of the slate that have not been handed out, by rank."""
    return tuple(row for row in state.slate if state_of(state, row) == UNLABELLED and lacking(state, row) > 0)


def running_low(state: State) -> bool:
    """Whether at most half a batch is left of the slate: time to propose ahead."""
    return 2 * len(free_slate(state)) <= state.rules.batch


def written(state: State, ready: Ready) -> tuple[ev.Proposed, tuple[int, ...]]:
    """The event of a proposal, without the rows that are no longer free, and the rows it keeps by rank."""
    proposal, rows = ready.proposal, [one.row for one in ready.proposal.rows]
    if len(set(rows)) < len(rows) or any(not 0 <= row < state.rules.rows for row in rows):
        raise InputError(f"the proposer must choose different rows from 0 to {state.rules.rows - 1}, got {rows[:20]}")
    kept = tuple(one for one in sorted(proposal.rows, key=lambda one: one.rank) if _open(state, one.row))
    dropped = tuple(row for row in rows if not _open(state, row))
    body = ev.Proposed(
        round=ready.round, basis=ready.basis, model=proposal.model, rows=kept, dropped=dropped,
        strategy=proposal.strategy, degraded=proposal.degraded, guard=dict(proposal.guard), seconds=proposal.seconds,
        b=ready.b, kept=ready.kept,
    )  # fmt: skip
    return body, tuple(one.row for one in kept)


def closes(state: State, ready: Ready) -> bool:
    """Whether the advice ends the campaign: only where the settings say so."""
    assessed = ready.proposal.assessed
    return state.rules.auto_close and assessed is not None and assessed.advice.get("stop") is True


def live_leases(state: State, at: str) -> dict[int, set[str]]:
    """The holders of each leased row whose lease has not run out."""
    live = {row: {who for who, one in held.items() if one.until > at} for row, held in state.leases.items()}
    return {row: holders for row, holders in live.items() if holders}


def _run_out(state: State, at: str) -> Iterator[ev.Expired]:
    """One event a holder for the leases that have run out."""
    ended: dict[str, list[int]] = {}
    for row, held in state.leases.items():
        for who, lease in held.items():
            if lease.until <= at:
                ended.setdefault(who, []).append(row)
    return (ev.Expired(rows=tuple(ended[who]), to=who) for who in sorted(ended))


def _rebased(state: State, now: datetime) -> Iterator[ev.Renewed]:
    """Leases that a clock far ahead has written end as if they were asked for now, once."""
    ahead: dict[str, list[int]] = {}
    for row, held in state.leases.items():
        for who, lease in held.items():
            if lease.at > stamp(now + AHEAD):
                ahead.setdefault(who, []).append(row)
    until = stamp(now + timedelta(seconds=state.rules.lease_s))
    return (ev.Renewed(rows=tuple(ahead[who]), to=who, until=until) for who in sorted(ahead))


def _take(
    state: State,
    command: Ask,
    n: int,
    live: dict[int, set[str]],
    at: str,
    order: Sequence[int],
    *,
    already: _Offer | None = None,
) -> _Offer:
    """The first n rows in this order that the asker may have and the budget allows."""
    taken = set(already.rows) if already else set()
    may = [row for row in dict.fromkeys(order) if row not in taken and _handable(state, row, command.by, at, live)]
    left, refused = _left(state, live, already.costs if already else ()), False
    rows: list[int] = []
    costs: list[float] = []
    for row, cost in zip(may, command.costs(may) if may else (), strict=True):
        if len(rows) == n:
            break
        if left is not None and Fraction(cost) > left:
            refused = True
            continue
        left = left if left is None else left - Fraction(cost)
        rows.append(row)
        costs.append(float(cost))
    return _Offer(tuple(rows), tuple(costs), refused)


def _left(state: State, live: dict[int, set[str]], taken: Sequence[float]) -> Fraction | None:
    """What the budget still allows once live leases and rows already taken are paid; None without a limit."""
    if state.rules.limit is None:
        return None
    leased = (state.leases[row][who].cost for row, holders in live.items() for who in holders)
    return Fraction(state.rules.limit) - state.spent - sum(map(Fraction, (*leased, *taken)), Fraction(0))


def _refuses_all(state: State, offer: _Offer, live: dict[int, set[str]]) -> bool:
    """Whether no row of any slate could be paid, so that no fit is worth it."""
    left = _left(state, live, offer.costs)
    price = state.rules.price if isinstance(state.rules.price, float) else 0.0
    return left is not None and (left <= 0 if price == 0.0 else left < Fraction(price))


def _handable(state: State, row: int, by: str, at: str, live: dict[int, set[str]]) -> bool:
    holders, failure = live.get(row, set()), state.failures.get(row)
    if row in state.excluded or row >= state.rules.rows or len(state.skips.get(row, ())) >= state.rules.skip_limit:
        return False
    if failure and row not in state.labels and (failure.final or (failure.retry_at or "") > at):
        return False
    if by in holders or by in state.skips.get(row, ()) or by in state.answers.get(row, ()):
        return False
    return lacking(state, row) > len(holders)


def _open(state: State, row: int) -> bool:
    """Whether a proposal may name the row."""
    free = state_of(state, row) == UNLABELLED and row not in state.queued
    return free and not waiting(state, row) and not disputed(state, row)


def _fresh(state: State, by: str, taken: Sequence[int]) -> int:
    """How many rows a proposal could name that the asker may have."""
    known = touched(state) | set(state.answers) | set(state.queued) | set(taken)
    usable = (row for row in known if row not in taken and _open(state, row) and by not in state.skips.get(row, ()))
    return state.rules.rows - len(known) + sum(1 for _ in usable)


def _short(lacks: int, offer: _Offer, command: Ask, *, proposed: bool) -> str | None:
    if not lacks:
        return None
    if offer.refused:
        return SHORT_BUDGET
    return SHORT_POOL if proposed or command.can_propose else SHORT_SLATE


def _leased(state: State, command: Ask, now: datetime, first: tuple, offer: _Offer, short: str | None) -> Decided:
    """The leases of the rows offered, one event for the rows of one round; raises if there are none."""
    if not offer.rows:
        raise _nothing(state, command, offer, stamp(now))
    until = stamp(now + timedelta(seconds=state.rules.lease_s))
    fresh = {one.row: one for one in command.ready.proposal.rows} if command.ready else {}
    groups: dict[int | None, list[int]] = {}
    for i, row in enumerate(offer.rows):
        groups.setdefault(_round(state, row, command.ready if row in fresh else None), []).append(i)
    asked = tuple(
        ev.Asked(round_, tuple(offer.rows[i] for i in at_), command.by, until, tuple(offer.costs[i] for i in at_))
        for round_, at_ in groups.items()
    )
    rows = tuple(row for body in asked for row in body.rows)
    return Decided((*first, *asked), _query(state, rows, until, short, fresh))


def _round(state: State, row: int, ready: Ready | None) -> int | None:
    """The round a row is asked for in: none if it was queued, its own if it was begun before."""
    if row in state.queued:
        return None
    if row in state.asked and row in state.begun:
        return state.asked[row]
    return ready.round if ready else state.sources[row][1] if row in state.sources else state.round


def _nothing(state: State, command: Ask, offer: _Offer, at: str) -> Exception:
    if offer.refused or _refuses_all(state, offer, live_leases(state, at)):
        limit, unit = state.rules.limit, state.rules.unit
        return BudgetSpent(
            f"{float(state.spent):g} of {limit:g} {unit} are spent and no row that is left fits into the rest: "
            "`amend` with a larger budget, or wait for leases to end"
        )
    if not command.can_propose and len(state.labels) < state.rules.rows:
        return PoolExhausted(
            "the slate is used up and there is no proposer: load the campaign with one or `queue` rows"
        )
    return PoolExhausted(
        f"no row is left for {command.by}: {len(state.labels)} of {state.rules.rows} are labelled, {len(state.leases)} "
        "leased, the rest failed, were skipped or excluded; `status` counts them, `restore` brings rows back"
    )


def _until(state: State, rows: Sequence[int], by: str) -> str:
    return min(state.leases[row][by].until for row in rows)


def _assessed(ready: Ready) -> tuple[ev.Assessed, ...]:
    assessed = ready.proposal.assessed
    return () if assessed is None else (replace(assessed, basis=ready.basis),)


def _query(
    state: State,
    rows: Sequence[int],
    until: str,
    short: str | None = None,
    fresh: dict[int, ev.Chosen] | None = None,
) -> Query:
    """The answer for rows that are leased until then."""
    said = [(fresh or {}).get(row) or proposal_of(state, row) for row in rows]
    return Query(
        rows=tuple(rows),
        keys=tuple(one.key if one else None for one in said),
        rank=tuple(one.rank if one else None for one in said),
        source=tuple(one.source if one else "queued" for one in said),
        why=tuple(one.why if one else "" for one in said),
        until=until,
        short=short,
    )
