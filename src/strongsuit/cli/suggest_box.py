"""`strongsuit suggest --box`: which inputs of a box to measure next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from strongsuit.errors import InputError


def suggest_box(
    box: Path, labelled: str | None, target: list[str], n: int, strategy: str, learner: str, guard: bool, seed: int,
    out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Prints or writes the inputs to measure next; without a table of known rows the first, random ones."""
    from strongsuit.core.compile import use_compile_cache
    from strongsuit.datasets.writing import write_table
    from strongsuit.suggestions import suggest_in_box
    from strongsuit.suggestions.box_files import read_box, read_known

    if labelled is not None and not target:
        raise typer.BadParameter("--labelled needs --target: the label columns of the table")
    names, low, high = read_box(box)
    known = None if labelled is None else read_known(labelled, names, target)
    use_compile_cache()
    found = suggest_in_box(
        low, high, known, None if known is None else target, n=n, strategy=strategy, names=names, learner=learner,
        guarded=guard, random_state=seed,
    )  # fmt: skip
    if out is not None:
        write_table(found, out)
    if as_json:
        facts: dict[str, Any] = {"rows": len(found), "asked": n, "chosen": json.loads(found.to_json(orient="records"))}
        typer.echo(json.dumps(facts | ({} if out is None else {"out": str(out)})))
        return
    typer.echo(f"Rows: {out}" if out is not None else found.to_string(index=False))
    typer.echo("Measure them, add their labels as a column, and append them to the labelled table, all columns kept.")


def refuse(given: dict[str, Any]) -> None:
    """InputError for options that mean nothing in a box."""
    named = [name for name, value in given.items() if value not in (None, False, [])]
    if named:
        raise InputError(f"{named[0]} speaks of a pool of rows, and --box has none: leave it out")
