"""`strongsuit store`: is the database whole, a copy of it, tables of an older release made new."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from strongsuit.cli.campaign.options import DEFAULT, Json, say, store_at
from strongsuit.cli.campaign.options import Store as Url
from strongsuit.errors import StoreError

app = store = typer.Typer(
    help="Look after the database of campaigns.\n\nExample: strongsuit store check --store sqlite:///lab.db",
    no_args_is_help=True,
)


@app.command("check")
def check(store: Url = DEFAULT, as_json: Json = False) -> None:
    """Check the database and the chain of every journal. Example: strongsuit store check"""
    from strongsuit.campaign.upkeep import check as look

    facts = look(store_at(store))
    lines = [f"{facts['store']}: ok"]
    if "sqlite" in facts:
        word = "" if facts["safe"] else " (before 3.51.3 writers wait for their turn, or are told that it is busy)"
        lines.append(f"SQLite {facts['sqlite']}{word}, integrity {facts['integrity']}")
    lines += [f"{name}: {position} events, the chain is whole" for name, position in facts["campaigns"].items()]
    say("\n".join(lines), facts, as_json)


@app.command("upgrade")
def upgrade(store: Url = DEFAULT, as_json: Json = False) -> None:
    """Bring the tables of an older release up to date, after a backup beside the file.

    Example: strongsuit store upgrade
    """
    from strongsuit.campaign.upkeep import upgrade as renew

    path = store.removeprefix("sqlite:///").split("?")[0]
    if store.startswith("sqlite:///") and not Path(path).exists():
        raise StoreError(f"there is no store {store}")
    copy = renew(store)
    said = "Nothing to do." if copy is None else f"Upgraded; the tables as they were: {copy}"
    say(said, {"backup": None if copy is None else str(copy)}, as_json)


@app.command("backup")
def backup(
    out: Annotated[Path, typer.Argument(help="The file to write.")], store: Url = DEFAULT, as_json: Json = False
) -> None:
    """Copy a SQLite store while others use it. Example: strongsuit store backup lab-2026-11-21.db"""
    from strongsuit.campaign.upkeep import backup as copy

    path = copy(store_at(store), out)
    say(f"Written: {path}", {"out": str(path)}, as_json)
