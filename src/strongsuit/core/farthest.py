"""Farthest-first rows, exactly: a plain scan where that is cheap, an active window where it is not.

Distances to a growing set of centres only fall, so a stale distance is an upper bound. The window keeps current only
the rows above a threshold tau, in a compact float32 copy; after each pick only these are updated, and those that fall
below tau leave. When the best falls below tau, tau is lowered and the rows whose stale bound reaches it catch up on the
centres they missed, stopping as soon as they fall below. Rows that float32 cannot tell from the best are settled in
float64 on the rows as given, ties by keyed rank: the picks are those of the plain float64 scan.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from strongsuit.core.keys import Key
from strongsuit.core.ties import tie_seed

_SCAN = 2**15  # up to so many numbers the plain scan in float64 is as quick as the window
_SHARE = 64  # the window aims at one row in so many,
_LEAST = 256  # but at no fewer than these
_SAMPLE = 2048  # rows on which the next threshold is estimated
_PAIRS = 4096  # up to so many centres, and no more than rows, mutual distances are kept to skip work: 64 MB
_FLOOR = float(np.finfo(np.float32).tiny)  # below this float32 knows no distance
_UNIT = 2.0**-24  # rounding unit of float32


def farthest_first(
    key: Key,
    X: np.ndarray,
    usable: np.ndarray,
    anchors: np.ndarray,
    b: int,
    *,
    weights: np.ndarray | None = None,
    window: bool | None = None,
) -> tuple[list[int], list[float]]:
    """Rows and their distances, in order: each pick maximises weight x distance to the nearest anchor or earlier pick.

    X (n, p) is C-contiguous, float32 or float64, and finite where it counts: in the rows that `usable` (n,) marks and
    in `anchors`, row numbers (c,). Without anchors the first pick is the usable row nearest to the mean of the usable
    rows, at distance infinity. Ties are broken by the key. Fewer than b rows come out when all that remain are at
    distance 0. `window` chooses between the plain scan and the active window; both give the same rows. Gonzalez 1985.
    """
    from strongsuit.core import windows

    seed, picks, gains = tie_seed(key), [], []
    if b > 0 and len(anchors) == 0 and usable.any():
        picks, gains = [int(windows.nearest_mean(X, usable, seed))], [float("inf")]
    w2 = np.ones(len(X)) if weights is None else np.square(weights, dtype=np.float64)
    free = usable.copy()
    free[picks] = False
    search = _Search(seed, X, free, w2, [*anchors, *picks], b - len(picks))
    if window is None:
        window = X.size > _SCAN
    if window:
        search.by_window()
    search.by_scan()
    return picks + search.picks, gains + search.gains


@dataclass
class _Window:
    """Rows kept current: their numbers, a compact copy, squared distances, owners and squared weights."""

    rows: np.ndarray
    X: np.ndarray
    d2: np.ndarray
    owner: np.ndarray
    w2: np.ndarray
    size: int = 0

    @classmethod
    def room(cls, size: int, p: int) -> _Window:
        """An empty window that holds `size` rows of width p."""
        floats = np.float32
        return cls(
            np.empty(size, np.int64), np.empty((size, p), floats), np.empty(size, floats),
            np.empty(size, np.int32), np.empty(size, floats),
        )  # fmt: skip

    def arrays(self) -> tuple[np.ndarray, ...]:
        return self.rows, self.X, self.d2, self.owner, self.w2


@dataclass
class _Search:
    """One run of picks: the centres so far, and what is known of every row."""

    seed: np.uint64
    X: np.ndarray
    usable: np.ndarray
    w2: np.ndarray
    start: list[int]
    wanted: int
    picks: list[int] = field(default_factory=list)
    gains: list[float] = field(default_factory=list)

    def take(self, row: int, square: float) -> None:
        self.picks.append(int(row))
        self.gains.append(float(np.sqrt(self.w2[row] * square)))
        self.usable[row] = False

    def by_scan(self) -> None:
        """The picks still wanted, by scanning all rows in float64 after each."""
        from strongsuit.core import windows

        if len(self.picks) >= self.wanted or not self.usable.any():
            return
        centres = np.array([*self.start, *self.picks, *[0] * (self.wanted - len(self.picks))], dtype=np.int64)
        count = len(self.start) + len(self.picks)
        d2 = np.where(self.usable, np.inf, -1.0)
        owner = np.full(len(self.X), -1, np.int32)
        squares = np.zeros(len(centres))
        end = windows.scan(self.X, self.w2, centres, count, d2, owner, squares, self.seed)
        for row, square in zip(centres[count:end], squares[count:end], strict=True):
            self.take(row, square)

    def by_window(self) -> None:
        """The picks that float32 can find, with ties settled in float64; the last ones may be left to `by_scan`."""
        lazy = _Lazy.begin(self)
        while len(self.picks) < self.wanted:
            found = lazy.best()
            if found is None:
                return
            self.take(*found)
            lazy.add(found[0])


@dataclass
class _Lazy:
    """What the window search keeps: float32 rows, stale bounds (n,), and the centres with their mutual distances."""

    search: _Search
    small: np.ndarray  # (n, p) float32: the rows, centred and scaled where they were float64
    w2: np.ndarray
    heavy: float  # the square of how far rounding to float32 moves a weighted distance
    bound: np.ndarray  # (n,) squared distance to the first `seen` centres; -1 takes no part
    seen: np.ndarray
    owner: np.ndarray
    state: np.ndarray  # (n,) 0 outside, 1 inside the window, 2 about to enter
    rows: np.ndarray  # (centres,) their rows
    C: np.ndarray  # (centres, p) float32
    apart: np.ndarray  # (centres, centres) reaches, or (0, 0)
    window: _Window
    d64: np.ndarray  # float64 distances of rows that had to be settled, current to seen64 centres
    seen64: np.ndarray
    count: int = 0
    tau: float = float("inf")
    top: float = -1.0  # best weighted square in the window

    @classmethod
    def begin(cls, search: _Search) -> _Lazy:
        from strongsuit.core import windows

        n, p = search.X.shape
        room, count = len(search.start) + search.wanted, len(search.start)
        pairs = room if room <= min(_PAIRS, np.count_nonzero(search.usable)) else 0
        small, error = _in_float32(search.X, search.usable, np.array(search.start, dtype=np.int64))
        lazy = cls(
            search, small, search.w2.astype(np.float32), float(search.w2.max()) * error**2,
            np.where(search.usable, np.float32(np.inf), np.float32(-1.0)),
            np.zeros(n, np.int32), np.full(n, -1, np.int32), np.zeros(n, np.int8),
            np.zeros(room, np.int64), np.empty((room, p), np.float32), np.empty((pairs, pairs), np.float32),
            _Window.room(0, p), np.full(n, np.inf), np.zeros(n, np.int32),
        )  # fmt: skip
        lazy.rows[:count], lazy.C[:count], lazy.count = search.start, small[search.start], count
        lazy.bound[search.start] = -1.0
        if pairs:
            lazy.apart[:count, :count] = windows.reaches(lazy.C[:count])
        return lazy

    def slack(self, best: float) -> float:
        """Twice the error, and twice again for the owners skipped, of weighted squares near `best`."""
        rounding = (self.small.shape[1] / 4 + 12) * _UNIT  # a vector of at least four lanes, and the sum of the lanes
        return 4.0 * (2.0 * np.sqrt(best * self.heavy) + self.heavy + rounding * best) + _FLOOR

    def add(self, row: int) -> None:
        """Make the row a centre and bring the window up to date."""
        from strongsuit.core import windows

        self.rows[self.count], self.C[self.count] = row, self.small[row]
        self.bound[row] = -1.0
        reach = windows.reach(self.C, self.count, self.apart)
        stale = (self.bound, self.seen, self.owner, self.state)
        self.window.size, self.top = windows.advance(
            *self.window.arrays(), self.window.size, self.C, self.count, reach, np.float32(self.tau), row, *stale
        )
        self.count += 1

    def best(self) -> tuple[int, float] | None:
        """The next pick and its squared distance, None where float32 knows no farther row."""
        from strongsuit.core import windows

        while self.top <= 0.0 or self.top - self.slack(self.top) < self.tau:
            if self.tau <= _FLOOR:
                return None
            self.lower()
        if not np.isfinite(self.top):  # squares of such rows overflow in float32
            return None
        near = np.empty(self.window.size, np.int64)
        level = np.float32(self.top - self.slack(self.top))
        ties = near[: windows.near(self.window.rows, self.window.d2, self.window.w2, self.window.size, level, near)]
        return windows.settle(
            self.search.X, self.search.w2, self.rows, self.count, ties, self.owner, self.d64, self.seen64,
            self.search.seed,
        )  # fmt: skip

    def lower(self) -> None:
        """Lower tau to about the level of one outside row in _SHARE and let the rows above it enter."""
        from strongsuit.core import windows

        n, p = self.small.shape
        known = (self.small, self.w2, self.C, self.apart, self.bound, self.seen, self.owner, self.state, self.count)
        kept = max(2, round(max(n / _SHARE, _LEAST) * min(_SAMPLE, n) / n))
        level = windows.level(*known, np.linspace(0, n - 1, min(_SAMPLE, n)).astype(np.int64), kept)
        # Rows that tie with the estimate enter too, or the next pick would lower tau again.
        level = min(level - 2.0 * self.slack(level), self.tau * (1.0 - 1e-6)) if level > 0.0 else 0.0
        self.tau = max(float(np.float32(level)), _FLOOR)
        entering = windows.catch_up(*known, np.float32(self.tau), 0, n)
        wider = _Window.room(self.window.size + entering, p)
        wider.size, self.top = windows.widen(
            *self.window.arrays(), self.window.size, *wider.arrays(), self.small, self.w2, self.bound, self.owner,
            self.state,
        )  # fmt: skip
        self.window = wider


def _in_float32(X: np.ndarray, usable: np.ndarray, anchors: np.ndarray) -> tuple[np.ndarray, float]:
    """The rows in float32 and how far a distance of theirs may be off by that.

    Rows given in float32 stay as they are. Others are centred, or their offset would eat the digits, and scaled by a
    power of two.
    """
    from strongsuit.core import windows

    if X.dtype == np.float32:
        return X, 0.0
    center = windows.middle(X, usable)
    reach = windows.offset(X, np.append(np.flatnonzero(usable), anchors), center)
    scale = 2.0 ** -np.ceil(np.log2(reach)) if reach > 0.0 else 1.0
    # Two rows, each off by half a unit of its norm, which is at most 1 now.
    return windows.shrink(X, center, scale), 2.0 * _UNIT * 1.01
