"""`strongsuit campaign amend, close, reopen`: what owners decide on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from strongsuit.cli.campaign.options import (
    DEFAULT,
    By,
    Json,
    Name,
    Reason,
    Store,
    loaded,
    only,
    receipt,
    store_at,
)
from strongsuit.errors import InputError


def amend(
    name: Name = None,
    strategy: Annotated[str | None, typer.Option(help="Another strategy, or auto.")] = None,
    learner: Annotated[str | None, typer.Option(help="Another learner, or auto.")] = None,
    guard: Annotated[bool | None, typer.Option("--guard/--no-guard", help="Watch the strategy, or do not.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Rows a round.")] = None,
    budget: Annotated[float | None, typer.Option(min=0, help="The most to spend in all.")] = None,
    lease: Annotated[float | None, typer.Option(min=1, help="Minutes of a lease.")] = None,
    pool: Annotated[str | None, typer.Option(metavar="TABLE", help="A pool that grew at its end.")] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Cells of old rows changed, and mean the same.")] = False,
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=JSON", help="Any field, whole; may be repeated.")
    ] = None,
    reason: Reason = "",
    store: Store = DEFAULT,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Other settings from now on; what was decided under the old ones stays.

    Example: strongsuit campaign amend alloys --strategy lcmd --budget 400 --reason "more time on the machine"
    """
    place = store_at(store)
    campaign = loaded(place, only(place, name))
    settings = campaign.state.settings
    recipe = {"strategy": strategy, "learner": learner, "guard": guard}
    recipe = {field: value for field, value in recipe.items() if value is not None}
    found: dict[str, Any] = _settings(setting or [])
    found |= {"recipe": {**settings["recipe"], **recipe}} if recipe else {}
    found |= {} if batch is None else {"batch": batch}
    found |= {} if lease is None else {"lease_s": 60.0 * lease}
    if budget is not None:
        found["budget"] = {"unit": campaign.state.rules.unit, **(settings["budget"] or {}), "limit": budget}
    if pool is not None:
        found["pool"] = _pool(settings, pool)
    if not found:
        raise InputError("amend changes nothing: give --strategy, --batch, --budget, --pool or --set FIELD=JSON")
    if "recipe" in found:
        _check(campaign, {**settings, "recipe": found["recipe"]})
    done = campaign.amend(found, reason=reason, changed=changed, by=by)
    receipt(done, f"amended: {', '.join(found)}", as_json)


def _settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Fields with their values as JSON."""
    found = {}
    for pair in pairs:
        field, _, text = pair.partition("=")
        try:
            found[field] = json.loads(text)
        except ValueError as error:
            raise InputError(f"--set {pair!r}: write FIELD=JSON, such as batch=20 ({error})") from error
    return found


def _pool(settings: dict[str, Any], source: str) -> Any:
    """The pool at its new place, with the columns' roles as they were."""
    from strongsuit.datasets.pools import IGNORE, read_pool

    known, target = settings["pool"], settings["target"]["name"]
    ignored = [one["name"] for one in known["columns"] if one["role"] == IGNORE]
    place = Path(source).resolve() if Path(source).exists() else source
    targets = [target] if isinstance(target, str) else list(target)
    return read_pool(place, key=known.get("key"), target=targets, ignore=ignored, media=known.get("media"))


def _check(campaign: Any, settings: dict[str, Any]) -> None:
    from strongsuit import recipes

    recipes.proposer(settings, pool=campaign.pool).check(settings)


def close(name: Name = None, reason: Reason = "", store: Store = DEFAULT, by: By = None, as_json: Json = False) -> None:
    """No further asking; answers are still taken. Example: strongsuit campaign close alloys --reason "good enough" """
    place = store_at(store)
    campaign = loaded(place, only(place, name))
    receipt(campaign.close(reason=reason, by=by), f"{campaign.name} is closed", as_json)


def reopen(
    name: Name = None, reason: Reason = "", store: Store = DEFAULT, by: By = None, as_json: Json = False
) -> None:
    """Ask again. Example: strongsuit campaign reopen alloys"""
    place = store_at(store)
    campaign = loaded(place, only(place, name))
    receipt(campaign.reopen(reason=reason, by=by), f"{campaign.name} is open", as_json)
