"""Simulators with scaled inputs, the oracles of regression benchmarks: u (n, d) in [-1, 1] -> y (n, k), float64."""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "PROBLEMS": "problems",
    "Problem": "problems",
    "find_problem": "problems",
    "simulate": "problems",
    "bess": "closed_forms",
    "damp": "closed_forms",
    "robo": "closed_forms",
    "sine": "closed_forms",
    "foil": "forests",
    "hydr": "forests",
    "adm_l": "spectra",
    "stack": "spectra",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
