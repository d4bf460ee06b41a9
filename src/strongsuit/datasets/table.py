"""A table from outside -> a typed, checked `Table`: the one door through which user data enters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from strongsuit.datasets.columns import Column, Kind, check_finite, type_column
from strongsuit.datasets.limits import allowed_bytes
from strongsuit.datasets.reading import Raw, only_input_errors, read_raw
from strongsuit.datasets.roles import Roles, as_names
from strongsuit.errors import InputError


@dataclass(frozen=True)
class Table:
    """A typed table: `frame` holds features, then targets; numbers are float64, the rest categories."""

    names: tuple[str, ...]  # feature columns
    targets: tuple[str, ...]
    frame: pd.DataFrame
    kinds: Mapping[str, Kind]
    groups: np.ndarray | None  # (n,) int64: rows that belong together share a number
    notes: tuple[str, ...]
    fingerprint: str  # SHA-256 of names, kinds and values: the same from CSV, Parquet, pandas and Polars
    source: str

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.frame)

    @property
    def X(self) -> pd.DataFrame:
        """(n, d) the features."""
        return self.frame[list(self.names)]

    @property
    def y(self) -> np.ndarray:
        """(n, q) float64: the targets, one column each."""
        return self.frame[list(self.targets)].to_numpy(dtype=np.float64)


def read_table(
    source: str | Path | pd.DataFrame | Any,
    *,
    target: str | Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    exclude: str | Sequence[str] = (),
    groups: str | Sequence[str] | None = None,
    categorical: str | Sequence[str] = (),
    group_features: bool = False,
    max_bytes: int | None = None,
) -> Table:
    """The typed, checked table of a CSV, TSV or Parquet file, a pandas or Polars DataFrame or an Arrow table.

    Parameters
    ----------
    source
        A path (.csv, .tsv, .txt, also .gz; .parquet; or a folder of .parquet files), or a frame. Encoding and
        delimiter are found out.
    target
        One or more columns to predict; they must be numeric and complete. None: a table to predict for,
        which may have no rows.
    features, exclude
        Columns to use (default: all that have no other role) and columns to leave out.
    groups
        One or more columns; rows equal in all of them stay on one side of every split. They are no features
        unless `group_features` is true.
    categorical
        Columns of codes: numbers that are names, not amounts.
    max_bytes
        Refuse larger tables (default 2 GiB, or the environment variable STRONGSUIT_MAX_BYTES).

    Raises
    ------
    InputError
        For everything that cannot be used; the message names the column and row and says what to do.

    Examples
    --------
    >>> import pandas as pd
    >>> table = read_table(pd.DataFrame({"x": [0.1, 0.2], "c": ["a", None], "y": [1, 2]}), target="y")
    >>> table.names, dict(table.kinds)["c"], table.y.ravel().tolist()
    (('x', 'c'), 'categorical', [1.0, 2.0])
    """
    roles = Roles(
        target=as_names("target", target),
        features=None if features is None else as_names("features", features),
        exclude=as_names("exclude", exclude),
        groups=as_names("groups", groups),
        categorical=as_names("categorical", categorical),
        group_features=group_features,
    )
    raw = read_raw(source, lambda names: _needed(roles, names), max_bytes=allowed_bytes(max_bytes))
    with only_input_errors(raw.source):
        return _build(raw, roles)


def fingerprint(columns: Sequence[Column]) -> str:
    """The SHA-256 of names, kinds and values, as hexadecimal digits."""
    digest = hashlib.sha256()
    for column in columns:
        header = [column.name, column.kind, str(len(column.values))]
        levels = list(column.values.cat.categories) if column.kind == "categorical" else []
        digest.update("\0".join(header + levels).encode("utf-8", "surrogatepass"))
        if column.kind == "categorical":
            digest.update(column.values.cat.codes.to_numpy().astype("<i4").tobytes())
        else:
            values = column.values.to_numpy(dtype="<f8")
            # Every NaN has the same bits, and 0 has one sign.
            digest.update((np.where(np.isnan(values), np.nan, values) + 0.0).tobytes())
    return digest.hexdigest()


def _needed(roles: Roles, names: list[str]) -> list[str]:
    used = {*roles.resolve(names), *roles.target, *roles.groups}
    return [name for name in names if name in used]


def _build(raw: Raw, roles: Roles) -> Table:
    names = roles.resolve(list(raw.names))
    explicit = raw.categorical | set(roles.categorical)
    columns = [type_column(name, raw.columns[name], categorical=name in explicit) for name in (*names, *roles.target)]
    features, targets = columns[: len(names)], columns[len(names) :]
    _check_rows(raw, bool(targets))
    for column in features:
        if column.kind == "numeric":
            check_finite(column.name, column.values.to_numpy())
    for column in targets:
        _check_target(column, features)
    return Table(
        names=names,
        targets=roles.target,
        frame=pd.DataFrame({column.name: column.values for column in columns}),
        kinds={column.name: column.kind for column in columns},
        groups=_groups(raw, roles.groups),
        notes=tuple(_notes(raw, features, targets)),
        fingerprint=fingerprint(columns),
        source=raw.source,
    )


def _check_rows(raw: Raw, training: bool) -> None:
    rows = len(next(iter(raw.columns.values())))
    if training and rows < 2:
        count = "no rows" if rows == 0 else "one row"
        raise InputError(f"{raw.source} has a header and {count}: learning needs at least two, useful are 40 or more")


def _check_target(column: Column, features: Sequence[Column]) -> None:
    if column.kind == "categorical":
        row = int(np.flatnonzero(column.values.notna())[0]) if column.values.notna().any() else 0
        raise InputError(
            f"target {column.name!r} holds text (row {row + 1}: {column.values.iloc[row]!r}): "
            "a target must be numeric; name another column or turn it into numbers"
        )
    values = column.values.to_numpy()
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        missing = int(np.isnan(values).sum())
        raise InputError(
            f"target {column.name!r} has no finite value in {bad.size} of {len(values)} rows ({missing} "
            f"missing, {bad.size - missing} infinite; first in row {bad[0] + 1}): drop these rows or impute"
        )
    if _is_constant(values):
        return  # constant features would look like copies of it
    for feature in features:
        if feature.kind == "numeric" and np.array_equal(feature.values.to_numpy(), values):
            raise InputError(
                f"feature {feature.name!r} equals target {column.name!r} in every row: "
                "the answer is among the inputs; leave it out (exclude)"
            )


def _is_constant(values: np.ndarray) -> bool:
    return bool(values.min() == values.max())  # a difference of the two could overflow


def _groups(raw: Raw, names: Sequence[str]) -> np.ndarray | None:
    if not names:
        return None
    parts = [type_column(name, raw.columns[name]).values for name in names]
    for name, part in zip(names, parts, strict=True):
        missing = np.flatnonzero(part.isna())
        if missing.size:
            raise InputError(
                f"group column {name!r} has empty cells ({missing.size}, first in row {missing[0] + 1}): "
                "fill it in or drop these rows"
            )
    frame = pd.DataFrame(dict(zip(names, parts, strict=True)))
    return frame.groupby(list(names), sort=True, observed=True).ngroup().to_numpy(dtype=np.int64)


def _notes(raw: Raw, features: Sequence[Column], targets: Sequence[Column]) -> list[str]:
    notes = ["a column without a name (row numbers?) was left out; name it to use it"] if "" in raw.names else []
    notes += [column.note for column in (*features, *targets) if column.note]
    notes += [f"feature {one.name!r} has no values" for one in features if one.values.isna().all() and len(one.values)]
    notes += [
        f"target {one.name!r} is constant: one model is all there is to find"
        for one in targets
        if _is_constant(one.values.to_numpy())
    ]
    return notes
