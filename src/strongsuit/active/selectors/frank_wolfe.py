"""Rows whose weighted embeddings sum to the pool's (active Bayesian coresets)."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, usable
from strongsuit.core.keys import Key
from strongsuit.core.ties import first_of_largest, tie_seed


def frank_wolfe(key: Key, candidates: Candidates, b: int) -> Selection:
    """Each pick points most along what the weighted sum w still lacks of the pool's sum t; gain is that component.

    x = argmax (x / |x|).(t - w), then w moves along delta = r x / |x| - w by delta.(t - w) / |delta|^2, where r is the
    sum of all norms. A row is taken once. Pinsler et al. 2019 (ACS-FW); anchors play no part.
    """
    pool = usable(candidates, embedding=True)
    rows = np.flatnonzero(pool.rows)
    norms = np.sqrt(pool.norms[rows])
    unit = pool.X[rows].astype(np.float64)
    target, total = unit.sum(axis=0), norms.sum()
    unit /= np.where(norms > 0.0, norms, 1.0)[:, None]
    seed, w, free = tie_seed(key), np.zeros_like(target), np.ones(len(rows), dtype=bool)
    picks: list[int] = []
    gains: list[float] = []
    while total > 0.0 and len(picks) < pool.wanted(b):
        value = np.where(free, unit @ (target - w), -np.inf)
        at = first_of_largest(seed, value, rows)
        picks.append(int(rows[at]))
        gains.append(float(value[at]))
        free[at] = False
        delta = total * unit[at] - w
        length = float(delta @ delta)
        if length > 0.0:
            w += delta * (float(delta @ (target - w)) / length)
    return finish(key, pool, picks, gains, b)
