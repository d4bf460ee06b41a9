"""A view of the journal -> the session as it would stand had it lived since the campaign began.

Nothing is carried over but what the journal says. Random draws walk an order that each row's number fixes, so a pool
that grows keeps the order of its old rows. What the session remembers beyond rows (the guard's state and last verdict,
whether the learner was found to beat the mean, what strategies recorded of their picks) was written with each round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from strongsuit.active.guard import RANDOM, Verdict
from strongsuit.active.memory import Recorded
from strongsuit.active.pool import ACTIVE, AUDIT, AVAILABLE, EXCLUDED, LABELLED, PENDING, START
from strongsuit.active.session import RESERVED, Batch, Session, init
from strongsuit.campaign.view import View
from strongsuit.core.keys import Key, key_for, root_key
from strongsuit.core.ties import ranks, tie_seed
from strongsuit.proposals.inputs import Inputs
from strongsuit.proposals.recipe import Recipe

BY_MODEL, BY_CHANCE, TEST, WARMUP = "model", "random", "test", "warmup"  # where a row of a slate comes from


@dataclass(frozen=True)
class Known:
    """What the view says of the n rows: labels (n, k), state, role and order (n,) as a session has them."""

    y: np.ndarray
    state: np.ndarray
    role: np.ndarray
    order: np.ndarray


def campaign_key(seed: int) -> Key:
    """The key of a campaign's seed, of which every round's key is a child."""
    return key_for(root_key(seed), "campaign")


def session_of(view: View, round_: int, learner: Any, strategy: str, recipe: Recipe, inputs: Inputs) -> Session:
    """The session before round `round_` asks."""
    key, known = campaign_key(view.seed), known_of(view, len(inputs.X), strategy)
    session = init(
        key, learner, inputs.X, y=known.y, strategy=strategy, guarded=recipe.guard, start=recipe.start,
        allow_replicates=recipe.allow_replicates,
    )  # fmt: skip
    stream = np.argsort(ranks(tie_seed(key_for(key, "stream")), np.arange(len(inputs.X))), kind="stable")
    reserved = np.zeros(len(inputs.X), bool)
    if session.guarded:
        later = stream[~((known.state == LABELLED) & (known.role == START))[stream]]
        reserved[later[: int(RESERVED * len(later))]] = True
    pool = replace(
        session.pool, state=known.state, role=known.role, reserved=reserved & (known.state == AVAILABLE), y=known.y
    )
    last = view.guards[-1] if view.guards else {}
    return replace(
        session, pool=pool, stream=stream, order=known.order, round=round_ - 1, price=inputs.price,
        state=_guard_state(last) or session.state, verdicts=_verdicts(last), past=_past(view),
        learned=session.learned or any(one.get("learned") == recipe.learner for one in view.guards),
    )  # fmt: skip


def known_of(view: View, n: int, strategy: str) -> Known:
    """Labels and states of the n rows. A row that lacks some of its outputs neither trains nor is asked for again."""
    y = _labels(view, n)
    state = np.full(n, AVAILABLE, np.int8)
    state[list(view.unavailable)] = EXCLUDED
    state[[*view.pending, *view.queued]] = PENDING
    rows = np.array(view.labelled, int)
    whole = np.isfinite(y[rows]).all(1)
    state[rows[whole]], state[rows[~whole]] = LABELLED, EXCLUDED
    y[rows[~whole]] = np.nan
    role, order = np.full(n, START, np.int8), np.full(n, -1)
    asked = (state == LABELLED) | (state == PENDING)
    order[asked] = 0
    for row, source, round_ in view.sources:
        if row < n and asked[row]:
            role[row], order[row] = _role(source, _guard_of(view, round_), strategy), round_
    return Known(y, state, role, order)


def _labels(view: View, n: int) -> np.ndarray:
    """Labels (n, k), NaN where unknown: numbers, or indicators of the classes in the order of the settings."""
    target = view.settings["target"]
    if target["kind"] == "class":
        place = {name: number for number, name in enumerate(target["classes"])}
        y = np.full((n, len(place)), np.nan)
        if view.labelled:
            y[list(view.labelled)] = np.eye(len(place))[[place[value] for value in view.values]]
        return y
    y = np.full((n, 1 if target["kind"] == "number" else len(target["name"])), np.nan)
    for row, value in zip(view.labelled, view.values, strict=True):
        y[row] = [np.nan if one is None else one for one in (value if isinstance(value, tuple | list) else [value])]
    return y


def _guard_of(view: View, round_: int) -> Mapping[str, Any]:
    return view.guards[round_ - 1] if 0 < round_ <= len(view.guards) else {}


def _role(source: str, guard: Mapping[str, Any], strategy: str) -> int:
    """The role of a row by its source; rows of a fall-back are random rows that watch, as those of the test set."""
    if source == TEST or (source == BY_CHANCE and guard.get("state") == RANDOM):
        return AUDIT
    if source == BY_MODEL or (source == BY_CHANCE and strategy == BY_CHANCE):
        return ACTIVE
    return START


def _guard_state(guard: Mapping[str, Any]) -> str:
    """The state that a round left, "" if it left none."""
    state = guard.get("state")
    return state if state and state != "off" else ""


def _verdicts(guard: Mapping[str, Any]) -> tuple[Verdict, ...]:
    """The last verdict, which tells when the next one is due."""
    said = guard.get("verdict")
    if not said:
        return ()
    values = {one.name: said.get(one.name) for one in fields(Verdict)}
    return (Verdict(**{name: float("nan") if value is None else value for name, value in values.items()}),)


def _past(view: View) -> tuple[Recorded, ...]:
    """What strategies that learn from their own picks recorded."""
    found = []
    for number, guard in enumerate(view.guards):
        said = guard.get("past")
        if said:
            rows, part = np.array(said["rows"], int), np.array(said["part"], int)
            chance = np.array([np.nan if one is None else one for one in said["chance"]], float)
            found.append(Recorded(number, said["strategy"], rows, part, chance, said["facts"]))
    return tuple(found)


def guard_record(before: Session, after: Session, batch: Batch, recipe: Recipe, sources: list[str]) -> dict[str, Any]:
    """What the journal keeps of a round so that the next session can be made from it."""
    verdict = after.verdicts[-1] if after.verdicts else None
    fresh = after.past[-1] if len(after.past) > len(before.past) else None
    return plain({
        "state": after.state if after.guarded else "off",
        "test": sources.count(TEST),
        "random": sources.count(BY_CHANCE),
        "learned": recipe.learner if after.learned and before.strategy.learns else None,
        "verdict": None if verdict is None else {**asdict(verdict), "text": _sentence(verdict)},
        "past": None if fresh is None else {
            "strategy": fresh.strategy, "rows": fresh.rows, "part": fresh.part, "chance": fresh.chance,
            "facts": fresh.facts,
        },
    })  # fmt: skip


def _sentence(verdict: Verdict) -> str:
    return verdict.sentence() if np.isfinite(verdict.theta) else verdict.reason


def plain(value: Any) -> Any:
    """The value as JSON has it: Python's own numbers, null for what is not finite, lists for arrays."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    return None if isinstance(value, float) and not np.isfinite(value) else value
