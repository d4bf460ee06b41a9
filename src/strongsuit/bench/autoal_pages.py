"""The comparison of searches as Markdown, as plain values and as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from strongsuit.active.class_strategies import SEARCHED
from strongsuit.bench.autoal_bench import MEAN_RANK, SEARCH
from strongsuit.bench.autoal_report import DEAREST, REPEATS, SearchSummary
from strongsuit.bench.class_pages import EMPTY
from strongsuit.bench.class_report import Against
from strongsuit.errors import StoreError
from strongsuit.plots.style import MUTED, colour, legend, name_axes, new_figure

TABLE_FILE, FIGURE_FILE = "autoal.md", "autoal.png"
COLUMNS = 3


def markdown(summary: SearchSummary) -> str:
    """What belongs beside the page of the classification benchmark: verdicts, differences, hindsight, ranks, cost."""
    parts = [_verdicts(summary), *(_differences(summary, base) for base in summary.against), _hindsight(summary)]
    parts += [_ranks(summary), _cost(summary)]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def as_json(summary: SearchSummary) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "verdicts": [{"held": bool(held), "words": words} for held, words in summary.verdicts],
        "against": {
            base: {
                task: {name: _plain(one) for (other, name), one in found.items() if other == task}
                for task in summary.base.tasks
            }
            for base, found in summary.against.items()
        },
        "overall": {
            base: {name: _plain(one) for name, one in found.items()} for base, found in summary.overall.items()
        },
        "hindsight": {
            task: {"name": one.name, "aulc": one.aulc, "autoal": _plain(one.difference)}
            for task, one in summary.best.items()
        },
        "candidate_ranks": summary.base.ranks((*SEARCHED, SEARCH)),
        "cost": dict(summary.cost),
        "weights": {
            task: {"labels": labels.tolist(), **dict(zip(SEARCHED, shares.T.tolist(), strict=True))}
            for task, (labels, shares) in summary.weights.items()
        },
    }


def write_report(summary: SearchSummary, folder: Path) -> list[Path]:
    """The files written into the folder: the page, and the figure of weights where there are any."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        page, figure = folder / TABLE_FILE, folder / FIGURE_FILE
        page.write_text(markdown(summary), encoding="utf-8")
        return [page, draw_weights(summary, figure)] if summary.weights else [page]
    except OSError as error:
        raise StoreError(f"the report cannot be written to {folder}: {error.strerror}") from error


def draw_weights(summary: SearchSummary, path: Path) -> Path:
    """The mean share of each candidate's weight over the labels, a panel for each set; the line is the equal share."""
    columns = min(COLUMNS, len(summary.weights))
    rows = -(-len(summary.weights) // columns)
    figure, axes = new_figure(3.6 * columns, 2.8 * rows, rows, columns, sharey=True)
    for ax, (task, (labels, shares)) in zip(axes.flat, summary.weights.items(), strict=False):
        ax.axhline(1.0 / len(SEARCHED), color=MUTED, linewidth=0.8)
        for place, name in enumerate(SEARCHED):
            ax.plot(labels, shares[:, place], color=colour(place), linewidth=1.4, label=name)
        name_axes(ax, "labels", "share of the weight" if ax in axes[:, 0] else "", task)
    for ax in axes.flat[len(summary.weights) :]:
        ax.set_axis_off()
    legend(axes[0, 0])
    figure.savefig(path, dpi=150, facecolor="white")
    return path


def _verdicts(summary: SearchSummary) -> str:
    if not summary.verdicts:
        return ""
    lines = [f"- {'held' if held else '**not held**'}: {words}" for held, words in summary.verdicts]
    whole = all(held for held, _ in summary.verdicts)
    few = "" if summary.repeats >= REPEATS else f" Only {summary.repeats} repetitions: orientation, no verdict."
    said = "may become a default" if whole else "stays an option"
    return "\n".join([f"Conditions for {SEARCH} as a default, all of which must hold: it {said}.{few}", "", *lines])


def _differences(summary: SearchSummary, base: str) -> str:
    found = summary.against[base]
    names, tasks = list(dict.fromkeys(name for _, name in found)), summary.base.tasks
    if not names:
        return ""
    lines = [
        f"Difference of the mean accuracy to {base}, in points, with its 95 % interval; * above, ° below (signed ranks "
        "over repetitions, Holm over rows, 5 %); the last column is of areas averaged over the sets on which both ran:",
        "",
        f"| strategy | {' | '.join(tasks)} | all |",
        f"| --- |{' ---: |' * (len(tasks) + 1)}",
    ]
    for name in names:
        cells = [*(found.get((task, name)) for task in tasks), summary.overall[base].get(name)]
        lines.append(f"| {name} | {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines)


def _cell(one: Against | None) -> str:
    if one is None:
        return EMPTY
    mark = "" if one.p >= 0.05 else "*" if one.difference > 0 else "°"
    reach = f" ({100 * one.interval.low:+.2f} to {100 * one.interval.high:+.2f})" if one.interval else ""
    return f"{100 * one.difference:+.2f}{mark}{reach}"


def _hindsight(summary: SearchSummary) -> str:
    lines = [
        f"The best candidate of each set, known in hindsight only, and the difference of {SEARCH} to it, in points:",
        "",
        "| set | best candidate | accuracy | autoal |",
        "| --- | --- | ---: | ---: |",
    ]
    lines += [
        f"| {task} | {one.name} | {100 * one.aulc:.1f} | {_cell(one.difference)} |"
        for task, one in summary.best.items()
        if one.name
    ]
    return "\n".join(lines) if len(lines) > 4 else ""


def _ranks(summary: SearchSummary) -> str:
    ranks = summary.base.ranks((*SEARCHED, SEARCH))
    if SEARCH not in ranks:
        return ""
    said = ", ".join(f"{name} {rank:.2f}" for name, rank in sorted(ranks.items(), key=lambda pair: pair[1]))
    return f"Mean rank by area among the candidates and {SEARCH}, over sets and repetitions: {said}."


def _cost(summary: SearchSummary) -> str:
    if not summary.cost:
        return ""
    mean = float(np.mean(list(summary.cost.values())))
    said = ", ".join(f"{task} {ratio:.2f}" for task, ratio in summary.cost.items())
    held = "held" if max(summary.cost.values()) <= DEAREST else "**not held**"
    return (
        f"CPU seconds of a query of {SEARCH} over those of {MEAN_RANK}, which scores all candidates once: mean "
        f"{mean:.2f}; {said}. At most {DEAREST:g} on every set: {held}."
    )


def _plain(one: Against | None) -> dict[str, Any] | None:
    if one is None:
        return None
    reach = None if one.interval is None else [one.interval.low, one.interval.high]
    return {"difference": one.difference, "p": one.p, "interval": reach}
