"""`strongsuit serve` and `strongsuit people`: the labelling page, and who may use it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

STORE_VARIABLE, DEFAULT_STORE = "STRONGSUIT_STORE", "sqlite:///strongsuit.db"
Store = Annotated[str | None, typer.Option(help=f"Where journals are kept: a URL (default: ${STORE_VARIABLE}).")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

people = typer.Typer(help="Who may use the page.\n\nExample: strongsuit people add anna --role labeller")


def serve(
    store: Store = None,
    host: Annotated[str, typer.Option(help="Address to listen on; any but this machine's needs https.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8321,
    name: Annotated[list[str] | None, typer.Option(help="A further name by which the server is reached.")] = None,
    folder: Annotated[list[Path] | None, typer.Option(help="Folder whose tables may become pools.")] = None,
    image_host: Annotated[list[str] | None, typer.Option(help="Host whose images pages may show (https://…).")] = None,
    certificate: Annotated[Path | None, typer.Option(help="Certificate for https (PEM).")] = None,
    private_key: Annotated[Path | None, typer.Option(help="Its private key (PEM).")] = None,
) -> None:
    """Serve the labelling and progress page, and the same over HTTP. Prints a link that logs you in once.

    Example: strongsuit serve --store sqlite:///lab.db
    """
    from strongsuit import recipes
    from strongsuit.web.serve import serve as run

    run(
        _store(store), host=host, port=port, names=name or (), folders=folder or (), image_hosts=image_host or (),
        certificate=certificate, private_key=private_key, tell=typer.echo,
        proposers=getattr(recipes, "proposer", None),
    )  # fmt: skip


@people.callback(invoke_without_command=True)
def _people(context: typer.Context, store: Store = None, as_json: Json = False) -> None:
    """Who may use the page. Example: strongsuit people add anna --role labeller"""
    if context.invoked_subcommand is None:
        list_people(store, as_json)


@people.command("add")
def add(
    name: Annotated[str, typer.Argument(help="The name that the journal will show.")],
    role: Annotated[str, typer.Option(help="labeller, owner or viewer.")],
    campaign: Annotated[list[str] | None, typer.Option(help="A campaign they may see (default: all).")] = None,
    token: Annotated[bool, typer.Option("--token", help="Print a token for programs too.")] = False,
    days: Annotated[int | None, typer.Option(min=1, help="Days after which that token ends.")] = None,
    base: Annotated[str, typer.Option(help="Address of the server, for the link.")] = "http://127.0.0.1:8321",
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Add somebody or change their role, and print a link that logs them in once within 15 minutes.

    Example: strongsuit people add anna --role labeller
    """
    from strongsuit.web.serve import add_person

    added = add_person(_store(store), name, role, campaigns=campaign or None, base=base, token=token, days=days)
    if as_json:
        typer.echo(json.dumps({"name": name, "role": role, "link": added.link, "token": added.token}))
        return
    typer.echo(f"{name} is a {role}. Link, for one use within 15 minutes:\n{added.link}")
    if added.token:
        typer.echo(f"Token for programs, shown this once:\n{added.token}")


@people.command("list")
def list_people(store: Store = None, as_json: Json = False) -> None:
    """List people and the ids of their tokens. Example: strongsuit people list --json"""
    found = _people_of(store)
    tokens = found.tokens()
    listed: list[dict[str, Any]] = [
        {"name": one.name, "role": one.role, "campaigns": one.campaigns,
         "tokens": [{"id": t.id, "kind": t.kind, "until": t.until} for t in tokens if t.person == one.name]}
        for one in found.all()
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps(listed))
        return
    for one in listed:
        where = "all campaigns" if one["campaigns"] is None else ", ".join(one["campaigns"])
        typer.echo(f"{one['name']}  {one['role']}  {where}")
        for token in one["tokens"]:
            typer.echo(f"    {token['id']}  {token['kind']}  until {token['until'] or 'revoked'}")


@people.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(help="A token's id, from: strongsuit people list")], store: Store = None
) -> None:
    """Revoke a token or a session. Example: strongsuit people revoke 5f2a9c01d3e4b687"""
    _people_of(store).revoke(token)
    typer.echo(f"{token} is revoked")


@people.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Somebody's name.")], store: Store = None) -> None:
    """Remove somebody with all their tokens; what they answered stays. Example: strongsuit people remove anna"""
    _people_of(store).remove(name)
    typer.echo(f"{name} is removed")


def _people_of(store: str | None) -> Any:
    from strongsuit.campaign.campaigns import open_store
    from strongsuit.web.people import open_people

    return open_people(open_store(_store(store)))


def _store(store: str | None) -> str:
    return store or os.environ.get(STORE_VARIABLE) or DEFAULT_STORE
