"""A map over fold pipelines with joblib: the same bits whatever the number of processes.

Linear algebra stays on one thread. The matrices of a search are small: a pool of threads makes each
product slower, by far so where other work shares the cores, and it rounds sums otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

MANY_ROWS = 20_000  # from here on threads speed up the histograms of boosted trees


def few_threads(rows: int) -> threadpool_limits:
    """A context in which linear algebra uses one thread, and trees too unless they see many rows."""
    return threadpool_limits(limits=1, user_api=None if rows < MANY_ROWS else "blas")


def fold_map(n_jobs: int | None) -> Callable[[Callable, Iterable], Iterable]:
    """A `map` that runs tasks in `n_jobs` processes (None: joblib's own default, which is this process).

    Results come in the order of the tasks, each as soon as it and its forerunners are done.
    """

    def run(call: Callable, tasks: Iterable) -> Iterable:
        # Arrays are sent whole: a memory map would align them otherwise, and sums may round otherwise.
        pool = Parallel(n_jobs=n_jobs, return_as="generator", max_nbytes=None)
        return pool(delayed(_alone)(call, task) for task in tasks)

    return run


def _alone(call: Callable, task: Any) -> Any:
    """The task's result, computed on one thread in this process, as it is in any other."""
    with threadpool_limits(limits=1):
        return call(task)
