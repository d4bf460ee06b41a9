"""The summary of the classification benchmark as Markdown and as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from strongsuit.bench.claims import claims_table, plain_claims
from strongsuit.bench.class_bench import RANDOM
from strongsuit.bench.class_claims import class_claims, share_ahead
from strongsuit.bench.class_digest import keep
from strongsuit.bench.class_report import HARM, ClassSummary
from strongsuit.bench.class_runs import AUTO, find_lane
from strongsuit.errors import StoreError

TABLE_FILE = "classification.md"
EMPTY = "-"
AULC = (
    "Mean accuracy over the labels (area under the learning curve over its length), in percent, and its difference to "
    "random; * where it is better than random and ° where it is worse (signed ranks over repetitions, Holm over "
    "strategies, 5 %):"
)
WINS = (
    "Share, in percent, of rounds and repetitions in which the row is more accurate than the column, mean over sets, "
    "ties half:"
)
CLAIMS = (
    "Claims of arXiv 2511.22344 on features of large networks, here: shares of rounds and repetitions in which one is "
    "ahead, with 95 % intervals over repetitions; those that fall short, or all:"
)
FIXED = "u_herding"  # the best single rule there, fixed in advance: what the default is held against
RANKS = (
    "Strategy by strategy: mean share of pairings won, mean rank by area among those that ran on all sets, CPU seconds "
    "of a query (mean over sets):"
)


def markdown(summary: ClassSummary) -> str:
    """The whole report: areas by set, the matrix of wins, ranks and costs, the default, versions."""
    parts = [
        f"Lane: {summary.lane} ({find_lane(summary.lane).words}).",
        _default(summary),
        _areas(summary),
        _ranks(summary),
        claims_table(CLAIMS, class_claims(summary)),
        _wins(summary),
        "\n".join(f"- failed: {line}" for line in summary.failures),
        _origin(summary),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_json(summary: ClassSummary) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "lane": summary.lane,
        "aulc": {
            task: {name: float(one.aulc.mean()) for (other, name), one in summary.curves.items() if other == task}
            for task in summary.tasks
        },
        "against_random": {
            task: {
                name: {
                    "difference": one.difference, "p": one.p,
                    "interval": None if one.interval is None else [one.interval.low, one.interval.high],
                }
                for (other, name), one in summary.against.items() if other == task
            }
            for task in summary.tasks
        },
        "wins": {row: {c: summary.wins(row, c) for c in summary.strategies if c != row} for row in summary.strategies},
        "ranks": summary.ranks(),
        "claims": plain_claims(class_claims(summary)),
        "query_seconds": {name: _query(summary, name) for name in summary.strategies},
        "repetitions": {task: _repetitions(summary, task) for task in summary.tasks},
        "failures": list(summary.failures),
        "machines": list(summary.machines),
        "versions": dict(summary.versions),
    }  # fmt: skip


def write_report(summary: ClassSummary, folder: Path) -> list[Path]:
    """The files written into the folder: the tables, and the digest of every set."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        table = folder / TABLE_FILE
        table.write_text(markdown(summary), encoding="utf-8")
        kept = [keep(one, folder) for one in summary.digests]
    except OSError as error:
        raise StoreError(f"the report cannot be written to {folder}: {error.strerror}") from error
    return [table, *kept]


def _default(summary: ClassSummary) -> str:
    own = {task: summary.against.get((task, AUTO)) for task in summary.tasks}
    own = {task: one for task, one in own.items() if one is not None}
    if not own:
        return ""
    worst = min(own, key=lambda task: own[task].difference)
    held = all(one.difference >= -HARM for one in own.values())
    return (
        f"The default, guarded: {'never' if held else '**not** never'} more than {100 * HARM:g} points below random on "
        f"any set; least difference {100 * own[worst].difference:+.2f} points, on {worst}.{_ahead(summary)}"
    )


def _ahead(summary: ClassSummary) -> str:
    share = share_ahead(summary, AUTO, FIXED)
    return f" Rounds in which it is ahead, ties half: {share}." if share else ""


def _areas(summary: ClassSummary) -> str:
    lines = [AULC, "", f"| strategy | {' | '.join(summary.tasks)} |", f"| --- |{' ---: |' * len(summary.tasks)}"]
    for name in summary.strategies:
        lines.append(f"| {name} | {' | '.join(_area(summary, task, name) for task in summary.tasks)} |")
    return "\n".join(lines)


def _area(summary: ClassSummary, task: str, name: str) -> str:
    curves = summary.curves.get((task, name))
    if curves is None:
        return EMPTY
    mean = f"{100 * curves.aulc.mean():.1f}"
    against = summary.against.get((task, name))
    if against is None:
        return mean
    mark = "" if against.p >= 0.05 else "*" if against.difference > 0 else "°"
    return f"{mean} ({100 * against.difference:+.1f}{mark})"


def _ranks(summary: ClassSummary) -> str:
    ranks = summary.ranks()
    lines = [RANKS, "", "| strategy | wins | rank | query |", "| --- | ---: | ---: | ---: |"]
    for name in summary.strategies:
        share = 100 * summary.win_rate(name, summary.strategies)
        rank = f"{ranks[name]:.1f}" if name in ranks else EMPTY
        lines.append(f"| {name} | {share:.0f} % | {rank} | {_query(summary, name):.3g} |")
    return "\n".join(lines)


def _wins(summary: ClassSummary) -> str:
    names = summary.strategies
    lines = [WINS, "", f"| | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}"]
    for row in names:
        cells = [EMPTY if row == column else f"{100 * summary.wins(row, column):.0f}" for column in names]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _query(summary: ClassSummary, name: str) -> float:
    return float(np.mean([one.query_seconds for (_, other), one in summary.curves.items() if other == name]))


def _repetitions(summary: ClassSummary, task: str) -> int:
    return len(summary.curves[task, RANDOM].repeats) if (task, RANDOM) in summary.curves else 0


def _origin(summary: ClassSummary) -> str:
    counts = ", ".join(f"{task} {_repetitions(summary, task)}" for task in summary.tasks)
    versions = ", ".join(f"{name} {number}" for name, number in summary.versions.items())
    fewer = f"; at least one set with fewer: {', '.join(few)}" if (few := _fewer(summary)) else ""
    return f"Repetitions: {counts}{fewer}. Machine: {', '.join(summary.machines)}. Versions: {versions}."


def _fewer(summary: ClassSummary) -> list[str]:
    """The strategies that ran less often than random rows on a set where they ran, with the least repetitions."""
    least: dict[str, int] = {}
    for (task, name), one in summary.curves.items():
        if len(one.repeats) < _repetitions(summary, task):
            least[name] = min(len(one.repeats), least.get(name, len(one.repeats)))
    return [f"{name} {count}" for name, count in sorted(least.items())]
