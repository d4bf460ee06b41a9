"""One run of the benchmark of regression strategies: train, measure, choose, label, again and again."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from strongsuit import recipes
from strongsuit.active import session as sessions
from strongsuit.active.box import Box
from strongsuit.active.committee import Committee, accompanied, answer, train
from strongsuit.active.evidence import FOLDS, gather
from strongsuit.active.folds import cross_fitted, seen_from_outside
from strongsuit.active.pool import Pool
from strongsuit.active.strategies import find_strategy
from strongsuit.active.strategy import Strategy, propose
from strongsuit.bench.arenas import Arena, BoxArena, arena_for, with_answers
from strongsuit.bench.clock import cpu_clock
from strongsuit.core.curves import relative_diversity
from strongsuit.core.keys import Key, key_for
from strongsuit.datasets.simulators.problems import Problem
from strongsuit.errors import InputError

SUITE = "dal"
AUTO, AUTO_UNGUARDED = "auto", "auto_unguarded"  # the product's default, as a session runs it
FACES = (AUTO, AUTO_UNGUARDED)
RANDOM = "random"


@dataclass(frozen=True)
class Protocol:
    """What is trained on the labels: a learner for each problem (None: a table), how many, whether training goes on
    from the round before, and whether it begins anew from time to time."""

    name: str
    words: str
    learner: Callable[[Problem | None], Any]
    members: Callable[[Problem | None], int]
    warm: bool
    restarts: bool = True


@dataclass(frozen=True)
class Plan:
    """One run: `gamma` is 0 where a strategy does not depend on it."""

    task: str
    repeat: int
    strategy: str
    gamma: int
    protocol: str
    steps: int

    def __str__(self) -> str:
        pool = f" pool {self.gamma}x" if self.gamma else ""
        return f"{self.task} {self.strategy}{pool} run {self.repeat}"


def draws_itself(strategy: str) -> bool:
    """Whether a strategy makes its own candidates: the product's default does in a box, and synthesis."""
    return strategy in FACES or "box" in find_strategy(strategy).needs


@dataclass
class Curve:
    """What a run has shown so far; seconds are CPU seconds."""

    labels: list[int] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    diversity: list[float] = field(default_factory=list)
    train_seconds: float = 0.0
    select_seconds: float = 0.0
    degraded: Counter = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def _product(problem: Problem | None) -> Any:
    return recipes.active_learner("auto")


def _network(problem: Problem | None) -> Any:
    return recipes.active_network()


def _published(problem: Problem | None) -> Any:
    from strongsuit.learners.batch_norm import BatchNormMLP

    if problem is None:
        raise InputError("the published networks belong to the problems: use protocol 'product' for tables")
    return BatchNormMLP(problem.widths, learning_rate=problem.rate, l2=problem.l2 * problem.members)


def _ours(problem: Problem | None) -> int:
    return sessions.MEMBERS


def _theirs(problem: Problem | None) -> int:
    return problem.members if problem else sessions.MEMBERS


PROTOCOLS: dict[str, Protocol] = {
    row.name: row
    for row in (
        Protocol("product", "what users get: networks or a Gaussian process, by cross-validation", _product, _ours,
                 warm=True),
        Protocol("network", "a committee of the library's networks, resumed from round to round", _network, _ours,
                 warm=True),
        Protocol("network_cold", "a committee of the library's networks, trained anew every round", _network, _ours,
                 warm=False),
        Protocol("published", "each problem's published networks, 500 steps more every round", _published, _theirs,
                 warm=True, restarts=False),
        Protocol("cold", "each problem's published networks, trained anew every round", _published, _theirs,
                 warm=False),
    )
}  # fmt: skip


