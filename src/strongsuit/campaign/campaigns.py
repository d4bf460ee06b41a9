"""Campaigns of a store: create, load, list, fork and delete them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from strongsuit.campaign.chain import ZERO, sealed, stamp
from strongsuit.campaign.desk import check_identity, opened, utc_now
from strongsuit.campaign.events import Created
from strongsuit.campaign.journal import PIECE
from strongsuit.campaign.pool import Pool
from strongsuit.campaign.rules import CLASS, LEASE_SECONDS, NUMBER, NUMBERS, check_name, check_settings
from strongsuit.campaign.service import Campaign, check_same_pool, login
from strongsuit.campaign.store import Listed, MemoryStore, Store, delete, listed
from strongsuit.errors import CampaignExists, Conflict, InputError

TASKS = {NUMBER: "regression", NUMBERS: "regression", CLASS: "classification"}
BATCH = 10
_MEMORY = MemoryStore()  # what memory:// means in this process


def open_store(store: Store | str | None) -> Store:
    """The store itself, that of a URL, or this process's memory for None and memory://."""
    if store is None or store == "memory://":
        return _MEMORY
    if isinstance(store, str):
        from strongsuit.campaign.sql import SqlStore  # not needed by who keeps a campaign in memory

        return SqlStore(store)
    return store


