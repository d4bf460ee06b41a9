"""Arrow columns -> typed columns: float64 numbers with NaN for missing, or categories whose levels are text.

What decides is the content, not the storage, so that one table gives the same columns from CSV, Parquet,
pandas and Polars.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from strongsuit.errors import InputError

Kind = Literal["numeric", "categorical"]

# What spreadsheets, R, pandas, SAS, Weka and SQL write for "no value".
MISSING = {""} | frozenset(
    "- . ? #N/A #NA <NA> N/A n/a NA na NaN NAN nan -nan NULL Null null None none missing #VALUE!".split()
)
# More distinct texts than this are worth a remark; `encoding` keeps the same number of levels apart.
MANY_LEVELS = 31
# Above this share of numbers a column is meant to be numeric, and its other cells are mistakes.
NUMERIC_SHARE = 0.5

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?inf(?:inity)?", re.ASCII | re.IGNORECASE)
_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)


@dataclass(frozen=True)
class Column:
    """A typed column: `values` is float64 (NaN is missing) or a pandas category of sorted text levels."""

    name: str
    kind: Kind
    values: pd.Series
    note: str = ""


@dataclass(frozen=True)
class _Levels:
    """Text cells by level: `text[codes[i]]` is cell i without outer spaces."""

    text: list[str]
    codes: np.ndarray  # (n,) int64; -1 is missing
    counts: np.ndarray  # per level

    def share(self, chosen: np.ndarray) -> float:
        """The share of the present cells whose level is chosen."""
        return float(self.counts[chosen].sum() / self.counts.sum())

    def spread(self, values: np.ndarray) -> np.ndarray:
        """(n,) float64: each cell the number of its level, NaN where missing."""
        return np.append(np.asarray(values, dtype=np.float64), np.nan)[self.codes]


def type_column(name: str, data: pa.ChunkedArray, *, categorical: bool = False) -> Column:
    """The typed column of Arrow data; `categorical` keeps numbers as levels.

    Raises InputError for a type no model can take (lists, bytes, ...) and for text among numbers.
    """
    kind = data.type
    if pa.types.is_dictionary(kind):
        return _categories(name, _levels(data)) if categorical else _text(name, _levels(data))
    if _is_text(kind):
        levels = _levels(data.dictionary_encode())
        return _categories(name, levels) if categorical else _text(name, levels)
    if pa.types.is_boolean(kind):
        return _categories(name, _levels(_as_text(data).dictionary_encode()))
    if not (categorical and _is_number(kind)):
        return Column(name, "numeric", *_numbers(name, data))
    return _categories(name, _levels(_as_text(data).dictionary_encode()))


def check_finite(name: str, values: np.ndarray) -> None:
    """Nothing, or InputError that says where the infinite values are; NaN is missing and passes."""
    infinite = np.flatnonzero(np.isinf(values))
    if infinite.size:
        raise InputError(
            f"column {name!r} holds infinite values ({infinite.size}, first in row {infinite[0] + 1}): "
            "leave these cells empty (missing) or drop the rows"
        )


def level_text(value: object) -> str:
    """The text of a level: whole floats lose their '.0', so that 4, 4.0 and '4' are one level."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    return str(value).strip()


def is_number(text: str) -> bool:
    """True if the text is a number as every program writes it: no unit, no thousands separator."""
    return _NUMBER.fullmatch(text) is not None


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _as_text(data: pa.ChunkedArray) -> pa.ChunkedArray:
    texts = [None if value is None else level_text(value) for value in data.to_pylist()]
    return pa.chunked_array([pa.array(texts, type=pa.string())])


def _numbers(name: str, data: pa.ChunkedArray) -> tuple[pd.Series, str]:
    """Numbers, dates and spans of time as float64, with a note where a unit was chosen."""
    kind = data.type
    day = 86_400_000_000  # microseconds
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        stamps = data.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return _floats(stamps) / day, f"dates in {name!r} became days since 1970-01-01"
    if pa.types.is_duration(kind):
        spans = data.cast(pa.duration("us"), safe=False).cast(pa.int64())
        return _floats(spans) / day, f"time spans in {name!r} became days"
    if pa.types.is_null(kind) or _is_number(kind):
        return _floats(data), ""
    raise InputError(
        f"column {name!r} holds values of type {kind}, which no model here can read: "
        "leave it out (exclude) or turn it into numbers or text"
    )


