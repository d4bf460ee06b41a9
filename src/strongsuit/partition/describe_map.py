"""Two axes on which the regimes are seen best.

One feature: the feature against the target. One separating feature: that one against the target. Two: their
plane. Where no two features separate, mixtures of features do (linear discriminants).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from strongsuit.partition.describe_portraits import evenly, source_of
from strongsuit.partition.describe_rules import combination
from strongsuit.partition.describe_values import Axis, Map, Rules
from strongsuit.partition.describe_words import FAITHFUL
from strongsuit.partition.units import standardise

MAPPED_ROWS = 2_000
SECOND_WORTH = 0.05  # importance below which a second axis says nothing of the regimes
TERMS_NAMED = 3


def map_of(
    X: np.ndarray,
    Y: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    targets: Sequence[str],
    table: pd.DataFrame,
    columns: np.ndarray,
    rules: Rules | None,
) -> Map | None:
    """The map of rows X (n, d), Y (n, q) with regimes (n,), or None where there is nothing to map."""  # fmt: skip
    rows = evenly(np.arange(len(X)), MAPPED_ROWS)
    target = Axis(targets[0], Y[rows, 0])
    if X.shape[1] == 1:
        return Map("curve", rows, labels[rows], Axis(names[0], X[rows, 0], column=0), target)
    if rules is None:
        return None
    chosen = _separating(columns, names, rules)
    if not chosen:
        x, y = discriminant_axes(X[:, columns], labels, [names[j] for j in columns], rows)
        return Map("discriminant", rows, labels[rows], x, y)
    axes = [feature_axis(X, j, names[j], table, rows) for j in chosen]
    if len(axes) == 1 or axes[0].label == axes[1].label:
        return Map("strip", rows, labels[rows], axes[0], target)
    return Map("plane", rows, labels[rows], *axes)


def _separating(columns: np.ndarray, names: Sequence[str], rules: Rules) -> list[int]:
    """One or two columns that part the regimes, none where only mixtures do."""
    if len(columns) <= 2:
        return [int(j) for j in columns]
    if rules.fidelity < FAITHFUL:
        return []
    place = {name: j for j, name in enumerate(names)}
    told = [(place[name], share) for name, share in rules.importances]
    return [j for i, (j, share) in enumerate(told[:2]) if i == 0 or share >= SECOND_WORTH]


def feature_axis(X: np.ndarray, j: int, name: str, table: pd.DataFrame, rows: np.ndarray) -> Axis:
    """A feature as an axis; a level column becomes its whole column, with the levels as ticks."""
    source = source_of(name, table)
    if source != name and not pd.api.types.is_numeric_dtype(table[source]):
        codes, levels = pd.factorize(table[source].astype(object).fillna("(missing)").astype(str), sort=True)
        return Axis(source, codes[rows].astype(float), tuple(map(str, levels)))
    return Axis(name, X[rows, j], column=j)


def discriminant_axes(X: np.ndarray, labels: np.ndarray, names: Sequence[str], rows: np.ndarray) -> tuple[Axis, Axis]:
    """The two mixtures of standardised features that hold the regimes' means farthest apart within their spread.

    With two regimes only one mixture does; the second axis is then the main direction left over.
    """
    center, spread = standardise(X, np.ones(len(X)))
    Z = (X - center) / spread
    within = np.zeros((Z.shape[1],) * 2)
    means = []
    for k in np.unique(labels):
        own = Z[labels == k]
        means.append(own.mean(0) * np.sqrt(len(own) / len(Z)))
        within += (own - own.mean(0)).T @ (own - own.mean(0)) / len(Z)
    # A tenth of the identity: collinear features must not blow up.
    root = np.linalg.cholesky(within + 0.1 * np.eye(len(within)))
    basis = np.linalg.svd(np.linalg.solve(root, np.array(means).T), full_matrices=False)[0]
    first = np.linalg.solve(root.T, basis)[:, : len(means) - 1]
    axes = [v / np.linalg.norm(v) for v in first.T[:2]]
    if len(axes) < 2:
        left = Z - np.outer(Z @ axes[0], axes[0])
        axes.append(np.linalg.svd(left, full_matrices=False)[2][0])
    return tuple(Axis(_named(axis, names), Z[rows] @ axis) for axis in axes)


def _named(axis: np.ndarray, names: Sequence[str]) -> str:
    order = np.argsort(-np.abs(axis), kind="stable")[:TERMS_NAMED]
    rest = " + …" if len(axis) > TERMS_NAMED else ""
    return combination(axis[order], [names[j] for j in order]) + rest
