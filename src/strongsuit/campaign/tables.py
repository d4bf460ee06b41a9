"""Labels -> files: CSV, Parquet or JSON, whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from strongsuit.errors import InputError, StoreError

SUFFIXES = (".csv", ".parquet", ".json")


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """The path of the written table; InputError for another suffix, StoreError where it cannot be written."""
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"cannot tell the format of {path.name!r}: end it in {', '.join(SUFFIXES)}, .jsonl or .jsonl.gz"
        )
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        try:
            _write(rows, path.suffix, Path(draft))
            os.replace(draft, path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def _write(rows: Sequence[Mapping[str, Any]], suffix: str, draft: Path) -> None:
    if suffix == ".json":
        draft.write_text(json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
        return
    import pandas as pd

    plain = [{name: _cell(value) for name, value in row.items()} for row in rows]
    frame = pd.DataFrame(plain)
    if suffix == ".csv":
        frame.to_csv(draft, index=False)
    else:
        frame.to_parquet(draft, index=False)


def _cell(value: Any) -> Any:
    """Several answers or outputs as JSON in one cell."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | tuple | list) else value
