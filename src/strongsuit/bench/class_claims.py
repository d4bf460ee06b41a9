"""Who is ahead of whom: the order of strategies in the benchmark of REFINE (arXiv 2511.22344), tested on records.

Its figures are of features of large pretrained networks, which are not at hand here: the order is compared, and shares
of rounds against round numbers well below the published ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from strongsuit.bench.claims import CONTRADICTED, REPRODUCED, UNDECIDED, UNTESTED, Tested
from strongsuit.bench.class_bench import RANDOM
from strongsuit.bench.class_report import ClassSummary, shared

# The share of rivals beaten, in percent.
PUBLISHED = {
    "refine": 93, "u_herding": 86, "bait_fast": 79, "max_herding": 64, "autoal": 57, "tcm": 57, "drop_query": 43,
    "typiclust": 36, "alfa_mix": 29, "badge": 21, "margin": 21, "tailor": 14, "select_al": 7, RANDOM: 0,
}  # fmt: skip
COVERING, BEHIND = ("u_herding", "bait_fast", "max_herding"), ("badge", "margin", "alfa_mix")
AHEAD, OF_RANDOM, OF_RULES, ALL_OF_RANDOM = 0.5, 0.85, 0.65, 0.75
ORDER, FEWEST = 0.6, 8  # Spearman's correlation, and of how many strategies at least
SIGMAS = 1.96


@dataclass(frozen=True)
class Share:
    """How often `row` is ahead of `column`, mean over sets, with its 95 % interval over repetitions."""

    row: str
    column: str
    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        ends = f"{100 * self.low:.0f} to {100 * self.high:.0f}"
        return f"{self.row} of {self.column} {100 * self.mean:.0f} % ({ends})"


def class_claims(summary: ClassSummary) -> list[Tested]:
    """All claims; "not run" where the records lack what one is about."""
    rules = [name for name in PUBLISHED if name != RANDOM]
    parts: tuple[tuple[str, str, Iterable[tuple[str, str, float]]], ...] = (
        ("K1", "UHerding is ahead of random in 85 % of rounds, of Margin, BADGE, TypiClust and ALFA-Mix in 65 %",
         [("u_herding", RANDOM, OF_RANDOM)]
         + [("u_herding", name, OF_RULES) for name in ("margin", "badge", "typiclust", "alfa_mix")]),
        ("K2", "UHerding, BAIT and MaxHerding are ahead of BADGE, Margin and ALFA-Mix",
         [(row, column, AHEAD) for row in COVERING for column in BEHIND]),
        ("K3", "REFINE is ahead of UHerding", [("refine", "u_herding", AHEAD)]),
        ("K4", "every rule is ahead of random in 75 % of rounds", [(name, RANDOM, ALL_OF_RANDOM) for name in rules]),
    )  # fmt: skip
    found = [Tested(name, words, *_tested(summary, pairs)) for name, words, pairs in parts]
    return [*found, Tested("K5", f"strategies win in the published order (Spearman {ORDER})", *_order(summary))]


def share_ahead(summary: ClassSummary, row: str, column: str) -> Share | None:
    """The share of rounds after the first in which `row` is more accurate, ties half, over the sets of which both have
    two repetitions or more; None if there are none."""
    means, variances = [], []
    for task in summary.tasks:
        pair = shared(summary.curves.get((task, row)), summary.curves.get((task, column)))
        if pair is None or len(pair[0]) < 2:
            continue
        one, other = pair
        by_repetition = ((one > other) + 0.5 * (one == other))[:, 1:].mean(axis=1)
        means.append(by_repetition.mean())
        variances.append(by_repetition.var(ddof=1) / len(by_repetition))
    if not means:
        return None
    mean, reach = float(np.mean(means)), SIGMAS * float(np.sqrt(np.sum(variances))) / len(means)
    return Share(row, column, mean, max(mean - reach, 0.0), min(mean + reach, 1.0))


def _tested(summary: ClassSummary, pairs: Iterable[tuple[str, str, float]]) -> tuple[str, str]:
    """Reproduced where every interval lies above its bar, contradicted where one lies below; and the shares that fall
    short, or all."""
    found = [(share_ahead(summary, row, column), bar) for row, column, bar in pairs]
    known = [(share, bar) for share, bar in found if share is not None]
    if not known:
        return UNTESTED, ""
    below, short = [s for s, bar in known if s.high < bar], [s for s, bar in known if s.low <= bar]
    said = "; ".join(map(str, short or [share for share, _ in known]))
    if below:
        return CONTRADICTED, said
    return (UNDECIDED if short or len(known) < len(found) else REPRODUCED), said


def _order(summary: ClassSummary) -> tuple[str, str]:
    names = [name for name in PUBLISHED if name in summary.strategies]
    if len(names) < FEWEST:
        return UNTESTED, ""
    ours = {name: summary.win_rate(name, names) for name in names}
    found = float(spearmanr([PUBLISHED[name] for name in names], list(ours.values())).statistic)
    said = ", ".join(f"{name} {100 * ours[name]:.0f}" for name in sorted(names, key=lambda name: -ours[name]))
    return (REPRODUCED if found >= ORDER else CONTRADICTED), f"{found:.2f}; wins in percent: {said}"
