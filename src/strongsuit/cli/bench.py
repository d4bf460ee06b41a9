"""`strongsuit bench`: run a benchmark cell by cell, and report what its records say."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from strongsuit.cli.progress import stages

PARTITION, DAL, CLASSIFICATION, IMAGES, AUTOAL = "partition", "dal", "classification", "images", "autoal"
KEPT = (DAL, CLASSIFICATION)  # whose reports keep digests
CLASSES = (CLASSIFICATION, IMAGES, AUTOAL)  # of classification: all, pictures alone, what a search is compared with
SUITES = (PARTITION, DAL, *CLASSES)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

app = bench = typer.Typer(
    help="Measure active partitioning against its single model, baselines and rivals, and rules that choose rows "
    "against random rows.\n\nExample: strongsuit bench run partition --seeds 10",
    no_args_is_help=True,
)


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@app.command("run")
def run(
    suite: Annotated[
        str,
        typer.Argument(
            help="The benchmark: partition, dal (which rows to label, regression), classification, images, which is "
            "classification of pictures alone, or autoal, searches for a strategy."
        ),
    ],
    tables: Annotated[str | None, typer.Option(help="All but dal: tables or sets, with commas; default: all.")] = None,
    methods: Annotated[str | None, typer.Option(help="partition: methods, with commas; default: all.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="partition: random splits a table.")] = 10,
    learner: Annotated[str, typer.Option(help="partition: what single model and experts are made of.")] = "auto",
    split: Annotated[str, typer.Option(help="partition: random, or grouped where groups are known.")] = "random",
    problems: Annotated[
        str | None,
        typer.Option(help="dal: problems or tables, with commas; tables for all of them; default: all problems."),
    ] = None,
    strategies: Annotated[
        str | None,
        typer.Option(help="All but partition: with commas; default: all. classification knows boss, an oracle, too."),
    ] = None,
    gammas: Annotated[
        str | None, typer.Option(help="dal: pool sizes over the batch, with commas; default: 2,4,8,16,32,64.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="All but partition: repetitions.")] = 10,
    first: Annotated[
        int, typer.Option("--first", min=0, help="All but partition: the number of the first repetition.")
    ] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="dal: batches a run; default: 50, of a table 30.")] = None,
    protocol: Annotated[
        str, typer.Option(help="dal: what is trained: product, network, network_cold, published or cold.")
    ] = "product",
    lane: Annotated[
        str, typer.Option(help="classification, images, autoal: the learner, linear, mlp or cnn (pixels).")
    ] = "linear",
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")] = None,
    limit: Annotated[float, typer.Option(min=1, help="Seconds after which a cell is given up.")] = 3_600.0,
    retry: Annotated[bool, typer.Option("--retry", help="Measure failed cells again.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the records; cells it has are skipped; default: runs/SUITE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure a grid cell by cell; an interrupted run goes on where it stopped.

    Examples: strongsuit bench run partition --tables servo,auto_mpg --seeds 3 --out runs/quick

    strongsuit bench run dal --problems SINE,HYDR --strategies gsx,qbc,auto --gammas 2,64 --repeats 8 --out runs/dal
    """
    from strongsuit.errors import InputError

    if suite not in SUITES:
        raise InputError(f"no benchmark is called {suite!r}; there are {', '.join(SUITES)}")
    out = out or Path("runs") / suite
    with stages("bench", quiet=as_json) as progress:
        given = {"jobs": jobs or cores(), "limit": limit, "retry": retry, "progress": progress}
        if suite == PARTITION:
            from strongsuit.bench.partition_bench import grid, run_grid

            run_grid(grid(_words(tables), _words(methods), seeds=seeds, learner=learner, split=split), out, **given)
        elif suite in CLASSES:
            from strongsuit.bench.autoal_bench import autoal_plans
            from strongsuit.bench.class_bench import class_plans, run_class_plans

            which = {"repeats": repeats, "first": first, "lane": lane}
            if suite == AUTOAL:
                grid_ = autoal_plans(_words(tables), _words(strategies), **which)
            else:
                grid_ = class_plans(_words(tables), _words(strategies), **which, pictures=suite == IMAGES)
            run_class_plans(grid_, out, **given)
        else:
            from strongsuit.bench.dal_bench import plans, run_plans

            grid_ = plans(
                _words(problems), _words(strategies), _numbers(gammas), repeats=repeats, first=first, steps=steps,
                protocol=protocol,
            )  # fmt: skip
            run_plans(grid_, out, **given)
    if suite == PARTITION:
        _show([out], out, split, learner, as_json)
    elif suite in CLASSES:
        _show_classes([out], out, lane, as_json)
    else:
        _show_dal([out], out, protocol, as_json)


