"""The summary of the regression benchmark as Markdown, as plain values and as figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from strongsuit.bench.claims import claims_table, plain_claims
from strongsuit.bench.dal_claims import claims
from strongsuit.bench.dal_digest import keep
from strongsuit.bench.dal_report import RIVALS, DefaultFigures, Summary
from strongsuit.bench.dal_runs import SUITE, find_protocol
from strongsuit.core.metrics import Interval
from strongsuit.errors import StoreError

TABLE_FILE = "dal.md"
MARKS = {"loses": "°", "safe": "*"}  # behind an nAUC
EMPTY = "-"
NAUC = (
    "Area under the test error over that of random (nAUC; below 1 is better than random), mean over pool sizes and the "
    "range; ° where a pool size loses significantly (Holm over the whole table), * where all are safe within 2 %:"
)
LATE = (
    "Error of the last tenth of the rounds over that of random, geometric mean over repetitions; mean over pool sizes "
    "and the range:"
)
DIVERSITY = (
    "Diversity of a batch over that of a random batch of its pool (1: as random; below 0.5: collapse), mean over pool "
    "sizes, and at the largest:"
)
BURDEN = "Labels that bring the error below the cutoff, over those that random needs, at the largest pool:"
TABLES = (
    "Tables as pools: mean log RMSE over the labels less that of random (below 0 is better); ° where its interval lies "
    "above 0, * where it lies below:"
)
SECONDS = "CPU seconds of a run on one thread, training / selection, mean over all runs, compiling apart:"


def markdown(summary: Summary) -> str:
    """The whole report: the default, the claims, nAUC, diversity and labels needed, tables, cost, versions."""
    words = find_protocol(summary.protocol).words
    parts = [
        f"Protocol: {summary.protocol} ({words}).",
        _default(summary.default),
        _claims(summary),
        _by_problem(summary, NAUC, _nauc),
        _by_problem(summary, LATE, _late),
        _by_problem(summary, DIVERSITY, _diversity),
        _by_problem(summary, BURDEN, _burden),
        _tables(summary),
        _seconds(summary),
        "\n".join(f"- failed: {line}" for line in summary.failures),
        _origin(summary),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_report(summary: Summary, folder: Path) -> list[Path]:
    """The files written into the folder: the Markdown tables, the figures, and the digest of every task."""
    from strongsuit.bench.dal_figures import draw_curves, draw_pools

    try:
        folder.mkdir(parents=True, exist_ok=True)
        table = folder / TABLE_FILE
        table.write_text(markdown(summary), encoding="utf-8")
        figures = [draw_curves(summary, folder / "dal_curves.png"), draw_pools(summary, folder / "dal_pools.png")]
        kept = [keep(one, folder) for one in summary.tasks.values()]
        return [table, *(path for path in figures if path), *kept]
    except OSError as error:
        raise StoreError(f"the report cannot be written to {folder}: {error.strerror}") from error


def _default(default: DefaultFigures | None) -> str:
    if default is None:
        return ""
    claim = default.claim
    head = (
        f'The default, guarded: **{claim.word}** for "nowhere worse than random by more than {claim.delta:.0%}", all '
        f"problems at once at 95 %. Mean nAUC {default.mean:.3f}, worst {default.worst:.3f}."
    )
    columns = ["problem", "nAUC", "bounds of exp E log ratio", "95th percentile", "last tenth of the rounds"]
    lines = [head, "", _row(columns), "|---|---:|---|---:|---:|"]
    for task, value in default.nauc.items():
        ends, worst, late = _ends(claim.bounds[task]), f"{claim.worst[task]:.3f}", f"{default.late[task]:.3f}"
        lines.append(_row([task, f"{value:.3f}", ends, worst, late]))
    beside = [f"{name} {mean:.3f} (worst {worst:.3f})" for name, (mean, worst) in _best_first(default)]
    if beside:
        lines += ["", f"Mean nAUC of others over the same problems and all pool sizes: {', '.join(beside)}."]
    rivals = [default.rivals[name][0] for name in RIVALS if name in default.rivals]
    if rivals:
        lines += ["", f"Against the best of {', '.join(RIVALS)}: {default.mean / min(rivals) - 1:+.1%}."]
    return "\n".join(lines)


def _best_first(default: DefaultFigures) -> list[tuple[str, tuple[float, float]]]:
    return sorted(default.rivals.items(), key=lambda item: item[1][0])


def _claims(summary: Summary) -> str:
    if not summary.cells:
        return ""
    return claims_table("Claims of arXiv 2302.00098 under this protocol:", claims(summary))


def _nauc(summary: Summary, task: str, name: str) -> str:
    cells = {g: c for (t, s, g), c in summary.cells.items() if (t, s) == (task, name)}
    values = [cell.nauc for cell in cells.values()]
    words = {summary.verdicts[task, name, g] for g in cells}
    mark = MARKS["loses"] if "loses" in words else MARKS["safe"] if words == {"safe"} else ""
    return f"{np.mean(values):.2f}{mark}{_range(values)}"


def _late(summary: Summary, task: str, name: str) -> str:
    values = [np.exp(r.log_late.mean()) for (t, s, _), r in summary.runs.items() if (t, s) == (task, name)]
    return f"{np.mean(values):.2f}{_range(values)}"


def _range(values: list[float]) -> str:
    return f" ({min(values):.2f}-{max(values):.2f})" if len(values) > 1 else ""


def _diversity(summary: Summary, task: str, name: str) -> str:
    values = {g: _mean(r.own.diversity) for (t, s, g), r in summary.runs.items() if (t, s) == (task, name)}
    known = {g: value for g, value in values.items() if value is not None}
    if not known:
        return EMPTY
    return f"{np.mean(list(known.values())):.2f}, {known[max(known)]:.2f}"


def _burden(summary: Summary, task: str, name: str) -> str:
    return str(summary.burdens[task, name, _largest(summary, task, name)])


def _largest(summary: Summary, task: str, name: str) -> int:
    return max(g for t, s, g in summary.cells if (t, s) == (task, name))


def _by_problem(summary: Summary, words: str, cell: Callable[[Summary, str, str], str]) -> str:
    if not summary.cells:
        return ""
    have = {(task, name) for task, name, _ in summary.cells}
    names = [name for name in summary.strategies if any((task, name) in have for task in summary.problems)]
    lines = [words, "", _row(["strategy", *summary.problems]), _row(["---", *["---:"] * len(summary.problems)])]
    for name in names:
        given = [cell(summary, task, name) if (task, name) in have else EMPTY for task in summary.problems]
        lines.append(_row([name, *given]))
    return "\n".join(lines)


def _tables(summary: Summary) -> str:
    if not summary.tables:
        return ""
    tables = list(dict.fromkeys(task for line in summary.tables.values() for task in line.by_table))
    lines = [
        TABLES,
        "",
        _row(["strategy", "mean", *tables]),
        _row(["---", *["---:"] * (len(tables) + 1)]),
    ]
    for name, line in sorted(summary.tables.items(), key=lambda item: item[1].mean):
        cells = [_difference(line.by_table.get(task), line.intervals.get(task)) for task in tables]
        lines.append(_row([name, f"{line.mean:+.3f}", *cells]))
    return "\n".join(lines)


def _difference(mean: float | None, interval: Interval | None) -> str:
    if mean is None:
        return EMPTY
    mark = "" if interval is None else "°" if interval.low > 0 else "*" if interval.high < 0 else ""
    return f"{mean:+.3f}{mark}"


def _seconds(summary: Summary) -> str:
    tasks = list(dict.fromkeys(task for task, _, _ in summary.runs))
    lines = [
        SECONDS,
        "",
        _row(["strategy", *tasks]),
        _row(["---", *["---:"] * len(tasks)]),
    ]
    for name in summary.strategies:
        lines.append(_row([name, *(_cost(summary, task, name) for task in tasks)]))
    return "\n".join(lines)


def _cost(summary: Summary, task: str, name: str) -> str:
    found = [runs.own.seconds for (t, s, _), runs in summary.runs.items() if (t, s) == (task, name)]
    if not found:
        return EMPTY
    return " / ".join(f"{np.mean([one[part] for one in found]):.1f}" for part in ("train", "select"))


def _origin(summary: Summary) -> str:
    counts = sorted({len(runs.own.repeats) for runs in summary.runs.values()})
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    versions = ", ".join(f"{name} {version}" for name, version in summary.versions.items())
    return f"Repetitions: {seeds}. Machine: {'; '.join(summary.machines)}. Versions: {versions}."


def _ends(interval: Interval | None) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}" if interval else "fewer than 8 repetitions"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def as_json(summary: Summary) -> dict[str, Any]:
    """The figures as plain values."""
    cells = [
        {
            "task": task, "strategy": strategy, "gamma": gamma, "nauc": cell.nauc, "nauc_log": cell.nauc_log,
            "low": cell.interval.low if cell.interval else None, "high": cell.interval.high if cell.interval else None,
            "p": cell.p, "repetitions": cell.repetitions, "verdict": summary.verdicts[task, strategy, gamma],
            "late": float(np.exp(summary.runs[task, strategy, gamma].log_late.mean())),
            "diversity": _mean(summary.runs[task, strategy, gamma].own.diversity),
            "burden": str(summary.burdens[task, strategy, gamma]),
            "cpu_seconds": summary.runs[task, strategy, gamma].own.seconds["cpu"],
        }
        for (task, strategy, gamma), cell in summary.cells.items()
    ]  # fmt: skip
    tables = {name: {"mean": line.mean, "by_table": dict(line.by_table)} for name, line in summary.tables.items()}
    return {
        "suite": SUITE, "protocol": summary.protocol, "cells": cells, "tables": tables,
        "claims": plain_claims(claims(summary)),
        "default": _default_json(summary.default), "failures": list(summary.failures),
        "machines": list(summary.machines), "versions": dict(summary.versions),
    }  # fmt: skip


def _default_json(default: DefaultFigures | None) -> dict[str, Any] | None:
    if default is None:
        return None
    bounds = {task: [one.low, one.high] if one else None for task, one in default.claim.bounds.items()}
    return {
        "verdict": default.claim.word, "delta": default.claim.delta, "bounds": bounds,
        "nauc": dict(default.nauc), "late": dict(default.late), "mean": default.mean, "worst": default.worst,
        "rivals": {name: {"mean": mean, "worst": worst} for name, (mean, worst) in default.rivals.items()},
    }  # fmt: skip


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
