"""The compiled thresholds of a soft choice; importing this module loads numba."""

from __future__ import annotations

import math

import numba
import numpy as np

_EXACT = 1e-9  # of a row
_NEWTON = 60  # steps at most: each at least halves the interval that holds a threshold


@numba.njit(cache=True)
def cut(scores, seen, take, tau, near):
    """How far (B, F, c) each row is taken, and the thresholds (B, F) by which the rows `seen` of each fold sum to
    `take` (F,): sigmoids of scores less threshold over tau (B,), Newton's steps from `near` inside a shrinking
    interval."""
    taken, found = np.zeros(scores.shape), np.zeros(near.shape)
    for b in range(scores.shape[0]):
        for f in range(scores.shape[1]):
            if seen[b, f].any():
                found[b, f] = _one(scores[b, f], seen[b, f], take[f], tau[b], near[b, f], taken[b, f])
    return taken, found


@numba.njit(cache=True)
def _one(scores, seen, wanted, tau, middle, taken):
    """The threshold of one fold; fills `taken` (c,)."""
    low, high = np.inf, -np.inf
    for i in range(len(scores)):
        if seen[i]:
            low, high = min(low, scores[i]), max(high, scores[i])
    low, high = low - 40.0 * tau, high + 40.0 * tau
    for _ in range(_NEWTON):
        excess, slope = -float(wanted), 0.0
        for i in range(len(scores)):
            if seen[i]:
                taken[i] = 0.5 * (1.0 + math.tanh(0.5 * (scores[i] - middle) / tau))
                excess += taken[i]
                slope += taken[i] * (1.0 - taken[i])
        if abs(excess) < _EXACT:
            break
        if excess > 0.0:
            low = middle
        else:
            high = middle
        step = middle + excess * tau / max(slope, 1e-300)
        middle = step if low < step < high else 0.5 * (low + high)
    return middle


@numba.njit(cache=True)
def spread(scores, seen):
    """The standard deviation (B,) of the scores of the rows seen, 1 where they are all alike."""
    found = np.ones(len(scores))
    for b in range(len(scores)):
        count, total, squares = 0, 0.0, 0.0
        for f in range(scores.shape[1]):
            for i in range(scores.shape[2]):
                if seen[b, f, i]:
                    count += 1
                    total += scores[b, f, i]
        for f in range(scores.shape[1]):
            for i in range(scores.shape[2]):
                if seen[b, f, i]:
                    squares += (scores[b, f, i] - total / count) ** 2
        if squares > 0.0:
            found[b] = math.sqrt(squares / count)
    return found


@numba.njit(cache=True)
def through(slope, taken, tau):
    """The slope (B, F, c) by score, from that by how far rows are taken: what one row gains, the rest of its fold
    loses."""
    found = np.empty(slope.shape)
    for b in range(slope.shape[0]):
        for f in range(slope.shape[1]):
            weight = taken[b, f] * (1.0 - taken[b, f])
            mean = (weight * slope[b, f]).sum() / max(weight.sum(), 1e-300)
            found[b, f] = weight * (slope[b, f] - mean) / tau[b]
    return found
