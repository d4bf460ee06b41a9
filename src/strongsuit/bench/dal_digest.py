"""What the runs of one task came to: all that a report needs of them, small enough to keep where records are not.

A digest is made of records, or read from the JSON that an earlier report wrote. So a grid can be measured problem by
problem, on several machines or days, and be reported as one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from strongsuit.bench.arenas import is_box
from strongsuit.bench.dal_runs import RANDOM, SUITE
from strongsuit.bench.records import Record, read_records
from strongsuit.core.curves import STEPS_BELOW, Areas, areas, error_at, labels_to_reach
from strongsuit.datasets.simulators.problems import PROBLEMS
from strongsuit.errors import InputError, StoreError

CUTOFF_LABELS = 1_080  # a problem without a published cutoff takes random's median error at so many labels
DIGITS = 7  # of a repetition's figures, as of an error in the records
CURVE_DIGITS = 4  # of a curve, which is only drawn
PARTS = ("train", "select", "cpu", "compile")

Setting = tuple[str, int]  # strategy, gamma (0 where the strategy draws its own candidates)


@dataclass(frozen=True)
class Readings:
    """Repetitions (s,) of a strategy: areas under the error, labels `needed` to the task's cutoff (inf: never got
    there), diversity of batches (NaN: none), mean CPU seconds by part, and how often a fallback was taken.

    `curve` is the median error (t,), None at smaller pools than the task's largest.
    """

    repeats: tuple[int, ...]
    areas: Areas
    needed: np.ndarray
    diversity: np.ndarray
    seconds: Mapping[str, float]
    degraded: Mapping[str, int]
    curve: np.ndarray | None

    def at(self, repeats: Sequence[int]) -> Readings:
        """These repetitions alone, in this order; seconds and curve stay those of all."""
        rows = [self.repeats.index(repeat) for repeat in repeats]
        kept = Areas(self.areas.linear[rows], self.areas.log[rows])
        return Readings(
            tuple(repeats), kept, self.needed[rows], self.diversity[rows], self.seconds, self.degraded, self.curve
        )


@dataclass(frozen=True)
class Digest:
    """The runs of one task under one protocol over label counts (t,). `cutoff` is the error that labels are counted
    to, None for tables; `band` (2, t) holds the quartiles of random's error, None without random's runs."""

    task: str
    protocol: str
    labels: np.ndarray
    cutoff: float | None
    band: np.ndarray | None
    readings: Mapping[Setting, Readings]
    failures: tuple[str, ...]
    machines: tuple[str, ...]
    versions: Mapping[str, str]


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
    """All digests of these folders, one a task and protocol: records come before stored digests of the same folder,
    later folders before earlier ones. Raises InputError for a folder that has neither."""
    found: dict[tuple[str, str], Digest] = {}
    for folder in folders:
        own = [*map(read_digest, digest_files(folder)), *digests(read_records(folder))]
        if not own:
            raise InputError(f"{folder} holds no benchmark records: run strongsuit bench run dal --out {folder}")
        found |= {(one.task, one.protocol): one for one in own}
    return list(found.values())


def digest_files(folder: Path) -> list[Path]:
    """The files of a folder that an earlier report wrote."""
    return sorted(folder.glob(f"{SUITE}_*.json"))


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
    random = np.array([_error(record, labels) for record in runs.get((RANDOM, 0), {}).values()])
    cutoff = _cutoff(task, labels, random)
    largest = max((gamma for _, gamma in runs), default=0)
    return Digest(
        task=task,
        protocol=protocol,
        labels=labels,
        cutoff=cutoff,
        band=np.quantile(random, [0.25, 0.75], axis=0) if len(random) else None,
        readings={
            (name, gamma): _readings(own, labels, cutoff, drawn=gamma in (0, largest))
            for (name, gamma), own in runs.items()
        },
        failures=tuple(sorted({f"{r['task']} {r['strategy']}: {r['reason']}" for r in records if r["error"] is None})),
        machines=tuple(sorted({record["machine"] for record in records})),
        versions=records[0]["versions"],
    )


def _error(record: Record, labels: np.ndarray) -> np.ndarray:
    return np.array(record["error"], float)[np.isin(record["labels"], labels)]


def _cutoff(task: str, labels: np.ndarray, random: np.ndarray) -> float | None:
    if not is_box(task):
        return None
    published = PROBLEMS[task].cutoff
    if published is not None or not len(random):
        return published
    return float(np.median(error_at(labels, random, min(CUTOFF_LABELS, int(labels[-1])))))


def _readings(runs: Mapping[int, Record], labels: np.ndarray, cutoff: float | None, *, drawn: bool) -> Readings:
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
        needed=never if cutoff is None else labels_to_reach(labels, error, cutoff, steps=STEPS_BELOW),
        diversity=np.array([np.nan if r["diversity"] is None else r["diversity"] for r in records], float),
        seconds={part: float(np.mean([record[f"{part}_seconds"] for record in records])) for part in PARTS},
        degraded=degraded,
        curve=np.median(error, axis=0) if drawn else None,
    )


def write_digest(digest: Digest, folder: Path) -> Path:
    """The file that it is kept in."""
    path = folder / f"{SUITE}_{digest.protocol}_{digest.task}.json"
    path.write_text(_json(digest), encoding="utf-8")
    return path


def read_digest(path: Path) -> Digest:
    """The digest that `write_digest` wrote. Raises StoreError if the file holds none."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return _parsed(stored)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} holds no digest of runs: remove it, or report its records anew") from error


