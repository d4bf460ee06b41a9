"""discover(): from rows to a guarded partitioned model; route(): its answer for new rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import Prediction, fits_done
from strongsuit.errors import InputError
from strongsuit.partition.crossfit import Progress, cross_fit, fallback_only, labels_of, runner
from strongsuit.partition.describe_evidence import CrossFitted, cross_fitted
from strongsuit.partition.experts import sample_rows
from strongsuit.partition.guard import Evidence, RegimeVerdict, Verdict, decide, fold_decisions
from strongsuit.partition.pipeline import (
    CHUNK,
    EXPERT,
    REASONS,
    Pipeline,
    Problem,
    Search,
    combine,
    pieces,
)
from strongsuit.partition.units import mean_and_error, unit_ids
from strongsuit.partition.values import CAUTIONS, Competitor, Config, Rows


@dataclass(frozen=True)
class Scale:
    """Standardisation of the targets: center (q,) and spread (q,); constant targets have spread 1."""

    center: np.ndarray
    spread: np.ndarray
    constant: np.ndarray


@dataclass(frozen=True)
class Losses:
    """Cross-fitted losses with standard errors by unit, standardised; `per_output` (4, q) in squared
    target units, rows single, gated, oracle, deployed."""

    single: tuple[float, float]
    gated: tuple[float, float]
    oracle: tuple[float, float]
    deployed: tuple[float, float]
    per_output: np.ndarray


@dataclass(frozen=True)
class Cost:
    """Seconds of processor time and fits, those of other processes included, and the seconds that choosing
    and fitting the single model took of these."""

    seconds: float
    fits: int
    single_seconds: float


@dataclass(frozen=True)
class Routed:
    """prediction (n, q) and spread (n, q) in target units, the regime found (n,), its probability (n,),
    and the reason (n,): "expert", or why the fallback answered."""

    prediction: np.ndarray
    spread: np.ndarray
    regime: np.ndarray
    probability: np.ndarray
    reason: np.ndarray
    fallback: np.ndarray


@dataclass(frozen=True)
class Partitioned:
    """A fallback for all rows and experts for the regimes where the guard proved them better."""

    pipeline: Pipeline
    verdict: Verdict
    scale: Scale
    config: Config
    losses: Losses
    search: Search | None
    labels: np.ndarray
    residual_variance: np.ndarray
    cost: Cost
    notes: tuple[str, ...] = ()
    held_out: CrossFitted | None = None  # the guard's evidence row by row, for the report
    second_opinion: Verdict | None = None  # of the guard under the other caution, on the same evidence

    @property
    def found(self) -> int:
        """Regimes the competition found and held-out rows chose."""
        return self.pipeline.regimes

    @property
    def regimes(self) -> int:
        """Regimes deployed: 1 when the partition is refused."""
        return self.found if self.verdict.deployed else 1


def discover(
    key: Key,
    X: np.ndarray,
    Y: np.ndarray,
    *,
    families: tuple[Competitor, ...],
    competitors: tuple[Competitor, ...],
    settler: Any,
    w: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    categorical: np.ndarray | None = None,
    config: Config | None = None,
    paper: Competitor | None = None,
    progress: Progress = lambda stage, share: None,
    run: Callable[[Callable, Iterable], Iterable] = map,
) -> Partitioned:
    """The guarded partitioned model of X (n, d), Y (n, q), weights w (n,) and groups (n,).

    `families` are the learners that fallback and experts are chosen from; `competitors` bid for rows;
    `settler` is the learner that stands for a regime while the partition comes to rest. `paper` competes
    instead if the mode is "paper". `categorical` (d,) marks one-hot columns. `run` is a map over the fold
    pipelines, such as an executor's.
    """
    config = _of_mode(config or Config())
    began, fitted = time.process_time(), fits_done()
    rows, scale, number = _prepared(X, Y, w, groups)
    omega = _omega(scale)
    problem = Problem(families, competitors, settler, omega, config, paper, _column_scale(categorical))
    progress("search", 0.0)
    pipeline, search = _whole(key, rows, problem, scale)
    progress("search", 0.3)
    evidence_rows = sample_rows(key_for(key, "evidence"), rows, config.evidence_rows)
    evidence, elsewhere = cross_fit(key, evidence_rows, pipeline, problem, progress, run)
    own = labels_of(pipeline, evidence_rows.X)
    verdict = _verdict(pipeline, evidence, evidence_rows, omega, own, config)
    other = _verdict(pipeline, evidence, evidence_rows, omega, own, replace(config, caution=_other(config.caution)))
    decisions = _decisions(pipeline, evidence, evidence_rows, omega, own, verdict, config)
    held_out = cross_fitted(evidence, evidence_rows, own, decisions, omega, regimes=pipeline.regimes)
    losses, variance = _losses(held_out, pipeline.regimes, omega, scale)
    labels = np.where(number >= 0, labels_of(pipeline, rows.X)[number], 0)
    single = 0.0 if search is None else search.single_seconds
    cost = Cost(time.process_time() - began + elsewhere[0], fits_done() - fitted + elsewhere[1], single)
    progress("done", 1.0)
    notes = _notes(scale, rows, int((number >= 0).sum()))
    return Partitioned(pipeline, verdict, scale, config, losses, search, labels, variance, cost, notes, held_out, other)


def _prepared(X, Y, w, groups) -> tuple[Rows, Scale, np.ndarray]:
    """Distinct rows in a canonical order, their scale, and the number (n,) each given row has among them,
    -1 for rows of weight zero.

    Identical rows become one row of their summed weight: order is immaterial, weight two is the row
    twice, and weight zero is no row. Weights that are not whole numbers are scaled to mean one.
    """
    X, Y = np.asarray(X, float), np.asarray(Y, float)
    Y = Y[:, None] if Y.ndim == 1 else Y
    w = np.ones(len(X)) if w is None else np.asarray(w, float)
    alive = np.flatnonzero(w > 0)
    if not len(alive):
        raise InputError("sample_weight is zero for every row: at least one row needs a positive weight")
    group = np.zeros(len(X)) if groups is None else np.unique(groups, return_inverse=True)[1].ravel()
    every = np.hstack([X, Y, group[:, None]])[alive]
    _, first, place = np.unique(every, axis=0, return_index=True, return_inverse=True)
    number = np.full(len(X), -1)
    number[alive] = place.ravel()
    w = np.bincount(place.ravel(), w[alive])
    w = w if np.array_equal(w, np.round(w)) else w / w.mean()
    X, Y, group = X[alive[first]], Y[alive[first]], group[alive[first]]
    center = np.average(Y, axis=0, weights=w)
    spread = np.sqrt(np.average((Y - center) ** 2, axis=0, weights=w))
    constant = spread <= 1e-12 * np.maximum(1.0, np.abs(center))
    scale = Scale(center, np.where(constant, 1.0, spread), constant)
    units = unit_ids(X, None if groups is None else group)
    return Rows(X, (Y - center) / scale.spread, w, units), scale, number


def _column_scale(categorical: np.ndarray | None) -> np.ndarray | None:
    """Two levels differ in two one-hot columns: at 1/sqrt(2) each they lie at distance one."""
    if categorical is None or not categorical.any():
        return None
    return np.where(categorical, np.sqrt(0.5), np.nan)


def _omega(scale: Scale) -> np.ndarray:
    live = ~scale.constant
    return live / max(1, live.sum())


def _whole(key: Key, rows: Rows, problem: Problem, scale: Scale) -> tuple[Pipeline, Search | None]:
    if scale.constant.all() or len(np.unique(rows.units)) < 3:
        return fallback_only(key, rows, problem), None
    return runner(problem)(key_for(key, "partition", "all"), rows, problem)


def _of_mode(config: Config) -> Config:
    """The switches a mode implies: the published scheme has no guard, no clipping, hard gates."""
    if config.mode != "paper":
        return config
    return replace(config, guard=False, clip=False, shrink=False, gating="hard")


def _verdict(pipeline: Pipeline, evidence: Evidence, rows: Rows, omega, labels, config: Config) -> Verdict:
    if pipeline.boundary is None or not evidence.parts:
        alone = RegimeVerdict(np.nan, np.nan, 0.0, np.nan, np.nan, False, "one_model")
        return Verdict((alone,), 0.0, False, "one_regime")
    return decide(evidence, rows.Y, rows.w, rows.units, omega, labels=labels, shrink=pipeline.shrink, config=config)


def _other(caution: str) -> str:
    return next(c for c in CAUTIONS if c != caution)


def _decisions(pipeline: Pipeline, evidence: Evidence, rows: Rows, omega, labels, verdict: Verdict, config: Config):
    """For each fold the regimes (r,) that may speak there, decided without that fold's rows: the losses of
    the deployed model must not be judged on the rows that chose it."""
    if not verdict.deployed:
        return [np.zeros(pipeline.regimes, bool)] * len(evidence.parts)
    if not config.guard:
        return None
    return fold_decisions(evidence, rows.Y, rows.w, rows.units, omega, labels, pipeline.shrink, config)


def _losses(held_out: CrossFitted | None, regimes: int, omega, scale: Scale):
    """Losses of the four ways to answer, and the deployed model's residual variance (r, q)."""
    q = len(scale.center)
    if held_out is None:
        nothing = (float("nan"), float("nan"))
        return Losses(nothing, nothing, nothing, nothing, np.full((4, q), np.nan)), np.ones((1, q))
    w, units, labels = held_out.w, held_out.units, held_out.named
    ways = ("single", "gated", "oracle", "deployed")
    square = {way: (held_out.Y - getattr(held_out, way)) ** 2 for way in ways}
    means = {way: mean_and_error(s @ omega, w, units) for way, s in square.items()}
    per_output = np.stack([np.average(s, axis=0, weights=w) for s in square.values()]) * scale.spread**2
    own = [labels == k for k in range(regimes)]
    variance = np.stack(
        [
            np.average(square["deployed"][k], axis=0, weights=w[k]) if k.any() else square["deployed"].mean(0)
            for k in own
        ]
    )
    return Losses(**means, per_output=per_output), variance


