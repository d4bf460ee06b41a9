"""Rows by score alone: the largest, or drawn in proportion to a power of the score."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, usable
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import largest


def top_k(key: Key, candidates: Candidates, b: int) -> Selection:
    """The b rows of largest score; gain is the score."""
    pool = usable(candidates, score=True)
    rows = np.flatnonzero(pool.rows)
    picks = largest(key, pool.score[rows], rows, pool.wanted(b))
    return finish(key, pool, picks, pool.score[picks], b)


def power(key: Key, candidates: Candidates, b: int, *, beta: float = 1.0) -> Selection:
    """b rows drawn without replacement with chances proportional to score^beta; gain is beta log score + noise.

    Gumbel noise on the log-scores makes the b largest such a sample (Kirsch et al. 2021, arXiv 2106.12059). Rows of
    score 0 or less follow in order of score, with gain -infinity, flagged "few_positive".
    """
    pool = usable(candidates, score=True)
    rows, count = np.flatnonzero(pool.rows), pool.wanted(b)
    # A row's noise belongs to its number, so that a smaller pool leaves the others' unchanged.
    noise = key_for(key, "gumbel").numpy().gumbel(size=len(pool.rows))
    positive = rows[pool.score[rows] > 0.0]
    race = beta * np.log(pool.score[positive]) + noise[positive]
    picks = largest(key, race, positive, min(count, len(positive)))
    gains = beta * np.log(pool.score[picks]) + noise[picks]
    if len(picks) == count:
        return finish(key, pool, picks, gains, b)
    others = np.setdiff1d(rows, picks)
    rest = largest(key, pool.score[others], others, count - len(picks))
    return finish(key, pool, [*picks, *rest], [*gains, *np.full(len(rest), -np.inf)], b, "few_positive")
