"""The compiled step of `blend`; importing this module loads numba."""

from __future__ import annotations

import numba
import numpy as np

from strongsuit.core.distances import rank_of


@numba.njit(cache=True)
def best_blend(fixed, d2, sparse, w_div, w_den, seed):
    """The row of largest fixed + w_div D + w_den S, ties by rank, and that value; -1 where no row is left.

    D are the roots of d2 (n,) and S is sparse (n,), or (0,) to do without, each scaled to [0, 1] over the rows that
    remain, those with d2 >= 0. A range of 0 scales to 0, so infinite distances do.
    """
    low, high, thin, thick = np.inf, -np.inf, np.inf, -np.inf
    dense = sparse.shape[0] > 0
    for i in range(d2.shape[0]):
        if d2[i] >= 0.0:
            low, high = min(low, d2[i]), max(high, d2[i])
            if dense:
                thin, thick = min(thin, sparse[i]), max(thick, sparse[i])
    near = np.sqrt(low)
    far_scale = w_div / (np.sqrt(high) - near) if high > low else 0.0
    thick_scale = w_den / (thick - thin) if thick > thin else 0.0
    best, most = -1, -np.inf
    for i in range(d2.shape[0]):
        if d2[i] >= 0.0:
            value = fixed[i]
            if far_scale != 0.0:
                value += far_scale * (np.sqrt(np.float64(d2[i])) - near)
            if thick_scale != 0.0:
                value += thick_scale * (sparse[i] - thin)
            if best < 0 or value > most or (value == most and rank_of(seed, i) < rank_of(seed, best)):
                best, most = i, value
    return best, most
