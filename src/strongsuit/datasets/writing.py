"""Frames -> files, whole or not at all: what is half written never bears the final name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from strongsuit.errors import InputError, StoreError

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".parquet")


def write_table(frame: pd.DataFrame, path: str | Path) -> Path:
    """The path of the written table: CSV, gzipped CSV, TSV or Parquet, as its suffix says.

    Raises InputError for another suffix, StoreError where the file cannot be written.
    """
    path = Path(path)
    suffix = next((one for one in reversed(SUFFIXES) if path.name.lower().endswith(one)), None)
    if suffix is None:
        raise InputError(f"cannot tell the format of {path.name!r}: end it in one of {', '.join(SUFFIXES)}")
    with atomic_path(path) as draft:
        if suffix == ".parquet":
            frame.to_parquet(draft, index=False)
        else:
            packing = "gzip" if suffix == ".csv.gz" else None
            frame.to_csv(draft, index=False, sep="\t" if suffix == ".tsv" else ",", compression=packing)
    return path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A draft beside `path` that takes its name on success and vanishes on any failure, Ctrl-C included."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner reads
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
