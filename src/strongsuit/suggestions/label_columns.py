"""Columns that each say whether a row has a label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from strongsuit.errors import InputError


def as_numbers(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The table with 0 and 1 for truth values in these columns."""
    told = [name for name in names if name in table.columns and pd.api.types.is_bool_dtype(table[name])]
    return table.assign(**{name: table[name].astype(float) for name in told})


def present_or_not(y: np.ndarray, names: Sequence[str], where: str) -> None:
    """Nothing, or InputError for labels (a, k) that are neither 0 nor 1."""
    wrong = ~np.isin(y, (0.0, 1.0))
    if wrong.any():
        line, column = np.argwhere(wrong)[0]
        raise InputError(
            f"{where}: with multi_label each target says by 0 or 1 whether a label is there, and {names[column]!r} "
            f"holds {y[line, column]:g}"
        )
