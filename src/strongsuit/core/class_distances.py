"""Compiled distances between predictions: of hallucinated gradients, and of class probabilities.

Both are sums of differences, never differences of sums: equal rows are at distance 0 exactly. Importing this module
loads numba.
"""

from __future__ import annotations

import numba
import numpy as np

_FAST = {"reassoc", "contract", "nsz"}
_MARGIN = 1e-12  # of the bound below, for rounding


@numba.njit(cache=True, fastmath=_FAST)
def _square(X, i, start, stop):
    total = 0.0
    for j in range(start, stop):
        a = np.float64(X[i, j])
        total += a * a
    return total


@numba.njit(cache=True)
def part_norms(X, k, e2, z2):
    """Fills e2 and z2 (n,) with the squared norms of each row's first k columns and of the others."""
    for i in range(X.shape[0]):
        e2[i] = _square(X, i, 0, k)
        z2[i] = _square(X, i, k, X.shape[1])


@numba.njit(cache=True, fastmath=_FAST)
def _products(E, i, j):
    """e_i.e_j, |e_i - e_j|^2 and e_i.(e_i - e_j)."""
    both, apart, along = 0.0, 0.0, 0.0
    for c in range(E.shape[1]):
        a, b = np.float64(E[i, c]), np.float64(E[j, c])
        both += a * b
        apart += (a - b) * (a - b)
        along += a * (a - b)
    return both, apart, along


@numba.njit(cache=True, fastmath=_FAST)
def _wide(X, i, j, k):
    """|z_i - z_j|^2 and (z_i - z_j).z_j, with z the columns from k on."""
    apart, along = 0.0, 0.0
    for c in range(k, X.shape[1]):
        b = np.float64(X[j, c])
        step = np.float64(X[i, c]) - b
        apart += step * step
        along += step * b
    return apart, along


@numba.njit(cache=True)
def absorb_outer(X, E, e2, z2, row, d2):
    """Lowers d2 (n,) to the squared distance of e_i (x) z_i to that of the row, which drops to -1 itself.

    X (n, k + q) holds [e | z], E (n, k) a copy of e. Rows at 0 or less are passed over. |z_i.z_j| is at most
    |z_i| |z_j|, so most rows keep their distance unseen by the k products of e alone; for the others
    e_i (x) z_i - e_j (x) z_j = e_i (x) (z_i - z_j) + (e_i - e_j) (x) z_j is summed term by term.
    """
    k, long, own = E.shape[1], np.sqrt(z2[row]), e2[row] * z2[row]
    d2[row] = -1.0
    for i in range(X.shape[0]):
        if d2[i] <= 0.0:
            continue
        both, e_apart, e_along = _products(E, i, row)
        size = e2[i] * z2[i] + own
        if size * (1.0 - _MARGIN) - 2.0 * abs(both) * np.sqrt(z2[i]) * long >= d2[i]:
            continue
        z_apart, z_along = _wide(X, i, row, k)
        d = e2[i] * z_apart + e_apart * z2[row] + 2.0 * e_along * z_along
        d2[i] = min(d2[i], max(d, 0.0))


@numba.njit(cache=True)
def absorb_divergence(P, L, Q, K, value):
    """Lowers value (n,) to the least of 0.5 (KL(p, q) + KL(q, p)) over the centres.

    P (n, k) are probabilities and L their logarithms, Q (c, k) and K those of the centres. A row of value 0 or less is
    passed over, and a centre is left as soon as its sum, all of whose terms (p - q) (log p - log q) are at least 0,
    reaches the least so far.
    """
    for i in range(P.shape[0]):
        least = value[i]
        for c in range(Q.shape[0]):
            if least <= 0.0:
                break
            total = 0.0
            for j in range(P.shape[1]):
                total += 0.5 * (P[i, j] - Q[c, j]) * (L[i, j] - K[c, j])
                if total >= least:
                    break
            least = min(least, total)
        value[i] = least
