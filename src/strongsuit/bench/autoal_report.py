"""What the records of the comparison of searches say: differences to votes, ranks, cost, and whether AutoAL may be a
default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from strongsuit.active.class_strategies import SEARCHED
from strongsuit.bench.autoal_bench import COVERING, EVEN, MEAN_RANK, SEARCH, SEARCHES, VOTE
from strongsuit.bench.class_digest import Curves
from strongsuit.bench.class_report import Against, ClassSummary, against, against_overall

BASES = (MEAN_RANK, VOTE, EVEN)
SLACK = 0.002  # of accuracy, by which a default may fall behind the mean rank on no set
ABOVE = 3  # sets on which it must be above the mean rank
REPEATS = 50  # repetitions from which a verdict counts: with few, luck decides (CDALBench, NeurIPS 2024)
DEAREST = 2.0  # a query, in scorings of all candidates


@dataclass(frozen=True)
class Best:
    """The candidate of largest mean area on a set, which is known in hindsight only, and the search's difference to
    it."""

    name: str
    aulc: float
    difference: Against | None


@dataclass(frozen=True)
class SearchSummary:
    """Beside the summary of the classification benchmark: searches against each of BASES by set and over all sets on
    which both ran, the best candidate, the share of each candidate's weight (t, K) by round, and what a query costs in
    scorings of all candidates."""

    base: ClassSummary
    against: Mapping[str, Mapping[tuple[str, str], Against]]
    overall: Mapping[str, Mapping[str, Against]]
    best: Mapping[str, Best]
    weights: Mapping[str, tuple[np.ndarray, np.ndarray]]
    cost: Mapping[str, float]
    verdicts: tuple[tuple[bool, str], ...]

    @property
    def repeats(self) -> int:
        """The fewest repetitions that the search has on a set where the mean rank ran too."""
        curves = self.base.curves
        return min(
            (len(curves[task, SEARCH].repeats) for task, name in self.against[MEAN_RANK] if name == SEARCH), default=0
        )


def has_searches(base: ClassSummary) -> bool:
    """Whether there is something to compare searches with: runs of one of BASES."""
    return any(name in BASES for _, name in base.curves)


def summarise_search(base: ClassSummary) -> SearchSummary:
    """What the figures of one lane say of searches."""
    found = {name: against(base.curves, name, _searches(base)) for name in BASES}
    overall = {name: against_overall(base.curves, name, _searches(base)) for name in BASES}
    return SearchSummary(
        base, found, overall, {task: _best(base, task) for task in base.tasks},
        {task: weights for task in base.tasks if (weights := _weights(base.curves.get((task, SEARCH)))) is not None},
        _cost(base), tuple(_verdicts(base, found[MEAN_RANK])),
    )  # fmt: skip


def _searches(base: ClassSummary) -> list[str]:
    """Searches that are there, and the rule which they have to beat."""
    return [name for name in dict.fromkeys((*SEARCHES, COVERING)) if any(name == one for _, one in base.curves)]


def _best(base: ClassSummary, task: str) -> Best:
    means = {name: base.curves[task, name].aulc.mean() for name in SEARCHED if (task, name) in base.curves}
    if not means:
        return Best("", float("nan"), None)
    name = max(means, key=means.get)
    return Best(name, float(means[name]), against(base.curves, name, (SEARCH,)).get((task, SEARCH)))


def _weights(search: Curves | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Numbers of labels (t,) and the mean share (t, K) of each candidate's weight, over repetitions."""
    if search is None or not search.weights:
        return None
    rounds = len(next(iter(search.weights.values())))
    shares = [search.weights.get(name, np.zeros(rounds)) for name in SEARCHED]
    return search.labels[:rounds], np.stack(shares, axis=1)


def _cost(base: ClassSummary) -> dict[str, float]:
    """CPU seconds of the search's query over those of the mean rank's, which scores all candidates once."""
    pairs = {task: (base.curves.get((task, SEARCH)), base.curves.get((task, MEAN_RANK))) for task in base.tasks}
    return {
        task: search.query_seconds / once.query_seconds
        for task, (search, once) in pairs.items()
        if search is not None and once is not None and once.query_seconds > 0.0
    }


def _verdicts(base: ClassSummary, found: Mapping[tuple[str, str], Against]) -> Iterable[tuple[bool, str]]:
    """Each condition for a default with whether the figures hold it; none without runs of the search."""
    own = {task: found[task, SEARCH] for task in base.tasks if (task, SEARCH) in found}
    if not own:
        return
    low = {task: one.interval.low if one.interval else -np.inf for task, one in own.items()}
    worst = min(low, key=low.get)
    yield (
        low[worst] > -SLACK,
        f"not below {MEAN_RANK}: least lower end of an interval {100 * low[worst]:+.2f} points, on {worst} (more than "
        f"{-100 * SLACK:g} on every set)",
    )
    above = [task for task in own if low[task] > 0.0]
    yield (
        len(above) >= ABOVE,
        f"above {MEAN_RANK} on at least {ABOVE} sets: on {len(above)} of {len(own)} ({', '.join(above) or 'none'})",
    )
    pairs = against(base.curves, COVERING, (SEARCH,))
    mean = float(np.mean([one.difference for one in pairs.values()])) if pairs else float("nan")
    yield mean >= 0.0, f"not below {COVERING} on the mean: difference {100 * mean:+.2f} points over {len(pairs)} sets"
