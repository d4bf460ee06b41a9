"""What users hand to an estimator -> checked float64 arrays, by scikit-learn's rules.

Arrays must be numeric and complete. Data frames may hold text, categories and missing cells: the
rules by which they become numbers are learned in `fit` and kept on the estimator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import assert_all_finite, check_array, check_consistent_length
from sklearn.utils.validation import validate_data

from strongsuit.datasets.encoding import Encoder, fit_encoder
from strongsuit.errors import InputError

FEWEST_ROWS = 2  # below it there is nothing to compare
LISTED = 6  # columns named in a message


@dataclass(frozen=True)
class Training:
    """X (n, p), Y (n, q), weights (n,) or None, group numbers (n,) or None; `flat`: y came as (n,)."""

    X: np.ndarray
    Y: np.ndarray
    w: np.ndarray | None
    groups: np.ndarray | None
    targets: tuple[str, ...]
    flat: bool
    encoder: Encoder | None


def training_data(estimator: Any, X: Any, y: Any, sample_weight: Any, groups: Any) -> Training:
    """The checked training data; sets `n_features_in_` and, for frames, `feature_names_in_`.

    Raises ValueError or TypeError as scikit-learn asks, InputError (a ValueError) with advice where
    scikit-learn leaves the wording free.
    """
    X, y = _pandas(X), _plain_target(y)
    _require_finite_target(y)
    read = _of_frame if isinstance(X, pd.DataFrame) else _of_array
    matrix, values, encoder = read(estimator, X, y)
    Y = np.asarray(values, float).reshape(len(values), -1)
    w, numbers = _weights(sample_weight, len(matrix)), _group_numbers(groups, len(matrix))
    return Training(matrix, Y, w, numbers, _target_names(y, Y), np.ndim(values) == 1, encoder)


def _of_frame(estimator: Any, X: pd.DataFrame, y: Any) -> tuple[np.ndarray, np.ndarray, Encoder]:
    frame = _with_text_names(X)
    validate_data(estimator, X, y, skip_check_array=True)
    values = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    check_consistent_length(X, values)
    if len(X) < FEWEST_ROWS:
        raise InputError(f"X has n_samples = {len(X)}; at least {FEWEST_ROWS} rows are needed")
    encoder = fit_encoder(frame)
    return encoder.transform(frame).X, values, encoder


def _of_array(estimator: Any, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray, None]:
    X, y = validate_data(
        estimator,
        X,
        y,
        dtype=np.float64,
        ensure_all_finite=False,
        multi_output=True,
        y_numeric=True,
        ensure_min_samples=FEWEST_ROWS,
    )
    _require_complete(X)
    return X, y, None


def prediction_data(estimator: Any, X: Any, encoder: Encoder | None) -> tuple[np.ndarray, np.ndarray]:
    """Encoded rows (n, p), and which of them (n,) bear a level that training did not show."""
    X = _pandas(X)
    if encoder is None or not isinstance(X, pd.DataFrame):
        dtype = np.float64 if encoder is None else None
        X = validate_data(estimator, X, reset=False, dtype=dtype, ensure_all_finite=False, ensure_min_samples=0)
        if encoder is None:
            _require_complete(X)
            return X, np.zeros(len(X), bool)
        X = pd.DataFrame(X)
    else:
        _with_text_names(X)
        validate_data(estimator, X, reset=False, skip_check_array=True)
    frame = X.set_axis([column.name for column in encoder.columns], axis=1)
    encoded = encoder.transform(frame)
    return encoded.X, encoded.unseen


def _pandas(X: Any) -> Any:
    """A pandas frame or series for whatever calls itself a table; everything else as it came."""
    return X.to_pandas() if hasattr(X, "to_pandas") else X


def _with_text_names(frame: pd.DataFrame) -> pd.DataFrame:
    names = [str(name) for name in frame.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"X has columns of the same name: {', '.join(map(repr, repeated))}: rename them")
    return frame.set_axis(names, axis=1)


def _target_names(y: Any, Y: np.ndarray) -> tuple[str, ...]:
    if isinstance(y, pd.DataFrame):
        return tuple(str(name) for name in y.columns)
    if isinstance(y, pd.Series) and y.name not in (None, ""):
        return (str(y.name),)
    return ("y",) if Y.shape[1] == 1 else tuple(f"y{j}" for j in range(Y.shape[1]))


def _plain_target(y: Any) -> Any:
    """y with a pandas frame for what is a table, and pandas' own missing values as NaN."""
    y = _pandas(y)
    if isinstance(y, pd.Series):
        return y.astype(float) if _nullable(y.dtype) else y
    if isinstance(y, pd.DataFrame):
        return y.astype({name: float for name in y.columns if _nullable(y[name].dtype)})
    return y


def _nullable(dtype: Any) -> bool:
    return pd.api.types.is_extension_array_dtype(dtype) and pd.api.types.is_numeric_dtype(dtype)


def _require_complete(X: np.ndarray) -> None:
    """Nothing, or InputError that names the columns with NaN or infinite cells."""
    try:
        assert_all_finite(X, input_name="X")
    except ValueError:
        raise InputError(_incomplete(X)) from None


def _incomplete(X: np.ndarray) -> str:
    what = "NaN" if np.isnan(X).any() else "infinity"
    counts = (~np.isfinite(X)).sum(0)
    columns = np.flatnonzero(counts)
    shown = ", ".join(f"{j} ({counts[j]} rows)" for j in columns[:LISTED])
    more = f" and {len(columns) - LISTED} more" if len(columns) > LISTED else ""
    return (
        f"Input X contains {what} in column {shown}{more}: impute, drop the rows, "
        "or pass a DataFrame, whose missing cells are encoded"
    )


def _require_finite_target(y: Any) -> None:
    """Nothing, or InputError that counts the rows without a finite target; other faults are scikit-learn's to name."""
    try:
        values = np.zeros(0) if y is None or np.iscomplexobj(y) else np.asarray(y, dtype=float)
    except (TypeError, ValueError):
        return
    if values.ndim not in (1, 2) or np.isfinite(values).all():
        return
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))
    what = "NaN" if np.isnan(values).any() else "infinity"
    raise InputError(
        f"Input y contains {what} in {len(bad)} of {len(values)} rows (first in row {bad[0]}): "
        "drop these rows or impute"
    )


def _weights(sample_weight: Any, rows: int) -> np.ndarray | None:
    """Weights (n,) or None; zero means that the row does not exist."""
    if sample_weight is None:
        return None
    w = np.asarray(sample_weight, dtype=np.float64)
    if w.ndim == 0:
        w = np.full(rows, float(w))
    if w.shape != (rows,):
        raise InputError(f"sample_weight must be 1D with one entry a row: shape ({rows},), got {w.shape}")
    if not np.isfinite(w).all() or (w < 0).any():
        raise InputError("sample_weight holds negative or missing values; give zero or more for every row")
    if not w.any():
        raise InputError("sample_weight is zero for every row: at least one row needs a positive weight")
    return w


def _group_numbers(groups: Any, rows: int) -> np.ndarray | None:
    if groups is None:
        return None
    codes, _ = pd.factorize(np.asarray(groups), sort=True)
    if codes.shape != (rows,):
        raise InputError(f"groups must have one entry a row: shape ({rows},), got {codes.shape}")
    if (codes < 0).any():
        raise InputError(f"groups is missing in {int((codes < 0).sum())} rows: fill it in or drop these rows")
    return codes