@app.command("report")
def report(
    folders: Annotated[list[Path], typer.Argument(help="Folders of records, or of earlier reports.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the report's tables and pictures.")] = None,
    split: Annotated[str | None, typer.Option(help="Which split, if the records hold both.")] = None,
    learner: Annotated[str | None, typer.Option(help="Which learner, if the records hold several.")] = None,
    protocol: Annotated[str | None, typer.Option(help="dal: which protocol, if the records hold several.")] = None,
    lane: Annotated[str | None, typer.Option(help="classification: which lane, if there are several.")] = None,
    as_json: Json = False,
) -> None:
    """Tables of test errors with paired tests, and verdicts: of deployed models, or of strategies and claims.

    Several folders are reported as one: measure a grid in parts, on several machines or days. All reports but those of
    partition keep what they need of the records in their own folder, so that later reports can do without them.

    Examples: strongsuit bench report runs/partition --out runs/partition

    strongsuit bench report results runs/dal --out results
    """
    from strongsuit.bench.digests import digest_files
    from strongsuit.bench.records import read_records

    suites = {record.get("suite") for folder in folders for record in read_records(folder)}
    suites |= {suite for suite in KEPT for folder in folders if digest_files(folder, suite)}
    if CLASSIFICATION in suites:
        _show_classes(folders, out, lane, as_json)
    elif DAL in suites:
        _show_dal(folders, out, protocol, as_json)
    else:
        _show(folders, out, split, learner, as_json)


def _show(folders: Sequence[Path], out: Path | None, split: str | None, learner: str | None, as_json: bool) -> None:
    from strongsuit.bench.pages import markdown, write_report
    from strongsuit.bench.records import require_records
    from strongsuit.bench.report import as_json as plain
    from strongsuit.bench.report import summarise

    summary = summarise(require_records(folders), split=split, learner=learner)
    files = write_report(summary, out) if out else []
    _say(plain(summary) if as_json else markdown(summary), files)


def _show_dal(folders: Sequence[Path], out: Path | None, protocol: str | None, as_json: bool) -> None:
    from strongsuit.bench.dal_digest import digests_in
    from strongsuit.bench.dal_pages import as_json as plain
    from strongsuit.bench.dal_pages import markdown, write_report
    from strongsuit.bench.dal_report import summarise

    summary = summarise(digests_in(folders), protocol=protocol)
    files = write_report(summary, out) if out else []
    _say(plain(summary) if as_json else markdown(summary), files)


def _show_classes(folders: Sequence[Path], out: Path | None, lane: str | None, as_json: bool) -> None:
    from strongsuit.bench import autoal_pages, class_pages
    from strongsuit.bench.autoal_report import has_searches, summarise_search
    from strongsuit.bench.class_digest import class_digests_in
    from strongsuit.bench.class_report import summarise

    base = summarise(class_digests_in(folders), lane=lane)
    told: list[tuple[Any, Any]] = [(class_pages, base)]
    if has_searches(base):
        told.insert(0, (autoal_pages, summarise_search(base)))
    files = [path for pages, summary in told for path in pages.write_report(summary, out)] if out else []
    if as_json:
        _say({name: value for pages, summary in told for name, value in pages.as_json(summary).items()}, files)
    else:
        _say("\n".join(pages.markdown(summary) for pages, summary in told), files)


def _say(report: dict[str, Any] | str, files: Sequence[Path]) -> None:
    """The report, as JSON if it is a dictionary, and the files that were written."""
    if isinstance(report, dict):
        typer.echo(json.dumps(_finite(report | {"files": [str(path) for path in files]})))
        return
    typer.echo(report)
    for path in files:
        typer.echo(f"Written: {path}")


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str | None) -> list[int] | None:
    words = _words(text)
    try:
        return None if words is None else [int(word) for word in words]
    except ValueError as error:
        from strongsuit.errors import InputError

        raise InputError(f"gammas must be whole numbers with commas, such as 2,64; got {text!r}") from error


def _finite(value: Any) -> Any:
    """The value with null for numbers that JSON does not know."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and value - value != 0 else value
