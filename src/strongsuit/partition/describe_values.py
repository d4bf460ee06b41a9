"""What a description of a partitioned model holds: numbers and sentences, no model and no picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from strongsuit.partition.describe_evidence import CrossFitted

NORMAL_95 = 1.959963984540054  # 97.5 % point of the normal distribution: half a 95 % interval in standard errors


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval; the ends are NaN where no error is known."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    def scaled(self, factor: float) -> Interval:
        """The interval in other units."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)


def interval(value: float, error: float, reach: float = NORMAL_95) -> Interval:
    """The 95 % interval of a value with a standard error."""
    return Interval(float(value), float(value - reach * error), float(value + reach * error))


@dataclass(frozen=True)
class LossLine:
    """One way to answer: its loss relative to the targets' variance, and per target in squared units."""

    name: str
    words: str
    relative: Interval
    per_target: tuple[Interval, ...]


@dataclass(frozen=True)
class RegimeLine:
    """The guard's case for one regime; losses and gain in units of the targets' variance.

    `gain` is what the expert saves beyond the margin the guard asks for; `relative_gain` is the same as a
    share of the fallback's loss in this regime. `speaks` says whether the expert answers in the end.
    """

    regime: int
    rows: int
    share: float
    family: str
    expert_loss: float
    fallback_loss: float
    gain: Interval
    relative_gain: Interval
    units: float
    p: float
    threshold: float
    shrink: float
    proven: bool
    speaks: bool
    reason: str
    words: str


@dataclass(frozen=True)
class RangeLine:
    """What values a feature takes in a regime: quantiles (5, 50, 95 %) between the ends, or levels with shares."""

    feature: str
    lowest: float
    low: float
    middle: float
    high: float
    highest: float
    levels: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Rule:
    """A leaf of the rule tree: its condition, the share of the regime it covers, and how often it is right."""

    words: str
    covers: float
    right: float


@dataclass(frozen=True)
class TypicalRow:
    """A row as given (`row` counts from 0), its targets, and what expert and fallback say of it."""

    row: int
    cells: tuple[tuple[str, Any], ...]
    target: tuple[float, ...]
    expert: tuple[float, ...]
    fallback: tuple[float, ...]


@dataclass(frozen=True)
class Portrait:
    """A regime in words; `shift` is expert minus fallback (mean, 5 %, 95 %) per target, in target units."""

    regime: int
    rows: int
    rules: tuple[Rule, ...]
    ranges: tuple[RangeLine, ...]
    differences: tuple[tuple[str, float], ...]
    typical: tuple[TypicalRow, ...]
    shift: tuple[Interval, ...]


@dataclass(frozen=True)
class Rules:
    """How well simple rules repeat the gate: a shallow tree, or one straight line through the features."""

    depth: int
    fidelity: float
    importances: tuple[tuple[str, float], ...]
    straight: str = ""
    straight_fidelity: float = float("nan")


@dataclass(frozen=True)
class PathPoint:
    """Loss on the judge rows with so many regimes, its standard error, and whether it was chosen."""

    regimes: int
    loss: float
    error: float
    chosen: bool


@dataclass(frozen=True)
class Contest:
    """One competition: who competed and from what start, what was added and dropped, and the best it reached."""

    competitor: str
    start: str
    gate: str
    sigma: float
    models: int
    loss: float
    added: int
    dropped: int
    refused: int
    chosen: bool


@dataclass(frozen=True)
class Bin:
    """A bin of the reliability diagram: stated probability, observed share, rows."""

    stated: float
    observed: float
    rows: int


@dataclass(frozen=True)
class Gate:
    """How well the boundary knows the regimes: accuracy on rows left out, and the share a guess would reach.

    `recovered` is the share of rows that get the same regime from a pipeline that never saw them.
    """

    kind: str
    columns: tuple[str, ...]
    accuracy: float
    majority: float
    recovered: float
    brier: float
    bins: tuple[Bin, ...]
    held_out: bool
    soft: bool


@dataclass(frozen=True)
class Axis:
    """Coordinates (m,) of the mapped rows along one axis; `ticks` name the places of levels."""

    label: str
    values: np.ndarray
    ticks: tuple[str, ...] = ()
    column: int = -1


@dataclass(frozen=True)
class Map:
    """Where the regimes lie: the mapped rows (m,), their regimes (m,) and two axes.

    `kind` is "curve" (one feature against the targets), "strip" (the one separating feature against the
    target), "plane" (two features) or "discriminant" (the mixtures of features that separate best).
    """

    kind: str
    rows: np.ndarray
    labels: np.ndarray
    x: Axis
    y: Axis


@dataclass(frozen=True)
class Description:
    """All that the summary, the report and the JSON say of a run: the same numbers everywhere."""

    verdict: str
    diagnosis: str
    rows: int
    names: tuple[str, ...]
    targets: tuple[str, ...]
    found: int
    regimes: int
    deployed: bool
    reason: str
    gain: float
    mode: str
    fallback: str
    losses: tuple[LossLine, ...]
    held_out: bool
    table: tuple[RegimeLine, ...]
    portraits: tuple[Portrait, ...]
    rules: Rules | None
    path: tuple[PathPoint, ...]
    contests: tuple[Contest, ...]
    stability: Mapping[str, float]
    gate: Gate | None
    far_share: float
    cost: Mapping[str, float]
    settings: Mapping[str, Any]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    evidence: CrossFitted | None = None
    map: Map | None = None

    def to_dict(self) -> dict[str, Any]:
        """The description as plain values for JSON; NaN and infinity become None, arrays for figures stay out."""
        return {f.name: plain(getattr(self, f.name)) for f in fields(self) if f.name not in ("evidence", "map")}


def plain(value: Any) -> Any:
    """The value made of dictionaries, lists, strings, numbers and None."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
