"""One run of the benchmark of classification strategies: train, measure accuracy, choose, label, again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from strongsuit import recipes
from strongsuit.active import session as sessions
from strongsuit.active.committee import answer
from strongsuit.active.strategy import check_place
from strongsuit.bench import boss
from strongsuit.bench.autoal_rows import COMPARED
from strongsuit.bench.class_tasks import ClassArena, ClassTask, class_arena
from strongsuit.bench.clock import cpu_clock
from strongsuit.core.keys import key_for, root_key
from strongsuit.errors import InputError

SUITE = "classification"
AUTO, AUTO_UNGUARDED = "auto", "auto_unguarded"  # the product's default, with its guard and without
FACES = (AUTO, AUTO_UNGUARDED)


@dataclass(frozen=True)
class Lane:
    """A learner to compare strategies with, for tasks of pixels or for others, and how many make a committee."""

    name: str
    words: str
    learner: Callable[[ClassTask], Any]
    members: int = sessions.MEMBERS
    pixels: bool = False


@dataclass(frozen=True)
class ClassPlan:
    """One run."""

    task: str
    repeat: int
    strategy: str
    lane: str

    def __str__(self) -> str:
        return f"{self.task} {self.strategy} run {self.repeat}"


@dataclass
class ClassCurve:
    """What a run has shown: accuracy and balanced accuracy on the test rows by number of labels; CPU seconds."""

    labels: list[int] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    balanced: list[float] = field(default_factory=list)
    train_seconds: float = 0.0
    select_seconds: float = 0.0
    degraded: Counter = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)


LANES: dict[str, Lane] = {
    lane.name: lane
    for lane in (
        Lane("linear", "logistic regression, C = 1", lambda task: recipes.active_classifier("softmax")),
        Lane("mlp", "a hidden layer of 256 units", lambda task: recipes.active_classifier("mlp")),
        # One network, as published: passes with dropout stand for a committee.
        Lane("cnn", "a small convolutional network", lambda task: recipes.image_classifier(task.shape), 1, pixels=True),
    )
}


def find_lane(name: str) -> Lane:
    """The lane of that name, or InputError with the names there are."""
    if name not in LANES:
        raise InputError(f"no lane is called {name!r}; there are {', '.join(LANES)}")
    return LANES[name]


def run(plan: ClassPlan) -> ClassCurve:
    """The learning curve of a plan: every round the committee is trained on all labels and meets the test rows."""
    arena, curve = class_arena(plan.task, plan.repeat), ClassCurve()
    session, committee = opened(plan, arena), None
    for round_ in range(arena.task.rounds + 1):
        began = cpu_clock()
        session, committee = sessions.fitted(session, start=committee)
        curve.train_seconds += cpu_clock() - began
        _measure(curve, committee, session.pool, arena)
        if round_ == arena.task.rounds or not session.pool.available.any():
            break
        began = cpu_clock()
        session, batch = _asked(plan, session, committee, arena)
        curve.select_seconds += cpu_clock() - began
        if batch.degraded:
            curve.degraded[batch.degraded] += 1
        if batch.facts:
            curve.facts.append(dict(batch.facts))
        session = sessions.tell(session, batch.index, np.eye(arena.classes)[arena.y[batch.index]])
    curve.notes += [f"round {v.round}: {v.state} -> {v.next_state}, {v.sentence()}" for v in session.verdicts]
    return curve


def _asked(
    plan: ClassPlan, session: sessions.Session, committee: Any, arena: ClassArena
) -> tuple[sessions.Session, sessions.Batch]:
    """The session with the batch of the plan's strategy, or of the oracle."""
    batches = boss.batches_of(plan.strategy)
    if batches is None:
        return sessions.ask(session, arena.task.batch)
    return boss.ask(session, committee, arena, arena.task.batch, batches=batches)


def opened(plan: ClassPlan, arena: ClassArena) -> sessions.Session:
    """A session on the arena's pool with its first labels; of the oracle one that would draw at random."""
    key = key_for(root_key(plan.repeat), "classification", plan.task, "session")
    lane, strategy = find_lane(plan.lane), None if plan.strategy in (*FACES, *COMPARED) else plan.strategy
    strategy = strategy if boss.batches_of(plan.strategy) is None else "random"
    learner = lane.learner(arena.task)
    y = np.full((len(arena.X), arena.classes), np.nan)
    y[arena.first] = np.eye(arena.classes)[arena.y[arena.first]]
    session = sessions.init(key, learner, arena.X, y=y, strategy=strategy, guarded=plan.strategy == AUTO,
                            members=lane.members)  # fmt: skip
    if plan.strategy not in COMPARED:
        return session
    check_place(COMPARED[plan.strategy], learner, boxed=False)
    return replace(session, strategy=COMPARED[plan.strategy])


def _measure(curve: ClassCurve, committee: Any, pool: Any, arena: ClassArena) -> None:
    right = answer(committee, arena.X_test).argmax(1) == arena.y_test
    each = np.bincount(arena.y_test, right, arena.classes) / np.maximum(
        np.bincount(arena.y_test, None, arena.classes), 1
    )
    curve.labels.append(int(pool.labelled.sum()))
    curve.accuracy.append(float(right.mean()))
    curve.balanced.append(float(each.mean()))
