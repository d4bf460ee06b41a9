"""`strongsuit predict`: a model directory answers for a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that `strongsuit partition --out` wrote.")],
    table: Annotated[str, typer.Argument(metavar="TABLE", help="CSV or Parquet file with the model's features.")],
    out: Annotated[Path, typer.Option(help="File to write: .csv, .csv.gz, .tsv or .parquet.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write prediction, spread, regime, probability of the regime, and whether the fallback answered and why.

    Example: strongsuit predict wave_model wave.csv --out predicted.csv
    """
    from strongsuit.core.compile import use_compile_cache
    from strongsuit.workflow import predict_table

    use_compile_cache()
    facts = predict_table(model, table, out=out)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    answered = f"{facts['experts']} by experts, {facts['fallback']} by the fallback"
    typer.echo(f"{facts['rows']} rows predicted ({answered}) in {out}")
    for reason, count in facts["reasons"].items():
        typer.echo(f"  {count:>8}  {reason}")
