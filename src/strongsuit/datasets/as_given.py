"""Tables with all their columns as they came: for rows that are handed back, where identity must not change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from strongsuit.datasets.limits import allowed_bytes
from strongsuit.datasets.reading import PARQUET_SUFFIXES, only_input_errors, read_raw

EXACT = 2.0**53  # above it, float64 skips whole numbers


def read_as_given(source: Any, *, text: Sequence[str] = ()) -> pd.DataFrame:
    """All columns of a table, untyped: text stays text, dates stay dates, whole numbers are integers.

    Columns named in `text` are read as text from a delimited file, so that 007 stays 007. Raises InputError for a
    source that cannot be read.
    """
    if isinstance(source, pd.DataFrame):
        return source.reset_index(drop=True).set_axis([str(name) for name in source.columns], axis=1)
    raw = read_raw(source, lambda names: names, max_bytes=allowed_bytes(None), as_text=frozenset(text))
    with only_input_errors(raw.source):
        frame = pa.table({name: _plain(column) for name, column in raw.columns.items()}).to_pandas()
    if not isinstance(source, (str, Path)) or Path(source).is_dir() or Path(source).suffix in PARQUET_SUFFIXES:
        return frame
    return frame.assign(**{name: _whole(frame[name]) for name in frame.columns})


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column, levels as the text they stand for."""
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _whole(column: pd.Series) -> pd.Series:
    """Floats without a fraction as integers: a delimited file does not say which it means."""
    if column.dtype != np.float64 or not len(column):
        return column
    values = column.to_numpy()
    if not np.isfinite(values).all() or np.abs(values).max() >= EXACT or (values % 1).any():
        return column
    return column.astype(np.int64)
