"""A query of the search for a strategy beside scoring all its candidates once: CPU seconds, the ratio in one run.

    python benchmarks/search.py [--repeats 5] [--json FILE]

Both are `ask` of a session on the same pool and labels, after its committee is trained: of `rank_average`, which scores
every candidate on the pool once, and of `autoal`, which beside that trains a model a fold, has every candidate rank the
fold's rows, rewards these and learns weights. One thread; the median of the repeats, which take turns. The search
promises `DEAREST` of `strongsuit.bench.autoal_report` at most on every pool.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

from strongsuit.active.session import Session, ask, fitted, init  # noqa: E402
from strongsuit.bench.autoal_report import DEAREST  # noqa: E402
from strongsuit.core import root_key  # noqa: E402
from strongsuit.learners.softmax import Softmax  # noqa: E402

ROWS = ("rank_average", "autoal")
BATCH = 10
POOLS = ((5_000, 64, 10, 200), (3_000, 64, 10, 200), (500, 18, 4, 100))  # rows, columns, classes, labels


def pool(rows: int, columns: int, classes: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping clusters of classes, standardised, and labels of the first rows."""
    rng = np.random.default_rng(0)
    number = rng.integers(0, classes, rows)
    X = rng.normal(size=(rows, columns)) + rng.normal(size=(classes, columns))[number]
    y = np.full((rows, classes), np.nan)
    y[:labels] = np.eye(classes)[number[:labels]]
    return (X - X.mean(0)) / X.std(0), y


def opened(strategy: str, X: np.ndarray, y: np.ndarray, seed: int) -> Session:
    """A session that nobody has asked yet, its committee trained."""
    return fitted(init(root_key(seed), Softmax(), X, y=y, strategy=strategy, guarded=False))[0]


def seconds(session: Session) -> float:
    """CPU seconds of a query."""
    began = time.process_time()
    ask(session, BATCH)
    return time.process_time() - began


def measured(rows: int, columns: int, classes: int, labels: int, repeats: int) -> dict[str, float]:
    """A row of the table: medians of the repeats and their ratio."""
    X, y = pool(rows, columns, classes, labels)
    taken: dict[str, list[float]] = {name: [] for name in ROWS}
    for repeat in range(repeats):
        for name in ROWS:
            taken[name].append(seconds(opened(name, X, y, repeat)))
    once, search = (float(np.median(taken[name])) for name in ROWS)
    return {
        "rows": rows, "columns": columns, "classes": classes, "labels": labels, "all rules once, s": once,
        "a query, s": search, "ratio": search / once,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    for name in ROWS:  # what compiles, compiles here
        ask(opened(name, *pool(*POOLS[-1]), 0), BATCH)
    table = [measured(*one, given.repeats) for one in POOLS]
    for row in table:
        print(
            "  ".join(
                f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()
            )
        )
    held = max(row["ratio"] for row in table) <= DEAREST
    print(f"at most {DEAREST:g} on every pool: {'held' if held else 'NOT HELD'}")
    if given.json:
        given.json.write_text(json.dumps({"machine": platform.processor() or platform.machine(), "rows": table}))


if __name__ == "__main__":
    main()
