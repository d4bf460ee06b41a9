"""Strongsuit: which model should own which rows, and which rows should be labelled next.

Every public name loads its module on first use (SPEC 1), so `import strongsuit` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

# public name -> the module that holds it
_HOMES = {
    "ActivePartitioner": "strongsuit.estimators",
    "ActiveClassifier": "strongsuit.estimators",
    "ActiveRegressor": "strongsuit.estimators",
    "PartitionedRegressor": "strongsuit.estimators",
    "discover": "strongsuit.partition.discover",
    "InputError": "strongsuit.errors",
    "MissingDependency": "strongsuit.errors",
    "StoreError": "strongsuit.errors",
    "StrongsuitError": "strongsuit.errors",
    "Table": "strongsuit.datasets",
    "generate": "strongsuit.datasets",
    "load": "strongsuit.datasets",
    "read_table": "strongsuit.datasets",
    "suggest": "strongsuit.suggestions",
    "suggest_in_box": "strongsuit.suggestions",
}

__all__ = [
    "__version__",
    *_HOMES,
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'strongsuit' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
