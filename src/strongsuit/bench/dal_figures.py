"""Figures of the regression benchmark: learning curves by problem, and nAUC by strategy and pool size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from strongsuit.bench.dal_report import Summary
from strongsuit.bench.dal_runs import AUTO, RANDOM
from strongsuit.plots.style import INK, MUTED, colour, new_figure

SHOWN = (AUTO, "lcmd_tp", "gsx", "qbc", "qbc_div", "bald_dropout", "learning_loss")  # of the curves
COLUMNS = 3
RANGE = 0.5  # of log2 nAUC, beyond which colours say no more


def draw_curves(summary: Summary, path: Path) -> Path | None:
    """Median test error over labels by problem, with the middle half of random's runs; None without problems."""
    if not summary.problems:
        return None
    figure, axes = _grid(len(summary.problems), 3.6, 2.8)
    for ax, task in zip(axes, summary.problems, strict=False):
        _draw_task(ax, summary, task)
    axes[0].legend(frameon=False, fontsize=7)
    figure.savefig(path, dpi=150, facecolor="white")
    return path


def _grid(count: int, width: float, height: float) -> tuple[Any, list[Any]]:
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    figure, axes = new_figure(width * columns, height * rows, rows, columns)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return figure, list(axes.flat)


def _draw_task(ax: Any, summary: Summary, task: str) -> None:
    digest = summary.tasks[task]
    ax.fill_between(digest.labels, *digest.band, color=MUTED, alpha=0.25, linewidth=0)
    ax.plot(digest.labels, digest.readings[RANDOM, 0].curve, color=MUTED, label="random")
    for place, strategy in enumerate(SHOWN):
        drawn = {g: own.curve for (s, g), own in digest.readings.items() if s == strategy and own.curve is not None}
        if not drawn:
            continue
        gamma = max(drawn)
        label = strategy if not gamma else f"{strategy}, pool {gamma}x"
        style = {"color": INK, "linewidth": 2} if strategy == AUTO else {"color": colour(place), "linewidth": 1}
        ax.plot(digest.labels, drawn[gamma], label=label, **style)
    ax.set_yscale("log")
    ax.set_title(task, fontsize=9)
    ax.set_xlabel("labels")
    ax.set_ylabel("test error")


def draw_pools(summary: Summary, path: Path) -> Path | None:
    """A map of nAUC by strategy and pool size for each problem; None without problems."""
    names = [name for name in summary.strategies if any(g for g in summary.gammas(name))]
    gammas = sorted({g for _, _, g in summary.cells if g})
    if not names or not gammas:
        return None
    figure, axes = _grid(len(summary.problems), 3.4, 0.8 + 0.19 * len(names))
    image = None
    for ax, task in zip(axes, summary.problems, strict=False):
        values = [[_value(summary, task, name, gamma) for gamma in gammas] for name in names]
        image = ax.imshow(np.log2(values), cmap="RdBu_r", vmin=-RANGE, vmax=RANGE, aspect="auto")
        ax.set_xticks(range(len(gammas)), gammas, fontsize=7)
        ax.set_yticks(range(len(names)), names, fontsize=6)
        ax.set_title(task, fontsize=9)
        ax.set_xlabel("pool over batch", fontsize=7)
    bar = figure.colorbar(image, ax=axes, shrink=0.5, ticks=np.log2([0.71, 0.8, 1.0, 1.25, 1.41]))
    bar.ax.set_yticklabels(["≤ 0.71", "0.8", "1", "1.25", "≥ 1.41"], fontsize=7)
    bar.set_label("nAUC: blue is better than random", fontsize=7)
    figure.savefig(path, dpi=150, facecolor="white")
    return path


def _value(summary: Summary, task: str, name: str, gamma: int) -> float:
    cell = summary.cells.get((task, name, gamma))
    return cell.nauc if cell else np.nan
