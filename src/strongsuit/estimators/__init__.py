"""The scikit-learn faces of active partitioning and of active learning."""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "ActiveClassifier": "strongsuit.estimators.active_classifier",
    "ActiveRegressor": "strongsuit.estimators.active_regressor",
    "ActivePartitioner": "strongsuit.estimators.partitioner",
    "PartitionedRegressor": "strongsuit.estimators.regressor",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'strongsuit.estimators' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
