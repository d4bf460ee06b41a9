"""Rows whose labels together tell most of which member of a committee is right (BatchBALD)."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, usable
from strongsuit.active.selectors.class_parts import check_probabilities, first_of_nearly_largest
from strongsuit.core.arrays import chunks
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import largest, ranks, tie_seed
from strongsuit.errors import InputError

_LONGEST = 20  # picks made jointly: by then a committee's members are told apart, or sampling drowns what is left
_NOTHING = 1e-12  # nats: a gain that is rounding alone
_NUMBERS = 2**20  # of a table of probabilities held at once
_TINY = np.finfo(np.float64).tiny


def batch_bald(key: Key, candidates: Candidates, b: int, *, configurations: int = 4096) -> Selection:
    """Each pick raises the joint information H(y_1..y_m) - sum_i mean_t H(p_it) most; gain is that rise, in nats.

    The embedding is the members' probabilities (n, T k), `candidates.blocks` = (T, k). Exact while the earlier picks
    have at most `configurations` possible sets of labels, else estimated on that many drawn ones. The information is
    submodular, so earlier gains bound later ones and few rows are computed anew; with drawn sets that holds up to the
    sampling error. After 20 picks, or when no row tells anything more (the information is at most log T), rows follow
    by their own BALD, which is then their gain, flagged "beyond_joint". Kirsch, van Amersfoort and Gal 2019.
    """
    if configurations < 1:
        raise InputError(f"configurations must be at least 1, got {configurations}")
    pool = usable(candidates, embedding=True)
    members, rows = _members(candidates, pool.X), np.flatnonzero(pool.rows)
    check_probabilities(members, pool.rows)
    wanted = pool.wanted(b)
    if wanted == 0:
        return finish(key, pool, [], [], b)
    search = _Search(members, rows, tie_seed(key))
    bald, picks, gains = np.round(search.bound, 12), [], []  # equal rows stay equal
    while len(picks) < min(wanted, _LONGEST):
        at, gain = search.best()
        if gain <= _NOTHING:
            break
        picks.append(at)
        gains.append(gain)
        share = float(key_for(key, "share", len(picks)).numpy().random())
        search.learn(at, configurations, share)
    left = np.setdiff1d(np.arange(len(rows)), picks)
    rest = largest(key, bald[left], rows[left], wanted - len(picks))
    gains = [*gains, *bald[np.searchsorted(rows, rest)]]
    return finish(key, pool, [*rows[picks], *rest], gains, b, *(("beyond_joint",) if len(rest) else ()))


def _members(candidates: Candidates, X: np.ndarray) -> np.ndarray:
    """The members' probabilities (n, T, k), a view of the embedding."""
    blocks = tuple(candidates.blocks)
    if len(blocks) != 2 or min(blocks) < 1 or blocks[0] * blocks[1] != X.shape[1]:
        raise InputError(f"candidates.blocks must be (members, classes) of product {X.shape[1]}, got {blocks}")
    if blocks[0] < 2:
        raise InputError("batch_bald measures what members disagree on: it needs a committee of at least 2, got 1")
    return X.reshape(len(X), *blocks)


def _surprise(p: np.ndarray) -> np.ndarray:
    """-p log p, 0 at 0."""
    return -p * np.log(np.maximum(p, _TINY))


class _Search:
    """Sets of labels the picks may get, and an upper bound (c,) of every row's gain.

    weight (s,) are the chances of the sets, member (s, T) each member's chance of being right given the set. A row's
    gain is its entropy given the set, in the mean over sets, less its mean entropy within members.
    """

    def __init__(self, members: np.ndarray, rows: np.ndarray, seed: np.uint64) -> None:
        self.members, self.rows, self.seed = members, rows, seed
        self.weight, self.member = np.ones(1), np.full((1, members.shape[1]), 1.0 / members.shape[1])
        self.within = np.empty(len(rows))
        for part in self._parts(1):
            self.within[part] = _surprise(self._shares(part)).sum(axis=2).mean(axis=1)
        self.bound = np.concatenate([self._gain(np.arange(len(rows))[part]) for part in self._parts(1)])

    def _parts(self, sets: int) -> list[slice]:
        """Slices of the rows, such that a table for so many sets stays small."""
        _, count, k = self.members.shape
        return list(chunks(len(self.rows), max(1, _NUMBERS // (k * max(sets, count)))))

    def _shares(self, at: np.ndarray | slice) -> np.ndarray:
        """Members' probabilities of the rows at these positions, in float64, to sum to 1."""
        p = np.maximum(self.members[self.rows[at]].astype(np.float64), 0.0)
        return p / p.sum(axis=2, keepdims=True)

    def _gain(self, at: np.ndarray) -> np.ndarray:
        p = self._shares(at)
        table = self.member @ p.transpose(1, 0, 2).reshape(p.shape[1], -1)
        entropy = (self.weight @ _surprise(table)).reshape(len(p), -1).sum(axis=1)
        return entropy - self.within[at]

    def best(self) -> tuple[int, float]:
        """The position of the row of largest gain, and the gain: bounds are renewed from the largest down."""
        order = np.lexsort((ranks(self.seed, self.rows), -self.bound))
        order = order[: int((self.bound > -np.inf).sum())]  # picks are last, at -infinity
        found, top = order[:0], -np.inf
        for part in self._parts(len(self.weight)):
            at = order[part]
            if len(at) == 0 or self.bound[at[0]] < top - _NOTHING:
                break
            self.bound[at] = self._gain(at)
            found, top = np.append(found, at), max(top, self.bound[at].max())
        at = found[first_of_nearly_largest(self.seed, self.bound[found], self.rows[found])]
        return int(at), float(self.bound[at])

    def learn(self, at: int, most: int, share: float) -> None:
        """Split every set by the row's label; beyond `most` sets keep so many, drawn by `share` in [0, 1)."""
        self.bound[at] = -np.inf
        joint = self.member[:, None, :] * self._shares(slice(at, at + 1))[0].T
        chance = joint.sum(axis=2)
        weight = (self.weight[:, None] * chance).ravel()
        kept = np.flatnonzero(weight > 0.0)
        if len(kept) > most:
            kept, self.weight = _thinned(weight, kept, most, share)
        else:
            self.weight = weight[kept] / weight[kept].sum()
        self.member = (joint / np.maximum(chance, _TINY)[:, :, None]).reshape(-1, joint.shape[2])[kept]


def _thinned(weight: np.ndarray, kept: np.ndarray, most: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """`most` of the sets kept and weights of sum 1 that keep every set's in the mean, with the least variance.

    Sets heavier than a level stay as they are; the others are drawn with chances weight / level, evenly spaced, and
    weigh as much as the level (Fearnhead and Clifford 2003).
    """
    order = kept[np.argsort(-weight[kept], kind="stable")]
    w = weight[order] / weight[order].sum()
    tails, left = np.cumsum(w[::-1])[::-1][:most], most - np.arange(most)
    heavy = int(np.argmax(w[:most] * left <= tails))  # holds for the last at the latest
    level = tails[heavy] / left[heavy]
    ladder = np.cumsum(w[heavy:]) / level
    drawn = np.searchsorted(ladder, np.arange(most - heavy) + share, side="right")
    chosen = np.append(order[:heavy], order[heavy + np.minimum(drawn, len(ladder) - 1)])
    weights = np.append(w[:heavy], np.full(most - heavy, level))
    return chosen, weights / weights.sum()
