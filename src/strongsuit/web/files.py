"""Tables out and in: labels as CSV, Parquet or JSON, the journal, and filled tables that are uploaded."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from strongsuit.campaign.commands import Given
from strongsuit.campaign.rules import CLASS, NUMBER
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.tables import write_rows
from strongsuit.errors import InputError, InvalidLabel, UnknownRow
from strongsuit.web.entry import number_of
from strongsuit.web.problems import Refused

MAX_ROWS, MAX_COLUMNS, MAX_CELL, MAX_BYTES = 1_000_000, 1_000, 1_000_000, 1 << 30
FORMATS = {"csv": "text/csv; charset=utf-8", "json": "application/json", "parquet": "application/vnd.apache.parquet"}
ARCHIVES = (b"\x1f\x8b", b"PK", b"BZh", b"\xfd7zX", b"\x28\xb5\x2f\xfd", b"7z", b"Rar")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is computed by spreadsheets


def labels_csv(campaign: Campaign) -> str:
    """The labels with a line a row; text that a spreadsheet would compute is written with a quote before it."""
    out = io.StringIO()
    rows = [{**one, "answers": _answers(one["answers"])} for one in campaign.labels()]
    names = list(rows[0]) if rows else ["key", "row", "value"]
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([_safe(row[name]) for name in names] for row in rows)
    return out.getvalue()


def _answers(answers: Mapping[str, Any]) -> str:
    return "; ".join(f"{who}: {value}" for who, value in answers.items())


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def labels_file(campaign: Campaign, kind: str) -> bytes:
    """The labels as a whole file of one of FORMATS."""
    if kind == "csv":
        return labels_csv(campaign).encode("utf-8")
    with private_folder() as folder:
        return write_rows(campaign.labels(), folder / f"labels.{kind}").read_bytes()


def journal_file(campaign: Campaign) -> bytes:
    """The journal as a compressed file, which `import_journal` reads."""
    with private_folder() as folder:
        return campaign.export(folder / "journal.jsonl.gz").read_bytes()


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only this user can read, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="strongsuit-") as name:
        yield Path(name)


def uploaded_answers(campaign: Campaign, file: IO[bytes], name: str) -> list[Given]:
    """The filled lines of an uploaded table, named by row; an InputError for one that cannot be read.

    Columns: the pool's key or `row`, the target; cost and note if they are there. A blank target is no answer yet.
    """
    from strongsuit.datasets.reading import read_raw  # pandas and Arrow: not before somebody uploads

    suffix = Path(name).suffix.lower()
    if suffix not in (".csv", ".tsv", ".parquet"):
        raise Refused(415, "NotATable", "Upload a table: .csv, .tsv or .parquet, no archive.")
    state = campaign.state
    key, names = state.settings["pool"].get("key"), state.rules.names
    with private_folder() as folder:
        path = folder / f"uploaded{suffix}"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
            shutil.copyfileobj(file, copy)
        _check_bytes(path, suffix)
        texts = [key] * bool(key) + list(names) * (state.rules.kind == CLASS)
        raw = read_raw(path, _within, max_bytes=MAX_BYTES, as_text=frozenset(texts))
    columns = {column: values.to_pylist() for column, values in raw.columns.items()}
    return list(_filled(campaign, columns, key, names, state.settings["target"]))


def _within(names: list[str]) -> list[str]:
    if len(names) > MAX_COLUMNS:
        raise InputError(f"the table has {len(names)} columns; at most {MAX_COLUMNS} are taken")
    return names


def _check_bytes(path: Path, suffix: str) -> None:
    """Refused for an archive, InputError for a Parquet file that would unpack to more than is taken."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with path.open("rb") as file:
        if file.read(4).startswith(ARCHIVES):
            raise Refused(415, "NotATable", "Upload the table itself, not an archive of it.")
    if suffix != ".parquet":
        return
    try:
        about = pq.read_metadata(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError("the file is not a Parquet table") from error
    size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    if about.num_rows > MAX_ROWS or size > MAX_BYTES:
        raise InputError(f"the table is too large: at most {MAX_ROWS} rows and {MAX_BYTES >> 30} GB are taken")


def _filled(
    campaign: Campaign,
    columns: Mapping[str, list[Any]],
    key: str | None,
    names: Sequence[str],
    target: Mapping[str, Any],
) -> Iterator[Given]:
    by = key if key and key in columns else "row"
    lost = next((name for name in (by, *names) if name not in columns), None)
    if lost is not None:
        raise InputError(f"the table lacks the column {lost!r}; it has {', '.join(list(columns)[:20])}")
    if len(columns[by]) > MAX_ROWS:
        raise InputError(f"the table has {len(columns[by])} rows; at most {MAX_ROWS} are taken")
    for line in range(len(columns[by])):
        values = [columns[name][line] for name in names]
        if all(_blank(value) for value in values):
            continue
        row = _row(campaign, columns[by][line], by == key, line)
        numbers = [None if _blank(value) else _value(value, target, line) for value in values]
        note = columns.get("note", [None] * (line + 1))[line]
        cost = columns.get("cost", [None] * (line + 1))[line]
        yield Given(row, numbers[0] if len(names) == 1 else tuple(numbers), cost, None, str(note or ""))


def _row(campaign: Campaign, name: Any, is_key: bool, line: int) -> int:
    if not is_key:
        if isinstance(name, bool) or not isinstance(name, int | float) or name != name or int(name) != name:
            raise UnknownRow(f"line {line + 2}: row {str(name)[:60]!r} is no row number")
        return int(name)
    row = campaign.pool.rows_of([name])[0] if campaign.pool is not None else None
    if row is None:
        raise UnknownRow(f"line {line + 2}: key {str(name)[:60]!r} is not in the pool")
    return row


def _value(value: Any, target: Mapping[str, Any], line: int) -> Any:
    if isinstance(value, str) and len(value) > MAX_CELL:
        raise InvalidLabel(f"line {line + 2}: the cell is longer than {MAX_CELL} characters")
    if isinstance(value, str) and target["kind"].startswith(NUMBER):
        try:
            return number_of(value, str(target.get("unit") or ""))
        except InvalidLabel as error:
            raise InvalidLabel(f"line {line + 2}: {error}") from error
    return value


def _blank(value: Any) -> bool:
    return value is None or value != value or (isinstance(value, str) and not value.strip())
