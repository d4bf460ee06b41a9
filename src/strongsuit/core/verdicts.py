"""Whether a method beats, loses to or equals random over paired repetitions: intervals, tests and plain words.

Repetition s of both methods starts from the same rows and is tested on the same points, so both are always
resampled together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy.special import ndtr, ndtri

from strongsuit.core.curves import Areas, nauc, nauc_log
from strongsuit.core.keys import Key, key_for
from strongsuit.core.metrics import CONFIDENCE, Interval, holm, signed_rank_p
from strongsuit.errors import InputError

DRAWS = 10_000
FEWEST_REPETITIONS = 8  # an interval from fewer says more about the method of intervals than about the data
EXACT_UP_TO = 20  # repetitions whose sign flips are all listed: 2^20 sums
FLIPS = 100_000  # otherwise; a p of 0.05 is then known to 0.0007
LEVEL = 0.05
SAFE = 0.02  # the excess over random that a claim of safety tolerates
CLAIM_REPETITIONS = 20
MOST_REPETITIONS = 100

Statistic = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Cell:
    """A method against random on one problem at one setting: p is one-sided (worse than random) by sign flips.

    `interval` is that of the linear nAUC, None for few repetitions; `second_p` is Wilcoxon's, two-sided.
    """

    nauc: float
    nauc_log: float
    interval: Interval | None
    p: float
    second_p: float
    repetitions: int


@dataclass(frozen=True)
class Claim:
    """Whether "never worse than random beyond delta" holds: PASS, FAIL or INCONCLUSIVE, with its evidence by problem.

    `bounds` are of exp E[D], D = log area - log area of random; each end is one-sided at `level` over the number of
    problems. `worst` is the 95th percentile of exp D, `ratio` that of mean areas. `next_repetitions` is how many to
    run before deciding again, None where the word is final.
    """

    word: str
    delta: float
    bounds: Mapping[str, Interval | None]
    worst: Mapping[str, float]
    ratio: Mapping[str, float]
    next_repetitions: int | None


def bca_interval(
    key: Key, count: int, statistic: Statistic, *, confidence: float = CONFIDENCE, draws: int = DRAWS
) -> Interval | None:
    """Bias-corrected accelerated bootstrap interval (Efron 1987) over `count` repetitions; None below 8.

    `statistic` maps repetition numbers (r, size) to (r,), so that all it reads is resampled together. `mean` of the
    result is the statistic of all repetitions.
    """
    if count < FEWEST_REPETITIONS:
        return None
    seen = float(statistic(np.arange(count)[None])[0])
    drawn = statistic(key.numpy().integers(count, size=(draws, count)))
    if np.ptp(drawn) == 0.0:  # random against itself
        return Interval(seen, seen, seen)
    # Half of the ties count as below; a share of 0 or 1 would send the ends to infinity.
    share = (np.mean(drawn < seen) + np.mean(drawn <= seen)) / 2
    bias = ndtri(np.clip(share, 0.5 / draws, 1 - 0.5 / draws))
    tail = bias + ndtri(np.array([0.5 - confidence / 2, 0.5 + confidence / 2]))
    levels = ndtr(bias + tail / (1 - _acceleration(count, statistic) * tail))
    low, high = np.quantile(drawn, levels)
    return Interval(seen, float(low), float(high))


def _acceleration(count: int, statistic: Statistic) -> float:
    """A sixth of the skewness of the jackknife's influences (Efron and Tibshirani 1993, equation 14.15)."""
    every = np.arange(count)
    left_out = statistic(np.array([np.delete(every, one) for one in every]))
    influence = left_out.mean() - left_out
    spread = np.sum(influence**2) ** 1.5
    return float(np.sum(influence**3) / (6 * spread)) if spread > 0 else 0.0


def sign_flip_p(key: Key, differences: Sequence[float], *, alternative: str = "greater") -> float:
    """P value of the sign-flip permutation test of a mean difference of 0; exact for up to 20 repetitions.

    alternative "greater" (than 0), "less" or "two-sided" (mean further from 0). Beyond 20, 100,000 random flips, the
    observed signs counted among them (Phipson and Smyth 2010).
    """
    values = np.asarray(differences, float)
    signs = {"greater": 1.0, "less": -1.0, "two-sided": 1.0}
    if alternative not in signs:
        raise InputError(f"alternative must be one of {', '.join(signs)}, got {alternative!r}")
    values = values * signs[alternative]
    seen, slack = values.sum(), 1e-12 * np.abs(values).sum()  # sums in another order are ties
    exact = len(values) <= EXACT_UP_TO
    flipped = _all_flips(values) if exact else _some_flips(key, values)
    if alternative == "two-sided":
        seen, flipped = abs(seen), np.abs(flipped)
    as_far = int(np.count_nonzero(flipped >= seen - slack))
    return as_far / len(flipped) if exact else (1 + as_far) / (1 + len(flipped))


