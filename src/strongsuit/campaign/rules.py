"""The settings of a campaign as the fold and the verbs read them, and what settings are allowed.

`rules_of` never raises: whatever a journal holds, a fold of it has rules. What may be written is checked before, by
`check_settings`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from strongsuit.campaign.aggregate import DAWID_SKENE, FOR_CLASSES, FOR_NUMBERS, LATEST, MAJORITY, MEAN
from strongsuit.errors import InputError

NUMBER, CLASS, NUMBERS = "number", "class", "numbers"
FULL, NONE = "full", "none"
LEASE_SECONDS, LEAST_LEASE_SECONDS = 1800.0, 60.0
SKIP_LIMIT = 1
OWNER = "owner"
DEEPEST = 20  # levels of lists and objects within a setting
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Rules:
    """The settings, typed: `price` is the expected cost of a row, or the pool column that has it."""

    rows: int = 0
    kind: str = NUMBER
    names: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    low: Any = None
    high: Any = None
    batch: int = 1
    lease_s: float = LEASE_SECONDS
    price: float | str = 1.0
    unit: str = "labels"
    fail_costs: bool = True
    limit: float | None = None
    overlap: int = 1
    overlap_max: int = 1
    aggregate: str = LATEST
    skip_limit: int = SKIP_LIMIT
    owners: frozenset[str] = frozenset()
    auto_close: bool = False


def rules_of(settings: Mapping[str, Any]) -> Rules:
    """The rules of folded settings; what is missing or of another type has its default."""
    pool, target, cost, budget, annotation, stopping = (
        _mapping(settings, name) for name in ("pool", "target", "cost", "budget", "annotation", "stopping")
    )
    overlap = _whole(annotation, "overlap", 1)
    kind = str(target.get("kind", NUMBER))
    name = target.get("name")
    return Rules(
        rows=_whole(pool, "n", 0),
        kind=kind,
        names=(name,) if isinstance(name, str) else _items(name),
        classes=_items(target.get("classes")),
        low=target.get("low"),
        high=target.get("high"),
        batch=max(1, _whole(settings, "batch", 1)),
        lease_s=max(LEAST_LEASE_SECONDS, _number(settings, "lease_s", LEASE_SECONDS)),
        price=_price(cost),
        unit=str(budget.get("unit") or cost.get("unit") or "labels"),
        fail_costs=cost.get("fail", FULL) != NONE,
        limit=_number(budget, "limit", None),
        overlap=max(1, overlap),
        overlap_max=max(1, overlap, _whole(annotation, "overlap_max", 1)),
        aggregate=str(annotation.get("aggregate") or default_aggregate(kind, overlap)),
        skip_limit=max(1, _whole(annotation, "skip_limit", SKIP_LIMIT)),
        owners=frozenset(who for who, role in _mapping(annotation, "roles").items() if role == OWNER),
        auto_close=stopping.get("auto_close") is True,
    )


def default_aggregate(kind: str, overlap: int) -> str:
    """How answers become a label unless the settings say so."""
    return LATEST if overlap <= 1 else MAJORITY if kind == CLASS else MEAN


def check_name(name: str) -> None:
    """InputError unless the name can stand in an address and a file name."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"name {name!r}: a campaign's name has 1 to 64 lower-case letters, digits, '_' and '-', "
            "and begins with a letter or digit; for example 'alloys-2'"
        )


def check_settings(settings: Mapping[str, Any]) -> None:
    """InputError for settings that no campaign can have; the message names the parameter."""
    _check_depth(settings)
    check_pool(settings["pool"])
    _check_target(settings["target"])
    _least("batch", settings["batch"], 1)
    _least("lease_s", settings["lease_s"], LEAST_LEASE_SECONDS)
    if not 0 <= settings["seed"] < 2**63:
        raise InputError(f"seed must be a whole number from 0 to 2**63 - 1, got {settings['seed']!r}")
    _check_cost(settings["cost"], settings["pool"])
    if settings["budget"] is not None:
        _least("budget.limit", settings["budget"].get("limit"), 0)
    _check_annotation(settings["annotation"], settings["target"]["kind"])
    _check_show(settings["show"])


def _check_depth(settings: Mapping[str, Any]) -> None:
    """InputError for settings that are nested so deep that not every reader of JSON would read them back."""
    for name, value in settings.items():
        level = [value]
        for _ in range(DEEPEST):
            level = [part for one in level for part in _parts(one)]
        if level:
            raise InputError(f"{name} is nested more than {DEEPEST} levels deep")


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def check_pool(pool: Mapping[str, Any]) -> None:
    """InputError for a description that lacks what the journal needs of a pool."""
    if type(pool.get("n")) is not int or pool["n"] < 1:
        raise InputError(f"pool.n must be the number of rows, 1 or more, got {pool.get('n')!r}")
    if not isinstance(pool.get("fingerprint"), str):
        raise InputError("pool.fingerprint is missing: describe the pool with strongsuit.datasets.fingerprint")


