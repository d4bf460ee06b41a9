"""The map of the regimes: where they lie, with the boundary wherever two axes are all it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from strongsuit.partition.describe_portraits import spoken
from strongsuit.partition.describe_values import Axis, Description, Map
from strongsuit.partition.discover import Partitioned
from strongsuit.plots.style import INK, MUTED, QUIET, colour, legend, literal, marker, name_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TARGETS_SHOWN = 3
GRID = 400  # points of a curve
CELLS = 160  # cells of a shaded plane, each way
FEW_VALUES = 15  # up to so many places on an axis are spread a little, or points hide each other
JITTER = 0.14
MAGNITUDES = 50.0  # ratio of the largest to the smallest value from which an axis is logarithmic
BEYOND = 0.04  # how far axes reach beyond the rows


def draw_map(model: Partitioned, description: Description, X: np.ndarray, Y: np.ndarray) -> Figure | None:
    """The figure of the description's map, or None where there is none."""
    view = description.map
    if view is None:
        return None
    if view.kind == "curve":
        return _draw_curves(model, description, view, X, Y)
    figure, axes = new_figure(7.2, 4.6)
    ax = axes[0, 0]
    _points(ax, view, description.found)
    shaded = view.kind == "plane" and _shade(ax, model, view, X)
    if not shaded and view.kind != "discriminant":
        _stretch(ax, view)
    name_axes(ax, literal(view.x.label), literal(view.y.label))
    legend(ax, loc="upper left", bbox_to_anchor=(1.0, 1.0), markerscale=1.8)
    return figure


def _points(ax, view: Map, found: int) -> None:
    x, y = _spread_out(view.x, 0), _spread_out(view.y, 1)
    for k in range(found):
        own = view.labels == k
        ax.plot(x[own], y[own], marker(k), color=colour(k), markersize=4.2, alpha=0.7, markeredgewidth=0,
                linestyle="none", label=f"regime {k + 1}")  # fmt: skip
    for axis, set_ticks in ((view.x, ax.set_xticks), (view.y, ax.set_yticks)):
        if axis.ticks:
            set_ticks(range(len(axis.ticks)), [literal(tick) for tick in axis.ticks])
        elif _few(axis):
            places = np.unique(axis.values)
            set_ticks(places, [f"{place:g}" for place in places])
    if len(view.x.ticks) > 6:
        ax.tick_params(axis="x", rotation=40)


def _spread_out(axis: Axis, salt: int) -> np.ndarray:
    """The values, moved a little apart where they share few places; the same way every time."""
    if not _few(axis):
        return axis.values
    step = np.diff(np.unique(axis.values)).min()
    turn = (np.arange(len(axis.values)) * (0.6180339887 if salt == 0 else 0.7548776662)) % 1.0
    return axis.values + JITTER * step * (2 * turn - 1)


def _few(axis: Axis) -> bool:
    return 2 <= len(np.unique(axis.values)) <= FEW_VALUES


def shares_places(view: Map) -> bool:
    """Whether points of the map are moved apart."""
    return view.kind != "curve" and (_few(view.x) or _few(view.y))


def _stretch(ax, view: Map) -> None:
    """Logarithmic axes for features that span orders of magnitude, which a linear axis would crowd at zero."""
    for axis, scale in ((view.x, ax.set_xscale), (view.y, ax.set_yscale)):
        low, high = axis.values.min(), axis.values.max()
        if axis.column >= 0 and not _few(axis) and low > 0 and high > MAGNITUDES * low:
            scale("log")


