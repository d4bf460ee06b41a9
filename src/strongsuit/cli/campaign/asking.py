"""`strongsuit campaign ask` and `tell`: rows out as a table, and back in once it is filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from strongsuit.cli.campaign.options import (
    DEFAULT,
    By,
    CheckPool,
    Json,
    Name,
    PoolFile,
    Request,
    Store,
    loaded,
    named,
    only,
    say,
    store_at,
    with_pool,
    with_proposer,
)
from strongsuit.cli.progress import stages
from strongsuit.errors import InputError

SHOWN = 20  # rows that are printed


def ask(
    name: Name = None,
    n: Annotated[int | None, typer.Option("-n", min=1, help="Rows; default: a batch.")] = None,
    out: Annotated[Path | None, typer.Option(help="Table to fill in: CSV, TSV or Parquet.")] = None,
    more: Annotated[bool, typer.Option("--more", help="Other rows than those that you hold already.")] = False,
    refit: Annotated[bool, typer.Option(help="Choose new rows where the slate is short.")] = True,
    request: Request = None,
    pool: PoolFile = None,
    check_pool: CheckPool = False,
    store: Store = DEFAULT,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Rows to label next, leased to you; the same rows again until they are answered.

    Example: strongsuit campaign ask alloys -n 8 --out suggested.csv
    """
    from strongsuit.campaign.service import login

    place, who = store_at(store), by or login()
    campaign = with_pool(loaded(place, only(place, name)), pool, check=check_pool)
    with stages("choosing rows", quiet=as_json) as progress:
        if refit:
            campaign = with_proposer(campaign, pool, progress)
        query = campaign.ask(n, by=who, request=request, more=more)
    if out is not None:
        _write(campaign, query, who, out)
    from strongsuit.cli.campaign.words import asked

    facts = _facts(campaign, query, who, out)
    say(asked(campaign, query, who, out) if out else _table(campaign, query, who), facts, as_json)


def _write(campaign: Any, query: Any, who: str, out: Path) -> None:
    import pandas as pd

    from strongsuit.campaign.sheets import sheet_of
    from strongsuit.datasets.writing import write_table

    names, lines = sheet_of(campaign, query, who)
    frame = pd.DataFrame(lines, columns=names, dtype=object)
    if out.suffix.lower() == ".parquet":  # a column to fill in has a type, or no program could fill it
        frame = frame.infer_objects()
        blank = [column for column in frame.columns if frame[column].isna().all()]
        frame = frame.astype({column: "string" for column in blank})
    write_table(frame, out)


def _facts(campaign: Any, query: Any, who: str, out: Path | None) -> dict[str, Any]:
    rows = [
        dict(zip(("row", "key", "rank", "source", "why"), one, strict=True))
        for one in zip(query.rows, query.keys, query.rank, query.source, query.why, strict=True)
    ]
    facts = {"name": campaign.name, "round": campaign.state.round, "rows": rows, "to": who, "until": query.until}
    return facts | {"short": query.short, "position": campaign.state.position, "out": str(out) if out else None}


def _table(campaign: Any, query: Any, who: str) -> str:
    from strongsuit.cli.campaign.words import asked

    width = max(len(str(key)) for key in query.keys)
    lines = [f"  {key!s:<{width}}  {why}" for key, why in zip(query.keys, query.why, strict=True)]
    rest = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *rest, asked(campaign, query, who, None)])


def tell(
    words: Annotated[
        list[str], typer.Argument(metavar="[NAME] FILE...", help="The campaign, and filled tables or KEY=VALUE.")
    ],
    partial: Annotated[
        bool, typer.Option("--partial", help="Write the good lines; the others go to FILE.rejected.csv.")
    ] = False,
    revise: Annotated[bool, typer.Option("--revise", help="Let changed values replace older ones.")] = False,
    cost: Annotated[float | None, typer.Option(min=0, help="What each answer KEY=VALUE cost.")] = None,
    request: Request = None,
    pool: PoolFile = None,
    check_pool: CheckPool = False,
    store: Store = DEFAULT,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Take answers from filled tables, in any order and part; the same again changes nothing.

    Examples: strongsuit campaign tell alloys suggested.csv

    strongsuit campaign tell alloys A-17=1287.5 A-20=1301
    """
    from strongsuit.campaign.service import login

    place, who = store_at(store), by or login()
    name, rest = named(place, words)
    campaign = with_pool(loaded(place, name), pool, check=check_pool)
    pairs = [word for word in rest if "=" in word and not Path(word).exists()]
    files = [word for word in rest if word not in pairs]
    if not rest or (pairs and files):
        raise InputError("tell takes filled tables, or answers as KEY=VALUE, and one kind at a time")
    if pairs:
        _tell_pairs(campaign, pairs, who, cost, request, as_json)
    else:
        _tell_files(campaign, files, who, partial, revise, as_json)


def _tell_pairs(
    campaign: Any, pairs: Sequence[str], who: str, cost: float | None, request: str | None, as_json: bool
) -> None:
    from strongsuit.cli.campaign.options import keys_of, receipt

    keys, texts = zip(*(word.split("=", 1) for word in pairs), strict=True)
    values = [value_of(text, campaign.state.rules.kind) for text in texts]
    answers = dict(zip(keys_of(keys, campaign.state.settings), values, strict=True))
    done = campaign.tell(answers, by=who, cost=cost, request=request)
    receipt(done, f"{len(done.rows)} answers of {who} written", as_json)


def value_of(text: str, kind: str) -> Any:
    """A word as a label: a number, several with commas, or the class itself."""
    if kind == "class":
        return text
    try:
        numbers = [None if not one.strip() else float(one) for one in text.split(",")]
    except ValueError:
        raise InputError(f"{text!r} is no number") from None
    return tuple(numbers) if kind == "numbers" else _one(numbers, text)


def _one(numbers: list[float | None], text: str) -> float | None:
    if len(numbers) != 1:
        raise InputError(f"{text!r}: one number is wanted; write a decimal point, not a comma")
    return numbers[0]


def _tell_files(campaign: Any, files: Sequence[str], who: str, partial: bool, revise: bool, as_json: bool) -> None:
    from strongsuit.campaign.filled import read_filled, refused
    from strongsuit.campaign.handing_in import hand_in
    from strongsuit.cli.campaign.words import handed

    filled = read_filled(campaign, files, by=who, revise=revise)
    if filled.problems and not partial:
        raise refused(filled)
    done = hand_in(campaign, filled.lines)
    rejected = [str(_reject(filled, place)) for place in sorted({one.file for one in filled.problems})]
    facts = {**asdict(done), "blank": filled.blank, "rejected": rejected,
             "problems": dict(Counter(one.text for one in filled.problems))}  # fmt: skip
    say(handed(campaign, done, filled, rejected), facts, as_json)


def _reject(filled: Any, place: int) -> Path:
    """The file beside a filled table with the lines that were not taken, and why."""
    import pandas as pd

    from strongsuit.datasets.writing import write_table

    table = filled.tables[place]
    texts = {one.number: one.text for one in filled.problems if one.file == place}
    lines = [[*line, texts[number]] for line, number in zip(table.lines, table.numbers, strict=True) if number in texts]
    path = table.path.with_name(f"{table.path.stem}.rejected.csv")
    return write_table(pd.DataFrame(lines, columns=[*table.names, "problem"], dtype=object), path)
