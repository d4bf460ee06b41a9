"""The benchmark of regression strategies: problems or tables x strategies x pool sizes x repetitions.

The protocol is that of "Does Deep Active Learning Work in the Wild?" (arXiv 2302.00098).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from strongsuit.active.strategies import STRATEGIES, find_strategy
from strongsuit.bench.arenas import GAMMAS, STEPS, TABLE_STEPS, is_box, named_tasks
from strongsuit.bench.dal_runs import FACES, RANDOM, SUITE, Curve, Plan, draws_itself, find_protocol, run
from strongsuit.bench.grids import LIMIT_SECONDS, Progress, first_line, run_cells
from strongsuit.bench.records import Record, machine, read_records, versions
from strongsuit.bench.workers import spawned
from strongsuit.core.compile import compile_seconds, use_compile_cache
from strongsuit.errors import InputError

DIGITS = 7  # of an error in the records


def plans(
    tasks: Sequence[str] | None = None,
    strategies: Sequence[str] | None = None,
    gammas: Sequence[int] | None = None,
    *,
    repeats: int,
    first: int = 0,
    steps: int | None = None,
    protocol: str = "product",
) -> list[Plan]:
    """All runs, repetition by repetition, so that an early stop leaves whole comparisons of few repetitions.

    Random rows are always among them, once a repetition: they depend on no pool. So do the product's defaults, which
    draw their own candidates; on a table the pool is the table.
    """
    find_protocol(protocol)
    names = [RANDOM, *(name for name in _named(strategies) if name != RANDOM)]
    sizes = list(GAMMAS if gammas is None else gammas)
    if any(size < 1 for size in sizes):
        raise InputError(f"gammas are how many times larger than a batch a pool is, at least 1; got {sizes}")
    return [
        Plan(task, repeat, name, gamma, protocol, _steps(task, steps))
        for repeat in range(first, first + repeats)
        for task in named_tasks(tasks)
        for name in names
        if is_box(task) or name in FACES or not draws_itself(name)
        for gamma in ([0] if name == RANDOM or draws_itself(name) or not is_box(task) else sizes)
    ]


def _named(names: Sequence[str] | None) -> list[str]:
    if names is None:
        return [*FACES, *STRATEGIES]
    for name in names:
        if name not in FACES:
            find_strategy(name)
    return list(dict.fromkeys(names))


def _steps(task: str, steps: int | None) -> int:
    return steps if steps is not None else STEPS if is_box(task) else TABLE_STEPS


def run_plans(
    runs: Sequence[Plan],
    out: Path,
    *,
    jobs: int,
    limit: float = LIMIT_SECONDS,
    retry: bool = False,
    progress: Progress = lambda stage, share: None,
    workers: Callable[..., Iterable[tuple[Plan, Any]]] = spawned,
) -> int:
    """How many runs were made; those that the folder `out` has already are skipped, failed ones unless `retry`."""
    done = finished(read_records(out), retry=retry)
    return run_cells(
        runs, out, measure=measure, failures=_failures, done=done, jobs=jobs, limit=limit, progress=progress,
        workers=workers,
    )  # fmt: skip


def finished(records: Iterable[Record], *, retry: bool = False) -> set[Plan]:
    """The runs that are recorded."""
    return {
        plan_of(record)
        for record in records
        if record.get("suite") == SUITE and not (retry and record["error"] is None)
    }


def plan_of(record: Record) -> Plan:
    """The run that a record is of."""
    return Plan(*(record[name] for name in ("task", "repeat", "strategy", "gamma", "protocol", "steps")))


def measure(plan: Plan) -> list[Record]:
    """The record of a run: its learning curve, or the reason why there is none."""
    from threadpoolctl import threadpool_limits

    use_compile_cache()
    before = compile_seconds()
    try:
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            began = time.process_time()
            curve = run(plan)
            seconds = time.process_time() - began
    except Exception as error:  # one strategy that fails must not end the grid; that it failed is a result
        return _failures(plan, first_line(error), type(error).__name__)
    if not np.isfinite(curve.error).all():
        return _failures(plan, "the test error is not finite", "diverged")
    return [_head(plan) | _facts(curve) | {"cpu_seconds": seconds, "compile_seconds": compile_seconds() - before}]


def _facts(curve: Curve) -> Record:
    diversity = np.array(curve.diversity)
    diversity = diversity[np.isfinite(diversity)]
    return {
        "labels": curve.labels,
        "error": [float(f"{value:.{DIGITS}g}") for value in curve.error],
        "diversity": float(diversity.mean()) if len(diversity) else None,
        "train_seconds": round(curve.train_seconds, 3),
        "select_seconds": round(curve.select_seconds, 3),
        "degraded": dict(curve.degraded),
        "notes": curve.notes,
    }


def _head(plan: Plan) -> Record:
    return {
        "suite": SUITE, "task": plan.task, "repeat": plan.repeat, "strategy": plan.strategy, "gamma": plan.gamma,
        "protocol": plan.protocol, "steps": plan.steps, "versions": versions(), "machine": machine(),
    }  # fmt: skip


def _failures(plan: Plan, reason: str, kind: str) -> list[Record]:
    return [_head(plan) | {"error": None, "reason": reason, "kind": kind}]
