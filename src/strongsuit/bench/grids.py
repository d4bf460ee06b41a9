"""A grid of cells, measured on workers and recorded one by one: an interrupted run goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from strongsuit.bench.records import Record, append_records
from strongsuit.bench.workers import Failure, spawned

LIMIT_SECONDS = 3_600.0  # a cell that takes longer is recorded as failed
REASON_LENGTH = 300
Progress = Callable[[str, float], None]


def run_cells(
    cells: Sequence[Any],
    out: Path,
    *,
    measure: Callable[[Any], list[Record]],
    failures: Callable[[Any, str, str], list[Record]],
    done: set[Any],
    jobs: int,
    limit: float = LIMIT_SECONDS,
    progress: Progress = lambda stage, share: None,
    workers: Callable[..., Iterable[tuple[Any, Any]]] = spawned,
) -> int:
    """How many cells were measured; those that are `done` are skipped.

    `measure` gives a cell's records, `failures` those of a cell that died or took longer than `limit` seconds. Each
    cell is on the disk before the next one counts, so an interrupt loses only what was being measured.
    """
    open_cells = [cell for cell in cells if cell not in done]
    for count, (cell, result) in enumerate(workers(measure, open_cells, jobs=jobs, limit=limit), 1):
        failed = isinstance(result, Failure)
        append_records(out, failures(cell, result.reason, "limit") if failed else result)
        progress(str(cell), count / len(open_cells))
    return len(open_cells)


def first_line(error: Exception) -> str:
    """The kind of an error and the first line of what it says."""
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {text}"[:REASON_LENGTH]
