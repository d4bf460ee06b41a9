"""Compiled parts of `flips`: first flips along the loss's gradient, the farthest anchor. Importing it loads numba."""

from __future__ import annotations

import numba
import numpy as np

from strongsuit.core.distances import exact


@numba.njit(cache=True)
def rivals(logits):
    """The class of largest logit, top (n,), and how far every other is below the largest of these (n, k): minus
    infinity for the top one, and where no other has a chance."""
    n, k = logits.shape
    top, below = np.empty(n, np.int64), np.empty((n, k))
    for i in range(n):
        best, most, at = logits[i, 0], -np.inf, 0
        for d in range(1, k):
            value = logits[i, d]
            low = value if value < best else (best if value >= best else -np.inf)  # no branches, which mislead
            most = low if low > most else most
            at = d if value > best else at
            best = value if value > best else best
        for d in range(k):
            gap = logits[i, d] - most
            below[i, d] = gap if gap <= 0.0 else -np.inf
        top[i] = at
        below[i, at] = -np.inf
    return top, below


@numba.njit(cache=True, error_model="numpy")
def first(logits, top, q, mixed, gram, lengths, least, faintest):
    """Where rows (n,) first meet a class other than their own, top (n,), and which are too faint to tell.

    They go along sum_e q_e (w_e - w_y), q (n, k), made one of length 1. gram (k, k) holds the products of the weights,
    lengths (k, k) those of w_d - w_y, mixed (n, k) is q gram; so the gap to class d closes by (w_d - w_y) times that
    sum, which counts above the share `least` of the lengths. A direction is faint where its square is no more than the
    share `faintest` of the squared sum of lengths.
    """
    n, k = logits.shape
    found, faint, slopes = np.empty(n), np.empty(n, np.bool_), np.empty(k)
    for i in range(n):
        y, total, square, reach, apart = top[i], 0.0, 0.0, 0.0, 0.0
        for d in range(k):
            total += q[i, d]
        for d in range(k):
            slopes[d] = (mixed[i, d] - mixed[i, y]) - total * (gram[y, d] - gram[y, y])
            square += q[i, d] * slopes[d]
            reach += q[i, d] * lengths[y, d]
            apart += lengths[y, d]
        faint[i] = apart > 0.0 and not square > faintest * reach * reach
        root = np.sqrt(square) if square > 0.0 else 1.0
        nearest = np.inf
        for d in range(k):
            at = (logits[i, y] - logits[i, d]) / slopes[d]
            at = at if slopes[d] > least * root * lengths[y, d] else np.inf
            nearest = nearest if at >= nearest else at  # what is no number stays none
        found[i] = nearest * root
    return found, faint


@numba.njit(cache=True)
def farthest(X, anchors, squares, products, doubt):
    """The distance (n,) of rows X (n, p) to the farthest of the anchors (a, p), from differences.

    Squares (a,) less twice the products (n, a) tell which anchors may be it: those within doubt (n,) of the largest,
    or all where that is no number.
    """
    n, count = products.shape
    found = np.empty(n)
    for i in range(n):
        most, far = -np.inf, -np.inf
        for a in range(count):
            value = squares[a] - 2.0 * products[i, a]
            if not value <= most:
                most = value
        least = most - doubt[i]
        for a in range(count):
            if not squares[a] - 2.0 * products[i, a] < least:
                total = exact(X, i, anchors, a)
                if not total <= far:
                    far = total
        found[i] = np.sqrt(far)
    return found
