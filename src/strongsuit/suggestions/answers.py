"""A labelled table in which several people have answered for a row, a line each -> one line a row, and all answers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from strongsuit.active.answers import UNNAMED, Answers, agreement, answers_of, shares, standing
from strongsuit.datasets.columns import level_text


def one_line_each(ids: pd.Series, annotators: pd.Series, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, Answers]:
    """The lines (r,) that stand for the rows, their labels, and the answers by place among these rows.

    The first of the lines are answers, with labels (a, k), in the order in which they were given; rows with an answer
    come first, each by its first answer. An empty annotator is an unnamed one.
    """
    texts, count = ids.map(level_text).to_numpy(object), len(labels)
    number, first = pd.factorize(texts[:count])
    by = annotators.iloc[:count].map(lambda name: UNNAMED if pd.isna(name) else level_text(name)).to_numpy(object)
    answers = answers_of(number, labels, by)
    lead = np.unique(number, return_index=True)[1]
    waiting = count + np.flatnonzero(~np.isin(texts[count:], first) & ~pd.Series(texts[count:]).duplicated().to_numpy())
    return np.append(lead, waiting), shares(answers)[1], answers


def notes_on(answers: Answers) -> list[str]:
    """What a user should know of who answered."""
    one = standing(answers)
    _, times = np.unique(one.row, return_counts=True)
    _, agreed = agreement(answers)
    revised = len(answers) - len(one)
    said = f"{len(set(one.by))} annotators gave {len(one)} answers for {len(times)} rows"
    said += f", and differ on {int((agreed < 1.0).sum())} of the {int((times > 1).sum())} rows that several have seen"
    return [f"{said}; {revised} earlier answers were revised" if revised else said]
