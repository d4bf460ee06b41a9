"""Answers in the forms that users have them -> `Given`s, still named by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strongsuit.campaign.commands import Given
from strongsuit.errors import InputError

ROW = "row"


def answers_of(
    answers: Any, settings: Mapping[str, Any], *, cost: float | None, seconds: float | None, note: str
) -> list[Given]:
    """The answers of a mapping, a frame or a list of `Given`s, whose `row` still holds the key; else InputError."""
    if isinstance(answers, Mapping):
        return [Given(key, value, cost, seconds, note) for key, value in answers.items()]
    if hasattr(answers, "columns") and hasattr(answers, "to_dict"):
        return _of_frame(answers, settings, cost, seconds, note)
    if isinstance(answers, list | tuple) and all(isinstance(one, Given) for one in answers):
        return list(answers)
    raise InputError(f"answers must be {{key: value}}, a frame or a list of Given, got {type(answers).__name__}")


def _of_frame(frame: Any, settings: Mapping[str, Any], cost: Any, seconds: Any, note: str) -> list[Given]:
    """The rows of a frame whose target is filled in; columns cost, seconds and note go before what is given."""
    key = settings["pool"].get("key") or ROW
    names = settings["target"]["name"]
    targets = [names] if isinstance(names, str) else list(names)
    lost = [name for name in (key, *targets) if name not in frame.columns]
    if lost:
        raise InputError(f"the table lacks the column {lost[0]!r}; it has {', '.join(map(str, frame.columns))}")
    found = []
    for line in frame.to_dict("records"):
        values = [None if _is_missing(line[name]) else line[name] for name in targets]
        if all(value is None for value in values):
            continue
        value = values[0] if isinstance(names, str) else tuple(values)
        more = [_filled(line, name, given) for name, given in (("cost", cost), ("seconds", seconds), ("note", note))]
        found.append(Given(line[key], value, *more))
    return found


def _filled(line: Mapping[str, Any], name: str, given: Any) -> Any:
    return given if _is_missing(line.get(name)) else line[name]


def _is_missing(value: Any) -> bool:
    return value is None or value != value or value == ""
