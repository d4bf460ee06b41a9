"""What the runs of one task of the regression benchmark came to: all that its report needs of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from strongsuit.bench.arenas import is_box
from strongsuit.bench.dal_runs import RANDOM, SUITE
from strongsuit.bench.digests import array, gathered, joined, joined_versions, rounded, write_digest
from strongsuit.bench.records import Record
from strongsuit.core.curves import STEPS_BELOW, Areas, areas, error_at, labels_to_reach, late_log
from strongsuit.datasets.simulators.problems import PROBLEMS

CUTOFF_LABELS = 1_080  # a problem without a published cutoff takes random's error at so many labels
DIGITS = 7  # of a repetition's figures, as of an error in the records
CURVE_DIGITS = 4  # of a curve, which is only drawn
PARTS = ("train", "select", "cpu", "compile")

Setting = tuple[str, int]  # strategy, gamma (0 where the strategy draws its own candidates)


@dataclass(frozen=True)
class Readings:
    """Repetitions (s,) of a strategy: areas under the error, the mean log error of the `late` rounds (the last tenth),
    labels `needed` to the cutoff (inf: never got there), diversity of batches (NaN: none), mean CPU seconds by part,
    and how often a fallback was taken.

    The cutoff is the published error, else that of the repetition's own random run at 1,080 labels; tables have none.
    `curve` is the median error (t,), None at smaller pools than the task's largest.
    """

    repeats: tuple[int, ...]
    areas: Areas
    late: np.ndarray
    needed: np.ndarray
    diversity: np.ndarray
    seconds: Mapping[str, float]
    degraded: Mapping[str, int]
    curve: np.ndarray | None

    def at(self, repeats: Sequence[int]) -> Readings:
        """These repetitions alone, in this order; seconds and curve stay those of all."""
        rows = [self.repeats.index(repeat) for repeat in repeats]
        kept = Areas(self.areas.linear[rows], self.areas.log[rows])
        own = (values[rows] for values in (self.late, self.needed, self.diversity))
        return Readings(tuple(repeats), kept, *own, self.seconds, self.degraded, self.curve)


@dataclass(frozen=True)
class Digest:
    """The runs of one task under one protocol over label counts (t,). `band` (2, t) holds the quartiles of random's
    error, None without random's runs."""

    task: str
    protocol: str
    labels: np.ndarray
    band: np.ndarray | None
    readings: Mapping[Setting, Readings]
    failures: tuple[str, ...]
    machines: tuple[str, ...]
    versions: Mapping[str, str]

    @property
    def name(self) -> str:
        """Suite, protocol and task."""
        return f"{SUITE}_{self.protocol}_{self.task}"


def digests(records: Iterable[Record]) -> list[Digest]:
    """The digests of the records of this suite, by task and protocol in the order of the records.

    A task whose runs are of several lengths is reported by its longest ones.
    """
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.get("suite") == SUITE:
            groups.setdefault((record["task"], record["protocol"]), []).append(record)
    return [_digest(task, protocol, own) for (task, protocol), own in groups.items()]


def digests_in(folders: Iterable[Path]) -> list[Digest]:
    """All digests of these folders, of records and of earlier reports: see `strongsuit.bench.digests`."""
    return gathered(folders, SUITE, made=digests, parsed=_parsed, merged=merged)


def merged(before: Digest, after: Digest) -> Digest:
    """The runs of both, a run that both have as `after` has it; of unlike label counts the longer runs alone.

    Curves cannot be joined: those of more repetitions stand.
    """
    if not np.array_equal(before.labels, after.labels):
        return max((after, before), key=lambda one: len(one.labels))
    readings = dict(before.readings)
    for name, own in after.readings.items():
        readings[name] = _joined(readings[name], own) if name in readings else own
    more = max((before, after), key=lambda one: len(one.readings[RANDOM, 0].repeats) if one.band is not None else 0)
    return replace(
        after,
        band=more.band,
        readings=readings,
        failures=joined(before.failures, after.failures),
        machines=joined(before.machines, after.machines),
        versions=joined_versions([before.versions, after.versions]),
    )


def _joined(before: Readings, after: Readings) -> Readings:
    kept = before.at([repeat for repeat in before.repeats if repeat not in after.repeats])
    counts = len(kept.repeats), len(after.repeats)
    drawn = max((before, after), key=lambda one: len(one.repeats) if one.curve is not None else 0)
    both = Readings(
        kept.repeats + after.repeats,
        Areas(*(np.concatenate([getattr(one.areas, part) for one in (kept, after)]) for part in ("linear", "log"))),
        np.concatenate([kept.late, after.late]),
        np.concatenate([kept.needed, after.needed]),
        np.concatenate([kept.diversity, after.diversity]),
        {part: float(np.average([kept.seconds[part], after.seconds[part]], weights=counts)) for part in PARTS},
        dict(Counter(before.degraded) + Counter(after.degraded)) if kept.repeats else after.degraded,
        drawn.curve,
    )
    return both.at(sorted(both.repeats))