def _all_flips(values: np.ndarray) -> np.ndarray:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _some_flips(key: Key, values: np.ndarray) -> np.ndarray:
    rng = key.numpy()
    parts = (rng.integers(0, 2, (FLIPS // 10, len(values)), dtype=np.int8) for _ in range(10))  # a tenth fits memory
    return np.concatenate([(2.0 * part - 1.0) @ values for part in parts])


def repetitions_for(differences: Sequence[float], half_width: float) -> int:
    """Repetitions after which a 95 % interval of the mean difference is about +- half_width wide."""
    return ceil((1.96 * float(np.std(differences, ddof=1)) / half_width) ** 2)


def compare(key: Key, method: Areas, random: Areas) -> Cell:
    """The cell of the areas (s,) of a method and of random, paired by repetition."""
    own, other = method.linear, random.linear
    if np.shape(own) != np.shape(other):
        raise InputError(f"paired areas must be of as many repetitions, got {len(own)} and {len(other)}")
    difference = np.log(own) - np.log(other)
    return Cell(
        nauc=nauc(method, random),
        nauc_log=nauc_log(method, random),
        interval=bca_interval(
            key_for(key, "bootstrap"), len(own), lambda rows: own[rows].mean(axis=1) / other[rows].mean(axis=1)
        ),
        p=sign_flip_p(key_for(key, "flips"), difference),
        second_p=signed_rank_p(np.log(own), np.log(other)),
        repetitions=len(own),
    )


def loses(cell: Cell, adjusted_p: float) -> bool:
    """True if nAUC is above 1, its interval excludes 1 and the p adjusted over the table is below 0.05."""
    return cell.nauc > 1 and cell.interval is not None and cell.interval.low > 1 and adjusted_p < LEVEL


def safe(cell: Cell, delta: float = SAFE) -> bool:
    """True if the interval's upper end is at most 1 + delta."""
    return cell.interval is not None and cell.interval.high <= 1 + delta


def verdict(cell: Cell, adjusted_p: float, *, delta: float = SAFE) -> str:
    """The first of these that holds: "loses", "point loss" (nAUC above 1), "safe" at delta, else "undecided".

    A point loss may be `safe` too: an nAUC of 1.005 with an upper end of 1.01 is both.
    """
    if loses(cell, adjusted_p):
        return "loses"
    if cell.nauc > 1:
        return "point loss"
    return "safe" if safe(cell, delta) else "undecided"


def verdicts(cells: Sequence[Cell], *, delta: float = SAFE) -> list[str]:
    """The verdict of each cell of one table, p values adjusted over all of them (Holm 1979)."""
    adjusted = holm([cell.p for cell in cells])
    return [verdict(cell, float(p), delta=delta) for cell, p in zip(cells, adjusted, strict=True)]


def decide(
    key: Key, areas: Mapping[str, tuple[np.ndarray, np.ndarray]], *, delta: float = SAFE,
    fewest: int = CLAIM_REPETITIONS,
) -> Claim:  # fmt: skip
    """Whether the method is nowhere worse than random by more than delta, all problems at once at 95 %.

    areas: by problem, areas (s,) of the method and of random, paired. PASS if every upper bound of exp E[D] is at most
    1 + delta and every problem has at least `fewest` repetitions; FAIL if some lower bound is above; else
    INCONCLUSIVE. Bounds are one-sided BCa at 0.05 over the number of problems (Bonferroni).
    """
    confidence = 1 - 2 * LEVEL / len(areas)
    logs = {name: np.log(own) - np.log(other) for name, (own, other) in areas.items()}
    bounds = {name: _mean_bounds(key_for(key, name), d, confidence) for name, d in logs.items()}
    known = [interval for interval in bounds.values() if interval is not None]
    repetitions = min(len(d) for d in logs.values())
    word = "INCONCLUSIVE"
    if any(interval.low > 1 + delta for interval in known):
        word = "FAIL"
    elif len(known) == len(bounds) and repetitions >= fewest and all(one.high <= 1 + delta for one in known):
        word = "PASS"
    open_still = word == "INCONCLUSIVE" and repetitions < MOST_REPETITIONS
    return Claim(
        word=word,
        delta=delta,
        bounds=bounds,
        worst={name: float(np.exp(np.quantile(d, 0.95))) for name, d in logs.items()},
        ratio={name: float(np.mean(own) / np.mean(other)) for name, (own, other) in areas.items()},
        next_repetitions=min(max(2 * repetitions, fewest), MOST_REPETITIONS) if open_still else None,
    )


def _mean_bounds(key: Key, difference: np.ndarray, confidence: float) -> Interval | None:
    """Bounds of exp E[D]; the bootstrap commutes with the exponential."""
    found = bca_interval(key, len(difference), lambda rows: difference[rows].mean(axis=1), confidence=confidence)
    return found and Interval(*(float(np.exp(end)) for end in (found.mean, found.low, found.high)))
