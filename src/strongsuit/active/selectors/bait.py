"""Rows that lower the summed variance of the pool most: forward greedy, or forward and backward (BAIT)."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, noise_of, usable
from strongsuit.core.arrays import chunks
from strongsuit.core.keys import Key
from strongsuit.core.ties import first_of_largest, tie_seed
from strongsuit.errors import InputError

_DOWNDATES = 32  # after so many, or when the largest number has shrunk so far, downdated inverses are formed anew
_SHRINKAGE = 0.1
_NUMBERS = 2**20  # of a chunk


def bait(key: Key, candidates: Candidates, b: int, *, overselect: int = 1) -> Selection:
    """Each pick x lowers sum over z in R of k_S(z, z) most; gain is that drop, sum k_S(z, x)^2 / (k_S(x, x) + noise).

    k_S is the kernel X X^T given the picks S, observed with variance `candidates.noise`; X is a posterior embedding; R
    is `candidates.reference`, or every finite row. With `overselect` = 2 (BAIT-FB) 2b rows are picked, then those whose
    removal raises the sum least are dropped one by one. Ash et al. 2021; Holzmüller et al. 2023.
    """
    if overselect not in (1, 2):
        raise InputError(f"overselect must be 1 (forward) or 2 (forward and backward), got {overselect}")
    pool = usable(candidates, embedding=True)
    X = pool.X.astype(np.float64, copy=False)
    gram, count = _gram(X, np.isfinite(pool.norms), candidates.reference), pool.wanted(b)
    more = min(overselect * count, int(pool.rows.sum()))
    picks, gains = _forward(key, X, pool.rows, gram, noise_of(candidates), more)
    if len(picks) > count:
        kept = _backward(key, X[picks], gram, noise_of(candidates), count, picks)
        picks, gains = [picks[k] for k in kept], [gains[k] for k in kept]
    return finish(key, pool, picks, gains, b)


def _gram(X: np.ndarray, known: np.ndarray, reference: np.ndarray | None) -> np.ndarray:
    """R'R (p, p) of the rows R that the summed variance counts."""
    if reference is None:
        R = X if known.all() else X[known]
    else:
        chosen = np.asarray(reference, dtype=np.int64)
        R = X[chosen[known[chosen]]]
    return R.T @ R


def _forward(
    key: Key, X: np.ndarray, usable_rows: np.ndarray, gram: np.ndarray, noise: float, count: int
) -> tuple[list[int], list[float]]:
    """Picks and their drops of the summed variance.

    Kept for every row z of C: k_S(z, z) = z' S z and drop(z) = z' S G S z, with G = R'R and S = I - U'U, whose rows u
    are the picks' scaled conditional features. One pick costs two products of C with a vector.
    """
    rows = np.flatnonzero(usable_rows)
    C = X if len(rows) == len(X) else X[rows]
    seed, U = tie_seed(key), np.zeros((count, X.shape[1]))
    variance, drop = np.einsum("ij,ij->i", C, C), np.empty(len(C))
    for part in chunks(len(C), max(1, _NUMBERS // X.shape[1])):  # a product of all rows would be as large as they are
        drop[part] = np.einsum("ij,ij->i", C[part] @ gram, C[part])
    free = np.ones(len(rows), dtype=bool)
    picks: list[int] = []
    gains: list[float] = []
    for number in range(count):
        value = np.where(free, np.maximum(drop, 0.0) / (np.maximum(variance, 0.0) + noise), -1.0)
        at = first_of_largest(seed, value, rows)
        if value[at] <= 0.0:
            break
        picks.append(int(rows[at]))
        gains.append(float(value[at]))
        free[at] = False
        done = U[:number]
        u = (C[at] - (done @ C[at]) @ done) / np.sqrt(noise + max(variance[at], 0.0))
        g = gram @ u
        along = float(u @ g)
        g -= (done @ g) @ done
        U[number] = u
        on_u, on_g = (C @ np.stack([u, g], axis=1)).T
        variance -= on_u**2
        drop += (along * on_u - 2.0 * on_g) * on_u
    return picks, gains


def _backward(key: Key, S: np.ndarray, gram: np.ndarray, noise: float, count: int, rows: list[int]) -> list[int]:
    """Positions of the `count` rows of S that remain when the least useful is dropped again and again.

    With P = (S S' + noise I)^-1 and M = P S G S' P, dropping i raises the summed variance by M_ii / P_ii: the same as
    sum k_S(z, x)^2 / (noise - k_S(x, x)) without the difference of nearly equal numbers. Both are downdated, and formed
    anew before the digits are gone.
    """
    seed, left, numbers = tie_seed(key), np.arange(len(S)), np.array(rows)
    P, M = _inverses(S, gram, noise)
    scale, age = P.diagonal().max(), 0
    while len(left) > count:
        if age == _DOWNDATES or P.diagonal().max() < _SHRINKAGE * scale:
            P, M = _inverses(S[left], gram, noise)
            scale, age = P.diagonal().max(), 0
        i = first_of_largest(seed, -M.diagonal() / P.diagonal(), numbers[left])
        p, m, pivot = P[:, i], M[:, i], P[i, i]
        M = M + np.outer(p, p) * (m[i] / pivot**2) - (np.outer(p, m) + np.outer(m, p)) / pivot
        P = P - np.outer(p, p) / pivot
        left, P, M = np.delete(left, i), np.delete(np.delete(P, i, 0), i, 1), np.delete(np.delete(M, i, 0), i, 1)
        age += 1
    return [int(k) for k in left]


def _inverses(S: np.ndarray, gram: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """P and M of `_backward`, from the smaller of the two equal systems."""
    rows, p = S.shape
    if rows > p:
        PS = S @ np.linalg.inv(S.T @ S + noise * np.eye(p))
        P = (np.eye(rows) - PS @ S.T) / noise
    else:
        P = np.linalg.inv(S @ S.T + noise * np.eye(rows))
        PS = P @ S
    return P, PS @ gram @ PS.T
