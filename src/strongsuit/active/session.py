"""init, ask, tell: the only loop of active learning, on immutable values.

    session = init(key, learner, X)
    session, batch = ask(session, 40)
    session = tell(session, batch.index, measure(X[batch.index]))

The same session asked twice gives the same batch; the order in which labels are told does not matter.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from strongsuit.active import guard
from strongsuit.active.evidence import Committee, Evidence, gather, train
from strongsuit.active.guard import RANDOM, TRIAL, Verdict
from strongsuit.active.pool import ACTIVE, AUDIT, START, Pool, asked, failed, first_of_groups, pool_of, told
from strongsuit.active.selectors.candidates import Selection
from strongsuit.active.strategies import Strategy, find_strategy, propose
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import fit_many, member_keys, predict_many
from strongsuit.errors import InputError

log = logging.getLogger(__name__)

DEFAULT, START_STRATEGY = "lcmd_tp", "lcmd_x"
MEMBERS = 5  # of the committee that selects; the deployed one has as many
LEAST_START = 20
RESERVED = 0.1  # share of a table that only random draws may take
FOLDS = 5


@dataclass(frozen=True)
class Batch:
    """Rows to label: index (b,) in random order, role (b,), why they were chosen, and flags of the selector.

    `pick` (b,) is each row's place among those the strategy chose, from 1, and `gain` (b,) its criterion then; 0 and
    NaN for random rows.
    """

    index: np.ndarray
    role: np.ndarray
    strategy: str
    words: str
    degraded: str = ""
    pick: np.ndarray | None = None
    gain: np.ndarray | None = None


@dataclass(frozen=True)
class Session:
    """Everything a campaign of one pool needs to go on; `stream` (n,) is the order of random draws, `order` (n,) when a
    row was asked for, -1 for never."""

    key: Key
    learner: Any
    strategy: Strategy
    pool: Pool
    stream: np.ndarray
    order: np.ndarray
    guarded: bool = True
    proven: bool = False
    state: str = TRIAL
    learned: bool = False
    round: int = 0
    verdicts: tuple[Verdict, ...] = field(default=())
    allow_replicates: bool = False


def init(
    key: Key,
    learner: Any,
    X: np.ndarray,
    *,
    y: np.ndarray | None = None,
    outputs: int = 1,
    strategy: str = DEFAULT,
    guarded: bool = True,
    proven: bool = False,
    allow_replicates: bool = False,
) -> Session:
    """A session on rows X (n, d), some of whose labels y (n, k) may be known.

    Of rows with the same inputs a batch holds one, and those of which one is labelled come last, unless
    `allow_replicates`, as noisy labels may want.
    """
    pool = pool_of(X, y=y, outputs=outputs)
    stream = key_for(key, "stream").numpy().permutation(len(pool))
    chosen = find_strategy(strategy)
    if chosen.evaluation_only:
        raise InputError(f"strategy {strategy!r} looks at true labels: it runs in benchmarks only")
    if guarded and strategy != "random":
        open_rows = stream[pool.available[stream]]
        first = max(0, start_rows(pool) - int(pool.labelled.sum()))
        kept = open_rows[first : first + int(RESERVED * len(pool))]
        pool.reserved[kept] = True
    order = np.where(pool.labelled, 0, -1)
    guarded = guarded and strategy != "random"
    return Session(key, learner, chosen, pool, stream, order, guarded, proven, allow_replicates=allow_replicates)


def start_rows(pool: Pool) -> int:
    """How many random rows a session begins with."""
    return max(LEAST_START, 2 * (pool.X.shape[1] + 1))


def ask(session: Session, b: int) -> tuple[Session, Batch]:
    """The session with b rows marked as asked for, and these rows: all there are if they are fewer.

    Raises InputError for b below 1, and when no row is left.
    """
    pool = session.pool
    if b < 1:
        raise InputError(f"a batch needs at least one row, got {b}")
    if not pool.available.any():
        raise InputError("no row is left to ask for: all are labelled, pending or excluded")
    b = min(b, int(pool.available.sum()))
    key = key_for(session.key, "round", session.round)
    known = int((pool.labelled | pool.pending).sum())
    if known < start_rows(pool) and (known == 0 or not pool.labelled.any()):
        index = _drawn(session, b)
        return _asked(session, index, np.full(len(index), START), "random", "to begin with", "")
    session = _judged(key, session)
    share = guard.share_of(session.state, proven=session.proven) if session.guarded else 0.0
    audits = min(b, int(np.ceil(share * b)))
    audit = _drawn(session, audits)
    session_, strategy = _strategy(key, session)
    taken = replace(pool, state=asked(pool, audit, AUDIT).state) if len(audit) else pool
    rest = min(b - len(audit), int((taken.available & ~taken.reserved).sum())) if share < 1 else 0
    if not rest:
        why = "random, because active selection did harm" if session.state == RANDOM else "random share of the batch"
        return _asked(session_, audit, np.full(len(audit), AUDIT), "random", why, "")
    chosen = _selected(key, session_, strategy, taken, audit, rest)
    index = np.concatenate([audit, chosen.index])
    role = np.concatenate([np.full(len(audit), AUDIT), np.full(len(chosen.index), ACTIVE)])
    shuffled = key_for(key, "order").numpy().permutation(len(index))
    words = strategy.words + (f"; {len(audit)} rows at random" if len(audit) else "")
    session_, batch = _asked(session_, index[shuffled], role[shuffled], strategy.name, words, chosen.degraded)
    pick = np.concatenate([np.zeros(len(audit), int), 1 + np.arange(len(chosen.index))])[shuffled]
    gain = np.concatenate([np.full(len(audit), np.nan), chosen.gain])[shuffled]
    return session_, replace(batch, pick=pick, gain=gain)


def tell(session: Session, index: np.ndarray, y: np.ndarray) -> Session:
    """The session with labels y (b, k) of rows, asked for or not."""
    index = np.atleast_1d(np.asarray(index, int))
    pool = told(session.pool, index, y)
    order = session.order.copy()
    order[index] = np.where(order[index] < 0, session.round, order[index])
    return replace(session, pool=pool, order=order)


def fail(session: Session, index: np.ndarray) -> Session:
    """The session without rows that cannot be labelled."""
    return replace(session, pool=failed(session.pool, index))


def fit(session: Session, *, members: int = MEMBERS) -> Committee:
    """The deployed committee: trained on all labelled rows."""
    return train(key_for(session.key, "deployed", session.round), session.learner, session.pool, members)


def _drawn(session: Session, count: int) -> np.ndarray:
    """The next rows of the random stream; a row equal to an earlier one of them waits for a later batch."""
    rows, group = session.stream[session.pool.available[session.stream]], session.pool.group
    if group is not None and not session.allow_replicates:
        rows = rows[first_of_groups(group[rows])]
    return rows[:count]


def _asked(session: Session, index, role, strategy: str, words: str, degraded: str) -> tuple[Session, Batch]:
    order = session.order.copy()
    order[index] = session.round + 1
    pool = asked(session.pool, index, role)
    later = replace(session, pool=pool, order=order, round=session.round + 1)
    none = np.zeros(len(index), int)
    return later, Batch(index, role, strategy, words, degraded, none, np.full(len(index), np.nan))


def _judged(key: Key, session: Session) -> Session:
    """The session after the guard has looked, if it was time."""
    if not session.guarded or not guard.due(session.pool, session.round, session.state, proven=session.proven):
        return session
    verdict = guard.check(
        key_for(key, "guard"), session.learner, session.pool, session.order, round_=session.round, state=session.state
    )
    if verdict.next_state == RANDOM:
        log.warning("falling back to random rows: %s", verdict.sentence())
    return replace(session, state=verdict.next_state, verdicts=(*session.verdicts, verdict))


def _strategy(key: Key, session: Session) -> tuple[Session, Strategy]:
    """The strategy of this round: on the inputs alone until the learner has learned anything."""
    if not session.strategy.learns or session.learned:
        return session, session.strategy
    if _has_learned(key_for(key, "learned"), session):
        return replace(session, learned=True), session.strategy
    return session, find_strategy(START_STRATEGY)


def _has_learned(key: Key, session: Session) -> bool:
    """Whether cross-validated errors are below those of the mean by more than a standard error."""
    pool = session.pool
    used = np.flatnonzero(pool.labelled & (pool.role != AUDIT))
    if len(used) < 2 * FOLDS:
        return False
    y = pool.y[used]
    center = y.mean(0)
    scale = float(np.sqrt(((y - center) ** 2).mean()))
    if scale == 0.0:
        return False
    y = (y - center) / scale
    fold = key_for(key, "folds").numpy().permutation(np.arange(len(used)) % FOLDS)
    W = np.stack([fold != f for f in range(FOLDS)]).astype(float)
    params = fit_many(session.learner, member_keys(key, FOLDS), pool.X[used], y, W)
    said = np.asarray(predict_many(session.learner, params, pool.X[used]).mean, float)
    gain = (y**2 - (y - said[fold, np.arange(len(used))]) ** 2).mean(1)
    return bool(gain.mean() > gain.std(ddof=1) / len(gain) ** 0.5)


def _selected(key: Key, session: Session, strategy: Strategy, pool: Pool, audit: np.ndarray, b: int):
    """The active rows: random rows of the audit neither train the selecting committee nor count as anchors."""
    hidden = session.guarded & (pool.role == AUDIT)
    hidden[audit] = session.guarded
    committee = None
    if strategy.learns:
        committee = train(key_for(key, "train"), session.learner, pool, MEMBERS, rows=~hidden, needs=strategy.needs)
    anchors = (pool.labelled | pool.pending) & ~hidden
    evidence = gather(key, committee, pool, strategy.needs, anchors=anchors)
    if pool.group is None or session.allow_replicates:
        return propose(key_for(key, "propose"), strategy, evidence, b)
    return _distinct(key_for(key, "propose"), strategy, evidence, pool, session.pool, audit, b)


def _distinct(key: Key, strategy: Strategy, evidence: Evidence, pool: Pool, before: Pool, audit, b: int) -> Selection:
    """At most one row of each group of equal rows, none equal to a random row of this batch; groups of which a row was
    labelled or asked for before come last. The labels of equal random rows are not looked at, only their inputs."""
    first = np.zeros(len(pool), bool)
    open_rows = np.flatnonzero(evidence.available & ~np.isin(pool.group, pool.group[audit]))
    first[open_rows[first_of_groups(pool.group[open_rows])]] = True
    seen = np.isin(pool.group, pool.group[before.labelled | before.pending])
    index, gain, flags = np.zeros(0, int), np.zeros(0), []
    for tier, rows in enumerate((first & ~seen, first & seen)):
        count = min(b - len(index), int(rows.sum()))
        if count:
            anchors = evidence.anchors.copy()
            anchors[index] = True
            found = propose(key_for(key, tier), strategy, replace(evidence, available=rows, anchors=anchors), count)
            index, gain = np.append(index, found.index), np.append(gain, found.gain)
            flags += [found.degraded] if found.degraded else []
    return Selection(index, gain, ",".join(dict.fromkeys(flags)))
