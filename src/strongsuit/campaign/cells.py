"""A table in a file -> its cells as text: encodings, delimiters and blanks as people and spreadsheets write them."""

from __future__ import annotations

import codecs
import csv
import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strongsuit.errors import InputError

DELIMITERS = (",", ";", "\t")
BLANK = frozenset({"", "na", "n/a", "nan", "null", "none", "#n/a"})
PARQUET = (".parquet", ".pq")
BATCH = 8_192  # lines of a Parquet file that are unpacked at a time
_COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+")


@dataclass(frozen=True)
class Limits:
    """How large a table may be: lines, columns, cells, characters of a cell, bytes once it is unpacked."""

    rows: int = sys.maxsize
    columns: int = sys.maxsize
    cells: int = sys.maxsize
    cell: int = sys.maxsize
    unpacked: int = sys.maxsize

    def check(self, rows: int, columns: int) -> None:
        """InputError for a table of more lines, columns or cells."""
        for name, count, most in (("lines", rows, self.rows), ("columns", columns, self.columns),
                                  ("cells", rows * columns, self.cells)):  # fmt: skip
            if count > most:
                raise InputError(f"the table has {count} {name} or more; at most {most} are taken")

    def check_cell(self, cell: str) -> None:
        """InputError for a cell that is too long."""
        if len(cell) > self.cell:
            raise InputError(f"a cell is longer than {self.cell} characters")


UNLIMITED = Limits()
SENT = Limits(1_000_000, 1_000, 20_000_000, 1_000_000, 1 << 30)  # for tables that come from elsewhere


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


def read_cells(path: str | Path, limits: Limits = UNLIMITED) -> Cells:
    """The cells of a delimited or Parquet file; InputError where it is neither, too large, or a line has other cells.

    Columns of lists and the like are left out: they are no cells.
    """
    path = Path(path)
    try:
        if path.suffix.lower() in PARQUET:
            return _parquet(path, limits)
        return _delimited(path, _decoded(path.read_bytes(), path), limits)
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
        return raw.decode("utf-16", "replace")
    if b"\0" in raw:
        raise InputError(f"{path.name} is no text: save the table as CSV or Parquet")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _delimited(path: Path, text: str, limits: Limits) -> Cells:
    csv.field_size_limit(1 << 27)
    head = next((line for line in text.splitlines() if line.strip()), "")
    mark = max(DELIMITERS, key=lambda one: len(next(csv.reader([head], delimiter=one), [])))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    names: list[str] = []
    lines, numbers = [], []
    try:
        for line in reader:
            if not any(cell.strip() for cell in line):
                continue
            for cell in line:
                limits.check_cell(cell)
            if not names:
                names = [name.strip() for name in line]
                limits.check(0, len(names))
                continue
            if len(line) != len(names) and any(cell.strip() for cell in line[len(names) :]):
                raise InputError(
                    f"{path.name}, line {reader.line_num}: {len(line)} cells under {len(names)} names: put cells that "
                    f"contain {mark!r} in quotes"
                )
            lines.append((line + [""] * len(names))[: len(names)])
            numbers.append(reader.line_num)
            limits.check(len(lines), len(names))
    except csv.Error as error:
        raise InputError(f"{path.name}, line {reader.line_num}: {error}") from error
    if not names:
        raise InputError(f"{path.name} is empty: a table needs a header and lines")
    _check_names(path, names)
    return Cells(path, names, lines, numbers)


def _check_names(path: Path, names: list[str]) -> None:
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise InputError(f"{path.name} has the column {twice[0]!r} twice: name each column once")


def _parquet(path: Path, limits: Limits) -> Cells:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        names = [one.name for one in schema if not _is_left_out(one.type)]
        _check_names(path, names)
        # Text as a dictionary: a value that repeats a million times is one value, here and in what follows.
        texts = [one.name for one in schema if pa.types.is_string(one.type) or pa.types.is_large_string(one.type)]
        file = pq.ParquetFile(path, read_dictionary=texts)
        groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
        if sum(one.total_byte_size for one in groups) > limits.unpacked:
            raise InputError(f"the table unpacks to more than {limits.unpacked >> 20} MB")
        limits.check(file.metadata.num_rows, len(schema))
        lines: list[list[str]] = []
        letters = 0
        for batch in file.iter_batches(BATCH, columns=names, use_threads=False):
            columns = [_column(batch.column(name), limits) for name in names]
            letters += sum(len(cell) for column in columns for cell in column)
            if letters > limits.unpacked:
                raise InputError(f"the table unpacks to more than {limits.unpacked >> 20} MB")
            lines += [list(line) for line in zip(*columns, strict=True)]
            limits.check(len(lines), len(names))
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, InputError | FileNotFoundError):
            raise
        raise InputError(f"{path.name} is no Parquet file: {error}") from error
    return Cells(path, names, lines, list(range(1, len(lines) + 1)))


def _is_left_out(type_: Any) -> bool:
    """Whether a column of this type holds no cells: lists, and bytes that are no text."""
    import pyarrow.types as kinds

    bare = (kinds.is_binary, kinds.is_large_binary, kinds.is_fixed_size_binary, kinds.is_binary_view)
    return kinds.is_nested(type_) or kinds.is_string_view(type_) or any(one(type_) for one in bare)


def _column(column: Any, limits: Limits) -> list[str]:
    """The cells of a column as text; equal ones of a dictionary are one text."""
    import pyarrow as pa

    if not isinstance(column, pa.DictionaryArray):
        return [_text(cell) for cell in column.to_pylist()]
    values = [_text(cell) for cell in column.dictionary.to_pylist()]
    for value in values:
        limits.check_cell(value)
    return ["" if i is None else values[i] for i in column.indices.to_pylist()]


def _text(value: Any) -> str:
    """A cell of a typed column as text; whole numbers without a point, as keys have them."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else str(value)
