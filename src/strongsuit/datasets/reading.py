"""Files and frames -> one Arrow table: the door of all readers, where every failure becomes an InputError."""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from strongsuit.datasets.columns import level_text
from strongsuit.datasets.delimited import read_delimited
from strongsuit.datasets.limits import check_size
from strongsuit.errors import InputError

Wanted = Callable[[list[str]], list[str]]
_TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".data")
PARQUET_SUFFIXES = (".parquet", ".pq")
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True)
class Raw:
    """Columns as they came; `categorical` are those whose type says so (category, dictionary)."""

    columns: dict[str, pa.ChunkedArray]
    categorical: frozenset[str]
    names: tuple[str, ...]  # of all columns the source has
    source: str


def read_raw(source: Any, wanted: Wanted, *, max_bytes: int, as_text: Container[str] = ()) -> Raw:
    """The columns that `wanted(names)` picks, from a path, a pandas or Polars frame or an Arrow table.

    A path may name a folder of Parquet files: they are read as one table, in the order of their names. Columns of a
    delimited file that `as_text` names stay text even if they look like numbers.
    """
    if isinstance(source, (str, Path)):
        return _read_file(Path(source), wanted, max_bytes, as_text)
    with only_input_errors(f"the {type(source).__name__}"):
        if isinstance(source, pd.DataFrame):
            return _from_pandas(source, wanted)
        return _from_arrow(_arrow_of(source), wanted, source=type(source).__name__)


@contextmanager
def only_input_errors(what: str) -> Iterator[None]:
    """Turns whatever a reader raises for bad bytes into an InputError with one line of cause."""
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"{what} does not fit into memory: leave out columns or rows") from error
    except (pa.ArrowException, OSError, EOFError, zlib.error, csv.Error, UnicodeError) as error:
        raise InputError(f"{what} could not be read: {_first_line(error)}") from error
    except (ValueError, TypeError, OverflowError, KeyError, IndexError, NotImplementedError) as error:
        raise InputError(f"{what} could not be read: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _read_file(path: Path, wanted: Wanted, max_bytes: int, as_text: Container[str]) -> Raw:
    with only_input_errors(str(path)):
        if path.is_dir():
            return _read_folder(path, wanted, max_bytes)
        if not path.exists():
            raise InputError(f"{path} does not exist")
        if _is_parquet(path):
            return _read_parquet(path, wanted, max_bytes)
        names, table = read_delimited(
            path, lambda names: wanted(_distinct(names)), max_bytes=max_bytes, as_text=as_text
        )
        columns = dict(zip(table.column_names, table.columns, strict=True))
        return Raw(columns, frozenset(), tuple(names), path.name)


def _is_parquet(path: Path) -> bool:
    """True by suffix or by the file's first bytes; InputError for what is neither Parquet nor text."""
    with path.open("rb") as stream:
        magic = stream.read(4)
    if magic == b"PAR1" or path.suffix.lower() in PARQUET_SUFFIXES:
        return True
    suffix = Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if magic == b"PK\x03\x04" or suffix in (".xlsx", ".xls", ".ods"):
        raise InputError(f"{path.name} is a spreadsheet or archive: save it as CSV (UTF-8) or Parquet")
    if suffix not in ("", *_TEXT_SUFFIXES):
        raise InputError(f"{path.name} has the suffix {suffix!r}; read are .csv, .tsv, .txt (also .gz) and .parquet")
    return False


def _distinct(names: list[str]) -> list[str]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"column names must differ; repeated: {', '.join(map(repr, repeated))}: rename them")
    return names


def _read_parquet(path: Path, wanted: Wanted, max_bytes: int) -> Raw:
    with pyarrow.parquet.ParquetFile(path) as file:
        stored = [name for name in file.schema_arrow.names if not _PANDAS_INDEX.fullmatch(name)]
        names = wanted(_distinct(stored))
        check_size(path, 8 * file.metadata.num_rows * len(names), max_bytes)
        table = file.read(columns=names)
    return _from_arrow(table, lambda _: names, source=path.name, names=stored)


