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
    seeds, steps = np.empty(group.shape[1], np.uint64), np.empty(group.shape[1], np.float32)
    for t in range(group.shape[1]):
        seeds[t], steps[t] = rank_of(seed, t), weight[t] / np.sqrt(hits)
    for i in range(group.shape[0]):
        for t in range(group.shape[1]):
            z = rank_of(seeds[t], group[i, t])
            for hit in range(hits):
                if hit > 0:
                    z = rank_of(z, hit)
                place = ((z >> half) * width) >> half
                out[i, place] += steps[t] if (z & one) == 0 else -steps[t]


@numba.njit(cache=True)
def add_columns(F, place, sign, out):
    """Adds to out (n, width) each column of F (n, p), times its sign (p,), at its place (p,)."""
    for i in range(F.shape[0]):
        for j in range(F.shape[1]):
            out[i, place[j]] += sign[j] * F[i, j]
