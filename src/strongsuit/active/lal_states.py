"""What a random forest of a few labelled rows shows of itself and of a row: the state that LAL learns from.

After Konyushkova, Sznitman and Fua 2017 ("Learning Active Learning from Data"), with forests of scikit-learn. Of more
than two classes each is told apart from the rest.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from strongsuit.core.keys import Key

TREES = 32  # of the forest that is looked at: a row is drawn into all of their samples once in two million cases
FEATURES = ("probability", "class share", "out-of-bag accuracy", "variance", "depth", "labels")


@dataclass(frozen=True)
class OneClass:
    """The forest that tells one class from the rest, and what of its state all rows share: the class's share of the
    labels, the out-of-bag accuracy, the mean depth of the trees and the number of labels."""

    forest: Any
    shared: tuple[float, float, float, float]


def told_apart(key: Key, X: np.ndarray, y: np.ndarray) -> tuple[OneClass, ...]:
    """One for each class of y (n, k) that some of the rows X (n, d) have and others have not."""
    label = y.argmax(1)
    # All with one key: which number a class has decides nothing.
    return tuple(one_class(key, X, label == c) for c in np.unique(label) if (label != c).any())


def one_class(key: Key, X: np.ndarray, own: np.ndarray) -> OneClass:
    """A forest fitted to rows X (n, d) of which some, but not all, are `own` (n,) of the class."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(TREES, oob_score=True, random_state=key.integer())
    with warnings.catch_warnings():
        # Of two or three rows one may lie in every sample: it then has no out-of-bag vote, and counts as wrong.
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        forest.fit(X, own)
    depth = float(np.mean([tree.get_depth() for tree in forest.estimators_]))
    return OneClass(forest, (float(own.mean()), float(forest.oob_score_), depth, float(len(X))))


def states(one: OneClass, X: np.ndarray) -> np.ndarray:
    """The state (n, 6) of rows X (n, d), in the order of FEATURES: the forest's probability of the class, the four that
    all rows share, and the variance of its trees."""
    X32 = np.ascontiguousarray(X, np.float32)
    said = np.stack([tree.predict_proba(X32, check_input=False)[:, 1] for tree in one.forest.estimators_])
    share, accuracy, depth, labels = one.shared
    found = np.empty((len(X), len(FEATURES)))
    found[:, 0], found[:, 3] = said.mean(0), said.var(0)
    found[:, 1], found[:, 2], found[:, 4], found[:, 5] = share, accuracy, depth, labels
    return found
