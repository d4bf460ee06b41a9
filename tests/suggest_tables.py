"""A pool and a labelled table that tests of suggestions share."""

from __future__ import annotations

import numpy as np
import pandas as pd

from strongsuit import suggest


def law(table: pd.DataFrame) -> pd.Series:
    return np.sin(2 * table.a) + table.b


def tables(known: int = 30, rows: int = 120) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    pool = pd.DataFrame(
        {"sample": [f"{i:03d}" for i in range(rows)], "a": rng.normal(size=rows), "b": rng.normal(size=rows)}
    )
    return pool, pool.iloc[:known].assign(y=law)


def ask(pool, labelled, n: int = 10, **options):
    given = {"target": "y", "n": n, "strategy": "gsx", "learner": "ridge", "id": "sample"} | options
    return suggest(pool, labelled=labelled, **given)