def _digest(task: str, protocol: str, records: list[Record]) -> Digest:
    done = [record for record in records if record["error"] is not None]
    steps = max((record["steps"] for record in done), default=0)
    runs: dict[Setting, dict[int, Record]] = {}
    for record in done:
        if record["steps"] == steps:
            runs.setdefault((record["strategy"], record["gamma"]), {})[record["repeat"]] = record
    # Curves are cut to the label counts that all of them have: a table may run out of rows.
    counts = [set(record["labels"]) for own in runs.values() for record in own.values()]
    labels = np.array(sorted(set.intersection(*counts))) if counts else np.empty(0)
    random = {repeat: _error(record, labels) for repeat, record in runs.get((RANDOM, 0), {}).items()}
    largest = max((gamma for _, gamma in runs), default=0)
    return Digest(
        task=task,
        protocol=protocol,
        labels=labels,
        band=np.quantile(list(random.values()), [0.25, 0.75], axis=0) if random else None,
        readings={
            (name, gamma): _readings(own, labels, _cutoffs(task, labels, random, own), drawn=gamma in (0, largest))
            for (name, gamma), own in runs.items()
        },
        failures=tuple(sorted({f"{r['task']} {r['strategy']}: {r['reason']}" for r in records if r["error"] is None})),
        machines=tuple(sorted({record["machine"] for record in records})),
        versions=records[0]["versions"],
    )


def _error(record: Record, labels: np.ndarray) -> np.ndarray:
    return np.array(record["error"], float)[np.isin(record["labels"], labels)]


def _cutoffs(task: str, labels: np.ndarray, random: Mapping[int, np.ndarray], runs: Iterable[int]) -> np.ndarray | None:
    """The cutoff of every repetition, in their order, 0 where nothing says it; None for tables."""
    if not is_box(task):
        return None
    published = PROBLEMS[task].cutoff
    at = min(CUTOFF_LABELS, int(labels[-1]))
    return np.array(
        [
            published if published is not None else float(error_at(labels, random[one], at)) if one in random else 0.0
            for one in sorted(runs)
        ]
    )


def _readings(runs: Mapping[int, Record], labels: np.ndarray, cutoffs: np.ndarray | None, *, drawn: bool) -> Readings:
    repeats = tuple(sorted(runs))
    records = [runs[repeat] for repeat in repeats]
    error = np.array([_error(record, labels) for record in records])
    never = np.full(len(records), np.inf)
    degraded: dict[str, int] = {}
    for record in records:
        for flag, count in record["degraded"].items():
            degraded[flag] = degraded.get(flag, 0) + count
    return Readings(
        repeats=repeats,
        areas=areas(labels, error),
        late=late_log(error),
        needed=never if cutoffs is None else labels_to_reach(labels, error, cutoffs, steps=STEPS_BELOW),
        diversity=np.array([np.nan if r["diversity"] is None else r["diversity"] for r in records], float),
        seconds={part: float(np.mean([record[f"{part}_seconds"] for record in records])) for part in PARTS},
        degraded=degraded,
        curve=np.median(error, axis=0) if drawn else None,
    )


def keep(digest: Digest, folder: Path) -> Path:
    """The file that it is kept in."""
    head = {
        "task": digest.task, "protocol": digest.protocol, "labels": digest.labels.tolist(),
        "band": rounded(digest.band, CURVE_DIGITS), "failures": digest.failures, "machines": digest.machines,
        "versions": digest.versions,
    }  # fmt: skip
    lines = (_plain(strategy, gamma, own) for (strategy, gamma), own in digest.readings.items())
    return write_digest(folder, digest.name, head, lines)


def _plain(strategy: str, gamma: int, own: Readings) -> dict[str, Any]:
    return {
        "strategy": strategy, "gamma": gamma, "repeats": own.repeats,
        "areas": {name: rounded(values, DIGITS) for name, values in asdict(own.areas).items()},
        "late": rounded(own.late, DIGITS), "needed": rounded(own.needed, DIGITS),
        "diversity": rounded(own.diversity, DIGITS),
        "seconds": {part: round(value, 3) for part, value in own.seconds.items()}, "degraded": own.degraded,
        "curve": rounded(own.curve, CURVE_DIGITS),
    }  # fmt: skip


def _parsed(stored: dict[str, Any]) -> Digest:
    readings = {
        (one["strategy"], one["gamma"]): Readings(
            tuple(one["repeats"]),
            Areas(*(array(one["areas"][name]) for name in ("linear", "log"))),
            array(one["late"]),
            array(one["needed"], np.inf),
            array(one["diversity"]),
            one["seconds"],
            one["degraded"],
            None if one["curve"] is None else array(one["curve"]),
        )
        for one in stored["runs"]
    }
    band = stored["band"]
    return Digest(
        stored["task"], stored["protocol"], np.array(stored["labels"]), None if band is None else np.array(band, float),
        readings, tuple(stored["failures"]), tuple(stored["machines"]), stored["versions"],
    )  # fmt: skip
