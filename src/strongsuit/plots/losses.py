"""How much is lost: the ways to answer side by side, and the gain of each expert."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strongsuit.partition.describe_values import Description
from strongsuit.partition.describe_words import percent
from strongsuit.plots.style import GOOD, INK, MUTED, PAPER, QUIET, colour, name_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_losses(description: Description) -> Figure:
    """Held-out loss of oracle, gated, single and deployed model with 95 % intervals, in percent of the variance."""
    lines = description.losses
    figure, axes = new_figure(7.2, 0.5 * len(lines) + 0.9)
    ax = axes[0, 0]
    tones = {"oracle": QUIET, "single": MUTED, "gated": colour(0), "deployed": GOOD}
    for place, line in enumerate(reversed(lines)):
        reach, tone = line.relative, tones.get(line.name, INK)
        if not np.isfinite(reach.value):
            continue
        ax.plot([100 * reach.low, 100 * reach.high], [place, place], color=tone, linewidth=2.2)
        face = PAPER if line.name == "oracle" else tone
        ax.plot([100 * reach.value], [place], "o", color=tone, markerfacecolor=face, markersize=8)
        ax.annotate(
            percent(reach.value), (100 * reach.value, place), (0, 8), textcoords="offset points",
            ha="center", color=INK, fontsize=9,
        )  # fmt: skip
    ax.set_yticks(range(len(lines)), [line.name for line in reversed(lines)])
    ax.set_ylim(-0.6, len(lines) - 0.2)
    ax.set_xlim(left=0)
    ax.grid(False, axis="y")
    name_axes(ax, "mean squared error on rows left out, % of the variance of the target", "")
    return figure


def draw_gains(description: Description) -> Figure:
    """Forest plot of the experts' gains beyond the margin, with 95 % intervals; hollow where the expert is off."""
    lines = description.table
    relative = all(np.isfinite(line.relative_gain.value) or not np.isfinite(line.gain.value) for line in lines)
    figure, axes = new_figure(7.2, 0.45 * len(lines) + 1.0)
    ax = axes[0, 0]
    for place, line in enumerate(reversed(lines)):
        reach = line.relative_gain if relative else line.gain
        tone = GOOD if line.speaks else QUIET
        if not np.isfinite(reach.value):
            ax.text(0.01, place, f"not tested: {line.words}", transform=ax.get_yaxis_transform(), va="center",
                    color=MUTED, fontsize=9, bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5})  # fmt: skip
            continue
        ax.plot([100 * reach.low, 100 * reach.high], [place, place], color=tone, linewidth=2.2)
        ax.plot([100 * reach.value], [place], "D", color=tone, markerfacecolor=tone if line.speaks else PAPER,
                markersize=7)  # fmt: skip
    ax.axvline(0.0, color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
    ax.set_yticks(range(len(lines)), [f"regime {line.regime}" for line in reversed(lines)])
    ax.set_ylim(-0.6, len(lines) - 0.4)
    ax.grid(False, axis="y")
    margin = percent(float(description.settings["min_gain"]))
    whole = "% of the single model's loss there" if relative else "% of the variance"
    name_axes(ax, f"gain of the expert beyond the margin of {margin}, {whole}", "")
    return figure
