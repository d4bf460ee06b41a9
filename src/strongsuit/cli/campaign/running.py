"""`strongsuit campaign run`: labels from programs, asked for, run, told, until the advice or a limit ends it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Annotated, Any

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

RUNNER = "runner"  # not the login name: rows that a person holds are not for a program


def run(
    oracle: Annotated[
        str,
        typer.Option(
            metavar="SPEC", help="python:module:function, a command with {column}, drop:FOLDER or https://..."
        ),
    ],
    name: Name = None,
    workers: Annotated[int, typer.Option(min=1, help="Jobs at once.")] = 1,
    timeout: Annotated[float | None, typer.Option(min=0.1, help="Seconds after which a job is ended.")] = None,
    retries: Annotated[int, typer.Option(min=0, help="Times a failed row is tried again.")] = 2,
    rounds: Annotated[int | None, typer.Option(min=1, help="Proposals after which it ends.")] = None,
    heed: Annotated[bool, typer.Option(help="End when the advice is to stop.")] = True,
    shell: Annotated[bool, typer.Option("--shell", help="Run the command by a shell; values are quoted.")] = False,
    variable: Annotated[
        list[str] | None, typer.Option("--env", help="Variable that the command may see; may be repeated.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Folders of the tickets; default: runs/NAME.")] = None,
    pool: PoolFile = None,
    check_pool: CheckPool = False,
    store: Store = DEFAULT,
    by: Annotated[str, typer.Option(help="The runner's name; its rows are taken up again after a crash.")] = RUNNER,
    as_json: Json = False,
) -> None:
    """Get labels from a program: ask, run, tell, until the advice, the budget or the rounds end it.

    Examples: strongsuit campaign run alloys --oracle python:bench:measure --workers 8

    strongsuit campaign run alloys --oracle "simulate --copper {copper} --out {dir}" --timeout 3600
    """
    from strongsuit.campaign.oracles import oracle_of
    from strongsuit.campaign.runner import Limits, run_campaign

    place = store_at(store)
    campaign = with_pool(loaded(place, only(place, name)), pool, check=check_pool)
    columns = [one["name"] for one in campaign.state.settings["pool"]["columns"] if one["role"] in ("key", "feature")]
    labels = oracle_of(
        oracle, workers=workers, folder=folder or Path("runs") / campaign.name, columns=columns, shell=shell,
        variables=variable or [],
    )  # fmt: skip
    limits = Limits(workers, timeout, retries, rounds, heed)
    with stages(campaign.name, quiet=as_json) as progress:
        # Stages of a fit are not shown: the bar tells of jobs, and two cannot share a line.
        over = Event()
        campaign = with_proposer(campaign, pool, stopped=over.is_set)
        try:
            tally = run_campaign(
                campaign, labels, limits, by=by, progress=lambda tally, running: progress(_words(tally, running), 0.0)
            )
        finally:
            over.set()  # a fit under way is of no use any more
    said = f"{_words(tally, 0)} · {tally.ended} · journal position {campaign.state.position}"
    say(said, {**asdict(tally), "position": campaign.state.position}, as_json)


def _words(tally: Any, running: int) -> str:
    parts = [
        f"{tally.told} told",
        f"{tally.failed} failed",
        f"{tally.rounds} {'round' if tally.rounds == 1 else 'rounds'}",
    ]
    parts += [f"{running} running"] if running else []
    parts += [f"{tally.adopted} taken up"] if tally.adopted else []
    return ", ".join(parts)
