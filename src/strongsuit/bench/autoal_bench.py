"""The comparison of searches for a strategy: rows and tables of the classification benchmark, whose runs it shares."""

from __future__ import annotations

from collections.abc import Sequence

from strongsuit.active.class_strategies import CLASS_STRATEGIES, SEARCHED
from strongsuit.bench.autoal_rows import COMPARED
from strongsuit.bench.class_bench import RANDOM, class_plans
from strongsuit.bench.class_runs import ClassPlan, find_lane

SEARCH, MEAN_RANK, VOTE, COVERING = "autoal", "rank_average", "vote", "u_herding"
EVEN = "autoal_even"  # the search with nothing learned: what learning adds is the difference to it
TABLES = ("letter", "optdigits", "satimage", "segment", "vehicle", "wdbc")
SEARCHES = (
    VOTE, MEAN_RANK, "best_of_folds", SEARCH, EVEN, "autoal_loss", "autoal_lookahead", "autoal_published",
    "refine",
)  # fmt: skip


def compared_rows() -> list[str]:
    """Every candidate alone, random rows, votes, searches, and AutoAL in other forms: those that there are."""
    names = dict.fromkeys((RANDOM, *SEARCHED, COVERING, *SEARCHES))
    return [name for name in names if name in CLASS_STRATEGIES or name in COMPARED]


def autoal_plans(
    tasks: Sequence[str] | None = None,
    strategies: Sequence[str] | None = None,
    *,
    repeats: int,
    first: int = 0,
    lane: str = "linear",
) -> list[ClassPlan]:
    """All runs of the comparison, for `run_class_plans`: by default all rows on six tables, or on sets of pixels."""
    tables = TABLES if tasks is None and not find_lane(lane).pixels else tasks
    return class_plans(tables, strategies or compared_rows(), repeats=repeats, first=first, lane=lane)
