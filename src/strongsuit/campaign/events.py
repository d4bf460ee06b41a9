"""What can happen to a campaign: fourteen kinds of event, frozen dataclasses that check types and nothing else.

Which event is allowed when is the business of the verbs; an event that was written is a fact. A body's fields are its
JSON form. Each kind counts its versions by itself; `upcast` lifts old bodies when they are read, and what is stored is
never rewritten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, dataclass_transform

from strongsuit.errors import JournalBroken, StoreNew

Rows = tuple[int, ...]
Value = Any  # a number, the text of a class, a tuple of numbers and None, or None
Json = Mapping[str, Any]
KINDS: dict[str, type] = {}  # kind -> its class; filled by the decorator below
VERSIONS: dict[str, int] = {}  # kind -> the version that this release writes
_CHECKS: dict[type, tuple[tuple[str, str, Callable[[Any], bool]], ...]] = {}
_READ: dict[type, tuple[tuple[str, Callable[[Any], Any]], ...]] = {}


def _is_int(value: Any) -> bool:
    return type(value) is int


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_rows(value: Any) -> bool:
    return type(value) is tuple and all(type(row) is int for row in value)


def _is_numbers(value: Any) -> bool:
    return type(value) is tuple and all(_is_number(number) for number in value)


def _is_value(value: Any) -> bool:
    parts = value if type(value) is tuple else (value,)
    return all(part is None or type(part) is str or _is_number(part) for part in parts)


def _is_chosen(value: Any) -> bool:
    return type(value) is tuple and all(type(one) is Chosen for one in value)


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


# The annotation of a field, as it is written -> what may stand there.
_ALLOWED: dict[str, Callable[[Any], bool]] = {
    "int": _is_int,
    "float": _is_number,
    "str": _is_text,
    "bool": lambda value: type(value) is bool,
    "bool | str": lambda value: type(value) in (bool, str),
    "Rows": _is_rows,
    "Value": _is_value,
    "Json": lambda value: isinstance(value, dict),
    "tuple[Chosen, ...]": _is_chosen,
    "tuple[float, ...]": _is_numbers,
    "Any": lambda value: True,
}
_ALLOWED |= {f"{name} | None": _or_none(check) for name, check in list(_ALLOWED.items())}
_FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "Rows": lambda value: tuple(value) if type(value) is list else value,
    "Value": lambda value: tuple(value) if type(value) is list else value,
    "tuple[float, ...]": lambda value: tuple(value) if type(value) is list else value,
    "tuple[Chosen, ...]": lambda value: tuple(_made(Chosen, one) for one in value),
}


def _check(self: Any) -> None:
    for name, wanted, check in _CHECKS[type(self)]:
        if not check(getattr(self, name)):
            raise TypeError(f"{type(self).__name__}.{name} must be {wanted}, got {getattr(self, name)!r}")


@dataclass_transform(frozen_default=True)
def _checked(cls: type) -> type:
    """The class as a frozen dataclass whose fields are checked by their annotations."""
    cls.__post_init__ = _check  # type: ignore[attr-defined]
    made: Any = dataclass(frozen=True, slots=True)(cls)
    _CHECKS[made] = tuple((one.name, str(one.type), _ALLOWED[str(one.type)]) for one in fields(made))
    _READ[made] = tuple((one.name, _FROM_JSON[str(one.type)]) for one in fields(made) if str(one.type) in _FROM_JSON)
    return made


@dataclass_transform(frozen_default=True)
def _event(cls: type) -> type:
    """The same, entered among the kinds of event at version 1."""
    made = _checked(cls)
    KINDS[made.__name__] = made
    VERSIONS[made.__name__] = 1
    return made


@_checked
class Chosen:
    """One row of a slate: why it was chosen, its rank (0 first), what the model says of it.

    `source` is model, random, test (of the guard's running test set), warmup or queued. `mean` and `spread` are for the
    owner; a labeller sees them only after the answer.
    """

    row: int
    rank: int
    source: str
    key: str | None = None
    score: float | None = None
    gain: float | None = None
    cluster: int | None = None
    stands_for: int | None = None
    why: str = ""
    mean: Any = None
    spread: float | None = None


@_event
class Created:
    """First event, once: what is labelled, from which pool, how."""

    name: str
    task: str
    pool: Json
    target: Json
    recipe: Json
    seed: int
    batch: int
    lease_s: float
    cost: Json
    budget: Json | None
    annotation: Json
    stopping: Json
    show: Json
    versions: Json


@_event
class Amended:
    """Settings changed on the way: later events obey them, earlier ones are not touched."""

    set: Json
    reason: str


@_event
class Proposed:
    """The slate of a round, ranked; `dropped` are rows that were answered or excluded while the fit ran.

    `b` rows were wanted (0: a journal that did not say). Of a round that was proposed ahead of need, `kept` are the
    rows of the slate before it: the proposer took them for handed out, and they stay in front.
    """

    round: int
    basis: int
    model: str
    rows: tuple[Chosen, ...]
    dropped: Rows
    strategy: str
    degraded: bool | str
    guard: Json
    seconds: float
    b: int = 0
    kept: Rows = ()


@_event
class Assessed:
    """One point of the learning curve, with an interval, and the advice that follows from it."""

    basis: int
    labels: int
    metric: str
    value: float
    low: float | None
    high: float | None
    level: float
    n_test: int
    method: str
    advice: Json


@_event
class Asked:
    """Rows leased to somebody until a time; `round` is None for rows queued by hand.

    `costs` are the expected costs of the rows, so that what is committed needs no pool.
    """

    round: int | None
    rows: Rows
    to: str
    until: str
    costs: tuple[float, ...] = ()


@_event
class Renewed:
    """The worker is alive: the leases end later."""

    rows: Rows
    to: str
    until: str


@_event
class Expired:
    """Leases that ran out, noticed by a later writer."""

    rows: Rows
    to: str


@_event
class Told:
    """One answer of one annotator; `asked` is false if nobody asked. `cost` is real or, where unknown, expected."""

    row: int
    value: Value
    asked: bool
    cost: float
    seconds: float | None
    note: str


@_event
class Revised:
    """Replaces the answer at position `of`; a value of None withdraws it."""

    row: int
    of: int
    value: Value
    note: str


@_event
class Skipped:
    """This annotator will not see the row again."""

    row: int
    reason: str


@_event
class Failed:
    """A simulation or lab run gave no label; unless final it is due again at `retry_at`."""

    row: int
    reason: str
    final: bool
    attempt: int
    cost: float
    retry_at: str | None


@_event
class Excluded:
    """Rows never to be used; with `back`, usable again, without their skips and failures."""

    rows: Rows
    reason: str
    back: bool


@_event
class Queued:
    """Rows that are handed out before the slate."""

    rows: Rows
    note: str


@_event
class Closed:
    """No further asking; with `open`, asking again."""

    reason: str
    open: bool


# (kind, version) -> the body one version later. Old bodies are lifted when read, never rewritten.
UPCASTS: dict[tuple[str, int], Callable[[Json], Json]] = {}


def upcast(kind: str, v: int, body: Json) -> Json:
    """The body in the form of this release; StoreNew for a kind or version that it does not know."""
    if kind not in VERSIONS or v > VERSIONS[kind]:
        known = f"version {VERSIONS[kind]}" if kind in VERSIONS else "not that kind"
        raise StoreNew(f"event kind {kind!r} version {v}: this release knows {known}; install a newer strongsuit")
    for version in range(v, VERSIONS[kind]):
        body = UPCASTS[kind, version](body)
    return body


def body_of(kind: str, v: int, body: Json) -> Any:
    """The event of a body's JSON form; fields that this release does not know are left aside.

    Raises StoreNew for an unknown kind, JournalBroken for fields that are missing or of another type.
    """
    lifted = upcast(kind, v, body)
    try:
        return _made(KINDS[kind], lifted)
    except (TypeError, AttributeError) as error:
        raise JournalBroken(f"{kind}: {error}") from error


def _made(cls: type, given: Json) -> Any:
    known = cls.__slots__  # type: ignore[attr-defined]
    values = {name: given[name] for name in known if name in given}
    for name, read in _READ[cls]:
        if name in values:
            values[name] = read(values[name])
    return cls(**values)


def json_of(body: Any) -> dict[str, Any]:
    """The JSON form of a body, as nested dictionaries and tuples."""
    form = {name: getattr(body, name) for name in type(body).__slots__}
    if type(body) is Proposed:
        form["rows"] = tuple(json_of(one) for one in body.rows)
    return form
