"""Compiled steps of farthest-first: the plain float64 scan, and the active window's catch-up and update.

Shapes: n rows, p columns, c centres. `w2` are squared weights, a row's key is w2 x squared distance. Importing this
module loads numba.
"""

from __future__ import annotations

import numba
import numpy as np

from strongsuit.core.distances import exact, rank_of, square

# Reaches in float64 and float32: a quarter of a squared distance, less a margin for rounding.
_QUARTER, _QUARTER32 = 0.25 * (1.0 - 1e-9), np.float32(0.25 * (1.0 - 1e-5))


@numba.njit(cache=True)
def middle(X, usable):
    """The mean (p,) of the usable rows in float64."""
    n, p = X.shape
    center, part, count = np.zeros(p), np.zeros(p), 0
    for i in range(n):
        if usable[i]:
            count += 1
            for j in range(p):
                part[j] += X[i, j]
        if i % 1024 == 1023 or i == n - 1:  # sums of sums keep digits
            center += part
            part[:] = 0.0
    return center / max(count, 1)


@numba.njit(cache=True, fastmath={"reassoc", "contract", "nsz"})
def _off(X, i, center):
    total = 0.0
    for j in range(X.shape[1]):
        step = X[i, j] - center[j]
        total += step * step
    return total


@numba.njit(cache=True)
def offset(X, rows, center):
    """The largest distance of the rows, by number, from the center."""
    most = 0.0
    for k in range(rows.shape[0]):
        most = max(most, _off(X, rows[k], center))
    return np.sqrt(most)


@numba.njit(cache=True)
def shrink(X, center, scale):
    """The rows (n, p) less their center, times the scale, in float32."""
    small = np.empty(X.shape, np.float32)
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            small[i, j] = (X[i, j] - center[j]) * scale
    return small


@numba.njit(cache=True)
def nearest_mean(X, usable, seed):
    """The usable row nearest to the mean of the usable rows, ties by rank."""
    mean = middle(X, usable)
    off, least = np.empty(X.shape[0]), np.inf
    for i in range(X.shape[0]):
        off[i] = _off(X, i, mean) if usable[i] else np.inf
        least = min(least, off[i])
    table, best = mean.reshape(1, -1), -1
    least *= 1.0 + 1e-9  # the quick distances only say which rows to look at
    for i in range(X.shape[0]):
        if usable[i] and off[i] <= least:
            off[i] = exact(X, i, table, 0)
            if best < 0 or off[i] < off[best] or (off[i] == off[best] and rank_of(seed, i) < rank_of(seed, best)):
                best = i
    return best


@numba.njit(cache=True)
def _begin(X, centres, count, d2, owner):
    """Exact squared distances of all rows with d2 >= 0 to the first centres; a row on a centre stops there."""
    for i in range(X.shape[0]):
        if d2[i] < 0.0:
            continue
        for c in range(count):
            d = exact(X, i, X, centres[c])
            if d < d2[i]:
                d2[i] = d
                owner[i] = c
                if d == 0.0:
                    break


@numba.njit(cache=True)
def scan(X, w2, centres, count, d2, owner, squares, seed):
    """Fills centres and squares from `count` on with the picks and their squared distances; how many are filled.

    d2 (n,) is infinite for usable rows and -1 for others. Stops early when all keys are 0.
    """
    _begin(X, centres, count, d2, owner)
    near = np.empty(centres.shape[0])
    while count < centres.shape[0]:
        best, most = -1, 0.0
        for i in range(X.shape[0]):
            if d2[i] > 0.0:
                value = w2[i] * d2[i]
                if value > most or (value == most and best >= 0 and rank_of(seed, i) < rank_of(seed, best)):
                    best, most = i, value
        if best < 0:
            break
        squares[count] = d2[best]
        d2[best] = -1.0
        for c in range(count):
            near[c] = exact(X, best, X, centres[c]) * _QUARTER
        for i in range(X.shape[0]):
            if d2[i] > 0.0 and near[owner[i]] < d2[i]:
                d = exact(X, i, X, best)
                if d < d2[i]:
                    d2[i] = d
                    owner[i] = count
        centres[count] = best
        count += 1
    return count


@numba.njit(cache=True)
def reach(C, count, apart):
    """The reaches (count,) of centre `count` to the earlier ones, also written into apart where it has room."""
    out = np.zeros(count + 1, np.float32)
    if apart.shape[0] > 0:
        for c in range(count):
            out[c] = square(C, count, C, c) * _QUARTER32
            apart[c, count] = out[c]
            apart[count, c] = out[c]
        apart[count, count] = 0.0
    return out


def reaches(C):
    """Lower bounds (c, c) of the reaches of centres C (c, p) to each other, zero on the diagonal.

    By products, which cancel digits where centres lie far from the origin: less the largest error that may have. Where
    products overflow, no reach is known: 0.
    """
    kept = np.float32(1.0 - 2.0 * (C.shape[1] + 4) * 2.0**-24)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = kept * np.einsum("cp,cp->c", C, C)
        out = C @ C.T
        out *= np.float32(-2.0)
        out += squares[:, None]
        out += squares
        out *= _QUARTER32
    out[~(out < np.inf)] = 0.0
    np.maximum(out, np.float32(0.0), out=out)
    np.fill_diagonal(out, 0.0)
    return out


