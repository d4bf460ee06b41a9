"""Cross-fitting: the same pipeline once for each fold without the fold's rows, and what it says of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import fits_done
from strongsuit.partition.experts import choose_family, fit_model
from strongsuit.partition.guard import Evidence
from strongsuit.partition.paper import paper_pipeline
from strongsuit.partition.pipeline import Pieces, Pipeline, Problem, Search, pieces, run_pipeline
from strongsuit.partition.regimes import match
from strongsuit.partition.units import folds
from strongsuit.partition.values import Config, Rows

MANY_ROWS, VERY_MANY_ROWS = 2_000, 20_000  # from here on three folds, and then two, prove what five prove below
Progress = Callable[[str, float], None]


def runner(problem: Problem) -> Callable[[Key, Rows, Problem], tuple[Pipeline, Search]]:
    """The pipeline of the problem's mode."""
    return paper_pipeline if problem.config.mode == "paper" else run_pipeline


def fallback_only(key: Key, rows: Rows, problem: Problem) -> Pipeline:
    """The pipeline that does not search: the best single model."""
    family = choose_family(key_for(key, "fallback"), problem.families, rows, problem.omega)
    return Pipeline(fit_model(key_for(key, "refit"), family, rows), np.arange(rows.X.shape[1]), None, None)


def fold_count(rows: Rows, config: Config) -> int:
    """Folds of the guard: fewer where rows are many, never more than units."""
    enough = config.folds if len(rows) < MANY_ROWS else 3 if len(rows) < VERY_MANY_ROWS else 2
    return min(enough, config.folds, len(np.unique(rows.units)))


@dataclass(frozen=True)
class FoldTask:
    """One fold's pipeline, as a value that can be sent to another process."""

    key: Key
    rows: Rows
    held_out: np.ndarray
    problem: Problem
    search: bool

    def __call__(self) -> FoldResult:
        """The pipeline without the held-out rows, and what it says of them."""
        began, fitted = time.process_time(), fits_done()
        rest = self.rows.take(~self.held_out)
        if self.search and len(np.unique(rest.units)) >= 3:
            pipeline, _ = runner(self.problem)(self.key, rest, self.problem)
        else:
            pipeline = fallback_only(self.key, rest, self.problem)
        X = self.rows.X[self.held_out]
        said = pieces(pipeline, X, np.zeros(len(X), bool), self.problem.config)
        return FoldResult(pipeline, said, time.process_time() - began, fits_done() - fitted, os.getpid())


@dataclass(frozen=True)
class FoldResult:
    """What a fold's pipeline said, and its processor time and fits in the process that computed it."""

    pipeline: Pipeline
    said: Pieces
    seconds: float
    fits: int
    process: int


def call(task: FoldTask) -> FoldResult:
    """The task's result; a plain function, so that every executor can map it."""
    return task()


def cross_fit(
    key: Key, rows: Rows, final: Pipeline, problem: Problem, progress: Progress, run
) -> tuple[Evidence, tuple[float, int]]:
    """The guard's evidence, and the seconds and fits it took in other processes."""
    count = fold_count(rows, problem.config)
    if count < 2:
        return Evidence(np.zeros(len(rows), int), ()), (0.0, 0)
    fold = folds(key_for(key, "folds"), rows.units, count)
    search = final.boundary is not None
    tasks = [FoldTask(key_for(key, "partition", f), rows, fold == f, problem, search) for f in range(count)]
    final_names = labels_of(final, rows.X)
    parts = []
    seconds, fits = 0.0, 0
    for f, result in enumerate(run(call, tasks)):
        pipeline = result.pipeline
        if result.process != os.getpid():
            seconds, fits = seconds + result.seconds, fits + result.fits
        names = match(final_names, labels_of(pipeline, rows.X), final.regimes, pipeline.regimes)
        if pipeline.boundary is None:
            names = np.full(1, -1)
        parts.append((np.flatnonzero(fold == f), result.said, names, pipeline.soft))
        progress("guard", 0.3 + 0.7 * (f + 1) / count)
    return Evidence(fold, tuple(parts)), (seconds, fits)


def labels_of(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Regime (n,) of every row of X (n, d); all zero without a boundary."""
    if pipeline.boundary is None:
        return np.zeros(len(X), int)
    return pipeline.boundary.labels(X[:, pipeline.columns])
