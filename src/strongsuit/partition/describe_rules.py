"""Regimes as rules: a shallow tree on the boundary's labels, its leaves in words, or one straight line.

The tree is a portrait of the boundary, not the boundary: its fidelity says how often both agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from strongsuit.partition.describe_values import Rule, Rules
from strongsuit.partition.describe_words import number
from strongsuit.partition.gate import fit_gate
from strongsuit.partition.units import standardise

DEPTH = 3  # rules of more conditions are no words
WORTH_A_LEVEL = 0.01  # fidelity a deeper tree must add
SMALLEST_LEAF = 5
TREE_ROWS = 20_000
STRAIGHT_BELOW = 0.95  # fidelity of the tree below which a straight line is tried
STRAIGHT_GAIN = 0.02  # fidelity it must add to be told
STRAIGHT_TERMS = 6
STRAIGHT_STEPS = 300
WEAK_TERM = 0.1  # terms below this share of the strongest are left out
RULES_SHOWN = 4
OTHERS = {"(missing)": ("is missing", "is present"), "(other)": ("has a rare level", "has no rare level")}


@dataclass(frozen=True)
class Leaf:
    """A leaf that names `regime`: bounds (low, high) by column, how many rows it holds, how many rightly."""

    regime: int
    bounds: dict[int, tuple[float, float]]
    rows: int
    right: int


def rule_tree(
    X: np.ndarray, labels: np.ndarray, names: Sequence[str], columns: np.ndarray, *, numeric: frozenset[str]
) -> tuple[Rules, dict[int, tuple[Rule, ...]]]:
    """Fidelity and importances of the rules, and each regime's rules in words.

    X (n, d) with labels (n,); `columns` are those the boundary sees; names in `numeric` are never read as
    `column=level`.
    """
    from sklearn.tree import DecisionTreeClassifier

    seen = X[:, columns]
    trees = [
        DecisionTreeClassifier(max_depth=depth, min_samples_leaf=SMALLEST_LEAF, random_state=0).fit(seen, labels)
        for depth in range(1, DEPTH + 1)
    ]
    fidelities = [float(np.mean(tree.predict(seen) == labels)) for tree in trees]
    chosen = next(i for i, f in enumerate(fidelities) if f >= max(fidelities) - WORTH_A_LEVEL)
    fidelity, tree = fidelities[chosen], trees[chosen]
    leaves = _leaves(tree.tree_, tree.classes_, seen, labels, columns)
    told = {int(k): _rules_of(int(k), leaves, labels, X, names, numeric) for k in np.unique(labels)}
    order = np.argsort(-tree.feature_importances_, kind="stable")
    importances = tuple(
        (names[columns[j]], float(tree.feature_importances_[j])) for j in order if tree.feature_importances_[j] > 0
    )
    straight, agreement = "", float("nan")
    if len(trees[0].classes_) == 2 and fidelity < STRAIGHT_BELOW:
        straight, agreement = straight_line(X, labels, names, columns)
        if agreement < fidelity + STRAIGHT_GAIN:
            straight, agreement = "", float("nan")
    return Rules(chosen + 1, fidelity, importances, straight, agreement), told


def _leaves(tree, classes, X: np.ndarray, labels: np.ndarray, columns: np.ndarray) -> list[Leaf]:
    """The tree's leaves, siblings that name the same regime taken together."""

    def grow(node: int, rows: np.ndarray, bounds: dict[int, tuple[float, float]]) -> list[Leaf]:
        regime = int(classes[tree.value[node].ravel().argmax()])
        here = [Leaf(regime, bounds, len(rows), int(np.sum(labels[rows] == regime)))]
        if tree.children_left[node] < 0:
            return here
        j, cut = int(tree.feature[node]), tree.threshold[node]
        values = X[rows, j]
        below = values <= cut
        if not below.any() or below.all():  # thresholds are float32 inside the tree
            return here
        plain = roundest_between(values[below].max(), values[~below].min())
        low, high = bounds.get(int(columns[j]), (-np.inf, np.inf))
        left = grow(tree.children_left[node], rows[below], bounds | {int(columns[j]): (low, min(high, plain))})
        right = grow(tree.children_right[node], rows[~below], bounds | {int(columns[j]): (max(low, plain), high)})
        return here if len({leaf.regime for leaf in left + right}) == 1 else left + right

    return grow(0, np.arange(len(X)), {})


