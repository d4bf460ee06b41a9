"""Rows for campaigns by active learning: a view of the journal -> a session -> a proposal, the same whenever asked."""

from __future__ import annotations

from importlib import import_module

_HOMES = {"ActiveProposer": "propose", "Recipe": "recipe", "recipe_of": "recipe"}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
