"""The labelling and progress page, and the same over HTTP: FastAPI, server-rendered, nothing loaded from elsewhere."""

from __future__ import annotations

from importlib import import_module

from strongsuit._optional import require

_HOMES = {
    "Options": "options",
    "People": "people",
    "add_person": "server",
    "create_app": "app",
    "open_people": "people",
    "serve": "server",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "create_app":
        require("fastapi", extra="web")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
