"""Selectors for classes written down plainly in NumPy, and pools of random predictions to try them on."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np

from strongsuit.active.selectors.candidates import Candidates

T, K, Q = 4, 3, 3  # members, classes, features with a 1 appended


def margins(f: np.ndarray) -> np.ndarray:
    """f_c less the largest of the others (n, k)."""
    return np.stack([f[:, c] - np.delete(f, c, axis=1).max(axis=1) for c in range(f.shape[1])], axis=1)


def embed(name: str, members: np.ndarray, Z: np.ndarray) -> dict:
    """Embedding, blocks and score of a rule from members' logits (n, T, k) and features (n, q)."""
    exp = np.exp(members - members.max(axis=2, keepdims=True))
    by_member = exp / exp.sum(axis=2, keepdims=True)
    p, (n, t, k) = by_member.mean(axis=1), members.shape
    top = np.sort(p, axis=1)
    score, certain = 1.0 - (top[:, -1] - top[:, -2]), top[:, -1:] * (1.0 - top[:, -1:])
    tables = {
        "badge": (np.hstack([p - np.eye(k)[p.argmax(axis=1)], Z]), (k, Z.shape[1])),
        "bait_classes": (np.hstack([p, Z]), (k, Z.shape[1])),
        "bait_fast": (np.sqrt(np.maximum(certain, 0.0)) * Z, ()),
        "batch_bald": (by_member.reshape(n, t * k), (t, k)),
        "galaxy": (margins(members.mean(axis=1)), ()),
    }
    embedding, blocks = tables.get(name, (p, ()))
    return {"embedding": embedding, "blocks": blocks, "score": score}


def pool(name: str, seed: int = 0, n: int = 30, anchors: int = 6, *, dtype: type = np.float64) -> Candidates:
    """A pool of random predictions as the rule needs it, its anchors labelled but the last, which is pending."""
    rng = np.random.default_rng(seed)
    is_anchor = np.zeros(n, dtype=bool)
    is_anchor[rng.choice(n, anchors, replace=False)] = True
    labels = np.where(is_anchor, rng.integers(0, K, n), -1)
    labels[np.flatnonzero(is_anchor)[-1:]] = -1
    members = 1.5 * rng.normal(size=(n, 1, K)) + rng.normal(size=(n, T, K))
    Z = np.hstack([rng.normal(size=(n, Q - 1)), np.ones((n, 1))])
    c = Candidates(~is_anchor & (rng.random(n) < 0.8), is_anchor, labels=labels, **embed(base(name), members, Z))
    return replace(c, embedding=c.embedding.astype(dtype))


def base(name: str) -> str:
    return name.removesuffix("_drawn")


def halves(c: Candidates) -> tuple[np.ndarray, np.ndarray]:
    first = c.blocks[0]
    return c.embedding[:, :first].astype(np.float64), c.embedding[:, first:].astype(np.float64)


def curvature(p: np.ndarray) -> np.ndarray:
    return np.diag(p) - np.outer(p, p)


def traces(V: np.ndarray, c: Candidates, b: int, ridge: float, scale: str):
    """tr(M^-1 F) as a function of the picks, by full matrices V (n, w, w)."""
    even = 1.0 / (c.anchors.sum() + b)
    fixed = ridge * np.eye(V.shape[1]) + even * V[c.anchors].sum(axis=0)
    F, each = V[c.available].sum(axis=0), even * (b if scale == "public" else 1)
    return lambda picks: float(np.trace(np.linalg.solve(fixed + each * V[list(picks)].sum(axis=0), F)))


def forward_backward(trace, c: Candidates, b: int, overselect: int) -> list[int]:
    picks: list[int] = []
    rows = [int(row) for row in np.flatnonzero(c.available)]
    while len(picks) < min(overselect * b, len(rows)):
        picks.append(min((x for x in rows if x not in picks), key=lambda x: trace([*picks, x])))
    while len(picks) > b:
        picks.remove(min(picks, key=lambda x: trace([k for k in picks if k != x])))
    return picks


def entropy(p: np.ndarray) -> float:
    return float(-(p[p > 0] * np.log(p[p > 0])).sum())


def information(members: np.ndarray) -> float:
    """H(y_1..y_m) - sum_i mean_t H(p_it) over all sets of labels, members (m, T, k)."""
    m, t, k = members.shape
    sets = np.array([np.prod([members[i][:, y[i]] for i in range(m)], axis=0) for y in product(range(k), repeat=m)])
    return entropy(sets.mean(axis=1)) - sum(entropy(members[i, j]) for i in range(m) for j in range(t)) / t


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """0.5 KL(p, q) + 0.5 KL(q, p) of every row of p (n, k) to q (k,)."""
    return 0.5 * (p * np.log(p / q)).sum(axis=1) + 0.5 * (q * np.log(q / p)).sum(axis=1)


def galaxy_offers(c: Candidates, side: dict[int, np.ndarray], free: list[int]) -> tuple[float, set[int]]:
    """Rows in the shortest stretch and its middles, or 0 and the rows the fewest known rows from a cut."""
    stretches, cuts = [], []
    for one in range(c.embedding.shape[1]):
        line = sorted([*free, *side], key=lambda row: c.embedding[row, one])
        known = [at for at, row in enumerate(line) if row in side]
        for i, j in pairwise(known):
            if side[line[i]][one] == side[line[j]][one]:
                continue
            length = j - i - 1
            if length:
                stretches.append((length, {line[i + (length + 1) // 2], line[i + (length + 2) // 2]}))
                continue
            for step, start in ((-1, i), (1, j)):
                at = start
                while 0 <= at < len(line) and line[at] in side:
                    at += step
                if 0 <= at < len(line):
                    cuts.append((abs(at - start), {line[at]}))
    offers = stretches or cuts
    least = min((offer[0] for offer in offers), default=0)
    rows = set().union(*(offer[1] for offer in offers if offer[0] == least)) or set(free)
    return least if stretches else 0, rows
