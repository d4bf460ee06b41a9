"""Every figure the product draws: functions from values to matplotlib figures, and figures to SVG."""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "draw_losses": "losses",
    "draw_gains": "losses",
    "draw_path": "search",
    "draw_history": "search",
    "draw_map": "maps",
    "draw_residuals": "checks",
    "draw_reliability": "checks",
    "draw_progress": "progress",
    "svg": "style",
    "PALETTE": "style",
    "MARKERS": "style",
}

__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
