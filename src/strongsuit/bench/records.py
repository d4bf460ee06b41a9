"""Benchmark records: one JSON line each, appended whole, so that a killed run loses at most its last line."""

from __future__ import annotations

import functools
import json
import os
import platform
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from strongsuit.errors import InputError, StoreError

FILE = "records.jsonl"
COMMON_PACKAGES = ("strongsuit", "numpy", "scipy", "scikit-learn", "jax", "pandas")

Record = dict[str, Any]


def append_records(folder: Path, records: Iterable[Record]) -> None:
    """Writes the records behind those of the folder and waits until they are on the disk."""
    lines = "".join(json.dumps(record, allow_nan=False) + "\n" for record in records)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _mend(folder / FILE)
        with open(folder / FILE, "ab") as file:
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(f"records cannot be written to {folder}: {error.strerror}") from error


def read_records(folder: Path) -> list[Record]:
    """The records of a folder, none if it has none; a torn last line is left out.

    Raises StoreError if another line is no record.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    lines = path.read_bytes().split(b"\n")
    whole, torn = lines[:-1], lines[-1]  # behind the last line feed there is nothing, or a line cut short
    records = [_parsed(path, number, line) for number, line in enumerate(whole, 1) if line.strip()]
    with_tail = _tail(torn)
    return records + ([with_tail] if with_tail else [])


def require_records(folders: Sequence[Path]) -> list[Record]:
    """The records of all folders, or InputError for one that has none."""
    found = []
    for folder in folders:
        own = read_records(folder)
        if not own:
            raise InputError(f"{folder} holds no benchmark records: run strongsuit bench run SUITE --out {folder}")
        found += own
    return found


def machine() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


@functools.cache
def versions(packages: Sequence[str] = ()) -> dict[str, str]:
    """The versions of Python, of what every method uses, and of `packages`."""
    found = {"python": platform.python_version()}
    for name in (*COMMON_PACKAGES, *packages):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def only(name: str, found: Iterable[str], wanted: str | None) -> str:
    """The one value of a field that records are reported by: the `wanted` one, else the only one `found`, else "".

    Raises InputError if it is not among those found, or if there are several and none is wanted.
    """
    values = sorted(set(found))
    if wanted is not None:
        if values and wanted not in values:
            raise InputError(f"no records of {name} {wanted!r}; there are {', '.join(values)}")
        return wanted
    if len(values) > 1:
        raise InputError(f"the records hold several {name}s, {', '.join(values)}: name one (--{name})")
    return values[0] if values else ""


def _parsed(path: Path, number: int, line: bytes) -> Record:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise StoreError(f"line {number} of {path} is no record: remove it, its cell will be run again") from error
    if not isinstance(record, dict):
        raise StoreError(f"line {number} of {path} is no record: remove it, its cell will be run again")
    return record


def _tail(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _mend(path: Path) -> None:
    """Ends a last line that was cut short, or that lacks its line feed, so that the next one stands alone."""
    if not path.is_file():
        return
    content = path.read_bytes()
    start = content.rfind(b"\n") + 1
    if start == len(content):
        return
    with open(path, "r+b") as file:
        if _tail(content[start:]) is None:
            file.truncate(start)
        else:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")
