"""One pipeline: everything from rows to a partitioned model that is not yet allowed to speak.

The guard runs it once on all rows and once for each fold without the rows of that fold. Inside, a
judge share of the rows trains no model of the search: it steers adding, dropping, the choice of the
partition, shrinkage and gating. Its losses are never reported as evidence.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import fit_one, predict_one
from strongsuit.partition.boundary import Boundary, fit_boundary
from strongsuit.partition.competition import compete
from strongsuit.partition.experts import (
    choose_family,
    clip_range,
    fit_model,
    sample_rows,
    shrinkage,
)
from strongsuit.partition.regimes import (
    Settled,
    choose,
    cross_judged,
    finalists,
    polish,
    settlements,
    shortlist,
    single,
    stability,
)
from strongsuit.partition.routing import Far, fit_far
from strongsuit.partition.units import folds, mean_and_error, split
from strongsuit.partition.values import Competition, Competitor, Config, Model, Recipe, Rows

RECIPES = (
    Recipe("kmeans_xy", "linear", 1.0),
    Recipe("residual", "smooth", 0.5),
    Recipe("kmeans_xy", "smooth", 1.0),
    Recipe("random", "linear", 0.5),
    Recipe("kmeans_x", "linear", 1.0),
    Recipe("residual", "linear", 1.0),
    Recipe("random", "smooth", 1.0),
    Recipe("random", "smooth", 0.5),
)
SOFT_FLOOR = 0.05  # probabilities below this count as zero in soft gating
AMBIGUITY = 0.1  # the largest probability must exceed 1/r by so much
CROSS_JUDGED_UP_TO = 3_000  # above it the judge rows alone are enough
# From MANY_ROWS on the experts' families are chosen on up to KNOWN_ROWS rows of a regime, also beyond the search's.
MANY_ROWS, KNOWN_ROWS = 10_000, 1_000
CHUNK = 100_000  # rows predicted at once

REASONS = ("expert", "one_model", "disabled", "far", "unseen_level", "ambiguous", "expert_not_finite")
EXPERT, ONE_MODEL, DISABLED, FAR, UNSEEN, AMBIGUOUS, NOT_FINITE = range(len(REASONS))


@dataclass(frozen=True)
class Problem:
    """What every pipeline of a call shares: the families, who competes, the weights of the outputs."""

    families: tuple[Competitor, ...]
    competitors: tuple[Competitor, ...]
    settler: Any
    omega: np.ndarray
    config: Config
    paper: Competitor | None = None  # who competes in paper mode
    column_scale: np.ndarray | None = None  # (d,) factors of one-hot columns in distances, NaN: standardise


@dataclass(frozen=True)
class Pipeline:
    """A fallback and, when more than one regime was found, boundary and experts."""

    fallback: Model
    columns: np.ndarray
    boundary: Boundary | None
    far: Far | None
    experts: tuple[Model | None, ...] = ()
    shrink: np.ndarray = field(default_factory=lambda: np.zeros(0))
    clip: np.ndarray = field(default_factory=lambda: np.zeros((0, 2, 0)))
    soft: bool = False

    @property
    def regimes(self) -> int:
        """Number of regimes found."""
        return max(1, len(self.experts))


@dataclass(frozen=True)
class Search:
    """What the search met on its way, for the report: competitions, the choice, stability."""

    competitions: tuple[Competition, ...]
    path: tuple[tuple[int, float, float], ...]  # (regimes, judged loss, standard error)
    chosen: Settled | None  # None in paper mode, which never settles
    stability: dict[str, float]
    single_seconds: float = 0.0  # processor time of choosing and fitting the single model


@dataclass(frozen=True)
class Pieces:
    """All a pipeline can say of n rows before the guard decides who may speak.

    fallback (n, q), experts (n, r, q) shrunk and clipped, regime (n,), probabilities (n, r), and
    reason (n,): EXPERT, or why the fallback must answer.
    """

    fallback: np.ndarray
    experts: np.ndarray
    regime: np.ndarray
    probabilities: np.ndarray
    reason: np.ndarray


def run_pipeline(key: Key, rows: Rows, problem: Problem) -> tuple[Pipeline, Search]:
    """The pipeline of the rows and the record of its search."""
    sample = sample_rows(key_for(key, "search"), rows, problem.config.search_rows)
    build, judge = _build_and_judge(key, sample, problem.config)
    search = run_search(key, build, judge, problem)
    began = time.process_time()
    unjudged = build if rows is sample else rows.take(~np.isin(rows.units, judge.units))
    family = choose_family(key_for(key, "fallback"), problem.families, unjudged, problem.omega)
    fallback = fit_model(key_for(key, "refit", "fallback"), family, rows)
    search = replace(search, single_seconds=time.process_time() - began)
    if search.chosen.count == 1:
        return Pipeline(fallback, np.arange(rows.X.shape[1]), None, None), search
    known = unjudged if len(rows) >= MANY_ROWS else build
    trial = _fit_experts(key, build, known, search.chosen, family, problem)
    shrink, soft = _tune(trial, search.chosen, judge, problem)
    return _refit(key, rows, sample, build, search, fallback, trial, shrink, soft, problem), search


def _build_and_judge(key: Key, rows: Rows, config: Config) -> tuple[Rows, Rows]:
    building = split(key_for(key, "build"), rows.units, config.build_share)
    return rows.take(building), rows.take(~building)


def run_search(key: Key, build: Rows, judge: Rows, problem: Problem) -> Search:
    """Competitions from all starts, the best of them settled, and the chosen partition."""
    config, omega = problem.config, problem.omega
    alone = single(key_for(key, "single"), problem.settler, build, judge, omega=omega)
    if min(len(np.unique(build.units)) // config.min_rows, config.max_regimes) < 2:
        return Search((), _path([alone], judge), alone, stability([]))
    residual = _out_of_fold(key_for(key, "residual"), problem.settler, build)
    contests = [
        compete(
            key_for(key, "compete", competitor.name, number),
            competitor,
            recipe,
            build,
            judge,
            omega=omega,
            residual=residual,
            config=config,
        )
        for competitor in problem.competitors
        for number, recipe in enumerate(RECIPES[: config.restarts])
    ]
    snapshots = finalists([s for c in contests for s in c.snapshots.values()], judge, config)
    settled = [
        candidate
        for number, snapshot in enumerate(snapshots)
        for candidate in settlements(
            key_for(key, "settle", number), problem.settler, snapshot, build, judge, omega=omega
        )
        if _large_enough(candidate, build, config)
    ]
    sample = Rows(*(np.concatenate(pair) for pair in zip(_fields(build), _fields(judge), strict=True)))
    listed, jury = shortlist([alone, *settled], judge), judge
    if len(sample) <= CROSS_JUDGED_UP_TO:
        judged = [cross_judged(key_for(key, "judge"), c, sample, omega=omega) for c in listed]
        listed, jury = [c for c in judged if c is not None], sample
    chosen = choose(listed, jury)
    same = [s.labels(build.X) for s in _as_good(settled, chosen, judge)]
    return Search(tuple(contests), _path(listed, jury), chosen, stability(same))


def _as_good(settled: list[Settled], chosen: Settled, judge: Rows) -> list[Settled]:
    """The settled partitions of the chosen size within one standard error of the best of them."""
    alike = [s for s in settled if s.count == chosen.count and s.count > 1]
    if not alike:
        return []
    best = min(alike, key=lambda s: float(np.average(s.losses, weights=judge.w)))
    found = []
    for candidate in alike:
        harm, error = mean_and_error(candidate.losses - best.losses, judge.w, judge.units)
        if harm <= error:
            found.append(candidate)
    return found


def _fields(rows: Rows) -> tuple[np.ndarray, ...]:
    return rows.X, rows.Y, rows.w, rows.units


def _large_enough(candidate: Settled, build: Rows, config: Config) -> bool:
    sizes = np.bincount(candidate.labels(build.X), minlength=candidate.count)
    return sizes.min() >= max(config.min_rows * config.build_share, 0.01 * len(build))


def _path(candidates: list[Settled], judge: Rows) -> tuple[tuple[int, float, float], ...]:
    best: dict[int, tuple[int, float, float]] = {}
    for candidate in candidates:
        mean, error = mean_and_error(candidate.losses, judge.w, judge.units)
        if candidate.count not in best or mean < best[candidate.count][1]:
            best[candidate.count] = (candidate.count, mean, error)
    return tuple(best[k] for k in sorted(best))


def _out_of_fold(key: Key, learner: Any, rows: Rows) -> np.ndarray:
    """Standardised out-of-fold residuals (n, q) of one global model."""
    fold = folds(key, rows.units, 3)
    residual = np.zeros_like(rows.Y)
    for f in np.unique(fold):
        rest, out = rows.take(fold != f), rows.take(fold == f)
        params = fit_one(learner, key_for(key, int(f)), rest.X, rest.Y, rest.w)
        residual[fold == f] = out.Y - predict_one(learner, params, out.X).mean
    spread = residual.std(0)
    return residual / np.where(spread > 0, spread, 1.0)


def _fit_experts(key: Key, build: Rows, more: Rows, chosen: Settled, family: Competitor, problem: Problem) -> Pipeline:
    """Fallback and experts on the build rows; the family of each regime by its own rows among `more`, which are the
    build rows or, of many, a sample."""
    fallback = fit_model(key_for(key, "fallback"), family, build)
    labels, wider = chosen.labels(build.X), chosen.labels(more.X)
    experts, ranges = [], []
    for k in range(int(labels.max()) + 1):
        own, known = build.take(labels == k), more.take(wider == k)
        if more is not build:
            known = sample_rows(key_for(key, "known", k), known, KNOWN_ROWS)
        small = len(np.unique(own.units)) < problem.config.min_rows * problem.config.build_share
        best = family if small else choose_family(key_for(key, "expert", k), problem.families, known, problem.omega)
        experts.append(fit_model(key_for(key, "expert", k), best, own))
        ranges.append(clip_range(own))
    every = np.arange(build.X.shape[1])
    return Pipeline(fallback, every, None, None, tuple(experts), np.ones(len(experts)), np.stack(ranges))


def _tune(trial: Pipeline, chosen: Settled, judge: Rows, problem: Problem) -> tuple[np.ndarray, bool]:
    """Shrinkage of every expert to the fallback, and whether soft gating is better, on the judge rows."""
    config, omega = problem.config, problem.omega
    base = trial.fallback.mean(judge.X)
    raw = _raw_experts(trial, judge.X, config)
    named = chosen.labels(judge.X)
    shrink = np.ones(len(trial.experts))
    for k in range(len(shrink)):
        own = named == k
        if not config.shrink:
            continue
        shrink[k] = (
            shrinkage(judge.Y[own], base[own], raw[own, k], judge.w[own], judge.units[own], omega)
            if own.sum() >= 2
            else 0.0
        )
    soft = config.gating == "soft"
    if config.gating == "auto":
        experts = _shrunk(base, raw, shrink)
        soft = _soft_is_better(base, experts, chosen, judge, omega)
    return shrink, soft


def _soft_is_better(base, experts, chosen: Settled, judge: Rows, omega) -> bool:
    from strongsuit.partition.gate import log_softmax

    Z = ((judge.X - chosen.center) / chosen.spread)[:, chosen.columns]
    p = np.exp(log_softmax(chosen.basis(Z) @ chosen.weights))
    hard = _mix(base, experts, np.eye(p.shape[1])[p.argmax(1)])
    soft = _mix(base, experts, np.where(p < SOFT_FLOOR, 0.0, p))
    gain = ((judge.Y - hard) ** 2 - (judge.Y - soft) ** 2) @ omega
    mean, error = mean_and_error(gain, judge.w, judge.units)
    return mean > error


def _refit(key, rows, sample, build, search, fallback, trial, shrink, soft, problem) -> Pipeline:
    """The chosen structure refitted to all rows of the pipeline."""
    config, chosen = problem.config, search.chosen
    final = polish(key_for(key, "again"), chosen, sample, build, omega=problem.omega)
    labels = final.labels(sample.X) if config.expert_labels == "gate" else _winners(final, sample, problem)
    scale = None if problem.column_scale is None else problem.column_scale[final.columns]
    X = sample.X[:, final.columns]
    boundary = fit_boundary(key_for(key, "boundary"), labels, X, sample.w, units=sample.units, column_scale=scale)
    named = labels if rows is sample else boundary.labels(rows.X[:, final.columns])
    experts, ranges = [], []
    for k, model in enumerate(trial.experts):
        own = rows.take(named == k)
        family = Competitor(model.family, model.learner)
        alive = shrink[k] > 0 and len(own) >= 2
        experts.append(fit_model(key_for(key, "refit", "expert", k), family, own) if alive else None)
        ranges.append(clip_range(own) if len(own) else trial.clip[k])
    far = fit_far(rows.X, rows.w, column_scale=problem.column_scale)
    return Pipeline(fallback, final.columns, boundary, far, tuple(experts), shrink, np.stack(ranges), soft)


def _winners(final: Settled, rows: Rows, problem: Problem) -> np.ndarray:
    return final.winners if len(final.winners) == len(rows) else final.labels(rows.X)


def _raw_experts(pipeline: Pipeline, X: np.ndarray, config: Config) -> np.ndarray:
    """Clipped expert means (n, r, q); NaN where a regime has no expert."""
    q = pipeline.clip.shape[2]
    raw = np.full((len(X), len(pipeline.experts), q), np.nan)
    for k, model in enumerate(pipeline.experts):
        if model is not None:
            mean = model.mean(X)
            raw[:, k] = np.clip(mean, *pipeline.clip[k]) if config.clip else mean
    return raw


def _shrunk(base: np.ndarray, raw: np.ndarray, shrink: np.ndarray) -> np.ndarray:
    """E_k = fallback + shrink_k (expert_k - fallback), exactly the fallback where shrink is zero."""
    moved = base[:, None] + shrink[None, :, None] * (raw - base[:, None])
    return np.where(shrink[None, :, None] > 0, moved, base[:, None])


def _mix(base: np.ndarray, experts: np.ndarray, share: np.ndarray) -> np.ndarray:
    return base + np.einsum("nr,nrq->nq", share, experts - base[:, None])


def pieces(pipeline: Pipeline, X: np.ndarray, unseen: np.ndarray, config: Config) -> Pieces:
    """What fallback and experts say of X (n, d), and which rows only the fallback may answer."""
    base = pipeline.fallback.mean(X)
    if pipeline.boundary is None:
        regime = np.zeros(len(X), int)
        return Pieces(base, base[:, None], regime, np.ones((len(X), 1)), np.full(len(X), ONE_MODEL))
    probabilities = pipeline.boundary.probabilities(X[:, pipeline.columns])
    regime = probabilities.argmax(1)
    experts = _shrunk(base, _raw_experts(pipeline, X, config), pipeline.shrink)
    own = experts[np.arange(len(X)), regime]
    reason = np.zeros(len(X), int)
    if not pipeline.soft and config.mode != "paper":
        reason[probabilities.max(1) < 1.0 / pipeline.regimes + AMBIGUITY] = AMBIGUOUS
    reason[unseen] = UNSEEN
    if pipeline.far is not None:
        reason[pipeline.far.is_far(X)] = FAR
    reason[~np.isfinite(own).all(1)] = NOT_FINITE
    return Pieces(base, experts, regime, probabilities, reason)


def combine(parts: Pieces, enabled: np.ndarray, *, soft: bool) -> tuple[np.ndarray, np.ndarray]:
    """Prediction (n, q) and reason (n,) when only the enabled regimes (r,) may answer.

    With nothing enabled the prediction is the fallback's own array, bit for bit.
    """
    reason = np.where((parts.reason == EXPERT) & ~enabled[parts.regime], DISABLED, parts.reason)
    if not enabled.any():
        return parts.fallback, reason
    speaking = reason == EXPERT
    own = parts.experts[np.arange(len(parts.regime)), parts.regime]
    answer = own
    if soft:
        share = np.where(parts.probabilities < SOFT_FLOOR, 0.0, parts.probabilities) * enabled
        clean = np.where(np.isfinite(parts.experts), parts.experts, parts.fallback[:, None])
        answer = _mix(parts.fallback, clean, share)
        speaking = (parts.reason == EXPERT) & (share.sum(1) > 0)
        reason = np.where(speaking, EXPERT, reason)  # an enabled neighbour speaks for part of the row
    return np.where(speaking[:, None], answer, parts.fallback), reason
