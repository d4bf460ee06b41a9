"""The claims of "Does Deep Active Learning Work in the Wild?" (arXiv 2302.00098), tested on records."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from scipy.stats import spearmanr

from strongsuit.bench.claims import CONTRADICTED, REPRODUCED, UNDECIDED, UNTESTED, Tested
from strongsuit.bench.dal_report import Summary
from strongsuit.core.keys import key_for, root_key
from strongsuit.core.metrics import holm
from strongsuit.core.verdicts import LEVEL, bca_interval, safe, sign_flip_p

PUBLISHED = (
    "gsx", "gsy", "gsxy", "qbc", "qbc_div", "qbc_div_den", "bald_dropout", "emoc", "learning_loss", "true_loss",
)  # fmt: skip
DIVERSE = ("gsx", "gsxy", "qbc_div")
GREEDY = ("qbc", "bald_dropout", "emoc", "learning_loss")
MANY = 6  # of the ten methods: the paper has 8 of 11 worse than random somewhere
COLLAPSE = 0.5  # of the diversity of a random batch
DRAWS = 2_000
NARROW = (0.8, 1.0)  # the mean nAUC of a method that wins narrowly
STAND_IN = "ADM-L"


def claims(summary: Summary) -> list[Tested]:
    """All seven claims; "not run" where the records lack what a claim is about."""
    tests: tuple[tuple[str, str, Callable[[Summary], tuple[str, str]]], ...] = (
        ("C1", "most methods are worse than random somewhere", _many_lose),
        ("C2", "GSx, GSxy and QBCDiv never lose, and win narrowly", _diverse_are_safe),
        ("C3", "no pool size is best everywhere", _no_best_pool),
        ("C4", "methods without input diversity collapse, more so as pools grow", _greedy_collapse),
        ("C5", "low diversity goes with losing to random", _diversity_matters),
        ("C6", "on ADM the best method is hardly better than random (stand-in)", _hard_problem),
        ("C7", "small pools flatter uncertainty methods", _small_pools_flatter),
    )
    return [Tested(name, words, *test(summary)) for name, words, test in tests]


def _many_lose(summary: Summary) -> tuple[str, str]:
    names = _present(summary, PUBLISHED)
    if not names or not summary.cells:
        return UNTESTED, ""
    points = {n for n in names if any(c.nauc > 1 for (_, s, _), c in summary.cells.items() if s == n)}
    losers = {n for n in names if any(v == "loses" for (_, s, _), v in summary.verdicts.items() if s == n)}
    said = f"{len(points)} of {len(names)} above 1 somewhere, {len(losers)} significantly: {_list(losers)}"
    if len(losers) >= MANY:
        return REPRODUCED, said
    could = len(points) + len(PUBLISHED) - len(names)  # methods that did not run may lose
    return (CONTRADICTED if could < MANY else UNDECIDED), said


def _diverse_are_safe(summary: Summary) -> tuple[str, str]:
    names = _present(summary, DIVERSE)
    cells = {name: cell for name, cell in summary.cells.items() if name[1] in names}
    if not cells:
        return UNTESTED, ""
    without = {name: cell for name, cell in cells.items() if name[0] != STAND_IN}
    parts = []
    for where, some in (("all problems", cells), (f"without {STAND_IN}", without)):
        held = sum(safe(cell) for cell in some.values())
        mean = np.mean([cell.nauc for cell in some.values()]) if some else np.nan
        parts.append(f"{where}: {held} of {len(some)} cells safe, mean nAUC {mean:.2f}")
    lost = sorted({f"{s} on {t}" for t, s, g in cells if summary.verdicts[t, s, g] == "loses"})
    said = "; ".join(parts) + (f"; loses: {', '.join(lost)}" if lost else "")
    if lost:
        return CONTRADICTED, said
    narrow = NARROW[0] < np.mean([cell.nauc for cell in cells.values()]) < NARROW[1]
    return (REPRODUCED if all(map(safe, cells.values())) and narrow else UNDECIDED), said


def _no_best_pool(summary: Summary) -> tuple[str, str]:
    names = [name for name in _present(summary, PUBLISHED) if len(summary.gammas(name)) > 1]
    if not names or len(summary.problems) < 2:
        return UNTESTED, ""
    none = []
    for name in names:
        kept = [_good_pools(summary, task, name) for task in summary.problems]
        kept = [pools for pools in kept if pools]
        if kept and not set.intersection(*kept):
            none.append(name)
    said = f"no pool size is among the best on all problems for {len(none)} of {len(names)}: {_list(none)}"
    return (REPRODUCED if len(none) >= MANY else UNDECIDED), said


def _good_pools(summary: Summary, task: str, strategy: str) -> set[int]:
    """Pool sizes that are not significantly worse than the best one (sign flips, Holm over sizes)."""
    areas = {g: r.log_ratio for (t, s, g), r in summary.runs.items() if (t, s) == (task, strategy)}
    if len(areas) < 2:
        return set(areas)
    best = min(areas, key=lambda g: float(areas[g].mean()))
    others = [g for g in areas if g != best and len(areas[g]) == len(areas[best])]
    p = [sign_flip_p(key_for(root_key(0), task, strategy, g), areas[g] - areas[best]) for g in others]
    worse = {g for g, adjusted in zip(others, holm(p), strict=True) if adjusted < LEVEL}
    return set(areas) - worse


def _greedy_collapse(summary: Summary) -> tuple[str, str]:
    names = [name for name in _present(summary, GREEDY) if len(summary.gammas(name)) > 1]
    if not names:
        return UNTESTED, ""
    said, collapsed = [], 0
    for name in names:
        largest = summary.gammas(name)[-1]
        at = [_upper(summary, task, name, largest) for task in summary.problems]
        at = [value for value in at if value is not None]
        fallen = sum(high < COLLAPSE for _, high in at)
        slope = spearmanr(*zip(*_diversities(summary, name), strict=True)).statistic
        collapsed += fallen >= len(at) / 2 and slope < 0
        means = np.mean([mean for mean, _ in at])
        said.append(f"{name}: {means:.2f} at {largest}, below {COLLAPSE} on {fallen} of {len(at)}, rank {slope:+.2f}")
    if collapsed == len(names):
        return REPRODUCED, "; ".join(said)
    return (CONTRADICTED if not collapsed else UNDECIDED), "; ".join(said)


def _upper(summary: Summary, task: str, name: str, gamma: int) -> tuple[float, float] | None:
    """Mean batch diversity of a cell and the upper end of its interval."""
    runs = summary.runs.get((task, name, gamma))
    if runs is None or not np.isfinite(runs.own.diversity).all():
        return None
    d = runs.own.diversity
    found = bca_interval(key_for(root_key(0), task, name), len(d), lambda rows: d[rows].mean(axis=1), draws=DRAWS)
    return float(d.mean()), found.high if found else float("inf")


def _diversities(summary: Summary, name: str) -> list[tuple[int, float]]:
    return [
        (g, float(d))
        for (_, s, g), r in summary.runs.items()
        if s == name and g
        for d in r.own.diversity
        if np.isfinite(d)
    ]


def _diversity_matters(summary: Summary) -> tuple[str, str]:
    by_problem = {
        task: [
            (float(np.nanmean(summary.runs[name].own.diversity)), cell.nauc)
            for name, cell in summary.cells.items()
            if name[0] == task and np.isfinite(summary.runs[name].own.diversity).any()
        ]
        for task in summary.problems
    }
    by_problem = {task: pairs for task, pairs in by_problem.items() if len(pairs) > 2}
    if len(by_problem) < 2:
        return UNTESTED, ""
    problems, rng = list(by_problem), key_for(root_key(0), "C5").numpy()
    seen = _rank([pair for pairs in by_problem.values() for pair in pairs])
    draws = [
        _rank(
            [pair for place in rng.integers(len(problems), size=len(problems)) for pair in by_problem[problems[place]]]
        )
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    said = f"rank correlation {seen:+.2f} ({low:+.2f} to {high:+.2f}, bootstrap over {len(problems)} problems)"
    return (REPRODUCED if high < 0 else CONTRADICTED if low > 0 else UNDECIDED), said


def _rank(pairs: list[tuple[float, float]]) -> float:
    return float(spearmanr(*zip(*pairs, strict=True)).statistic)


def _hard_problem(summary: Summary) -> tuple[str, str]:
    cells = {n: c for n, c in summary.cells.items() if n[0] == STAND_IN and n[1] in PUBLISHED}
    if not cells:
        return UNTESTED, ""
    name, best = min(cells.items(), key=lambda item: item[1].nauc)
    said = f"{STAND_IN}: best {name[1]} at {name[2]}, nAUC {best.nauc:.2f}"
    if best.interval is None:
        return UNDECIDED, said
    holds = 0.90 <= best.nauc <= 1.0 and best.interval.high > 0.95
    return (REPRODUCED if holds else CONTRADICTED), f"{said} ({best.interval.low:.2f} to {best.interval.high:.2f})"


def _small_pools_flatter(summary: Summary) -> tuple[str, str]:
    names = [name for name in _present(summary, GREEDY) if len(summary.gammas(name)) > 1]
    if not names:
        return UNTESTED, ""
    held, against, said = 0, 0, []
    for name in names:
        small, large = summary.gammas(name)[0], summary.gammas(name)[-1]
        difference = _differences(summary, name, small, large)
        p, q = (sign_flip_p(key_for(root_key(0), name, side), s * difference) for side, s in (("up", 1), ("down", -1)))
        held, against = held + (p < LEVEL), against + (q < LEVEL)
        said.append(f"{name}: log nAUC {difference.mean():+.2f} from {small} to {large}")
    if held == len(names):
        return REPRODUCED, "; ".join(said)
    return (CONTRADICTED if against > len(names) / 2 else UNDECIDED), "; ".join(said)


def _differences(summary: Summary, name: str, small: int, large: int) -> np.ndarray:
    """Log area at the large pool less that at the small one, run by run over all problems."""
    pairs: Iterable = (
        (summary.runs.get((task, name, large)), summary.runs.get((task, name, small))) for task in summary.problems
    )
    found = [a.log_ratio - b.log_ratio for a, b in pairs if a and b and a.own.repeats == b.own.repeats]
    return np.concatenate(found) if found else np.zeros(1)


def _present(summary: Summary, names: Iterable[str]) -> list[str]:
    seen = {name for _, name, _ in summary.cells}
    return [name for name in names if name in seen]


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