def _shade(ax, model: Partitioned, view: Map, X: np.ndarray) -> bool:
    """The regimes as areas, the boundary as a line: only where the boundary sees just these two features.

    True if so.
    """
    from matplotlib.colors import to_rgb

    columns = model.pipeline.columns
    mine = [view.x.column, view.y.column]
    if -1 in mine or not set(int(c) for c in columns) <= set(mine):
        return False
    gx, gy = _ends(view.x.values), _ends(view.y.values)
    xx, yy = np.meshgrid(np.linspace(*gx, CELLS), np.linspace(*gy, CELLS))
    place = {view.x.column: xx.ravel(), view.y.column: yy.ravel()}
    grid = np.stack([place[int(c)] for c in columns], axis=1)
    labels = model.pipeline.boundary.labels(grid).reshape(xx.shape)
    shade = np.array([to_rgb(colour(k)) for k in range(model.found)])[labels]
    shade = np.dstack([shade, np.full(xx.shape, 0.12)])
    if X.shape[1] == 2 and model.pipeline.far is not None:
        both = np.stack([place[0], place[1]], axis=1)
        far = model.pipeline.far.is_far(both).reshape(xx.shape)
        shade[far] = (*to_rgb(QUIET), 0.35)
    ax.imshow(shade, extent=(*gx, *gy), origin="lower", aspect="auto", interpolation="nearest", zorder=0)
    for k in range(model.found):
        if (labels == k).any() and (labels != k).any():
            ax.contour(xx, yy, (labels == k).astype(float), levels=[0.5], colors=[INK], linewidths=1.0)
    ax.set_xlim(*gx)
    ax.set_ylim(*gy)
    return True


def _ends(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = BEYOND * ((high - low) or 1.0)
    return low - room, high + room


def _draw_curves(model: Partitioned, description: Description, view: Map, X, Y) -> Figure:
    """One feature: rows by regime, the experts over their regimes, the single model, and the boundary."""
    shown = min(TARGETS_SHOWN, len(description.targets))
    figure, axes = new_figure(7.2, 3.6 if shown == 1 else 2.6 * shown, rows=shown, sharex=True)
    grid = np.linspace(*_ends(X[:, 0]), GRID)[:, None]
    experts, fallback = spoken(model, grid)
    regime = _regime_of(model, grid)
    for j in range(shown):
        ax = axes[j, 0]
        for k in range(description.found):
            own = view.labels == k
            ax.plot(view.x.values[own], Y[view.rows[own], j], marker(k), color=colour(k), markersize=3.6, alpha=0.45,
                    markeredgewidth=0, linestyle="none", label=f"regime {k + 1}")  # fmt: skip
        ax.plot(grid[:, 0], fallback[:, j], color=MUTED, linewidth=1.6, linestyle=(0, (5, 2)), label="single model")
        if description.found > 1:
            _experts(ax, description, grid[:, 0], experts[:, :, j], regime)
            _cuts(ax, model, grid, regime)
        name_axes(ax, literal(view.x.label) if j == shown - 1 else "", literal(description.targets[j]))
    legend(axes[0, 0], loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _regime_of(model: Partitioned, grid: np.ndarray) -> np.ndarray:
    if model.pipeline.boundary is None:
        return np.zeros(len(grid), int)
    return model.pipeline.boundary.labels(grid[:, model.pipeline.columns])


def _experts(ax, description: Description, x, experts, regime) -> None:
    for k, line in enumerate(description.table):
        if not (regime == k).any() or not np.isfinite(experts[regime == k, k]).any():
            continue
        inside = np.where(regime == k, experts[:, k], np.nan)
        style = "-" if line.speaks else ":"
        words = f"expert {k + 1}" + ("" if line.speaks else " (off)")
        ax.plot(x, inside, style, color=colour(k), linewidth=2.4, label=words)


def _cuts(ax, model: Partitioned, grid: np.ndarray, regime: np.ndarray) -> None:
    for i in np.flatnonzero(np.diff(regime)):
        ax.axvline(0.5 * (grid[i, 0] + grid[i + 1, 0]), color=INK, linewidth=0.9, linestyle=(0, (2, 2)))
    if model.pipeline.far is None:
        return
    far = model.pipeline.far.is_far(grid)
    if far.any():
        ax.fill_between(grid[:, 0], 0, 1, where=far, transform=ax.get_xaxis_transform(), color=QUIET, alpha=0.25,
                        linewidth=0, label="far from all rows")  # fmt: skip
