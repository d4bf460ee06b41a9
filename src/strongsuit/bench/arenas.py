"""Where regression strategies are compared: a box with an oracle, whose pools are drawn afresh, or a table as pool.

Everything that chance decides is named by task, repetition, round and purpose, never by strategy or pool size. So the
strategies of one repetition share start rows, test rows and candidates, and every comparison is paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from strongsuit.active.pool import Pool, asked, pool_of, told
from strongsuit.bench.tasks import DEFAULT_TASKS, find_task, table_rows
from strongsuit.core.keys import Key, key_for, root_key
from strongsuit.datasets.encoding import fit_encoder
from strongsuit.datasets.simulators.problems import PROBLEMS, Problem, simulate
from strongsuit.errors import InputError

START, BATCH, STEPS = 80, 40, 50  # arXiv 2302.00098: 80 labels, then 50 batches of 40
TEST_ROWS = 4_000
GAMMAS = (2, 4, 8, 16, 32, 64)
TABLE_START, TABLE_SHARE, TABLE_BATCH = 20, 0.05, 10  # first labels of a table: 20 or 5 % of the pool, the larger
TABLE_STEPS = 30
POOL_SHARE = 0.8


class Arena(Protocol):
    """One repetition of a task: test rows, and a pool that grows labels."""

    name: str
    key: Key

    @property
    def batch(self) -> int: ...

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray] | None: ...

    @property
    def test(self) -> tuple[np.ndarray, np.ndarray]: ...

    def start(self) -> Pool: ...

    def refill(self, pool: Pool, round_: int, gamma: int) -> Pool: ...

    def label(self, pool: Pool, index: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class BoxArena:
    """A simulator on [-1, 1]^d: every round, gamma times as many uniform candidates as a batch takes."""

    name: str
    key: Key
    problem: Problem
    batch: int = BATCH

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest inputs."""
        return -np.ones(self.problem.d), np.ones(self.problem.d)

    @cached_property
    def test(self) -> tuple[np.ndarray, np.ndarray]:
        """Uniform inputs and their labels, the same for every strategy and pool size."""
        X = self._uniform("test", TEST_ROWS)
        return X, simulate(self.problem, X)

    def start(self) -> Pool:
        """A pool of the first labelled rows alone."""
        X = self._uniform("start", START)
        return pool_of(X, y=simulate(self.problem, X))

    def refill(self, pool: Pool, round_: int, gamma: int) -> Pool:
        """The labelled rows with fresh candidates; a small pool is the beginning of a large one."""
        fresh = self._uniform("pool", gamma * self.batch, round_)
        known = pool.labelled
        X, y = np.vstack([pool.X[known], fresh]), np.full((len(fresh), self.problem.k), np.nan)
        return pool_of(X, y=np.vstack([pool.y[known], y]))

    def label(self, pool: Pool, index: np.ndarray) -> np.ndarray:
        """What the simulator says of pool rows."""
        return simulate(self.problem, pool.X[index])

    def _uniform(self, purpose: str, rows: int, round_: int = 0) -> np.ndarray:
        rng = key_for(self.key, purpose, round_).numpy()
        return rng.uniform(-1.0, 1.0, (rows, self.problem.d)).astype(np.float32).astype(float)


@dataclass(frozen=True, eq=False)
class TableArena:
    """A table whose rows, but for a fifth to test on, are one pool."""

    name: str
    key: Key
    X: np.ndarray
    y: np.ndarray
    batch: int = TABLE_BATCH

    box = None

    @property
    def test(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows that are no candidates."""
        out = self._order[self._size :]
        return self.X[out], self.y[out]

    def start(self) -> Pool:
        """The pool with its first labels, drawn at random."""
        X = self.X[self._order[: self._size]]
        first = np.arange(max(TABLE_START, round(TABLE_SHARE * len(X))))
        pool = pool_of(X)
        return told(asked(pool, first), first, self.label(pool, first))

    def refill(self, pool: Pool, round_: int, gamma: int) -> Pool:
        """The pool as it is."""
        return pool

    def label(self, pool: Pool, index: np.ndarray) -> np.ndarray:
        """The table's labels of pool rows."""
        return self.y[self._order[: self._size]][index]

    @cached_property
    def _order(self) -> np.ndarray:
        return key_for(self.key, "split").numpy().permutation(len(self.X))

    @property
    def _size(self) -> int:
        return round(POOL_SHARE * len(self.X))


def arena_for(task: str, repeat: int) -> Arena:
    """The arena of a problem or table at one repetition; InputError for a name that is neither."""
    key = key_for(root_key(repeat), "dal", task)
    if task in PROBLEMS:
        return BoxArena(task, key, PROBLEMS[task])
    X, y = table_rows(find_task(task))
    return TableArena(task, key, fit_encoder(X).transform(X).X, y[:, None])


def is_box(task: str) -> bool:
    """Whether the task is a problem with an oracle."""
    return task in PROBLEMS


def named_tasks(names: Sequence[str] | None) -> list[str]:
    """Problems, in capitals or not, and tables; by default the problems. "tables" stands for all public tables."""
    if names is None:
        return list(PROBLEMS)
    found: list[str] = []
    for name in names:
        if name == "tables":
            found += DEFAULT_TASKS
        elif name.upper() in PROBLEMS:
            found.append(name.upper())
        else:
            found.append(_table(name))
    return list(dict.fromkeys(found))


def _table(name: str) -> str:
    if name not in DEFAULT_TASKS:
        known = ", ".join([*PROBLEMS, *DEFAULT_TASKS])
        raise InputError(f"no problem or table is called {name!r}; there are {known}, or tables for all tables")
    return name


def with_answers(pool: Pool, index: np.ndarray, y: np.ndarray) -> Pool:
    """The pool with the labels of rows just chosen."""
    return told(asked(pool, index), index, y)
