"""Selectors that cover the pool, written down plainly in NumPy, and pools whose answer is plain to see."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates
from strongsuit.core import key_for
from strongsuit.core.groups import k_means
from strongsuit.core.ties import ranks, tie_seed


def squares(X: np.ndarray) -> np.ndarray:
    """All squared distances (n, n)."""
    X = X.astype(np.float64)
    return ((X[:, None] - X[None]) ** 2).sum(axis=2)


def served(c: Candidates) -> np.ndarray:
    """The rows (n,) bool that a choice is to serve."""
    found = c.available.copy()
    if c.reference is not None:
        found[c.reference] = True
    return found


def greedy(key, kernel: np.ndarray, c, weight: np.ndarray, b: int) -> tuple[list[int], list[float]]:
    """Greedy coverage with all gains computed anew; gains equal to one part in a million are told apart by the key."""
    best = kernel[np.flatnonzero(c.anchors)].max(axis=0, initial=0.0)
    picks, gains, rank = [], [], ranks(tie_seed(key), np.arange(len(kernel)))
    while len(picks) < b:
        gain = (weight * np.maximum(kernel - best, 0.0))[:, served(c)].mean(axis=1)
        gain[~c.available] = 0.0
        if gain.max() < 1e-9:
            break
        equal = np.flatnonzero(gain >= gain.max() * (1.0 - 1e-6))
        picks.append(int(equal[rank[equal].argmin()]))
        gains.append(gain[picks[-1]])
        best = np.maximum(best, kernel[picks[-1]])
    return picks, gains


def dcom(key, c, classes: np.ndarray, competence, b: int) -> list[int]:
    """DCoM written down row by row, with full tables."""
    d, known = np.sqrt(squares(c.embedding)), np.flatnonzero(c.anchors & (c.labels >= 0))
    taking = np.flatnonzero(c.available | np.isin(np.arange(len(d)), known))
    level = 0.4
    for _ in range(2):
        radius = {}
        for row in known:
            low, high = 0.0, 1.1
            while high - low > 0.05:
                ball = taking[d[row, taking] < (low + high) / 2]
                pure = np.mean(classes[ball] == c.labels[row]) >= level
                low, high = ((low + high) / 2, high) if pure else (low, (low + high) / 2)
            radius[row] = (low + high) / 2
        share = np.mean([any(d[row, x] < radius[row] for row in known) for x in taking])
        level = 0.2 * share + 0.4
    delta, trust = np.mean(list(radius.values())), competence(share)
    reach = {int(row): radius.get(row, delta) for row in np.flatnonzero(c.anchors)}
    picks: list[int] = []
    while len(picks) < b:
        bare = [x for x in np.flatnonzero(c.available) if all(d[row, x] >= reach[row] for row in reach)]
        left = np.setdiff1d(np.flatnonzero(c.available), picks)
        degree, score = (d[np.ix_(left, bare)] < delta).sum(axis=1), c.score[left]
        parts = [(v - v.min()) / max(np.ptp(v), 1e-300) for v in (score, degree)]
        value = trust * parts[0] + (1.0 - trust) * parts[1]
        equal = left[value == value.max()]
        picks.append(int(equal[ranks(tie_seed(key), equal).argmin()]))
        reach[picks[-1]] = delta
    return picks


def typiclust(key, c, b: int, clusters: int, neighbours: int) -> list[int]:
    """TypiClust over the clusters of k-means, cluster by cluster."""
    rows = np.flatnonzero(served(c) | c.anchors)
    count = min(int(c.anchors.sum()) + b, clusters, len(rows))
    label, _ = k_means(key_for(key, "clusters"), c.embedding[rows], count)
    d, group = np.sqrt(squares(c.embedding)), {g: rows[label == g] for g in range(count) if np.any(label == g)}
    free = {g: [int(x) for x in group[g] if c.available[x]] for g in group}
    left = {g: [int(x) for x in group[g] if not c.anchors[x]] for g in group}
    picks: list[int] = []
    for small in (False, True):
        kind = [g for g in group if (len(group[g]) <= 5) == small]
        kind.sort(key=lambda g: (c.anchors[group[g]].sum(), -len(group[g]), ranks(tie_seed(key), np.array([g]))[0]))
        while len(picks) < b and any(free[g] for g in kind):
            for g in kind:
                if free[g] and len(picks) < b:
                    near = max(1, min(neighbours, len(left[g]) // 2))
                    mean = [np.sort(d[x, left[g]])[1 : near + 1].mean() if len(left[g]) > 1 else 0.0 for x in free[g]]
                    equal = [x for x, m in zip(free[g], mean, strict=True) if m <= min(mean) + 1e-12]
                    picks.append(min(equal, key=lambda x: ranks(tie_seed(key), np.array([x]))[0]))
                    free[g].remove(picks[-1])
                    left[g].remove(picks[-1])
    return picks


def everything(X: np.ndarray, score: np.ndarray | None = None) -> Candidates:
    """A pool without anchors whose rows are all available."""
    return Candidates(np.ones(len(X), bool), np.zeros(len(X), bool), score, X, labels=np.full(len(X), -1))


def stars() -> Candidates:
    """Eight far centres with 16, 15, ... leaves that reach their centre and no other leaf, in random order."""
    leaves = 0.75 * np.concatenate([np.zeros((1, 8)), np.eye(8), -np.eye(8)])
    X = np.concatenate([leaves[: 17 - j] + 5.0 * j for j in range(8)])
    return everything(X[np.random.default_rng(0).permutation(len(X))], np.ones(len(X)))


def blobs(sizes: tuple[int, ...], spread: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Rows around far points of a line, and which."""
    label = np.repeat(np.arange(len(sizes)), sizes)
    X = np.random.default_rng(len(label)).normal(size=(len(label), 2)) * spread
    return X + 10.0 * label[:, None], label
