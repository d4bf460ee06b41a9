"""The learning curve as a picture within the page: points with their intervals, as SVG without script or style."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 42


def curve_svg(curve: Sequence[Mapping[str, Any]]) -> str:
    """The error by labels with its interval, '' without a point; colours come from the style sheet by class."""
    if not curve:
        return ""
    xs = [float(one["labels"]) for one in curve]
    lows = [one["value"] if one["low"] is None else one["low"] for one in curve]
    highs = [one["value"] if one["high"] is None else one["high"] for one in curve]
    x_ticks, y_ticks = ticks(min(xs), max(xs), 6), ticks(min(lows), max(highs), 5)
    x_span, y_span = (min(x_ticks[0], *xs), max(x_ticks[-1], *xs)), (y_ticks[0], y_ticks[-1])

    def place(x: float, y: float) -> tuple[float, float]:
        along = (x - x_span[0]) / ((x_span[1] - x_span[0]) or 1.0)
        up = (y - y_span[0]) / ((y_span[1] - y_span[0]) or 1.0)
        return LEFT + along * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    parts = [*_grid(x_ticks, y_ticks, place), *_marks(curve, xs, lows, highs, place)]
    metric, last = str(curve[-1]["metric"]), curve[-1]
    title = f"{metric} by labels: {last['value']:.4g} at {last['labels']}, {len(curve)} points; the table says the same"
    middle = (LEFT + WIDTH - RIGHT) / 2
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}'
        f'<text class="name" x="{middle:.0f}" y="{HEIGHT - 6}" text-anchor="middle">labels</text>'
        f'<text class="name" x="14" y="{(TOP + HEIGHT - BOTTOM) / 2:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 14 {(TOP + HEIGHT - BOTTOM) / 2:.0f})">{escape(metric)}</text></svg>'
    )


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers that span low to high, about `most` of them."""
    if not math.isfinite(low) or not math.isfinite(high) or high <= low:
        width = abs(low) * 0.1 or 1.0
        low, high = low - width, low + width
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [i * step for i in range(first, last + 1)]


def _grid(x_ticks: Sequence[float], y_ticks: Sequence[float], place: Any) -> list[str]:
    parts = []
    for value in y_ticks:
        _, y = place(x_ticks[0], value)
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    for value in x_ticks:
        if value == int(value) and value >= 0:
            x, _ = place(value, y_ticks[0])
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{int(value)}</text>')
    return parts


def _marks(
    curve: Sequence[Mapping[str, Any]], xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], place: Any
) -> list[str]:
    points = [place(x, one["value"]) for x, one in zip(xs, curve, strict=True)]
    upper = [place(x, y) for x, y in zip(xs, highs, strict=True)]
    lower = [place(x, y) for x, y in zip(xs, lows, strict=True)]
    parts = []
    if len(points) > 1:
        parts.append(f'<polygon class="band" points="{_path([*upper, *reversed(lower)])}"/>')
        parts.append(f'<polyline class="line" points="{_path(points)}"/>')
    for (x, y), (_, top), (_, bottom), one in zip(points, upper, lower, curve, strict=True):
        span = "" if one["low"] is None else f" [{one['low']:.4g}, {one['high']:.4g}]"
        words = escape(f"{one['labels']} labels: {one['value']:.4g}{span}")
        parts.append(f'<line class="bar" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>')
        parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{words}</title></circle>')
    return parts


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
