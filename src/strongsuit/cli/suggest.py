"""`strongsuit suggest` and `strongsuit strategies`: which rows to label next, and by what rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from strongsuit.errors import InputError

PICTURES = ("png", "svg", "pdf")
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def suggest(
    pool: Annotated[
        str | None, typer.Argument(metavar="POOL", help="Rows that may be labelled: CSV, Parquet or a folder.")
    ] = None,
    labelled: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Rows with their labels, earlier answers among them.")
    ] = None,
    target: Annotated[list[str] | None, typer.Option(help="Label column; repeat for several.")] = None,
    box: Annotated[
        Path | None, typer.Option(help="Table of name, low, high: choose inputs between bounds, in place of POOL.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Rows to label.")] = 10,
    strategy: Annotated[str, typer.Option(help="auto, or a name that `strongsuit strategies` lists.")] = "auto",
    id_: Annotated[str | None, typer.Option("--id", help="Column that identifies rows in both tables.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Column that is no feature; may be repeated.")] = None,
    order: Annotated[str | None, typer.Option(help="Column of TABLE: when a row was labelled.")] = None,
    cost: Annotated[str | None, typer.Option(help="Column of POOL with the price of each row.")] = None,
    price: Annotated[float | None, typer.Option(help="Price of a row, where all cost the same.")] = None,
    budget: Annotated[float | None, typer.Option(help="The most to spend in all: labels, or money if priced.")] = None,
    target_error: Annotated[float | None, typer.Option(help="Root mean squared error that is good enough.")] = None,
    worth: Annotated[float | None, typer.Option(help="What 1 % less squared error is worth, in prices.")] = None,
    learner: Annotated[
        str,
        typer.Option(
            help="Model whose uncertainty counts: auto, mlp, gp, hgb ...; of classes auto, softmax, mlp, forest."
        ),
    ] = "auto",
    task: Annotated[
        str, typer.Option(help="regression, classification, or auto: classes where the target is text.")
    ] = "auto",
    classes: Annotated[
        str | None, typer.Option(help="All classes, with commas, where the labels may not show every one.")
    ] = None,
    multi_label: Annotated[
        bool, typer.Option("--multi-label", help="Each target is a label that is there or not: 0 or 1.")
    ] = False,
    annotator: Annotated[
        str | None, typer.Option(help="Column of TABLE: who gave a label; a line for each answer. Needs --id.")
    ] = None,
    start: Annotated[
        str, typer.Option(help="Where nothing is labelled: random rows, or those that cover the inputs: cover.")
    ] = "random",
    guard: Annotated[bool, typer.Option(help="Draw a share at random and fall back to random where it pays.")] = True,
    replicates: Annotated[bool, typer.Option("--allow-replicates", help="Ask for equal rows too.")] = False,
    out: Annotated[Path | None, typer.Option(help="File for the rows: CSV or Parquet.")] = None,
    plot: Annotated[Path | None, typer.Option(help="File for a picture of the learning curve: PNG, SVG, PDF.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows; keep it from call to call.")] = 0,
    as_json: Json = False,
) -> None:
    """Choose the rows of a pool that should be labelled next, and say whether to go on.

    Example: strongsuit suggest pool.csv --labelled known.csv --target y --id sample -n 40 --out suggested.csv
    """
    if box is not None:
        from strongsuit.cli.suggest_box import refuse, suggest_box

        refuse({"POOL": pool, "--id": id_, "--exclude": exclude, "--order": order, "--cost": cost, "--price": price,
                "--budget": budget, "--target-error": target_error, "--worth": worth, "--plot": plot,
                "--allow-replicates": replicates, "--classes": classes, "--multi-label": multi_label,
                "--annotator": annotator, "--start": None if start == "random" else start,
                "--task": None if task == "auto" else task})  # fmt: skip
        return suggest_box(box, labelled, target or [], n, strategy, learner, guard, seed, out, as_json)
    if pool is None or not target or (labelled is None and not (classes or multi_label)):
        raise typer.BadParameter("give POOL, --labelled and --target, or --box; --classes if nothing is labelled yet")
    from strongsuit.core.compile import use_compile_cache
    from strongsuit.suggestions import suggest as choose

    _kind(plot)
    use_compile_cache()
    found = choose(
        pool, labelled=labelled, target=target, n=n, strategy=strategy, id=id_, exclude=exclude or [], order=order,
        cost=cost, price=price, budget=budget, target_error=target_error, worth=worth, learner=learner, task=task,
        classes=_declared(classes), multi_label=multi_label, annotator=annotator, start=start, guarded=guard,
        allow_replicates=replicates, random_state=seed, out=out,
    )  # fmt: skip
    if plot is not None:
        _draw(found.history, plot, target[0] if len(target) == 1 else "", target_error)
        found.facts["plot"] = str(plot)
    if as_json:
        typer.echo(json.dumps(_finite(found.facts | {"chosen": json.loads(found.frame.to_json(orient="records"))})))
        return
    typer.echo(found.text if out is not None else f"{found.frame.to_string(index=False)}\n\n{found.text}")
    if out is not None:
        where = f"append them to {labelled}" if labelled else "give them as --labelled"
        typer.echo(f"\nRows: {out}. Add their labels in column {target[0]} and {where}, all columns kept.")
    if plot is not None:
        typer.echo(f"Picture: {plot}")


def _declared(text: str | None) -> list[str | int]:
    """The classes named with commas: whole numbers if all are."""
    words = [] if text is None else [word.strip() for word in text.split(",") if word.strip()]
    try:
        return [int(word) for word in words]
    except ValueError:
        return words


def _kind(plot: Path | None) -> str:
    """The format of a picture by its suffix, or InputError before any work is done."""
    kind = "" if plot is None else plot.suffix.lower().removeprefix(".")
    if plot is not None and kind not in PICTURES:
        raise InputError(f"cannot tell the format of {plot.name!r}: end it in .{', .'.join(PICTURES)}")
    return kind


def _draw(history: Any, plot: Path, target: str, goal: float | None) -> None:
    from strongsuit.datasets.writing import atomic_path
    from strongsuit.plots import draw_progress

    figure = draw_progress(history, target=target, goal=goal)
    with atomic_path(plot) as draft:
        figure.savefig(draft, format=_kind(plot), dpi=160, facecolor="white")


def _finite(value: Any) -> Any:
    """The value with null for numbers that JSON does not know."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and value - value != 0 else value


def strategies(as_json: Json = False) -> None:
    """List the rules that choose rows, and where they come from. Example: strongsuit strategies --json"""
    from strongsuit.suggestions import listed_strategies

    rows = listed_strategies()
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for task in dict.fromkeys(row["task"] for row in rows):
        typer.echo(f"{task.capitalize()}:")
        for row in (row for row in rows if row["task"] == task):
            source = f" ({row['source']})" if row["source"] else ""
            mark = "*" if row["proven"] else " "
            typer.echo(f"{mark} {row['name']:<21}{row['chooses']}{source}")
    typer.echo("* nowhere worse than random in the benchmark: trusted from the start, a tenth of each batch random")
