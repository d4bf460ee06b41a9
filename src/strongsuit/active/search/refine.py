"""Progressive filtering: what many strategies choose of random parts of the pool, until few rows are left to choose of.

After Refine (arXiv 2511.22344, CVPR 2026). Which strategy is best changes from pool to pool; rows that any of them
would choose from some part of the pool are a far better pool than all rows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from strongsuit.active.evidence import Evidence, narrowed
from strongsuit.active.selectors.candidates import Selection
from strongsuit.active.strategy import Strategy, propose
from strongsuit.core.keys import Key, key_for

ROUNDS = 5
BATCHES = 100  # proposals over all rounds, shared evenly among the strategies
FIRST_PART, PART, MOST = 5_000, 0.4, 10_000  # rows that a proposal sees: at first, later as a share, and at most


def refine(
    key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int, *, rounds: int = ROUNDS, batches: int = BATCHES
) -> Selection:
    """The last part's choice among the rows that survive: in each round those that the other parts propose, b each,
    from random parts of the survivors of the round before."""
    *filters, last = parts
    rows = np.flatnonzero(evidence.available & ~evidence.anchors)
    for round_ in range(rounds):
        rows = _filtered(key_for(key, round_), filters, evidence, rows, b, round_, max(1, batches // rounds))
    kept = np.zeros_like(evidence.available)
    kept[rows] = True
    return propose(key_for(key, last.name), last, replace(evidence, available=kept), b)


def _filtered(key: Key, filters, evidence: Evidence, rows: np.ndarray, b: int, round_: int, batches: int) -> np.ndarray:
    """The rows (c,) that are proposed at least once; all of them where b would leave none out."""
    if len(rows) <= b:
        return rows
    size = min(FIRST_PART if round_ == 0 else max(int(PART * len(rows)), b), MOST, len(rows))
    anchors, proposed = np.flatnonzero(evidence.anchors), []
    for i in range(batches):
        own, strategy = key_for(key, i), filters[(round_ * batches + i) % len(filters)]
        seen = own.numpy().choice(rows, size, replace=False) if size < len(rows) else rows
        part = np.sort(np.concatenate([seen, anchors]))
        chosen = propose(own, strategy, narrowed(evidence, part), min(b, size))
        proposed.append(part[chosen.index])
    return np.unique(np.concatenate(proposed))
