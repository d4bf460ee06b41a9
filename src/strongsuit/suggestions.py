"""From a pool and a table of labelled rows to the rows that should be labelled next.

Stateless between calls: what the guard must remember (which rows were drawn at random, and when) travels in the
columns `strongsuit_role` and `strongsuit_round` of the tables themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from strongsuit import recipes
from strongsuit.active.pool import AUDIT, AVAILABLE, EXCLUDED, ROLES, pool_of
from strongsuit.active.session import DEFAULT, START_STRATEGY, Batch, Session, ask, init
from strongsuit.active.strategies import STRATEGIES
from strongsuit.core.keys import key_for, root_key
from strongsuit.datasets import read_table
from strongsuit.datasets.encoding import fit_encoder
from strongsuit.datasets.table import Table
from strongsuit.datasets.writing import write_table
from strongsuit.errors import InputError

ROLE, ROUND, RANK, WHY = "strongsuit_role", "strongsuit_round", "strongsuit_rank", "strongsuit_why"
BOOKKEEPING = (ROLE, ROUND, RANK, WHY)
AUTO = "auto"


@dataclass(frozen=True)
class Suggestion:
    """The rows to label, as a frame with why each was chosen; the facts as JSON has them; and a text to read."""

    frame: pd.DataFrame
    facts: dict[str, Any]
    text: str


def suggest(
    pool: Any,
    *,
    labelled: Any,
    target: str | Sequence[str],
    n: int = 10,
    strategy: str = AUTO,
    id: str | None = None,
    exclude: Sequence[str] = (),
    learner: str = "mlp",
    guarded: bool = True,
    random_state: Any = 0,
    out: str | Path | None = None,
) -> Suggestion:
    """The n rows of a pool that should be labelled next.

    Parameters
    ----------
    pool : path or frame
        Rows that may be labelled. Columns that the labelled table lacks are kept in the answer and not used.
    labelled : path or frame
        Rows with their labels. Answers of earlier calls may be appended as they are: their columns
        `strongsuit_role` and `strongsuit_round` tell the guard which rows were drawn at random.
    target : str or list of str
        The label columns.
    n : int
        Rows to label; all that are left if they are fewer.
    strategy : str
        "auto", or a name of `strongsuit.active.strategies.STRATEGIES`.
    id : str
        Column that identifies rows in both tables; without it rows are the same if all features are.
    exclude : list of str
        Columns that are no features.
    learner : str
        The model whose uncertainty counts: a name of `strongsuit.recipes.FAMILIES`.
    guarded : bool
        Draw a share of the rows at random and fall back to random rows where active selection does harm.
    random_state : int
        The same number gives the same rows.
    out : path
        File for the rows: CSV or Parquet.

    Raises
    ------
    InputError
        For tables that do not fit together, duplicate identifiers, an empty pool, unknown names.
    """
    if n < 1:
        raise InputError(f"n must be at least 1, got {n}")
    targets = [target] if isinstance(target, str) else list(target)
    known, table = _tables(pool, labelled, targets, id, [*exclude, *BOOKKEEPING])
    taken = _same_rows(known, table, id)
    if taken.all():
        raise InputError(f"all {len(taken)} rows of the pool are labelled: there is nothing to ask for")
    encoder = fit_encoder(pd.concat([known.table.X, table.X], ignore_index=True))
    both = np.vstack([encoder.transform(known.table.X).X, encoder.transform(table.X).X])
    session = _session(both, known, taken, strategy, learner, guarded, random_state)
    _, batch = ask(session, n)
    rows = batch.index - known.table.rows
    frame = _frame(table, rows, batch, session)
    facts = _facts(session, batch, known, taken, n)
    if out is not None:
        write_table(frame, Path(out))
        facts["out"] = str(out)
    return Suggestion(frame, facts, _text(facts))


def listed_strategies() -> list[dict[str, Any]]:
    """The strategies a user may name: name, what it chooses, what it needs, where it comes from."""
    return [
        {"name": s.name, "chooses": s.words, "needs": sorted(s.needs), "source": s.source}
        for s in STRATEGIES.values()
        if not s.evaluation_only
    ]


@dataclass(frozen=True)
class _Known:
    """Labelled rows, and the columns that are not features."""

    table: Table
    raw: pd.DataFrame


def _tables(pool, labelled, targets: list[str], id: str | None, left_out: list[str]) -> tuple[_Known, Any]:
    raw = _everything(labelled)
    beside = [name for name in [*left_out, *([id] if id else [])] if name in raw.columns]
    table = read_table(labelled, target=targets, exclude=beside)
    every = _everything(pool)
    missing = [name for name in table.names if name not in every.columns]
    if missing:
        raise InputError(f"the pool lacks the columns {', '.join(map(repr, missing))} that the labelled table has")
    for name in [id] if id else []:
        for where, frame in (("pool", every), ("labelled table", raw)):
            if name not in frame.columns:
                raise InputError(f"id names {name!r}, which the {where} does not have")
            if frame[name].duplicated().any():
                twice = frame[name][frame[name].duplicated()].iloc[0]
                raise InputError(f"identifier {twice!r} stands twice in column {name!r} of the {where}")
    open_pool = read_table(pool, features=list(table.names))
    return _Known(table, raw), _Pool(open_pool, every)


@dataclass(frozen=True)
class _Pool:
    """The pool's features, typed, and all its columns."""

    table: Table
    raw: pd.DataFrame

    @property
    def X(self) -> pd.DataFrame:
        return self.table.X


