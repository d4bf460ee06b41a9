"""The benchmark's summary as Markdown and as a figure."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from strongsuit.bench.methods import DEPLOYED, SINGLE
from strongsuit.bench.report import ALPHA, Entry, Summary, single_runs
from strongsuit.errors import StoreError

TABLE_FILE, FIGURE_FILE = "report.md", "report.png"
BETTER, WORSE = "*", "°"
DIGITS = 3
_EMPTY = "-"


def markdown(summary: Summary) -> str:
    """The whole report as Markdown: verdict, deployed against single, all methods, seconds, reasons, versions."""
    parts = [f"Split: {summary.split}. Learner: {summary.learner or 'none'}.", _verdicts(summary), _changes(summary)]
    parts += [_single_runs(summary), _errors(summary), _seconds(summary), _reasons(summary), _origin(summary)]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_report(summary: Summary, folder: Path) -> list[Path]:
    """The files written into the folder: the Markdown table and the figure."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        table = folder / TABLE_FILE
        table.write_text(markdown(summary), encoding="utf-8")
        return [table, _draw(summary, folder / FIGURE_FILE)]
    except OSError as error:
        raise StoreError(f"the report cannot be written to {folder}: {error.strerror}") from error


def _verdicts(summary: Summary) -> str:
    return "\n".join(f"- {'kept' if kept else 'MISSED'}: {words}" for kept, words in summary.verdicts)


def _changes(summary: Summary) -> str:
    if not summary.changes:
        return ""
    lines = [
        "Deployed against the single model of the same families: change of the mean test error with a 95 % interval, "
        "corrected for overlapping training sets (Nadeau and Bengio 2003); p two-sided, Holm-adjusted over tables.",
        "",
        "| table | change | 95 % interval | worst seed | p | deployed | regimes found | seeds |",
        "|---|---:|---|---:|---:|---:|---:|---:|",
    ]
    for table, one in summary.changes.items():
        interval = f"{one.low:+.1%} to {one.high:+.1%}" if math.isfinite(one.low) else _EMPTY
        lines.append(
            f"| {table} | {one.change:+.1%} | {interval} | {one.worst:+.1%} | {one.p:.3f} | {one.deployed:.0%} | "
            f"{one.found:.1f} | {one.seeds} |"
        )
    return "\n".join(lines)


def _single_runs(summary: Summary) -> str:
    return "\n".join(
        f"- {name}, run by run: better than the single model in {one['better']}, worse in {one['worse']} of "
        f"{one['runs']}; at most {one['most']:+.1%}"
        for name, one in single_runs(summary).items()
    )


def _errors(summary: Summary) -> str:
    lines = [
        "Test error relative to the variance of the training targets, mean (sd over seeds). "
        f"{BETTER} better, {WORSE} worse than the deployed model (p < {ALPHA:g}, same test). "
        "Bold: the least of a row.",
        "",
        _row(["table", *summary.results]),
        _row(["---", *["---:"] * len(summary.results)]),
    ]
    for table in summary.tables:
        row = summary.entries[table]
        best = min((entry.mean for entry in row.values() if entry.errors), default=math.nan)
        lines.append(_row([table, *(_error(summary, table, name, best) for name in summary.results)]))
    return "\n".join(lines)


def _error(summary: Summary, table: str, name: str, best: float) -> str:
    entry = summary.entries[table][name]
    if not entry.errors:
        return "does not run" if entry.reason else _EMPTY
    mean = f"**{_short(entry.mean)}**" if entry.mean == best else _short(entry.mean)
    return f"{mean} ({_short(entry.spread)}){_mark(entry, summary.entries[table].get(DEPLOYED))}"


def _mark(entry: Entry, ours: Entry | None) -> str:
    if ours is None or entry.p >= ALPHA:
        return ""
    return BETTER if entry.mean < ours.mean else WORSE


def _seconds(summary: Summary) -> str:
    lines = [
        "CPU seconds of a fit with its predictions on one thread, mean over seeds; results of one fit share them:",
        "",
        _row(["table", *summary.results]),
        _row(["---", *["---:"] * len(summary.results)]),
    ]
    for table in summary.tables:
        cells = [summary.entries[table][name].seconds for name in summary.results]
        lines.append(_row([table, *(_EMPTY if math.isnan(one) else f"{one:.3g}" for one in cells)]))
    return "\n".join(lines)


def _reasons(summary: Summary) -> str:
    found: dict[tuple[str, str], list[str]] = {}
    for table in summary.tables:
        for name, entry in summary.entries[table].items():
            if entry.reason:
                found.setdefault((name, entry.reason), []).append(table)
    lines = [f"- {name} does not run on {', '.join(tables)}: {why}" for (name, why), tables in found.items()]
    return "\n".join(lines)


def _origin(summary: Summary) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in summary.versions.items())
    return f"Machine: {'; '.join(summary.machines)}. Versions: {versions}."


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _short(value: float) -> str:
    return f"{value:.{DIGITS}g}" if value >= 1e-4 or value == 0 else f"{value:.1e}"


def _draw(summary: Summary, path: Path) -> Path:
    """The figure: for each table every method's mean error over that of the single model (or of the best)."""
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, max(4.0, 1.5 + 0.45 * len(summary.tables))), layout="constrained")
    axes = figure.subplots()
    names = [name for name in summary.results if name != SINGLE]
    for place, name in enumerate(names):
        _draw_method(axes, summary, name, place)
    axes.axvline(1.0, color="0.4", linewidth=1, zorder=0)
    axes.set_xscale("log")
    axes.set_yticks(range(len(summary.tables)), summary.tables)
    axes.invert_yaxis()
    base = "the single model" if _has_single(summary) else "the best method"
    axes.set_xlabel(f"mean test error / that of {base} (left is better)")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=150)
    return path


def _draw_method(axes: Any, summary: Summary, name: str, place: int) -> None:
    from matplotlib import colormaps

    ratios = [summary.entries[table][name].mean / _base(summary, table) for table in summary.tables]
    ours, colours = name == DEPLOYED, colormaps["tab20"]
    marks = "osD^v<>PXhd8pH*"
    style = {"color": "black", "s": 60, "zorder": 3} if ours else {"s": 28, "alpha": 0.8, "color": colours(place % 20)}
    axes.scatter(ratios, range(len(ratios)), marker=marks[place % len(marks)], label=name, **style)


def _has_single(summary: Summary) -> bool:
    return all(SINGLE in row and row[SINGLE].errors for row in summary.entries.values())


def _base(summary: Summary, table: str) -> float:
    row = summary.entries[table]
    if _has_single(summary):
        return row[SINGLE].mean
    return min((entry.mean for entry in row.values() if entry.errors), default=math.nan)
