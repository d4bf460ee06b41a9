"""Rows whose Fisher information covers the pool's (BAIT for classes): of a softmax head, or its quick rank-1 form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from strongsuit.active.selectors.bait import bait
from strongsuit.active.selectors.candidates import Candidates, Selection, Usable, finish, usable
from strongsuit.active.selectors.class_parts import check_probabilities, first_of_nearly_largest, two_widths
from strongsuit.core.arrays import chunks
from strongsuit.core.keys import Key
from strongsuit.core.ties import tie_seed
from strongsuit.errors import InputError

_WIDEST = 3000  # numbers (k - 1) q of the head: beyond, one fresh inverse alone takes more than ten seconds
_ROOM = 2**27  # numbers held at once, 1 GB
_NUMBERS = 2**20  # of a chunk
_REFRESH = 50  # picks after which the inverse and what was updated with it are formed anew


def bait_classes(
    key: Key, candidates: Candidates, b: int, *, ridge: float | None = None, overselect: int = 2, scale: str = "even"
) -> Selection:
    """Each pick lowers tr(M^-1 F) most, then the least useful of `overselect` x b are dropped; gain is the drop.

    The embedding is [p | z] in two blocks (k, q), z the features with a 1 appended. V_x = (diag p - p p') (x) z z' is
    a row's Fisher information, F its sum over the available rows (or `candidates.reference`), M = ridge I + (sum of V
    over anchors and picks) / (anchors + b). By default `ridge` is 1 / (anchors + b): the penalty of a head with C = 1,
    shared out over its rows; the published 1 picks outliers where features are of unit scale. `scale` = "public" weighs
    picks b times more than anchors, as the authors' code does. Ash et al. 2021 (BAIT).

    Meant for heads of up to about 2,000 numbers k q. One pick costs about 4 k^2 q n operations, a fresh start after
    every 50 picks 2 k^2 q^2 n. Raises InputError for (k - 1) q above 3,000 or arrays of more than 1 GB.
    """
    _check_options(ridge, overselect, scale)
    pool = usable(candidates, embedding=True)
    k, q = two_widths(candidates, pool.X, "[p | features and 1]")
    count, rows = pool.wanted(b), np.flatnonzero(pool.rows)
    more = min(overselect * count, len(rows))
    if count == 0 or k == 1:
        return finish(key, pool, [], [], b)
    _check_size(len(rows), k, q)
    counts = pool.rows.copy()
    counts[pool.anchors] = True
    check_probabilities(pool.X[:, :k], counts)
    M = _own(ridge, pool, count) * np.eye((k - 1) * q)
    even = 1.0 / (len(pool.anchors) + count)
    M += even * _information(*_parts(pool.X[pool.anchors], k))
    share = even * (count if scale == "public" else 1)
    reference = _reference(candidates, pool)
    F = _information(*_parts(pool.X[reference], k))
    roots, Z = _parts(pool.X[rows], k)
    seed = tie_seed(key)
    at, gains = _walk(_Traces(np.sqrt(share) * roots, Z, M, F, 1), seed, rows, more)
    if len(at) > count:
        roots, Z = np.sqrt(share) * roots[at], Z[at]
        dropped, _ = _walk(_Traces(roots, Z, M + _information(roots, Z), F, -1), seed, rows[at], len(at) - count)
        kept = np.setdiff1d(np.arange(len(at)), dropped)
        at, gains = [at[i] for i in kept], [gains[i] for i in kept]
    return finish(key, pool, rows[at], gains, b)


def bait_fast(
    key: Key, candidates: Candidates, b: int, *, ridge: float | None = None, overselect: int = 2, scale: str = "even"
) -> Selection:
    """The same with V_x = x x' for rows x of the embedding (n, q): sqrt(p1 (1 - p1)) times the features and 1.

    p1 is the largest probability. The public binary shortcut writes two rows for each x, both multiples of the
    features; their sum is V_x. This is `bait` on features whose inner products are the posterior covariance given the
    anchors, with variance ridge (anchors + b) of a label's noise. Ash et al. 2021.
    """
    _check_options(ridge, overselect, scale)
    pool = usable(candidates, embedding=True)
    count = pool.wanted(b)
    if count == 0:
        return finish(key, pool, [], [], b)
    noise = _own(ridge, pool, count) * (len(pool.anchors) + count)
    told = replace(
        candidates,
        embedding=_given(pool.X, pool.anchors, noise),
        noise=noise / (count if scale == "public" else 1),
        reference=_reference(candidates, pool),
    )
    return bait(key, told, b, overselect=overselect)


def _check_options(ridge: float | None, overselect: int, scale: str) -> None:
    if ridge is not None and not 0.0 < ridge < np.inf:
        raise InputError(f"ridge must be finite and above 0, got {ridge}")
    if overselect not in (1, 2):
        raise InputError(f"overselect must be 1 (forward) or 2 (forward and backward), got {overselect}")
    if scale not in ("even", "public"):
        raise InputError(f"scale must be 'even' or 'public', got {scale!r}")


def _own(ridge: float | None, pool: Usable, count: int) -> float:
    return 1.0 / (len(pool.anchors) + count) if ridge is None else ridge


def _check_size(n: int, k: int, q: int) -> None:
    width = (k - 1) * q
    if width > _WIDEST or 4 * width**2 + n * (4 * (k - 1) ** 2 + 2 * q) > _ROOM:
        raise InputError(
            f"bait_classes would need matrices of {width} x {width} and {n} times {k - 1} x {k - 1} numbers, for {k} "
            f"classes and {q} features; use bait_fast, or project the features to at most {_WIDEST // (k - 1)}"
        )


def _reference(candidates: Candidates, pool: Usable) -> np.ndarray:
    """The finite rows, by number, that F is summed over."""
    if candidates.reference is None:
        return np.flatnonzero(pool.rows)
    chosen = np.asarray(candidates.reference, dtype=np.int64)
    return chosen[np.isfinite(pool.norms[chosen])]


def _given(X: np.ndarray, anchors: np.ndarray, noise: float) -> np.ndarray:
    """Features (n, q) whose inner products are X (A'A / noise + I)^-1 X', A the anchors' rows of X."""
    from scipy.linalg import cholesky, solve_triangular

    X = X.astype(np.float64)
    if len(anchors):
        upper = cholesky(X[anchors].T @ X[anchors] / noise + np.eye(X.shape[1]))
        back = solve_triangular(upper, np.eye(X.shape[1]))
        with np.errstate(invalid="ignore"):  # rows that are not finite stay so
            for part in chunks(len(X), max(1, _NUMBERS // X.shape[1])):
                X[part] = X[part] @ back
    return X


def _complement(roots: np.ndarray) -> np.ndarray:
    """Orthonormal bases (n, k, k - 1) of what is orthogonal to unit vectors (n, k) without negative numbers.

    All but the last column of the Householder reflection that takes a vector to the last axis, reversed.
    """
    head, last = roots[:, :-1], roots[:, -1]
    top = np.eye(head.shape[1]) - head[:, :, None] * (head / (1.0 + last[:, None]))[:, None, :]
    return np.concatenate([top, -head[:, None, :]], axis=1)


def _parts(X: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """B (n, r, r) with B B' = H' (diag p - p p') H, and z (n, q), of rows [p | z]; r = k - 1.

    H (k, r) spans what is orthogonal to (1, .., 1): along that a softmax does not change, M is ridge I and F is 0, so
    the trace loses nothing and the matrices a share 1 / k of their width.
    """
    p = np.maximum(X[:, :k].astype(np.float64), 0.0)
    roots = np.sqrt(p / p.sum(axis=1, keepdims=True))
    H = _complement(np.full((1, k), 1.0 / np.sqrt(k)))[0]
    return H.T @ (roots[:, :, None] * _complement(roots)), X[:, k:].astype(np.float64)


def _information(B: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """The sum over rows of (B B') (x) z z', (r q, r q)."""
    r, q = B.shape[1], Z.shape[1]
    V, total = B @ np.swapaxes(B, 1, 2), np.zeros((r, q, r, q))
    for part in chunks(len(Z), max(1, _NUMBERS // q)):
        for c in range(r):
            for d in range(c, r):
                total[c, :, d] += Z[part].T @ (V[part, c, d, None] * Z[part])
    for c in range(r):
        for d in range(c):
            total[c, :, d] = total[d, :, c].T
    return total.reshape(r * q, r * q)


def _forms(A: np.ndarray, B: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """U'AU (n, r, r) of every row's U = B (x) z, for a symmetric A (r q, r q)."""
    (n, q), r = Z.shape, B.shape[1]
    out = np.empty((n, r, r))
    for part in chunks(n, max(1, _NUMBERS // (r * q))):
        for c in range(r):
            right = (Z[part] @ A[c * q : (c + 1) * q, c * q :]).reshape(-1, r - c, q)
            out[part, c, c:] = np.einsum("ndq,nq->nd", right, Z[part])
            out[part, c:, c] = out[part, c, c:]
        out[part] = np.swapaxes(B[part], 1, 2) @ out[part] @ B[part]
    return out


class _Traces:
    """By how much adding a row (sign 1) lowers tr(M^-1 F), or removing it (sign -1) raises it.

    With U = B (x) z, V = U U', A = M^-1: that is tr[(I + sign G)^-1 Q] with G = U'AU and Q = U'A F A U, (r, r) a row.
    A step changes A by - sign W W', W (r q, r); G and Q change by products with W'U, which cost r^2 q a row.
    """

    def __init__(self, B: np.ndarray, Z: np.ndarray, M: np.ndarray, F: np.ndarray, sign: int) -> None:
        self.B, self.Z, self.M, self.F, self.sign = B, Z, M.copy(), F, sign
        self._refresh()

    def _refresh(self) -> None:
        self.age, self.A = 0, np.linalg.inv(self.M)
        self.A = 0.5 * (self.A + self.A.T)
        self.G = _forms(self.A, self.B, self.Z)
        self.Q = _forms(self.A @ self.F @ self.A, self.B, self.Z)

    def changes(self) -> np.ndarray:
        """By how much every row (n,) would lower or raise the trace."""
        r = self.G.shape[1]
        if r == 1:
            return self.Q[:, 0, 0] / (1.0 + self.sign * self.G[:, 0, 0])
        out = np.empty(len(self.G))
        for part in chunks(len(out), _NUMBERS // r**2 + 1):
            solved = np.linalg.solve(np.eye(r) + self.sign * self.G[part], self.Q[part])
            out[part] = np.trace(solved, axis1=1, axis2=2)
        return out

    def step(self, row: int) -> None:
        """Add or remove the row."""
        U = np.kron(self.B[row], self.Z[row][:, None])
        self.M += self.sign * (U @ U.T)
        self.age += 1
        if self.age == _REFRESH:
            return self._refresh()
        values, vectors = np.linalg.eigh(np.eye(U.shape[1]) + self.sign * self.G[row])
        W = self.A @ U @ (vectors / np.sqrt(np.maximum(values, np.finfo(float).eps)))
        FW = self.F @ W
        Y = self.A @ FW - (0.5 * self.sign) * (W @ (W.T @ FW))  # A F A changes by - sign (W Y' + Y W')
        self.A -= self.sign * (W @ W.T)
        self._follow(W, Y)

    def _follow(self, W: np.ndarray, Y: np.ndarray) -> None:
        """Bring G and Q of all rows up to date."""
        (_, r, _), q = self.B.shape, self.Z.shape[1]
        both = np.concatenate([W.reshape(r, q, r), Y.reshape(r, q, r)], axis=2)
        both = both.transpose(1, 0, 2).reshape(q, 2 * r * r)
        for part in chunks(len(self.Z), max(1, _NUMBERS // (2 * r * r))):
            TS = np.swapaxes(self.B[part], 1, 2) @ (self.Z[part] @ both).reshape(-1, r, 2 * r)
            T, S = TS[:, :, :r], TS[:, :, r:]
            cross = T @ np.swapaxes(S, 1, 2)
            self.G[part] -= self.sign * (T @ np.swapaxes(T, 1, 2))
            self.Q[part] -= self.sign * (cross + np.swapaxes(cross, 1, 2))


def _walk(state: _Traces, seed: np.uint64, rows: np.ndarray, count: int) -> tuple[list[int], list[float]]:
    """Positions of rows that lower the trace most when added (raise it least when removed), and by how much.

    Additions stop where none lowers the trace.
    """
    free, picks, gains = np.ones(len(rows), dtype=bool), [], []
    while len(picks) < count:
        change = np.where(free, state.changes(), -state.sign * np.inf)
        at = first_of_nearly_largest(seed, state.sign * change, rows)
        if state.sign > 0 and change[at] <= 0.0:
            break
        picks.append(at)
        gains.append(float(change[at]))
        free[at] = False
        if len(picks) < count:
            state.step(at)
    return picks, gains
