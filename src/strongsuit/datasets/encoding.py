"""Typed columns -> a float64 matrix that any learner takes, by rules learned once and stored with the model.

Numbers stay as they are (scaling is the learner's business). A missing number becomes the training median,
with an indicator column where training had missing values. Text becomes one column a level, at most 31, and
`other` for the rest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from strongsuit.datasets.columns import MANY_LEVELS, Kind, check_finite, is_number, level_text, type_column
from strongsuit.datasets.reading import series_to_arrow
from strongsuit.datasets.table import Table
from strongsuit.errors import InputError

MISSING_LEVEL = "(missing)"
OTHER_LEVEL = "(other)"


@dataclass(frozen=True)
class SourceColumn:
    """How one table column is encoded. `levels` own a column each; `rare` ones share `other`."""

    name: str
    kind: Kind
    median: float = 0.0
    missing: bool = False  # training had missing cells: an indicator, or a level of its own
    levels: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()

    @property
    def encoded_names(self) -> tuple[str, ...]:
        """The names of the columns made of this one."""
        marks = [MISSING_LEVEL] if self.missing else []
        if self.kind == "numeric":
            return (self.name, *(f"{self.name}={mark}" for mark in marks))
        marks = [*self.levels, *([OTHER_LEVEL] if self.rare else []), *marks]
        return tuple(f"{self.name}={mark}" for mark in marks)


@dataclass(frozen=True)
class Encoded:
    """`X` (n, p) float64 without NaN; `unseen` (n,) marks rows with a level that training did not have."""

    X: np.ndarray
    names: tuple[str, ...]
    unseen: np.ndarray


@dataclass(frozen=True)
class Encoder:
    """The rules that turn a table into a matrix; a frozen value, stored as JSON with the model."""

    columns: tuple[SourceColumn, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """(p,) the encoded columns' names."""
        return tuple(name for column in self.columns for name in column.encoded_names)

    @property
    def sources(self) -> tuple[str, ...]:
        """(p,) the table column that each encoded column comes from."""
        return tuple(column.name for column in self.columns for _ in column.encoded_names)

    @property
    def blocks(self) -> dict[str, tuple[int, ...]]:
        """Table column -> the positions of its encoded columns."""
        positions: dict[str, tuple[int, ...]] = {column.name: () for column in self.columns}
        for position, source in enumerate(self.sources):
            positions[source] = (*positions[source], position)
        return positions

    @property
    def categorical(self) -> np.ndarray:
        """(p,) bool: columns of levels; two levels differ in two of them, so distances scale by 1/sqrt 2."""
        return np.array([c.kind == "categorical" for c in self.columns for _ in c.encoded_names], dtype=bool)

    @property
    def indicators(self) -> np.ndarray:
        """(p,) bool: columns that say that a number was missing."""
        flags = [c.kind == "numeric" and i > 0 for c in self.columns for i, _ in enumerate(c.encoded_names)]
        return np.array(flags, dtype=bool)

    def transform(self, frame: pd.DataFrame | Table) -> Encoded:
        """The matrix of a frame that has at least the training columns, in any order; others are ignored.

        Raises InputError for missing columns, text where training had numbers (or the reverse), infinities.
        """
        frame = frame.X if isinstance(frame, Table) else frame
        _require_columns(self.columns, frame)
        blocks, unseen = [], np.zeros(len(frame), dtype=bool)
        for column in self.columns:
            encode = _encode_numbers if column.kind == "numeric" else _encode_levels
            block, strange = encode(column, frame[column.name])
            blocks.append(block)
            unseen |= strange
        return Encoded(np.hstack(blocks), self.names, unseen)

    def to_json(self) -> str:
        """The encoder as JSON text."""
        return json.dumps({"columns": [asdict(column) for column in self.columns]}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Encoder:
        """The encoder that `to_json` wrote; InputError for anything else."""
        try:
            return cls(tuple(_column_of(row) for row in json.loads(text)["columns"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"this is no stored encoder: {type(error).__name__}: {error}") from error


def fit_encoder(
    table: Table | pd.DataFrame, *, columns: Sequence[str] | None = None, categorical: Sequence[str] = ()
) -> Encoder:
    """The encoder of a table's feature columns, or of the named columns of a frame.

    `categorical` names columns of numbers that are codes (a `Table` already knows its own).
    """
    frame = table.X if isinstance(table, Table) else table
    names = list(frame.columns) if columns is None else list(columns)
    if not names or not len(frame):
        raise InputError(f"an encoder needs a column and a row at least, got {len(names)} and {len(frame)}")
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise InputError(f"columns to encode are not in the table: {_listed(absent)}")
    return Encoder(tuple(_fit_column(name, frame[name], name in categorical) for name in names))


def _fit_column(name: str, series: pd.Series, forced: bool) -> SourceColumn:
    kind, values = _typed(name, series, forced or isinstance(series.dtype, pd.CategoricalDtype))
    missing = bool(values.isna().any())
    if kind == "numeric":
        check_finite(name, values.to_numpy())
        median = float(values.median()) if values.notna().any() else 0.0
        return SourceColumn(name, "numeric", median=median, missing=missing)
    counts = values.value_counts(sort=False)
    ranked = sorted(counts.index, key=lambda level: (-counts[level], level))
    kept = ranked if len(ranked) <= MANY_LEVELS else ranked[:MANY_LEVELS]
    levels, rare = tuple(sorted(kept)), tuple(sorted(ranked[len(kept) :]))
    return SourceColumn(name, "categorical", missing=missing, levels=levels, rare=rare)


def _typed(name: str, series: pd.Series, categorical: bool) -> tuple[Kind, pd.Series]:
    if series.dtype == np.float64 and not categorical:
        return "numeric", series
    column = type_column(name, series_to_arrow(name, series), categorical=categorical)
    return column.kind, column.values


def _require_columns(columns: Sequence[SourceColumn], frame: pd.DataFrame) -> None:
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"a table to encode must be a Table or a pandas DataFrame, got {type(frame).__name__}")
    absent = [column.name for column in columns if column.name not in frame.columns]
    if absent:
        raise InputError(
            f"the model was trained with columns that this table lacks: {_listed(absent)}; it has "
            f"{_listed(list(map(str, frame.columns)))}"
        )
    repeated = [column.name for column in columns if list(frame.columns).count(column.name) > 1]
    if repeated:
        raise InputError(f"columns stand in this table more than once: {_listed(repeated)}")


def _encode_numbers(column: SourceColumn, series: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    kind, typed = _typed(column.name, series, False)
    if kind == "categorical" and typed.notna().any():
        row = int(np.flatnonzero(typed.notna())[0])
        raise InputError(
            f"column {column.name!r} held numbers in training; row {row + 1} now holds {typed.iloc[row]!r}: "
            "give numbers, or train again with this table's columns"
        )
    values = np.full(len(series), np.nan) if kind == "categorical" else typed.to_numpy(dtype=np.float64)
    check_finite(column.name, values)
    absent = np.isnan(values)
    filled = np.where(absent, column.median, values)
    block = np.column_stack([filled, absent]) if column.missing else filled[:, None]
    return block, np.zeros(len(series), dtype=bool)


def _encode_levels(column: SourceColumn, series: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    _, values = _typed(column.name, series, True)
    values = values.map(level_text, na_action="ignore").astype(object)
    _require_text(column, values.dropna())
    place = {level: position for position, level in enumerate(column.levels)}
    place |= dict.fromkeys(column.rare, len(column.levels))
    width = len(column.encoded_names)
    lost = width - 1 if column.missing else -1  # the missing level stands last
    positions = values.map(lambda level: place.get(level, -1), na_action="ignore")
    positions = positions.fillna(lost).to_numpy(dtype=np.int64)
    block = np.zeros((len(series), width))
    known = np.flatnonzero(positions >= 0)
    block[known, positions[known]] = 1.0
    return block, positions < 0


def _require_text(column: SourceColumn, present: pd.Series) -> None:
    known = column.levels + column.rare
    if len(present) and known and not any(map(is_number, known)) and all(map(is_number, present.unique())):
        raise InputError(
            f"column {column.name!r} held text such as {known[0]!r} in training and now holds numbers only: "
            "give the same column, or train again with this table's columns"
        )


def _column_of(row: dict[str, Any]) -> SourceColumn:
    if row["kind"] not in ("numeric", "categorical"):
        raise ValueError(f"unknown kind {row['kind']!r}")
    return SourceColumn(
        str(row["name"]),
        row["kind"],
        float(row["median"]),
        bool(row["missing"]),
        tuple(map(str, row["levels"])),
        tuple(map(str, row["rare"])),
    )


def _listed(names: Sequence[object]) -> str:
    shown = ", ".join(repr(name) for name in names[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "")
