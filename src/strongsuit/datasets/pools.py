"""A table as the pool of a campaign: rows by number, keys that are unique, a description that a journal can keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from strongsuit.datasets.fingerprint import CHUNK_ROWS, as_text, fingerprint_table, logical_type
from strongsuit.datasets.limits import allowed_bytes
from strongsuit.datasets.pictures import FILE, picture_columns, picture_features, picture_table
from strongsuit.datasets.reading import PARQUET_SUFFIXES, read_raw
from strongsuit.errors import InputError, UnknownRow

FEATURE, KEY, TARGET, IGNORE = "feature", "key", "target", "ignore"
SHOWN = 5  # bad keys that a message names


@dataclass(frozen=True)
class PoolTable:
    """A table as a pool, with the description that `create_campaign` writes; made by `read_pool`."""

    table: pa.Table
    key: str | None
    roles: Mapping[str, str]
    description: Mapping[str, Any]

    def __len__(self) -> int:
        return self.table.num_rows

    def rows_of(self, keys: Sequence[Any]) -> list[int | None]:
        """The row of each key, None for one that is not there."""
        if self.key is None:
            return [int(key) if _is_row(key, len(self)) else None for key in keys]
        return [self._index.get(str(key)) for key in keys]

    def keys_of(self, rows: Sequence[int]) -> list[Any]:
        """The key of each row, as text; its number where there is no key column."""
        if self.key is None:
            return [int(row) for row in rows]
        return as_text(self._taken(rows, [self.key]).column(0).combine_chunks()).to_pylist()

    def features(self, rows: Sequence[int]) -> pd.DataFrame:
        """The key and feature columns of the rows."""
        shown = [name for name in self.table.column_names if self.roles[name] in (KEY, FEATURE)]
        return self._taken(rows, shown).to_pandas()

    @property
    def pictures(self) -> list[str]:
        """The feature columns whose cells name pictures in the folder of media."""
        features = [name for name in self.table.column_names if self.roles[name] == FEATURE]
        return picture_columns(self.table, features) if self.description.get("media") else []

    def picture_features(self, column: str) -> np.ndarray:
        """Features (rows, p) of the pictures that a column names."""
        names = as_text(self.table.column(column).combine_chunks()).to_pylist()
        return picture_features(Path(self.description["media"]), names)

    def costs(self, column: str, rows: Sequence[int]) -> list[float]:
        """What a column says of the rows; InputError for one that is not there, empty or below zero."""
        if column not in self.table.column_names:
            raise InputError(f"cost.row.column {column!r} is no column of the pool: {self.table.column_names}")
        found = self._taken(rows, [column]).column(0).to_pylist()
        for row, value in zip(rows, found, strict=True):
            if not isinstance(value, int | float) or not value >= 0:
                raise InputError(f"cost column {column!r} must hold numbers of 0 or more; row {row} has {value!r}")
        return [float(value) for value in found]

    def proof(self, n: int) -> tuple[str, ...]:
        """The chunk digests of the first n rows alone, as their own pool has them."""
        return fingerprint_table(_hashed(self.table.slice(0, n), self.roles), text=_texts(self.key)).chunks

    def write_to(self, folder: Path) -> None:
        """Leaves the rows as `pool.parquet` in a folder, for another process."""
        import pyarrow.parquet as pq

        pq.write_table(self.table, folder / "pool.parquet")

    @cached_property
    def _index(self) -> dict[str, int]:
        keys = as_text(self.table.column(self.key).combine_chunks()).to_pylist()
        return {key: row for row, key in enumerate(keys)}

    def _taken(self, rows: Sequence[int], names: Sequence[str]) -> pa.Table:
        wrong = [row for row in rows if not _is_row(row, len(self))]
        if wrong:
            raise UnknownRow(f"row {wrong[0]!r}: the pool has rows 0 to {len(self) - 1}")
        return self.table.select(names).take(pa.array(list(rows), pa.int64()))


def read_pool(
    source: Any,
    *,
    key: str | None = None,
    target: str | Sequence[str] = (),
    ignore: Sequence[str] = (),
    media: str | None = None,
    known: Mapping[str, Any] | None = None,
    check: bool = False,
) -> PoolTable:
    """The pool of a CSV or Parquet file, a folder of Parquet files or of pictures, a frame or an Arrow table.

    Parameters
    ----------
    key : str
        Column that identifies rows; without it the row number does, and the path of a picture in a folder of them.
    target, ignore : list of str
        Columns that are no part of the pool: a half-filled table is still the same pool. They need not be there.
    media : str
        Folder of the files that cells name.
    known : mapping
        An earlier description: if the file has its size and time of change the content is not hashed again, unless
        `check`.

    Raises
    ------
    InputError
        For a source that cannot be read, a column that is not there, and keys that are missing or repeated.
    """
    pictures = _pictures(source)
    if pictures is not None:
        table, key, media = pictures, key or FILE, media or str(source)
    else:
        table = _read(source, key)
    targets = [target] if isinstance(target, str) else list(target)
    roles = {name: _role(name, key, targets, ignore) for name in table.column_names}
    if key is not None:
        _check_keys(table, key, _called(source))
    stat = _stat(source)
    if known is not None and stat is not None and known.get("stat") == stat and not check:
        return PoolTable(table, key, roles, known)
    return PoolTable(table, key, roles, _described(table, key, roles, source, media, stat))


def _read(source: Any, key: str | None) -> pa.Table:
    raw = read_raw(source, lambda names: names, max_bytes=allowed_bytes(None), as_text=frozenset(_texts(key)))
    if not next(iter(raw.columns.values()), ()):
        raise InputError(f"{raw.source} has no rows: a pool needs at least one")
    return pa.table({name: raw.columns[name] for name in raw.columns})


def _pictures(source: Any) -> pa.Table | None:
    """The pictures of a folder that holds no Parquet files."""
    if not isinstance(source, str | Path) or not Path(source).is_dir():
        return None
    tables = any(path.suffix.lower() in PARQUET_SUFFIXES for path in Path(source).rglob("*"))
    return None if tables else picture_table(Path(source))


def _called(source: Any) -> str:
    return Path(source).name if isinstance(source, str | Path) else f"the {type(source).__name__}"


def _described(
    table: pa.Table, key: str | None, roles: Mapping[str, str], source: Any, media: str | None, stat: list[int] | None
) -> dict[str, Any]:
    found = fingerprint_table(_hashed(table, roles), text=_texts(key))
    types = {name: found.types.get(name) or logical_type(name, table.column(name)) for name in table.column_names}
    return {
        "uri": str(source) if isinstance(source, str | Path) else type(source).__name__,
        "format": _format(source),
        "n": table.num_rows,
        "key": key,
        "columns": [{"name": name, "type": types[name], "role": roles[name]} for name in table.column_names],
        "media": media,
        "fingerprint": found.value,
        "chunks": list(found.chunks),
        "chunk_rows": CHUNK_ROWS,
        "stat": stat,
    }


def _hashed(table: pa.Table, roles: Mapping[str, str]) -> dict[str, pa.ChunkedArray]:
    names = [name for name in table.column_names if roles[name] in (KEY, FEATURE)]
    if not names:
        raise InputError("the pool has no columns besides target and ignored ones: there is nothing to tell rows apart")
    return {name: table.column(name) for name in names}


def _role(name: str, key: str | None, targets: Sequence[str], ignore: Sequence[str]) -> str:
    return KEY if name == key else TARGET if name in targets else IGNORE if name in ignore else FEATURE


def _check_keys(table: pa.Table, key: str, source: str) -> None:
    """InputError with the first bad keys unless they are all there and differ."""
    if key not in table.column_names:
        raise InputError(f"key {key!r} is no column of {source}; it has {', '.join(table.column_names)}")
    keys = as_text(table.column(key).combine_chunks())
    blank = pc.indices_nonzero(pc.fill_null(pc.equal(keys, ""), True)).to_pylist()
    if blank:
        rows = ", ".join(str(row) for row in blank[:SHOWN])
        raise InputError(
            f"key {key!r} is empty in {len(blank)} rows (first: {rows}): every row needs one, or give no key"
        )
    if pc.count_distinct(keys).as_py() < len(keys):
        twice = [one for one, count in Counter(keys.to_pylist()).items() if count > 1]
        names = ", ".join(repr(one) for one in twice[:SHOWN])
        raise InputError(f"key {key!r} repeats {len(twice)} values (first: {names}): keys must differ, or give no key")


def _texts(key: str | None) -> tuple[str, ...]:
    return () if key is None else (key,)


def _format(source: Any) -> str:
    if not isinstance(source, str | Path):
        return "frame"
    path = Path(source)
    return "folder" if path.is_dir() else "parquet" if path.suffix.lower() in PARQUET_SUFFIXES else "text"


def _stat(source: Any) -> list[int] | None:
    """Size and time of change of a file: where both are as before, the content is taken to be."""
    if not isinstance(source, str | Path) or not Path(source).is_file():
        return None
    about = Path(source).stat()
    return [about.st_size, about.st_mtime_ns]


def _is_row(row: Any, rows: int) -> bool:
    return hasattr(row, "__index__") and not isinstance(row, bool) and 0 <= row < rows
