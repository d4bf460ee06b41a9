"""Columns that each say whether a row has a label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from strongsuit.errors import InputError

TRUTHS = {"true": 1.0, "false": 0.0}


def as_numbers(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The table with 0 and 1 for truth values, also in words, in these columns."""
    told = [name for name in names if name in table.columns and not pd.api.types.is_float_dtype(table[name])]
    return table.assign(**{name: table[name].map(_number) for name in told})


def _number(cell: object) -> object:
    """1 for true, 0 for false, anything else as it came."""
    return TRUTHS.get(str(cell).strip().lower(), cell)


def present_or_not(y: np.ndarray, names: Sequence[str], where: str) -> None:
    """Nothing, or InputError for labels (a, k) that are neither 0 nor 1."""
    wrong = ~np.isin(y, (0.0, 1.0))
    if wrong.any():
        line, column = np.argwhere(wrong)[0]
        raise InputError(
            f"{where}: with multi_label each target says by 0 or 1 whether a label is there, and {names[column]!r} "
            f"holds {y[line, column]:g}"
        )