def create_campaign(
    name: str,
    pool: Pool | Mapping[str, Any],
    target: str | Mapping[str, Any],
    *,
    store: Store | str | None = None,
    proposer: Any = None,
    recipe: Mapping[str, Any] | None = None,
    task: str | None = None,
    title: str | None = None,
    seed: int = 0,
    batch: int = BATCH,
    lease_s: float = LEASE_SECONDS,
    cost: Mapping[str, Any] | None = None,
    budget: Mapping[str, Any] | None = None,
    annotation: Mapping[str, Any] | None = None,
    stopping: Mapping[str, Any] | None = None,
    show: Mapping[str, Any] | None = None,
    versions: Mapping[str, Any] | None = None,
    exists: str = "error",
    by: str | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Campaign:
    """A new campaign over a pool, or with `exists="load"` the one of that name if its settings are the same.

    Parameters
    ----------
    name : str
        Lower-case letters, digits, '_' and '-'.
    pool : Pool or mapping
        The rows; a mapping is their description alone, with `n` and `fingerprint`.
    target : str or mapping
        The column of a number, or `{name, kind: number|class|numbers, classes, low, high, unit}`.
    store : Store, str or None
        A store or its URL: `sqlite:///lab.db`, `postgresql+psycopg://...`; None keeps the campaign in memory.
    proposer : Proposer
        Chooses rows; `recipe` should name what it was made of.
    cost, budget : mapping
        `{unit, row: number | {column}, fail: full|none}` and `{limit, unit}`.
    annotation : mapping
        `{overlap, overlap_max, aggregate, skip_limit, roles}`.

    Raises
    ------
    CampaignExists
        If the name is taken; with "load" if the settings differ, which the message lists.
    InputError
        For settings that no campaign can have.
    """
    check_name(name)
    if exists not in ("error", "load"):
        raise InputError(f"exists must be 'error' or 'load', got {exists!r}")
    target = {"name": target, "kind": NUMBER} if isinstance(target, str) else dict(target)
    description = dict(pool) if isinstance(pool, Mapping) else dict(pool.description)
    settings = {
        "name": title or name, "task": task or TASKS.get(str(target.get("kind")), ""), "pool": description,
        "target": target, "recipe": dict(recipe or {}), "seed": seed, "batch": batch, "lease_s": lease_s,
        "cost": dict(cost or {"unit": "labels", "row": 1.0, "fail": "full"}),
        "budget": None if budget is None else dict(budget), "annotation": dict(annotation or {}),
        "stopping": dict(stopping or {}), "show": dict(show or {}), "versions": dict(versions or _versions()),
    }  # fmt: skip
    created, place = _created(settings), open_store(store)
    if listed(place, name) is not None:
        return _existing(place, name, created, pool, proposer, exists, clock)
    who, at = by or login(), stamp(clock())
    check_identity(who, None)
    try:
        place.append(name, sealed([created], after=0, before=ZERO, at=at, by=who, request=None), after=0)
    except Conflict:
        return _existing(place, name, created, pool, proposer, exists, clock)
    return Campaign(opened(place, name, clock), None if isinstance(pool, Mapping) else pool, proposer)


def load_campaign(
    name: str,
    *,
    store: Store | str | None = None,
    pool: Pool | None = None,
    proposer: Any = None,
    clock: Callable[[], datetime] = utc_now,
) -> Campaign:
    """The campaign of that name; without its pool rows have numbers only, without a proposer nothing new is proposed.

    Raises UnknownCampaign, PoolMismatch, JournalBroken.
    """
    desk = opened(open_store(store), name, clock)
    if pool is not None:
        check_same_pool(desk.state, pool)
    return Campaign(desk, pool, proposer)


def list_campaigns(store: Store | str | None = None) -> list[Listed]:
    """The campaigns of a store by name."""
    return open_store(store).campaigns()


def delete_campaign(name: str, *, store: Store | str | None = None) -> None:
    """Deletes a campaign with its journal: export it before. UnknownCampaign if it is not there."""
    delete(open_store(store), name)


def fork_campaign(
    name: str, new: str, *, at: int | None = None, store: Store | str | None = None, proposer: Any = None
) -> Campaign:
    """A campaign with the history of another one up to a position: to try another strategy on it.

    Raises CampaignExists if the new name is taken, UnknownCampaign, and InputError for a position that is not there.
    """
    check_name(new)
    place = open_store(store)
    if listed(place, new) is not None:
        raise CampaignExists(f"campaign {new!r} is in the store already: take another name")
    events = list(place.read(name, limit=at))
    if at is not None and not 1 <= at == len(events):
        raise InputError(f"at must be a position of the journal, 1 to {len(events)}, got {at}")
    for i in range(0, len(events), PIECE):
        place.append(new, events[i : i + PIECE], after=i)
    return load_campaign(new, store=place, proposer=proposer)


def _created(settings: Mapping[str, Any]) -> Created:
    try:
        created = Created(**settings)
    except TypeError as error:
        raise InputError(f"create: {error}") from error
    check_settings(settings)
    return created


def _existing(
    place: Store,
    name: str,
    created: Created,
    pool: Pool | Mapping[str, Any],
    proposer: Any,
    exists: str,
    clock: Callable[[], datetime],
) -> Campaign:
    """The campaign of that name if that is wanted and its settings are these."""
    if exists != "load":
        raise CampaignExists(f"campaign {name!r} is in the store already: load it, or take another name")
    campaign = load_campaign(name, store=place, proposer=proposer, clock=clock)
    first = campaign.journal()[0].body
    differ = _differences(first, created)
    if differ:
        raise CampaignExists(f"campaign {name!r} was made with other settings: {'; '.join(differ)}")
    return Campaign(campaign.desk, None if isinstance(pool, Mapping) else pool, proposer)


def _differences(old: Created, new: Created) -> Sequence[str]:
    """The settings that differ, in words; where the pool lies and which versions run does not matter."""
    found = []
    for name in Created.__slots__:  # type: ignore[attr-defined]
        ours, theirs = getattr(old, name), getattr(new, name)
        if name == "pool":
            ours, theirs = ours["fingerprint"], theirs["fingerprint"]
        if name != "versions" and ours != theirs:
            found.append(f"{name} {ours!r}, now {theirs!r}")
    return found


def _versions() -> dict[str, str]:
    from strongsuit import __version__

    return {"strongsuit": __version__}


__all__ = ["create_campaign", "delete_campaign", "fork_campaign", "list_campaigns", "load_campaign", "open_store"]
