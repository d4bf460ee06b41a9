"""`strongsuit campaign create`: a campaign over a table, checked whole before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from strongsuit.cli.campaign.options import DEFAULT, By, Json, Store, same, say, store_at
from strongsuit.errors import InputError

MOST_CLASSES = 100  # that are taken from the table without being named


def create(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits, '_' and '-'.")],
    pool: Annotated[
        str,
        typer.Option(
            metavar="TABLE", help="Rows that may be labelled: CSV, Parquet, a folder of Parquet or of pictures."
        ),
    ],
    target: Annotated[list[str], typer.Option(help="Column to fill in; repeat for several numbers.")],
    key: Annotated[str | None, typer.Option(help="Column that identifies rows; without it their number does.")] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Column that is no part of the pool; may be repeated.")
    ] = None,
    task: Annotated[
        str, typer.Option(help="regression, classification, or auto: classes where they are named.")
    ] = "auto",
    classes: Annotated[str | None, typer.Option(help="All classes, with commas.")] = None,
    low: Annotated[float | None, typer.Option(help="Least number that can be right.")] = None,
    high: Annotated[float | None, typer.Option(help="Largest number that can be right.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the target, for people.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Rows a round.")] = 10,
    strategy: Annotated[str, typer.Option(help="auto, or a name that `strongsuit strategies` lists.")] = "auto",
    learner: Annotated[str, typer.Option(help="Model whose uncertainty counts: auto, mlp, gp, softmax ...")] = "auto",
    start: Annotated[
        str, typer.Option(help="The first rows: random, or those that cover the inputs: cover.")
    ] = "random",
    guard: Annotated[bool, typer.Option(help="Draw a share at random and fall back to random where it pays.")] = True,
    replicates: Annotated[bool, typer.Option("--allow-replicates", help="Ask for equal rows too.")] = False,
    categorical: Annotated[list[str] | None, typer.Option(help="Column of numbers that are codes; repeatable.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and answers give the same rows.")] = 0,
    lease: Annotated[float, typer.Option(min=1, help="Minutes that rows are kept for who asked for them.")] = 30.0,
    cost: Annotated[str | None, typer.Option(help="What a row costs: a number, or a column of the pool.")] = None,
    cost_unit: Annotated[str | None, typer.Option(help="Unit of costs and budget; default: labels.")] = None,
    budget: Annotated[float | None, typer.Option(min=0, help="The most to spend.")] = None,
    overlap: Annotated[int, typer.Option(min=1, help="People who answer each row.")] = 1,
    overlap_max: Annotated[int | None, typer.Option(min=1, help="The most, where they disagree.")] = None,
    aggregate: Annotated[str | None, typer.Option(help="mean, median, majority or dawid_skene.")] = None,
    skip_limit: Annotated[int, typer.Option(min=1, help="Skips after which nobody is asked for a row.")] = 1,
    owner: Annotated[list[str] | None, typer.Option(help="Who settles disputes; may be repeated.")] = None,
    target_error: Annotated[float | None, typer.Option(help="Error at which the advice is to stop.")] = None,
    labels: Annotated[int | None, typer.Option(min=1, help="Labels at which the advice is to stop.")] = None,
    auto_close: Annotated[bool, typer.Option("--auto-close", help="Close when the advice is to stop.")] = False,
    media: Annotated[Path | None, typer.Option(help="Folder of the files that cells name.")] = None,
    title: Annotated[str | None, typer.Option(help="A name for people; default: NAME.")] = None,
    exists: Annotated[
        str, typer.Option(help="If there is one of that name: error, or load it if it is the same.")
    ] = "error",
    store: Store = DEFAULT,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Begin a campaign over the rows of a table.

    Example: strongsuit campaign create alloys --pool pool.csv --key id --target strength --low 0 --high 2500 --unit MPa
    """
    from strongsuit.datasets.pools import read_pool

    place = Path(pool).resolve() if Path(pool).exists() else pool
    folder = None if media is None else str(media.resolve())
    rows = read_pool(place, key=key, target=target, ignore=ignore or [], media=folder)
    settings: dict[str, Any] = {
        "target": _target(rows, target, task, classes, low, high, unit),
        "recipe": {"strategy": strategy, "learner": learner, "start": start, "guard": guard,
                   "allow_replicates": replicates, "categorical": list(categorical or [])},
        "batch": batch, "seed": seed, "lease_s": 60.0 * lease, "title": title,
        "cost": _cost(cost, cost_unit), "budget": _budget(budget, cost_unit),
        "annotation": _annotation(overlap, overlap_max, aggregate, skip_limit, owner or []),
        "stopping": _stopping(target_error, labels, auto_close),
    }  # fmt: skip
    made = _made(name, rows, settings, store, exists, by)
    known = _told_already(rows, target)
    sentence = _words(made, name, len(rows), known, pool)
    facts = {"name": name, "rows": len(rows), "position": made.state.position, "labels_in_pool": known}
    facts |= {"fingerprint": rows.description["fingerprint"], "settings": made.state.settings}
    say(sentence, facts, as_json)


