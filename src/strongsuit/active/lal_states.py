"""What a random forest of a few labelled rows shows of itself and of a row: the state that LAL learns from.

After Konyushkova, Sznitman and Fua 2017 ("Learning Active Learning from Data"). Of more than two classes each is told
apart from the rest. The trees are scikit-learn's; its forest spends more time on itself than on 32 trees of thirty
rows, and a thousand such forests make a lesson.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from strongsuit.core.keys import Key

TREES = 32
FEATURES = ("probability", "class share", "out-of-bag accuracy", "variance", "depth", "labels")


@dataclass(frozen=True)
class OneClass:
    """The trees that tell one class from the rest, and what of their state all rows share: the class's share of the
    labels, the out-of-bag accuracy, the mean depth and the number of labels."""

    trees: tuple[Any, ...]
    shared: tuple[float, float, float, float]


def told_apart(key: Key, X: np.ndarray, y: np.ndarray) -> tuple[OneClass, ...]:
    """One for each class of y (n, k) that some of the rows X (n, d) have and others have not."""
    label = y.argmax(1)
    # All with one key: which number a class has decides nothing.
    return tuple(one_class(key, X, label == c) for c in np.unique(label) if (label != c).any())


def one_class(key: Key, X: np.ndarray, own: np.ndarray) -> OneClass:
    """A forest fitted to rows X (n, d) of which some, but not all, are `own` (n,) of the class.

    How often a tree sees a row is a Poisson number (Oza and Russell 2001), drawn row by row: with one more row the
    forest sees the others as often as before, so that its error changes by that row alone.
    """
    from sklearn import config_context
    from sklearn.tree import DecisionTreeRegressor

    X32, seeds = np.ascontiguousarray(X, np.float32), np.random.RandomState(key.integer())
    W = key.numpy().poisson(1.0, (len(X), TREES)).T.astype(float)
    W[W.sum(1) == 0.0] = 1.0
    grown = []
    with config_context(skip_parameter_validation=True):  # which would take half the time of so small trees
        for w in W:
            # Of indicators the squared error is half of Gini's impurity: the tree a classifier would grow, sooner.
            tree = DecisionTreeRegressor(max_features="sqrt", random_state=seeds)
            grown.append(tree.fit(X32, own.astype(float), sample_weight=w, check_input=False))
    trees = tuple(grown)
    out = W == 0.0
    told = (out * _votes(trees, X32)).sum(0) / np.maximum(out.sum(0), 1)  # 0 for a row that every tree saw
    depth = float(np.mean([tree.get_depth() for tree in trees]))
    return OneClass(trees, (float(own.mean()), float(((told > 0.5) == own).mean()), depth, float(len(X))))


def states(one: OneClass, X: np.ndarray) -> np.ndarray:
    """The state (n, 6) of rows X (n, d), in the order of FEATURES: the forest's probability of the class and the
    variance of its trees are the row's own."""
    said = _votes(one.trees, np.ascontiguousarray(X, np.float32))
    share, accuracy, depth, labels = one.shared
    found = np.empty((len(X), len(FEATURES)))
    found[:, 0], found[:, 3] = said.mean(0), said.var(0)
    found[:, 1], found[:, 2], found[:, 4], found[:, 5] = share, accuracy, depth, labels
    return found


def _votes(trees: tuple[Any, ...], X32: np.ndarray) -> np.ndarray:
    """The probability (t, n) of the class in the eyes of each tree."""
    return np.stack([tree.predict(X32, check_input=False) for tree in trees])
