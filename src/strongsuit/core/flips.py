"""Where a linear softmax head changes its mind: the nearest plane, and the first flip on the way along a direction.

Shapes: n rows of features Z (n, p), k classes with logits f = W z + c, W (k, p), c (k,); y is the class of largest
logit; a anchors (a, p). `seen` (k,) bool marks the classes that may be predicted: the others count for nothing, and
their weights may be anything. Results are those of float64. Nothing of n x k x p is held: rows are taken by their
class y, whose weights are subtracted from all others' once, so that no digits are lost where weights lie close
together; where none do, products of the weights say the same sooner.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from strongsuit.core.arrays import chunks, pad_rows
from strongsuit.errors import InputError

_NUMBERS = 2**18  # of a table held at once
_TILE = 16  # rows that a product is padded to a multiple of
_FEW = 32  # classes of which products take hardly any work, however few features there are
_CANCELLED = 1e-4  # of the squared sum of lengths: a squared direction of less has lost four digits of sixteen
_CLOSE = 1e-2  # of the squared lengths of two classes' weights: a squared distance of less has lost two digits
_EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class _Class:
    """Rows of one class y by their numbers (c,); of the o other classes by number whose weights differ from y's the
    differences apart (o, p) and their lengths (o,)."""

    y: int
    rows: np.ndarray
    others: np.ndarray
    apart: np.ndarray
    lengths: np.ndarray


@dataclass(frozen=True)
class _Block(_Class):
    """The same with the logits (c, o) of the others, and how far below f_y these are, gaps (c, o)."""

    logits: np.ndarray
    gaps: np.ndarray


def nearest_plane(W: np.ndarray, c: np.ndarray, Z: np.ndarray, *, seen: np.ndarray | None = None) -> np.ndarray:
    """min_{c != y} (f_y - f_c) / |w_y - w_c| (n,): the length of the least move that changes the class.

    DeepFool's first step, exact for a linear head (Moosavi-Dezfooli, Fawzi and Frossard 2016). Infinity where no move
    does: one class, or equal weights.
    """
    W, c = _known(W, c, seen)
    logits, out = _logits(W, c, Z), np.full(len(Z), np.inf)
    for block in _blocks(W, logits):
        with np.errstate(invalid="ignore", over="ignore"):
            out[block.rows] = (block.gaps / block.lengths).min(axis=1, initial=np.inf)
    return out


def safe_directions(W: np.ndarray, logits: np.ndarray, *, seen: np.ndarray | None = None) -> np.ndarray:
    """Unit vectors u (n, p) along the gradient of CE(f, y): sum_{c != y} p_c (w_c - w_y), normalised; 0 where that is.

    From the shares of the other classes among themselves, which do not underflow however sure the head is. Classes with
    the weights of y add nothing to the sum and are left out of it first.
    """
    W, by_class = _known(W, np.asarray(logits).T, seen)
    U = np.zeros((by_class.shape[1], W.shape[1]))
    for block in _blocks(W, by_class.T):
        U[block.rows] = _directions(block)
    return U


def first_flip(
    W: np.ndarray, c: np.ndarray, Z: np.ndarray, U: np.ndarray, *, seen: np.ndarray | None = None
) -> np.ndarray:
    """s (n,): z + t u has another class than z exactly where t > s; infinity if it never has. u are of length 1, or 0.

    The region in which a linear head predicts y is convex, so a ray that has left it does not return.
    """
    W, c = _known(W, c, seen)
    out = np.full(len(Z), np.inf)
    for block in _blocks(W, _logits(W, c, Z)):
        out[block.rows] = _crossings(block, np.asarray(U[block.rows], np.float64))
    return out


def flip_share(
    W: np.ndarray, c: np.ndarray, Z: np.ndarray, anchors: np.ndarray, *, seen: np.ndarray | None = None
) -> np.ndarray:
    """e (n,): the share of the way to its farthest anchor after which a row flips on the way uphill in CE(f, y).

    `first_flip` along `safe_directions` over `farthest_anchor`. Some anchor's ALFA-Mix step of size eps (Parvaneh et
    al., CVPR 2022, arXiv 2203.07034) changes the class exactly where e < eps: with the anchor put into it, its closed
    form is z + eps |anchor - z| u, in which only the distance is left of the anchor. Infinity for rows that never flip.
    """
    W, c = _known(W, c, seen)
    s = _uphill_crossings(W, c, Z)
    h = farthest_anchor(Z, anchors)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(h == 0.0, np.inf, s / h)  # a row on its only anchor stays where it is


def class_anchors(Z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean row (a, p) of each class that has rows, in order of class: labels (n,) are -1 where there is none.

    Rows that are not finite are left out.
    """
    labels = np.asarray(labels)
    labelled = np.flatnonzero(labels >= 0)
    kept = labelled[np.isfinite(Z[labelled]).all(axis=1)]
    classes = np.unique(labels[kept])
    means = [np.asarray(Z[kept[labels[kept] == one]], np.float64).mean(axis=0) for one in classes]
    return np.array(means).reshape(len(classes), Z.shape[1])


