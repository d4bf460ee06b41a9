"""init, ask, tell: the only loop of active learning, on immutable values.

    session = init(key, learner, X)
    session, batch = ask(session, 40)
    session = tell(session, batch.index, measure(X[batch.index]))

The same session asked twice gives the same batch; the order in which labels are told does not matter.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from strongsuit.active import guard
from strongsuit.active.answers import Answers, answers_of, heard
from strongsuit.active.auxiliary import VOTES
from strongsuit.active.box import Box
from strongsuit.active.choice import beats_the_mean, serving
from strongsuit.active.committee import Committee, train
from strongsuit.active.coverage import NO_LABELS, blind, uninformed
from strongsuit.active.defaults import START_STRATEGY, default_strategy, task_of
from strongsuit.active.evidence import FOLDS, check_votes
from strongsuit.active.folds import cross_fitted
from strongsuit.active.guard import RANDOM, TRIAL, Verdict
from strongsuit.active.labels import by_label, has_labels
from strongsuit.active.memory import PAST, Recorded
from strongsuit.active.offers import narrowed, widened
from strongsuit.active.pool import ACTIVE, AUDIT, START, Pool, asked, failed, first_of_groups, pool_of, told
from strongsuit.active.rounds import choose
from strongsuit.active.search.over_labels import per_label
from strongsuit.active.selectors.candidates import Selection, joined_flags
from strongsuit.active.strategies import CLASSIFICATION, find_strategy
from strongsuit.active.strategy import Strategy, check_place
from strongsuit.core.keys import Key, key_for
from strongsuit.errors import InputError

log = logging.getLogger(__name__)

MEMBERS = 5  # of the committee that selects; the deployed one has as many
LEAST_START = 20
AT_RANDOM, TO_COVER = STARTS = ("random", "cover")  # how the first rows are chosen where none is labelled
RESERVED = 0.1  # share of a table that only random draws may take


@dataclass(frozen=True)
class Batch:
    """Rows to label: index (b,) in random order, role (b,), why they were chosen, and flags of the selector.

    `pick` (b,) is each row's place among those the strategy chose, from 1, and `gain` (b,) its criterion then; 0 and
    NaN for random rows. `facts` are what a search for a strategy has found.
    """

    index: np.ndarray
    role: np.ndarray
    strategy: str
    words: str
    degraded: str = ""
    pick: np.ndarray | None = None
    gain: np.ndarray | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Session:
    """Everything a campaign of one pool needs to go on; `stream` (n,) is the order of random draws, `order` (n,) when a
    row was asked for, -1 for never. With a `box` the pool holds only rows that were asked for or came labelled.
    `selecting` is the committee that chose last, from which the next one goes on. `price` (n,) is what labels cost;
    `members` how many models a committee has, where one of them is not all there is; `past` what a strategy that
    learns from its own picks recorded of every batch; `start` how the first rows are chosen; `answers` all that was
    told, also what was revised, None before the first."""

    key: Key
    learner: Any
    strategy: Strategy
    pool: Pool
    stream: np.ndarray
    order: np.ndarray
    guarded: bool = True
    state: str = TRIAL
    learned: bool = False
    round: int = 0
    verdicts: tuple[Verdict, ...] = field(default=())
    allow_replicates: bool = False
    box: Box | None = None
    selecting: Committee | None = None
    price: np.ndarray | None = None
    members: int = MEMBERS
    past: tuple[Recorded, ...] = ()
    start: str = AT_RANDOM
    answers: Answers | None = None


def init(
    key: Key,
    learner: Any,
    X: np.ndarray,
    *,
    y: np.ndarray | None = None,
    outputs: int = 1,
    strategy: str | None = None,
    guarded: bool = True,
    allow_replicates: bool = False,
    members: int = MEMBERS,
    start: str = AT_RANDOM,
) -> Session:
    """A session on rows X (n, d), some of whose labels y (n, k) may be known, by a named strategy or the learner's
    `default_strategy`.

    Of rows with the same inputs a batch holds one, and those of which one is labelled come last, unless
    `allow_replicates`, as noisy labels may want. Without any label the first rows are drawn at `start` "random", or
    those that "cover" the inputs are chosen beside the guard's random share.
    """
    if start not in STARTS:
        raise InputError(f"start must be one of {', '.join(STARTS)}, got {start!r}")
    pool = pool_of(X, y=y, outputs=outputs)
    stream = key_for(key, "stream").numpy().permutation(len(pool))
    strategy = strategy or default_strategy(learner)
    task = task_of(learner)
    chosen = find_strategy(strategy, task)
    if chosen.evaluation_only:
        raise InputError(f"strategy {strategy!r} looks at true labels: it runs in benchmarks only")
    if task == CLASSIFICATION and pool.y.shape[1] < 2 and not has_labels(learner):
        raise InputError("labels of a classifier are indicator columns (n, k), one for each of at least two classes")
    if VOTES in chosen.needs:
        check_votes(learner.each if has_labels(learner) else learner, members)
    if has_labels(learner):
        check_place(chosen, learner.each, boxed=False)
        chosen = per_label(chosen)
    else:
        learner = serving(learner, partial(check_place, chosen, boxed=False))
    if guarded and strategy != "random":
        open_rows = stream[pool.available[stream]]
        first = max(0, start_rows(pool) - int(pool.labelled.sum())) if start == AT_RANDOM else 0
        kept = open_rows[first : first + int(RESERVED * len(pool))]
        pool.reserved[kept] = True
    order = np.where(pool.labelled, 0, -1)
    guarded = guarded and strategy != "random"
    # Rules for classes say themselves how they do with few labels; those for numbers wait until the learner is of use.
    return Session(
        key, learner, chosen, pool, stream, order, guarded, guard.first_state(proven=chosen.proven),
        learned=task == CLASSIFICATION, allow_replicates=allow_replicates, members=members, start=start,
    )  # fmt: skip


def init_box(
    key: Key,
    learner: Any,
    box: Box,
    *,
    X: np.ndarray | None = None,
    y: np.ndarray | None = None,
    outputs: int = 1,
    strategy: str | None = None,
    guarded: bool = True,
) -> Session:
    """A session on a box of inputs; rows X (n, d) whose labels y (n, k) are known may come with it, from outside too.

    Every `ask` draws fresh candidates and appends those it chose to the pool, whose X holds the inputs to label:
    `session.pool.X[batch.index]`. A row's number never changes. Raises InputError for a strategy that looks at true
    labels or that the learner cannot serve, and for rows without labels.
    """
    X = np.empty((0, len(box))) if X is None else np.asarray(X, float)
    pool = replace(pool_of(X, y=y, outputs=outputs), group=None)  # points of a box do not repeat
    if X.shape[1] != len(box) or not pool.labelled.all():
        raise InputError(f"rows that come with a box need labels and {len(box)} columns; X has shape {X.shape}")
    strategy = strategy or default_strategy(learner)
    chosen = find_strategy(strategy, task_of(learner))
    if chosen.evaluation_only:
        raise InputError(f"strategy {strategy!r} looks at true labels: it runs in benchmarks only")
    learner = serving(learner, partial(check_place, chosen, boxed=True))
    guarded, order = guarded and strategy != "random", np.zeros(len(pool), int)
    state = guard.first_state(proven=chosen.proven)
    return Session(key, learner, chosen, pool, np.empty(0, int), order, guarded, state, box=box)


def start_rows(pool: Pool) -> int:
    """How many random rows a session begins with."""
    return max(LEAST_START, 2 * (pool.X.shape[1] + 1))


def ask(session: Session, b: int) -> tuple[Session, Batch]:
    """The session with b rows marked as asked for, and these rows: all there are if they are fewer, flagged
    "pool_exhausted".

    Raises InputError for b below 1, and when no row is left.
    """
    if b < 1:
        raise InputError(f"a batch needs at least one row, got {b}")
    if session.box is not None:
        return _ask_in_box(session, b)
    later, batch = _ask(session, b)
    short = "pool_exhausted" if b > session.pool.available.sum() else ""
    return later, replace(batch, degraded=joined_flags(batch.degraded, short))


def _ask_in_box(session: Session, b: int) -> tuple[Session, Batch]:
    """The same among fresh rows of the box; those not chosen are dropped again."""
    known, key = len(session.pool), key_for(session.key, "box", session.round)
    pool, stream = widened(key, session.pool, session.box, b, evenly=session.strategy.name != "random")
    order = np.append(session.order, np.full(len(pool) - known, -1))
    later, batch = _ask(replace(session, pool=pool, stream=stream, order=order), b)
    if not len(batch.index):
        raise InputError("the constraint refused every point that was made up: take a strategy that chooses among rows")
    later = replace(
        later,
        pool=narrowed(later.pool, known, batch.index),
        stream=session.stream,
        order=np.append(session.order, later.order[batch.index]),
    )
    degraded = joined_flags(batch.degraded, "few_feasible" if len(batch.index) < b else "")
    return later, replace(batch, index=known + np.arange(len(batch.index)), degraded=degraded)


def _ask(session: Session, b: int) -> tuple[Session, Batch]:
    """The session with at most b rows of its pool marked as asked for, and these rows."""
    pool = session.pool
    if not pool.available.any():
        raise InputError("no row is left to ask for: all are labelled, pending or excluded")
    b = min(b, int(pool.available.sum()))
    key = key_for(session.key, "round", session.round)
    known = int((pool.labelled | pool.pending).sum())
    if session.start == AT_RANDOM and known < start_rows(pool) and (known == 0 or not pool.labelled.any()):
        index = _drawn(session, b)
        return _asked(session, index, np.full(len(index), START), "random", "to begin with", "")
    reason = blind(pool.y[pool.labelled & ~_hidden(session)], task_of(session.learner))
    session = _judged(key, session if reason else _taught(key, session))
    share = guard.SHARES[session.state] if session.guarded else 0.0
    audits = min(b, int(np.ceil(share * b)))
    audit = _drawn(session, audits)
    session_, strategy = _strategy(key, session, blinded=bool(reason))
    taken = replace(pool, state=asked(pool, audit, AUDIT).state) if len(audit) else pool
    rest = min(b - len(audit), int((taken.available & ~taken.reserved).sum())) if share < 1 else 0
    if not rest:
        why = "random, because active selection did harm" if session.state == RANDOM else "random share of the batch"
        return _asked(session_, audit, np.full(len(audit), AUDIT), "random", why, "")
    hidden = _hidden(session_)
    hidden[audit] = session.guarded
    found, chosen = choose(
        key, strategy, session_.selecting if strategy.learns else None, taken, rest, hidden=hidden, drawn=audit,
        box=session.box, price=session.price, allow_replicates=session.allow_replicates,
        round_=session.round, past=session.past,
    )  # fmt: skip
    session_ = replace(session_, pool=replace(session_.pool, X=found.X), past=_recorded(session, strategy, chosen))
    index = np.concatenate([audit, chosen.index])
    role = np.concatenate([np.full(len(audit), AUDIT), np.full(len(chosen.index), ACTIVE)])
    shuffled = key_for(key, "order").numpy().permutation(len(index))
    words = strategy.words + (f"; {len(audit)} rows at random" if len(audit) else "")
    reasons = joined_flags(reason if session.strategy.learns or reason == NO_LABELS else "", chosen.degraded)
    session_, batch = _asked(session_, index[shuffled], role[shuffled], strategy.name, words, reasons)
    pick = np.concatenate([np.zeros(len(audit), int), 1 + np.arange(len(chosen.index))])[shuffled]
    gain = np.concatenate([np.full(len(audit), np.nan), chosen.gain])[shuffled]
    return session_, replace(batch, pick=pick, gain=gain, facts=chosen.facts)


def tell(session: Session, index: np.ndarray, y: np.ndarray, *, annotator: str | None = None) -> Session:
    """The session with labels y (b, k) of rows, asked for or not.

    Of several annotators the mean of their answers is a row's label: shares of classes, or the mean of numbers. A later
    answer of the same annotator takes the place of the earlier one; labels that nobody is named for are one person's.
    """
    index = np.atleast_1d(np.asarray(index, int))
    pool = told(session.pool, index, y)
    answers, pool.y[index] = heard(answers_so_far(session), index, pool.y[index], annotator)
    order, selecting = session.order.copy(), session.selecting
    order[index] = np.where(order[index] < 0, session.round, order[index])
    changed = session.pool.labelled[index] & (pool.y[index] != session.pool.y[index]).any(1)
    if selecting is not None and changed.any():
        selecting = replace(selecting, begun=0)  # other labels of the same rows: it is to be trained anew
    return replace(session, pool=pool, order=order, answers=answers, selecting=selecting)


def answers_so_far(session: Session) -> Answers:
    """All that was told, in order; labels that came with the session are answers of an unnamed annotator."""
    if session.answers is not None:
        return session.answers
    known = np.flatnonzero(session.pool.labelled)
    return answers_of(known, session.pool.y[known])


def fail(session: Session, index: np.ndarray) -> Session:
    """The session without rows that cannot be labelled."""
    return replace(session, pool=failed(session.pool, index))


def fit(session: Session, *, members: int | None = None, start: Committee | None = None) -> Committee:
    """The deployed committee: trained on all labelled rows, going on from that of an earlier round if it is given. Its
    learner is the one that the selecting committee has chosen."""
    key = key_for(session.key, "deployed", session.round)
    watched = session.guarded and session.state != RANDOM
    learner = chosen_learner(session) if watched else session.learner
    return train(key, learner, session.pool, members or session.members, start=start)


def chosen_learner(session: Session) -> Any:
    """The learner of the selecting committee, or what it is to be chosen from."""
    return session.learner if session.selecting is None else session.selecting.learner


def fitted(session: Session, *, start: Committee | None = None) -> tuple[Session, Committee]:
    """The session and its deployed committee, which also chooses next where no rows are hidden from the choice."""
    committee, last = fit(session, start=start), session.selecting
    known = last.auxiliary if last is not None and last.begun == committee.begun else {}  # gone on with when asked for
    return (session if session.guarded else replace(session, selecting=replace(committee, auxiliary=known))), committee


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


def _taught(key: Key, session: Session) -> Session:
    """The session whose selecting committee knows all labels but those of random rows, which watch over it."""
    used = session.pool.labelled & ~_hidden(session)
    if not session.strategy.learns or session.state == RANDOM or not used.any():
        return session
    several = has_labels(session.learner)
    committee = train(
        key_for(key, "train"), session.learner, session.pool, session.members, rows=used, start=session.selecting,
        needs=() if several else session.strategy.needs, round_=session.round,
    )  # fmt: skip
    if several:
        committee = by_label(key, committee, session.pool, session.members, session.strategy.needs, rows=used)
    elif FOLDS in session.strategy.needs and used.sum() > 1:
        own, needs = key_for(key, "folds"), session.strategy.needs
        folds = cross_fitted(own, committee.learner, session.pool, session.members, needs, rows=used)
        committee = replace(committee, folds=folds)
    return replace(session, selecting=committee)


def _recorded(session: Session, strategy: Strategy, chosen: Selection) -> tuple[Recorded, ...]:
    """The records with that of a batch, if the strategy learns from its own picks."""
    if PAST not in strategy.needs or session.box is not None or chosen.part is None:
        return session.past
    record = Recorded(session.round, strategy.name, chosen.index, chosen.part, chosen.chance, chosen.facts)
    return (*session.past, record)


def _hidden(session: Session) -> np.ndarray:
    """(n,) bool: rows that the choice must not see: they neither train the selecting committee nor are anchors."""
    return session.guarded & (session.pool.role == AUDIT)


def _judged(key: Key, session: Session) -> Session:
    """The session after the guard has looked, if it was time."""
    last = session.verdicts[-1] if session.verdicts else None
    if not session.guarded or not guard.due(session.pool, session.round, session.state, last=last):
        return session
    verdict = guard.check(
        key_for(key, "guard"), chosen_learner(session), session.pool, session.order, round_=session.round,
        state=session.state, start=session.selecting,
    )  # fmt: skip
    if verdict.next_state == RANDOM:
        log.warning("falling back to random rows: %s", verdict.sentence())
    return replace(session, state=verdict.next_state, verdicts=(*session.verdicts, verdict))


def _strategy(key: Key, session: Session, *, blinded: bool) -> tuple[Session, Strategy]:
    """The strategy of this round: on the inputs alone until the learner has learned anything, or while it is
    `blinded` by labels that are all alike."""
    if blinded:
        return session, uninformed(session.strategy, task_of(session.learner))
    if not session.strategy.learns or session.learned:
        return session, session.strategy
    used = session.pool.labelled & (session.pool.role != AUDIT)
    X, y = session.pool.X[used], session.pool.y[used]
    if beats_the_mean(key_for(key, "learned"), chosen_learner(session), X, y):
        return replace(session, learned=True), session.strategy
    return session, find_strategy(START_STRATEGY)
