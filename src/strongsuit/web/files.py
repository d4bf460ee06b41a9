"""Tables out and in: labels as CSV, Parquet or JSON, the journal, and filled tables that are uploaded."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from strongsuit.campaign.cells import SENT
from strongsuit.campaign.filled import Filled, read_filled, refused
from strongsuit.campaign.handing_in import HandedIn, hand_in
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.sheets import safe
from strongsuit.campaign.tables import write_rows
from strongsuit.errors import InputError
from strongsuit.web.problems import Refused

FORMATS = {"csv": "text/csv; charset=utf-8", "json": "application/json", "parquet": "application/vnd.apache.parquet"}
ARCHIVES = (b"\x1f\x8b", b"PK", b"BZh", b"\xfd7zX", b"\x28\xb5\x2f\xfd", b"7z", b"Rar")


def labels_csv(campaign: Campaign) -> str:
    """The labels with a line a row; text that a spreadsheet would compute is written with a quote before it."""
    out = io.StringIO()
    rows = [{**one, "answers": _answers(one["answers"])} for one in campaign.labels()]
    names = list(rows[0]) if rows else ["key", "row", "value"]
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([safe(row[name]) for name in names] for row in rows)
    return out.getvalue()


def _answers(answers: Mapping[str, Any]) -> str:
    return "; ".join(f"{who}: {value}" for who, value in answers.items())


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


def uploaded(campaign: Campaign, file: IO[bytes], name: str, *, by: str, revise: bool = False) -> Filled:
    """What an uploaded table says, read as the command line reads one; Refused for what is no table."""
    suffix = Path(name).suffix.lower()
    if suffix not in (".csv", ".tsv", ".parquet"):
        raise Refused(415, "NotATable", "Upload a table: .csv, .tsv or .parquet, no archive.")
    with private_folder() as folder:
        path = folder / f"uploaded{suffix}"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
            shutil.copyfileobj(file, copy)
        with path.open("rb") as copied:
            if copied.read(4).startswith(ARCHIVES):
                raise Refused(415, "NotATable", "Upload the table itself, not an archive of it.")
        return read_filled(campaign, [path], by=by, revise=revise, limits=SENT)


def handed_in(campaign: Campaign, filled: Filled, *, partial: bool, request: str | None) -> HandedIn:
    """What was written of an uploaded table: all of it, or with `partial` its good lines; InputError."""
    if filled.problems and not partial:
        raise InputError(words(str(refused(filled))))
    return hand_in(campaign, filled.lines, request=request)


def words(text: str) -> str:
    """What the command line says, in the words of the page."""
    return text.replace("--revise", '"replace older answers"').replace("--partial", '"take the good lines"')
