"""compete(): models bid for rows, winners train, models are added and dropped.

The rule of "active partitioning" (Tacke et al., arXiv 2411.18254, 2024; Frontiers in Artificial
Intelligence 8, 2025) with two changes: the gate takes part in the assignment, as in PARC (Bemporad,
2023), so that won sets stay separable in x; and a model joins or leaves only if rows that took no
part in training say so. `paper.py` holds the published scheme.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import can_refine, fit_one, predict_one, refine_one
from strongsuit.partition.gate import FLOOR, GateBasis, fit_gate, gate_basis, log_softmax
from strongsuit.partition.starts import first_owners
from strongsuit.partition.units import mean_and_error, standardise
from strongsuit.partition.values import Competition, Competitor, Config, Recipe, Rows, Snapshot, Step

COST_CAP = 25.0  # a wild row may not drag a boundary
LOSS_FLOOR = 1e-12  # of the variance of y
CALM = 0.005  # share of rows that change hands below which a competition rests
FRESH_EVERY = 5  # passes after which a model's length-scale is chosen anew


@dataclass(frozen=True)
class State:
    """Owners and models between two passes; `spread` is the mean loss of the winners."""

    labels: np.ndarray
    params: tuple[Any, ...]
    gate: np.ndarray
    spread: float
    costs: np.ndarray


@dataclass(frozen=True)
class Arena:
    """What stays fixed during a competition."""

    key: Key
    competitor: Competitor
    recipe: Recipe
    config: Config
    build: Rows
    judge: Rows
    build_gate: np.ndarray
    judge_gate: np.ndarray
    omega: np.ndarray
    smallest: int


def compete(
    key: Key,
    competitor: Competitor,
    recipe: Recipe,
    build: Rows,
    judge: Rows,
    *,
    omega: np.ndarray,
    residual: np.ndarray,
    config: Config,
) -> Competition:
    """The best snapshot for every number of models met, judged on rows that trained nothing.

    `residual` (n_build, q) of a simple global model serves the start of that name.
    """
    arena, Z = _arena(key, competitor, recipe, build, judge, omega, config)
    owners = first_owners(
        key_for(key, "start"), recipe.start, Z, build.Y, residual, build.w, models=min(2, config.max_regimes)
    )
    models = int(owners.max()) + 1
    blank = State(owners, (None,) * models, np.zeros((arena.build_gate.shape[1], models)), 1.0, np.zeros((0, 0)))
    state = _run(arena, blank, 2 * config.interval)
    book = _Book(arena)
    book.note("start", state, 1.0)
    for _ in range(max(1, config.passes // config.interval)):
        before = state
        state = _try_add(arena, book, state)
        state = _try_drop(arena, book, state)
        if state is before:
            break
    return Competition(recipe, competitor, book.best, tuple(book.trace))


class _Book:
    """The running record of a competition: best snapshots and history."""

    def __init__(self, arena: Arena):
        self.arena, self.best, self.trace = arena, {}, []

    def note(self, event: str, state: State, changed: float) -> np.ndarray:
        losses = judge_losses(self.arena, state)
        count = len(state.params)
        mean = float(np.average(losses, weights=self.arena.judge.w))
        old = self.best.get(count)
        if old is None or mean < np.average(old.losses, weights=self.arena.judge.w):
            self.best[count] = Snapshot(
                self.arena.competitor,
                self.arena.recipe,
                state.params,
                state.gate,
                state.labels,
                losses,
                state.spread,
            )
        sizes = tuple(int(s) for s in np.bincount(state.labels, minlength=count))
        self.trace.append(Step(len(self.trace), event, count, mean, changed, sizes))
        return losses


def _arena(key, competitor, recipe, build, judge, omega, config) -> tuple[Arena, np.ndarray]:
    center, spread = standardise(build.X, build.w)
    Z, ZJ = (build.X - center) / spread, (judge.X - center) / spread
    basis: GateBasis = gate_basis(key_for(key, "gate"), Z.shape[1], recipe.gate)
    smallest = max(5, config.min_rows // 2)
    return Arena(key, competitor, recipe, config, build, judge, basis(Z), basis(ZJ), omega, smallest), Z


def losses_of(params, learner, rows: Rows, omega: np.ndarray) -> np.ndarray:
    """Loss (n, k) of every model on every row; a non-finite bid can never win."""
    columns = [((rows.Y - predict_one(learner, p, rows.X).mean) ** 2) @ omega for p in params]
    losses = np.stack(columns, axis=1)
    return np.where(np.isfinite(losses), losses, np.inf)


def judge_losses(arena: Arena, state: State) -> np.ndarray:
    """Loss (n_judge,) of the model the hardened gate names: what would be deployed."""
    owner = (arena.judge_gate @ state.gate).argmax(1)
    losses = losses_of(state.params, arena.competitor.learner, arena.judge, arena.omega)
    return losses[np.arange(len(owner)), owner]


def _run(arena: Arena, state: State, passes: int) -> State:
    for turn in range(passes):
        before = state.labels
        state = _pass(arena, state, fresh=turn % FRESH_EVERY == 0)
        if len(before) == len(state.labels) and np.mean(before != state.labels) < CALM:
            break
    return state


def _pass(arena: Arena, state: State, *, fresh: bool) -> State:
    """Every model trains on its rows, the gate learns the owners, all models bid for all rows."""
    params = _train(arena, state, fresh)
    gate = fit_gate(arena.build_gate, state.labels, arena.build.w, state.gate)
    losses = losses_of(params, arena.competitor.learner, arena.build, arena.omega)
    costs = assignment_costs(losses, arena.build_gate @ gate, state.spread, arena.recipe.sigma)
    labels = costs.argmin(1)
    spread = max(float(np.average(losses.min(1), weights=arena.build.w)), LOSS_FLOOR)
    return _without_tiny(arena, State(labels, params, gate, spread, costs))


def assignment_costs(losses: np.ndarray, scores: np.ndarray, spread: float, sigma: float) -> np.ndarray:
    """Cost (n, k) of giving a row to a model: scaled loss, capped, and the gate's reluctance."""
    return np.minimum(losses / (2.0 * spread), COST_CAP) - sigma * np.maximum(log_softmax(scores), FLOOR)


