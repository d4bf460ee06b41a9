"""CSV and its relatives -> Arrow: encoding, delimiter and header found out, the size checked before reading.

Columns whose first rows are numbers are read as float64 straight away; one that turns out to hold text later
is read again as text. Memory is therefore about 8 bytes a cell, not the size of the file.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import pyarrow.csv

from strongsuit.datasets.columns import MISSING, is_number
from strongsuit.datasets.limits import check_size
from strongsuit.errors import InputError

DELIMITERS = (",", ";", "\t", "|")
_HEAD = 1 << 18  # bytes looked at before anything is decided
_BLOCK = 1 << 20
_SAMPLE_ROWS = 1_000
_TEXT = pa.dictionary(pa.int32(), pa.string())
_CONVERSION = re.compile(r"In CSV column #(\d+).*conversion error", re.DOTALL)
_RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


@dataclass(frozen=True)
class _Layout:
    """How a file is written: `names` is its header, `sample` its first rows."""

    encoding: str
    delimiter: str
    names: list[str]
    sample: list[list[str]]


def read_delimited(
    path: Path, wanted: Callable[[list[str]], list[str]], *, max_bytes: int, as_text: Container[str] = ()
) -> tuple[list[str], pa.Table]:
    """The names of all columns, and the wanted ones, each float64 or dictionary-encoded text.

    `wanted` gets the header and says which columns to read; it may raise. Columns named in `as_text` are read as text
    whatever they hold. Raises InputError for a file that
    is empty, binary, ragged or larger than `max_bytes`.
    """
    layout = _layout(path)
    chosen = wanted([name.strip() for name in layout.names])
    check_size(path, _wanted_bytes(path, layout, _written(layout, chosen), max_bytes), max_bytes)
    if layout.encoding == "utf-8-sig" and not _is_utf8(path):
        layout = _layout(path, "latin-1")
        chosen = wanted([name.strip() for name in layout.names])
    names = _written(layout, chosen)
    texts = {name for name in names if name.strip() in as_text or _sample_has_text(layout, name)}
    types = {name: _TEXT if name in texts else pa.float64() for name in names}
    while True:
        try:
            table = _read(path, layout, types).rename_columns(chosen)
            return [name.strip() for name in layout.names], table
        except pa.ArrowInvalid as error:
            position = _CONVERSION.search(str(error))
            culprit = names[int(position.group(1))] if position else None
            if culprit is None or types[culprit] == _TEXT:
                raise InputError(_parse_trouble(path, layout, error)) from error
            types[culprit] = _TEXT


def open_bytes(path: Path) -> IO[bytes]:
    """The bytes of the file, unpacked if it is gzipped."""
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def _written(layout: _Layout, names: list[str]) -> list[str]:
    """The names as they stand in the header: "x, y" means the columns x and y."""
    spelling = {name.strip(): name for name in layout.names}
    return [spelling[name] for name in names]


def _layout(path: Path, encoding: str = "") -> _Layout:
    with open_bytes(path) as stream:
        head = stream.read(_HEAD)
    encoding = encoding or _head_encoding(path, head)
    text = codecs.getincrementaldecoder(encoding)().decode(head)  # a character cut in two at the end waits
    if len(head) == _HEAD:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    if not text.strip("\ufeff \t\r\n"):
        raise InputError(f"{path.name} is empty: a table needs a header row and rows")
    delimiter = max(DELIMITERS, key=lambda mark: _fit(text, mark))
    rows = _rows(text, delimiter)
    return _Layout(encoding, delimiter, next(rows), list(islice(rows, _SAMPLE_ROWS)))


def _head_encoding(path: Path, head: bytes) -> str:
    """UTF-16 by its mark, else UTF-8 if the head is, else Latin-1, which reads any byte."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head:
        raise InputError(f"{path.name} is binary, not text: give a CSV or Parquet file")
    try:
        codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    with open_bytes(path) as stream:
        try:
            while block := stream.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    return (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row)


def _fit(text: str, delimiter: str) -> tuple[float, int]:
    """(share of sampled rows as wide as the header, that width); a single column fits worst."""
    rows = _rows(text, delimiter)
    width = len(next(rows, []))
    if width < 2:
        return (0.0, width)
    same = [len(row) == width for row in islice(rows, _SAMPLE_ROWS)]
    return (sum(same) / len(same) if same else 1.0, width)


def _sample_has_text(layout: _Layout, name: str) -> bool:
    position = layout.names.index(name)
    cells = (row[position].strip() for row in layout.sample if position < len(row))
    return any(not is_number(cell) for cell in cells if cell not in MISSING)


def _wanted_bytes(path: Path, layout: _Layout, names: list[str], max_bytes: int) -> int:
    """Bytes of text in the wanted columns, from the whole file's size and the sample's shares."""
    positions = {layout.names.index(name) for name in names}
    widths = [len(cell) + 1 for row in layout.sample for cell in row]
    chosen = [len(cell) + 1 for row in layout.sample for i, cell in enumerate(row) if i in positions]
    share = sum(chosen) / sum(widths) if widths else 1.0
    return int(_text_bytes(path, stop=int(max_bytes / max(share, 1e-6)) + 1) * share)


def _text_bytes(path: Path, *, stop: int) -> int:
    """The size of the text; a gzipped file is unpacked to count, but not beyond `stop` bytes."""
    if path.suffix.lower() != ".gz":
        return path.stat().st_size
    total = 0
    with open_bytes(path) as stream:
        while total <= stop and (block := stream.read(_BLOCK)):
            total += len(block)
    return total


def _read(path: Path, layout: _Layout, types: dict[str, pa.DataType]) -> pa.Table:
    encoding = "utf8" if layout.encoding == "utf-8-sig" else layout.encoding
    with open_bytes(path) as stream:
        return pa.csv.read_csv(
            pa.PythonFile(stream, mode="r"),
            # One thread: only then do error messages carry the row.
            read_options=pa.csv.ReadOptions(encoding=encoding, use_threads=False, block_size=_BLOCK << 3),
            parse_options=pa.csv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=sorted(MISSING),
                strings_can_be_null=True,
            ),
        )


def _parse_trouble(path: Path, layout: _Layout, error: Exception) -> str:
    ragged = _RAGGED.search(str(error))
    if ragged:
        row, expected, came = ragged.groups()
        return (
            f"{path.name}: line {row} has {came} cells, the header has {expected} (delimiter "
            f"{layout.delimiter!r}): correct that line, close an open quote, or put cells that contain the "
            "delimiter in double quotes"
        )
    first_line = str(error).splitlines()[0][:200]
    return f"{path.name} could not be read as delimited text (delimiter {layout.delimiter!r}): {first_line}"
