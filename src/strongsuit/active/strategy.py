"""What a strategy is: a score, an embedding and a selector, and how the three propose rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from strongsuit.active import synthesis
from strongsuit.active.auxiliary import BESIDE, TEMPERATURE, VOTES, offered
from strongsuit.active.evidence import Evidence
from strongsuit.active.lal import ERROR_DROP
from strongsuit.active.pseudo_labels import TAUGHT
from strongsuit.active.removals import REMOVED
from strongsuit.active.selectors.candidates import Candidates, Selection
from strongsuit.active.selectors.k_center import density_weights
from strongsuit.active.selectors.top_k import top_k
from strongsuit.core.keys import Key, key_for
from strongsuit.core.nearest import kth_distance
from strongsuit.errors import InputError

STAND_IN = "surrogate_gradients"  # flag: the learner shows no gradients, and a surrogate's were used
NEIGHBOURS = 10  # a row's spacing is its distance to so many-th nearest row


HEADED = frozenset({"head", "dropped_votes"})  # fields of Evidence that a linear last layer answers
# Fields that only a fitted committee answers.
LEARNED = frozenset({"mean", "var", "members", "last", "grad", "proba", VOTES, TEMPERATURE, ERROR_DROP, REMOVED,
                     TAUGHT, *BESIDE, *HEADED})  # fmt: skip
Combine = Callable[[Key, "tuple[Strategy, ...]", Evidence, int], Selection]


@dataclass(frozen=True)
class Strategy:
    """A row of the table. `needs` are the fields of Evidence it looks at; `density` weighs rows by how densely the
    pool lies around them; `noise` is the variance of labels that the selector reckons with; an `evaluation_only` one
    sees true labels and runs in benchmarks alone; `synthesise` takes the rows that the rest of the row chooses for the
    starts of points of its own, and needs a box; `blocks` are the widths of the embedding's parts. Where there are
    `parts`, other rows of the table, `combine` makes one batch of what these propose. A `proven` one was nowhere worse
    than random in the benchmark of its task: the guard trusts it from the start."""

    name: str
    words: str
    source: str
    select: Callable[[Key, Candidates, int], Selection]
    score: Callable[[Evidence], np.ndarray] | None = None
    embed: Callable[[Key, Evidence], np.ndarray] | None = None
    needs: frozenset[str] = frozenset()
    density: bool = False
    evaluation_only: bool = False
    noise: Callable[[Evidence], float] | None = None
    blocks: Callable[[Evidence], tuple[int, ...]] | None = None
    parts: tuple[Strategy, ...] = ()
    combine: Combine | None = None
    synthesise: Callable[..., synthesis.Points] | None = None
    proven: bool = False

    @property
    def learns(self) -> bool:
        """Whether it asks a fitted committee anything."""
        return self.synthesise is not None or bool(self.needs & LEARNED)

    @property
    def scored(self) -> bool:
        """Whether it has a score, alone or in a part, which can be weighed against prices."""
        return self.score is not None or any(part.scored for part in self.parts)

    @property
    def starts(self) -> Strategy:
        """The rule that chooses among given rows: where a synthesis starts, else the strategy itself."""
        return replace(self, synthesise=None)


def propose(key: Key, strategy: Strategy, evidence: Evidence, b: int) -> Selection:
    """The b rows that the strategy chooses from the evidence, first choice first."""
    if strategy.synthesise is not None:
        raise InputError(f"strategy {strategy.name!r} makes up inputs; only its `starts` are rows of the pool")
    if strategy.evaluation_only and evidence.y_true is None:
        raise InputError(f"strategy {strategy.name!r} looks at true labels: it runs in benchmarks only")
    if strategy.parts:
        return strategy.combine(key, strategy.parts, evidence, b)
    embedding = None if strategy.embed is None else strategy.embed(key_for(key, "embed"), evidence)
    candidates = Candidates(
        evidence.available,
        evidence.anchors,
        _score(strategy, evidence),
        embedding,
        () if strategy.blocks is None else strategy.blocks(evidence),
        density_weights(_spacing(evidence)) if strategy.density else None,
        Candidates.noise if strategy.noise is None else strategy.noise(evidence),
        reference=None if evidence.served is None else np.flatnonzero(evidence.served),
        labels=evidence.classes,
        predicted=None if evidence.proba is None else evidence.proba.argmax(1),
    )
    chosen = strategy.select(key_for(key, "select"), candidates, b)
    flags = [flag for flag in (chosen.degraded, STAND_IN if evidence.stand_in else "") if flag]
    return replace(chosen, degraded=",".join(flags))


def scores_of(strategy: Strategy, evidence: Evidence) -> np.ndarray | None:
    """The score (n,) by which alone the strategy ranks rows; None for one whose picks depend on each other."""
    return _score(strategy, evidence) if strategy.select is top_k else None


def _score(strategy: Strategy, evidence: Evidence) -> np.ndarray | None:
    """The strategy's score (n,), for its price where prices are known."""
    if strategy.score is None:
        return None
    score = strategy.score(evidence)
    return score if evidence.price is None else score / evidence.price


def shared(key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int) -> Selection:
    """The rows that the parts choose one after the other, an equal share of the batch each, the first a row more; each
    counts what those before it have chosen as labelled."""
    index, gain, flags = np.zeros(0, int), np.zeros(0), []
    for left, part in zip(range(len(parts), 0, -1), parts, strict=True):
        available, anchors = evidence.available.copy(), evidence.anchors.copy()
        available[index], anchors[index] = False, True
        count = -(-(b - len(index)) // left)
        if count and available.any():
            seen = replace(evidence, available=available, anchors=anchors)
            found = propose(key_for(key, part.name), part, seen, count)
            index, gain = np.append(index, found.index), np.append(gain, found.gain)
            flags += found.degraded.split(",") if found.degraded else []
    return Selection(index, gain, ",".join(dict.fromkeys(flags)))


def _spacing(evidence: Evidence) -> np.ndarray:
    """Distance (n,) of every row to its NEIGHBOURS-th nearest other row."""
    return kth_distance(evidence.x, evidence.x, min(NEIGHBOURS + 1, len(evidence.x)))


def check_place(strategy: Strategy, learner: Any, *, boxed: bool) -> None:
    """InputError if the strategy needs a model beside the learner and that offers none, or if it makes up inputs and
    this is no box, or the learner has no gradient to climb."""
    offered(learner, strategy.needs)
    if strategy.needs & HEADED and not hasattr(learner, "head"):
        raise InputError(
            f"strategy {strategy.name!r} needs the linear layer on which probabilities stand, and "
            f"{type(learner).__name__} shows none: choose one that needs only probabilities, such as u_herding, "
            "margin or badge, or another learner, such as Softmax"
        )
    if strategy.synthesise is None:
        return
    if not boxed:
        raise InputError(
            f"strategy {strategy.name!r} makes up inputs, so it needs a box (`init_box`, `suggest_in_box`), and this "
            "is a table of rows: take lcmd_tp, or another that chooses among rows, such as qbc_div or lcmd_x"
        )
    synthesis.check_differentiable(learner)