def _floats(data: pa.ChunkedArray) -> pd.Series:
    values = data.cast(pa.float64(), safe=False).to_numpy()
    return pd.Series(np.array(values, dtype=np.float64))  # a copy: Arrow's own memory is read-only


def _levels(data: pa.ChunkedArray) -> _Levels:
    """The levels of dictionary-encoded text, without outer spaces; spellings of 'no value' become -1."""
    encoded = data.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # no rows: no chunk to combine
        return _Levels([], np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    raw = ["" if value is None else level_text(value) for value in encoded.dictionary.to_pylist()]
    text = sorted(set(raw) - MISSING)
    place = {level: position for position, level in enumerate(text)}
    map_code = np.array([place.get(level, -1) for level in raw] + [-1], dtype=np.int64)
    codes = map_code[encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)]
    return _Levels(text, codes, np.bincount(codes[codes >= 0], minlength=len(text)))


def _categories(name: str, levels: _Levels) -> Column:
    used = np.flatnonzero(levels.counts)  # a pandas category may declare levels that no row has
    codes = np.searchsorted(used, levels.codes)
    values = pd.Categorical.from_codes(
        np.where(levels.codes < 0, -1, codes), pd.Index([levels.text[i] for i in used], dtype="str")
    )
    note = ""
    if used.size > MANY_LEVELS:
        note = (
            f"{name!r} has {used.size} distinct texts: the {MANY_LEVELS} most frequent are kept apart; "
            "exclude it if it is an identifier"
        )
    return Column(name, "categorical", pd.Series(values), note)


def _text(name: str, levels: _Levels) -> Column:
    """Text typed by what it says: numbers, ISO dates, decimal commas, else categories."""
    if not levels.counts.sum():
        return Column(name, "numeric", pd.Series(np.full(levels.codes.size, np.nan)))
    number = _matches(_NUMBER, levels)
    comma = _matches(_COMMA, levels)
    if levels.share(number) == 1.0:
        return _parsed(name, levels, [float(text) for text in levels.text])
    if levels.share(_matches(_ISO_DATE, levels)) == 1.0:
        return _dates(name, levels)
    if levels.share(number | comma) == 1.0 and _decimal_commas(levels):
        note = f"decimal commas in {name!r} were read as decimal points"
        return _parsed(name, levels, [float(text.replace(",", ".")) for text in levels.text], note)
    if levels.share(number | comma) > NUMERIC_SHARE:
        raise InputError(_text_among_numbers(name, levels, ~number))
    return _categories(name, levels)


def _matches(pattern: re.Pattern[str], levels: _Levels) -> np.ndarray:
    found = [pattern.fullmatch(text) is not None for text in levels.text]
    return np.array(found, dtype=bool) & (levels.counts > 0) if found else np.zeros(0, dtype=bool)


def _decimal_commas(levels: _Levels) -> bool:
    """True if commas can only be decimal: no points, and not every comma could part thousands."""
    with_comma = [text for text in levels.text if "," in text]
    return not any("." in text for text in levels.text) and not all(map(_THOUSANDS.fullmatch, with_comma))


def _parsed(name: str, levels: _Levels, numbers: list[float], note: str = "") -> Column:
    return Column(name, "numeric", pd.Series(levels.spread(np.array(numbers))), note)


def _dates(name: str, levels: _Levels) -> Column:
    try:
        stamps = pd.to_datetime(pd.Series(levels.text), format="ISO8601", utc=True)
    except (ValueError, OverflowError) as error:  # 2024-13-45 looks like a date and is none
        cause = str(error).splitlines()[0].split(". ")[0]
        raise InputError(f"column {name!r} holds dates, one of them impossible: {cause}") from error
    days = (stamps - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)
    return _parsed(name, levels, days.tolist(), f"dates in {name!r} became days since 1970-01-01")


def _text_among_numbers(name: str, levels: _Levels, wrong: np.ndarray) -> str:
    row = int(np.flatnonzero(np.isin(levels.codes, np.flatnonzero(wrong)))[0])
    cells = int(levels.counts[wrong].sum())
    value = levels.text[levels.codes[row]]
    shown = value if len(value) <= 40 else value[:37] + "..."
    more = f" ({cells - 1} more such cells)" if cells > 1 else ""
    return (
        f"column {name!r} holds numbers, but row {row + 1} holds {shown!r}{more}: correct it (decimal point, "
        "no unit, no thousands separator), leave the cell empty if the value is missing, exclude the column, "
        "or declare it categorical"
    )