def _json(digest: Digest) -> str:
    """One line a setting, so that a change of one is a change of one line."""
    head = {
        "task": digest.task, "protocol": digest.protocol, "labels": digest.labels.tolist(), "cutoff": digest.cutoff,
        "band": _rounded(digest.band, CURVE_DIGITS), "failures": digest.failures, "machines": digest.machines,
        "versions": digest.versions,
    }  # fmt: skip
    lines = [json.dumps(_plain(name, gamma, own)) for (name, gamma), own in digest.readings.items()]
    return json.dumps(head, allow_nan=False)[:-1] + ', "readings": [\n' + ",\n".join(lines) + "\n]}\n"


def _plain(strategy: str, gamma: int, own: Readings) -> dict[str, Any]:
    return {
        "strategy": strategy, "gamma": gamma, "repeats": own.repeats,
        "areas": {name: _rounded(values, DIGITS) for name, values in asdict(own.areas).items()},
        "needed": _rounded(own.needed, DIGITS), "diversity": _rounded(own.diversity, DIGITS),
        "seconds": {part: round(value, 3) for part, value in own.seconds.items()}, "degraded": own.degraded,
        "curve": _rounded(own.curve, CURVE_DIGITS),
    }  # fmt: skip


def _rounded(values: np.ndarray | None, digits: int) -> Any:
    """The values as lists, null for what is not finite."""
    if values is None:
        return None
    if values.ndim > 1:
        return [_rounded(row, digits) for row in values]
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values]


def _parsed(stored: dict[str, Any]) -> Digest:
    def array(values: list | None, missing: float) -> np.ndarray:
        return np.array([missing if value is None else value for value in values or ()], float)

    readings = {
        (one["strategy"], one["gamma"]): Readings(
            tuple(one["repeats"]),
            Areas(*(np.array(one["areas"][name], float) for name in ("linear", "log"))),
            array(one["needed"], np.inf),
            array(one["diversity"], np.nan),
            one["seconds"],
            one["degraded"],
            None if one["curve"] is None else np.array(one["curve"], float),
        )
        for one in stored["readings"]
    }
    band = stored["band"]
    return Digest(
        stored["task"], stored["protocol"], np.array(stored["labels"]), stored["cutoff"],
        None if band is None else np.array(band, float), readings, tuple(stored["failures"]),
        tuple(stored["machines"]), stored["versions"],
    )  # fmt: skip
