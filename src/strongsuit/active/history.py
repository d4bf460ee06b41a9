"""The learning curve so far, and what it says of the labels to come: read off the labelled rows alone.

Where a guard drew rows at random, they judge the committees of the past: an unbiased curve. Else the
learner is cross-validated on growing parts of the labelled rows; that curve speaks of rows like those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from strongsuit.active.choice import committee_size, fit_each, point_only, settled
from strongsuit.active.committee import units
from strongsuit.active.guard import RANDOM
from strongsuit.active.labels import has_labels
from strongsuit.active.pool import AUDIT, Pool
from strongsuit.active.progress import REACH, Check, Law, Progress, fit_law
from strongsuit.active.stopping import GAIN_CONFIDENCE, Plateau, Rule, Stop
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import member_keys, predict_many
from strongsuit.core.metrics import bootstrap_interval

BY_AUDIT, BY_FOLDS = "audit", "cross_validated"
FEWEST_AUDITS = 20  # random rows below which their mean error says less than cross-validation does
FEWEST_ROWS = 10  # labelled rows a learner must be given before its error is worth a point
CHECKS, SIZES = 8, 6  # points of a curve at most; a plateau is looked for in five, twice
MEMBERS = 3  # of each committee on the curve, as in the guard's checks
FOLDS = 5
MANY_ROWS = 1000  # labelled rows from which on one fold is test rows enough
UNEVEN = 3.0  # times the smallest class: from there on the mean over classes is reported too
WINDOW = Plateau.window
Error = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (.., a, k) said and (a, k) labels -> errors (.., a)


@dataclass(frozen=True)
class Point:
    """Root mean squared error over targets at so many labels, or the share of wrong classes, with its 95 % bootstrap
    interval over test rows."""

    labels: int
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class Round:
    """A batch: the rows labelled or asked for before it, its rows, those drawn at random, and the guard's state."""

    number: int
    labels: int
    rows: int
    random: int
    state: str


@dataclass(frozen=True)
class History:
    """The curve and where it leads. `kind`: "audit" or "cross_validated", "" with a reason in `why` if there is none.

    `law` is the power law of the mean squared error; `gain` its fall under the next batch with an 80 % interval; `stop`
    the answer of the stopping rule. Where labels are `classes`, errors are shares of wrong ones, not squares; where
    the largest class has more than UNEVEN times the labels of the smallest, `balanced` are the points' errors averaged
    over classes. Of `several` labels a row, the single ones are counted.
    """

    kind: str
    why: str
    points: tuple[Point, ...]
    rounds: tuple[Round, ...]
    progress: Progress
    law: Law | None
    gain: tuple[float, float, float] | None
    stop: Stop
    classes: bool = False
    balanced: tuple[float, ...] = ()
    several: bool = False

    @property
    def wrong(self) -> str:
        """What the errors are in words, "" where they are those of numbers."""
        return "" if not self.classes else "share of wrong labels" if self.several else "share of wrong classes"


def look_back(
    key: Key,
    learner: Any,
    pool: Pool,
    order: np.ndarray,
    *,
    batch: int,
    start: int,
    cost: float = 0.0,
    states: Mapping[int, str] | None = None,
    rule: Rule | None = None,
    classes: bool = False,
) -> History:
    """What the labelled rows of a pool tell; `order` (n,) says in which round each was asked for.

    `start` labels came first, `batch` are asked for next, `cost` was spent; `states` are the guard's by round; `rule`
    is the stopping rule, a plateau if none is given. With `classes` labels are indicators, and errors count wrong ones:
    rows, or of several labels the single ones.
    """
    if pool.labelled.any():
        learner = point_only(settled(key_for(key, "choice"), learner, pool.X[pool.labelled], pool.y[pool.labelled]))
    several = has_labels(learner)
    error = _squares if not classes else _wrong_labels if several else _wrong
    kind, checks, tested, why = _checks(key, learner, pool, order, error)
    known = int(pool.labelled.sum())
    variance = float(pool.y[pool.labelled].var(0).mean()) if known else float("nan")
    progress = Progress(start, batch, known, int(pool.pending.sum()), cost, variance, checks)
    law = fit_law(checks, window=WINDOW, confidence=GAIN_CONFIDENCE)
    points = tuple(_point(key_for(key, "bootstrap"), check, 1.0 if classes else 0.5) for check in checks)
    gain = None if law is None else law.gains(batch / known)
    stop = (rule or Plateau())(progress)
    uneven = classes and not several and bool(checks) and _uneven(pool.y[pool.labelled])
    even = tuple(_balanced(check.errors, pool.y[tested]) for check in checks) if uneven else ()
    rounds = rounds_of(pool, order, states or {})
    return History(kind, why, points, rounds, progress, law, gain, stop, classes, even, several)