def _check_target(target: Mapping[str, Any]) -> None:
    kind = target.get("kind")
    if kind not in (NUMBER, CLASS, NUMBERS):
        raise InputError(f"target.kind must be number, class or numbers, got {kind!r}")
    names = target.get("name")
    if kind == NUMBERS:
        if not names or isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
            raise InputError(f"target.name must be the list of columns for numbers, got {names!r}")
    elif not isinstance(names, str) or not names:
        raise InputError(f"target.name must be a column, got {names!r}")
    classes = target.get("classes") or ()
    listed = isinstance(classes, list | tuple) and _texts(classes)
    if kind == CLASS and (not listed or len(classes) < 2 or len(set(classes)) < len(classes)):
        raise InputError(f"target.classes must be two or more different texts, got {classes!r:.200}")
    lows, highs = (_bounds(end, target.get(end), kind, names) for end in ("low", "high"))
    for low, high in zip(lows, highs, strict=True):
        if low is not None and high is not None and low > high:
            raise InputError(f"target.low {low!r} is above target.high {high!r}")
    unit = target.get("unit")
    if not (unit is None or isinstance(unit, str) or (kind == NUMBERS and isinstance(unit, list) and _texts(unit))):
        raise InputError(f"target.unit must be a text, or a list of texts for numbers, got {unit!r:.60}")


def _bounds(end: str, given: Any, kind: str, names: Any) -> list[Any]:
    """One end of the range for each column of the target."""
    count = len(names) if kind == NUMBERS else 1
    bounds = list(given) if kind == NUMBERS and isinstance(given, list | tuple) else [given] * count
    if len(bounds) != count or not all(one is None or _is_number(one) for one in bounds):
        more = f", or a list of {count} of them" if kind == NUMBERS else ""
        raise InputError(f"target.{end} must be a finite number or null{more}, got {given!r:.60}")
    return bounds


def _check_cost(cost: Mapping[str, Any], pool: Mapping[str, Any]) -> None:
    row = cost.get("row", 1.0)
    columns = [one.get("name") for one in pool.get("columns", ())]
    if isinstance(row, Mapping):
        if row.get("column") not in columns:
            raise InputError(f"cost.row.column {row.get('column')!r} is no column of the pool; it has {columns!r}")
    else:
        _least("cost.row", row, 0)
    if cost.get("fail", FULL) not in (FULL, NONE):
        raise InputError(f"cost.fail must be full or none, got {cost.get('fail')!r}")


def _check_annotation(annotation: Mapping[str, Any], kind: str) -> None:
    overlap = annotation.get("overlap", 1)
    _least("annotation.overlap", overlap, 1)
    _least("annotation.overlap_max", annotation.get("overlap_max", overlap), overlap)
    _least("annotation.skip_limit", annotation.get("skip_limit", SKIP_LIMIT), 1)
    how = annotation.get("aggregate") or default_aggregate(kind, overlap)
    allowed = FOR_CLASSES if kind == CLASS else FOR_NUMBERS
    if how not in allowed:
        raise InputError(f"annotation.aggregate must be one of {', '.join(allowed)} for a {kind} target, got {how!r}")
    if how == LATEST and overlap > 1:
        better = f"{MAJORITY} or {DAWID_SKENE}" if kind == CLASS else "mean or median"
        raise InputError(f"annotation.aggregate 'latest' forgets all but one of {overlap} answers: take {better}")


def _check_show(show: Mapping[str, Any]) -> None:
    columns = show.get("columns", {})
    if not isinstance(columns, Mapping) or not all(
        isinstance(one, Mapping) and all(isinstance(text, str) for text in one.values()) for one in columns.values()
    ):
        raise InputError(
            'show.columns says what columns are, such as {"copper": {"unit": "wt%"}, "photo": {"as": "image"}}, '
            f"got {columns!r:.60}"
        )


def _least(name: str, value: Any, least: float) -> None:
    if not _is_number(value) or value < least:
        raise InputError(f"{name} must be a number of {least} or more, got {value!r:.60}")


def _is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a number that a float can hold: whole ones may be longer."""
    return type(value) in (int, float) and -sys.float_info.max <= value <= sys.float_info.max


def _texts(values: Any) -> bool:
    return all(isinstance(value, str) and value for value in values)


def _items(value: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list | tuple) else ()


def _mapping(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = settings.get(name)
    return value if isinstance(value, Mapping) else {}


def _number(settings: Mapping[str, Any], name: str, default: Any) -> Any:
    value = settings.get(name)
    return float(value) if _is_number(value) else default


def _whole(settings: Mapping[str, Any], name: str, default: int) -> int:
    value = settings.get(name)
    return value if type(value) is int else default


def _price(cost: Mapping[str, Any]) -> float | str:
    row = cost.get("row", 1.0)
    if isinstance(row, Mapping):
        return str(row.get("column"))
    return float(row) if _is_number(row) else 1.0
