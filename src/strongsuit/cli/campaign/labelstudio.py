"""`strongsuit campaign labelstudio`: rows out to Label Studio as tasks, and what people answer there back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from strongsuit.cli.campaign.options import (
    DEFAULT,
    CheckPool,
    Json,
    Name,
    PoolFile,
    Store,
    loaded,
    only,
    say,
    store_at,
    with_pool,
    with_proposer,
)
from strongsuit.cli.progress import stages
from strongsuit.errors import InputError, NothingToAsk

KEY = "LABEL_STUDIO_API_KEY"
HOLDER = "label-studio"
SHOWN = 10  # refused annotations that are printed

app = labelstudio = typer.Typer(
    help="Rows out to Label Studio, and answers back; the key of your account there is read from "
    f"${KEY}.\n\nExample: strongsuit campaign labelstudio loop alloys --url http://localhost:8080",
    no_args_is_help=True,
)
Url = Annotated[str, typer.Option(envvar="LABEL_STUDIO_URL", help="Address of Label Studio.")]
ProjectId = Annotated[
    int | None, typer.Option("--project", min=1, help="Number of a project there; default: the campaign's own.")
]
Rows = Annotated[int | None, typer.Option("-n", min=1, help="Tasks that wait at once; default: a batch.")]
Media = Annotated[str, typer.Option(help="Where people find the pool's pictures: https://HOST/FOLDER/.")]
Who = Annotated[
    list[str] | None,
    typer.Option("--who", metavar="EMAIL=NAME", help="Who somebody is in the journal; may be repeated."),
]
Holder = Annotated[str, typer.Option("--by", help="Who holds the rows that are tasks.")]


@app.command("setup")
def setup(
    url: Url,
    name: Name = None,
    title: Annotated[str, typer.Option(help="Title of the project; default: the campaign's.")] = "",
    pool: PoolFile = None,
    check_pool: CheckPool = False,
    store: Store = DEFAULT,
    as_json: Json = False,
) -> None:
    """Make the project of a campaign with its labelling form, or find the one that there is.

    Example: strongsuit campaign labelstudio setup alloys --url http://localhost:8080
    """
    from strongsuit.campaign.labelstudio import setup as made

    campaign = _campaign(store, name, pool, check_pool)
    project, new = made(campaign, _server(url), title=title)
    sentence = f"{'Made' if new else 'Found'} {project.address}\n{_next('push', campaign.name, url)}"
    say(sentence, {"project": project.id, "address": project.address, "made": new}, as_json)


@app.command("push")
def push(
    url: Url,
    name: Name = None,
    project: ProjectId = None,
    n: Rows = None,
    media: Media = "",
    pool: PoolFile = None,
    check_pool: CheckPool = False,
    store: Store = DEFAULT,
    by: Holder = HOLDER,
    as_json: Json = False,
) -> None:
    """Ask for rows and make them tasks, in the order in which they are wanted; more once half of them are answered.

    Example: strongsuit campaign labelstudio push alloys --url http://localhost:8080
    """
    from strongsuit.campaign.labelstudio import push as pushed

    campaign = _campaign(store, name, pool, check_pool)
    there = _project(campaign, url, project)
    with stages("choosing rows", quiet=as_json) as progress:
        campaign = with_proposer(campaign, pool, progress)
        done = pushed(campaign, there, n=n, by=by, media=media)
    if done.ended and not done.open:
        raise NothingToAsk(done.ended)
    sentence = f"{_pushed(done)} · {there.address}\n{_next('pull', campaign.name, url)}"
    say(sentence, {**asdict(done), "project": there.id}, as_json)


@app.command("pull")
def pull(
    url: Url,
    name: Name = None,
    project: ProjectId = None,
    who: Who = None,
    pool: PoolFile = None,
    check_pool: CheckPool = False,
    store: Store = DEFAULT,
    by: Holder = HOLDER,
    as_json: Json = False,
) -> None:
    """Take what people answered, changed, skipped and deleted; the same again changes nothing.

    Example: strongsuit campaign labelstudio pull alloys --url http://localhost:8080 --who ann@lab.org=anna
    """
    from strongsuit.campaign.labelstudio_pull import pull as pulled

    campaign = _campaign(store, name, pool, check_pool)
    there = _project(campaign, url, project)
    done = pulled(campaign, there, by=by, names=_names(who))
    _complain(done)
    say(f"{_pulled(done)} · journal position {done.position}", {**asdict(done), "project": there.id}, as_json)


@app.command("loop")
def loop(
    url: Url,
    name: Name = None,
    project: ProjectId = None,
    n: Rows = None,
    media: Media = "",
    who: Who = None,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks.")] = 15.0,
    pool: PoolFile = None,
    check_pool: CheckPool = False,
    store: Store = DEFAULT,
    by: Holder = HOLDER,
    as_json: Json = False,
) -> None:
    """Pull and push until nothing is left to ask and every task is answered, or you press Ctrl-C.

    Example: strongsuit campaign labelstudio loop alloys --url http://localhost:8080
    """
    from strongsuit.campaign.labelstudio_pull import loop as looped

    campaign = _campaign(store, name, pool, check_pool)
    there = _project(campaign, url, project)
    over, told, seen = Event(), 0, set[str]()

    def progress(pulled: Any, pushed: Any) -> None:
        nonlocal told
        told += pulled.told
        _complain(pulled, seen)
        if not as_json and (pulled.wrote or (pushed and pushed.new)):
            typer.echo(" · ".join([_pulled(pulled), *([_pushed(pushed)] if pushed else [])]))

    campaign = with_proposer(campaign, pool, stopped=over.is_set)
    try:
        ended = looped(
            campaign, there, n=n, by=by, media=media, names=_names(who), every=every, progress=progress
        )  # fmt: skip
    finally:
        over.set()
    facts = {"told": told, "ended": ended, "project": there.id, "position": campaign.state.position}
    say(f"{told} told · {ended} · journal position {facts['position']}", facts, as_json)


def _campaign(store: str, name: str | None, pool: Path | None, check: bool) -> Any:
    place = store_at(store)
    return with_pool(loaded(place, only(place, name)), pool, check=check)


def _server(url: str) -> Any:
    from strongsuit.campaign.labelstudio_client import Server

    server = Server(url, os.environ.get(KEY, ""))
    if url.startswith("http://") and urlsplit(url).hostname not in ("localhost", "127.0.0.1", "::1"):
        typer.echo("Warning: your key goes there without https: anybody on the way can read it.", err=True)
    return server


def _project(campaign: Any, url: str, id_: int | None) -> Any:
    from strongsuit.campaign.labelstudio import check_form, find_project
    from strongsuit.campaign.labelstudio_client import project_at

    server = _server(url)
    if id_ is None:
        return find_project(campaign, server)
    project = project_at(server, id_)
    check_form(campaign, project)
    return project


def _names(who: Sequence[str] | None) -> dict[str, str]:
    wrong = [one for one in who or () if not all(one.partition("="))]
    if wrong:
        raise InputError(f"--who {wrong[0]!r}: write EMAIL=NAME")
    return dict(one.split("=", 1) for one in who or ())


def _pushed(done: Any) -> str:
    parts = [f"{done.open} {'task waits' if done.open == 1 else 'tasks wait'}, {done.new} new"]
    parts += [f"{done.doubled} tasks are there twice"] if done.doubled else []
    parts += [f"no more rows: {done.ended}"] if done.ended else []
    return " · ".join(parts)


def _pulled(done: Any) -> str:
    said = {"told": done.told, "revised": done.revised, "withdrawn": done.withdrawn, "skipped": done.skipped}
    parts = [f"{count} {what}" for what, count in said.items() if count or what == "told"]
    parts += [f"{done.kept} kept though their tasks are gone"] if done.kept else []
    parts += [f"{len(done.refused)} refused"] if done.refused else []
    return ", ".join(parts)


def _complain(done: Any, seen: set[str] | None = None) -> None:
    """Says which annotations are no answers, in a loop once each."""
    known = set() if seen is None else seen
    fresh = [one for one in done.refused if f"{one}" not in known]
    known |= {f"{one}" for one in fresh}
    for one in fresh[:SHOWN]:
        typer.echo(f"Refused: {one.message}: {one.address}", err=True)
    if len(fresh) > SHOWN:
        typer.echo(f"Refused: and {len(fresh) - SHOWN} more", err=True)


def _next(verb: str, name: str, url: str) -> str:
    return f"Next: strongsuit campaign labelstudio {verb} {name} --url {url}"
