"""`strongsuit campaign list, import, fork, delete`: the campaigns of a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from strongsuit.cli.campaign.options import DEFAULT, Json, Store, loaded, say, store_at
from strongsuit.errors import InputError


def list_campaigns(store: Store = DEFAULT, as_json: Json = False) -> None:
    """The campaigns of the store. Example: strongsuit campaign list"""
    found = store_at(store).campaigns()
    width = max((len(one.name) for one in found), default=0)
    lines = [f"{one.name:<{width}}  {one.position:>8} events  since {one.created_at[:10]}" for one in found]
    say("\n".join(lines) or "No campaign yet.", [one._asdict() for one in found], as_json)


def import_journal(
    file: Annotated[Path, typer.Argument(help="A journal: .jsonl or .jsonl.gz.")],
    new: Annotated[str | None, typer.Option("--as", metavar="NAME", help="Another name for it.")] = None,
    store: Store = DEFAULT,
    as_json: Json = False,
) -> None:
    """Read a journal into the store; one that is there already goes on to its end.

    Example: strongsuit campaign import alloys.jsonl.gz --as alloys-copy
    """
    from strongsuit.campaign import import_journal as read

    place = store_at(store, new=True)
    name = read(place, file, name=new)
    position = loaded(place, name).state.position
    say(f"{name} · journal position {position}", {"name": name, "position": position}, as_json)


def fork(
    name: Annotated[str, typer.Argument(help="The campaign to copy.")],
    new: Annotated[str, typer.Argument(help="The name of the copy.")],
    at: Annotated[int | None, typer.Option(min=1, help="Journal position to copy up to; default: all.")] = None,
    store: Store = DEFAULT,
    as_json: Json = False,
) -> None:
    """Another campaign with the same history, to try another strategy on it.

    Example: strongsuit campaign fork alloys alloys-lcmd --at 120
    """
    from strongsuit.campaign import fork_campaign

    made = fork_campaign(name, new, at=at, store=store_at(store))
    facts = {"name": new, "position": made.state.position}
    say(f"{new} · journal position {made.state.position} of {name}", facts, as_json)


def delete(
    name: Annotated[str, typer.Argument(help="The campaign.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete it, journal and all.")] = False,
    store: Store = DEFAULT,
    as_json: Json = False,
) -> None:
    """Delete a campaign with its journal; export it before.

    Example: strongsuit campaign delete alloys --yes
    """
    from strongsuit.campaign import delete_campaign

    place = store_at(store)
    count = loaded(place, name).state.position
    if not yes:
        raise InputError(
            f"{name} has {count} events, and nothing brings them back: export them (`strongsuit campaign export {name} "
            f"--out {name}.jsonl.gz`), then say --yes"
        )
    delete_campaign(name, store=place)
    say(f"{name} is deleted", {"name": name, "events": count}, as_json)
