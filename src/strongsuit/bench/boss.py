"""BoSS: the best of many batches by the true test error, an upper bound that no rule of the product may look at.

arXiv 2603.13109. Ten strategies propose batches from random parts of the pool; the head is trained on with each batch's
true labels, and the batch that leaves the fewest wrong test rows is taken. It says how much there is to win.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from strongsuit.active.class_strategies import CLASS_STRATEGIES
from strongsuit.active.committee import Committee, accompanied
from strongsuit.active.evidence import Evidence, gather, narrowed
from strongsuit.active.open_rows import first_of
from strongsuit.active.pool import ACTIVE, asked
from strongsuit.active.session import Batch, Session
from strongsuit.active.strategy import Strategy, propose
from strongsuit.bench.class_tasks import ClassArena
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import fit_many, predict_many, resume_many
from strongsuit.core.ties import first_of_largest, tie_seed
from strongsuit.errors import InputError

BOSS, BATCHES = "boss", 100
NAMES = ("random", "margin", "k_center", "badge", "bait_fast", "typiclust", "alfa_mix", "drop_query")
AWARE = ("typiclust", "drop_query")  # also class by class, with as many rows of each as there can be
LEAST, MOST = 4, 5_000  # rows of a part of the pool: at least so many batches, and at most so many rows


def batches_of(name: str) -> int | None:
    """How many batches the oracle of this name compares ("boss", "boss:50"); None for another name. Raises InputError
    for a number that is none."""
    head, colon, number = name.partition(":")
    if head != BOSS:
        return None
    if colon and not (number.isdecimal() and int(number) > 0):
        raise InputError(f"{BOSS} compares a number of batches, {BOSS}:50 for fifty; got {name!r}")
    return int(number) if colon else BATCHES


def ask(
    session: Session, committee: Committee, arena: ClassArena, b: int, *, batches: int = BATCHES
) -> tuple[Session, Batch]:
    """The session with the best of so many batches of b rows marked as asked for, and the batch; the committee knows
    the labels so far. `facts` tell the strategy that proposed it and the least, mean and largest test error."""
    key = key_for(session.key, BOSS, session.round)
    rules = [*((CLASS_STRATEGIES[name], False) for name in NAMES), *((CLASS_STRATEGIES[name], True) for name in AWARE)]
    needs = frozenset().union(*(rule.needs for rule, _ in rules))
    committee = accompanied(key_for(key, "beside"), committee, session.pool, needs)
    evidence = gather(key_for(key, "evidence"), committee, session.pool, needs)
    found = []
    for i in range(batches):
        rule, aware = rules[i % len(rules)]
        found.append(proposed(key_for(key, i), rule, evidence, arena.y, b, aware=aware))
    wrong = wrong_shares(committee, session.pool.labelled, found, arena)
    best = first_of_largest(tie_seed(key), -wrong)
    rule, aware = rules[best % len(rules)]
    facts = {
        "strategy": f"{rule.name} by class" if aware else rule.name,
        "wrong": [float(wrong.min()), float(wrong.mean()), float(wrong.max())],
    }
    session = replace(session, pool=asked(session.pool, found[best]), round=session.round + 1)
    return session, Batch(found[best], np.full(len(found[best]), ACTIVE), BOSS, "the best batch by the test error",
                          facts=facts)  # fmt: skip


def proposed(key: Key, rule: Strategy, evidence: Evidence, truth: np.ndarray, b: int, *, aware: bool) -> np.ndarray:
    """The b rows that a strategy chooses from a random part of the pool; a class-`aware` one shares them out among the
    true classes (n,) there."""
    rng, open_rows = key_for(key, "part").numpy(), np.flatnonzero(evidence.available & ~evidence.anchors)
    low, high = min(LEAST * b, len(open_rows)), min(MOST, len(open_rows))
    part = rng.choice(open_rows, rng.integers(low, max(low, high) + 1), replace=False)
    anchors = np.flatnonzero(evidence.anchors)
    if not aware:
        return _chosen(key, rule, evidence, part, anchors, b)
    classes, sizes = np.unique(truth[part], return_counts=True)
    found = []
    for c, count in zip(classes, shared_out(rng, sizes, b), strict=True):
        if count:
            own = anchors[truth[anchors] == c]
            found.append(_chosen(key_for(key, int(c)), rule, evidence, part[truth[part] == c], own, count))
    return np.concatenate(found)


def shared_out(rng: np.random.Generator, sizes: np.ndarray, b: int) -> np.ndarray:
    """How many (k,) of b rows each class of these sizes (k,) gives: as evenly as can be, the odd ones by chance."""
    count, order = np.zeros(len(sizes), int), rng.permutation(len(sizes))
    while count.sum() < min(b, sizes.sum()):
        open_classes = order[count[order] < sizes[order]]
        count[open_classes[: b - count.sum()]] += 1
    return count


def wrong_shares(
    committee: Committee, labelled: np.ndarray, found: Iterable[np.ndarray], arena: ClassArena
) -> np.ndarray:
    """The share (m,) of wrong test rows after the first model has learned each of m batches beside the rows (n,) that
    are labelled: one fit of many weightings of the same rows, which goes on from the model where it can resume."""
    found = [*found]
    rows = np.flatnonzero(labelled | np.isin(np.arange(len(arena.y)), np.concatenate(found)))
    W = np.array([labelled[rows] | np.isin(rows, batch) for batch in found], float)
    y = np.eye(arena.classes)[arena.y[rows]]
    params = _trained_on(committee, arena.X[rows], y, W)
    said = np.asarray(predict_many(committee.learner, params, arena.X_test).mean)
    return (said.argmax(2) != arena.y_test).mean(1)


def _trained_on(committee: Committee, X: np.ndarray, y: np.ndarray, W: np.ndarray) -> Any:
    keys = [committee.keys[0]] * len(W)  # all begin with the same weights
    if not hasattr(committee.learner, "resume"):
        return fit_many(committee.learner, keys, X, y, W)
    start = first_of(committee)
    return resume_many(committee.learner, keys, start * len(W) if isinstance(start, list) else start, X, y, W)


def _chosen(key: Key, rule: Strategy, evidence: Evidence, part: np.ndarray, anchors: np.ndarray, b: int) -> np.ndarray:
    """The rows chosen from a part of the pool (c,), where the anchors (a,) already count."""
    seen = np.sort(np.concatenate([part, anchors]))
    return seen[propose(key_for(key, "propose"), rule, narrowed(evidence, seen), min(b, len(part))).index]
