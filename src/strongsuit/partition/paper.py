"""The published scheme, as we read it: competition without a gate, minimum-loss adding and dropping.

"Active partitioning" (Tacke, Busch, Linka, Cyron, Aydin; arXiv 2411.18254, 2024; Frontiers in
Artificial Intelligence 8, 2025). Settings the papers do not print are our own choices. Nothing here
looks at held-out rows: the training minimum loss falls with every added model, even on noise, which
is why `held_out` is the default mode and this one the baseline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import can_refine, fit_many, fit_one, join, pick, predict_many, refine_many, refine_one
from strongsuit.partition.boundary import Settings, fit_boundary
from strongsuit.partition.experts import choose_family, clip_range, fit_model
from strongsuit.partition.pipeline import Pipeline, Problem, Search
from strongsuit.partition.regimes import stability
from strongsuit.partition.values import Competition, Competitor, Recipe, Rows, Step

SLOTS = 8  # models a compiled competition has room for; more come in further eights
FEWEST_OWNED = 2  # rows below which a model skips its pass
PAPER_BOUNDARY = Settings("rbf", 10.0, 1.0)  # kernel, C, and gamma in units of 1 / (d var x)


@dataclass(frozen=True)
class PaperConfig:
    """Interval, shares and thresholds of the published loop; our choices where the papers are silent."""

    first: int = 4
    most: int = 8
    epochs: int = 200
    interval: int = 25
    worst_share: float = 0.15
    add_passes: int = 50
    add_gain: float = 0.05
    drop_loss: float = 0.02  # below add_gain: the gap is what stops oscillation
    calm: float = 0.01
    patience: int = 15


def paper_pipeline(key: Key, rows: Rows, problem: Problem) -> tuple[Pipeline, Search]:
    """Competition, support vector machine, one fresh expert a partition, hard gating, no guard (F1 to F11)."""
    config = PaperConfig(first=min(4, problem.config.max_regimes), most=problem.config.max_regimes)
    owners, history = compete_paper(key_for(key, "compete"), problem.paper, rows, omega=problem.omega, config=config)
    search = Search((history,), (), None, stability([]))
    family = choose_family(key_for(key, "fallback"), problem.families, rows, problem.omega)
    fallback = fit_model(key_for(key, "refit", "fallback"), family, rows)
    every = np.arange(rows.X.shape[1])
    if owners.max() == 0:
        return Pipeline(fallback, every, None, None), search
    boundary = fit_boundary(key_for(key, "boundary"), owners, rows.X, rows.w, units=rows.units, settings=PAPER_BOUNDARY)
    parts = [rows.take(owners == k) for k in range(int(owners.max()) + 1)]
    experts = tuple(fit_model(key_for(key, "refit", "expert", k), family, own) for k, own in enumerate(parts))
    ranges = np.stack([clip_range(own) for own in parts])
    return Pipeline(fallback, every, boundary, None, experts, np.ones(len(experts)), ranges), search


def compete_paper(
    key: Key, competitor: Competitor, rows: Rows, *, omega: np.ndarray, config: PaperConfig
) -> tuple[np.ndarray, Competition]:
    """Final owners (n,) of the rows and the history of the competition (statements F1 to F8)."""
    learner = competitor.learner
    seeds = key.numpy()
    models = [_newborn(key_for(key, "model", k), learner, rows, seeds) for k in range(config.first)]
    owners, calm, born = np.full(len(rows), -1), 0, config.first
    trace: list[Step] = []
    for epoch in range(1, config.epochs + 1):
        losses = _bids(learner, models, rows, omega)
        new = losses.argmin(1)
        changed = float(np.mean(new != owners))
        owners = new
        models = _train(key_for(key, "epoch", epoch), learner, models, owners, rows)
        _note(trace, "pass", models, losses, owners, changed, rows)
        if epoch % config.interval == 0 and epoch <= config.epochs - config.interval:
            before = len(models)
            models = _drop(learner, models, rows, omega, config)
            models, born = _add(key, learner, models, rows, omega, config, born)
            if len(models) != before:
                _note(trace, "add" if len(models) > before else "drop", models, losses, owners, 1.0, rows)
                calm = 0
                continue
        calm = calm + 1 if changed < config.calm else 0
        if calm >= config.patience:
            break
    losses = _bids(learner, models, rows, omega)
    owners = merge_small(losses.argmin(1), losses, max(10, int(0.02 * len(rows))))
    history = Competition(Recipe("random", "none", 0.0), competitor, {}, tuple(trace))
    return owners, history


def _newborn(key: Key, learner: Any, rows: Rows, seeds: np.random.Generator) -> Any:
    """A model that has seen next to nothing: trained on a handful of rows, so that first bids differ."""
    handful = seeds.choice(len(rows), size=min(len(rows), 10), replace=False)
    own = rows.take(handful)
    return fit_one(learner, key, own.X, own.Y, own.w)


def _bids(learner: Any, models: list[Any], rows: Rows, omega: np.ndarray) -> np.ndarray:
    """In-sample losses (n, k) of all models on all rows; non-finite bids never win."""
    mean = predict_many(learner, _slots(learner, models), rows.X).mean[: len(models)]
    losses = (((rows.Y[None] - mean) ** 2) @ omega).T
    return np.where(np.isfinite(losses), losses, np.inf)


def _train(key: Key, learner: Any, models: list[Any], owners: np.ndarray, rows: Rows) -> list[Any]:
    """One pass of every model over the rows it owns; a model with fewer than two rows rests."""
    slots = _slots(learner, models)
    count = len(models) + (-len(models) % SLOTS if learner.traceable else 0)
    W = np.stack([rows.w * (owners == k) for k in range(count)])
    able = [k for k in range(len(models)) if (W[k] > 0).sum() >= FEWEST_OWNED]
    keys = [key_for(key, k) for k in range(count)]
    if can_refine(learner):
        new = refine_many(learner, keys, slots, rows.X, rows.Y, W)
    else:
        new = fit_many(learner, keys, rows.X, rows.Y, W)
    return [pick(new, k) if k in able else model for k, model in enumerate(models)]


def _slots(learner: Any, models: list[Any]) -> Any:
    """The models in the form of `predict_many`; compiled ones fill a fixed number of slots (the spare ones
    repeat the first model and own nothing), so that adding and dropping never compile anew."""
    if not learner.traceable:
        return models
    spare = -len(models) % SLOTS
    return join([*models, *models[:1] * spare])


def _drop(learner, models, rows: Rows, omega, config: PaperConfig) -> list[Any]:
    """Models without those whose absence hardly raises the minimum loss, one at a time (F8)."""
    losses = _bids(learner, models, rows, omega)
    kept = list(range(len(models)))
    while len(kept) > 1:
        now = np.average(losses[:, kept].min(1), weights=rows.w)
        without = [np.average(losses[:, [j for j in kept if j != k]].min(1), weights=rows.w) for k in kept]
        least = int(np.argmin(without))
        if now > 0 and (without[least] - now) / now > config.drop_loss:
            break
        kept.pop(least)
    return [models[k] for k in kept]


def _add(key, learner, models, rows: Rows, omega, config: PaperConfig, born: int) -> tuple[list[Any], int]:
    """Models and one more, trained on the worst rows, if the minimum loss falls enough (F7)."""
    if len(models) >= config.most:
        return models, born
    best = _bids(learner, models, rows, omega).min(1)
    count = max(10, int(config.worst_share * len(rows)))
    own = rows.take(np.argsort(-best, kind="stable")[:count])
    new = fit_one(learner, key_for(key, "model", born), own.X, own.Y, own.w)
    for turn in range(config.add_passes if can_refine(learner) else 0):
        new = refine_one(learner, key_for(key, "add", born, turn), new, own.X, own.Y, own.w)
    now = np.average(best, weights=rows.w)
    then = np.average(np.minimum(best, _bids(learner, [new], rows, omega)[:, 0]), weights=rows.w)
    joined = now > 0 and (now - then) / now >= config.add_gain
    return ([*models, new] if joined else models), born + 1


def _note(trace: list[Step], event: str, models, losses, owners, changed: float, rows: Rows) -> None:
    sizes = tuple(int(s) for s in np.bincount(owners, minlength=len(models)))
    loss = float(np.average(losses.min(1), weights=rows.w))
    trace.append(Step(len(trace), event, len(models), loss, changed, sizes))


def merge_small(owners: np.ndarray, losses: np.ndarray, fewest: int) -> np.ndarray:
    """Owners with regimes of fewer than `fewest` rows dissolved, row by row, into the next best model."""
    while True:
        sizes = np.bincount(owners, minlength=losses.shape[1])
        small = [k for k in np.unique(owners) if sizes[k] < fewest]
        if not small or len(np.unique(owners)) == 1:
            return np.unique(owners, return_inverse=True)[1]
        k = min(small, key=lambda j: sizes[j])
        losses = losses.copy()
        losses[:, k] = np.inf
        owners = np.where(owners == k, losses.argmin(1), owners)
