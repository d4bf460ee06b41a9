"""Compiled distances from rows to centres: the steps that farthest-first, clusters and seeding are made of.

A centre is a row of X. `d2` holds squared distances to the nearest centre so far, infinite before the first centre
and -1 for rows that take no part, which no distance can lower. Importing this module loads numba; functions compile
on first use and are kept beside the sources. A change to `square`, `exact` or `rank_of` reaches `core.windows`,
`core.hashing` and `selectors.mixing`, which hold compiled copies, only once the kept files (`__pycache__/*.nbi`) are
deleted.

Two precisions. `square` may be reordered and vectorised by the compiler. `exact` is summed in float64 in a fixed order,
so that wherever it is called the same pair of rows gives the same bits: it settles what `square` cannot.
"""

from __future__ import annotations

import numba
import numpy as np

from strongsuit.core import ties

_GOLDEN, _FIRST, _SECOND = ties.GOLDEN, ties.FIRST, ties.SECOND
_FAST = {"reassoc", "contract", "nsz"}  # sums may be reordered; NaN and infinity keep their meaning
# A row nearer to its owner than half of the owner's distance to another centre is no nearer to that one; squared, and
# a hair less, for rounding.
_QUARTER = 0.25 * (1.0 - 1e-5)
_BLOCK = 1024  # rows sifted at once


@numba.njit(cache=True, inline="always")
def rank_of(seed, row):
    """The rank of a row in the order of `core.ties`."""
    z = seed + (np.uint64(row) + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))


@numba.njit(cache=True, fastmath=_FAST)
def square(X, i, C, c):
    """Squared distance of row i of X and row c of C, in their precision."""
    total = X[i, 0] - X[i, 0]
    for j in range(X.shape[1]):
        step = X[i, j] - C[c, j]
        total += step * step
    return total


@numba.njit(cache=True)
def exact(X, i, C, c):
    """Squared distance of row i of X and row c of C in float64, always the same bits."""
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    p = X.shape[1]
    whole = p - p % 4
    for j in range(0, whole, 4):
        a = np.float64(X[i, j]) - np.float64(C[c, j])
        b = np.float64(X[i, j + 1]) - np.float64(C[c, j + 1])
        e = np.float64(X[i, j + 2]) - np.float64(C[c, j + 2])
        f = np.float64(X[i, j + 3]) - np.float64(C[c, j + 3])
        s0 += a * a
        s1 += b * b
        s2 += e * e
        s3 += f * f
    for j in range(whole, p):
        a = np.float64(X[i, j]) - np.float64(C[c, j])
        s0 += a * a
    return (s0 + s1) + (s2 + s3)


@numba.njit(cache=True)
def reaches(X, centres, count, row, out):
    """Fills out[:count] with the reach of a row of X to the first centres: a quarter of their squared distances."""
    for c in range(count):
        out[c] = square(X, row, X, centres[c]) * _QUARTER


@numba.njit(cache=True)
def absorb(X, row, number, reach, d2, owner):
    """Makes row `row` of X centre `number`: lowers d2 (n,) and sets owner (n,) where it is the nearest now.

    reach (number,) belongs to the new centre and the earlier ones: a row whose owner is more than twice as far from the
    new centre as from the row keeps its owner unseen (triangle inequality).
    """
    for i in range(X.shape[0]):
        o = owner[i]
        if d2[i] < 0.0 or (o >= 0 and reach[o] >= d2[i]):
            continue
        d = square(X, i, X, row)
        if d < d2[i]:
            d2[i] = d
            owner[i] = number


@numba.njit(cache=True)
def absorb_narrow(X, row, number, reach, d2, owner):
    """The same, quicker for few columns: rows are sifted without branches, since every other branch would miss."""
    todo = np.empty(_BLOCK, np.uint64)
    for start in range(0, X.shape[0], _BLOCK):
        count = 0
        for i in range(start, min(start + _BLOCK, X.shape[0])):
            todo[count] = i
            o = owner[i]
            count += (d2[i] >= 0.0) & ((o < 0) | (reach[max(o, 0)] < d2[i]))
        for k in range(count):
            i = todo[k]
            d = square(X, i, X, row)
            if d < d2[i]:
                d2[i] = d
                owner[i] = number