def _everything(source: Any) -> pd.DataFrame:
    """All columns of a table as they came."""
    if isinstance(source, pd.DataFrame):
        return source.reset_index(drop=True)
    return read_table(source).frame


def _same_rows(known: _Known, pool: _Pool, id: str | None) -> np.ndarray:
    """(rows of the pool,) bool: those that are labelled already."""
    if id is not None:
        return pool.raw[id].astype(str).isin(set(known.raw[id].astype(str))).to_numpy()
    features = list(known.table.names)
    seen = set(pd.util.hash_pandas_object(known.table.frame[features].astype(str), index=False))
    return pd.util.hash_pandas_object(pool.X[features].astype(str), index=False).isin(seen).to_numpy()


def _session(X, known: _Known, taken, strategy: str, learner: str, guarded: bool, seed: Any) -> Session:
    family = recipes.families(learner)[0].learner
    if strategy == AUTO:
        strategy = DEFAULT if hasattr(family, "sketch") else START_STRATEGY
    labels = np.full((len(X), known.table.y.shape[1]), np.nan)
    labels[: known.table.rows] = known.table.y
    # A row that was labelled stands in the pool as well; only its labelled copy counts.
    session = init(key_for(root_key(seed), "suggest"), family, X, y=labels, strategy=strategy, guarded=guarded)
    pool = pool_of(X, y=labels)
    state, role, order = pool.state, pool.role, session.order.copy()
    state[known.table.rows :][taken] = EXCLUDED
    rounds = _column(known.raw, ROUND, np.zeros(known.table.rows))
    if ROLE in known.raw.columns:
        names = known.raw[ROLE].astype(str).to_numpy()
        role[: known.table.rows] = [ROLES.index(name) if name in ROLES else 0 for name in names]
    order[: known.table.rows] = rounds
    pool = replace(pool, state=state, role=role, reserved=session.pool.reserved & (state == AVAILABLE))
    return replace(session, pool=pool, order=order, round=int(rounds.max(initial=0)))


def _column(frame: pd.DataFrame, name: str, default: np.ndarray) -> np.ndarray:
    if name not in frame.columns:
        return default
    return pd.to_numeric(frame[name], errors="coerce").fillna(0).to_numpy(float)


def _frame(pool: _Pool, rows: np.ndarray, batch: Batch, session: Session) -> pd.DataFrame:
    frame = pool.raw.iloc[rows].drop(columns=[c for c in BOOKKEEPING if c in pool.raw.columns]).reset_index(drop=True)
    why = np.where(batch.role == AUDIT, "drawn at random: judges the strategy", f"{batch.strategy}: {batch.words}")
    roles = [ROLES[role] for role in batch.role]
    return frame.assign(**{ROLE: roles, ROUND: session.round + 1, RANK: np.arange(1, len(rows) + 1), WHY: why})


def _facts(session: Session, batch: Batch, known: _Known, taken: np.ndarray, n: int) -> dict[str, Any]:
    return {
        "rows": len(batch.index),
        "asked": n,
        "random": int((batch.role == AUDIT).sum()),
        "strategy": batch.strategy,
        "why": batch.words,
        "degraded": batch.degraded,
        "labelled": known.table.rows,
        "labelled_in_pool": int(taken.sum()),
        "left": int((~taken).sum()) - len(batch.index),
        "state": session.state if session.guarded else "off",
        "round": session.round + 1,
    }


def _text(facts: dict[str, Any]) -> str:
    lines = [f"{facts['rows']} rows to label by {facts['strategy']}: {facts['why']}."]
    if facts["rows"] < facts["asked"]:
        lines.append(f"Fewer than the {facts['asked']} asked for: these are all that is left.")
    outside = facts["labelled"] - facts["labelled_in_pool"]
    if outside:
        lines.append(f"{outside} of {facts['labelled']} labelled rows are not in the pool; they train all the same.")
    if facts["degraded"]:
        lines.append(f"Note: {facts['degraded']}.")
    lines.append(f"{facts['left']} rows of the pool stay unlabelled.")
    return "\n".join(lines)
