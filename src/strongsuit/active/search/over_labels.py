"""One batch for several labels: mean scores where these say all, else mean ranks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from strongsuit.active import class_embeddings as seen
from strongsuit.active.evidence import Evidence
from strongsuit.active.search.votes import RANKED, best_ranked, ranks
from strongsuit.active.selectors.candidates import Selection
from strongsuit.active.selectors.cover import dcom
from strongsuit.active.strategy import Strategy, propose
from strongsuit.core.keys import Key, key_for
from strongsuit.errors import InputError


def per_label(strategy: Strategy) -> Strategy:
    """The strategy as it chooses where rows have several labels: seen from each label, then averaged. Its record is
    of single labels."""
    return replace(strategy, score=None, embed=None, blocks=None, parts=(strategy,), combine=over_labels, proven=False)


def over_labels(key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int) -> Selection:
    """The rows that the one part prefers on average over the labels.

    A rule that asks no model sees the inputs as ever. The score of one whose choice is otherwise the same for all
    labels is averaged over them, and then it chooses once; of others the ranks of rows are averaged, and gain is the
    mean rank. Labels that are present in all labelled rows, or in none, have no say.
    """
    (part,) = parts
    if not part.learns:
        return propose(key_for(key, part.name), part, evidence, b)
    told = [
        replace(one, available=evidence.available, anchors=evidence.anchors, price=evidence.price, round=evidence.round)
        for one in evidence.labels
        if np.ptp(one.y[one.labelled], axis=0).any()
    ]
    if not told:
        raise InputError("each label is the same in all labelled rows: no strategy can tell rows apart by them")
    if part.score is not None and part.embed in (None, seen.unit_inputs) and part.select is not dcom:
        mean = replace(part, needs=frozenset(), score=lambda _: np.mean([part.score(one) for one in told], axis=0))
        return propose(key_for(key, part.name), mean, evidence, b)
    found = [ranks(key_for(key, part.name, number), part, one, RANKED * b) for number, one in enumerate(told)]
    return best_ranked(key, found, evidence, b)
