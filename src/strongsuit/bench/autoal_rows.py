"""Rows that only comparisons show: AutoAL with other rewards and weights, and as its published program has it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from strongsuit.active.class_strategies import CLASS_STRATEGIES
from strongsuit.active.evidence import FOLDS, Evidence
from strongsuit.active.search.autoal import LOOKAHEAD, LOSS, PER_ROW
from strongsuit.active.selectors.candidates import Selection
from strongsuit.active.strategy import Combine, Strategy, propose
from strongsuit.core.keys import Key, key_for
from strongsuit.core.ties import largest


def published(key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int) -> Selection:
    """The rows of largest weighted sum of binary picks, with weights from an untrained linear map of each row.

    What the search of AutoAL's released code comes to: its gradient is exactly zero at every row
    (`tests/test_search_weights.py`), so that SearchNet's head stays as it was drawn; and its query takes the largest
    sums, of which rows that nobody picked have 0 and so come before picked rows of negative weight. Drawn anew every
    round, uniformly as PyTorch draws a linear layer.
    """
    features = evidence.last[:, :-1]
    reach = features.shape[1] ** -0.5
    drawn = key_for(key, "head").numpy().uniform(-reach, reach, size=(features.shape[1] + 1, len(parts)))
    picked, flags = np.zeros((len(features), len(parts))), []
    for place, part in enumerate(parts):
        chosen = propose(key_for(key, part.name), part, evidence, b)
        picked[chosen.index, place] = 1.0
        flags += [flag for flag in chosen.degraded.split(",") if flag]
    score = (picked * (features @ drawn[:-1] + drawn[-1])).sum(1)
    open_rows = np.flatnonzero(evidence.available & ~evidence.anchors)
    index = largest(key_for(key, "ties"), score[open_rows], open_rows, b)
    return Selection(index, score[index], ",".join(dict.fromkeys(flags)))


def _row(name: str, words: str, combine: Combine, less: frozenset[str] = frozenset()) -> Strategy:
    """The row of the table with another rule, which does without some of what that needs."""
    row = CLASS_STRATEGIES["autoal"]
    return replace(row, name=name, words=words, combine=combine, needs=row.needs - less)


_SEARCH = CLASS_STRATEGIES["autoal"].combine
COMPARED: dict[str, Strategy] = {
    row.name: row
    for row in (
        _row("autoal_loss", "autoal, rows rewarded by their own loss, as published", partial(_SEARCH, reward=LOSS)),
        _row(
            "autoal_lookahead", "autoal, rows rewarded given the rest of the batch", partial(_SEARCH, reward=LOOKAHEAD)
        ),
        _row("autoal_per_row", "autoal, weights that depend on the row", partial(_SEARCH, weights=PER_ROW)),
        _row("autoal_even", "autoal with nothing learned: equal weights beside a share", _SEARCH, frozenset({FOLDS})),
        _row("autoal_published", "what the search of AutoAL's released code comes to", published, frozenset({FOLDS})),
    )
}
