"""`suggest`: one stateless call from a pool and its labels to the next batch, its reasons, the curve and the advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from strongsuit import recipes
from strongsuit.active.history import History, look_back, rounds_of
from strongsuit.active.pool import AVAILABLE, ROLES, START, asked
from strongsuit.active.reasons import whys
from strongsuit.active.session import AT_RANDOM, RESERVED, Batch, Session, ask, chosen_learner, init, start_rows
from strongsuit.active.strategies import CLASSIFICATION, REGRESSION, table_of
from strongsuit.active.suspects import Suspect, suspects
from strongsuit.core.keys import Key, key_for, root_key
from strongsuit.core.ties import ranks, tie_seed
from strongsuit.datasets.writing import write_table
from strongsuit.errors import InputError
from strongsuit.suggestions.facts import facts_of, suspects_of
from strongsuit.suggestions.limits import Limits
from strongsuit.suggestions.tables import (
    BOOKKEEPING,
    RANK,
    ROLE,
    ROUND,
    ROW,
    STATE,
    WHY,
    Columns,
    Universe,
    read_universe,
)
from strongsuit.suggestions.words import lines


@dataclass(frozen=True)
class Suggestion:
    """The rows to label, as a frame with why each was chosen; the facts as JSON has them; a text to read; and the
    history of the error, which `plots.draw_progress` draws."""

    frame: pd.DataFrame
    facts: dict[str, Any]
    text: str
    history: History


def suggest(
    pool: Any,
    *,
    labelled: Any = None,
    target: str | Sequence[str],
    n: int = 10,
    strategy: str = "auto",
    id: str | None = None,
    exclude: Sequence[str] = (),
    order: str | None = None,
    cost: str | None = None,
    price: float | None = None,
    budget: float | None = None,
    target_error: float | None = None,
    worth: float | None = None,
    learner: Any = "auto",
    task: str = "auto",
    classes: Sequence[Any] = (),
    multi_label: bool = False,
    annotator: str | None = None,
    start: str = AT_RANDOM,
    guarded: bool = True,
    allow_replicates: bool = False,
    random_state: Any = 0,
    out: str | Path | None = None,
) -> Suggestion:
    """The n rows of a pool that should be labelled next.

    Parameters
    ----------
    pool : path or frame
        Rows that may be labelled: a CSV or Parquet file, a folder of Parquet files, or a frame. Columns that the
        labelled table lacks are kept in the answer and not used. Rows that are labelled already are not chosen again.
    labelled : path or frame
        Rows with their labels; rows whose label cell is empty count as asked for. Answers of earlier calls may be
        appended as they are: their columns `strongsuit_role`, `strongsuit_round` and `strongsuit_guard` tell which
        rows were drawn at random and what the guard has decided. None where no label is known yet and `classes` are
        declared, or with `multi_label`.
    target : str or list of str
        The label columns.
    n : int
        Rows to label; all that are left if they are fewer.
    strategy : str
        "auto", or a name that `strongsuit strategies` lists for the task.
    id : str
        Column that identifies rows in both tables; without it rows are the same if all features are.
    exclude : list of str
        Columns that are no features.
    order : str
        Column of the labelled table that says when each row was labelled (a number or date), for the learning curve;
        not needed for answers of earlier calls.
    cost : str
        Column of the pool with the price of each row. Strategies that choose by a score (qbc, bald, emoc, ...) then
        choose by score over price; for the others the price is only reported, as is that of random rows.
    price : float
        The price of each row, where all cost the same.
    budget : float
        The most to spend, in prices if `cost` or `price` is given, else in labels. The batch is cut to fit.
    target_error : float
        Root mean squared error that is good enough, in units of the target; of classes the share that is wrong.
    worth : float
        What a fall of the mean squared error by 1 % is worth, in the units of the prices.
    learner : str, regressor, classifier or Learner
        The model whose uncertainty counts: "auto" (a committee of small networks or a Gaussian process,
        whichever cross-validates better on the labels), a name of `strongsuit.recipes.FAMILIES`, an
        unfitted scikit-learn regressor, or a Learner. For classes "auto" is logistic regression; names are those of
        `strongsuit.recipes.CLASSIFIERS`.
    task : str
        "regression", "classification", or "auto": classes where the target is text or truth values.
    classes : list
        All classes there are, where the labels so far may not show every one.
    multi_label : bool
        Each target is a label that a row has or has not, 0 or 1; every label has a classifier of its own.
    annotator : str
        Column of the labelled table with the name of who gave a label: it then has a line for each answer, in the order
        in which they were given, and a row's label is the share of its classes, or the mean of numbers. Needs `id`.
    start : str
        Where no row is labelled: "random" rows first, or those that "cover" the inputs beside the guard's random share.
    guarded : bool
        Draw a share of the rows at random and fall back to random rows where active selection does harm.
    allow_replicates : bool
        Let a batch hold rows whose features are equal, and treat rows equal to labelled ones like all others.
    random_state : int
        The same number gives the same rows; keep it from call to call.
    out : path
        File for the rows: CSV or Parquet.

    Raises
    ------
    InputError
        For tables that do not fit together, duplicate identifiers, missing features, an empty pool, a spent budget,
        unknown names.
    """
    limits = Limits(n, price, budget, target_error, worth, cost)
    targets = (target,) if isinstance(target, str) else tuple(target)
    task = recipes.active_task(learner, CLASSIFICATION if multi_label and task == "auto" else task)
    if task != "auto":
        recipes.find_active(learner, strategy, task)  # a wrong name is said before a table is read
    columns = Columns(targets, id, cost, order, tuple(exclude), task, tuple(classes), annotator, multi_label)
    universe = read_universe(pool, labelled, columns)
    task = CLASSIFICATION if universe.classifies else REGRESSION
    family, name = recipes.find_active(learner, strategy, task, multi_label=multi_label)
    free = int((universe.state == AVAILABLE).sum())
    if not free:
        raise InputError(
            f"all {len(universe.given)} rows of the pool are labelled or asked for: nothing is left to ask"
        )
    key = key_for(root_key(random_state), "suggest")
    session = _session(key, universe, family, name, guarded=guarded, allow_replicates=allow_replicates, start=start)
    session = _priced(session, universe.price)
    after, batch = ask(session, limits.rows(universe))
    batch = limits.affordable(batch, universe)
    history = _history(key, universe, session, after, limits, batch)
    frame = _frame(universe, after, batch)
    facts = facts_of(universe, session, after, batch, history, limits, free)
    facts["suspects"] = suspects_of(universe, _suspects(key_for(key, "suspects"), universe, after))
    if out is not None:
        write_table(frame, Path(out))
        facts["out"] = str(out)
    unit = f" of {targets[0]}" if len(targets) == 1 else " over all targets"
    text = "\n".join(lines(facts, batch, history, after.verdicts, unit))
    return Suggestion(frame, facts, text, history)


def listed_strategies() -> list[dict[str, Any]]:
    """The strategies a user may name: name, task, what it chooses, what it needs, where it comes from, and whether its
    record in the benchmark makes the guard trust it from the start."""
    return [
        {
            "name": s.name, "task": task, "chooses": s.words, "needs": sorted(s.needs), "source": s.source,
            "proven": s.proven,
        }
        for task in (REGRESSION, CLASSIFICATION)
        for s in table_of(task).values()
        if not s.evaluation_only
    ]  # fmt: skip


def _session(
    key: Key, universe: Universe, family: Any, strategy: str, *, guarded: bool, allow_replicates: bool, start: str
) -> Session:
    """The session as it would stand had it lived since the first call.

    Random draws walk an order that each row's identity fixes, so that rows may be added, shuffled or taken out.
    """
    session = init(key, family, universe.X, y=universe.y, strategy=strategy, guarded=guarded,
                   allow_replicates=allow_replicates, start=start)  # fmt: skip
    stream = np.argsort(ranks(tie_seed(key_for(key, "stream")), universe.identity), kind="stable")
    reserved = np.zeros(len(universe.X), bool)
    if session.guarded:
        later = stream[~(universe.labelled & (universe.role == START))[stream]]
        reserved[later[: int(RESERVED * len(later))]] = True
    pool = replace(
        session.pool, state=universe.state, role=universe.role, reserved=reserved & (universe.state == AVAILABLE)
    )
    order, rounds = universe.order, max(0, int(universe.order.max(initial=0)))
    return replace(session, pool=pool, stream=stream, order=order, round=rounds, state=universe.guard or session.state)


def _priced(session: Session, price: np.ndarray | None) -> Session:
    """The session with the prices of its rows, which the words of a strategy mention if it looks at them."""
    if price is None:
        return session
    strategy = session.strategy
    if strategy.scored:
        strategy = replace(strategy, words=f"{strategy.words}, for their price")
    # Labelled rows from outside the pool may have no price; nobody chooses them.
    return replace(session, price=np.nan_to_num(price, nan=1.0), strategy=strategy)


def _history(key: Key, universe: Universe, session: Session, after: Session, limits: Limits, batch: Batch) -> History:
    pool = session.pool
    asked_before = universe.order[universe.labelled].max(initial=0) > 0 and not universe.ordered
    begun = int((universe.labelled & (universe.role == START)).sum()) if asked_before else start_rows(pool)
    states = universe.states | {after.round: after.state if after.guarded else "off"}
    history = look_back(
        key_for(key, "history"), chosen_learner(after), pool, universe.order, batch=len(batch.index), start=begun,
        cost=limits.spent(universe), rule=limits.rule(universe, batch), classes=universe.classifies,
    )  # fmt: skip
    order = universe.order.copy()
    order[batch.index] = after.round
    rounds = rounds_of(asked(pool, batch.index, batch.role), order, states)
    return replace(history, rounds=rounds)


def _suspects(key: Key, universe: Universe, after: Session) -> tuple[Suspect, ...]:
    """Labelled rows to be looked at again; none where labels are numbers."""
    if not universe.classifies:
        return ()
    return suspects(key, chosen_learner(after), after.pool, universe.answers)


def _frame(universe: Universe, after: Session, batch: Batch) -> pd.DataFrame:
    given = universe.given
    frame = given.drop(columns=[c for c in BOOKKEEPING if c in given.columns]).iloc[batch.index].reset_index(drop=True)
    added = {
        ROW: batch.index + 1,
        ROLE: [ROLES[role] for role in batch.role],
        ROUND: after.round,
        STATE: after.state if after.guarded else "off",
        RANK: pd.array([int(pick) or None for pick in batch.pick], dtype="Int64"),
        WHY: whys(batch, after.strategy),
    }
    return frame.assign(**added)