def farthest_anchor(Z: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """The largest distance h (n,) of each row to an anchor; 0 without anchors.

    Products in float32 tell which anchors it may be, seen from their mean and in units of their spread. The distance
    itself comes from differences: what rounding cannot tell apart is looked at, and the largest taken.
    """
    from strongsuit.core import crossings

    out, anchors = np.zeros(len(Z)), np.asarray(anchors, np.float64)
    if not len(anchors):
        return out
    middle = anchors.mean(axis=0)
    A = anchors - middle
    size = np.abs(A).max() or 1.0
    squares, A = np.einsum("ap,ap->a", A / size, A / size), (A / size).astype(np.float32)
    rounding = 4.0 * (A.shape[1] + 2) * np.finfo(np.float32).eps * np.sqrt(squares.max())
    for rows in chunks(len(Z), _at_once(sum(A.shape))):
        X = np.asarray(Z[rows], np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            seen = ((X - middle) / size).astype(np.float32)
            doubt = rounding * (1.0 + np.sqrt(np.einsum("ij,ij->i", seen, seen)))
            out[rows] = crossings.farthest(X, anchors, squares, seen @ A.T, doubt)
    return out


def published_step(Z: np.ndarray, anchor: np.ndarray, U: np.ndarray, eps: float) -> np.ndarray:
    """Mixing weights a (n, p) of the ALFA-Mix closed form, eps |d| u / d with d = anchor - z: its division as printed.

    They maximise the first-order gain (a o d)'u over |a o d| <= eps |d|, a wider problem than the stated |a| <= eps.
    """
    D = anchor - Z
    return eps * np.linalg.norm(D, axis=1, keepdims=True) * U / D


def exact_step(Z: np.ndarray, anchor: np.ndarray, U: np.ndarray, eps: float) -> np.ndarray:
    """Mixing weights a (n, p) that maximise (a o d)'u over |a| <= eps: eps (d o u) / |d o u|, 0 where that is 0."""
    G = (anchor - Z) * U
    length = np.linalg.norm(G, axis=1, keepdims=True)
    return np.divide(eps * G, length, out=np.zeros_like(G), where=length > 0.0)


def sign_step(Z: np.ndarray, anchor: np.ndarray, U: np.ndarray, cap: float) -> np.ndarray:
    """Mixing weights a (n, p): cap where they help, (d o u) > 0, else 0. What the learned weights of the public code
    come to, as the first step of Adam goes by signs."""
    return np.where((anchor - Z) * U > 0.0, cap, 0.0)


def step_flips(
    W: np.ndarray,
    c: np.ndarray,
    Z: np.ndarray,
    anchors: np.ndarray,
    size: float,
    *,
    step: str = "published",
    seen: np.ndarray | None = None,
) -> np.ndarray:
    """Rows (n,) bool whose class changes when they are mixed with some anchor: a study of steps, one by one.

    `size` is eps for the steps "published" and "exact", the cap of each weight for "sign". "published" takes the short
    form, z + eps |d| u.
    """
    if step not in ("published", "exact", "sign"):
        raise InputError(f'step must be "published", "exact" or "sign", got {step!r}')
    W, c = _known(W, c, seen)
    Z = np.asarray(Z, np.float64)
    logits = _logits(W, c, Z)
    U, flips = safe_directions(W, logits), np.zeros(len(Z), dtype=bool)
    for anchor in np.asarray(anchors, np.float64):
        if step == "published":
            move = size * np.linalg.norm(anchor - Z, axis=1, keepdims=True) * U
        else:
            weights = exact_step if step == "exact" else sign_step
            move = weights(Z, anchor, U, size) * (anchor - Z)
        flips |= _logits(W, c, Z + move).argmax(axis=1) != logits.argmax(axis=1)
    return flips


def _known(W: np.ndarray, c: np.ndarray, seen: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The weights and offsets of the classes that may be predicted, in float64."""
    W, c = np.asarray(W, np.float64), np.asarray(c, np.float64)
    return (W, c) if seen is None else (W[seen], c[seen])


def _product(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """A B with the same result for equal rows of A.

    BLAS adds up the rows of a last incomplete tile in another order, and by that their place would decide ties.
    """
    padded = pad_rows(A, -(-len(A) // _TILE) * _TILE)
    return (padded @ B)[: len(A)]


def _at_once(width: int) -> int:
    """How many rows of so many numbers are looked at together: whole tiles, so that only the last are padded."""
    return max(1, _NUMBERS // width // _TILE) * _TILE


def _logits(W: np.ndarray, c: np.ndarray, Z: np.ndarray) -> np.ndarray:
    out = np.empty((len(Z), len(W)))
    with np.errstate(invalid="ignore", over="ignore"):
        for rows in chunks(len(Z), _at_once(sum(W.shape))):
            out[rows] = _product(np.asarray(Z[rows], np.float64), W.T) + c
    return out


def _by_class(W: np.ndarray, top: np.ndarray) -> Iterator[_Class]:
    """Rows by their class, top (n,); none of a class from which no other differs."""
    for y in np.unique(top):
        apart = W - W[y]
        others = np.flatnonzero(apart.any(axis=1))
        if len(others):
            apart = apart[others]
            yield _Class(int(y), np.flatnonzero(top == y), others, apart, _lengths(apart))


def _blocks(W: np.ndarray, logits: np.ndarray) -> Iterator[_Block]:
    """The same, a bounded number at once."""
    for one in _by_class(W, logits.argmax(axis=1)):
        for part in chunks(len(one.rows), max(1, _NUMBERS // sum(one.apart.shape))):
            rows = one.rows[part]
            below = logits[np.ix_(rows, one.others)]
            with np.errstate(invalid="ignore", over="ignore"):
                gaps = logits[rows, one.y, None] - below
            yield _Block(one.y, rows, one.others, one.apart, one.lengths, below, gaps)


def _lengths(apart: np.ndarray) -> np.ndarray:
    """Norms of rows that are not 0, without overflow and underflow of their squares."""
    size = np.abs(apart).max(axis=1)
    return size * np.linalg.norm(apart / size[:, None], axis=1)


def _weights(block: _Block) -> np.ndarray:
    """What each other class weighs (c, o) in the gradient: its probability over the largest of theirs."""
    with np.errstate(invalid="ignore", over="ignore"):
        q = np.exp(block.logits - block.logits.max(axis=1, keepdims=True))
    return np.fmax(q, 0.0, out=q)  # not a number where all are -inf: no other class has a chance


def _directions(block: _Block) -> np.ndarray:
    """Unit vectors (c, p) along sum_c q_c (w_c - w_y); 0 where they cancel."""
    q, size = _weights(block), block.lengths.max()
    U = _product(q, block.apart / size)
    length = np.linalg.norm(U, axis=1, keepdims=True)
    rounding = 2.0 * q.shape[1] * _EPS * (q @ (block.lengths / size))[:, None]
    return np.divide(U, length, out=np.zeros_like(U), where=length > rounding)


def _crossings(block: _Block, U: np.ndarray) -> np.ndarray:
    """The least gap / slope (c,) over the classes that gain on y along u; a slope of the size of rounding is none."""
    with np.errstate(invalid="ignore", over="ignore"):
        slopes = _product(U, block.apart.T)
        gains = slopes > block.apart.shape[1] * _EPS * block.lengths
        return np.divide(block.gaps, slopes, out=np.full(slopes.shape, np.inf), where=gains).min(axis=1)


def _uphill_crossings(W: np.ndarray, c: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """`_crossings` along `_directions` (n,), from products of the weights instead of the directions.

    With few classes that leaves p out of the work of a row. It loses digits where weights lie close together, and where
    their differences nearly cancel: such rows, and heads of many classes, go the long way.
    """
    from strongsuit.core import crossings

    can = c != -np.inf  # no other class is met, and none of these is to move what the others' weights are seen from
    W, c, out, long = W[can], c[can], np.full(len(Z), np.inf), np.ones(len(Z), bool)
    k, p = W.shape
    if 0 < k <= max(p, _FEW):
        middle = W - W.mean(axis=0)
        size = np.abs(middle).max() or 1.0
        gram = (middle / size) @ (middle / size).T
        both = np.diag(gram) + np.diag(gram)[:, None]
        lengths, close = np.sqrt(np.maximum(both - 2.0 * gram, 0.0)), both - 2.0 * gram <= _CLOSE * both
        np.fill_diagonal(close, False)
        for rows in chunks(len(Z), _at_once(p + 4 * k)):
            with np.errstate(invalid="ignore", over="ignore"):
                logits = _logits(W, c, Z[rows])
                top, q = crossings.rivals(logits)
                np.exp(q, out=q)
                mixed = _product(q, gram)
            least = 4.0 / _CLOSE * p * _EPS
            found, faint = crossings.first(logits, top, q, mixed, gram, lengths, least, _CANCELLED)
            out[rows], long[rows] = found / size, faint | close.any(axis=1)[top]
    rest = np.flatnonzero(long & can.any())
    for block in _blocks(W, _logits(W, c, Z[rest])):
        out[rest[block.rows]] = _crossings(block, _directions(block))
    return out
