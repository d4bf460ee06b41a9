"""Durable labelling: an append-only journal of what was asked and answered, and the verbs that write it."""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "Campaign": "service",
    "Chosen": "events",
    "Event": "chain",
    "Given": "commands",
    "Listed": "store",
    "MemoryStore": "store",
    "Pool": "pool",
    "Proposal": "view",
    "Proposer": "view",
    "Query": "asking",
    "Receipt": "telling",
    "SqlStore": "sql",
    "State": "state",
    "Store": "store",
    "View": "view",
    "create_campaign": "campaigns",
    "delete_campaign": "campaigns",
    "export_journal": "journal",
    "fork_campaign": "campaigns",
    "import_journal": "journal",
    "list_campaigns": "campaigns",
    "load_campaign": "campaigns",
    "open_store": "campaigns",
    "replay": "state",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
