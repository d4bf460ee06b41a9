"""What a selector is given and what it returns, and the rules all selectors share.

Shapes: n rows of the pool, p width of the embedding, b rows asked for. Row numbers always mean rows of the pool.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import keyed_order
from strongsuit.errors import InputError, NoFiniteScores

_FLOAT32_SQUARES = 1e30  # squared norms beyond which sums of a few would overflow in float32


@dataclass(frozen=True)
class Candidates:
    """A pool as a selector sees it.

    available (n,) bool: rows that may be chosen. anchors (n,) bool: labelled or pending rows that already count; an
    anchor is never chosen. score (n,): larger is better. embedding (n, p): float32 or float64. blocks: widths of the
    embedding's parts, for `k_center_product`. density (n,): weights of `k_center` where it is asked to use them, larger
    where chosen rows shall lie closer. noise: the variance sigma^2 of posterior rules (`max_det`, `bait`), 1e-6 for
    noiseless labels. reference (r,) row numbers: rows that the choice is to serve: `bait` lowers the variance of these
    alone, `herding` covers and `typical` groups them beside the available rows. labels (n,): class numbers of the
    anchors whose class is known, -1 elsewhere. predicted (n,): class numbers that the model predicts.
    """

    available: np.ndarray
    anchors: np.ndarray
    score: np.ndarray | None = None
    embedding: np.ndarray | None = None
    blocks: tuple[int, ...] = ()
    density: np.ndarray | None = None
    noise: float = 1e-6
    reference: np.ndarray | None = None
    labels: np.ndarray | None = None
    predicted: np.ndarray | None = None


@dataclass(frozen=True)
class Selection:
    """The chosen rows, first choice first.

    index (b,) row numbers; gain (b,) the rule's criterion at each pick; degraded: flags joined by commas, or "". facts:
    what a search for a strategy has found, for the record. Of a strategy made of others, part (b,): the number of the
    one that proposed each row, and chance (b,): the probability with which it was asked for.
    """

    index: np.ndarray
    gain: np.ndarray
    degraded: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    part: np.ndarray | None = None
    chance: np.ndarray | None = None


def joined(found: Sequence[Selection]) -> Selection:
    """Selections one after the other: every flag once, the facts of the first that has any."""
    none = Selection(np.zeros(0, int), np.zeros(0))
    index, gain = (np.concatenate([getattr(one, name) for one in (none, *found)]) for name in ("index", "gain"))
    flags = dict.fromkeys(flag for one in found for flag in one.degraded.split(",") if flag)
    facts = next((one.facts for one in found if one.facts), {})
    told = [one for one in found if one.part is not None]
    if len(told) < max(1, len(found)):
        return Selection(index, gain, ",".join(flags), facts)
    part, chance = (np.concatenate([getattr(one, name) for one in found]) for name in ("part", "chance"))
    return Selection(index, gain, ",".join(flags), facts, part, chance)


@dataclass(frozen=True)
class Usable:
    """The finite part of a pool: rows (n,) bool that may be chosen, flags of what was left out, and the arrays."""

    rows: np.ndarray
    anchors: np.ndarray  # row numbers
    flags: tuple[str, ...]
    score: np.ndarray | None
    X: np.ndarray | None  # (n, p) C-contiguous, float32 or float64
    norms: np.ndarray | None  # (n,) squared norms of X, float64

    def served(self, reference: np.ndarray | None) -> np.ndarray:
        """(n,) bool: the rows that may be chosen, and those finite ones that the choice is to serve besides."""
        found = self.rows.copy()
        if reference is not None:
            found[reference] = True
            for finite in (self.norms, self.score):
                found &= True if finite is None else np.isfinite(finite)
        return found

    def wanted(self, b: int) -> int:
        """How many rows will be chosen: b, or all there are."""
        if b < 1:
            raise InputError(f"b must be at least 1, got {b}")
        return min(int(b), int(self.rows.sum()))


def usable(candidates: Candidates, *, score: bool = False, embedding: bool = False) -> Usable:
    """The rows whose score and embedding, where asked for, are finite.

    Raises NoFiniteScores if rows are available and none is finite, InputError if an array is missing.
    """
    rows = np.asarray(candidates.available, dtype=bool) & ~np.asarray(candidates.anchors, dtype=bool)
    anchors = np.asarray(candidates.anchors, dtype=bool)
    open_rows, values, X, norms = rows.copy(), None, None, None
    if score:
        values = _present(candidates.score, "score").astype(np.float64)
        rows &= np.isfinite(values)
    if embedding:
        X, norms = _matrix(candidates.embedding)
        rows, anchors = rows & np.isfinite(norms), anchors & np.isfinite(norms)
    if open_rows.any() and not rows.any():
        what = " and ".join(name for name, asked in (("score", score), ("embedding", embedding)) if asked)
        raise NoFiniteScores(f"the {what} of all {open_rows.sum()} available rows is NaN or infinite: no row is chosen")
    flags = ("nan_rows",) if rows.sum() < open_rows.sum() else ()
    if score and rows.sum() > 1 and np.ptp(values[rows]) == 0.0:
        flags += ("constant_score",)
    return Usable(rows, np.flatnonzero(anchors), flags, values, X, norms)


def joined_flags(*said: str) -> str:
    """Flags joined by commas, each once."""
    return ",".join(dict.fromkeys(flag for part in said for flag in part.split(",") if flag))


def noise_of(candidates: Candidates) -> float:
    """The noise variance, or InputError: without any, a repeated row would have no variance to divide by."""
    if not 0.0 < candidates.noise < np.inf:
        raise InputError(f"candidates.noise must be a variance above 0, got {candidates.noise}; 1e-6 if there is none")
    return float(candidates.noise)


def _present(array: np.ndarray | None, name: str) -> np.ndarray:
    if array is None:
        raise InputError(f"this selector needs candidates.{name}, which is None")
    return np.asarray(array)


def _matrix(embedding: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The embedding ready for compiled code, and the squared norms of its rows."""
    from strongsuit.core.distances import square_norms

    X = _present(embedding, "embedding")
    if X.ndim != 2 or X.shape[1] == 0:
        raise InputError(f"candidates.embedding must be (n, p) with p of at least 1, got shape {X.shape}")
    X = np.ascontiguousarray(X, dtype=np.float32 if X.dtype in (np.float16, np.float32) else np.float64)
    norms = np.empty(len(X))
    square_norms(X, norms)
    if X.dtype == np.float32 and norms.max(initial=0.0, where=np.isfinite(norms)) > _FLOAT32_SQUARES:
        X = X.astype(np.float64)
    return X, norms


def finish(key: Key, pool: Usable, picks: Iterable[int], gains: Iterable[float], b: int, *flags: str) -> Selection:
    """The selection; where the rule ran out of distinct rows the rest follows in keyed order, flagged "no_spread"."""
    index, gain = np.array([*picks], dtype=np.int64), np.array([*gains], dtype=np.float64)
    short = pool.wanted(b) - len(index)
    if short > 0:
        left = pool.rows.copy()
        left[index] = False
        index = np.append(index, keyed_order(key_for(key, "fill"), np.flatnonzero(left))[:short])
        gain = np.append(gain, np.zeros(short))
        flags += ("no_spread",)
    return Selection(index, gain, ",".join((*pool.flags, *flags)))
