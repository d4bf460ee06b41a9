"""The benchmark of active partitioning: a grid of tables, seeds and methods, recorded cell by cell."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from strongsuit import recipes
from strongsuit.bench.grids import LIMIT_SECONDS, Progress, first_line, run_cells
from strongsuit.bench.methods import JAX, METHODS, Method, Said, find_method
from strongsuit.bench.records import Record, machine, read_records, versions
from strongsuit.bench.tasks import Sample, draw, find_task, require_table, tasks_for
from strongsuit.bench.workers import spawned
from strongsuit.core.compile import compile_seconds, use_compile_cache
from strongsuit.core.learner import fits_done
from strongsuit.errors import InputError, MissingDependency


@dataclass(frozen=True)
class Cell:
    """One measurement: a method on one split of a table; `learner` is "" for methods that take none."""

    task: str
    split: str
    seed: int
    method: str
    learner: str

    def __str__(self) -> str:
        return f"{self.task} {self.method} seed {self.seed}"


def grid(
    tables: Sequence[str] | None,
    methods: Sequence[str] | None,
    *,
    seeds: int,
    learner: str = "auto",
    split: str = "random",
) -> list[Cell]:
    """All cells, seed by seed, so that an early stop leaves whole tables of few seeds."""
    if learner not in recipes.LEARNERS:
        raise InputError(f"learner must be one of {', '.join(recipes.LEARNERS)}, got {learner!r}")
    chosen = [find_method(name) for name in methods or METHODS]
    tasks = tasks_for(tables, split)
    return [
        Cell(task.name, split, seed, method.name, learner if method.uses_learner else "")
        for seed in range(seeds)
        for task in tasks
        for method in chosen
    ]


def run_grid(
    cells: Sequence[Cell],
    out: Path,
    *,
    jobs: int,
    limit: float = LIMIT_SECONDS,
    retry: bool = False,
    progress: Progress = lambda stage, share: None,
    workers: Callable[..., Iterable[tuple[Cell, Any]]] = spawned,
) -> int:
    """How many cells were measured; those that the folder `out` has already are skipped.

    Failed cells are skipped too, unless `retry` is true or a package was missing. Raises StoreError at once if a table
    cannot be had.
    """
    done = finished(read_records(out), retry=retry)
    for name in dict.fromkeys(cell.task for cell in cells if cell not in done):
        require_table(find_task(name))
    return run_cells(
        cells, out, measure=measure, failures=_failures, done=done, jobs=jobs, limit=limit, progress=progress,
        workers=workers,
    )  # fmt: skip


def finished(records: Iterable[Record], *, retry: bool = False) -> set[Cell]:
    """The cells of which every result is recorded."""
    seen: dict[Cell, set[str]] = {}
    for record in records:
        if "error" in record and (retry or record.get("kind") == MissingDependency.__name__):
            continue
        cell = Cell(*(record[name] for name in ("task", "split", "seed", "method", "learner")))
        seen.setdefault(cell, set()).add(record["result"])
    return {cell for cell, results in seen.items() if cell.method in METHODS and results >= _results(cell)}


def measure(cell: Cell) -> list[Record]:
    """The records of a cell: test errors of every result, or the reason why there are none."""
    method = find_method(cell.method)
    try:
        sample = draw(find_task(cell.task), seed=cell.seed, by=cell.split)
        said, cost = _timed(method, sample, cell)
        return [
            _head(cell, method, result) | _errors(sample, _prediction(said, result, method)) | cost | dict(said.facts)
            for result in method.results
        ]
    except Exception as error:  # a rival may fail in any way; that is a result too
        return _failures(cell, first_line(error), type(error).__name__)


def _timed(method: Method, sample: Sample, cell: Cell) -> tuple[Said, dict[str, Any]]:
    from threadpoolctl import threadpool_limits

    if JAX in method.modules:
        use_compile_cache()
    for module in method.modules:
        with contextlib.suppress(ImportError):  # a missing one is the method's to name
            import_module(module)
    began, compiled, fitted = time.process_time(), compile_seconds(), fits_done()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = method.run(sample, cell.seed, cell.learner)
    compiled = compile_seconds() - compiled
    seconds = time.process_time() - began
    cost = {"cpu_seconds": round(seconds, 3), "compile_seconds": round(compiled, 3)}
    return said, cost | {"fits": (fits_done() - fitted) or None}


def _prediction(said: Said, result: str, method: Method) -> np.ndarray:
    return np.asarray(said.rows[result] if method.rows else said.rows[""], dtype=float)


def _errors(sample: Sample, predicted: np.ndarray) -> Record:
    """Test error in squared target units and relative to the variance of the training targets."""
    if predicted.shape != sample.y_test.shape or not np.isfinite(predicted).all():
        raise ValueError("predictions are not finite, or of another shape")
    mse = float(np.mean((sample.y_test - predicted) ** 2))
    facts = {"train_rows": len(sample.y), "test_rows": len(sample.y_test)}
    return {"mse": mse, "relative": mse / float(np.var(sample.y))} | facts


def _head(cell: Cell, method: Method, result: str) -> Record:
    identity = {"task": cell.task, "split": cell.split, "seed": cell.seed, "method": cell.method}
    return identity | {
        "learner": cell.learner, "result": result, "versions": versions(method.packages), "machine": machine(),
    }  # fmt: skip


def _failures(cell: Cell, reason: str, kind: str) -> list[Record]:
    method = find_method(cell.method)
    return [_head(cell, method, result) | {"error": reason, "kind": kind} for result in method.results]


def _results(cell: Cell) -> set[str]:
    return set(METHODS[cell.method].results)
