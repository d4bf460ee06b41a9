"""Rows that bisect the line of margins of every class between labelled rows of unlike side (GALAXY)."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, Usable, finish, usable
from strongsuit.core.keys import Key
from strongsuit.core.ties import ranks, tie_seed
from strongsuit.errors import InputError

_Offer = tuple[float, float, int, int]  # rows in between, distance from the predicted boundary, keyed rank, row


def galaxy(key: Key, candidates: Candidates, b: int) -> Selection:
    """Each pick is the middle of the shortest stretch, on any class's line, between known rows of unlike side.

    The embedding (n, k) is f_c - max of the other logits (a class that the head does not know has a large negative
    logit, not -infinity), and on the line of class c rows are sorted by it. A known row is on the positive side where
    its label in `candidates.labels` is c; a pick, or an anchor without label, counts as known on its predicted side,
    positive where f_c - max is above 0. If no stretch holds a row, the pick is the row the fewest known rows away from
    a cut between neighbours of unlike side; and if there is no cut, as with labels of one class only, the row nearest
    to a predicted boundary, flagged "no_cut". Of equal offers the row of least |f_c - max| goes first. Gain is the
    number of rows in the stretch, 0 without one. Zhang, Katz-Samuels and Nowak 2022.
    """
    pool = usable(candidates, embedding=True)
    side = _sides(candidates, pool)
    rank = ranks(tie_seed(key), np.arange(len(pool.X)))
    lines = [_Line(pool, rank, pool.X[:, c].astype(np.float64), side[:, c]) for c in range(pool.X.shape[1])]
    picks: list[int] = []
    gains: list[float] = []
    flags: tuple[str, ...] = ()
    while len(picks) < pool.wanted(b):
        stretches = [offer for line in lines if (offer := line.shortest_stretch())]
        cuts = [] if stretches else [offer for line in lines if (offer := line.nearest_to_cut())]
        if not stretches and not cuts:
            flags = ("no_cut",)
        offer = min(stretches or cuts or [line.most_doubtful() for line in lines])
        picks.append(offer[-1])
        gains.append(offer[0] if stretches else 0.0)
        for line in lines:
            line.know(offer[-1])
    return finish(key, pool, picks, gains, b, *flags)


def _sides(candidates: Candidates, pool: Usable) -> np.ndarray:
    """Whether each row is on the positive side of each class's line (n, k): by its label, else as predicted."""
    if candidates.labels is None:
        raise InputError("galaxy needs candidates.labels, which is None; -1 stands for no label")
    labels, k = np.asarray(candidates.labels), pool.X.shape[1]
    if len(pool.anchors) and labels[pool.anchors].max() >= k:
        raise InputError(f"candidates.labels has class {labels[pool.anchors].max()}, but the embedding {k} columns")
    side = pool.X > 0.0
    told = pool.anchors[labels[pool.anchors] >= 0]
    side[told] = labels[told, None] == np.arange(k)
    return side


class _Line:
    """The open and the known rows sorted by value (n,), equal ones by rank; places count along the line."""

    def __init__(self, pool: Usable, rank: np.ndarray, value: np.ndarray, side: np.ndarray) -> None:
        taking = np.append(np.flatnonzero(pool.rows), pool.anchors)
        self.order = taking[np.lexsort((rank[taking], value[taking]))].astype(np.int32)
        self.place = np.full(len(value), -1, dtype=np.int32)
        self.place[self.order] = np.arange(len(self.order), dtype=np.int32)
        self.rank, self.value, self.side = rank, value, side
        self.open = pool.rows.copy()
        self.known = np.sort(self.place[pool.anchors])  # their places

    def know(self, row: int) -> None:
        """Count the row as known from now on."""
        self.open[row] = False
        self.known = np.insert(self.known, np.searchsorted(self.known, self.place[row]), self.place[row])

    def _offer(self, length: float, rows: np.ndarray) -> _Offer:
        """The row nearest to the predicted boundary, ties by rank, for an offer of this length."""
        doubt = np.abs(self.value[rows])
        at = np.lexsort((self.rank[rows], doubt))[0]
        return float(length), float(doubt[at]), int(self.rank[rows[at]]), int(rows[at])

    def _gaps(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows between known neighbours (m - 1,), and whether these are of unlike side."""
        side = self.side[self.order[self.known]]
        return np.diff(self.known) - 1, side[1:] != side[:-1]

    def shortest_stretch(self) -> _Offer | None:
        """A middle row of the shortest stretch that holds rows, None if there is none."""
        gaps, unlike = self._gaps()
        lengths = gaps[unlike & (gaps > 0)]
        if not len(lengths):
            return None
        length = lengths.min()
        before = self.known[:-1][unlike & (gaps == length)]
        middles = np.append(before + (length + 1) // 2, before + (length + 2) // 2)  # two, if the length is even
        return self._offer(length, self.order[middles])

    def nearest_to_cut(self) -> _Offer | None:
        """The open row that the fewest known rows part from a cut, None without a cut; no stretch may hold rows."""
        gaps, unlike = self._gaps()
        cuts = np.flatnonzero(unlike)
        if not len(cuts):
            return None
        # Known rows that touch form a run; the open rows nearest to a cut are those beside its run.
        breaks = np.flatnonzero(gaps > 0)
        run = np.searchsorted(breaks, cuts)
        first = np.append(0, breaks + 1)[run]
        last = np.append(breaks, len(self.known) - 1)[run]
        places = np.append(self.known[first] - 1, self.known[last] + 1)
        steps = np.append(cuts - first + 1, last - cuts)
        inside = (places >= 0) & (places < len(self.order))
        if not inside.any():
            return None
        least = steps[inside].min()
        return self._offer(least, self.order[places[inside & (steps == least)]])

    def most_doubtful(self) -> _Offer:
        """The open row nearest to the predicted boundary of this class."""
        return self._offer(0.0, np.flatnonzero(self.open))
