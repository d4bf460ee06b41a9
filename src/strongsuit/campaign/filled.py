"""Filled tables -> answers, skips and failures: every line checked before anything is written.

Lines may come in any order, under any columns besides the mark or key and the target; a blank target is not yet an
answer. The pool's own file with labels filled in is such a table too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strongsuit.campaign.cells import UNLIMITED, Cells, Limits, decimal_commas, is_blank, read_cells
from strongsuit.campaign.desk import check_identity
from strongsuit.campaign.labels import checked_label
from strongsuit.campaign.rules import CLASS, NUMBERS
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.sheets import ANNOTATOR, COST, NOTE, ROW, STATUS, key_of, mark_of, names_of, targets_of, unsafe
from strongsuit.errors import InputError

TELL, REVISE, SKIP, FAIL = "tell", "revise", "skip", "fail"
PLAIN = "row"  # a column of bare row numbers, as exported labels have it
SHOWN = 5  # problems that a message names
_MARK = re.compile(r"r(\d+)-[a-z]{5}")
_TURNED = re.compile(r"\d+([.,]\d+)?[eE]\+\d+|\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}")  # what spreadsheets make of keys


@dataclass(frozen=True)
class Line:
    """One line that says something: what is to be done with which row, and by whom."""

    file: int
    number: int
    do: str
    row: int
    by: str
    value: Any = None
    cost: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Problem:
    """A line that cannot be taken: the file's place among those given, its number, and why."""

    file: int
    number: int
    text: str


@dataclass(frozen=True)
class Filled:
    """What filled tables say: lines that are right, problems, and how many lines are blank still."""

    tables: tuple[Cells, ...]
    lines: tuple[Line, ...]
    problems: tuple[Problem, ...]
    blank: int


def read_filled(
    campaign: Campaign, paths: Sequence[str | Path], *, by: str, revise: bool = False, limits: Limits = UNLIMITED
) -> Filled:
    """What the tables say to a campaign; `by` answered where no annotator is named, and with `revise` a changed value
    replaces an older one. InputError for a file without the columns it needs, or beyond the limits."""
    tables = tuple(read_cells(path, limits) for path in paths)
    lines: list[Line] = []
    problems: list[Problem] = []
    blank = 0
    for place, table in enumerate(tables):
        reader = _Reader(campaign, table, place, by, revise)
        for i in range(len(table.lines)):
            try:
                line = reader.line(i)
            except InputError as error:
                problems.append(Problem(place, table.numbers[i], f"{reader.where(i)}: {error}"))
                continue
            if line is None:
                blank += 1
            else:
                lines.append(line)
    kept, clashes = _once(lines, tables)
    return Filled(tables, tuple(kept), (*problems, *clashes), blank)


def refused(filled: Filled) -> InputError:
    """The error that names the first problems."""
    shown = "; ".join(one.text for one in filled.problems[:SHOWN])
    more = len(filled.problems) - SHOWN
    return InputError(
        f"{shown}{f'; and {more} more' if more > 0 else ''}: nothing was written; correct the file, or take the good "
        "lines with --partial"
    )


