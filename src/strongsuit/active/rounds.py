"""The active rows of one round: what a strategy may see, equal rows kept apart, points that are made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from strongsuit.active.box import Box
from strongsuit.active.committee import Committee
from strongsuit.active.evidence import FOLDS, Evidence, gather
from strongsuit.active.folds import seen_from_outside
from strongsuit.active.labels import pool_of_label
from strongsuit.active.memory import PAST, Recorded, past_of
from strongsuit.active.offers import sampled
from strongsuit.active.pool import Pool, first_of_groups, part_of
from strongsuit.active.selectors.candidates import Selection, joined
from strongsuit.active.strategy import LEARNED, Strategy, propose
from strongsuit.core.keys import Key, key_for

SPARE = 4  # starts of a synthesis for each row wanted, where a constraint may refuse where they end


def choose(
    key: Key,
    strategy: Strategy,
    committee: Committee | None,
    pool: Pool,
    b: int,
    *,
    hidden: np.ndarray,
    drawn: np.ndarray,
    box: Box | None = None,
    price: np.ndarray | None = None,
    allow_replicates: bool = False,
    round_: int = 0,
    past: tuple[Recorded, ...] = (),
) -> tuple[Pool, Selection]:
    """The pool and at most b rows of it that the strategy chooses; rows that are made up change the pool's X.

    Labels of rows that `hidden` (n,) marks do not count as known; `drawn` are the random rows of this batch, of which
    no equal is chosen; `price` (n,) is what labels cost; `past` the records of earlier batches. Of a large table a
    sample is offered.
    """
    rows = np.arange(len(pool))
    if strategy.learns and box is None:
        rows = sampled(key_for(key, "offered"), pool)
    part = pool if len(rows) == len(pool) else part_of(pool, rows)
    anchors = (part.labelled | part.pending) & ~hidden[rows]
    bounds = (pool.X.min(0), pool.X.max(0)) if box is None else box.bounds
    if committee is not None and committee.labels:
        evidence = _by_label(key, strategy, committee, pool, rows, anchors)
    else:
        evidence = _seen(key, strategy, committee, pool, part, anchors, bounds)
    evidence = replace(evidence, round=round_, price=None if price is None else price[rows])
    if PAST in strategy.needs:
        evidence = replace(evidence, past=past_of(past, strategy.name, pool).of(rows))
    if strategy.synthesise is not None:
        return _made_up(key, strategy, committee, pool, evidence, box, b)
    if pool.group is None or allow_replicates:
        found = propose(key_for(key, "propose"), strategy, evidence, b)
    else:
        found = _distinct(key_for(key, "propose"), strategy, evidence, part, np.isin(rows, drawn), b)
    return pool, replace(found, index=rows[found.index])


def _seen(
    key: Key, strategy: Strategy, committee: Committee | None, pool: Pool, part: Pool, anchors, bounds
) -> Evidence:
    """What the strategy needs to know of the rows in `part`, and of the labelled rows from outside if it searches."""
    evidence = gather(key, committee, part, strategy.needs, anchors=anchors, box=bounds)
    if committee is None or not committee.folds:
        return evidence
    outside = seen_from_outside(key_for(key, "folds"), committee.folds, pool, strategy.needs)
    return replace(evidence, folds=tuple(replace(fold, temperature=evidence.temperature) for fold in outside))


def _by_label(key: Key, strategy: Strategy, committee: Committee, pool: Pool, rows, anchors) -> Evidence:
    """What no model is asked for, and in `labels` the rest for each label apart."""
    evidence = gather(key, None, part_of(pool, rows), strategy.needs - LEARNED - {FOLDS}, anchors=anchors)
    every = []
    for number, one in enumerate(committee.labels):
        own = pool_of_label(pool, number)
        every.append(_seen(key_for(key, "label", number), strategy, one, own, part_of(own, rows), anchors, None))
    return replace(evidence, labels=tuple(every))


def _made_up(
    key: Key, strategy: Strategy, committee: Committee, pool: Pool, evidence: Evidence, box: Box, b: int
) -> tuple[Pool, Selection]:
    """The pool with the rows where a synthesis starts moved to where it ends, and these rows."""
    starts = propose(key_for(key, "propose"), strategy.starts, evidence, b if box.constraint is None else SPARE * b)
    X = pool.X.copy()
    points = strategy.synthesise(key_for(key, "synthesise"), committee, box, X[starts.index], X[evidence.anchors], b)
    rows = starts.index[: len(points.X)]
    X[rows] = points.X
    flags = ",".join(flag for flag in (starts.degraded, points.degraded) if flag)
    return replace(pool, X=X), Selection(rows, points.gain, flags)


def _distinct(key: Key, strategy: Strategy, evidence: Evidence, pool: Pool, drawn: np.ndarray, b: int) -> Selection:
    """At most one row of each group of equal rows, none equal to the random rows `drawn` (n,) for this batch; groups of
    which a row was labelled or asked for before come last. Labels of equal random rows are not looked at."""
    first = np.zeros(len(pool), bool)
    open_rows = np.flatnonzero(evidence.available & ~np.isin(pool.group, pool.group[drawn]))
    first[open_rows[first_of_groups(pool.group[open_rows])]] = True
    seen = np.isin(pool.group, pool.group[(pool.labelled | pool.pending) & ~drawn])
    anchors, found = evidence.anchors.copy(), []
    for tier, rows in enumerate((first & ~seen, first & seen)):
        count = min(b - sum(len(one.index) for one in found), int(rows.sum()))
        if count:
            part = replace(evidence, available=rows, anchors=anchors.copy())
            found.append(propose(key_for(key, tier), strategy, part, count))
            anchors[found[-1].index] = True
    return joined(found)
