"""check_strategy: what every rule that chooses rows to label must promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from strongsuit.core.keys import Key, key_for, root_key

Choose = Callable[[Key, np.ndarray, np.ndarray, np.ndarray, int], Any]
ROWS, KNOWN, BATCH, COLUMNS = 60, 15, 7, 3


def check_strategy(choose: Choose, *, seed: int = 0, greedy: bool = False) -> None:
    """AssertionError if `choose` breaks a promise.

    `choose(key, X, y, open_rows, b)` gets inputs X (n, d), labels y (n, 1) with NaN where unknown, open_rows (n,)
    bool that may be chosen, and returns a value with `index` (b,). Promises: b distinct open rows, all there are if
    there are fewer; the same key gives the same rows; duplicates and constant columns do no harm; the order of
    rows does not matter where no rows tie. A `greedy` rule's first picks are those of a smaller batch.
    """
    key = root_key(seed)
    for name, (X, y) in _tables(seed).items():
        open_rows = np.isnan(y[:, 0])
        open_rows[np.flatnonzero(open_rows)[::9]] = False  # pending or excluded
        _check_rows(choose, key_for(key, name), X, y, open_rows, name)
    X, y = _tables(seed)["plain"]
    open_rows = np.isnan(y[:, 0])
    first = choose(key, X, y, open_rows, BATCH).index
    if greedy:
        fewer = choose(key, X, y, open_rows, BATCH - 3).index
        assert np.array_equal(first[: BATCH - 3], fewer), "a smaller batch is not the head of a larger one"


def _check_rows(choose: Choose, key: Key, X, y, open_rows, name: str) -> None:
    for b in (1, BATCH, int(open_rows.sum()), int(open_rows.sum()) + 5):
        index = np.asarray(choose(key, X, y, open_rows, b).index)
        assert len(index) == min(b, open_rows.sum()), f"{name}: {len(index)} rows of {b} asked for"
        assert len(np.unique(index)) == len(index), f"{name}: a row was chosen twice"
        assert open_rows[index].all(), f"{name}: a row was chosen that is not open"
        again = np.asarray(choose(key, X, y, open_rows, b).index)
        assert np.array_equal(index, again), f"{name}: the same key gave other rows"


def _tables(seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(ROWS, COLUMNS))
    y = np.full((ROWS, 1), np.nan)
    known = rng.permutation(ROWS)[:KNOWN]
    y[known, 0] = np.sin(X[known, 0]) + X[known, 1]
    twins = X.copy()
    twins[ROWS // 2 :] = twins[: ROWS - ROWS // 2]
    flat = X.copy()
    flat[:, 1] = 3.0
    same = np.where(np.isnan(y), np.nan, 1.0)
    return {"plain": (X, y), "duplicates": (twins, y), "constant column": (flat, y), "constant labels": (X, same)}
