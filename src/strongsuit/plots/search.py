"""How the regimes were found: the number of them, and who won what in the competition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from strongsuit.partition.describe_values import Description
from strongsuit.plots.style import GOOD, INK, MUTED, PAPER, colour, legend, log_scale, name_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMED_STEPS = 14
LOG_FROM = 20.0  # ratio of losses from which a logarithmic axis shows more
EVENTS = {"add": ("^", "added"), "drop": ("v", "dropped"), "refused": ("x", "tried, refused")}


def draw_path(description: Description) -> Figure:
    """Loss on the judge rows for each number of regimes with one standard error; the chosen number is filled."""
    path = description.path
    figure, axes = new_figure(7.2, 3.0)
    ax = axes[0, 0]
    count = np.array([point.regimes for point in path])
    loss = 100 * np.array([point.loss for point in path])
    error = 100 * np.array([point.error for point in path])
    error = np.where(np.isfinite(error), error, 0.0)
    ax.fill_between(count, loss - error, loss + error, color=colour(0), alpha=0.18, linewidth=0)
    ax.plot(count, loss, color=colour(0), linewidth=1.6)
    for point, x, y in zip(path, count, loss, strict=True):
        face = colour(0) if point.chosen else PAPER
        ax.plot([x], [y], "o", color=colour(0), markerfacecolor=face, markersize=9 if point.chosen else 7)
        if point.chosen:
            ax.annotate("chosen", (x, y), (0, 10), textcoords="offset points", ha="center", color=INK, fontsize=9)
    ax.set_xticks(count)
    ax.margins(x=0.08, y=0.18)
    if loss.min() > 0 and loss.max() > LOG_FROM * loss.min():
        log_scale(ax)
    name_axes(ax, "number of regimes", "loss on judge rows, % of variance")
    return figure


def draw_history(competition: Any) -> Figure:
    """Shares of rows won by each model over the steps of a competition, and the loss on the judge rows below.

    Trials that were refused are pale: after them the competition went on from the state before.
    """
    trace = competition.trace
    figure, axes = new_figure(7.2, 4.4, rows=2, sharex=True, gridspec_kw={"height_ratios": (3, 2)})
    top, bottom = axes[:, 0]
    _shares(top, trace)
    _losses(bottom, trace)
    if len(trace) <= NAMED_STEPS:
        names = [_named(step.event) for step in trace]
        bottom.set_xticks(range(len(trace)), names, fontsize=8)
    name_axes(top, "", "share of rows won")
    name_axes(bottom, "step of the competition", "judge loss, %")
    return figure


def _named(event: str) -> str:
    return f"{event.removeprefix('refused_')}\nrefused" if event.startswith("refused") else event


def _shares(ax, trace) -> None:
    most = max(len(step.sizes) for step in trace)
    shares = np.zeros((len(trace), most))
    for i, step in enumerate(trace):
        shares[i, : len(step.sizes)] = np.array(step.sizes) / max(1, sum(step.sizes))
    base = np.zeros(len(trace))
    refused = np.array([step.event.startswith("refused") for step in trace])
    place = np.arange(len(trace))
    width = 0.8 if len(trace) <= 40 else 1.0
    for k in range(most):
        for off in (False, True):
            own = refused == off
            ax.bar(place[own], shares[own, k], width, base[own], color=colour(k), alpha=0.3 if off else 0.9,
                   edgecolor=PAPER, linewidth=0.6 if width < 1 else 0.0,
                   label=f"model {k + 1}" if not off else None)  # fmt: skip
        base = base + shares[:, k]
    ax.set_ylim(0, 1)
    ax.grid(False)
    if most > 1:
        legend(ax, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _losses(ax, trace) -> None:
    accepted = [step for step in trace if not step.event.startswith("refused")]
    place = {id(step): i for i, step in enumerate(trace)}
    ax.plot([place[id(s)] for s in accepted], [100 * s.loss for s in accepted], color=MUTED, linewidth=1.6,
            marker="." if len(accepted) <= NAMED_STEPS else "")  # fmt: skip
    for event, (shape, words) in EVENTS.items():
        steps = [step for step in trace if step.event.startswith(event)]
        tone = MUTED if event == "refused" else GOOD
        if steps:
            ax.plot([place[id(s)] for s in steps], [100 * s.loss for s in steps], shape, color=tone, markersize=7,
                    linestyle="none", label=words)  # fmt: skip
    losses = np.array([step.loss for step in trace])
    if losses.min() > 0 and losses.max() > LOG_FROM * losses.min():
        log_scale(ax)
    ax.margins(y=0.15)
    if any(step.event != "pass" and step.event != "start" for step in trace):
        legend(ax, loc="upper left", bbox_to_anchor=(1.0, 1.0))
