"""How labelling went: the error by labels with its power law, and who chose the rows of every round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strongsuit.active.guard import RANDOM, TRIAL, TRUSTED
from strongsuit.active.history import BY_AUDIT, History, Point
from strongsuit.plots.style import (
    GOOD,
    INK,
    MUTED,
    PAPER,
    QUIET,
    RULE,
    colour,
    legend,
    literal,
    log_scale,
    name_axes,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DECISIONS = {TRIAL: "back on trial", TRUSTED: "trusted", RANDOM: "random from here"}
TONES = {TRIAL: MUTED, TRUSTED: GOOD, RANDOM: colour(1)}
TESTED = {True: "random rows that no choice saw", False: "labelled rows, cross-validated"}
ERROR, LAW, NEXT = "error, 95 % interval", "power law", "next batch, 80 % interval"
LINE = 84  # characters that fit above the axes
CLOSE_MARKS = 0.09  # of the width of the axes: nearer names of decisions would run into each other


def draw_progress(history: History, *, target: str = "", goal: float | None = None) -> Figure:
    """The learning curve with 95 % intervals, its power law up to the next batch, the guard's decisions, and the rows
    of every round by who chose them.

    `target` names the label for the axis; `goal` is a root mean squared error to reach.
    """
    rounds, curve = bool(history.rounds), 3.6 if history.points else 1.0  # inches
    layout = {"gridspec_kw": {"height_ratios": (curve, 1.2)}} if rounds else {}
    figure, axes = new_figure(7.2, curve + 1.2 * rounds, rows=1 + rounds, sharex=True, **layout)
    top = axes[0, 0]
    _curve(top, history, goal)
    _decisions(top, history)
    name_axes(top, "" if rounds else "labels", "error", _title(history, target))
    if rounds:
        _shares(axes[1, 0], history)
        name_axes(axes[1, 0], "labels", "rows", "rows of each batch")
    figure.align_ylabels()
    return figure


def _title(history: History, target: str) -> str:
    if not history.points:
        return "learning curve"
    of = f" of {literal(target)}" if target else ""
    tested = history.progress.checks[-1].rows
    what = history.wrong or "root mean squared error"
    first, second = f"{what}{of}", f"on {tested} {TESTED[history.kind == BY_AUDIT]}"
    return f"{first}{' ' if len(first) + len(second) < LINE else chr(10)}{second}"


def _curve(ax: Axes, history: History, goal: float | None) -> None:
    points = history.points
    if not points:
        ax.text(0.5, 0.5, literal_lines(history.why), transform=ax.transAxes, ha="center", va="center", color=MUTED,
                fontsize=10)  # fmt: skip
        ax.axis("off")
        return
    labels, error = np.array([p.labels for p in points]), np.array([p.error for p in points])
    low, high = np.array([p.low for p in points]), np.array([p.high for p in points])
    _law(ax, history)
    ax.errorbar(labels, error, (error - low, high - error), fmt="o", color=colour(0), markersize=6, elinewidth=1.6,
                capsize=0, label=ERROR, zorder=3)  # fmt: skip
    if goal is not None:
        ax.axhline(goal, color=GOOD, linewidth=1.2, linestyle=(0, (4, 3)))
        ax.annotate("goal", (1, goal), (-2, 4), xycoords=("axes fraction", "data"), textcoords="offset points",
                    ha="right", color=GOOD, fontsize=9)  # fmt: skip
    if low.min() > 0 and high.max() > 4 * low.min():
        log_scale(ax)
    else:
        ax.set_ylim(0, 1.12 * high.max())
        ax.ticklabel_format(axis="y", style="sci", scilimits=(-3, 5))
    drawn = dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
    names = [name for name in (ERROR, LAW, NEXT) if name in drawn]
    legend(ax, loc="upper right", handles=[drawn[name] for name in names])
    frame = ax.get_legend()
    frame.set_frame_on(True)  # lines of decisions pass behind the words
    frame.get_frame().set(facecolor=PAPER, edgecolor="none", alpha=1.0)


def _law(ax: Axes, history: History) -> None:
    """The power law through the points, and its way to the next batch with the interval of its slope."""
    law, points, now = history.law, history.points, history.progress.labels
    if law is None:
        return
    center, height = _anchor(points, law.exponent)
    seen = np.geomspace(points[0].labels, max(now, points[-1].labels), 60)
    later = np.linspace(seen[-1], now + history.progress.batch, 30)
    at = height * (seen[-1] / center) ** (-law.exponent / 2)
    ax.plot(seen, height * (seen / center) ** (-law.exponent / 2), color=INK, linewidth=1.2, label=LAW)
    ax.plot(later, at * (later / seen[-1]) ** (-law.exponent / 2), color=INK, linewidth=1.2, linestyle=(0, (2, 2)))
    slow, fast = (at * (later / seen[-1]) ** (-a / 2) for a in (law.low, law.high))
    ax.fill_between(later, fast, slow, color=INK, alpha=0.14, linewidth=0, label=NEXT)


def _anchor(points: tuple[Point, ...], exponent: float) -> tuple[float, float]:
    """A place on the law: the points' mean number of labels, and the error there, means of logarithms."""
    labels, error = np.log([p.labels for p in points]), np.log([max(p.error, 1e-300) for p in points])
    return float(np.exp(labels.mean())), float(np.exp((error + exponent / 2 * (labels - labels.mean())).mean()))


def _decisions(ax: Axes, history: History) -> None:
    """A line where the guard changed its mind; names that would collide step up."""
    changes = [
        (now.labels, now.state)
        for before, now in zip(history.rounds, history.rounds[1:], strict=False)
        if now.state != before.state and now.state in DECISIONS
    ]
    left, right = ax.get_xlim()
    last, step = -np.inf, 0
    for labels, state in changes:
        step = step + 1 if (labels - last) < 2 * CLOSE_MARKS * (right - left) else 0
        last = labels
        ax.axvline(labels, color=TONES[state], linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
        ax.annotate(
            DECISIONS[state], (labels, 0), (4, 5 + 13 * (step % 3)), xycoords=("data", "axes fraction"),
            textcoords="offset points", color=TONES[state], fontsize=9, zorder=4,
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip


def _shares(ax: Axes, history: History) -> None:
    """A bar a round, as wide as its batch: rows the strategy chose, and rows drawn at random above them."""
    places = np.array([one.labels for one in history.rounds], float)
    width = np.array([one.rows for one in history.rounds], float)
    random = np.array([one.random for one in history.rounds], float)
    style = {"align": "edge", "edgecolor": PAPER, "linewidth": 0.8}
    ax.bar(places, width - random, width, color=colour(0), label="chosen", **style)
    ax.bar(places, random, width, width - random, color=QUIET, label="random", **style)
    ax.set_ylim(0, 1.15 * width.max())
    ax.grid(False, axis="x")
    ax.spines["bottom"].set_color(RULE)
    ax.set_yticks([0, int(width.max())])
    legend(ax, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.0, borderpad=0.1)


def literal_lines(text: str) -> str:
    """The text in lines of at most sixty characters, with dollar signs that matplotlib leaves alone."""
    from textwrap import fill

    return fill(text, 60).replace("$", r"\$")
