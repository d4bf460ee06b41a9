"""The benchmark of classification strategies: sets x strategies x repetitions, with one learner."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from strongsuit.active.class_strategies import CLASS_STRATEGIES
from strongsuit.active.strategies import CLASSIFICATION, find_strategy
from strongsuit.bench.autoal_rows import COMPARED
from strongsuit.bench.boss import batches_of
from strongsuit.bench.class_runs import FACES, SUITE, ClassPlan, find_lane, run
from strongsuit.bench.class_tasks import named_class_tasks
from strongsuit.bench.clock import cpu_clock
from strongsuit.bench.grids import LIMIT_SECONDS, Progress, first_line, run_cells
from strongsuit.bench.records import Record, machine, read_records, versions
from strongsuit.bench.workers import spawned
from strongsuit.core.compile import compile_seconds, use_compile_cache

RANDOM = "random"
DIGITS = 6  # of an accuracy in the records


def class_plans(
    tasks: Sequence[str] | None = None,
    strategies: Sequence[str] | None = None,
    *,
    repeats: int,
    first: int = 0,
    lane: str = "linear",
    pictures: bool = False,
) -> list[ClassPlan]:
    """All runs, repetition by repetition, so that an early stop leaves whole comparisons; random rows are always among
    them. By default on all sets that the lane can read, or those of `pictures`."""
    pixels = find_lane(lane).pixels
    names = [RANDOM, *(name for name in _named(strategies) if name != RANDOM)]
    return [
        ClassPlan(task, repeat, name, lane)
        for repeat in range(first, first + repeats)
        for task in named_class_tasks(tasks, pixels=pixels, pictures=pictures)
        for name in names
    ]


def _named(names: Sequence[str] | None) -> list[str]:
    if names is None:
        return [*FACES, *CLASS_STRATEGIES]
    for name in names:
        if name not in (*FACES, *COMPARED) and batches_of(name) is None:
            find_strategy(name, CLASSIFICATION)
    return list(dict.fromkeys(names))


def run_class_plans(
    runs: Sequence[ClassPlan],
    out: Path,
    *,
    jobs: int,
    limit: float = LIMIT_SECONDS,
    retry: bool = False,
    progress: Progress = lambda stage, share: None,
    workers: Callable[..., Iterable[tuple[ClassPlan, Any]]] = spawned,
) -> int:
    """How many runs were made; those that the folder `out` has already are skipped, failed ones unless `retry`."""
    done = {
        _plan_of(record)
        for record in read_records(out)
        if record.get("suite") == SUITE and not (retry and record["accuracy"] is None)
    }
    return run_cells(
        runs, out, measure=measure, failures=_failures, done=done, jobs=jobs, limit=limit, progress=progress,
        workers=workers,
    )  # fmt: skip


def _plan_of(record: Record) -> ClassPlan:
    return ClassPlan(*(record[name] for name in ("task", "repeat", "strategy", "lane")))


def measure(plan: ClassPlan) -> list[Record]:
    """The record of a run: its learning curve, or the reason why there is none."""
    from threadpoolctl import threadpool_limits

    use_compile_cache()
    before = compile_seconds()
    try:
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            began = cpu_clock()
            curve = run(plan)
            seconds = cpu_clock() - began
    except Exception as error:  # one strategy that fails must not end the grid; that it failed is a result
        return _failures(plan, first_line(error), type(error).__name__)
    found = {
        "labels": curve.labels,
        "accuracy": [round(value, DIGITS) for value in curve.accuracy],
        "balanced": [round(value, DIGITS) for value in curve.balanced],
        "train_seconds": round(curve.train_seconds, 3),
        "select_seconds": round(curve.select_seconds, 3),
        "cpu_seconds": round(seconds, 3),
        "compile_seconds": round(compile_seconds() - before, 3),
        "degraded": dict(curve.degraded),
        "notes": curve.notes,
        "facts": curve.facts,
    }
    return [_head(plan) | found]


def _head(plan: ClassPlan) -> Record:
    return {
        "suite": SUITE, "task": plan.task, "repeat": plan.repeat, "strategy": plan.strategy, "lane": plan.lane,
        "versions": versions(), "machine": machine(),
    }  # fmt: skip


def _failures(plan: ClassPlan, reason: str, kind: str) -> list[Record]:
    return [_head(plan) | {"accuracy": None, "reason": reason, "kind": kind}]
