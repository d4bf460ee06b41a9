"""The pool of a campaign as learners take it: a matrix, and prices where rows have their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from strongsuit.core.standard import standard
from strongsuit.datasets import read_table
from strongsuit.datasets.encoding import fit_encoder
from strongsuit.datasets.pools import FEATURE, PoolTable
from strongsuit.datasets.table import Table
from strongsuit.errors import InputError


@dataclass(frozen=True)
class Inputs:
    """Encoded features X (n, d), standardised for classes, and prices (n,) or None where all rows cost the same."""

    X: np.ndarray
    price: np.ndarray | None


def inputs_of(pool: PoolTable, settings: Mapping[str, Any], categorical: Sequence[str] = ()) -> Inputs:
    """The inputs of all rows, pictures by what they show; InputError for a pool without features and for numbers that
    are missing."""
    pictures = pool.pictures
    parts = [pool.picture_features(name) for name in pictures]
    table = feature_table(pool, categorical, without=pictures)
    X = np.hstack([*([fit_encoder(table).transform(table).X] if table is not None else []), *parts])
    if settings["task"] == "classification":
        center, spread = standard(X)
        X = (X - center) / spread
    return Inputs(X, _prices(pool, settings))


def feature_table(pool: PoolTable, categorical: Sequence[str] = (), *, without: Sequence[str] = ()) -> Table | None:
    """The feature columns of the pool, typed and complete; None where there are no others than those left out."""
    names = [name for name in pool.table.column_names if pool.roles[name] == FEATURE and name not in without]
    if not names:
        if without:
            return None
        raise InputError("the pool has no feature columns besides key, target and ignored ones: nothing to choose by")
    table = read_table(pool.table.select(names), categorical=[name for name in categorical if name in names])
    for name in table.names:
        empty = np.flatnonzero(table.frame[name].isna()) if table.kinds[name] == "numeric" else np.zeros(0, int)
        if len(empty):
            raise InputError(
                f"the pool: column {name!r} has no value in {len(empty)} of {table.rows} rows (first in row "
                f"{empty[0]}): a distance to it means nothing; fill the cells in, drop the rows, or ignore the column"
            )
    return table


def _prices(pool: PoolTable, settings: Mapping[str, Any]) -> np.ndarray | None:
    """Prices by row, above 0: a free row counts as the cheapest that is not, or a score over it would know no end."""
    row = (settings.get("cost") or {}).get("row")
    if not isinstance(row, Mapping):
        return None
    price = np.array(pool.costs(str(row["column"]), range(len(pool))))
    paid = price[price > 0.0]
    return None if not len(paid) else np.maximum(price, paid.min())
