"""`strongsuit campaign status, report, export, verify`: what a campaign says of itself."""

from __future__ import annotations

from pathlib import Path
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
    with_keys,
    with_pool,
    with_proposer,
)
from strongsuit.cli.progress import stages

MISMATCH = 3


def status(name: Name = None, store: Store = DEFAULT, as_json: Json = False) -> None:
    """Where the campaign stands: rows, people, costs, the error and whether to go on.

    Example: strongsuit campaign status alloys
    """
    from strongsuit.cli.campaign.words import status_lines

    place = store_at(store)
    campaign = loaded(place, only(place, name))
    facts = {**campaign.status(), "pool": pool_health(campaign.state.settings["pool"])}
    say("\n".join(status_lines(facts, campaign.state)), facts, as_json)


def pool_health(pool: dict[str, Any]) -> str:
    """What can be seen of the pool's file without reading it: unchanged, changed, missing, a folder or no file."""
    if Path(str(pool.get("uri"))).is_dir():
        return "a folder"
    if pool.get("format") == "frame" or pool.get("stat") is None:
        return "no file"
    path = Path(pool["uri"])
    if not path.is_file():
        return "missing"
    about = path.stat()
    return "unchanged" if [about.st_size, about.st_mtime_ns] == list(pool["stat"]) else "touched"


def report(
    name: Name = None,
    out: Annotated[Path | None, typer.Option(help="Markdown file; default: print it.")] = None,
    store: Store = DEFAULT,
    as_json: Json = False,
) -> None:
    """The whole story in Markdown: rounds, learning curve, people, failures.

    Example: strongsuit campaign report alloys --out alloys.md
    """
    from strongsuit.cli.campaign.words import report_of
    from strongsuit.datasets.writing import atomic_path

    place = store_at(store)
    campaign = loaded(place, only(place, name))
    facts = {**campaign.status(), "pool": pool_health(campaign.state.settings["pool"])}
    page = report_of(facts, campaign.state)
    if out is None:
        say(page, facts, as_json)
        return
    with atomic_path(out) as draft:
        draft.write_text(page + "\n", encoding="utf-8")
    say(f"Written: {out}", {**facts, "out": str(out)}, as_json)


def export(
    out: Annotated[Path, typer.Option(help="Labels as .csv, .parquet or .json; the journal as .jsonl or .jsonl.gz.")],
    name: Name = None,
    pool: PoolFile = None,
    store: Store = DEFAULT,
    as_json: Json = False,
) -> None:
    """Write the labels, or the journal. Example: strongsuit campaign export alloys --out labels.csv"""
    place = store_at(store)
    campaign = loaded(place, only(place, name))
    journal = out.name.endswith((".jsonl", ".jsonl.gz"))
    campaign = campaign if journal else with_keys(campaign, pool)
    campaign.export(out)
    count = campaign.state.position if journal else len(campaign.labels())
    what = "events" if journal else "labels"
    say(f"{count} {what} in {out}", {"out": str(out), what: count, "position": campaign.state.position}, as_json)


def verify(
    name: Name = None,
    proposals: Annotated[bool, typer.Option(help="Compute every proposal again and compare.")] = True,
    pool: PoolFile = None,
    check_pool: CheckPool = False,
    store: Store = DEFAULT,
    as_json: Json = False,
) -> None:
    """Check the journal's chain, and whether its proposals come out again. Exit code 3 if one differs.

    Example: strongsuit campaign verify alloys
    """
    place = store_at(store)
    campaign = loaded(place, only(place, name))
    with stages("verifying", quiet=as_json) as progress:
        if proposals:
            campaign = with_proposer(with_pool(campaign, pool, check=check_pool), pool, progress)
        elif check_pool or pool is not None:
            with_pool(campaign, pool, check=check_pool)
        verdicts = campaign.verify()
    rows = [{"round": one.round, "basis": one.basis, "verdict": one.verdict, "detail": one.detail} for one in verdicts]
    words = [f"round {one.round}: {one.verdict}{f' ({one.detail})' if one.detail else ''}" for one in verdicts]
    head = f"{campaign.name} · the chain of {campaign.state.position} events is whole"
    say("\n".join([head, *words]), {"position": campaign.state.position, "rounds": rows}, as_json)
    if any(one.verdict != "equal" for one in verdicts):
        raise typer.Exit(MISMATCH)
