"""How much a reader may take into memory."""

from __future__ import annotations

import os
from pathlib import Path

from strongsuit.errors import InputError

MAX_BYTES = 2 << 30  # half of the 4 GiB that a laptop can be expected to spare: models need the other half
MAX_BYTES_VARIABLE = "STRONGSUIT_MAX_BYTES"


def allowed_bytes(max_bytes: int | None) -> int:
    """The limit in force: the argument, else the environment variable, else 2 GiB."""
    if max_bytes is not None:
        return max_bytes
    text = os.environ.get(MAX_BYTES_VARIABLE, "")
    if not text:
        return MAX_BYTES
    if not text.isascii() or not text.isdigit():
        raise InputError(f"{MAX_BYTES_VARIABLE} must be a whole number of bytes, got {text!r}")
    return int(text)


def check_size(path: Path, needed: int, limit: int) -> None:
    """Nothing, or InputError that says how to make the table fit."""
    if needed <= limit:
        return
    raise InputError(
        f"{path.name} is too large: {needed / 2**30:.1f} GiB in the columns to read, the limit is "
        f"{limit / 2**30:.1f} GiB; leave out columns (exclude), keep a sample of the rows, store it as "
        f"Parquet (8 bytes a cell), or raise the limit (environment variable {MAX_BYTES_VARIABLE})"
    )
