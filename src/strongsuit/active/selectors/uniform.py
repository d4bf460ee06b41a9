"""Rows at random: the baseline that every strategy is held against."""

from __future__ import annotations

import numpy as np

from strongsuit.active.selectors.candidates import Candidates, Selection, finish, usable
from strongsuit.core.keys import Key
from strongsuit.core.ties import keyed_order


def uniform(key: Key, candidates: Candidates, b: int) -> Selection:
    """b available rows, every set of them as likely as any other; gain is 0."""
    pool = usable(candidates)
    picks = keyed_order(key, np.flatnonzero(pool.rows))[: pool.wanted(b)]
    return finish(key, pool, picks, np.zeros(len(picks)), b)
