"""`strongsuit campaign serve` and `strongsuit campaign people`: the labelling page, and who may use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from strongsuit.cli.campaign.options import DEFAULT, Json, Store, say

people = typer.Typer(help="Who may use the page.\n\nExample: strongsuit campaign people add anna --role labeller")


def serve(
    store: Store = DEFAULT,
    host: Annotated[str, typer.Option(help="Address to listen on; any but this machine's needs https.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8321,
    name: Annotated[list[str] | None, typer.Option(help="A further name by which the server is reached.")] = None,
    folder: Annotated[list[Path] | None, typer.Option(help="Folder whose tables may become pools.")] = None,
    image_host: Annotated[list[str] | None, typer.Option(help="Host whose images pages may show (https://…).")] = None,
    certificate: Annotated[Path | None, typer.Option(help="Certificate for https (PEM).")] = None,
    private_key: Annotated[Path | None, typer.Option(help="Its private key (PEM).")] = None,
    as_json: Json = False,
) -> None:
    """Serve the labelling and progress page, and the same over HTTP. Prints a link that logs you in once.

    Example: strongsuit campaign serve --store sqlite:///lab.db
    """
    from strongsuit import recipes
    from strongsuit.web.server import serve as run

    try:
        run(
            store, host=host, port=port, names=name or (), folders=folder or (), image_hosts=image_host or (),
            certificate=certificate, private_key=private_key, tell=lambda link: say(link, {"link": link}, as_json),
            warn=lambda text: typer.echo(f"Warning: {text}.", err=True), proposers=recipes.proposer,
        )  # fmt: skip
    except KeyboardInterrupt:  # the way to end it
        typer.echo("Stopped. All that was answered is in the journal.", err=True)


@people.callback(invoke_without_command=True)
def _people(context: typer.Context, store: Store = DEFAULT, as_json: Json = False) -> None:
    """Who may use the page. Example: strongsuit campaign people add anna --role labeller"""
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
    store: Store = DEFAULT,
    as_json: Json = False,
) -> None:
    """Add somebody or change their role, and print a link that logs them in once within 15 minutes.

    Example: strongsuit campaign people add anna --role labeller
    """
    from strongsuit.web.server import add_person

    added = add_person(store, name, role, campaigns=campaign or None, base=base, token=token, days=days)
    if as_json:
        typer.echo(json.dumps({"name": name, "role": role, "link": added.link, "token": added.token}))
        return
    typer.echo(f"{name} is a {role}. Link, for one use within 15 minutes:\n{added.link}")
    if added.token:
        typer.echo(f"Token for programs, shown this once:\n{added.token}")


@people.command("list")
def list_people(store: Store = DEFAULT, as_json: Json = False) -> None:
    """List people and the ids of their tokens. Example: strongsuit campaign people list --json"""
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
    token: Annotated[str, typer.Argument(help="A token's id, from: strongsuit campaign people list")],
    store: Store = DEFAULT,
) -> None:
    """Revoke a token or a session. Example: strongsuit campaign people revoke 5f2a9c01d3e4b687"""
    _people_of(store).revoke(token)
    typer.echo(f"{token} is revoked")


@people.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Somebody's name.")], store: Store = DEFAULT) -> None:
    """Remove somebody with all their tokens; what they answered stays.

    Example: strongsuit campaign people remove anna
    """
    _people_of(store).remove(name)
    typer.echo(f"{name} is removed")


def _people_of(store: str) -> Any:
    from strongsuit.campaign.campaigns import open_store
    from strongsuit.web.people import open_people

    return open_people(open_store(store))
