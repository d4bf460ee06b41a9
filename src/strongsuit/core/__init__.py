"""Arrays, keys and models; no word of active learning or regimes here."""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "Key": "keys",
    "root_key": "keys",
    "key_for": "keys",
    "Learner": "learner",
    "Prediction": "learner",
    "fit_many": "learner",
    "predict_many": "learner",
    "fit_one": "learner",
    "predict_one": "learner",
    "refine_many": "learner",
}

__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
