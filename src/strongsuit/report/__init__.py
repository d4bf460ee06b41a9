"""One self-contained HTML page about an active partitioning run."""

from __future__ import annotations

from importlib import import_module

_HOMES = {"report_html": "build", "write_report": "build"}

__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
