"""Contract suites for models and stores of one's own: each checks the promises that the package builds on."""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "CrashingStore": "strongsuit.testing.stores",
    "check_guard": "strongsuit.testing.guard",
    "check_learner": "strongsuit.testing.learner",
    "check_store": "strongsuit.testing.stores",
    "check_strategy": "strongsuit.testing.strategy",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'strongsuit.testing' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
