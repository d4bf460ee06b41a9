"""Compiled steps of greedy covering: the pairs of rows in reach of each other, and the gains they add up to.

Shapes: m rows, of which a strip is a run; `start` (strips, m + 1) says where in `target` and `value` the entries of a
strip's pairs begin for each row. Importing this module loads numba.
"""

from __future__ import annotations

import numba
import numpy as np

from strongsuit.core.distances import square

_BLOCK = 256  # columns of a strip looked at together, so that their rows of X stay in the cache


@numba.njit(cache=True)
def pairs_in_reach(X, near, first, screen, reach, width, giver, taker, value):
    """Writes giver, taker and value of the strip's pairs in reach; how many.

    near (strip, m - first) holds rough squared distances of rows first, first + 1, ... to all rows from `first` on,
    screen (m,) what they must be below to be looked at. Row a covers row b where their squared distance is below
    reach[b], by exp(-distance^2 / width), or by 1 where the width is 0.
    """
    count, todo = 0, np.empty(_BLOCK, np.int64)
    for begin in range(0, near.shape[1], _BLOCK):
        end = min(begin + _BLOCK, near.shape[1])
        for i in range(min(near.shape[0], end)):
            a, some = first + i, 0
            for j in range(max(begin, i), end):  # without branches: most would miss
                todo[some] = first + j
                some += (near[i, j] < screen[a]) | (near[i, j] < screen[first + j])
            for k in range(some):
                b = todo[k]
                d2 = square(X, a, X, b)
                v = 1.0 if width == 0.0 else np.exp(-np.float64(d2) / width)
                if d2 < reach[b]:
                    giver[count], taker[count], value[count] = a, b, v
                    count += 1
                if b > a and d2 < reach[a]:
                    giver[count], taker[count], value[count] = b, a, v
                    count += 1
    return count


@numba.njit(cache=True)
def sort_by_giver(giver, taker, value, count, begin, start, targets, values):
    """Copies the entries, grouped by giver, into targets and values from `begin` on, and fills start (m + 1,)."""
    start[:] = 0
    for k in range(count):
        start[giver[k] + 1] += 1
    start[0] = begin
    for a in range(1, start.shape[0]):
        start[a] += start[a - 1]
    free = start[:-1].copy()
    for k in range(count):
        at = free[giver[k]]
        free[giver[k]] += 1
        targets[at], values[at] = taker[k], value[k]


@numba.njit(cache=True)
def gain(a, strips, start, target, value, best, weight):
    """The sum of weight x (value - best) over what row a would cover better; its entries lie in the first strips."""
    total = 0.0
    for s in range(strips):
        for k in range(start[s, a], start[s, a + 1]):
            b = target[k]
            if value[k] > best[b]:
                total += weight[b] * (np.float64(value[k]) - np.float64(best[b]))
    return total


@numba.njit(cache=True)
def gains(strip, start, target, value, best, weight):
    """The gains (m,) of all rows; `strip` is the height of a strip."""
    out = np.empty(weight.shape[0])
    for a in range(out.shape[0]):
        out[a] = gain(a, a // strip + 1, start, target, value, best, weight)
    return out


@numba.njit(cache=True)
def cover(a, strips, start, target, value, best):
    """Raises best (m,) to what row a covers."""
    for s in range(strips):
        for k in range(start[s, a], start[s, a + 1]):
            b = target[k]
            best[b] = max(best[b], value[k])
