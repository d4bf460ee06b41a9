"""What no strategy for classes may depend on: the order of classes, classes that never occur, a constant on the logits,
the precision of the numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
from scipy.special import softmax

from strongsuit.active.class_strategies import CLASS_STRATEGIES
from strongsuit.active.committee import train
from strongsuit.active.evidence import Evidence, gather
from strongsuit.active.folds import cross_fitted, seen_from_outside
from strongsuit.active.pool import pool_of
from strongsuit.active.strategy import propose
from strongsuit.core import root_key
from strongsuit.core.keys import key_for
from strongsuit.learners.softmax import Softmax

KEY, BATCH, CLASSES = root_key(6), 7, 4
Change = Callable[[Evidence], Evidence]


@cache
def evidence() -> Evidence:
    """All that a strategy may ask for, of 110 rows in four clusters, 36 of them labelled."""
    rng = np.random.default_rng(3)
    number = rng.integers(0, CLASSES, 110)
    X = rng.normal(size=(110, 5)) + 1.5 * np.eye(CLASSES, 5)[number]
    y = np.where(np.arange(110)[:, None] < 36, np.eye(CLASSES)[number], np.nan)
    pool = pool_of(X, y=y)
    needs = frozenset().union(*(row.needs for row in CLASS_STRATEGIES.values()))
    committee = train(key_for(KEY, "train"), Softmax(), pool, 3, needs=needs)
    folds = cross_fitted(key_for(KEY, "folds"), Softmax(), pool, 3, needs)
    return replace(gather(KEY, committee, pool, needs), folds=seen_from_outside(KEY, folds, pool, needs))


def everywhere(change: Change, one: Evidence) -> Evidence:
    """The change of the evidence and of that of all folds."""
    return replace(change(one), folds=tuple(change(fold) for fold in one.folds))


def permuted(one: Evidence) -> Evidence:
    order = np.array([2, 0, 3, 1])
    W, c, held = one.head
    changed = {name: getattr(one, name)[..., order] for name in ("y", "proba", "votes", "y_true")
               if getattr(one, name) is not None}  # fmt: skip
    return replace(one, head=(W[order], c[order], held[order]), **changed)


def widened(one: Evidence) -> Evidence:
    """A class more, of which there is no row."""
    W, c, held = one.head
    wide = {}
    for name in ("y", "proba", "votes", "y_true"):
        value = getattr(one, name)
        if value is not None:
            more = np.where(np.isnan(value[..., :1]), np.nan, 0.0)
            wide[name] = np.concatenate([value, more], axis=-1)
    head = (np.vstack([W, np.zeros_like(W[:1])]), np.append(c, 0.0), np.append(held, False))
    return replace(one, head=head, **wide)


def shifted(one: Evidence) -> Evidence:
    """The same logits and a constant: a power of two, so that differences of logits are the same numbers."""
    W, c, held = one.head
    logits = np.log(one.proba)
    return replace(one, head=(W, c + 8.0, held), proba=softmax(logits + 8.0, axis=1))


def single(one: Evidence) -> Evidence:
    """All numbers in single precision."""
    W, c, held = one.head
    changed = {
        part.name: value.astype(np.float32)
        for part in fields(one)
        if isinstance(value := getattr(one, part.name), np.ndarray) and value.dtype == np.float64
    }
    return replace(one, head=(W.astype(np.float32), c.astype(np.float32), held), **changed)


# TAILOR draws shares of classes one after the other: another order or another class gives other draws of the same law.
DRAWN_BY_CLASS = {("tailor", permuted), ("tailor", widened)}


def picks(name: str, one: Evidence) -> list[int]:
    return propose(KEY, CLASS_STRATEGIES[name], one, BATCH).index.tolist()


@pytest.mark.parametrize("name", CLASS_STRATEGIES)
@pytest.mark.parametrize("change", [permuted, widened, shifted, single], ids=lambda change: change.__name__)
def test_picks_do_not_depend_on(change: Change, name: str) -> None:
    if (name, change) in DRAWN_BY_CLASS:
        pytest.skip("its draws are made class by class")
    assert picks(name, everywhere(change, evidence())) == picks(name, evidence())
