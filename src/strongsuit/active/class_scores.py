"""Scores (n,) of pool rows from class probabilities; the largest is asked first.

Shapes: n rows, k declared classes, T members of a committee; p (n, k) are the probabilities, members (T, n, k) each
member's. Computed in float64 whatever comes in, with 0 log 0 = 0. The order of the classes decides nothing, down to the
last bit: terms are added in order of size, so two rows with the same numbers in another order tie. For the same reason
a class that no row can have changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import entr, xlog1py

from strongsuit.core.arrays import chunks

_NUMBERS = 2**18  # of a table held at once: 2 MB, so that a chunk stays near the processor


def least_confidence(p: np.ndarray) -> np.ndarray:
    """1 - p_(1): how far the largest probability is from 1 (Lewis and Gale 1994)."""
    return 1.0 - np.asarray(p, np.float64).max(axis=1)


def margin(p: np.ndarray) -> np.ndarray:
    """-(p_(1) - p_(2)): minus the distance of the two largest probabilities (Scheffer, Decomain and Wrobel 2001)."""
    p = np.asarray(p, np.float64)
    if p.shape[1] == 1:
        return -p[:, 0]
    two = np.partition(p, p.shape[1] - 2, axis=1)[:, -2:]
    return two[:, 0] - two[:, 1]


def entropy(p: np.ndarray) -> np.ndarray:
    """H(p) = -sum_c p_c log p_c in nats (Shannon 1948)."""
    return _by_rows(lambda one: _added_up(entr(one[0])), np.asarray(p)[None])


def var_ratio(members: np.ndarray, p: np.ndarray) -> np.ndarray:
    """1 - max_c #{t: argmax p_t = c} / T, plus less than one vote for the entropy of p (Freeman 1965).

    The share of members that do not vote for the class with most votes: at most T values, so ties are the rule. They go
    by H(p), as H / (1 + H) of one vote, which never outweighs a vote. A member that is torn between classes votes for
    each of them: else the order of classes would vote.
    """
    members = np.asarray(members)
    against = _by_rows(_votes_against, members)
    unsure = np.maximum(entropy(p), 0.0)  # a probability that was rounded to more than 1 would lose a vote
    return (against + unsure / (1.0 + unsure)) / len(members)


def mean_std(members: np.ndarray) -> np.ndarray:
    """mean_c std_t p_tc: the members' standard deviation (population), averaged over the declared classes (Kampffmeyer,
    Salberg and Jenssen 2016; Gal, Islam and Ghahramani 2017)."""
    return _by_rows(_spreads, np.asarray(members))


def bald(members: np.ndarray) -> np.ndarray:
    """H(mean_t p_t) - mean_t H(p_t): what the label would tell about the members (Houlsby et al. 2011).

    Never negative, and 0 exactly where all members are equal.
    """
    return _by_rows(_divergences, np.asarray(members))


def _by_rows(fn: Callable[[np.ndarray], np.ndarray], members: np.ndarray) -> np.ndarray:
    """fn, (T, c, k) -> (c,), over chunks of c rows; NaN, without a warning, where a number is not finite."""
    count, n, k = members.shape
    out = np.empty(n)
    with np.errstate(invalid="ignore", over="ignore"):
        for rows in chunks(n, max(1, _NUMBERS // max(1, count * k))):
            out[rows] = fn(members[:, rows].astype(np.float64))
    return out


def _added_up(terms: np.ndarray) -> np.ndarray:
    """Sums over the last axis from the least term to the largest, one by one.

    NumPy's own sum adds in blocks, so that a further zero or another order of classes would change the last bits.
    """
    return np.cumsum(np.sort(terms, axis=-1), axis=-1)[..., -1]


def _centred(members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean member (c, k) and what each is off it (T, c, k), both exact where all members are equal.

    The sum of T equal numbers over T is not always that number; their mean deviation from the first is 0.
    """
    mean = members[0] + (members - members[0]).mean(axis=0)
    return mean, members - mean


def _votes_against(members: np.ndarray) -> np.ndarray:
    votes = (members == members.max(axis=2, keepdims=True)).sum(axis=0)
    against = (len(members) - votes.max(axis=1)).astype(np.float64)
    return np.where(np.isfinite(members).all(axis=(0, 2)), against, np.nan)


def _spreads(members: np.ndarray) -> np.ndarray:
    _, off = _centred(members)
    return _added_up(np.sqrt((off**2).mean(axis=0))) / members.shape[2]


def _divergences(members: np.ndarray) -> np.ndarray:
    """mean_t KL(p_t || mean), which is the difference of entropies, from terms that are not negative.

    With r = p_tc / mean_c - 1, whose mean over t is 0, it is sum_c mean_c mean_t ((1 + r) log(1 + r) - r). The
    difference of entropies itself leaves about 1e-17 of either sign where members agree.
    """
    mean, off = _centred(members)
    r = np.divide(off, mean, out=np.zeros_like(off), where=mean != 0.0)  # NaN stays, no member has a class of mean 0
    terms = np.maximum(xlog1py(1.0 + r, r) - r, 0.0)
    return _added_up(mean * terms.mean(axis=0))
