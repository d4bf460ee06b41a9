"""What the records of the regression benchmark say: every strategy against random, paired run by run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from strongsuit.bench.arenas import is_box
from strongsuit.bench.dal_digest import Digest, Readings
from strongsuit.bench.dal_runs import AUTO, FACES, RANDOM
from strongsuit.bench.digests import joined, joined_versions
from strongsuit.bench.records import only
from strongsuit.core.curves import Burden, data_burden
from strongsuit.core.keys import Key, key_for, root_key
from strongsuit.core.metrics import Interval, holm
from strongsuit.core.verdicts import Cell, Claim, bca_interval, compare, decide, verdict
from strongsuit.datasets.simulators.problems import PROBLEMS
from strongsuit.errors import InputError

RIVALS = ("gsx", "gsxy", "qbc_div")  # what the default is measured against

Name = tuple[str, str, int]  # task, strategy, gamma (0 where the strategy draws its own candidates)


@dataclass(frozen=True)
class Runs:
    """Repetitions of one strategy on one task, and those of random paired with them."""

    own: Readings
    random: Readings

    @property
    def log_ratio(self) -> np.ndarray:
        """(s,) log area under the error over that of random."""
        return np.log(self.own.areas.linear) - np.log(self.random.areas.linear)

    @property
    def log_late(self) -> np.ndarray:
        """(s,) mean log error of the last rounds less that of random."""
        return self.own.late - self.random.late

    @property
    def log_rmse(self) -> np.ndarray:
        """(s,) mean log RMSE over label counts less that of random."""
        return 0.5 * (self.own.areas.log - self.random.areas.log)


@dataclass(frozen=True)
class TableLine:
    """A strategy on tables: mean difference of the mean log RMSE to random by table, with an interval, and overall."""

    by_table: Mapping[str, float]
    intervals: Mapping[str, Interval | None]
    mean: float


@dataclass(frozen=True)
class DefaultFigures:
    """The product's default over problems: the claim that it is never worse than random, its mean and worst nAUC, and
    those of rivals over problems and pool sizes; `late` is its error in the last rounds over that of random."""

    claim: Claim
    nauc: Mapping[str, float]
    late: Mapping[str, float]
    mean: float
    worst: float
    rivals: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Summary:
    """The figures of a benchmark of one protocol."""

    protocol: str
    tasks: Mapping[str, Digest]
    runs: Mapping[Name, Runs]
    cells: Mapping[Name, Cell]
    verdicts: Mapping[Name, str]
    burdens: Mapping[Name, Burden]
    tables: Mapping[str, TableLine]
    default: DefaultFigures | None
    failures: tuple[str, ...]
    machines: tuple[str, ...]
    versions: Mapping[str, str]

    @property
    def problems(self) -> list[str]:
        """Problems with records, in the order of the table of problems."""
        seen = {task for task, _, _ in self.cells}
        return [name for name in PROBLEMS if name in seen]

    @property
    def strategies(self) -> list[str]:
        """Strategies with records, the defaults first."""
        seen = dict.fromkeys(name for _, name, _ in self.runs)
        return [name for name in FACES if name in seen] + [name for name in seen if name not in FACES]

    def gammas(self, strategy: str) -> list[int]:
        """Pool sizes that a strategy ran with."""
        return sorted({gamma for _, name, gamma in self.cells if name == strategy})


def summarise(digests: Iterable[Digest], *, protocol: str | None = None) -> Summary:
    """The figures of the digests of one protocol. Raises InputError if there are several and none is named, or if no
    run is paired with one of random rows."""
    kept = list(digests)
    if not kept:
        raise InputError("there are no runs of the benchmark dal")
    protocol = only("protocol", (one.protocol for one in kept), protocol)
    own = {one.task: one for one in kept if one.protocol == protocol}
    tasks = {task: own[task] for task in [*(t for t in PROBLEMS if t in own), *sorted(own.keys() - PROBLEMS.keys())]}
    runs = {name: pair for one in tasks.values() for name, pair in _paired(one)}
    if not runs:
        raise InputError("there is no run beside random rows of the same repetition")
    key = root_key(0)
    boxes = {name: one for name, one in runs.items() if is_box(name[0])}
    cells = {name: compare(key_for(key, *name), one.own.areas, one.random.areas) for name, one in boxes.items()}
    adjusted = holm([cell.p for cell in cells.values()]) if cells else []
    verdicts = {name: verdict(cell, float(p)) for (name, cell), p in zip(cells.items(), adjusted, strict=True)}
    return Summary(
        protocol=protocol,
        tasks=tasks,
        runs=runs,
        cells=cells,
        verdicts=verdicts,
        burdens={
            name: data_burden(one.own.needed, one.random.needed, last=float(tasks[name[0]].labels[-1]))
            for name, one in boxes.items()
        },
        tables=_tables(key, {name: one for name, one in runs.items() if not is_box(name[0])}),
        default=_default(key, boxes, cells),
        failures=joined(*(one.failures for one in tasks.values())),
        machines=joined(*(one.machines for one in tasks.values())),
        versions=joined_versions([one.versions for one in tasks.values()]),
    )


def _paired(digest: Digest) -> Iterable[tuple[Name, Runs]]:
    """Every strategy and pool size with the repetitions that random has run too."""
    random = digest.readings.get((RANDOM, 0))
    for (strategy, gamma), own in digest.readings.items():
        shared = sorted(set(own.repeats) & set(random.repeats)) if random else []
        if strategy != RANDOM and shared:
            yield (digest.task, strategy, gamma), Runs(own.at(shared), random.at(shared))


def _tables(key: Key, runs: Mapping[Name, Runs]) -> dict[str, TableLine]:
    found = {}
    for strategy in dict.fromkeys(name for _, name, _ in runs):
        own = {task: one.log_rmse for (task, name, _), one in runs.items() if name == strategy}
        intervals = {
            task: bca_interval(key_for(key, task, strategy), len(d), lambda rows, d=d: d[rows].mean(axis=1))
            for task, d in own.items()
        }
        means = {task: float(d.mean()) for task, d in own.items()}
        found[strategy] = TableLine(means, intervals, float(np.mean(list(means.values()))))
    return found


def _default(key: Key, runs: Mapping[Name, Runs], cells: Mapping[Name, Cell]) -> DefaultFigures | None:
    own = {task: one for (task, name, _), one in runs.items() if name == AUTO}
    if not own:
        return None
    areas = {task: (one.own.areas.linear, one.random.areas.linear) for task, one in own.items()}
    nauc = {task: cells[task, AUTO, 0].nauc for task in own}
    rivals = {}
    for rival in dict.fromkeys(name for _, name, _ in cells):
        values = [cell.nauc for (task, name, _), cell in cells.items() if name == rival and task in own]
        if values and rival != AUTO:
            rivals[rival] = (float(np.mean(values)), float(np.max(values)))
    values = list(nauc.values())
    late = {task: float(np.exp(one.log_late.mean())) for task, one in own.items()}
    return DefaultFigures(
        decide(key_for(key, "claim"), areas), nauc, late, float(np.mean(values)), float(np.max(values)), rivals
    )
