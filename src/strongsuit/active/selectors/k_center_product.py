"""Farthest-first in a product of distances, such as in inputs times in outputs (iGS)."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, usable
from strongsuit.core.keys import Key
from strongsuit.core.ties import first_of_largest, tie_seed
from strongsuit.errors import InputError


def k_center_product(key: Key, candidates: Candidates, b: int) -> Selection:
    """Each pick maximises min over anchors and picks z of the product of the blocks' distances d(x, z); gain is that.

    `candidates.blocks` are the widths of the blocks. Without anchors the first pick is the row nearest to the mean of
    the whole embedding, its gain infinity. Wu, Lin and Huang 2019 (iGS), the product inside the minimum.
    """
    from strongsuit.core import products, windows

    pool = usable(candidates, embedding=True)
    if sum(candidates.blocks) != pool.X.shape[1] or min(candidates.blocks, default=0) < 1:
        raise InputError(f"candidates.blocks {candidates.blocks} must be widths that sum to {pool.X.shape[1]}")
    ends, seed = np.cumsum(candidates.blocks), tie_seed(key)
    value = np.where(pool.rows, np.inf, -1.0)
    products.absorb(pool.X, pool.anchors, ends, value)
    picks: list[int] = []
    gains: list[float] = []
    while len(picks) < pool.wanted(b):
        if len(pool.anchors) == 0 and not picks:
            row = int(windows.nearest_mean(pool.X, pool.rows, seed))
        else:
            row = first_of_largest(seed, value)
        if value[row] <= 0.0:
            break
        picks.append(row)
        gains.append(float(np.sqrt(value[row])))
        value[row] = -1.0
        products.absorb(pool.X, np.array([row]), ends, value)
    return finish(key, pool, picks, gains, b)
