"""What a proposer is given and what it gives back. It sees no times, no positions, no names of people.

A view depends on the facts and not on the order in which answers arrived, and it is plain JSON, so that a proposer can
run in another process.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from strongsuit.campaign.aggregate import DAWID_SKENE, Label, dawid_skene_labels
from strongsuit.campaign.chain import canonical
from strongsuit.campaign.events import Assessed, Chosen
from strongsuit.campaign.rules import CLASS
from strongsuit.campaign.state import (
    EXCLUDED,
    FAILED,
    PENDING,
    SKIPPED,
    UNLABELLED,
    State,
    committed,
    disputed,
    state_of,
    touched,
    waiting,
)


@dataclass(frozen=True)
class View:
    """The campaign as a proposer sees it; rows ascend everywhere.

    `values` and `weights` belong to `labelled`. `pending` rows will come and may serve as anchors; `unavailable` are
    failed, skipped, excluded and disputed ones; `queued` will be handed out anyway. `sources` has (row, source, round)
    of every row that was ever proposed, `guards` the guard's verdict of each round.
    """

    settings: Mapping[str, Any]
    seed: int
    round: int
    labelled: tuple[int, ...]
    values: tuple[Any, ...]
    weights: tuple[float, ...]
    pending: tuple[int, ...]
    unavailable: tuple[int, ...]
    queued: tuple[int, ...]
    sources: tuple[tuple[int, str, int], ...]
    guards: tuple[Mapping[str, Any], ...]
    spent: float
    committed: float
    left: float | None
    unit: str

    def text(self) -> str:
        """The canonical JSON text."""
        return canonical({one.name: getattr(self, one.name) for one in fields(self)})


@dataclass(frozen=True)
class Proposal:
    """What a proposer gives back: rows by rank, and what the fit says of itself and of the error."""

    rows: tuple[Chosen, ...]
    model: str
    strategy: str
    degraded: bool | str = False
    guard: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    assessed: Assessed | None = None  # its basis is put right when it is written


class Proposer(Protocol):
    """Chooses rows. The same view, batch and round must give the same rows, whatever was computed before."""

    def propose(self, view: View, b: int, round: int) -> Proposal:
        """At most b rows that are neither labelled, pending, queued nor unavailable; fewer if there are no more."""
        ...


def view_of(state: State, *, ahead: Collection[int] = ()) -> View:
    """What a proposer may see of the state, for the next round; rows `ahead` of it count as handed out."""
    labels = labels_of(state)
    rows = sorted(labels)
    spent, open_leases, limit = state.spent, committed(state), state.rules.limit
    return View(
        settings=state.settings,
        seed=state.settings["seed"],
        round=state.round + 1,
        labelled=tuple(rows),
        values=tuple(labels[row].value for row in rows),
        weights=tuple(labels[row].weight for row in rows),
        pending=tuple(
            sorted({*ahead, *(row for row in state.leases.keys() | state.begun.keys() if pending(state, row))})
        ),
        unavailable=tuple(sorted(row for row in touched(state) | set(state.answers) if unavailable(state, row))),
        queued=tuple(sorted(row for row in state.queued if row not in labels)),
        sources=tuple((row, *state.sources[row]) for row in sorted(state.sources)),
        guards=tuple(one["guard"] for one in state.rounds),
        spent=float(spent),
        committed=float(open_leases),
        left=None if limit is None else max(0.0, float(limit - spent - open_leases)),
        unit=state.rules.unit,
    )


def labels_of(state: State) -> dict[int, Label]:
    """The labels of all rows that are labelled and not excluded, as the settings aggregate answers."""
    rows = [row for row in state.labels if row not in state.excluded]
    if state.rules.aggregate == DAWID_SKENE and state.rules.kind == CLASS:
        table = {row: state.answers[row].values() for row in rows}
        return dawid_skene_labels(table, state.rules.classes, state.rules.owners)
    return {row: state.labels[row] for row in rows}


def pending(state: State, row: int) -> bool:
    """Whether an answer of an unlabelled row is under way or due again."""
    now = state_of(state, row)
    return now == PENDING or (now == UNLABELLED and waiting(state, row))


def unavailable(state: State, row: int) -> bool:
    """Whether a row must not be proposed though it has no label."""
    now = state_of(state, row)
    return now in (EXCLUDED, FAILED, SKIPPED) or (now == UNLABELLED and disputed(state, row))
