"""What models beside a committee see that look at rows without a label too, and what they are shown of a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from strongsuit.core.keys import Key
from strongsuit.core.learner import embed_many
from strongsuit.errors import InputError


class Shown(Protocol):
    """What is asked of a committee whose features are looked at."""

    learner: Any
    params: Any


@dataclass(frozen=True)
class Around:
    """The rows X (u, d) without a label, and what the committee makes of any inputs (n, d): features (n, p)."""

    X: np.ndarray
    features: Callable[[np.ndarray], np.ndarray]


def looks_around(beside: Any) -> bool:
    """Whether a learner is fitted to rows without a label too: one that says by `most_rows` how many rows it takes in
    all, and by `sees` whether it is shown the "inputs" or the committee's "features"."""
    return hasattr(beside, "most_rows")


def with_open(key: Key, beside: Any, X: np.ndarray, y: np.ndarray, around: Around | None) -> tuple:
    """What such a learner is fitted to: labelled rows and, below them, rows without a label, whose targets are 0.

    All of both where they are few enough; else a draw, of which labelled rows take half at most.
    """
    if around is None:
        raise InputError(f"{type(beside).__name__} looks at rows without a label too, and none are given")
    rng, most = key.numpy(), beside.most_rows
    known = _drawn(rng, len(X), max(most // 2, most - len(around.X)))
    others = _drawn(rng, len(around.X), most - len(known))
    rows = shown(beside, np.concatenate([X[known], around.X[others]]), around.features)
    return rows, np.concatenate([y[known], np.zeros((len(others), y.shape[1]))])


def shown(beside: Any, X: np.ndarray, features: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Of inputs X (n, d) what such a learner is shown."""
    return X if beside.sees == "inputs" else features(X)


def features_of(committee: Shown, X: np.ndarray) -> np.ndarray:
    """Features (n, p) of X by the committee's first member."""
    return embed_many(committee.learner, first_of(committee), X)[0]


def first_of(committee: Shown) -> Any:
    """The parameters of the committee's first member alone, in the form of all."""
    if isinstance(committee.params, list):
        return committee.params[:1]
    import jax

    return jax.tree.map(lambda leaf: np.asarray(leaf)[:1], committee.params)


def _drawn(rng: np.random.Generator, n: int, count: int) -> np.ndarray:
    """At most so many of n rows, in order."""
    return np.arange(n) if n <= count else np.sort(rng.choice(n, count, replace=False))