def find_protocol(name: str) -> Protocol:
    """The protocol of that name, or InputError with the names there are."""
    if name not in PROTOCOLS:
        raise InputError(f"no protocol is called {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def run(plan: Plan) -> Curve:
    """The learning curve of a plan: test error at every label count, batch diversity, CPU seconds.

    The test error is the mean squared error over test rows and outputs in the oracle's units, of the committee's mean.
    """
    arena = arena_for(plan.task, plan.repeat)
    if draws_itself(plan.strategy):
        return _run_session(plan, arena)
    strategy, curve, pool = find_strategy(plan.strategy), Curve(), arena.start()
    committee, seconds = _first(plan)
    curve.train_seconds += seconds
    beside = None
    for round_ in range(1, plan.steps + 1):
        _measure(curve, committee, pool, arena)
        pool = arena.refill(pool, round_, 1 if strategy.name == RANDOM else plan.gamma)
        if not pool.available.any():
            return curve
        key = key_for(arena.key, "choose", round_)
        committee = beside = _accompanied(key, strategy, committee, beside, pool, curve)
        index = _choose(key, strategy, committee, pool, arena, curve)
        pool = with_answers(pool, index, arena.label(pool, index))
        committee = _trained(plan, arena, pool, round_, committee, curve)
    _measure(curve, committee, pool, arena)
    return curve


@functools.lru_cache(maxsize=2)
def _first_of(task: str, repeat: int, protocol: str) -> tuple[Committee, float]:
    arena = arena_for(task, repeat)
    began = cpu_clock()
    committee = _fit(find_protocol(protocol), arena, arena.start(), 0, None)
    return committee, cpu_clock() - began


def _first(plan: Plan) -> tuple[Committee, float]:
    """The committee of the start rows, which all strategies of a repetition share, and what it cost."""
    return _first_of(plan.task, plan.repeat, plan.protocol)


def _fit(protocol: Protocol, arena: Arena, pool: Pool, round_: int, start: Committee | None) -> Committee:
    problem = arena.problem if isinstance(arena, BoxArena) else None
    key = key_for(arena.key, "train", round_)
    return train(key, protocol.learner(problem), pool, protocol.members(problem), start=start)


def _trained(plan: Plan, arena: Arena, pool: Pool, round_: int, before: Committee, curve: Curve) -> Committee:
    protocol = find_protocol(plan.protocol)
    start = before if protocol.restarts else replace(before, begun=int(pool.labelled.sum()))
    began = cpu_clock()
    committee = _fit(protocol, arena, pool, round_, start if protocol.warm else None)
    curve.train_seconds += cpu_clock() - began
    return committee


def _measure(curve: Curve, committee: Committee, pool: Pool, arena: Arena) -> None:
    X, y = arena.test
    curve.labels.append(int(pool.labelled.sum()))
    curve.error.append(float(((answer(committee, X) - y) ** 2).mean()))


def _accompanied(key: Key, strategy: Strategy, committee: Committee, before, pool: Pool, curve: Curve) -> Committee:
    """The committee with the models beside it that the strategy needs, which go on from those of the round before."""
    if not strategy.learns:
        return committee
    began = cpu_clock()
    found = accompanied(key_for(key, "beside"), committee, pool, strategy.needs, before=before)
    curve.train_seconds += cpu_clock() - began
    return found


def _choose(key: Key, strategy: Strategy, committee: Committee, pool: Pool, arena: Arena, curve: Curve) -> np.ndarray:
    """The next batch; its diversity is noted."""
    open_rows = np.flatnonzero(pool.available)
    b = min(arena.batch, len(open_rows))
    truth = arena.label(pool, np.arange(len(pool.X))) if strategy.evaluation_only else None
    began = cpu_clock()
    evidence = gather(key, committee if strategy.learns else None, pool, strategy.needs, box=arena.box, y_true=truth)
    if FOLDS in strategy.needs:
        own, needs = key_for(key, "folds"), strategy.needs
        folds = cross_fitted(own, committee.learner, pool, len(committee.keys), needs)
        evidence = replace(evidence, folds=seen_from_outside(own, folds, pool, needs))
    chosen = propose(key, strategy, evidence, b)
    curve.select_seconds += cpu_clock() - began
    if chosen.degraded:
        curve.degraded[chosen.degraded] += 1
    _note_diversity(curve, key, evidence.x[chosen.index], evidence.x[open_rows])
    return chosen.index


def _note_diversity(curve: Curve, key: Key, batch: np.ndarray, pool: np.ndarray) -> None:
    if len(batch) > 1 and len(pool) > len(batch):
        curve.diversity.append(relative_diversity(key_for(key, "diversity"), batch, pool))


def _run_session(plan: Plan, arena: Arena) -> Curve:
    """The curve of a strategy in a session, which draws its own candidates, guards itself and falls back."""
    protocol, curve = find_protocol(plan.protocol), Curve()
    problem = arena.problem if isinstance(arena, BoxArena) else None
    start = arena.start()
    session = _opened(plan, arena, start, protocol.learner(problem))
    committee = None
    for round_ in range(plan.steps + 1):
        began = cpu_clock()
        session, committee = sessions.fitted(session, start=committee if protocol.warm else None)
        curve.train_seconds += cpu_clock() - began
        _measure(curve, committee, session.pool, arena)
        if round_ == plan.steps or not _can_go_on(session, arena):
            break
        began = cpu_clock()
        session, batch = sessions.ask(session, arena.batch)
        curve.select_seconds += cpu_clock() - began
        session = sessions.tell(session, batch.index, arena.label(session.pool, batch.index))
    curve.notes += [f"round {v.round}: {v.state} -> {v.next_state}, {v.sentence()}" for v in session.verdicts]
    return curve


def _can_go_on(session: sessions.Session, arena: Arena) -> bool:
    return isinstance(arena, BoxArena) or bool(session.pool.available.any())


def _opened(plan: Plan, arena: Arena, start: Pool, learner: Any) -> sessions.Session:
    key, strategy = key_for(arena.key, "session"), None if plan.strategy in FACES else plan.strategy
    guarded = plan.strategy == AUTO
    if isinstance(arena, BoxArena):
        box = Box(*arena.box)
        return sessions.init_box(key, learner, box, X=start.X, y=start.y, strategy=strategy, guarded=guarded)
    return sessions.init(key, learner, start.X, y=start.y, strategy=strategy, guarded=guarded)
