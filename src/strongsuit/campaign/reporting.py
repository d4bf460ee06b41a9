"""What a campaign can say of itself: pure functions of its state, and of its journal for the history of a row."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from strongsuit.campaign.chain import Event, stamp
from strongsuit.campaign.events import Proposed, json_of
from strongsuit.campaign.rules import CLASS, NUMBER
from strongsuit.campaign.state import State, committed, counts, disputed, proposal_of, state_of
from strongsuit.campaign.view import labels_of


def status_of(state: State, now: datetime) -> dict[str, Any]:
    """Counts, rounds, leases, costs, the learning curve, the last advice and verdict; needs neither pool nor model."""
    limit = state.rules.limit
    spent, open_leases = float(state.spent), float(committed(state))
    return {
        "title": state.settings.get("name"),
        "task": state.settings.get("task"),
        "target": state.settings.get("target"),
        "open": not state.closed,
        "position": state.position,
        "digest": state.digest,
        "rows": state.rules.rows,
        "states": counts(state),
        "revised": sum(1 for row in state.revised if row in state.labels),
        "disputed": sorted(row for row in state.answers if disputed(state, row)),
        "sources": sources_of(state),
        "round": state.round,
        "rounds": state.rounds,
        "leases": leases_of(state, now),
        "cost": {
            "unit": state.rules.unit,
            "spent": spent,
            "committed": open_leases,
            "limit": limit,
            "left": None if limit is None else max(0.0, limit - spent - open_leases),
        },
        "curve": state.curve,
        "advice": state.curve[-1]["advice"] if state.curve else None,
        "guard": state.rounds[-1]["guard"] if state.rounds else None,
        "annotators": annotators_of(state),
    }


def sources_of(state: State) -> dict[str, dict[str, int]]:
    """Of each source how many rows were proposed, and how many of them have a label; told without asking apart."""
    proposed = Counter(source for source, _ in state.sources.values())
    labelled = Counter(state.sources[row][0] if row in state.sources else "told" for row in state.labels)
    return {name: {"proposed": proposed[name], "labelled": labelled[name]} for name in sorted(proposed | labelled)}


def leases_of(state: State, now: datetime) -> list[dict[str, Any]]:
    """Every lease with its holder and end; `over` ones ran out and will be handed out again."""
    at = stamp(now)
    return [
        {"row": row, "to": who, "until": lease.until, "over": lease.until <= at}
        for row, held in sorted(state.leases.items())
        for who, lease in sorted(held.items())
    ]


def annotators_of(state: State) -> dict[str, dict[str, Any]]:
    """Of each annotator the number of answers, and how well they agree on gold rows: those an owner answered first.

    `agreement` is the share of equal classes, `error` the root mean squared difference of numbers; None without a gold
    row or for several outputs.
    """
    answers = Counter(who for held in state.answers.values() for who in held)
    pairs: dict[str, list[tuple[Any, Any]]] = {who: [] for who in answers}
    for held in state.answers.values():
        first = min(held.values(), key=lambda answer: answer.position)
        if first.by in state.rules.owners:
            for who, answer in held.items():
                if who not in state.rules.owners:
                    pairs[who].append((answer.value, first.value))
    return {who: {"answers": answers[who], **_gold(pairs[who], state.rules.kind)} for who in sorted(answers)}


def _gold(pairs: Sequence[tuple[Any, Any]], kind: str) -> dict[str, Any]:
    agreement = error = None
    if pairs and kind == CLASS:
        agreement = sum(said == gold for said, gold in pairs) / len(pairs)
    if pairs and kind == NUMBER:
        error = math.sqrt(math.fsum(sorted((said - gold) ** 2 for said, gold in pairs)) / len(pairs))
    return {"gold": len(pairs), "agreement": agreement, "error": error}


def why_of(state: State, row: int, events: Iterable[Event]) -> dict[str, Any]:
    """Everything the journal knows of a row: its state, its label, and each event that names it."""
    label, said = state.labels.get(row), proposal_of(state, row)
    history = [entry for event in events if (entry := _about(event, row)) is not None]
    proposed = [entry["chosen"] for entry in history if "chosen" in entry]
    return {
        "row": row,
        "state": state_of(state, row),
        "revised": row in state.revised and label is not None,
        "disputed": disputed(state, row),
        "label": None if label is None else {"value": label.value, "weight": label.weight, "n": label.n},
        "why": said.why if said else proposed[-1]["why"] if proposed else "",
        "history": history,
    }


def _about(event: Event, row: int) -> dict[str, Any] | None:
    head = {"position": event.position, "at": event.at, "by": event.by, "kind": event.kind}
    body = event.body
    if isinstance(body, Proposed):
        chosen = next((one for one in body.rows if one.row == row), None)
        if chosen is not None:
            return {**head, "round": body.round, "strategy": body.strategy, "chosen": json_of(chosen)}
        return {**head, "round": body.round, "dropped": True} if row in body.dropped else None
    if getattr(body, "row", None) == row:
        return {**head, **json_of(body)}
    if row in getattr(body, "rows", ()):
        return {**head, **{name: value for name, value in json_of(body).items() if name not in ("rows", "costs")}}
    return None


def label_table(state: State) -> list[dict[str, Any]]:
    """The labels, a dictionary a row in ascending order: value, weight, answers, first and last time, cost."""
    found = labels_of(state)
    rows = []
    for row in sorted(found):
        label, held = found[row], sorted(state.answers[row].values(), key=lambda answer: answer.position)
        times = sorted(answer.at for answer in held)
        rows.append(
            {
                "row": row,
                "value": label.value,
                "weight": label.weight,
                "spread": label.spread,
                "agreement": label.agreement,
                "n": label.n,
                "answers": {answer.by: answer.value for answer in held},
                "first_at": times[0],
                "last_at": times[-1],
                "cost": math.fsum(answer.cost for answer in held),
                "source": state.sources.get(row, ("told", 0))[0],
                "round": state.sources.get(row, ("told", None))[1],
                "revised": row in state.revised,
            }
        )
    return rows
