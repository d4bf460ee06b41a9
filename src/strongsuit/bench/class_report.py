"""What the records of the classification benchmark say: accuracy areas, wins by round, paired tests, seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from strongsuit.bench.class_bench import RANDOM
from strongsuit.bench.class_digest import ClassDigest, Curves
from strongsuit.bench.class_tasks import TASKS
from strongsuit.bench.digests import joined, joined_versions
from strongsuit.bench.records import only
from strongsuit.core.keys import key_for, root_key
from strongsuit.core.metrics import Interval, holm, signed_rank_p
from strongsuit.core.verdicts import bca_interval
from strongsuit.errors import InputError

HARM = 0.005  # of accuracy, by which a default may fall behind random on no set


@dataclass(frozen=True)
class Against:
    """Mean difference of the areas to another strategy's, in accuracy, with its interval and the adjusted p of a
    signed-rank test."""

    difference: float
    interval: Interval | None
    p: float


@dataclass(frozen=True)
class ClassSummary:
    """The figures of a benchmark of one lane: curves by set and strategy."""

    lane: str
    digests: tuple[ClassDigest, ...]
    curves: Mapping[tuple[str, str], Curves]
    against: Mapping[tuple[str, str], Against]
    failures: tuple[str, ...]
    machines: tuple[str, ...]
    versions: Mapping[str, str]

    @cached_property
    def tasks(self) -> list[str]:
        """Sets, in the order of the table of sets."""
        return list(dict.fromkeys(task for task, _ in self.curves))

    @cached_property
    def strategies(self) -> list[str]:
        """Strategies, the one that wins most pairings first."""
        seen = list(dict.fromkeys(name for _, name in self.curves))
        return sorted(seen, key=lambda name: -self.win_rate(name, seen))

    def win_rate(self, name: str, others: Iterable[str]) -> float:
        """The mean share of rounds and repetitions in which a strategy is ahead of each other, ties half."""
        shares = [self.wins(name, other) for other in others if other != name]
        shares = [share for share in shares if np.isfinite(share)]
        return float(np.mean(shares)) if shares else 0.0

    def wins(self, row: str, column: str, *, ties: float = 0.5) -> float:
        """The share of rounds and repetitions, over the sets that both ran on, in which `row` is more accurate. The
        first round, before any choice, does not count."""
        found = []
        for task in self.tasks:
            pair = shared(self.curves.get((task, row)), self.curves.get((task, column)))
            if pair is not None:
                one, other = pair
                found.append(((one > other) + ties * (one == other))[:, 1:].mean())
        return float(np.mean(found)) if found else float("nan")

    def ranks(self, among: Iterable[str] | None = None) -> dict[str, float]:
        """The mean rank of each strategy by area, among all or these, over sets and repetitions; 1 is best. Strategies
        that ran on some sets only have none: among fewer rivals a rank means something else."""
        names = [name for name in dict.fromkeys(name for _, name in self.curves) if among is None or name in among]
        names = [name for name in names if all((task, name) in self.curves for task in self.tasks)]
        places: dict[str, list[float]] = {name: [] for name in names}
        for task in self.tasks:
            own = {name: self.curves[task, name] for name in names}
            for repeat in sorted(set.intersection(*(set(c.repeats) for c in own.values())) if own else ()):
                areas = {name: c.aulc[c.repeats.index(repeat)] for name, c in own.items()}
                for name, value in areas.items():
                    better = sum(other > value for other in areas.values())
                    equal = sum(other == value for other in areas.values())
                    places[name].append(better + (equal + 1) / 2)
        return {name: float(np.mean(place)) for name, place in places.items() if place}


def summarise(digests: Iterable[ClassDigest], *, lane: str | None = None) -> ClassSummary:
    """The figures of the digests of one lane. Raises InputError if there are several and none is named."""
    kept = list(digests)
    if not kept:
        raise InputError("there are no runs of the benchmark")
    lane = only("lane", (one.lane for one in kept), lane)
    places = list(TASKS)
    kept = [one for one in kept if one.lane == lane]
    kept.sort(key=lambda one: (places.index(one.task) if one.task in TASKS else len(places), one.task))
    curves = {(one.task, name): own for one in kept for name, own in one.curves.items()}
    return ClassSummary(
        lane=lane,
        digests=tuple(kept),
        curves=curves,
        against=against(curves),
        failures=joined(*(one.failures for one in kept)),
        machines=joined(*(one.machines for one in kept)),
        versions=joined_versions([one.versions for one in kept]),
    )


def shared(one: Curves | None, other: Curves | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Accuracies (s, t) of the repetitions that two strategies share, None if there are none."""
    if one is None or other is None:
        return None
    both = sorted(set(one.repeats) & set(other.repeats))
    if not both:
        return None
    return tuple(c.accuracy[[c.repeats.index(repeat) for repeat in both]] for c in (one, other))


def against(
    curves: Mapping[tuple[str, str], Curves], base: str = RANDOM, names: Iterable[str] | None = None
) -> dict[tuple[str, str], Against]:
    """Every strategy, or these, against one of them on every set; p by Wilcoxon's signed ranks, Holm's correction over
    strategies."""
    found = {}
    for task in dict.fromkeys(task for task, _ in curves):
        rows = {}
        for (other, name), own in curves.items():
            if other == task and name != base and (names is None or name in names) and (task, base) in curves:
                both = sorted(set(own.repeats) & set(curves[task, base].repeats))
                if both:
                    rows[name] = _areas(own, both), _areas(curves[task, base], both)
        found |= {(task, name): one for name, one in _tested(task, rows).items()}
    return found


def against_overall(curves: Mapping[tuple[str, str], Curves], base: str, names: Iterable[str]) -> dict[str, Against]:
    """The same of areas averaged over the sets on which both ran, by repetitions that both have on all of these."""
    rows = {}
    for name in names:
        tasks = [task for task, one in curves if one == name and (task, base) in curves]
        every = [set(curves[task, one].repeats) for task in tasks for one in (name, base)]
        both = sorted(set.intersection(*every)) if every and name != base else []
        if both:
            a, r = (np.mean([_areas(curves[task, one], both) for task in tasks], axis=0) for one in (name, base))
            rows[name] = a, r
    return _tested("all sets", rows)


def _areas(one: Curves, repeats: list[int]) -> np.ndarray:
    return one.aulc[[one.repeats.index(repeat) for repeat in repeats]]


def _tested(task: str, rows: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Against]:
    """Pairs of areas by repetition, as the differences and tests they come to."""
    adjusted = holm([signed_rank_p(a, r) for a, r in rows.values()]) if rows else []
    found = {}
    for (name, (a, r)), p in zip(rows.items(), adjusted, strict=True):
        key, difference = key_for(root_key(0), "classification", task, name), a - r
        reach = bca_interval(key, len(difference), lambda picks, d=difference: d[picks].mean(axis=1))
        found[name] = Against(float(difference.mean()), reach, float(p))
    return found
