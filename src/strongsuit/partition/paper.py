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

from strongsuit.core.contest import Calm, bids, contest
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import can_refine, start_one
from strongsuit.partition.boundary import Settings, fit_boundary
from strongsuit.partition.experts import choose_family, clip_range, fit_model
from strongsuit.partition.pipeline import Pipeline, Problem, Search
from strongsuit.partition.regimes import stability
from strongsuit.partition.values import Competition, Competitor, Recipe, Rows, Step

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
    models = [_newborn(key_for(key, "model", k), learner, rows) for k in range(config.first)]
    born, epoch, calm = config.first, 0, Calm(config.calm, config.patience)
    owners = np.full(len(rows), -1)
    trace: list[Step] = []
    while epoch < config.epochs:
        found = contest(
            key_for(key, "epochs", epoch), learner, models, rows.X, rows.Y, rows.w,
            omega=omega, owner=owners, epochs=min(config.interval, config.epochs - epoch), calm=calm,
        )  # fmt: skip
        models, owners, calm = found.models, found.owner, found.calm
        epoch += len(found.changed)
        for changed, loss, sizes in zip(found.changed, found.loss, found.sizes, strict=True):
            trace.append(_step(trace, "pass", sizes, float(loss), float(changed)))
        if found.rests:
            break
        if epoch <= config.epochs - config.interval:
            before = models
            models = _drop(learner, models, rows, omega, config)
            models, born = _add(key, learner, models, rows, omega, config, born)
            if not _same(models, before):
                sizes = np.bincount(owners, minlength=len(models))
                event = "add" if models[-1] is not before[-1] and len(models) >= len(before) else "drop"
                trace.append(_step(trace, event, sizes, trace[-1].loss, 1.0))
                owners, calm = np.full(len(rows), -1), Calm(config.calm, config.patience)
    losses = bids(learner, models, rows.X, rows.Y, omega)
    owners = merge_small(losses.argmin(1), losses, max(10, int(0.02 * len(rows))))
    history = Competition(Recipe("random", "none", 0.0), competitor, {}, tuple(trace))
    return owners, history


def _newborn(key: Key, learner: Any, rows: Rows) -> Any:
    """An untrained model; where the learner has none, one that has seen only a handful of rows, so that first
    bids differ."""
    if not hasattr(learner, "init"):
        rows = rows.take(key.numpy().choice(len(rows), size=min(len(rows), 10), replace=False))
    return start_one(learner, key, rows.X, rows.Y, rows.w)


def _same(models: list[Any], others: list[Any]) -> bool:
    return len(models) == len(others) and all(a is b for a, b in zip(models, others, strict=True))


def _drop(learner, models, rows: Rows, omega, config: PaperConfig) -> list[Any]:
    """Models without those whose absence hardly raises the minimum loss, one at a time (F8)."""
    losses = bids(learner, models, rows.X, rows.Y, omega)
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
    best = bids(learner, models, rows.X, rows.Y, omega).min(1)
    count = max(10, int(config.worst_share * len(rows)))
    own = rows.take(np.argsort(-best, kind="stable")[:count])
    new = start_one(learner, key_for(key, "model", born), own.X, own.Y, own.w)
    never = Calm(-1.0, 1)
    trained = contest(
        key_for(key, "add", born), learner, [new], own.X, own.Y, own.w,
        omega=omega, owner=np.zeros(count, int), epochs=config.add_passes if can_refine(learner) else 1, calm=never,
    )  # fmt: skip
    new = trained.models[0]
    now = np.average(best, weights=rows.w)
    then = np.average(np.minimum(best, bids(learner, [new], rows.X, rows.Y, omega)[:, 0]), weights=rows.w)
    joined = now > 0 and (now - then) / now >= config.add_gain
    return ([*models, new] if joined else models), born + 1


def _step(trace: list[Step], event: str, sizes: np.ndarray, loss: float, changed: float) -> Step:
    return Step(len(trace), event, len(sizes), loss, changed, tuple(int(s) for s in sizes))


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
