"""A portrait of each regime: where its features lie, how it differs from the rest, and rows that stand for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from strongsuit.partition.describe_values import Interval, Portrait, RangeLine, Rule, TypicalRow
from strongsuit.partition.discover import Partitioned
from strongsuit.partition.pipeline import pieces

TYPICAL = 5
FEATURES_SHOWN = 12
CELLS_SHOWN = 8
LEVELS_SHOWN = 5
SHIFT_ROWS = 2_000
PORTRAIT_ROWS = 50_000
QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)


def portraits(
    model: Partitioned,
    X: np.ndarray,
    Y: np.ndarray,
    names: Sequence[str],
    table: pd.DataFrame,
    rules: dict[int, tuple[Rule, ...]],
) -> tuple[Portrait, ...]:
    """One portrait a regime of X (n, d) and Y (n, q); `table` holds the features as the user gave them."""  # fmt: skip
    spread = _spread(X)
    return tuple(
        _portrait(model, k, np.flatnonzero(model.labels == k), X, Y, names, table, rules.get(k, ()), spread)
        for k in range(model.found)
    )


def _spread(X: np.ndarray) -> np.ndarray:
    spread = X.std(0)
    return np.where(spread > 1e-9 * np.maximum(1.0, np.abs(X).max(0)), spread, np.inf)


def _portrait(model, k: int, own: np.ndarray, X, Y, names, table, rules, spread) -> Portrait:
    differences = _differences(own, X, names, spread)
    sample = evenly(own, PORTRAIT_ROWS)
    if not len(own):
        return Portrait(k + 1, 0, rules, (), differences, (), ())
    columns = _telling(differences, names, table)
    ranges = tuple(feature_range(table[c].iloc[sample], c) for c in columns[:FEATURES_SHOWN])
    typical = typical_rows(X[sample] / spread)
    shown = _typical(model, k, sample[typical], X, Y, table, columns[:CELLS_SHOWN])
    return Portrait(k + 1, len(own), rules, ranges, differences, shown, _shift(model, k, evenly(own, SHIFT_ROWS), X))


def _differences(own: np.ndarray, X: np.ndarray, names: Sequence[str], spread) -> tuple[tuple[str, float], ...]:
    """Mean in the regime minus mean in all other rows, in standard deviations over all rows, largest first."""
    rest = np.ones(len(X), bool)
    rest[own] = False
    if not len(own) or not rest.any():
        return ()
    gap = (X[own].mean(0) - X[rest].mean(0)) / spread
    order = np.argsort(-np.abs(gap), kind="stable")[:FEATURES_SHOWN]
    return tuple((names[j], float(gap[j])) for j in order if gap[j] != 0)


def _telling(differences, names: Sequence[str], table: pd.DataFrame) -> list[str]:
    """The table's columns, those that differ most first."""
    order = [source_of(name, table) for name, _ in differences]
    order += [source_of(name, table) for name in names]
    return list(dict.fromkeys(order))


def source_of(name: str, table: pd.DataFrame) -> str:
    """The table's column that an encoded column comes from: itself, or what stands before `=`."""
    if name in table.columns:
        return name
    cuts = [i for i, letter in enumerate(name) if letter == "="]
    return next((name[:i] for i in cuts if name[:i] in table.columns), name)


def evenly(index: np.ndarray, limit: int) -> np.ndarray:
    """At most `limit` entries of an index, evenly spaced: the same ones every time."""
    if len(index) <= limit:
        return index
    return index[np.linspace(0, len(index) - 1, limit).round().astype(int)]


def feature_range(values: pd.Series, name: str) -> RangeLine:
    """The range of a column's values: quantiles of numbers, shares of levels."""
    if pd.api.types.is_numeric_dtype(values):
        clean = values.to_numpy(dtype=float)
        clean = clean[np.isfinite(clean)]
        cuts = np.quantile(clean, QUANTILES) if len(clean) else np.full(5, np.nan)
        return RangeLine(name, *map(float, cuts))
    shares = values.astype(object).where(values.notna(), "(missing)").astype(str).value_counts(normalize=True)
    levels = tuple((str(level), float(share)) for level, share in shares.iloc[:LEVELS_SHOWN].items())
    nothing = float("nan")
    return RangeLine(name, nothing, nothing, nothing, nothing, nothing, levels)


def typical_rows(Z: np.ndarray) -> np.ndarray:
    """Up to five positions of rows of Z (n, d) that stand for the others.

    The rows are cut into fifths along their first principal component; each fifth is stood for by the row
    nearest its mean.
    """
    axis = np.linalg.svd(Z - Z.mean(0), full_matrices=False)[2][0] if len(Z) > 1 else np.ones(Z.shape[1])
    order = np.argsort(Z @ axis, kind="stable")
    parts = np.array_split(order, min(TYPICAL, len(Z)))
    return np.array([part[((Z[part] - Z[part].mean(0)) ** 2).sum(1).argmin()] for part in parts])


def spoken(model: Partitioned, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the experts (n, r, q) and the fallback (n, q) say of X (n, d), in target units."""
    said = pieces(model.pipeline, X, np.zeros(len(X), bool), model.config)
    scale = model.scale
    return said.experts * scale.spread + scale.center, said.fallback * scale.spread + scale.center


def _typical(model, k: int, rows: np.ndarray, X, Y, table, columns) -> tuple[TypicalRow, ...]:
    experts, fallback = spoken(model, X[rows])
    cells = table[columns].iloc[rows]
    return tuple(
        TypicalRow(
            int(row),
            tuple((c, _cell(cells[c].iloc[i])) for c in columns),
            tuple(map(float, Y[row])),
            tuple(map(float, experts[i, k])),
            tuple(map(float, fallback[i])),
        )
        for i, row in enumerate(rows)
    )


def _cell(value) -> float | str | None:
    if pd.isna(value):
        return None
    return float(value) if isinstance(value, (int, float, np.number)) else str(value)


def _shift(model, k: int, rows: np.ndarray, X) -> tuple[Interval, ...]:
    """Expert minus fallback per target: mean, 5 % and 95 % quantile over the regime's rows."""
    experts, fallback = spoken(model, X[rows])
    gap = experts[:, k] - fallback
    gap = gap[np.isfinite(gap).all(1)]
    if not len(gap):
        return ()
    low, high = np.quantile(gap, (0.05, 0.95), axis=0)
    return tuple(Interval(float(m), float(a), float(b)) for m, a, b in zip(gap.mean(0), low, high, strict=True))
