"""A state as text and back, so that opening a campaign does not read its journal from the start.

A snapshot is a cache: it names the digest it stands for, and one that does not fit is not used. The journal is the
truth, and `verify` folds it from the start.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from strongsuit.campaign.aggregate import Answer
from strongsuit.campaign.chain import canonical
from strongsuit.campaign.events import Chosen, json_of
from strongsuit.campaign.rules import rules_of
from strongsuit.campaign.state import Failure, Lease, Request, State, relabel

FORM = 2  # another form is not read; the journal is


class Snapshot(NamedTuple):
    """A state's text at a position, with the digest of the journal there and that of the text."""

    position: int
    digest: str
    check: str
    text: str


_PLAIN = ("closed", "round", "settings", "rounds", "curve")
_BY_ROW = ("excluded", "revised", "queued", "begun", "asked", "sources")
_NESTED = ("answers", "leases")


def snapshot_of(state: State) -> Snapshot:
    """The snapshot of a state."""
    form: dict[str, Any] = {"form": FORM, **{name: getattr(state, name) for name in _PLAIN}}
    form |= {name: list(getattr(state, name).items()) for name in _BY_ROW}
    form |= {name: [(row, list(held.items())) for row, held in getattr(state, name).items()] for name in _NESTED}
    form |= {
        "failures": list(state.failures.items()),
        "skips": [(row, sorted(who)) for row, who in state.skips.items()],
        "slate": [json_of(one) for one in state.slate.values()],
        "chosen": [json_of(one) for one in state.chosen.values()],
        "spent": (state.spent.numerator, state.spent.denominator),
        "requests": list(state.requests.items()),
    }
    text = canonical(form)
    return Snapshot(state.position, state.digest, _check(text), text)


def state_from(snapshot: Snapshot) -> State | None:
    """The state, or None for a snapshot that is damaged or of another release."""
    if _check(snapshot.text) != snapshot.check:
        return None
    form = json.loads(snapshot.text)
    if form.pop("form", None) != FORM:
        return None
    state = State(position=snapshot.position, digest=snapshot.digest)
    for name in _PLAIN:
        setattr(state, name, form[name])
    for name in _BY_ROW:
        setattr(state, name, dict(form[name]))
    state.sources = {row: (source, round_) for row, (source, round_) in form["sources"]}
    state.answers = _nested(form["answers"], lambda one: Answer(one[0], _value(one[1]), *one[2:]))
    state.leases = _nested(form["leases"], lambda one: Lease(*one))
    state.failures = {row: Failure(*one) for row, one in form["failures"]}
    state.skips = {row: frozenset(who) for row, who in form["skips"]}
    state.slate = {one["row"]: Chosen(**one) for one in form["slate"]}
    state.chosen = {one["row"]: Chosen(**one) for one in form["chosen"]}
    state.spent = Fraction(*form["spent"])
    state.requests = {name: Request(*one) for name, one in form["requests"]}
    state.rules = rules_of(state.settings)
    relabel(state)
    return state


def _nested(pairs: list, make: Callable[[list], Any]) -> dict[int, dict[str, Any]]:
    return {row: {by: make(one) for by, one in held} for row, held in pairs}


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