def _notes(scale: Scale, rows: Rows, given: int) -> tuple[str, ...]:
    notes = []
    if scale.constant.any():
        notes.append(f"constant_target: {int(scale.constant.sum())} of {len(scale.constant)} targets never vary")
    copies = given - len(np.unique(rows.units))
    if copies:
        notes.append(f"repeated_rows: {copies} rows share their features (or group) with another row")
    return tuple(notes)


def route(model: Partitioned, X: np.ndarray, unseen: np.ndarray | None = None) -> Routed:
    """Prediction, spread, regime and reason for every row of X (n, d)."""
    X = np.asarray(X, float)
    unseen = np.zeros(len(X), bool) if unseen is None else unseen
    blocks = [slice(i, i + CHUNK) for i in range(0, max(1, len(X)), CHUNK)]
    parts = [_route_block(model, X[b], unseen[b]) for b in blocks]
    if len(parts) == 1:
        return parts[0]
    names = Routed.__dataclass_fields__
    return Routed(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


def _route_block(model: Partitioned, X: np.ndarray, unseen: np.ndarray) -> Routed:
    q = len(model.scale.center)
    if not len(X):
        none = np.zeros(0)
        return Routed(np.zeros((0, q)), np.zeros((0, q)), none.astype(int), none, none.astype(str), np.zeros((0, q)))
    said = pieces(model.pipeline, X, unseen, model.config)
    answer, reason = combine(said, _allowed(model), soft=model.pipeline.soft)
    spread = np.sqrt(model.residual_variance[np.minimum(said.regime, len(model.residual_variance) - 1)])
    back = model.scale
    return Routed(
        _bounded(answer) * back.spread + back.center,
        spread * back.spread,
        said.regime,
        said.probabilities.max(1),
        np.array(REASONS)[reason],
        said.fallback * back.spread + back.center,
    )


def _allowed(model: Partitioned) -> np.ndarray:
    return model.verdict.enabled if model.pipeline.boundary is not None else np.zeros(1, bool)


def _bounded(answer: np.ndarray) -> np.ndarray:
    """The answer with what is not finite replaced by the target mean: a NaN never leaves the door."""
    return np.where(np.isfinite(answer), answer, 0.0)


@dataclass(frozen=True)
class PartitionedLearner:
    """Active partitioning as a Learner, so that committees and active learning need no new code."""

    families: tuple[Competitor, ...]
    competitors: tuple[Competitor, ...]
    settler: Any
    config: Config = field(default_factory=Config)
    traceable: ClassVar[bool] = False

    def fit(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> Partitioned:
        """The discovered model of the rows with weight above zero."""
        return discover(
            key, X, y, w=w, families=self.families, competitors=self.competitors, settler=self.settler,
            config=self.config,
        )  # fmt: skip

    def predict(self, params: Partitioned, X: np.ndarray) -> Prediction:
        """Deployed mean and cross-fitted residual variance (n, q)."""
        routed = route(params, X)
        return Prediction(routed.prediction, routed.spread**2)

    def embed(self, params: Partitioned, X: np.ndarray) -> np.ndarray:
        """Probabilities of the regimes (n, r)."""
        return pieces(params.pipeline, np.asarray(X, float), np.zeros(len(X), bool), params.config).probabilities


__all__ = ["EXPERT", "Partitioned", "PartitionedLearner", "Routed", "discover", "route"]