def _squares(said: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared errors, averaged over outputs."""
    return ((said - y) ** 2).mean(-1)


def _wrong(said: np.ndarray, y: np.ndarray) -> np.ndarray:
    """1 where the likeliest class is not the label's, 0 where it is."""
    return (said.argmax(-1) != y.argmax(-1)).astype(float)


def _wrong_labels(said: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The share of labels that are said to be there and are not, or the reverse."""
    return ((said > 0.5) != (y > 0.5)).mean(-1)


def _uneven(y: np.ndarray) -> bool:
    """Whether the largest class of labels y (n, k) has more than UNEVEN times as many as the smallest one seen."""
    counts = y.sum(0)
    return bool(counts.max() > UNEVEN * counts[counts > 0.0].min())


def _balanced(errors: np.ndarray, y: np.ndarray) -> float:
    """Errors (a,) averaged over the classes of their rows y (a, k): 1 less the balanced accuracy."""
    number = y.argmax(1)
    return float(np.mean([errors[number == one].mean() for one in np.unique(number)]))


def _checks(
    key: Key, learner: Any, pool: Pool, order: np.ndarray, error: Error
) -> tuple[str, tuple[Check, ...], np.ndarray, str]:
    """The kind of curve, its checks, the rows (a,) whose errors they hold, and why there is none."""
    rows = np.flatnonzero(pool.labelled)
    if len(rows) < 2 * FEWEST_ROWS:
        return "", (), rows[:0], f"a learning curve needs {2 * FEWEST_ROWS} labelled rows, there are {len(rows)}"
    if np.ptp(pool.y[rows], axis=0).max() == 0.0:
        return "", (), rows[:0], f"the target is the same in all {len(rows)} labelled rows, so no error can be measured"
    if (
        (pool.labelled & (pool.role == AUDIT)).sum()
        >= FEWEST_AUDITS
        <= 2 * (pool.labelled & (pool.role != AUDIT)).sum()
    ):
        return BY_AUDIT, *_by_audit(key_for(key, "audit"), learner, pool, order, error), ""
    return BY_FOLDS, *_by_folds(key_for(key, "folds"), learner, pool, order, error), ""


def _by_audit(
    key: Key, learner: Any, pool: Pool, order: np.ndarray, error: Error
) -> tuple[tuple[Check, ...], np.ndarray]:
    """Errors on all random rows of committees like those that chose, as they stood at growing numbers of labels, and
    these rows (a,): no training and no choice saw them."""
    rows = np.flatnonzero(pool.labelled)
    line = rows[np.lexsort((key_for(key, "line").numpy().permutation(len(rows)), order[rows]))]
    audit, train = line[pool.role[line] == AUDIT], line[pool.role[line] != AUDIT]
    trained = np.cumsum(pool.role[line] != AUDIT)  # rows a committee had at so many labels
    least = 1 + int(np.argmax(trained >= min(FEWEST_ROWS, trained[-1])))
    sizes = _sizes(max(least, len(line) / REACH), len(line), CHECKS)
    W = (np.arange(len(train))[None] < trained[sizes - 1][:, None]).astype(float)
    y, center, scale = _scaled(learner, pool.y[train])
    members = committee_size(learner, MEMBERS)
    keys = member_keys(key, members) * len(sizes)  # every moment starts from the same weights
    moments = np.repeat(np.arange(len(sizes)), members)
    params = fit_each(learner, keys, pool.X[train], y, np.repeat(W, members, axis=0), moments)
    said = np.asarray(predict_many(learner, params, pool.X[audit]).mean, float)
    said = said.reshape(len(sizes), members, len(audit), -1).mean(1) * scale + center
    errors = error(said, pool.y[audit])
    return tuple(Check(int(n), e) for n, e in zip(sizes, errors, strict=True)), audit


def _by_folds(
    key: Key, learner: Any, pool: Pool, order: np.ndarray, error: Error
) -> tuple[tuple[Check, ...], np.ndarray]:
    """Cross-validated errors by size, and the rows (a,) tested: a model sees the first so many rows outside its fold,
    in the order in which they were labelled, at random within a round."""
    rows = np.flatnonzero(pool.labelled)
    random = key_for(key, "split").numpy()
    fold = random.permutation(np.arange(len(rows)) % FOLDS)
    line = np.lexsort((random.permutation(len(rows)), order[rows]))
    used = range(FOLDS if len(rows) <= MANY_ROWS else 1)
    top = len(rows) - max(np.bincount(fold))
    sizes = _sizes(max(FEWEST_ROWS / 2, top / REACH), top, SIZES)
    W = np.zeros((len(sizes), len(used), len(rows)))
    for f in used:
        outside = line[fold[line] != f]
        for s, size in enumerate(sizes):
            W[s, f, outside[:size]] = 1.0
    y, center, scale = _scaled(learner, pool.y[rows])
    keys = member_keys(key, len(used)) * len(sizes)
    moments = np.repeat(np.arange(len(sizes)), len(used))
    params = fit_each(learner, keys, pool.X[rows], y, W.reshape(-1, len(rows)), moments)
    said = np.asarray(predict_many(learner, params, pool.X[rows]).mean, float).reshape(*W.shape, -1)
    tested = np.flatnonzero(fold < len(used))
    errors = error(said[:, fold[tested], tested] * scale + center, pool.y[rows][tested])
    return tuple(Check(int(n), e) for n, e in zip(sizes, errors, strict=True)), rows[tested]


def _sizes(low: float, top: int, count: int) -> np.ndarray:
    """Numbers of rows from `low` to `top`, even on a logarithmic scale."""
    return np.unique(np.geomspace(low, top, count).round().astype(int))


def _scaled(learner: Any, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Labels centred and divided by one scale, as the committee learns them; the centre and the scale."""
    center, scale = units(learner, y)
    return (y - center) / scale, center, scale


def _point(key: Key, check: Check, power: float) -> Point:
    reach = bootstrap_interval(key, check.errors)
    return Point(check.labels, *(float(value) ** power for value in (reach.mean, reach.low, reach.high)))


def rounds_of(pool: Pool, order: np.ndarray, states: Mapping[int, str]) -> tuple[Round, ...]:
    """The batches asked for so far; `states` are the guard's by round."""
    asked = pool.labelled | pool.pending
    found = []
    for number in np.unique(order[asked & (order > 0)]):
        own = asked & (order == number)
        before = int((asked & (order < number)).sum())
        state = states.get(int(number), "")
        # All rows of a fall-back are random, whatever their role is called.
        random = own.sum() if state == RANDOM else (own & (pool.role == AUDIT)).sum()
        found.append(Round(int(number), before, int(own.sum()), int(random), state))
    return tuple(found)
