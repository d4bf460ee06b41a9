"""One look for all figures, and figures as SVG that follows the page's light or dark theme.

Figures are drawn in the colours of the light theme. In the SVG each of these colours becomes a CSS variable,
so that a page can say what it is in the dark; text stays text. Nothing here touches pyplot.
"""

from __future__ import annotations

import io
import re
import warnings
from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, RULE, PAPER = "#1b1f24", "#5b6470", "#d5dae1", "#fffffe"
GOOD, QUIET = "#00875f", "#8b929c"
# Okabe and Ito (2008), safe for colour-blind readers, its yellow replaced by an olive that shows on white.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a2b", "#7f6fbf")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DARK_PALETTE = ("#4aa8e8", "#ff8a4c", "#35c79b", "#e59ac4", "#f2b93b", "#8fd0f5", "#b9b95a", "#a99be6")
VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper", GOOD: "good", QUIET: "quiet"} | {
    colour: f"regime-{k + 1}" for k, colour in enumerate(PALETTE)
}
LABEL_LENGTH = 44
POINTS = 2_000  # more points make a page heavy and a plot no clearer


def colour(k: int) -> str:
    """The colour of regime k (from 0)."""
    return PALETTE[k % len(PALETTE)]


def marker(k: int) -> str:
    """The marker of regime k (from 0)."""
    return MARKERS[k % len(MARKERS)]


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **layout) -> tuple[Figure, np.ndarray]:
    """An empty styled figure in inches and its axes (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="none")
    axes = figure.subplots(rows, columns, squeeze=False, **layout)
    for ax in axes.flat:
        _plain(ax)
    return figure, axes


def _plain(ax: Axes) -> None:
    ax.set_facecolor("none")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(MUTED)
    ax.tick_params(colors=MUTED, labelcolor=INK, labelsize=9)
    ax.grid(True, color=RULE, linewidth=0.7)
    ax.set_axisbelow(True)


def name_axes(ax: Axes, x: str, y: str, title: str = "") -> None:
    """Labels and title; names that come from users go through `literal` first."""
    ax.set_xlabel(x, color=INK, fontsize=10)
    ax.set_ylabel(y, color=INK, fontsize=10)
    if title:
        ax.set_title(title, color=MUTED, fontsize=9, loc="left")


def log_scale(ax: Axes) -> None:
    """A logarithmic y axis with plain numbers at 1, 2 and 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(NullLocator())


def literal(text: str) -> str:
    """The text, at most 44 characters, with dollar signs that matplotlib leaves alone."""
    text = " ".join(str(text).split())
    short = text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 1] + "…"
    return short.replace("\\", "").replace("$", r"\$")


def legend(ax: Axes, **where) -> None:
    """A quiet legend; `where` places it."""
    ax.legend(frameon=False, fontsize=9, labelcolor=INK, **where)


def thin(index: np.ndarray, limit: int = POINTS) -> np.ndarray:
    """At most `limit` entries of an index, evenly spaced."""
    if len(index) <= limit:
        return index
    return index[np.linspace(0, len(index) - 1, limit).round().astype(int)]


def svg(figure: Figure, name: str, title: str) -> str:
    """The figure as inline SVG; `name` makes its ids unique on the page, `title` is read to who cannot see it."""
    import matplotlib

    buffer = io.StringIO()
    # Fixed salt and no date: the same run gives the same bytes.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the browser has its own fonts
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    return _inline(buffer.getvalue(), name, title)


def _inline(text: str, name: str, title: str) -> str:
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'(href="|url\()#', rf"\g<1>#{name}-", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", text)
    text = re.sub(r"#[0-9a-f]{6}\b", _variable, text)
    text = re.sub(r"<[^>]*>", _short, text)
    text = re.sub(r"\n\s*", "\n", text)
    view = re.search(r'viewBox="[^"]+"', text)
    head = f'<svg {view.group(0) if view else ""} role="img" aria-label="{escape(title, quote=True)}"'
    return re.sub(r"<svg[^>]*", head, text, count=1).strip()


def _short(tag: re.Match) -> str:
    """The tag with coordinates to a hundredth of a point, finer than any screen; text is no tag."""
    return re.sub(r"(\d\.\d{2})\d+", r"\1", tag.group(0))


def _variable(found: re.Match) -> str:
    name = VARIABLES.get(found.group(0))
    return f"var(--{name})" if name else found.group(0)