def roundest_between(low: float, high: float) -> float:
    """The number of fewest digits in [low, high): a cut that reads well and parts the same rows."""
    middle = 0.5 * (low + high)
    for digits in range(1, 17):
        candidate = float(f"{middle:.{digits}g}")
        if low <= candidate < high:
            return candidate
    return float(low)


def _rules_of(k: int, leaves: list[Leaf], labels, X, names, numeric) -> tuple[Rule, ...]:
    own = sorted((leaf for leaf in leaves if leaf.regime == k), key=lambda leaf: -leaf.right)
    size = max(1, int(np.sum(labels == k)))
    return tuple(
        Rule(_condition(leaf.bounds, X, names, numeric), leaf.right / size, leaf.right / max(1, leaf.rows))
        for leaf in own[:RULES_SHOWN]
    )


def _condition(bounds: dict[int, tuple[float, float]], X, names, numeric) -> str:
    parts = [_part(X[:, j], names[j], *ends, level=is_level(X[:, j], names[j], numeric)) for j, ends in bounds.items()]
    return " and ".join(parts) if parts else "every row"


def is_level(values: np.ndarray, name: str, numeric: frozenset[str]) -> bool:
    """Whether a column of zeros and ones stands for `column=level`."""
    return "=" in name and name not in numeric and bool(np.isin(values, (0.0, 1.0)).all())


def _part(values: np.ndarray, name: str, low: float, high: float, *, level: bool) -> str:
    if level:
        column, _, value = name.partition("=")
        yes, no = OTHERS.get(value, (f"is {value}", f"is not {value}"))
        return f"{column} {yes if np.isfinite(low) else no}"
    if not np.isfinite(low):
        return f"{name} ≤ {_cut(high)}"
    if not np.isfinite(high):
        return f"{name} > {_cut(low)}"
    return f"{_cut(low)} < {name} ≤ {_cut(high)}"


def _cut(value: float) -> str:
    return number(value, 6)


def straight_line(X: np.ndarray, labels: np.ndarray, names: Sequence[str], columns: np.ndarray) -> tuple[str, float]:
    """`regime 2 where 1.5 a − b > 3` from a logistic regression on the labels (two regimes), and its fidelity."""
    w = np.ones(len(X))
    center, spread = standardise(X, w)
    alive = np.array([j for j in columns if np.isfinite(spread[j])], int)
    _, codes = np.unique(labels, return_inverse=True)
    slope, cut, agreement = _logistic(X, codes, alive, center, spread)
    strength = np.abs(slope * spread[alive])
    kept = np.flatnonzero(strength >= WEAK_TERM * strength.max())
    kept = kept[np.argsort(-strength[kept], kind="stable")][:STRAIGHT_TERMS]
    if len(kept) < len(alive):
        slope, cut, agreement = _logistic(X, codes, alive[kept], center, spread)
        alive = alive[kept]
    terms = combination(slope / np.abs(slope).max(), [names[j] for j in alive])
    return f"{terms} > {number(cut / np.abs(slope).max(), 4)}", agreement


def _logistic(X, codes, columns, center, spread) -> tuple[np.ndarray, float, float]:
    """Slope (c,) in the features' own units, cut, and agreement with the codes (n,)."""
    P = np.hstack([(X[:, columns] - center[columns]) / spread[columns], np.ones((len(X), 1))])
    weights = fit_gate(P, codes, np.ones(len(X)), np.zeros((P.shape[1], 2)), steps=STRAIGHT_STEPS)
    side = weights[:, 1] - weights[:, 0]
    slope = side[:-1] / spread[columns]
    return slope, float(slope @ center[columns] - side[-1]), float(np.mean((P @ side > 0) == codes))


def combination(slope: np.ndarray, names: Sequence[str]) -> str:
    """`0.3 a − b` from slopes and names."""
    text = ""
    for value, name in zip(slope, names, strict=True):
        sign = (" − " if value < 0 else " + ") if text else ("−" if value < 0 else "")
        size = number(abs(value), 3)
        text += f"{sign}{'' if size == '1' else f'{size} '}{name}"
    return text
