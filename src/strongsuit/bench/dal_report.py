"""What the records of the regression benchmark say: every strategy against random, paired run by run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from strongsuit.bench.arenas import is_box
from strongsuit.bench.dal_bench import SUITE
from strongsuit.bench.dal_runs import AUTO, FACES, RANDOM
from strongsuit.bench.records import Record, only
from strongsuit.core.curves import Burden, area, data_burden, error_at, log_area
from strongsuit.core.keys import Key, key_for, root_key
from strongsuit.core.metrics import Interval, holm
from strongsuit.core.verdicts import Cell, Claim, bca_interval, compare, decide, verdict
from strongsuit.datasets.simulators.problems import PROBLEMS
from strongsuit.errors import InputError

CUTOFF_LABELS = 1_080  # a problem without a published cutoff takes random's median error at so many labels
RIVALS = ("gsx", "gsxy", "qbc_div")  # what the default is measured against

Name = tuple[str, str, int]  # task, strategy, gamma (0 where the strategy draws its own candidates)


@dataclass(frozen=True)
class Runs:
    """Repetitions of one strategy on one task: error (s, t) over labels (t,), those of random paired with them,
    diversity (s,) of their batches and CPU seconds by part."""

    labels: np.ndarray
    error: np.ndarray
    random: np.ndarray
    diversity: np.ndarray
    seconds: Mapping[str, float]
    degraded: Mapping[str, int]

    @property
    def log_ratio(self) -> np.ndarray:
        """(s,) log area under the error over that of random."""
        return np.log(area(self.labels, self.error)) - np.log(area(self.labels, self.random))


@dataclass(frozen=True)
class TableLine:
    """A strategy on tables: mean difference of the mean log RMSE to random by table, with an interval, and overall."""

    by_table: Mapping[str, float]
    intervals: Mapping[str, Interval | None]
    mean: float


@dataclass(frozen=True)
class DefaultFigures:
    """The product's default over problems: the claim that it is never worse than random, its mean and worst nAUC, and
    those of rivals over problems and pool sizes."""

    claim: Claim
    nauc: Mapping[str, float]
    mean: float
    worst: float
    rivals: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Summary:
    """The figures of a benchmark of one protocol."""

    protocol: str
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


def summarise(records: Iterable[Record], *, protocol: str | None = None) -> Summary:
    """The figures of the records of one protocol. Raises InputError if there are several and none is named, or if no
    run is paired with one of random rows."""
    kept = [record for record in records if record.get("suite") == SUITE]
    if not kept:
        raise InputError("the records hold no runs of the benchmark dal")
    protocol = only("protocol", (record["protocol"] for record in kept), protocol)
    kept = [record for record in kept if record["protocol"] == protocol]
    runs = _paired([record for record in kept if record["error"] is not None])
    if not runs:
        raise InputError("the records hold no run beside random rows of the same repetition")
    key = root_key(0)
    boxes = {name: one for name, one in runs.items() if is_box(name[0])}
    cells = {name: compare(_named(key, name), one.labels, one.error, one.random) for name, one in boxes.items()}
    adjusted = holm([cell.p for cell in cells.values()]) if cells else []
    verdicts = {name: verdict(cell, float(p)) for (name, cell), p in zip(cells.items(), adjusted, strict=True)}
    return Summary(
        protocol=protocol,
        runs=runs,
        cells=cells,
        verdicts=verdicts,
        burdens={name: _burden(name[0], one) for name, one in boxes.items()},
        tables=_tables(key, {name: one for name, one in runs.items() if not is_box(name[0])}),
        default=_default(key, boxes, cells),
        failures=tuple(sorted({f"{r['task']} {r['strategy']}: {r['reason']}" for r in kept if r["error"] is None})),
        machines=tuple(sorted({record["machine"] for record in kept})),
        versions=kept[0]["versions"],
    )


def _paired(records: list[Record]) -> dict[Name, Runs]:
    """Runs by task, strategy and pool size, each with the random run of its repetition and length."""
    groups: dict[Name, dict[tuple[int, int], Record]] = {}
    for record in records:
        name = record["task"], record["strategy"], record["gamma"]
        groups.setdefault(name, {})[record["repeat"], record["steps"]] = record
    found = {}
    for name, own in groups.items():
        other = groups.get((name[0], RANDOM, 0), {})
        shared = sorted(own.keys() & other.keys())
        if name[1] != RANDOM and shared:
            found[name] = _runs([own[one] for one in shared], [other[one] for one in shared])
    return found


def _runs(own: list[Record], other: list[Record]) -> Runs:
    """Curves cut to the label counts that all of them have: a table may run out of rows."""
    labels = set(own[0]["labels"]).intersection(*(record["labels"] for record in [*own, *other]))
    labels = np.array(sorted(labels))
    error, random = (
        np.array([np.array(r["error"])[np.isin(r["labels"], labels)] for r in side], float) for side in (own, other)
    )
    diversity = np.array([np.nan if r["diversity"] is None else r["diversity"] for r in own], float)
    parts = {
        part: float(np.mean([r[f"{part}_seconds"] for r in own])) for part in ("train", "select", "cpu", "compile")
    }
    flags: dict[str, int] = {}
    for record in own:
        for flag, count in record["degraded"].items():
            flags[flag] = flags.get(flag, 0) + count
    return Runs(labels, error, random, diversity, parts, flags)


def _named(key: Key, name: Name) -> Key:
    return key_for(key, *name)


def _burden(task: str, runs: Runs) -> Burden:
    cutoff = PROBLEMS[task].cutoff
    if cutoff is None:
        at = min(CUTOFF_LABELS, int(runs.labels[-1]))
        cutoff = float(np.median(error_at(runs.labels, runs.random, at)))
    return data_burden(runs.labels, runs.error, runs.random, cutoff=cutoff)


def _tables(key: Key, runs: Mapping[Name, Runs]) -> dict[str, TableLine]:
    found = {}
    for strategy in dict.fromkeys(name for _, name, _ in runs):
        own = {task: _log_rmse(one) for (task, name, _), one in runs.items() if name == strategy}
        intervals = {
            task: bca_interval(key_for(key, task, strategy), len(d), lambda rows, d=d: d[rows].mean(axis=1))
            for task, d in own.items()
        }
        means = {task: float(d.mean()) for task, d in own.items()}
        found[strategy] = TableLine(means, intervals, float(np.mean(list(means.values()))))
    return found


def _log_rmse(runs: Runs) -> np.ndarray:
    """(s,) mean log RMSE over label counts less that of random."""
    return 0.5 * (log_area(runs.labels, runs.error) - log_area(runs.labels, runs.random))


def _default(key: Key, runs: Mapping[Name, Runs], cells: Mapping[Name, Cell]) -> DefaultFigures | None:
    own = {task: one for (task, name, _), one in runs.items() if name == AUTO}
    if not own:
        return None
    areas = {task: (area(one.labels, one.error), area(one.labels, one.random)) for task, one in own.items()}
    nauc = {task: cells[task, AUTO, 0].nauc for task in own}
    rivals = {}
    for rival in dict.fromkeys(name for _, name, _ in cells):
        values = [cell.nauc for (task, name, _), cell in cells.items() if name == rival and task in own]
        if values and rival != AUTO:
            rivals[rival] = (float(np.mean(values)), float(np.max(values)))
    values = list(nauc.values())
    return DefaultFigures(
        decide(key_for(key, "claim"), areas), nauc, float(np.mean(values)), float(np.max(values)), rivals
    )
