"""Tasks on fresh processes, one thread each: a task that dies or takes too long costs its own result only."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any

from strongsuit.core.compile import use_one_thread

GRACE_SECONDS = 5.0
ONE_THREAD = {
    name: "1"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "BLIS_NUM_THREADS")
}


@dataclass(frozen=True)
class Failure:
    """Why a task has no result."""

    reason: str


def here(call: Callable, tasks: Iterable, *, jobs: int = 1, limit: float = 0.0) -> Iterator[tuple[Any, Any]]:
    """Pairs (task, result), computed one by one in this process, without limits."""
    for task in tasks:
        yield task, call(task)


def spawned(call: Callable, tasks: Iterable, *, jobs: int, limit: float) -> Iterator[tuple[Any, Any]]:
    """Pairs (task, result or Failure) as they come from `jobs` processes; a task may take `limit` seconds.

    `call` is a function of a module, tasks and results can be sent between processes. The processes end with
    the iterator, also on an interrupt.
    """
    waiting, workers = iter(tasks), []
    try:
        for task in waiting:
            workers.append(_Worker(call, limit).given(task))
            if len(workers) == jobs:
                break
        while busy := [worker for worker in workers if worker.busy]:
            for worker in _ready(busy):
                if worker.begins():
                    continue
                yield worker.task, worker.result()
                worker.take_next(waiting)
    finally:
        for worker in workers:
            worker.stop()


@dataclass
class _Worker:
    call: Callable
    limit: float
    task: Any = None
    busy: bool = False
    deadline: float = field(default=0.0)
    process: Any = None
    pipe: Any = None

    def given(self, task: Any) -> _Worker:
        """This worker, at work on the task; a dead process is replaced."""
        if self.process is None or not self.process.is_alive():
            self._start()
        self.task, self.busy, self.deadline = task, True, math.inf
        self.pipe.send(task)
        return self

    def begins(self) -> bool:
        """True if the process said that it now has the task: from here on the time counts, not from its start."""
        if self.deadline < math.inf or not self.pipe.poll():
            return False
        try:
            self.pipe.recv()
        except (EOFError, OSError):
            return False
        self.deadline = time.monotonic() + self.limit
        return True

    def take_next(self, waiting: Iterator[Any]) -> None:
        """Goes on with the next task, or ends."""
        self.busy = False
        for task in waiting:
            self.given(task)
            return
        self.stop()

    def result(self) -> Any:
        """The result, or Failure if the process died or time is up."""
        try:
            if self.pipe.poll():
                return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(GRACE_SECONDS)
            code = self.process.exitcode
            self.stop()
            return Failure(f"its process died with exit code {code}" + (" (memory?)" if code == -9 else ""))
        self.stop()
        return Failure(f"took longer than {self.limit:g} s")

    def stop(self) -> None:
        """Ends the process."""
        if self.process is None:
            return
        self.pipe.close()
        self.process.terminate()
        self.process.join(GRACE_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process with JAX threads may hang
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.call), daemon=True)
        with _one_thread():
            self.process.start()
        theirs.close()


def _ready(busy: list[_Worker]) -> list[_Worker]:
    """The workers with a result, or whose time is up; waits for the first."""
    left = min(worker.deadline for worker in busy) - time.monotonic()
    timeout = None if left == math.inf else max(0.0, left)
    spoken = connection.wait([worker.pipe for worker in busy], timeout=timeout)
    now = time.monotonic()
    return [worker for worker in busy if worker.pipe in spoken or worker.deadline <= now]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """An environment that children inherit, in which numerical libraries start no pools of threads."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(pipe: connection.Connection, call: Callable) -> None:
    """Answers tasks until the other side closes; an interrupt of the terminal is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    use_one_thread()
    with contextlib.suppress(EOFError, OSError):
        while True:
            task = pipe.recv()
            pipe.send(None)  # the task is here
            pipe.send(call(task))


def _leave_with_parent() -> None:
    """Ends this process, however busy, when the one that started it has gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
