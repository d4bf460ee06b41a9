"""Where the chosen rows lie in their pool: its numbers seen from the side where they differ most, as SVG.

Two principal components of the standardised columns of numbers, from a seeded sample that is the same for everybody:
a pool of a million rows costs what one of a few thousand does. Rows that were labelled or asked for are placed on the
same axes, whether or not they are of the sample.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from strongsuit.campaign.service import Campaign
from strongsuit.campaign.state import State

SAMPLE = 2_000  # rows in the background, which the components are of
MOST = 2_000  # rows that are drawn as chosen, the last ones
LISTED = 50  # rows of the table beside the picture
WIDTH, HEIGHT, EDGE = 640, 400, 22
# What a row was chosen by -> its shape, so that no meaning hangs on colour alone.
SHAPES = {"model": "circle", "random": "square", "test": "triangle", "warmup": "diamond", "told": "cross"}
OTHER = "warmup"
TOLD = "told"  # an answer that nobody asked for, or a row queued by hand


@dataclass(frozen=True)
class Axes:
    """Two directions of a pool, (columns, 2), of columns with their means and scales; and the sample placed on them."""

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    directions: np.ndarray
    shares: tuple[float, float]
    sample: np.ndarray

    def placed(self, frame: Any) -> np.ndarray:
        """The rows of a frame on the two axes, (rows, 2); a missing number lies at the mean of its column."""
        return _standard(frame, self.names, self.mean, self.scale) @ self.directions


@dataclass
class Maps:
    """The axes of pools by fingerprint: they are found once."""

    _known: dict[str, Axes | None] = field(default_factory=dict)

    def of(self, campaign: Campaign) -> Axes | None:
        """The axes of a campaign's pool, None where it is not at hand or has no two columns of numbers that differ."""
        if campaign.pool is None:
            return None
        about = campaign.desk.state.settings["pool"]
        if about["fingerprint"] not in self._known:
            self._known[about["fingerprint"]] = _axes(campaign.pool, about)
        return self._known[about["fingerprint"]]


def map_of(campaign: Campaign, axes: Axes) -> dict[str, Any]:
    """The picture, and the rows of its table: those of the open round first, then the last ones labelled."""
    with campaign.desk.lock:
        state = campaign.desk.state
        fresh = list(state.slate)
        old = [row for row in state.labels if row not in set(fresh)][-MOST:]
        chosen = [(row, _source(state, row), row in state.labels) for row in (*fresh[:MOST], *reversed(old))]
        round_ = {row for row in fresh}
    rows = [row for row, _, _ in chosen]
    if not rows:
        return {"svg": _svg(axes, [], np.empty((0, 2))), "rows": [], "sources": []}
    places = axes.placed(campaign.pool.features(rows))  # type: ignore[union-attr]
    keys = campaign.pool.keys_of(rows)  # type: ignore[union-attr]
    marks = [
        {"row": row, "key": str(key), "source": source, "labelled": labelled, "now": row in round_, "x": x, "y": y}
        for (row, source, labelled), key, (x, y) in zip(chosen, keys, places.tolist(), strict=True)
    ]
    sources = list(dict.fromkeys(source for source in SHAPES if any(one["source"] == source for one in marks)))
    return {"svg": _svg(axes, marks, places), "rows": marks[:LISTED], "sources": sources}


def _source(state: State, row: int) -> str:
    source = state.sources.get(row, (TOLD, 0))[0]
    return source if source in SHAPES else OTHER


def _axes(pool: Any, about: Mapping[str, Any]) -> Axes | None:
    n = about["n"]
    rows = sorted(random.Random(about["fingerprint"]).sample(range(n), min(n, SAMPLE)))
    frame = pool.features(rows)
    names = tuple(
        str(name)
        for name in frame.columns
        if name != about.get("key") and frame[name].dtype.kind in "iuf" and _differs(frame[name])
    )
    if len(names) < 2:
        return None
    raw = frame[list(names)].to_numpy(dtype=float)
    raw = np.where(np.isfinite(raw), raw, np.nan)
    mean, scale = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    standard = _standard(frame, names, mean, scale)
    _, size, directions = np.linalg.svd(standard - standard.mean(axis=0), full_matrices=False)
    two = directions[:2].T
    two = two * np.sign(two[np.abs(two).argmax(axis=0), [0, 1]])  # the heaviest column points right, and up
    shares = size**2 / (size**2).sum()
    return Axes(names, mean, scale, two, (float(shares[0]), float(shares[1])), standard @ two)


def _differs(column: Any) -> bool:
    values = column.to_numpy(dtype=float)
    values = values[np.isfinite(values)]
    return len(values) > 1 and float(np.ptp(values)) > 0.0 and bool(np.isfinite(np.std(values))) and np.std(values) > 0


def _standard(frame: Any, names: Sequence[str], mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    raw = frame[list(names)].to_numpy(dtype=float)
    return np.nan_to_num((raw - mean) / scale, nan=0.0, posinf=0.0, neginf=0.0)


def _svg(axes: Axes, marks: Sequence[Mapping[str, Any]], places: np.ndarray) -> str:
    everything = np.vstack([axes.sample, places])
    low, high = everything.min(axis=0), everything.max(axis=0)
    span = np.where(high > low, high - low, 1.0)

    def place(x: float, y: float) -> tuple[float, float]:
        along, up = (x - low[0]) / span[0], (y - low[1]) / span[1]
        return EDGE + along * (WIDTH - 2 * EDGE), HEIGHT - EDGE - up * (HEIGHT - 2 * EDGE)

    # One path of short strokes with round ends: two thousand circles would be a page of their own.
    dots = "".join(f"M{x:.1f} {y:.1f}h.01" for x, y in (place(*one) for one in axes.sample.tolist()))
    drawn = [_mark(one, *place(one["x"], one["y"])) for one in reversed(marks)]
    labelled = sum(one["labelled"] for one in marks)
    words = (
        f"Map of {labelled} labelled rows and {sum(one['now'] for one in marks)} of the current round "
        f"among {len(axes.sample)} rows of the pool; the table says which they are"
    )
    return (
        f'<svg class="map" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">'
        f'<path class="pool" d="{dots}"/>{"".join(drawn)}</svg>'
    )


def _mark(one: Mapping[str, Any], x: float, y: float) -> str:
    state = "labelled" if one["labelled"] else "to label"
    words = escape(f"{one['key']}: {one['source']}, {state}{', current round' if one['now'] else ''}")
    kind = f"{one['source']}{' now' if one['now'] else ''}{'' if one['labelled'] else ' open'}"
    return f'<path class="{kind}" d="{shape(one["source"], x, y)}"><title>{words}</title></path>'


def shape(source: str, x: float = 0.0, y: float = 0.0, r: float = 5.0) -> str:
    """The outline of a source's mark around a point."""
    return {
        "circle": f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0z",
        "square": f"M{x - r:.1f} {y - r:.1f}h{2 * r}v{2 * r}h{-2 * r}z",
        "triangle": f"M{x:.1f} {y - r:.1f}l{r} {2 * r}h{-2 * r}z",
        "diamond": f"M{x:.1f} {y - r:.1f}l{r} {r}l{-r} {r}l{-r} {-r}z",
        "cross": f"M{x - r:.1f} {y - r:.1f}l{2 * r} {2 * r}m0 {-2 * r}l{-2 * r} {2 * r}",
    }[SHAPES[source]]