@numba.njit(cache=True)
def catch_up(X, w2, C, apart, bound, seen, owner, state, count, tau, start, stop):
    """Brings outside rows from start to stop up to date while their key is at least tau; marks (state 2) and counts
    those that stay above.

    A row takes in the centres it missed and stops as soon as its key falls below. One body of code on purpose: handing
    arrays to a function for every row costs more than the distances do.
    """
    entering, known = 0, apart.shape[0] > 0
    for i in range(start, stop):
        if state[i] != 0 or bound[i] < 0.0 or not w2[i] * bound[i] >= tau:
            continue
        d, o, heavy, c = bound[i], owner[i], w2[i], seen[i]
        above = True
        while above and c < count:
            if not (known and o >= 0 and apart[o, c] >= d):
                q = square(X, i, C, c)
                if q < d:
                    d, o = q, c
                    above = heavy * d >= tau
            c += 1
        bound[i], owner[i], seen[i] = d, o, c
        if above:
            state[i] = 2
            entering += 1
    return entering


@numba.njit(cache=True)
def level(X, w2, C, apart, bound, seen, owner, state, count, sample, kept):
    """The `kept`-th largest key among the sampled rows outside the window, 0 if so few have one above 0.

    Rows are visited by falling stale key and left as soon as they cannot be among the largest.
    """
    stale = np.empty(sample.shape[0], np.float32)
    for k in range(sample.shape[0]):
        i = sample[k]
        stale[k] = w2[i] * bound[i] if bound[i] > 0.0 and state[i] == 0 else -1.0
    top = np.zeros(kept, np.float32)
    least = np.float32(0.0)
    for k in np.argsort(-stale):
        if stale[k] <= least:
            break
        i = sample[k]
        if catch_up(X, w2, C, apart, bound, seen, owner, state, count, least, i, i + 1) > 0:
            state[i] = 0
            top[np.argmin(top)] = w2[i] * bound[i]
            least = top.min()
    return least


@numba.njit(cache=True)
def widen(rows, X, d2, owner, weight, size, to_rows, to_X, to_d2, to_owner, to_weight, all_X, w2, bound, owners, state):
    """Copies the window of this size and the marked rows into the wider one; its size and best key."""
    best = -1.0
    to_rows[:size] = rows[:size]
    to_X[:size] = X[:size]
    to_d2[:size] = d2[:size]
    to_owner[:size] = owner[:size]
    to_weight[:size] = weight[:size]
    for i in range(state.shape[0]):
        if state[i] == 2:
            state[i] = 1
            to_rows[size] = i
            to_X[size] = all_X[i]
            to_d2[size] = bound[i]
            to_owner[size] = owners[i]
            to_weight[size] = w2[i]
            size += 1
    for k in range(size):
        best = max(best, to_weight[k] * to_d2[k])
    return size, best


@numba.njit(cache=True)
def advance(rows, X, d2, owner, weight, size, C, new, reach, tau, picked, bound, seen, owners, state):
    """Updates the window by centre `new`, drops the picked row and those below tau; its size and best key."""
    best, k = -1.0, 0
    while k < size:
        d = d2[k]
        if reach[owner[k]] < d:
            q = square(X, k, C, new)
            if q < d:
                d = q
                d2[k] = q
                owner[k] = new
        value = weight[k] * d
        if value >= tau and rows[k] != picked:
            best = max(best, value)
            k += 1
            continue
        i = rows[k]
        bound[i] = d if i != picked else -1.0
        seen[i] = new + 1
        owners[i] = owner[k]
        state[i] = 0
        size -= 1
        rows[k], d2[k], owner[k], weight[k] = rows[size], d2[size], owner[size], weight[size]
        X[k] = X[size]
    return size, best


@numba.njit(cache=True)
def near(rows, d2, weight, size, floor, out):
    """Fills `out` with the rows of the window whose key is at least the floor, and counts them."""
    count = 0
    for k in range(size):
        if weight[k] * d2[k] >= floor:
            out[count] = rows[k]
            count += 1
    return count


@numba.njit(cache=True)
def settle(X, w2, centres, count, ties, owner, d64, seen64, seed):
    """Of the rows that tie, the one of largest exact key, ties by rank; and its exact squared distance.

    d64 and seen64 (n,) remember exact distances, so that no pair is computed twice however often rows tie.
    """
    best, most = -1, -1.0
    for k in range(ties.shape[0]):
        i = ties[k]
        for c in range(seen64[i], count):
            d64[i] = min(d64[i], exact(X, i, X, centres[c]))
        seen64[i] = count
        value = w2[i] * d64[i]
        if value > most or (value == most and best >= 0 and rank_of(seed, i) < rank_of(seed, best)):
            best, most = i, value
    return best, d64[best]
