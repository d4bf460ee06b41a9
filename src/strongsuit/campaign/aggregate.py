"""Answers of one or several annotators -> labels: pure functions of the multiset, so order of arrival cannot matter.

Sums are exact (`math.fsum`) and run over sorted answers. A tie is no label: the row is disputed, one more answer is
wanted, and an owner's own answer settles it.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

LATEST, MEAN, MEDIAN, MAJORITY, DAWID_SKENE = "latest", "mean", "median", "majority", "dawid_skene"
FOR_NUMBERS = (LATEST, MEAN, MEDIAN)
FOR_CLASSES = (LATEST, MAJORITY, DAWID_SKENE)
ITERATIONS = 20  # of expectation maximisation; fixed, so that the same answers give the same labels
FEWEST_ANNOTATORS = 3  # below it there is nobody to tell who of two is wrong, and the majority is taken
# Pseudo-count of each cell of a confusion matrix: an annotator who never erred so far may yet err.
SMOOTHING = 0.01
Said = Mapping[int, Sequence[tuple[str, str]]]  # row -> who said what
Confusion = Mapping[str, Sequence[Mapping[str, float]]]  # annotator -> of each true class the chance of an answer
_EQUAL = 1e-9  # posterior probabilities nearer than this are a tie


class Answer(NamedTuple):
    """What one annotator says of one row; `position` is that of the event, `at` its time."""

    by: str
    value: Any
    position: int
    at: str
    cost: float
    asked: bool


@dataclass(frozen=True, slots=True)
class Label:
    """What is trained on: `spread` is the standard deviation of several numbers, `agreement` the share of the class.

    `weight` is the number of answers for numbers and the agreement for classes.
    """

    value: Any
    weight: float
    spread: float | None
    agreement: float | None
    n: int


def aggregate(answers: Collection[Answer], how: str, owners: Collection[str] = ()) -> Label | None:
    """The label of one row, or None without answers or for a tie.

    `dawid_skene` gives the majority here; `dawid_skene_labels` looks at all rows.
    """
    if not answers:
        return None
    values = [answer.value for answer in answers]
    if len(answers) == 1 or how == LATEST or (how in (MEAN, MEDIAN) and not _alike(values)):
        last = max(answers, key=lambda answer: answer.position)
        return Label(last.value, 1.0, None, None, len(answers))
    return _of_numbers(values, how) if how in (MEAN, MEDIAN) else _majority(answers, owners)


def _alike(values: Sequence[Any]) -> bool:
    """Whether all are numbers, or all are as many outputs: only a journal made by hand has others."""
    shapes = {len(one) if isinstance(one, tuple) else -1 for one in values}
    parts = [part for one in values for part in (one if isinstance(one, tuple) else (one,)) if part is not None]
    return len(shapes) == 1 and not any(isinstance(part, str) for part in parts)


def _of_numbers(values: Sequence[Any], how: str) -> Label | None:
    if isinstance(values[0], tuple):
        parts = [_middle([one[i] for one in values if one[i] is not None], how) for i in range(len(values[0]))]
        if all(part is None for part in parts):
            return None
        return Label(tuple(parts), float(len(values)), None, None, len(values))
    return Label(_middle(values, how), float(len(values)), _spread(values), None, len(values))


def _middle(values: Sequence[float], how: str) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    return math.fsum(ordered) / len(ordered) if how == MEAN else float(statistics.median(ordered))


def _spread(values: Sequence[float]) -> float:
    """The sample standard deviation of two or more numbers."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum(sorted((value - mean) ** 2 for value in values)) / (len(values) - 1))


def _majority(answers: Collection[Answer], owners: Collection[str]) -> Label | None:
    counts = Counter(answer.value for answer in answers)
    most = max(counts.values())
    leaders = [value for value, count in counts.items() if count == most]
    if len(leaders) > 1:
        settled = [answer for answer in answers if answer.by in owners]
        if not settled:
            return None
        leaders = [max(settled, key=lambda answer: answer.position).value]
    agreement = counts[leaders[0]] / len(answers)
    return Label(leaders[0], agreement, None, agreement, len(answers))


def dawid_skene_labels(
    table: Mapping[int, Collection[Answer]], classes: Sequence[str], owners: Collection[str] = ()
) -> dict[int, Label]:
    """The labels of all rows by who is reliable: expectation maximisation over confusion matrices.

    Dawid and Skene, Applied Statistics 28 (1979), equations 2.3 to 2.5, with a fixed number of iterations and a small
    pseudo-count. A row without a majority label has none here either: ties are settled by people. With fewer than three
    annotators the majority is all that can be said.
    """
    majority = {row: aggregate(table[row], MAJORITY, owners) for row in sorted(table)}
    said = {row: sorted((one.by, one.value) for one in table[row]) for row, label in majority.items() if label}
    plain = {row: label for row, label in majority.items() if label}
    annotators = sorted({by for answers in said.values() for by, _ in answers})
    if len(annotators) < FEWEST_ANNOTATORS:
        return plain
    posterior = {row: _shares(answers, classes) for row, answers in said.items()}
    for _ in range(ITERATIONS):
        prior, confusion = _maximised(said, posterior, classes, annotators)
        posterior = {row: _expected(answers, prior, confusion, classes) for row, answers in said.items()}
    return {row: _label_of(posterior[row], classes, plain[row]) for row in said}


def _shares(answers: Sequence[tuple[str, str]], classes: Sequence[str]) -> list[float]:
    counts = Counter(value for _, value in answers)
    return [counts[one] / len(answers) for one in classes]


def _maximised(
    said: Said, posterior: Mapping[int, list[float]], classes: Sequence[str], annotators: Sequence[str]
) -> tuple[list[float], Confusion]:
    """Prior of the classes, and of each annotator and true class the probability of each answer."""
    prior = [math.fsum(one[k] for one in posterior.values()) / len(posterior) for k in range(len(classes))]
    cells: dict[str, list[dict[str, list[float]]]]
    cells = {by: [{one: [] for one in classes} for _ in classes] for by in annotators}
    for row, answers in said.items():
        for by, value in answers:
            for k in range(len(classes)):
                cells[by][k].setdefault(value, []).append(posterior[row][k])
    return prior, {by: [_normalised(row) for row in matrix] for by, matrix in cells.items()}


def _normalised(row: Mapping[str, Sequence[float]]) -> dict[str, float]:
    sums = {value: math.fsum(parts) + SMOOTHING for value, parts in row.items()}
    whole = math.fsum(sums.values())
    return {value: one / whole for value, one in sums.items()}


def _expected(
    answers: Sequence[tuple[str, str]], prior: Sequence[float], confusion: Confusion, classes: Sequence[str]
) -> list[float]:
    logs = [
        math.log(max(prior[k], 1e-300)) + math.fsum(math.log(confusion[by][k][value]) for by, value in answers)
        for k in range(len(classes))
    ]
    top = max(logs)
    raw = [math.exp(one - top) for one in logs]
    whole = math.fsum(raw)
    return [one / whole for one in raw]


def _label_of(posterior: Sequence[float], classes: Sequence[str], majority: Label) -> Label:
    best = max(posterior)
    leaders = [k for k, one in enumerate(posterior) if best - one <= _EQUAL]
    if len(leaders) > 1:
        return majority
    value = classes[leaders[0]]
    return Label(value, best, None, best, majority.n)
