"""From a pool or a box, and what is known of it, to the rows that should be labelled next, and why."""

from __future__ import annotations

from importlib import import_module

_HOMES = {"Suggestion": "call", "listed_strategies": "call", "suggest": "call", "suggest_in_box": "in_box"}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
