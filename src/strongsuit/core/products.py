"""Compiled products of block distances; importing this module loads numba."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True)
def absorb(X, centres, ends, value):
    """Lowers value (n,) to the least product of squared block distances to the centres, given by row number.

    Block k of X (n, p) ends before column ends[k]. Rows of negative value are passed over; those at 0 are done.
    """
    for i in range(X.shape[0]):
        least = value[i]
        for c in range(centres.shape[0]):
            if least <= 0.0:
                break
            z, j, product = centres[c], 0, 1.0
            for end in ends:
                total = 0.0
                while j < end:
                    step = np.float64(X[i, j]) - np.float64(X[z, j])
                    total += step * step
                    j += 1
                product *= total
            least = min(least, product)
        value[i] = least