class _Reader:
    """Reads the lines of one table: where its columns are, and how its numbers are written."""

    def __init__(self, campaign: Campaign, table: Cells, place: int, by: str, revise: bool) -> None:
        self.campaign, self.state, self.table, self.place, self.by = campaign, campaign.state, table, place, by
        self.revise, settings = revise, self.state.settings
        self.own, self.targets, self.key = names_of(settings), targets_of(settings), key_of(settings)
        self.columns = {name: table.column(self.own[name]) for name in (ROW, STATUS, NOTE, COST, ANNOTATOR)}
        if any(one["name"] == self.own[COST] for one in settings["pool"].get("columns", ())):
            self.columns[COST] = None  # the pool's own prices are no bill
        self.values = {name: table.column(name) for name in self.targets}
        lost = [name for name, cells in self.values.items() if cells is None]
        if lost:
            names = ", ".join(map(repr, table.names))
            raise InputError(f"{table.path.name} lacks the target column {lost[0]!r}; it has {names}")
        self.keys = None if self.key is None else table.column(self.key)
        taken = {one["name"] for one in settings["pool"].get("columns", ())} | set(self.targets)
        self.plain = None if PLAIN in taken else table.column(PLAIN)
        whole = self.key is None and len(table.lines) == self.state.rules.rows
        if self.columns[ROW] is None and self.keys is None and self.plain is None and not whole:
            wanted = f"{ROW} or {PLAIN}" if self.key is None else f"{ROW}, {self.key} or {PLAIN}"
            raise InputError(f"{table.path.name} lacks the column {wanted}, which says which row a line is")
        self.commas = {name: decimal_commas(self._said(name)) for name in self.targets}
        self.rows = self._rows_of_keys()

    def _said(self, name: str) -> list[str]:
        return [cell for cell in self.values[name] or () if not is_blank(cell)]

    def _rows_of_keys(self) -> dict[str, int | None]:
        """The row of every key of lines that say something, looked up at once."""
        if self.keys is None or self.campaign.pool is None:
            return {}
        keys = list(dict.fromkeys(unsafe(cell.strip()) for cell in self.keys))
        return dict(zip(keys, self.campaign.pool.rows_of(keys), strict=True))

    def where(self, i: int) -> str:
        """The line in words."""
        return f"{self.table.path.name}, line {self.table.numbers[i]}"

    def line(self, i: int) -> Line | None:
        """What line i says, None if it is blank still."""
        status, note = self._cell(STATUS, i).lower(), self._cell(NOTE, i)
        cells = [(self.values[name] or [])[i] for name in self.targets]
        filled = not all(is_blank(cell) and cell.strip() not in self.state.rules.classes for cell in cells)
        if status not in ("", SKIP, FAIL):
            raise InputError(f"column {self.own[STATUS]!r} has {status!r}; it may be empty, skip or fail")
        if not filled and not status:
            return None
        if filled and status:
            raise InputError(f"there is a value and the status {status!r}: leave one of them empty")
        row, by = self._row(i), self._cell(ANNOTATOR, i) or self.by
        check_identity(by, None)
        if status:
            return Line(self.place, self.table.numbers[i], status, row, by, None, self._cost(i), note)
        value = checked_label(self.state.rules, self._value(cells), row)
        return Line(self.place, self.table.numbers[i], self._verb(row, by, value), row, by, value, self._cost(i), note)

    def _cell(self, name: str, i: int) -> str:
        cells = self.columns[name]
        text = "" if cells is None else unsafe(cells[i].strip())
        return "" if is_blank(text) and name != NOTE else text

    def _verb(self, row: int, by: str, value: Any) -> str:
        before = self.state.answers.get(row, {}).get(by)
        if before is None or before.value == value:
            return TELL
        if self.revise:
            return REVISE
        raise InputError(f"{by} said {before.value!r} before and {value!r} now; --revise replaces older values")

    def _value(self, cells: Sequence[str]) -> Any:
        if self.state.rules.kind == CLASS:
            return unsafe(cells[0].strip())
        numbers = [
            None if is_blank(cell) else self._number(name, cell) for name, cell in zip(self.targets, cells, strict=True)
        ]
        return tuple(numbers) if self.state.rules.kind == NUMBERS else numbers[0]

    def _number(self, name: str, cell: str, comma: bool | None = None) -> float:
        text = unsafe(cell.strip())
        comma = self.commas[name] if comma is None else comma
        try:
            if "_" in text:
                raise ValueError
            return float(text.replace(",", ".") if comma else text)
        except ValueError:
            hint = " (a comma is taken for a decimal one only if the whole column agrees)" if "," in text else ""
            raise InputError(f"column {name!r}: {cell!r} is no number{hint}") from None

    def _cost(self, i: int) -> float | None:
        cell = self._cell(COST, i)
        if not cell:
            return None
        cost = self._number(self.own[COST], cell, "," in cell and "." not in cell)
        if not 0 <= cost < float("inf"):
            raise InputError(f"column {self.own[COST]!r}: a cost is a number of 0 or more, got {cell!r}")
        return cost

    def _row(self, i: int) -> int:
        """The row of line i by its mark, checked against its key, or by its key alone."""
        key = None if self.keys is None else unsafe(self.keys[i].strip())
        mark = self._cell(ROW, i)
        if mark:
            return self._marked(mark, key)
        if key is not None:
            row = self.rows.get(key)
            if row is None:
                raise InputError(f"key {key!r} is not in the pool{_turned(key)}")
            return row
        if self.plain is not None:
            return self._numbered(self.plain[i].strip())
        if self.columns[ROW] is not None:
            raise InputError(f"column {ROW!r} is empty")
        return i  # the pool's own file: its lines are its rows

    def _numbered(self, text: str) -> int:
        row = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
        if not 0 <= row < self.state.rules.rows:
            raise InputError(f"column {PLAIN!r} has {text[:60]!r}; rows are 0 to {self.state.rules.rows - 1}")
        return row

    def _marked(self, mark: str, key: str | None) -> int:
        found = _MARK.fullmatch(mark)
        row = int(found.group(1)) if found else -1
        if not found or row >= self.state.rules.rows:
            raise InputError(f"column {ROW!r} has {mark!r}, which no line of this campaign has")
        rightly = row if self.key is None else key
        if rightly is None:
            rightly = self.campaign.pool.keys_of([row])[0] if self.campaign.pool is not None else None
        if rightly is not None and mark != mark_of(self.campaign.name, row, rightly):
            said = "the line is of another campaign" if key is None else f"it does not belong to key {key!r}"
            raise InputError(
                f"{mark!r}: {said}{_turned(key or '')}; sorting may have shifted cells, or the file be another's"
            )
        return row


def _turned(key: str) -> str:
    if not _TURNED.fullmatch(key):
        return ""
    return "; a spreadsheet seems to have turned the key into a number or date: format the column as text"


def _once(lines: Sequence[Line], tables: Sequence[Cells]) -> tuple[list[Line], list[Problem]]:
    """The lines without repeats, and those that say something else of a row than an earlier line of the same
    person."""
    first: dict[tuple[int, str], Line] = {}
    problems = []
    for line in lines:
        before = first.setdefault((line.row, line.by), line)
        if before is not line and (before.do, before.value) != (line.do, line.value):
            here, there = (f"{tables[one.file].path.name}, line {one.number}" for one in (line, before))
            said = "says something else of the same row"
            problems.append(Problem(line.file, line.number, f"{here}: {said} than {there}"))
    return list(first.values()), problems
