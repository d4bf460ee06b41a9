"""`strongsuit generate` and `strongsuit datasets`: tables with known regimes, and public sets by name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Out = Annotated[Path, typer.Option(help="File to write: .csv, .csv.gz, .tsv or .parquet.")]

datasets = typer.Typer(help="Public sets: what there is, and a copy of one.\n\nExample: strongsuit datasets list")


def generate(
    name: Annotated[str, typer.Argument(help="A law; without --out the names are listed.")] = "",
    out: Annotated[Path | None, typer.Option(help="File to write: .csv, .csv.gz, .tsv or .parquet.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="How many rows to draw.")] = 2_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same table.")] = 0,
    as_json: Json = False,
) -> None:
    """Write a table with known regimes: features, the target in [b]y[/b], the true regime in [b]regime[/b].

    Example: strongsuit generate wave_climb --rows 2000 --seed 1 --out wave.csv
    """
    from strongsuit.datasets.generators import GENERATORS
    from strongsuit.datasets.generators import generate as draw
    from strongsuit.datasets.writing import write_table

    if not name:
        listed = [{"name": g.name, "regimes": g.regimes, "law": g.law} for g in GENERATORS.values()]
        _show_rows("Laws", listed, ("name", "regimes", "law"), as_json)
        return
    if out is None:
        raise typer.BadParameter(f"name the file that takes the table, such as {name}.csv", param_hint="--out")
    table = draw(name, rows=rows, seed=seed)
    write_table(table.to_frame(), out)
    facts = {"name": name, "rows": rows, "seed": seed, "out": str(out), "regimes": table.expected_regimes}
    _show(f"{rows} rows of {name} in {out}", facts | {"noise_floor": table.noise_floor}, as_json)


@datasets.callback(invoke_without_command=True)
def _datasets(context: typer.Context, as_json: Json = False) -> None:
    """Public sets: what there is, and a copy of one. Example: strongsuit datasets get yacht_hydrodynamics"""
    if context.invoked_subcommand is None:
        list_sets(as_json)


@datasets.command("list")
def list_sets(as_json: Json = False) -> None:
    """List the public sets. Example: strongsuit datasets list --json"""
    from strongsuit.datasets.public_sets import PUBLIC_SETS

    listed = [
        {
            "name": one.name,
            "rows": one.rows,
            "targets": list(one.targets),
            "groups": list(one.groups),
            "download": one.original is not None,
            "source": one.source,
            "licence": one.licence,
        }
        for one in PUBLIC_SETS.values()
    ]
    _show_rows("Public sets", listed, ("name", "rows", "targets", "download", "source"), as_json)


@datasets.command("get")
def get_set(
    name: Annotated[str, typer.Argument(help="A set's name, from: strongsuit datasets list")],
    out: Out,
    as_json: Json = False,
) -> None:
    """Write a public set to a file, from the folder STRONGSUIT_DATA, the cache or its home.

    Example: strongsuit datasets get yacht_hydrodynamics --out yacht.csv
    """
    from strongsuit.datasets.registry import load
    from strongsuit.datasets.writing import write_table

    table = load(name)
    write_table(table.frame, out)
    facts = {"name": name, "rows": table.rows, "targets": list(table.targets), "out": str(out)}
    _show(f"{table.rows} rows of {name} in {out}", facts, as_json)


def _show(sentence: str, facts: dict[str, Any], as_json: bool) -> None:
    typer.echo(json.dumps(facts) if as_json else sentence)


def _show_rows(title: str, rows: list[dict[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None)
    for position, heading in enumerate(columns):
        table.add_column(heading, no_wrap=position == 0)
    for row in rows:
        table.add_row(*(_cell(row[heading]) for heading in columns))
    Console().print(table)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