def _train(arena: Arena, state: State, fresh: bool) -> tuple[Any, ...]:
    learner, build = arena.competitor.learner, arena.build
    refined = not fresh and can_refine(learner)
    params = []
    for slot, old in enumerate(state.params):
        own = state.labels == slot
        key = key_for(arena.key, "model", slot)
        rows = build.take(own)
        if refined and old is not None:
            params.append(refine_one(learner, key, old, rows.X, rows.Y, rows.w))
        else:
            params.append(fit_one(learner, key, rows.X, rows.Y, rows.w))
    return tuple(params)


def _without_tiny(arena: Arena, state: State) -> State:
    """The state without models that own fewer rows than a model needs; their rows go to the next best."""
    count = len(state.params)
    sizes = np.bincount(state.labels, minlength=count)
    if count == 1 or sizes.min() >= arena.smallest:
        return state
    if sizes.max() < arena.smallest:
        keep = [int(sizes.argmax())]
    else:
        keep = [k for k in range(count) if sizes[k] >= arena.smallest]
    return _keep(state, keep)


def _keep(state: State, keep: list[int]) -> State:
    costs = state.costs[:, keep]
    params = tuple(state.params[k] for k in keep)
    return replace(state, labels=costs.argmin(1), params=params, gate=state.gate[:, keep], costs=costs)


def _try_add(arena: Arena, book: _Book, state: State) -> State:
    """A model trained on the worst rows joins if the judge rows gain more than a standard error."""
    config = arena.config
    if not config.add or len(state.params) >= config.max_regimes:
        return state
    now = judge_losses(arena, state)
    own = state.costs[np.arange(len(state.labels)), state.labels]
    worst = np.argsort(-own, kind="stable")[: max(2 * arena.smallest, int(config.worst_share * len(own)))]
    labels = state.labels.copy()
    labels[worst] = len(state.params)
    gate = np.hstack([state.gate, np.zeros((len(state.gate), 1))])
    kept = [k for k in range(len(state.params)) if (labels == k).any()]
    labels = np.searchsorted([*kept, len(state.params)], labels)
    grown = State(
        labels,
        (*(state.params[k] for k in kept), None),
        gate[:, [*kept, len(state.params)]],
        state.spread,
        state.costs,
    )
    trial = _run(arena, grown, config.interval)
    then = book.note("add", trial, float(len(worst)) / len(own))
    gain, error = mean_and_error(now - then, arena.judge.w, arena.judge.units)
    if gain > config.add_errors * error:
        return trial
    book.trace[-1] = replace(book.trace[-1], event="refused_add")
    return state


def _try_drop(arena: Arena, book: _Book, state: State) -> State:
    """The state without a model whose loss the judge rows hardly notice, or the state itself."""
    config = arena.config
    if not config.drop or len(state.params) == 1:
        return state
    now = judge_losses(arena, state)
    for k in range(len(state.params)):
        rest = [j for j in range(len(state.params)) if j != k]
        trial = _run(arena, _keep(state, rest), config.interval)
        then = book.note("drop", trial, float(np.mean(state.labels == k)))
        harm, error = mean_and_error(then - now, arena.judge.w, arena.judge.units)
        if harm <= config.drop_errors * error:
            return trial
        book.trace[-1] = replace(book.trace[-1], event="refused_drop")
    return state
