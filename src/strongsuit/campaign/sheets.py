"""Asked rows as a table that a person fills in: what each line and column is called, and what spreadsheets do to text.

Every line bears a mark, the row's number with letters of a hash over campaign, row and key: it finds tables of another
campaign, and lines whose cells were shifted by sorting. No prediction is written, so nobody is led.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from strongsuit.campaign.asking import Query
from strongsuit.campaign.service import Campaign

ROW, RANK, WHY, STATUS, NOTE, COST, ANNOTATOR = "strongsuit_row", "rank", "why", "status", "note", "cost", "annotator"
LETTERS = 5
# Text that begins so would be computed by a spreadsheet; the last four are as wide as Chinese characters.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def mark_of(campaign: str, row: int, key: Any) -> str:
    """The mark of a line, such as r5121-kfdqa."""
    digest = hashlib.sha256(f"{campaign}\0{row}\0{key}".encode()).digest()
    return f"r{row}-" + "".join(chr(97 + byte % 26) for byte in digest[:LETTERS])


def targets_of(settings: Mapping[str, Any]) -> list[str]:
    """The columns to fill in."""
    name = settings["target"]["name"]
    return [name] if isinstance(name, str) else list(name)


def key_of(settings: Mapping[str, Any]) -> str | None:
    """The key column; None where rows have numbers only."""
    return settings["pool"].get("key")


def names_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """The names of our own columns: those that the pool or the target has already get a prefix."""
    taken = {one["name"] for one in settings["pool"].get("columns", ()) if one["role"] in ("key", "feature")}
    taken |= set(targets_of(settings))
    own = (RANK, WHY, STATUS, NOTE, COST, ANNOTATOR)
    return {ROW: ROW, **{name: f"strongsuit_{name}" if name in taken else name for name in own}}


def sheet_of(campaign: Campaign, query: Query, by: str) -> tuple[list[str], list[list[Any]]]:
    """Column names and lines for the asked rows: mark, key, the pool's columns, rank, why, and what is to be filled."""
    settings, frame = campaign.state.settings, query.features
    own, targets = names_of(settings), targets_of(settings)
    features = [] if frame is None else [str(name) for name in frame.columns]
    key = key_of(settings)
    if key is not None and key not in features:
        features = [key, *features]
    names = [
        own[ROW], *sorted(features, key=lambda name: name != key), own[RANK], own[WHY], *targets, own[STATUS],
        own[NOTE], own[COST], own[ANNOTATOR],
    ]  # fmt: skip
    lines = []
    for i, row in enumerate(query.rows):
        cells = {} if frame is None else {str(name): frame[name].iloc[i] for name in frame.columns}
        if key is not None:
            cells[key] = query.keys[i]
        cells |= {own[ROW]: mark_of(campaign.name, row, query.keys[i]), own[RANK]: query.rank[i],
                  own[WHY]: query.why[i], own[ANNOTATOR]: by}  # fmt: skip
        lines.append([safe(_plain(cells.get(name))) for name in names])
    return names, lines


def safe(value: Any) -> Any:
    """Text that a spreadsheet would compute with a quote before it; numbers as they are."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def unsafe(text: str) -> str:
    """The text without the quote that `safe` put before it."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def _plain(value: Any) -> Any:
    """The cell in Python's own types, None where there is nothing."""
    value = value.item() if hasattr(value, "item") else value
    return None if value is None or value != value else value


def cells_of(lines: Sequence[Sequence[Any]]) -> list[list[str]]:
    """The lines as text, as a delimited file has them."""
    return [["" if cell is None else str(cell) for cell in line] for line in lines]
