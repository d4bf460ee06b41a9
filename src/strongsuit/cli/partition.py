"""`strongsuit partition`: one command from a table to guarded experts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from strongsuit.cli.progress import stages

LEARNER_HELP = "auto compares families by cross-validation; or ridge, basis, gp, hgb, mlp, forest."


def partition(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="CSV or Parquet file.")],
    target: Annotated[list[str], typer.Option(help="Target column; repeat for several targets.")],
    groups: Annotated[str | None, typer.Option(help="Column whose equal values stay together in every split.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Column to leave out; may be repeated.")] = None,
    categorical: Annotated[
        list[str] | None, typer.Option(help="Column of numbers that are codes, not quantities; may be repeated.")
    ] = None,
    weight: Annotated[str | None, typer.Option(help="Column of row weights, zero or more.")] = None,
    test: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Rows never trained on, to be scored at the end.")
    ] = None,
    mode: Annotated[
        str, typer.Option(help="held_out (guarded) or paper (the published scheme, unguarded).")
    ] = "held_out",
    learner: Annotated[str, typer.Option(help=LEARNER_HELP)] = "auto",
    max_regimes: Annotated[int, typer.Option(min=1, max=64, help="Most regimes that may be found.")] = 8,
    restarts: Annotated[int, typer.Option(min=1, max=8, help="Starts tried for each kind of competitor.")] = 4,
    caution: Annotated[
        str | None, typer.Option(help="strict or balanced: how sure the guard must be before an expert speaks.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the model and its report.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
    jobs: Annotated[int, typer.Option(min=0, help="Processes for the guard's folds; 0 takes all cores.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Find the regimes of a table and deploy one expert each where held-out rows prove them better.

    Example: strongsuit partition wave.csv --target y --exclude regime --out wave_model
    """
    from strongsuit.core.compile import use_compile_cache
    from strongsuit.workflow import Settings, partition_table

    use_compile_cache()
    settings = Settings(learner, mode, max_regimes, restarts, caution or Settings.caution, seed, jobs)
    with stages("partition", quiet=as_json) as progress:
        result = partition_table(
            table, targets=target, groups=groups, exclude=exclude or [], categorical=categorical or [], weight=weight,
            test=test, settings=settings, out=out, progress=progress,
        )  # fmt: skip
    _show(result, as_json)


def _show(result: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.facts))
    else:
        typer.echo(result.text)
