"""What benchmark records say: errors a table and method, deployed against single, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from strongsuit.bench.digests import joined, joined_versions
from strongsuit.bench.methods import DEPLOYED, METHODS, RESULTS, SECOND, SINGLE
from strongsuit.bench.records import Record, only
from strongsuit.bench.tasks import TASKS
from strongsuit.core.metrics import Paired, holm, paired_test
from strongsuit.errors import InputError

TOLERANCE = 0.02  # the deployed model may be so much worse than the single one on no table
BAR = "cubist"  # readable rules of one committee: the rival that a partition is compared with first
ALPHA = 0.05
EQUAL = 1e-9  # a relative change of a run's error below it is none


@dataclass(frozen=True)
class Entry:
    """One method on one table: relative test errors by seed, or why there are none; `p` against the deployed
    model, Holm-adjusted over tables."""

    errors: dict[int, float]
    seconds: float
    reason: str = ""
    p: float = 1.0

    @property
    def mean(self) -> float:
        """Mean relative test error, NaN if there is none."""
        return float(np.mean(list(self.errors.values()))) if self.errors else float("nan")

    @property
    def spread(self) -> float:
        """Standard deviation over seeds, zero for one."""
        return float(np.std(list(self.errors.values()), ddof=1)) if len(self.errors) > 1 else 0.0


@dataclass(frozen=True)
class Change:
    """Deployed against single on one table: `change` is the ratio of mean errors less one, with a 95 %
    interval; `worst` that of the worst seed; `p` Holm-adjusted over tables."""

    change: float
    low: float
    high: float
    worst: float
    p: float
    deployed: float
    found: float
    seeds: int


@dataclass(frozen=True)
class Summary:
    """The figures of a benchmark: tables in order, results in order, entries and changes by table."""

    split: str
    learner: str
    tables: tuple[str, ...]
    results: tuple[str, ...]
    entries: dict[str, dict[str, Entry]]
    changes: dict[str, Change]
    verdicts: tuple[tuple[bool, str], ...]
    machines: tuple[str, ...]
    versions: dict[str, str]


def summarise(records: Iterable[Record], *, split: str | None = None, learner: str | None = None) -> Summary:
    """The figures of the records of one split and one learner.

    Raises InputError if there are several of either and none is named.
    """
    kept = list(records)
    split = only("split", {record["split"] for record in kept}, split)
    kept = [record for record in kept if record["split"] == split]
    learner = only("learner", {record["learner"] for record in kept} - {""}, learner)
    kept = [record for record in kept if record["learner"] in ("", learner)]
    if not kept:
        raise InputError(f"no records of split {split!r} and learner {learner!r}")
    tables = _ordered({record["task"] for record in kept}, TASKS)
    results = _ordered({record["result"] for record in kept}, RESULTS)
    shares = {name: _test_share(kept, name) for name in tables}
    entries = {name: {result: _entry(kept, name, result) for result in results} for name in tables}
    changes = _changes(kept, entries, shares)
    entries = _tested(entries, shares, results)
    return Summary(
        split, learner, tables, results, entries, changes, tuple(_verdicts(tables, entries, changes, shares)),
        joined(record["machine"] for record in kept),
        joined_versions(record["versions"] for record in kept),
    )  # fmt: skip


def _ordered(names: set[str], order: Iterable[str]) -> tuple[str, ...]:
    known = [name for name in order if name in names]
    return (*known, *sorted(names - set(known)))


def _test_share(records: Sequence[Record], table: str) -> float:
    ratios = [r["test_rows"] / r["train_rows"] for r in records if r["task"] == table and "mse" in r]
    return float(np.mean(ratios)) if ratios else 0.25


def _entry(records: Sequence[Record], table: str, result: str) -> Entry:
    own = [r for r in records if r["task"] == table and r["result"] == result]
    good = {r["seed"]: r for r in own if "mse" in r}  # of repeated cells the last one counts
    reasons = [r["error"] for r in own if "error" in r and r["seed"] not in good]
    errors = {seed: float(good[seed]["relative"]) for seed in sorted(good)}
    seconds = float(np.mean([r["cpu_seconds"] for r in good.values()])) if good else float("nan")
    return Entry(errors, seconds, reasons[0] if reasons else "")


def _pairs(a: Entry, b: Entry) -> tuple[np.ndarray, np.ndarray]:
    seeds = [seed for seed in a.errors if seed in b.errors]
    return np.array([a.errors[s] for s in seeds]), np.array([b.errors[s] for s in seeds])


def _changes(records: Sequence[Record], entries: dict[str, dict[str, Entry]], shares) -> dict[str, Change]:
    raw: dict[str, tuple[Paired, np.ndarray, np.ndarray]] = {}
    for table, row in entries.items():
        if DEPLOYED not in row or SINGLE not in row:
            continue
        ours, single = _pairs(row[DEPLOYED], row[SINGLE])
        if len(ours):
            raw[table] = (paired_test(ours, single, test_share=shares[table]), ours, single)
    adjusted = holm([test.p for test, _, _ in raw.values()])
    return {
        table: _change(test, ours, single, float(p), [r for r in records if r["task"] == table])
        for (table, (test, ours, single)), p in zip(raw.items(), adjusted, strict=True)
    }


def _change(test: Paired, ours: np.ndarray, single: np.ndarray, p: float, records: list[Record]) -> Change:
    base = max(float(single.mean()), np.finfo(float).tiny)
    own = {r["seed"]: r for r in records if r["result"] == DEPLOYED and "mse" in r}.values()
    return Change(
        change=float(ours.mean()) / base - 1,
        low=test.low / base,
        high=test.high / base,
        worst=float((ours / np.maximum(single, np.finfo(float).tiny)).max()) - 1,
        p=p,
        deployed=float(np.mean([r.get("regimes", 1) > 1 for r in own])),
        found=float(np.mean([r.get("found", 1) for r in own])),
        seeds=len(ours),
    )


def _tested(entries, shares, results: Sequence[str]) -> dict[str, dict[str, Entry]]:
    """The entries with p values of every other method against the deployed model."""
    if DEPLOYED not in results:
        return entries
    tested = {table: dict(row) for table, row in entries.items()}
    for result in results:
        pairs = {table: _pairs(row[result], row[DEPLOYED]) for table, row in entries.items()}
        tables = [table for table, (other, _) in pairs.items() if len(other)]
        p = holm([paired_test(*pairs[table], test_share=shares[table]).p for table in tables])
        for table, value in zip(tables, p, strict=True):
            one = entries[table][result]
            tested[table][result] = Entry(one.errors, one.seconds, one.reason, float(value))
    return tested


def _verdicts(tables, entries, changes: dict[str, Change], shares) -> Iterable[tuple[bool, str]]:
    """Each promise with whether the figures keep it."""
    if not changes:
        return
    scope = f"{len(changes)} of {len(tables)} tables, {min(c.seeds for c in changes.values())} seeds or more"
    table, most = max(changes.items(), key=lambda item: item[1].change)
    yield (
        most.change <= TOLERANCE and len(changes) == len(tables),
        f"deployed never more than {TOLERANCE:.0%} above single: largest mean change {most.change:+.1%} "
        f"({table}; {scope})",
    )
    mean = float(np.mean([change.change for change in changes.values()]))
    yield mean < 0, f"mean below single: mean change over tables {mean:+.1%}"
    harmed = [name for name, c in changes.items() if c.change > 0 and c.p < ALPHA]
    yield not harmed, f"no table significantly worse than single: {', '.join(harmed) or 'none is'}"
    yield from _bar(entries, changes, shares)


def _bar(entries, changes: dict[str, Change], shares) -> Iterable[tuple[bool, str]]:
    """Whether the deployed model is within one paired error of the better of its single model and the bar."""
    if not any(BAR in entries[table] and entries[table][BAR].errors for table in changes):
        return
    missed = []
    for table in changes:
        row = entries[table]
        rivals = [row[name] for name in (SINGLE, BAR) if name in row and row[name].errors]
        best = min(rivals, key=lambda entry: entry.mean)
        test = paired_test(*_pairs(row[DEPLOYED], best), test_share=shares[table])
        if not test.mean <= test.error:
            missed.append(table)
    said = (
        f"within one paired error of the better of single and {BAR} on {len(changes) - len(missed)} of {len(changes)}"
    )
    yield not missed, said + (f" tables; not on {', '.join(missed)}" if missed else " tables")


def single_runs(summary: Summary) -> dict[str, dict[str, float]]:
    """Over all tables and seeds, how often each caution of the guard deployed what is better and worse on the test rows
    than the single model, and the worst change of a run."""
    found = {}
    for result in (DEPLOYED, SECOND):
        rows = [row for row in summary.entries.values() if result in row and SINGLE in row]
        pairs = [_pairs(row[result], row[SINGLE]) for row in rows]
        ratios = [ours / np.maximum(single, np.finfo(float).tiny) - 1 for ours, single in pairs]
        changes = np.concatenate([*ratios, np.zeros(0)])
        if len(changes):
            better, worse = int((changes < -EQUAL).sum()), int((changes > EQUAL).sum())
            found[result] = {"runs": len(changes), "better": better, "worse": worse, "most": float(changes.max())}
    return found


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary as plain values."""
    return {
        "split": summary.split,
        "learner": summary.learner,
        "tables": {
            table: {
                "methods": {result: _plain(entry) for result, entry in summary.entries[table].items()},
                "change": vars(summary.changes[table]) if table in summary.changes else None,
            }
            for table in summary.tables
        },
        "single_runs": single_runs(summary),
        "verdicts": [{"kept": bool(kept), "words": words} for kept, words in summary.verdicts],
        "machines": list(summary.machines),
        "versions": summary.versions,
        "methods": {name: method.words for name, method in METHODS.items()},
    }


def _plain(entry: Entry) -> dict[str, Any]:
    if not entry.errors:
        return {"error": entry.reason}
    facts = {"mean": entry.mean, "sd": entry.spread, "seeds": len(entry.errors), "cpu_seconds": entry.seconds}
    return facts | {"p": entry.p} | ({"error": entry.reason} if entry.reason else {})
