"""What the runs of one set of a classification benchmark came to: all that its report needs of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from strongsuit.bench.class_runs import SUITE
from strongsuit.bench.digests import array, gathered, joined, joined_versions, rounded, write_digest
from strongsuit.bench.records import Record

ACCURACY_DIGITS, WEIGHT_DIGITS = 5, 6  # shares of a few thousand test rows stay apart


@dataclass(frozen=True)
class Curves:
    """Repetitions of a strategy on a set: accuracy (s, t) over labels (t,), and CPU seconds of a query.

    `weights` are of a strategy that weighs others: by name, the mean weight (r,) by round.
    """

    repeats: tuple[int, ...]
    labels: np.ndarray
    accuracy: np.ndarray
    query_seconds: float
    train_seconds: float
    weights: Mapping[str, np.ndarray]

    @property
    def aulc(self) -> np.ndarray:
        """(s,) mean accuracy over the range of labels, by the trapezoid rule."""
        return np.trapezoid(self.accuracy, self.labels, axis=1) / float(np.ptp(self.labels))


@dataclass(frozen=True)
class ClassDigest:
    """The runs of one set in one lane: curves by strategy."""

    lane: str
    task: str
    curves: Mapping[str, Curves]
    failures: tuple[str, ...]
    machines: tuple[str, ...]
    versions: Mapping[str, str]

    @property
    def name(self) -> str:
        """Suite, lane and set."""
        return f"{SUITE}_{self.lane}_{self.task}"


def class_digests(records: Iterable[Record]) -> list[ClassDigest]:
    """The digests of the records, by lane and set in their order."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.get("suite") == SUITE:
            groups.setdefault((record["lane"], record["task"]), []).append(record)
    return [_digest(lane, task, own) for (lane, task), own in groups.items()]


def class_digests_in(folders: Iterable[Path]) -> list[ClassDigest]:
    """All digests of these folders, of records and of earlier reports: see `strongsuit.bench.digests`."""
    return gathered(folders, SUITE, made=class_digests, parsed=_parsed, merged=merged)


def merged(before: ClassDigest, after: ClassDigest) -> ClassDigest:
    """The runs of both, a run that both have as `after` has it."""
    curves = dict(before.curves)
    for name, own in after.curves.items():
        curves[name] = _joined(curves[name], own) if name in curves else own
    return replace(
        after,
        curves=curves,
        failures=joined(before.failures, after.failures),
        machines=joined(before.machines, after.machines),
        versions=joined_versions([before.versions, after.versions]),
    )


def _joined(before: Curves, after: Curves) -> Curves:
    """The repetitions of both; of curves over other labels, `after` alone."""
    kept = [place for place, repeat in enumerate(before.repeats) if repeat not in after.repeats]
    if not kept or not np.array_equal(before.labels, after.labels):
        return after
    repeats = np.array([*(before.repeats[place] for place in kept), *after.repeats])
    order, counts = np.argsort(repeats), (len(kept), len(after.repeats))

    def mean(one: Any, other: Any) -> Any:
        return np.average([one, other], axis=0, weights=counts)

    return Curves(
        tuple(repeats[order].tolist()),
        after.labels,
        np.concatenate([before.accuracy[kept], after.accuracy])[order],
        float(mean(before.query_seconds, after.query_seconds)),
        float(mean(before.train_seconds, after.train_seconds)),
        {name: mean(before.weights[name], own) for name, own in after.weights.items() if name in before.weights},
    )


def _digest(lane: str, task: str, records: list[Record]) -> ClassDigest:
    groups: dict[str, dict[int, Record]] = {}
    for record in records:
        if record["accuracy"] is not None:
            groups.setdefault(record["strategy"], {})[record["repeat"]] = record
    return ClassDigest(
        lane=lane,
        task=task,
        curves={name: _curves([own[repeat] for repeat in sorted(own)]) for name, own in groups.items()},
        failures=joined(f"{task} {r['strategy']}: {r['reason']}" for r in records if r["accuracy"] is None),
        machines=joined(record["machine"] for record in records),
        versions=records[0]["versions"],
    )


def _curves(runs: Sequence[Record]) -> Curves:
    rounds = len(runs[0]["labels"]) - 1
    return Curves(
        tuple(run["repeat"] for run in runs),
        np.array(runs[0]["labels"], float),
        np.array([run["accuracy"] for run in runs]),
        float(np.mean([run["select_seconds"] for run in runs])) / max(1, rounds),
        float(np.mean([run["train_seconds"] for run in runs])) / (rounds + 1),
        _weights(runs),
    )


def _weights(runs: Sequence[Record]) -> dict[str, np.ndarray]:
    """By name the mean weight (r,) in the rounds that all runs report; none where a round reports none."""
    told = [[fact.get("weights", {}) for fact in run["facts"]] for run in runs]
    length = min(len(run) for run in told)
    names = dict.fromkeys(name for run in told for weights in run[:length] for name in weights)
    return {
        name: np.mean([[weights.get(name, 0.0) for weights in run[:length]] for run in told], axis=0) for name in names
    }


def keep(digest: ClassDigest, folder: Path) -> Path:
    """The file that it is kept in."""
    head = {
        "suite": SUITE, "lane": digest.lane, "task": digest.task, "failures": digest.failures,
        "machines": digest.machines, "versions": digest.versions,
    }  # fmt: skip
    return write_digest(folder, digest.name, head, (_plain(name, own) for name, own in digest.curves.items()))


def _plain(strategy: str, own: Curves) -> dict[str, Any]:
    return {
        "strategy": strategy, "repeats": own.repeats, "labels": own.labels.tolist(),
        "query_seconds": round(own.query_seconds, 5), "train_seconds": round(own.train_seconds, 5),
        "weights": {name: rounded(values, WEIGHT_DIGITS) for name, values in own.weights.items()},
        "accuracy": rounded(own.accuracy, ACCURACY_DIGITS),
    }  # fmt: skip


def _parsed(stored: dict[str, Any]) -> ClassDigest:
    curves = {
        one["strategy"]: Curves(
            tuple(one["repeats"]),
            np.array(one["labels"], float),
            np.array(one["accuracy"], float),
            one["query_seconds"],
            one["train_seconds"],
            {name: array(values) for name, values in one["weights"].items()},
        )
        for one in stored["runs"]
    }
    return ClassDigest(
        stored["lane"], stored["task"], curves, tuple(stored["failures"]), tuple(stored["machines"]),
        stored["versions"],
    )  # fmt: skip
