"""What a careful reader checks: residuals by regime, and whether the gate means what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from strongsuit.partition.describe_values import Description
from strongsuit.partition.discover import Partitioned, route
from strongsuit.plots.style import INK, MUTED, colour, legend, literal, marker, name_axes, new_figure, thin

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TARGETS_SHOWN = 3
RESIDUAL_POINTS = 1_200
ROOM = 0.55  # inches for each regime


@dataclass(frozen=True)
class Residuals:
    """Predictions and residuals (m, q) in target units of the deployed and the single model, by regime (m,)."""

    prediction: np.ndarray
    deployed: np.ndarray
    single: np.ndarray
    regime: np.ndarray


def residuals_of(model: Partitioned, description: Description, X: np.ndarray, Y: np.ndarray) -> Residuals:
    """Cross-fitted residuals where the description has them, else those of rows the model was trained on."""
    held, scale = description.evidence, model.scale
    if held is not None:
        to_units = scale.spread
        return Residuals(
            held.deployed * to_units + scale.center, (held.Y - held.deployed) * to_units,
            (held.Y - held.single) * to_units, held.named,
        )  # fmt: skip
    rows = thin(np.arange(len(X)))
    said = route(model, X[rows])
    return Residuals(said.prediction, Y[rows] - said.prediction, Y[rows] - said.fallback, said.regime)


def draw_residuals(model: Partitioned, description: Description, X: np.ndarray, Y: np.ndarray) -> Figure:
    """Residuals of the deployed model against its prediction, and their spread by regime beside the single model's."""
    data = residuals_of(model, description, X, Y)
    shown = min(TARGETS_SHOWN, len(description.targets))
    panels = 2 if description.found > 1 else 1
    shares = {"width_ratios": (3, 2)[:panels]}
    height = max(3.1, ROOM * description.found)
    figure, axes = new_figure(7.2, height * shown, rows=shown, columns=panels, gridspec_kw=shares)
    for j in range(shown):
        _cloud(axes[j, 0], data, j, description)
        if panels > 1:
            _spreads(axes[j, 1], data, j, description)
    return figure


def _cloud(ax, data: Residuals, j: int, description: Description) -> None:
    name = description.targets[j]
    for k in range(description.found):
        own = thin(np.flatnonzero(data.regime == k), RESIDUAL_POINTS // description.found)
        ax.plot(data.prediction[own, j], data.deployed[own, j], marker(k), color=colour(k), markersize=3.2,
                alpha=0.6, markeredgewidth=0, linestyle="none", label=f"regime {k + 1}")  # fmt: skip
    ax.axhline(0.0, color=INK, linewidth=0.8)
    name_axes(ax, literal(f"prediction of {name}"), literal(f"residual of {name}"))


def _spreads(ax, data: Residuals, j: int, description: Description) -> None:
    """Median, middle half and middle 90 % of the residuals by regime."""
    for k in range(description.found):
        own = data.regime == k
        if not own.any():
            continue
        place = description.found - 1 - k
        _whisker(ax, data.single[own, j], place - 0.16, MUTED, "single" if k == 0 else None)
        _whisker(ax, data.deployed[own, j], place + 0.16, colour(k), None)
    ax.axvline(0.0, color=INK, linewidth=0.8)
    ax.locator_params(axis="x", nbins=4)
    ax.set_yticks(range(description.found), [f"regime {k}" for k in range(description.found, 0, -1)])
    ax.set_ylim(-0.6, description.found - 0.4)
    ax.grid(False, axis="y")
    title = "deployed (colour), single (grey)" if j == 0 else ""
    name_axes(ax, literal(f"residual of {description.targets[j]}"), "", title)


def _whisker(ax, values: np.ndarray, place: float, tone: str, label: str | None) -> None:
    ends = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))
    ax.plot(ends[[0, 4]], [place, place], color=tone, linewidth=1.2)
    ax.plot(ends[[1, 3]], [place, place], color=tone, linewidth=5.0, solid_capstyle="butt", label=label)
    ax.plot([ends[2]], [place], "|", color=INK, markersize=9)


def draw_reliability(description: Description) -> Figure:
    """Observed share of right regimes against the probability the gate stated, area of the points by rows."""
    gate = description.gate
    figure, axes = new_figure(4.6, 3.6)
    ax = axes[0, 0]
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), label="as stated")
    if gate is not None and gate.bins:
        stated = [one.stated for one in gate.bins]
        observed = [one.observed for one in gate.bins]
        rows = np.array([one.rows for one in gate.bins], float)
        ax.plot(stated, observed, color=colour(0), linewidth=1.4)
        ax.scatter(stated, observed, 15 + 90 * rows / rows.max(), color=colour(0), zorder=3, clip_on=False,
                   label="observed")  # fmt: skip
    low = 1.0 / max(2, description.found)
    least = min([one.observed for one in gate.bins], default=low) if gate else low
    ax.set_xlim(max(0.0, low - 0.05), 1.03)
    ax.set_ylim(max(0.0, min(least, low) - 0.05), 1.05)
    name_axes(ax, "probability stated for the regime", "share of rows in that regime")
    legend(ax, loc="lower right")
    return figure
