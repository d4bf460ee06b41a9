"""What annotators have said, and what it makes of a row: a pure fold over their answers.

Every answer is kept. A later one of the same annotator for the same row is a revision, which takes the earlier one's
place in the count and not in the log. A row's label is the mean of the answers that stand: shares of the classes, or
the mean of numbers. Where nobody names an annotator all answers are one person's, and the last one counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from strongsuit.errors import InputError

UNNAMED = ""  # the annotator of labels for which nobody was named
LEAST_AGREEMENT = 0.5  # rows on which fewer annotators agree are disputed


@dataclass(frozen=True)
class Answers:
    """Answers in the order in which they came: row (a,) numbers, what was said (a, k), and by whom (a,)."""

    row: np.ndarray
    said: np.ndarray
    by: np.ndarray

    def __len__(self) -> int:
        return len(self.row)


def answers_of(rows: np.ndarray, said: np.ndarray, by: object = UNNAMED) -> Answers:
    """One answer (k,) of `said` (r, k) for each of the rows (r,), by one annotator or by as many (r,) of them."""
    names = np.empty(len(rows), object)
    names[:] = by
    return Answers(np.asarray(rows, int), np.asarray(said, float), names)


def joined(first: Answers, later: Answers) -> Answers:
    """Both logs, one after the other."""
    return Answers(
        np.append(first.row, later.row), np.vstack([first.said, later.said]), np.append(first.by, later.by)
    )  # fmt: skip


def heard(before: Answers, rows: np.ndarray, said: np.ndarray, annotator: object = None) -> tuple[Answers, np.ndarray]:
    """The log with what an annotator says (r, k) of rows (r,), and what the labels (r, k) of these rows then are."""
    answers = joined(before, answers_of(rows, said, checked_name(annotator)))
    known, label = shares(about(answers, rows))
    return answers, label[np.searchsorted(known, rows)]


def about(answers: Answers, rows: np.ndarray) -> Answers:
    """The answers for these rows, in their order."""
    kept = np.isin(answers.row, rows)
    return Answers(answers.row[kept], answers.said[kept], answers.by[kept])


def renumbered(answers: Answers, place: np.ndarray) -> Answers:
    """The answers with row number i replaced by `place` (n,)[i]; those for rows without a place, below 0, are left
    out."""
    kept = place[answers.row] >= 0
    return Answers(place[answers.row[kept]], answers.said[kept], answers.by[kept])


def standing(answers: Answers) -> Answers:
    """The last answer of each annotator for each row, by row; of one row in the order in which they came."""
    last = {(row, name): at for at, (row, name) in enumerate(zip(answers.row.tolist(), answers.by, strict=True))}
    kept = np.array(sorted(last.values()), int)
    kept = kept[np.argsort(answers.row[kept], kind="stable")]
    return Answers(answers.row[kept], answers.said[kept], answers.by[kept])


def shares(answers: Answers) -> tuple[np.ndarray, np.ndarray]:
    """Rows (r,) in order, and the mean (r, k) of the answers that stand for each: of indicator columns the shares of
    the classes, counts over their total."""
    one = standing(answers)
    rows, first, count = np.unique(one.row, return_index=True, return_counts=True)
    total = np.add.reduceat(one.said, first, axis=0) if len(rows) else one.said
    return rows, total / count[:, None]


def agreement(answers: Answers) -> tuple[np.ndarray, np.ndarray]:
    """Rows (r,) in order, and the share (r,) of the annotators that gave the most frequent answer."""
    one = standing(answers)
    kinds, count = np.unique(np.column_stack([one.row, one.said]), axis=0, return_counts=True)
    rows, first = np.unique(kinds[:, 0].astype(int), return_index=True)
    if not len(rows):
        return rows, np.zeros(0)
    return rows, np.maximum.reduceat(count, first) / np.add.reduceat(count, first)


def disputed(answers: Answers, *, least: float = LEAST_AGREEMENT) -> np.ndarray:
    """Rows (r,) on whose most frequent answer less than the share `least` of the annotators agree."""
    rows, share = agreement(answers)
    return rows[share < least]


def checked_name(annotator: object) -> str:
    """The annotator's name as text, UNNAMED for None. Raises InputError for a name without a letter."""
    if annotator is None:
        return UNNAMED
    name = str(annotator).strip()
    if not name:
        raise InputError(f"annotator must be a name, got {annotator!r}: leave it out where nobody is to be named")
    return name
