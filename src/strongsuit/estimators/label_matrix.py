"""Several labels of each row, present or absent, as users hand them over -> a checked matrix and the labels' names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from strongsuit.errors import InputError


def label_matrix(y: Any, names: Sequence[Any] | None = None) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Labels (n, k), NaN in rows that are not labelled yet, and their names: those given, a frame's columns, numbers.

    Raises InputError for anything but a matrix of 0 and 1 or truth values, for rows that are labelled in part, and for
    names of another number.
    """
    found = tuple(y.columns) if isinstance(y, pd.DataFrame) else None
    try:
        values = np.asarray(pd.DataFrame(y).astype(float))
    except (TypeError, ValueError) as error:
        raise InputError(f"y must hold 0 or 1 for each label of a row, NaN where unknown: {error}") from error
    if np.ndim(y) != 2 or not values.shape[1]:
        raise InputError(f"with multi_label y is a matrix with a column for each label, got shape {np.shape(y)}")
    known = ~np.isnan(values)
    partly = known.any(1) & ~known.all(1)
    if partly.any():
        raise InputError(
            f"{int(partly.sum())} rows are labelled in part (first: row {int(np.flatnonzero(partly)[0])}): say of each "
            "label whether it is there, or leave the whole row out"
        )
    wrong = known & ~np.isin(values, (0.0, 1.0))
    if wrong.any():
        raise InputError(f"y must hold 0 or 1 for each label of a row, NaN where unknown, got {values[wrong][0]:g}")
    names = found if names is None else tuple(names)
    if names is not None and len(names) != values.shape[1]:
        raise InputError(f"{len(names)} labels are named in `classes`, and y has {values.shape[1]} columns")
    return values, names or tuple(range(values.shape[1]))
