"""TAILOR: a bandit over strategies, paid by the classes of what each one found (Thompson sampling).

Zhang, Shao, Verma and Nowak 2023 (NeurIPS). Made for rare classes: a strategy is worth what rows of each class are
worth now, times how often what it proposed was of that class.
"""

from __future__ import annotations

import numpy as np

from strongsuit.active.evidence import Evidence
from strongsuit.active.memory import lacking
from strongsuit.active.search.turns import closed, favourites, flags_of, listed
from strongsuit.active.selectors.candidates import Selection
from strongsuit.active.strategy import Strategy
from strongsuit.core.keys import Key, key_for

DECAY = 0.9  # of what a strategy found, with every batch
MOSTLY = 0.5  # share of the labels above which more rows of a class do harm


def tailor(key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int, *, decay: float = DECAY) -> Selection:
    """Rows that parts propose which win a draw each; gain is the value drawn.

    For every row each part draws shares of classes from a Dirichlet distribution of what it found; the one whose shares
    are worth most has its favourite taken. A row without a label, of this batch or awaited, counts for each class by
    its probability.
    """
    lists, flags = listed(key, parts, evidence, b)
    found, seen = found_by(evidence, len(parts), decay), of_classes(evidence)
    index, part, gain = drawn(key_for(key, "draw"), lists, found, seen, closed(evidence), evidence.proba, b)
    missing, names = lacking(evidence.past, evidence.round), [one.name for one in parts]
    facts = {
        "picks": dict(zip(names, np.bincount(part, minlength=len(parts)).tolist(), strict=True)),
        "found": dict(zip(names, found.tolist(), strict=True)),
        "worth": worth(seen).tolist(), "reason": missing,
    }  # fmt: skip
    never = np.full(len(index), np.nan)  # the chance of a row has no closed form, and nothing needs it
    return Selection(index, gain, flags_of(missing, *flags), facts, part, never)


def drawn(
    key: Key, lists: list[np.ndarray], found: np.ndarray, seen: np.ndarray, taken: np.ndarray, p: np.ndarray, b: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At most b rows, the part that proposed each, and the value it drew, by what parts found (K, k), rows seen of each
    class (k,) and probabilities p (n, k), which stand for the labels of the batch."""
    taken, found, rng, turns = taken.copy(), found.copy(), key.numpy(), []
    for _ in range(min(b, int((~taken).sum()))):
        first = favourites(lists, taken)
        if (first < 0).all():
            break
        values = np.array([rng.dirichlet(row + 1.0) for row in found]) @ worth(seen)
        part = int(np.argmax(np.where(first >= 0, values, -np.inf)))
        row = first[part]
        turns.append((row, part, values[part]))
        taken[row] = True
        found[part] += p[row]
        seen = seen + p[row]
    columns = np.array(turns, float).reshape(-1, 3).T
    return columns[0].astype(int), columns[1].astype(int), columns[2]


def worth(seen: np.ndarray) -> np.ndarray:
    """What a row of each class (k,) is worth: 1 over the rows of it, one at least, and minus that above half of all."""
    share = seen / max(seen.sum(), 1.0)
    return np.where(share > MOSTLY, -1.0, 1.0) / np.maximum(seen, 1.0)


def found_by(evidence: Evidence, parts: int, decay: float) -> np.ndarray:
    """What each part (K,) found of each class (K, k), batches of long ago counting less: by labels, or by probabilities
    where these are awaited."""
    counts, past = np.zeros((parts, evidence.y.shape[1])), evidence.past
    if past is None:
        return counts
    rows = np.flatnonzero((past.part >= 0) & evidence.anchors)
    age = evidence.round - 1 - past.round[rows]
    np.add.at(counts, past.part[rows], decay ** age[:, None] * _classes(evidence)[rows])
    return counts


def of_classes(evidence: Evidence) -> np.ndarray:
    """How many rows (k,) of each class are labelled, or awaited, by probability."""
    return _classes(evidence)[evidence.anchors].sum(0)


def _classes(evidence: Evidence) -> np.ndarray:
    """The classes (n, k) of all rows: labels where these are known, else probabilities."""
    return np.where(evidence.labelled[:, None], np.nan_to_num(evidence.y), evidence.proba)
