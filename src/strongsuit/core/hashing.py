"""Compiled count sketches: one-hot columns thrown together by hashing, never written down.

Importing this module loads numba; functions compile on first use and are kept beside the sources.
"""

from __future__ import annotations

import numba
import numpy as np

from strongsuit.core.distances import rank_of


@numba.njit(cache=True)
def add_groups(group, weight, hits, seed, out):
    """Adds to out (n, width) the sketch of the indicators of group (n, t): column t counts `weight[t]`.

    Each indicator is spread over `hits` columns by random signs and 1 / sqrt(hits). The place and the sign come from
    one hash of the column, the group and the hit, so the indicators themselves need no table.
    """
    width = np.uint64(out.shape[1])
    half, one = np.uint64(32), np.uint64(1)
    seeds = np.empty(group.shape[1], np.uint64)
    for t in range(group.shape[1]):
        seeds[t] = rank_of(seed, t)
    for i in range(group.shape[0]):
        for t in range(group.shape[1]):
            z = rank_of(seeds[t], group[i, t])
            step = weight[t] / np.sqrt(hits)
            for _ in range(hits):
                place = ((z >> half) * width) >> half
                out[i, place] += step if (z & one) == 0 else -step
                z = rank_of(z, t)


@numba.njit(cache=True)
def add_columns(F, place, sign, out):
    """Adds to out (n, width) each column of F (n, p), times its sign (p,), at its place (p,)."""
    for i in range(F.shape[0]):
        for j in range(F.shape[1]):
            out[i, place[j]] += sign[j] * F[i, j]
