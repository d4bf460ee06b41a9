"""Selectors written down plainly in NumPy: full tables of distances and kernels, as their formulas read."""

from __future__ import annotations

import numpy as np


def squares(X: np.ndarray) -> np.ndarray:
    """All squared distances (n, n)."""
    return ((X[:, None] - X[None]) ** 2).sum(axis=2)


def greedy(available: np.ndarray, b: int, value) -> list[int]:
    """b picks, each the available row of largest value(picks); stops where that is not above 0."""
    picks: list[int] = []
    while len(picks) < b:
        v = np.where(available, value(picks), -np.inf)
        v[picks] = -np.inf
        if v.max() <= 0:
            break
        picks.append(int(v.argmax()))
    return picks


def k_center(X, available, anchors, b, weights=None, table=None) -> list[int]:
    """Farthest-first by a table of distances."""
    table = np.sqrt(squares(X)) if table is None else table
    w = np.ones(len(X)) if weights is None else weights

    def value(picks):
        centres = [*anchors, *picks]
        if centres:
            return w * table[:, centres].min(axis=1)
        return 1.0 / (1e-300 + ((X - X[available].mean(axis=0)) ** 2).sum(axis=1))

    return greedy(available, b, value)


def product_table(X, blocks) -> np.ndarray:
    """Products of block distances (n, n)."""
    parts = np.split(X, np.cumsum(blocks)[:-1], axis=1)
    return np.prod([np.sqrt(squares(part)) for part in parts], axis=0)


def lcmd(X, available, anchors, b) -> list[int]:
    """Largest cluster, maximum distance."""
    table, centres, picks = squares(X), list(anchors), []
    while len(picks) < b:
        if not centres:
            row = int(np.where(available, (X**2).sum(axis=1), -1).argmax())
        else:
            owner, d = table[:, centres].argmin(axis=1), table[:, centres].min(axis=1)
            free = available & ~np.isin(np.arange(len(X)), picks)
            mass = np.bincount(owner[free], d[free], minlength=len(centres))
            row = int(np.where(free & (owner == mass.argmax()), d, -1).argmax())
            if mass.max() <= 0:
                break
        picks.append(row)
        centres.append(row)
    return picks


def conditioned(X, picks, noise) -> np.ndarray:
    """The kernel (n, n) given noisy observations of the picks."""
    K = X @ X.T
    if len(picks) == 0:
        return K
    return K - K[:, picks] @ np.linalg.solve(K[np.ix_(picks, picks)] + noise * np.eye(len(picks)), K[picks])


def trace(X, picks, noise, reference) -> float:
    """Summed variance of the reference rows given the picks, noise tr(R (S'S + noise I)^-1 R'): nothing cancels."""
    S, R = X[list(picks)], X[reference]
    return noise * float(np.trace(np.linalg.solve(S.T @ S + noise * np.eye(X.shape[1]), R.T @ R)))


def bait_forward(X, available, b, noise, reference) -> list[int]:
    """Each pick lowers the summed variance most, tried one by one."""
    rows = range(len(X))
    before = trace(X, [], noise, reference)
    return greedy(
        available,
        b,
        lambda S: np.array([before - trace(X, [*S, x], noise, reference) if x not in S else 0 for x in rows]),
    )


def bait_backward(X, picks, b, noise, reference) -> list[int]:
    """The picks that remain when the one whose removal raises the summed variance least goes, again and again."""
    kept = list(picks)
    while len(kept) > b:
        kept.remove(min(kept, key=lambda x: trace(X, [k for k in kept if k != x], noise, reference)))
    return kept


def sparsity(X, free) -> np.ndarray:
    """Mean of the 10 smallest cosine distances to free rows, the row itself at 0."""
    norms = np.linalg.norm(X, axis=1)
    unit = X / np.where(norms > 0, norms, 1)[:, None]
    d = 1.0 - unit @ unit.T
    np.fill_diagonal(d, 0.0)
    return np.sort(np.maximum(d[:, free], 0.0), axis=1)[:, :10].mean(axis=1)


def blend(X, score, available, anchors, b, w_div, w_den, sign) -> list[int]:
    """Score, distance and sparsity, scaled as the formula reads."""

    def scaled(v, rows):
        low, high = v[rows].min(), v[rows].max()
        return (v - low) / (high - low) if high > low else np.zeros(len(v))

    table, V, picks = np.sqrt(squares(X)), scaled(score, available), []
    while len(picks) < b:
        free = available & ~np.isin(np.arange(len(X)), picks)
        value, centres = (1 - w_div - w_den) * V, [*anchors, *picks]
        if centres:
            value = value + w_div * scaled(table[:, centres].min(axis=1), free)
        if w_den:
            value = value + w_den * sign * scaled(sparsity(X, free), free)
        picks.append(int(np.where(free, value, -np.inf).argmax()))
    return picks


def frank_wolfe(X, available, b) -> list[int]:
    """Weights that move one unit vector at a time towards the sum of all rows."""
    c = np.linalg.norm(X, axis=1)
    t, r, w, picks = X[available].sum(axis=0), c[available].sum(), np.zeros(X.shape[1]), []
    for _ in range(b):
        gain = np.where(available, (X / c[:, None]) @ (t - w), -np.inf)
        gain[picks] = -np.inf
        picks.append(int(gain.argmax()))
        delta = r * X[picks[-1]] / c[picks[-1]] - w
        w = w + (delta @ (t - w)) / (delta @ delta) * delta
    return picks
