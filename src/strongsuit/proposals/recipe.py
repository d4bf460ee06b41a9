"""What a journal says of how rows are chosen: names and switches, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from strongsuit.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """`strategy` and `learner` by name, "auto" for what suits the task; `start` "random" or "cover"; whether a guard
    watches; whether rows with equal inputs may be asked for together; columns of numbers that are codes."""

    strategy: str = "auto"
    learner: str = "auto"
    start: str = "random"
    guard: bool = True
    allow_replicates: bool = False
    categorical: tuple[str, ...] = ()


def recipe_of(settings: Mapping[str, Any]) -> Recipe:
    """The recipe in a campaign's settings; InputError for a name or a kind of value that no recipe has."""
    given = dict(settings.get("recipe") or {})
    known = {one.name: one for one in fields(Recipe)}
    lost = sorted(set(given) - set(known))
    if lost:
        raise InputError(f"recipe.{lost[0]}: a recipe has {', '.join(known)}, got {lost[0]!r}")
    if isinstance(given.get("categorical"), list | tuple):
        given["categorical"] = tuple(given["categorical"])
    for name, value in given.items():
        wanted = type(getattr(Recipe(), name))
        if type(value) is not wanted:
            raise InputError(f"recipe.{name} must be {_WORDS[wanted]}, got {value!r}")
    return Recipe(**given)


_WORDS = {str: "a name", bool: "true or false", tuple: "a list of columns"}
