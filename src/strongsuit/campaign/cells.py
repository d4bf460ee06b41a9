"""A table in a file -> its cells as text: encodings, delimiters and blanks as people and spreadsheets write them."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strongsuit.errors import InputError

DELIMITERS = (",", ";", "\t")
BLANK = frozenset({"", "na", "n/a", "nan", "null", "none", "#n/a"})
PARQUET = (".parquet", ".pq")
_COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+")


@dataclass(frozen=True)
class Cells:
    """The header, the lines of text, and the number of each line in the file, for messages."""

    path: Path
    names: list[str]
    lines: list[list[str]]
    numbers: list[int]

    def column(self, name: str) -> list[str] | None:
        """The cells under a name, None if there is no such column."""
        if name not in self.names:
            return None
        place = self.names.index(name)
        return [line[place] for line in self.lines]


def read_cells(path: str | Path) -> Cells:
    """The cells of a delimited or Parquet file; InputError where it is neither or a line has other cells."""
    path = Path(path)
    try:
        if path.suffix.lower() in PARQUET:
            return _parquet(path)
        return _delimited(path, _decoded(path.read_bytes(), path))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def is_blank(cell: str) -> bool:
    """Whether a cell says nothing."""
    return cell.strip().lower() in BLANK


def decimal_commas(cells: list[str]) -> bool:
    """Whether commas in a column of numbers are decimal: no point anywhere, and not every comma could part
    thousands."""
    commas = [cell.strip() for cell in cells if "," in cell]
    return (
        bool(commas)
        and not any("." in cell for cell in cells)
        and all(_COMMA.fullmatch(cell) for cell in commas)
        and not all(_THOUSANDS.fullmatch(cell) for cell in commas)
    )


def _decoded(raw: bytes, path: Path) -> str:
    """The text by its byte-order mark, else UTF-8, else as Western Windows programs write it."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16")
    if b"\0" in raw:
        raise InputError(f"{path.name} is no text: save the table as CSV or Parquet")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _delimited(path: Path, text: str) -> Cells:
    head = next((line for line in text.splitlines() if line.strip()), "")
    mark = max(DELIMITERS, key=lambda one: len(next(csv.reader([head], delimiter=one), [])))
    csv.field_size_limit(1 << 27)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    names: list[str] = []
    lines, numbers = [], []
    try:
        for line in reader:
            if not any(cell.strip() for cell in line):
                continue
            if not names:
                names = [name.strip() for name in line]
                continue
            if len(line) != len(names) and any(cell.strip() for cell in line[len(names) :]):
                raise InputError(
                    f"{path.name}, line {reader.line_num}: {len(line)} cells under {len(names)} names: put cells that "
                    f"contain {mark!r} in quotes"
                )
            lines.append((line + [""] * len(names))[: len(names)])
            numbers.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"{path.name}, line {reader.line_num}: {error}") from error
    if not names:
        raise InputError(f"{path.name} is empty: a table needs a header and lines")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise InputError(f"{path.name} has the column {twice[0]!r} twice: name each column once")
    return Cells(path, names, lines, numbers)


def _parquet(path: Path) -> Cells:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path.name} is no Parquet file: {error}") from error
    columns = [[_text(cell) for cell in column.to_pylist()] for column in table.columns]
    lines = [list(line) for line in zip(*columns, strict=True)]
    return Cells(path, table.column_names, lines, list(range(1, len(lines) + 1)))


def _text(value: Any) -> str:
    """A cell of a typed column as text; whole numbers without a point, as keys have them."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else str(value)
