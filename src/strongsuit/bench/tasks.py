"""What is benchmarked: public tables, one target each, and laws with known regimes; and how rows are split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from strongsuit.core.keys import key_for, root_key
from strongsuit.datasets.encoding import fit_encoder
from strongsuit.datasets.generators import GENERATORS, generate
from strongsuit.datasets.public_sets import PUBLIC_SETS
from strongsuit.datasets.registry import load
from strongsuit.errors import InputError
from strongsuit.partition.units import split, unit_ids

TRAINING_SHARE = 0.8
GENERATED_ROWS = 1_000
SPLITS = ("random", "grouped")


@dataclass(frozen=True)
class Task:
    """A table to predict: a target of a public set, or a law of the generators."""

    name: str
    source: str
    target: str
    words: str

    @property
    def grouped(self) -> bool:
        """True if some columns say which rows belong together."""
        return self.source in PUBLIC_SETS and bool(PUBLIC_SETS[self.source].groups)


@dataclass(frozen=True)
class Sample:
    """One split: frames and targets (n,) of both sides; groups of the training rows if the split is by groups."""

    X: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray | None
    X_test: pd.DataFrame
    y_test: np.ndarray


_PUBLIC = (
    Task("energy_heating", "energy_efficiency", "heating_load", "12 building shapes; two heights, two laws"),
    Task("energy_cooling", "energy_efficiency", "cooling_load", "the same buildings"),
    Task("yacht_hydrodynamics", "yacht_hydrodynamics", "residuary_resistance", "resistance rises at high speed"),
    Task("auto_mpg", "auto_mpg", "mpg", "one trend: a single model is plausible"),
    Task("concrete_strength", "concrete_strength", "compressive_strength", "mixes measured at several ages"),
    Task("airfoil_self_noise", "airfoil_self_noise", "sound_pressure_level_db", "sweeps over frequency"),
    Task("pw_linear_cart", "pw_linear_cart", "y", "simulated: two planes told apart by the sign of a1"),
    Task("servo", "servo", "rise_time", "small and rugged, two columns of text"),
    Task("combined_cycle_power_plant", "combined_cycle_power_plant", "electrical_output", "smooth, many rows"),
    Task("wine_quality_red", "wine_quality_red", "quality", "six whole grades, many repeated rows"),
    Task("abalone", "abalone", "rings", "counts whose noise grows"),
)
DEFAULT_TASKS = tuple(task.name for task in _PUBLIC)
TASKS: dict[str, Task] = {task.name: task for task in _PUBLIC} | {
    name: Task(name, name, "y", law.law) for name, law in GENERATORS.items()
}


def find_task(name: str) -> Task:
    """The task of that name, or InputError with the names there are."""
    if name not in TASKS:
        raise InputError(f"no benchmark table is called {name!r}; there are {', '.join(TASKS)}")
    return TASKS[name]


def tasks_for(names: Sequence[str] | None, split: str) -> tuple[Task, ...]:
    """The named tasks, or the default ones that can be split so."""
    if split not in SPLITS:
        raise InputError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if names is None:
        chosen = [TASKS[name] for name in DEFAULT_TASKS]
        return tuple(task for task in chosen if task.grouped or split == "random")
    chosen = [find_task(name) for name in names]
    loose = [task.name for task in chosen if not task.grouped]
    if split == "grouped" and loose:
        raise InputError(f"no groups are known for {', '.join(loose)}: use the random split")
    return tuple(chosen)


def require_table(task: Task) -> None:
    """Nothing, or StoreError that says how to get the task's table."""
    if task.source in PUBLIC_SETS:
        load(task.source)


def draw(task: Task, *, seed: int, by: str) -> Sample:
    """The split of the task's rows that a seed draws: 80 % to train, 20 % to test, by unit.

    Rows with identical features stay on one side, under `by="grouped"` those of one group too. The targets of
    one table share their splits.
    """
    X, y, groups = _rows(task, seed)
    groups = groups if by == "grouped" else None
    units = unit_ids(fit_encoder(X).transform(X).X, groups)
    training = split(key_for(root_key(seed), "bench", task.source, by), units, TRAINING_SHARE)
    kept = groups[training] if groups is not None else None
    return Sample(X[training], y[training], kept, X[~training], y[~training])


def table_rows(task: Task) -> tuple[pd.DataFrame, np.ndarray]:
    """Features and target (n,) of a public table."""
    table = load(task.source)
    return table.X, table.frame[task.target].to_numpy(float)


def _rows(task: Task, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray | None]:
    if task.source in GENERATORS:
        frame = generate(task.source, rows=GENERATED_ROWS, seed=seed).to_frame()
        return frame.drop(columns=["y", "regime"]), frame["y"].to_numpy(float), None
    table = load(task.source)
    return table.X, table.frame[task.target].to_numpy(float), table.groups