def _read_folder(path: Path, wanted: Wanted, max_bytes: int) -> Raw:
    """The Parquet files of a folder and the folders in it as one table; every file must have the same columns."""
    files = sorted(one for suffix in PARQUET_SUFFIXES for one in path.rglob(f"*{suffix}") if _is_part(one, path))
    if not files:
        raise InputError(
            f"{path} is a folder without Parquet files: give one CSV or Parquet file, or a folder of .parquet"
        )
    parts, bytes_read = [], 0
    for file in files:
        with only_input_errors(str(file)):
            parts.append(_read_parquet(file, wanted, max_bytes - bytes_read))
        bytes_read += sum(column.nbytes for column in parts[-1].columns.values())
        if set(parts[-1].names) != set(parts[0].names):
            odd = sorted(set(parts[-1].names) ^ set(parts[0].names))
            raise InputError(f"{files[0].name} and {file.name} differ in the columns {', '.join(map(repr, odd[:6]))}")
    tables = [pa.table({name: part.columns[name] for name in parts[0].columns}) for part in parts]
    whole = pa.concat_tables(tables, promote_options="permissive")
    return _from_arrow(whole, lambda names: names, source=path.name, names=parts[0].names)


def _is_part(file: Path, folder: Path) -> bool:
    """False for what Spark and others hide: names that begin with a dot or an underscore."""
    return file.is_file() and not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)


def _arrow_of(source: Any) -> pa.Table:
    """The Arrow table of any frame that speaks the Arrow interchange (Polars, PyArrow, DuckDB, ...)."""
    if isinstance(source, pa.Table):
        return source
    if hasattr(source, "__arrow_c_stream__"):
        return pa.table(source)
    advice = ": call collect() first" if hasattr(source, "collect") else ""
    raise InputError(
        f"a table must be a path to a CSV or Parquet file, a pandas or Polars DataFrame or an Arrow table, "
        f"got {type(source).__name__}{advice}"
    )


def _from_arrow(table: pa.Table, wanted: Wanted, *, source: str, names: Sequence[str] = ()) -> Raw:
    stored = _distinct([str(name) for name in table.column_names])
    columns = {name: table.column(name) for name in wanted(stored)}
    explicit = {name for name, column in columns.items() if pa.types.is_dictionary(column.type)}
    return Raw(columns, frozenset(explicit), tuple(names or stored), source)


def _from_pandas(frame: pd.DataFrame, wanted: Wanted) -> Raw:
    labels = dict(zip(_distinct([str(label) for label in frame.columns]), range(frame.shape[1]), strict=True))
    names = wanted(list(labels))
    series = {name: frame.iloc[:, labels[name]] for name in names}
    explicit = frozenset(name for name, one in series.items() if isinstance(one.dtype, pd.CategoricalDtype))
    columns = {name: series_to_arrow(name, one) for name, one in series.items()}
    return Raw(columns, explicit, tuple(labels), "DataFrame")


def series_to_arrow(name: str, series: pd.Series) -> pa.ChunkedArray:
    """The Arrow column of a pandas column; objects become numbers, dates or text by what they hold."""
    if isinstance(series.dtype, pd.SparseDtype):
        series = series.sparse.to_dense()
    if isinstance(series.dtype, pd.CategoricalDtype):
        levels = pa.array([level_text(value) for value in series.cat.categories], type=pa.string())
        codes = pa.array(series.cat.codes.to_numpy(), mask=series.cat.codes.to_numpy() < 0)
        return pa.chunked_array([pa.DictionaryArray.from_arrays(codes, levels)])
    if series.dtype == object:
        series = _object_column(series)
    if series.dtype.kind == "c":
        raise InputError(f"column {name!r} holds complex numbers: split it into two real columns")
    array = pa.array(series, from_pandas=True)
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _object_column(series: pd.Series) -> pd.Series:
    held = pd.api.types.infer_dtype(series, skipna=True)
    if held in ("integer", "floating", "mixed-integer-float", "decimal"):
        return series.astype("float64")
    if held == "boolean":
        return series.astype("boolean")
    if held in ("datetime", "datetime64", "date"):
        return pd.to_datetime(series)
    return series.map(level_text, na_action="ignore").astype("str")
