"""`strongsuit suggest` and `strongsuit strategies`: which rows to label next, and by what rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def suggest(
    pool: Annotated[str, typer.Argument(metavar="POOL", help="CSV or Parquet file of rows that may be labelled.")],
    labelled: Annotated[str, typer.Option(metavar="TABLE", help="Rows with their labels, earlier answers among them.")],
    target: Annotated[list[str], typer.Option(help="Label column; repeat for several.")],
    n: Annotated[int, typer.Option("-n", min=1, help="Rows to label.")] = 10,
    strategy: Annotated[str, typer.Option(help="auto, or a name that `strongsuit strategies` lists.")] = "auto",
    id_: Annotated[str | None, typer.Option("--id", help="Column that identifies rows in both tables.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Column that is no feature; may be repeated.")] = None,
    learner: Annotated[str, typer.Option(help="Model whose uncertainty counts: mlp, gp, hgb, ...")] = "mlp",
    guard: Annotated[bool, typer.Option(help="Draw a share at random and fall back to random where it pays.")] = True,
    out: Annotated[Path | None, typer.Option(help="File for the rows: CSV or Parquet.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.")] = 0,
    as_json: Json = False,
) -> None:
    """Choose the rows of a pool that should be labelled next.

    Example: strongsuit suggest pool.csv --labelled known.csv --target y -n 40 --out suggested.csv
    """
    from strongsuit.suggestions import suggest as choose

    found = choose(
        pool, labelled=labelled, target=target, n=n, strategy=strategy, id=id_, exclude=exclude or [], learner=learner,
        guarded=guard, random_state=seed, out=out,
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(found.facts | {"chosen": json.loads(found.frame.to_json(orient="records"))}))
        return
    typer.echo(found.text if out is not None else f"{found.frame.to_string(index=False)}\n\n{found.text}")
    if out is not None:
        typer.echo(f"Rows: {out}")


def strategies(as_json: Json = False) -> None:
    """List the rules that choose rows, and where they come from. Example: strongsuit strategies --json"""
    from strongsuit.suggestions import listed_strategies

    rows = listed_strategies()
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        source = f" ({row['source']})" if row["source"] else ""
        typer.echo(f"{row['name']:<21}{row['chooses']}{source}")
