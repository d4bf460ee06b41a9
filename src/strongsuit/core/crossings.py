"""Compiled parts of `flips`: first flips along the loss's gradient, the farthest anchor. Importing it loads numba."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True)
def rivals(logits):
    """The class of largest logit, top (n,), and how far every other is below the largest of these (n, k): minus
    infinity for the top one, and where no other has a chance."""
    n, k = logits.shape
    top, below = np.zeros(n, np.int64), np.empty((n, k))
    for i in range(n):
        for d in range(1, k):
            if logits[i, d] > logits[i, top[i]]:
                top[i] = d
        most = -np.inf
        for d in range(k):
            if d != top[i] and logits[i, d] > most:
                most = logits[i, d]
        for d in range(k):
            gap = logits[i, d] - most
            below[i, d] = gap if d != top[i] and gap <= 0.0 else -np.inf
    return top, below


@numba.njit(cache=True)
def first(logits, top, q, slopes, lengths, sizes, least, faintest):
    """Where rows (n,) first meet a class other than their own, top (n,), and which are too faint to tell.

    Along sum_d q_d (w_d - w_y), q (n, k), the gap to class d closes by slopes (n, k) in units of sizes[y]^2 before the
    direction is made one of length 1; lengths (k, k) are those of w_d - w_y over sizes[y], 0 where they do not differ.
    A slope counts above the share `least` of a length; a direction is faint where its square is no more than the share
    `faintest` of the squared sum of lengths.
    """
    found, faint = np.empty(len(top)), np.empty(len(top), np.bool_)
    for i in range(len(top)):
        y, square, reach, apart = top[i], 0.0, 0.0, 0.0
        for d in range(logits.shape[1]):
            square += q[i, d] * slopes[i, d]
            reach += q[i, d] * lengths[y, d]
            apart += lengths[y, d]
        faint[i] = apart > 0.0 and not square > faintest * reach * reach
        root = np.sqrt(square) if square > 0.0 else 1.0
        nearest = np.inf
        for d in range(logits.shape[1]):
            if slopes[i, d] > least * root * lengths[y, d]:
                at = (logits[i, y] - logits[i, d]) / slopes[i, d]
                if not at >= nearest:  # what is no number stays none
                    nearest = at
        found[i] = nearest * (root / sizes[y])
    return found, faint


@numba.njit(cache=True)
def farthest(X, anchors, squares, products):
    """The distance (n,) of rows X (n, p) to that of the anchors (a, p) of the largest squares (a,) less twice the
    products (n, a)."""
    found = np.empty(len(X))
    for i in range(len(X)):
        far, most = 0, -np.inf
        for a in range(len(anchors)):
            value = squares[a] - 2.0 * products[i, a]
            if value > most:
                far, most = a, value
        total = 0.0
        for j in range(X.shape[1]):
            total += (X[i, j] - anchors[far, j]) ** 2
        found[i] = np.sqrt(total)
    return found