@numba.njit(cache=True)
def absorb_many(X, centres, apart, d2, owner):
    """Takes in all centres (c,) row by row of X; apart (c, c) are their reaches, or (0, 0) to do without."""
    known = apart.shape[0] > 0
    for i in range(X.shape[0]):
        if d2[i] < 0.0:
            continue
        d, o = d2[i], owner[i]
        for c in range(centres.shape[0]):
            if known and o >= 0 and apart[o, c] >= d:
                continue
            q = square(X, i, X, centres[c])
            if q < d:
                d, o = q, c
        d2[i] = d
        owner[i] = o


@numba.njit(cache=True)
def nearest_of_few(X, rows, near, level, centres, d2, owner):
    """Sets d2 and owner of the rows, given by number: the nearest of the centres c whose near[row, c] <= level[row]."""
    for k in range(rows.shape[0]):
        i = rows[k]
        for c in range(centres.shape[0]):
            if near[k, c] <= level[k]:
                d = square(X, i, X, centres[c])
                if d < d2[i]:
                    d2[i] = d
                    owner[i] = c


@numba.njit(cache=True)
def square_norms(X, out):
    """Fills out (n,) with each row's squared norm in float64: NaN or infinite where a number of the row is."""
    for i in range(X.shape[0]):
        s0, s1 = 0.0, 0.0
        whole = X.shape[1] - X.shape[1] % 2
        for j in range(0, whole, 2):
            a, b = np.float64(X[i, j]), np.float64(X[i, j + 1])
            s0 += a * a
            s1 += b * b
        if whole < X.shape[1]:
            a = np.float64(X[i, whole])
            s0 += a * a
        out[i] = s0 + s1


@numba.njit(cache=True)
def farthest(d2, seed):
    """The row of largest d2 (n,), ties by rank."""
    best, most = -1, -np.inf
    for i in range(d2.shape[0]):
        if d2[i] > most or (d2[i] == most and best >= 0 and rank_of(seed, i) < rank_of(seed, best)):
            best, most = i, d2[i]
    return best


@numba.njit(cache=True)
def heaviest(d2, owner, count, seed, mass, far):
    """The row that is farthest in the cluster of largest mass, the sum of d2 of its rows; -1 where all masses are 0.

    mass (count,) float64 and far (count,) int64 are room to work in.
    """
    mass[:count] = 0.0
    far[:count] = -1
    for i in range(d2.shape[0]):
        d = d2[i]
        if d > 0.0:
            o = owner[i]
            mass[o] += d
            f = far[o]
            if f < 0 or d > d2[f] or (d == d2[f] and rank_of(seed, i) < rank_of(seed, f)):
                far[o] = i
    best = -1
    for c in range(count):
        f = far[c]
        if f < 0:
            continue
        if best < 0 or mass[c] > mass[owner[best]]:
            best = f
        elif mass[c] == mass[owner[best]]:
            if d2[f] > d2[best] or (d2[f] == d2[best] and rank_of(seed, f) < rank_of(seed, best)):
                best = f
    return best


@numba.njit(cache=True)
def draw(d2, share, sums):
    """A row drawn in proportion to d2 at the quantile `share` in [0, 1); -1 where all are 0.

    sums (ceil(n / 1024),) is room for the sums of blocks of rows, of which the last step walks only one.
    """
    block, total = 1024, 0.0
    for k in range(sums.shape[0]):
        part = 0.0
        for i in range(k * block, min((k + 1) * block, d2.shape[0])):
            if d2[i] > 0.0:
                part += d2[i]
        sums[k] = part
        total += part
    left, last = share * total, -1
    for k in range(sums.shape[0]):
        if sums[k] <= 0.0:
            continue
        if left < sums[k]:
            for i in range(k * block, min((k + 1) * block, d2.shape[0])):
                if d2[i] > 0.0:
                    last = i
                    left -= d2[i]
                    if left < 0.0:
                        return i
        else:
            left -= sums[k]
            for i in range(min((k + 1) * block, d2.shape[0]) - 1, k * block - 1, -1):
                if d2[i] > 0.0:
                    last = i
                    break
    return last
