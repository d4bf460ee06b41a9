"""Answers as they come -> values as the journal keeps them: finite numbers in their range, classes by their text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from difflib import get_close_matches
from numbers import Real
from typing import Any

from strongsuit.campaign.rules import CLASS, NUMBERS, Rules
from strongsuit.errors import InvalidLabel


def checked_label(rules: Rules, value: Any, row: int) -> Any:
    """The value in the journal's form: a float, the text of a class, or a tuple of floats and None.

    InvalidLabel says which row, what came, and what is allowed.
    """
    if rules.kind == CLASS:
        return _class(rules, value, row)
    if rules.kind == NUMBERS:
        return _numbers(rules, value, row)
    return _number(value, rules.low, rules.high, f"row {row}")


def _number(value: Any, low: Any, high: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidLabel(f"{where}: the label must be a number, got {value!r}")
    number = float(value)
    if not math.isfinite(number):
        raise InvalidLabel(f"{where}: the label must be finite, got {value!r}; a run without a result is `fail`")
    if (low is not None and number < low) or (high is not None and number > high):
        span = f"from {low if low is not None else '-infinity'} to {high if high is not None else 'infinity'}"
        raise InvalidLabel(f"{where}: {number!r} is out of range; allowed is {span}; `amend` changes the range")
    return number + 0.0  # zero has one sign


def _numbers(rules: Rules, value: Any, row: int) -> tuple[float | None, ...]:
    if isinstance(value, str | bytes) or not hasattr(value, "__len__") or len(value) != len(rules.names):
        raise InvalidLabel(f"row {row}: the numbers {', '.join(rules.names)} are wanted, got {value!r}")
    lows, highs = (_each(bound, len(rules.names)) for bound in (rules.low, rules.high))
    numbers = tuple(
        None if one is None or one != one else _number(one, low, high, f"row {row}, {name}")
        for one, low, high, name in zip(value, lows, highs, rules.names, strict=True)
    )
    if all(one is None for one in numbers):
        raise InvalidLabel(f"row {row}: all of {', '.join(rules.names)} are missing; a run without a result is `fail`")
    return numbers


def _each(bound: Any, count: int) -> Sequence[Any]:
    return bound if isinstance(bound, list | tuple) else [bound] * count


def _class(rules: Rules, value: Any, row: int) -> str:
    text = value if isinstance(value, str) else str(value)
    if text in rules.classes:
        return text
    near = get_close_matches(text, rules.classes, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InvalidLabel(f"row {row}: {text!r} is no class; {hint}allowed are {', '.join(map(repr, rules.classes))}")
