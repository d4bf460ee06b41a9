"""A box and what is known in it, from files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from strongsuit.datasets.as_given import read_as_given
from strongsuit.datasets.columns import MISSING
from strongsuit.errors import InputError

COLUMNS = ("name", "low", "high")


def read_box(source: Any) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, lows and highs (d,) of a table with a row for each input and the columns name, low and high."""
    frame = read_as_given(source, text=["name"])
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise InputError(
            f"the box lacks the column {missing[0]!r}: it needs name, low and high, and a row for each input"
        )
    if not len(frame) or frame["name"].isna().any():
        raise InputError("the box needs a row for each input, with its name, low and high")
    low, high = (_numbers(frame, side, "the box", empty=False) for side in ("low", "high"))
    return [str(name) for name in frame["name"]], low, high


def read_known(source: Any, names: Sequence[str], targets: Sequence[str]) -> pd.DataFrame:
    """The table of known rows as it came, inputs and labels as numbers: an empty label cell is NaN, not yet measured.

    Raises InputError for columns that it lacks and cells that hold no number.
    """
    frame = read_as_given(source)
    lost = [name for name in (*names, *targets) if name not in frame.columns]
    if lost:
        raise InputError(f"the labelled table lacks the column {lost[0]!r}; it has {', '.join(frame.columns)}")
    cells = {name: _numbers(frame, name, "the labelled table", empty=name in targets) for name in (*names, *targets)}
    return frame.assign(**cells)


def _numbers(frame: pd.DataFrame, name: str, where: str, *, empty: bool) -> np.ndarray:
    blank = (frame[name].isna() | frame[name].astype(object).isin(MISSING)).to_numpy()
    values = pd.to_numeric(frame[name].where(~blank), errors="coerce").to_numpy(float, na_value=np.nan)
    wrong = np.flatnonzero(np.isnan(values) & ~(blank if empty else np.zeros(len(blank), bool)))
    if len(wrong):
        raise InputError(f"{where}: column {name!r} must hold numbers; row {wrong[0] + 1} does not")
    return values
