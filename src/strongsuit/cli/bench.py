"""`strongsuit bench`: run a benchmark cell by cell, and report what its records say."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from strongsuit.cli.progress import stages

SUITES = ("partition",)
DEFAULT_OUT = Path("runs/partition")

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

app = bench = typer.Typer(
    help="Measure active partitioning against its single model, baselines and rivals.\n\n"
    "Example: strongsuit bench run partition --seeds 10",
    no_args_is_help=True,
)


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@app.command("run")
def run(
    suite: Annotated[str, typer.Argument(help="The benchmark: partition.")],
    tables: Annotated[str | None, typer.Option(help="Tables, with commas; default: the public ones.")] = None,
    methods: Annotated[str | None, typer.Option(help="Methods, with commas; default: all.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Random splits a table.")] = 10,
    learner: Annotated[str, typer.Option(help="What single model and experts are made of.")] = "auto",
    split: Annotated[str, typer.Option(help="random, or grouped where groups of rows are known.")] = "random",
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")] = None,
    limit: Annotated[float, typer.Option(min=1, help="Seconds after which a cell is given up.")] = 3_600.0,
    retry: Annotated[bool, typer.Option("--retry", help="Measure failed cells again.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of the records; cells it has are skipped.")] = DEFAULT_OUT,
    as_json: Json = False,
) -> None:
    """Measure tables x seeds x methods; an interrupted run goes on where it stopped.

    Example: strongsuit bench run partition --tables servo,auto_mpg --seeds 3 --out runs/quick
    """
    from strongsuit.bench.partition_bench import grid, run_grid
    from strongsuit.errors import InputError

    if suite not in SUITES:
        raise InputError(f"no benchmark is called {suite!r}; there is {', '.join(SUITES)}")
    cells = grid(_words(tables), _words(methods), seeds=seeds, learner=learner, split=split)
    with stages("bench", quiet=as_json) as progress:
        run_grid(cells, out, jobs=jobs or cores(), limit=limit, retry=retry, progress=progress)
    _show(out, out, split, learner, as_json)


@app.command("report")
def report(
    folder: Annotated[Path, typer.Argument(help="The folder of the records.")],
    out: Annotated[Path | None, typer.Option(help="Folder for report.md and report.png.")] = None,
    split: Annotated[str | None, typer.Option(help="Which split, if the records hold both.")] = None,
    learner: Annotated[str | None, typer.Option(help="Which learner, if the records hold several.")] = None,
    as_json: Json = False,
) -> None:
    """Tables of test errors, paired tests of deployed against single, and the verdict.

    Example: strongsuit bench report runs/partition --out runs/partition
    """
    _show(folder, out, split, learner, as_json)


def _show(folder: Path, out: Path | None, split: str | None, learner: str | None, as_json: bool) -> None:
    from strongsuit.bench.pages import markdown, write_report
    from strongsuit.bench.records import require_records
    from strongsuit.bench.report import as_json as plain
    from strongsuit.bench.report import summarise

    summary = summarise(require_records(folder), split=split, learner=learner)
    files = [str(path) for path in write_report(summary, out)] if out else []
    if as_json:
        typer.echo(json.dumps(_finite(plain(summary) | {"files": files})))
        return
    typer.echo(markdown(summary))
    for name in files:
        typer.echo(f"Written: {name}")


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _finite(value: Any) -> Any:
    """The value with null for numbers that JSON does not know."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and value - value != 0 else value
