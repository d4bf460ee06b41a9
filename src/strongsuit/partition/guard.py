"""The guard: an expert speaks only where rows it never saw prove it better than the fallback.

One-sided, cross-fitted, corrected for skewness (Johnson, 1978), for overlapping training sets
(Nadeau and Bengio, 2003) and for many regimes (Holm, 1979). With nothing enabled the deployed model
is the fallback, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from strongsuit.partition.pipeline import EXPERT, Pieces, combine
from strongsuit.partition.values import Config

FEWEST = 20  # effective units below which nothing can be proven
COVERED = 0.25  # share of a regime's rows that the fold regimes matched to it must reach


@dataclass(frozen=True)
class Evidence:
    """Cross-fitted pieces of all rows: who would have said what, trained without the row's fold.

    `regime` (n,) is the final regime matched to the fold's own, -1 for none; `parts` holds, fold by
    fold, (row index, Pieces, matched names of the fold's regimes, soft).
    """

    fold: np.ndarray
    parts: tuple[tuple[np.ndarray, Pieces, np.ndarray, bool], ...]


@dataclass(frozen=True)
class RegimeVerdict:
    """The case of one expert: gain with error, units, p, its Holm threshold, and the decision."""

    gain: float
    error: float
    units: float
    p: float
    threshold: float
    enabled: bool
    reason: str


@dataclass(frozen=True)
class Verdict:
    """Which regimes speak; `gain` is the cross-fitted relative gain of the whole deployed model."""

    regimes: tuple[RegimeVerdict, ...]
    gain: float
    deployed: bool
    reason: str

    @property
    def enabled(self) -> np.ndarray:
        """Enabled regimes (r,): none when the partition is not deployed."""
        return np.array([r.enabled and self.deployed for r in self.regimes], bool)


def student_p(d: np.ndarray, w: np.ndarray, *, rho: float, skew: bool) -> tuple[float, float, float, float]:
    """(mean, standard error, effective number, one-sided p) of the units' mean gains d with weights w.

    p is the larger of the plain and Johnson's skewness-corrected t test, both with variance scaled by
    `rho` for cross-fitting.
    """
    number = float(w.sum() ** 2 / (w @ w))
    mean = float(np.average(d, weights=w))
    spread = float(np.sqrt(np.average((d - mean) ** 2, weights=w) * number / max(number - 1.0, 1e-9)))
    if spread <= 1e-300 or number <= 1.0:
        return mean, spread, number, 0.0 if mean > 0 and number > 1 else 1.0
    tau = mean / spread
    g = float(np.average(((d - mean) / spread) ** 3, weights=w)) if skew else 0.0
    plain = tau * np.sqrt(number)
    johnson = (tau + g / (6 * number) + g * tau**2 / 3) * np.sqrt(number)
    value = min(plain, johnson) / np.sqrt(rho)
    return mean, spread * np.sqrt(rho / number), number, float(student.sf(value, number - 1))


def holm_thresholds(p: np.ndarray, tested: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """(enabled, threshold) of Holm's step-down over all regimes; untested ones count but never pass."""
    order = np.argsort(np.where(tested, p, np.inf), kind="stable")
    threshold, enabled = np.zeros(len(p)), np.zeros(len(p), bool)
    going = True
    for rank, k in enumerate(order):
        threshold[k] = alpha / (len(p) - rank)
        going = going and bool(tested[k]) and p[k] <= threshold[k]
        enabled[k] = going
    return enabled, threshold


def decide(
    evidence: Evidence, Y, w, units, omega, *, labels: np.ndarray, shrink: np.ndarray, config: Config
) -> Verdict:
    """The verdict on every regime of the final pipeline, and on the whole."""
    if not config.guard:
        return _unguarded(evidence, Y, w, omega, len(shrink), shrink)
    cases = _cases(evidence, Y, w, units, omega, labels, shrink, config, leave=None)
    on = np.array([case.enabled for case in cases])
    if not on.any():
        return Verdict(cases, 0.0, False, _why_none(cases))
    gain = _gain(evidence, Y, w, units, omega, labels, shrink, config)
    if gain < config.min_gain:
        return Verdict(cases, gain, False, "gain_too_small")
    return Verdict(cases, gain, True, "proven")


def _why_none(cases: tuple[RegimeVerdict, ...]) -> str:
    reasons = {case.reason for case in cases}
    return reasons.pop() if len(reasons) == 1 else "not_proven"


def _unguarded(evidence, Y, w, omega, r, shrink) -> Verdict:
    cases = tuple(RegimeVerdict(np.nan, np.nan, 0.0, np.nan, np.nan, bool(s > 0), "unguarded") for s in shrink)
    on = [np.ones(r, bool)] * len(evidence.parts)
    return Verdict(cases, relative_gain(evidence, Y, w, omega, on), True, "unguarded")


def unit_gains(evidence: Evidence, Y, w, omega, min_gain: float, r: int, leave: int | None):
    """Per-row gain d (n,) of the fold experts over the fold fallback, and final regime (n,), -1 for rows
    that are no evidence; the fold `leave` is left out."""
    d, regime = np.zeros(len(Y)), np.full(len(Y), -1)
    for f, (rows, parts, names, _) in enumerate(evidence.parts):
        if f == leave:
            continue
        own = parts.experts[np.arange(len(rows)), parts.regime]
        loss = ((Y[rows] - own) ** 2) @ omega
        base = ((Y[rows] - parts.fallback) ** 2) @ omega
        d[rows] = (1.0 - min_gain) * base - loss
        regime[rows] = np.where(parts.reason == EXPERT, names[parts.regime], -1)
    return d, regime


def _cases(evidence, Y, w, units, omega, labels, shrink, config: Config, *, leave):
    r, count = len(shrink), len(evidence.parts)
    d, regime = unit_gains(evidence, Y, w, omega, config.min_gain, r, leave)
    rho = (2 * count - 1) / (count - 1) if config.caution == "strict" else 1.0
    considered = np.ones(len(Y), bool) if leave is None else evidence.fold != leave
    rough = []
    for k in range(r):
        own = (regime == k) & considered
        rough.append(
            _rough(d[own], w[own], units[own], int(np.sum((labels == k) & considered)), shrink[k], rho, config)
        )
    p = np.array([case.p for case in rough])
    tested = np.array([case.reason == "" for case in rough])
    enabled, threshold = holm_thresholds(p, tested, config.alpha)
    if not config.holm:
        enabled, threshold = tested & (p <= config.alpha), np.full(r, config.alpha)
    return tuple(
        RegimeVerdict(
            c.gain, c.error, c.units, c.p, float(threshold[k]), bool(enabled[k]),
            c.reason or ("proven" if enabled[k] else "not_proven"),
        )
        for k, c in enumerate(rough)
    )  # fmt: skip


def _rough(d, w, units, size: int, shrink: float, rho: float, config: Config) -> RegimeVerdict:
    """One regime's test, or the reason why it is not tested."""

    def untested(reason, number=0.0):
        return RegimeVerdict(np.nan, np.nan, number, 1.0, 0.0, False, reason)

    if shrink <= 0.0:
        return untested("shrunk_away")
    if not len(d):
        return untested("unmatched")
    if not np.isfinite(d).all():
        return untested("degraded")
    _, unit = np.unique(units, return_inverse=True)
    weight = np.bincount(unit, w)
    gains = np.bincount(unit, w * d) / weight
    number = float(weight.sum() ** 2 / (weight @ weight))
    if number < FEWEST:
        return untested("too_few", number)
    if len(d) < COVERED * size:
        return untested("unmatched", number)
    mean, error, number, p = student_p(gains, weight, rho=rho, skew=config.skew)
    return RegimeVerdict(mean, error, number, p, 0.0, False, "")


def _gain(evidence, Y, w, units, omega, labels, shrink, config) -> float:
    """G: the decision itself cross-fitted. Each fold is scored with the regimes that the rule enables
    without that fold's rows."""
    decisions = fold_decisions(evidence, Y, w, units, omega, labels, shrink, config)
    return relative_gain(evidence, Y, w, omega, decisions)


def fold_decisions(evidence, Y, w, units, omega, labels, shrink, config) -> list[np.ndarray]:
    """For each fold, the regimes (r,) that the rule enables without that fold's rows."""
    decisions = []
    for f in range(len(evidence.parts)):
        cases = _cases(evidence, Y, w, units, omega, labels, shrink, config, leave=f)
        decisions.append(np.array([case.enabled for case in cases]))
    return decisions


def relative_gain(evidence: Evidence, Y, w, omega, decisions: list[np.ndarray]) -> float:
    """1 - loss(deployed) / loss(fallback) over all folds, each with its own enabled regimes (r,)."""
    losses, base = deployed_losses(evidence, Y, omega, decisions)
    return float(1.0 - (w @ losses) / max(w @ base, 1e-300))


def deployed_losses(evidence: Evidence, Y, omega, decisions: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Cross-fitted losses (n,) of the deployed combination and of the fallback."""
    losses, base = np.zeros(len(Y)), np.zeros(len(Y))
    for (rows, parts, names, soft), on in zip(evidence.parts, decisions, strict=True):
        enabled = np.array([k >= 0 and bool(on[k]) for k in names], bool)
        answer, _ = combine(parts, enabled, soft=soft)
        losses[rows] = ((Y[rows] - answer) ** 2) @ omega
        base[rows] = ((Y[rows] - parts.fallback) ** 2) @ omega
    return losses, base
