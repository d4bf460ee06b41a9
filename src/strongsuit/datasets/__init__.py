"""Tables, typed and checked: readers, encoding, generators with known regimes, a registry of public sets."""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "Encoded": "strongsuit.datasets.encoding",
    "Encoder": "strongsuit.datasets.encoding",
    "fit_encoder": "strongsuit.datasets.encoding",
    "Fingerprint": "strongsuit.datasets.fingerprint",
    "fingerprint_table": "strongsuit.datasets.fingerprint",
    "GENERATORS": "strongsuit.datasets.generators",
    "Generated": "strongsuit.datasets.generators",
    "generate": "strongsuit.datasets.generators",
    "PoolTable": "strongsuit.datasets.pools",
    "read_pool": "strongsuit.datasets.pools",
    "PUBLIC_SETS": "strongsuit.datasets.registry",
    "load": "strongsuit.datasets.registry",
    "Table": "strongsuit.datasets.table",
    "read_table": "strongsuit.datasets.table",
    "write_table": "strongsuit.datasets.writing",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'strongsuit.datasets' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