def _made(name: str, rows: Any, settings: Mapping[str, Any], store: str, exists: str, by: str | None) -> Any:
    """The campaign; first made in memory, so that the process that will choose rows can look at its settings."""
    from strongsuit import recipes
    from strongsuit.campaign import MemoryStore, create_campaign

    draft = create_campaign(name, rows, store=MemoryStore(), by=by, **settings)
    recipes.proposer(draft.state.settings, pool=rows).check(draft.state.settings)
    return create_campaign(name, rows, store=store_at(store, new=True), exists=exists, by=by, **settings)


def _target(
    rows: Any, names: Sequence[str], task: str, classes: str | None, low: float | None, high: float | None,
    unit: str | None,
) -> dict[str, Any]:  # fmt: skip
    """The target in the journal's words: a class if classes are named or known, else numbers."""
    if task not in ("auto", "regression", "classification"):
        raise InputError(f"--task must be auto, regression or classification, got {task!r}")
    if classes is not None or task == "classification":
        if len(names) > 1 or task == "regression":
            raise InputError("classes are for one target of a classification: name one --target, and no regression")
        said = _words_of(classes) if classes is not None else _classes_in(rows, names[0])
        return {"name": names[0], "kind": "class", "classes": said}
    bounds = {word: value for word, value in (("low", low), ("high", high), ("unit", unit)) if value is not None}
    if len(names) > 1:
        return {"name": list(names), "kind": "numbers", **bounds}
    _refuse_text(rows, names[0])
    return {"name": names[0], "kind": "number", **bounds}


def _words_of(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _column(rows: Any, name: str) -> list[str]:
    """What the pool's table says already in the target's column, as text."""
    from strongsuit.datasets.fingerprint import as_text

    if name not in rows.table.column_names:
        return []
    found = as_text(rows.table.column(name).combine_chunks()).to_pylist()
    return [one for one in found if one is not None and one.strip() and one.lower() != "nan"]


def _classes_in(rows: Any, name: str) -> list[str]:
    found = sorted(set(_column(rows, name)))
    if not 2 <= len(found) <= MOST_CLASSES:
        raise InputError(
            f"--classes: the table shows {len(found)} classes in column {name!r}; name all, such as --classes cat,dog"
        )
    return found


def _refuse_text(rows: Any, name: str) -> None:
    for text in _column(rows, name):
        try:
            float(text.replace(",", "."))
        except ValueError:
            raise InputError(
                f"target {name!r} holds text ({text!r}): name its --classes, or --task classification to take those "
                "of the table"
            ) from None


def _told_already(rows: Any, names: Sequence[str]) -> int:
    return max((len(_column(rows, name)) for name in names), default=0)


def _cost(cost: str | None, unit: str | None) -> dict[str, Any] | None:
    if cost is None and unit is None:
        return None
    try:
        row: Any = 1.0 if cost is None else float(cost)
    except ValueError:
        row = {"column": cost}
    return {"unit": unit or "labels", "row": row, "fail": "full"}


def _budget(limit: float | None, unit: str | None) -> dict[str, Any] | None:
    return None if limit is None else {"limit": limit, "unit": unit or "labels"}


def _annotation(
    overlap: int, most: int | None, aggregate: str | None, skip_limit: int, owners: Sequence[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {"overlap": overlap, "overlap_max": most or overlap, "skip_limit": skip_limit}
    found |= {} if aggregate is None else {"aggregate": aggregate}
    return found | ({"roles": dict.fromkeys(owners, "owner")} if owners else {})


def _stopping(error: float | None, labels: int | None, auto_close: bool) -> dict[str, Any]:
    given = {"target_error": error, "labels": labels, "auto_close": auto_close or None}
    return {name: value for name, value in given.items() if value is not None}


def _words(made: Any, name: str, rows: int, known: int, pool: str) -> str:
    more = same(made.desk.store)
    said = f"{name} · {made.state.settings['task']} · pool {rows:,} rows · journal position {made.state.position}"
    if known:
        said += f"\nThe table has {known} labels already: strongsuit campaign tell {name} {pool}{more}"
    return f"{said}\nNext: strongsuit campaign ask {name} -n {made.state.rules.batch} --out suggested.csv{more}"
