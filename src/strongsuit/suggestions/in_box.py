"""`suggest_in_box`: one stateless call from a box of inputs and what is known in it to the next inputs to measure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from strongsuit import recipes
from strongsuit.active.box import Box
from strongsuit.active.guard import RANDOM, TRIAL, TRUSTED
from strongsuit.active.pool import LABELLED, PENDING, ROLES, START, pool_of
from strongsuit.active.reasons import whys
from strongsuit.active.session import Session, ask, init_box
from strongsuit.core.keys import key_for, root_key
from strongsuit.errors import InputError
from strongsuit.suggestions.tables import BOOKKEEPING, RANK, ROLE, ROUND, STATE, WHY

log = logging.getLogger(__name__)


def suggest_in_box(
    low: Sequence[float],
    high: Sequence[float],
    X: Any = None,
    y: Any = None,
    *,
    n: int = 10,
    strategy: str = "auto",
    names: Sequence[str] = (),
    constraint: Callable[[np.ndarray], np.ndarray] | None = None,
    learner: Any = "auto",
    guarded: bool = True,
    random_state: Any = 0,
) -> pd.DataFrame:
    """The n inputs of a box that should be measured next, and why.

    Parameters
    ----------
    low, high : sequence of d floats
        The box: the least and the greatest value of each input.
    X : array of shape (rows, d) or frame, optional
        Inputs that were measured or asked for. Answers of earlier calls may be appended to a frame as they are: their
        columns `strongsuit_role`, `strongsuit_round` and `strongsuit_guard` tell the guard what it must remember.
        They may lie outside the box. Without any the batch is random.
    y : array of shape (rows,) or (rows, k), or column names of X
        Labels, NaN for inputs whose label has not come yet: they are not asked for again.
    n : int
        Inputs to measure.
    strategy : str
        "auto", or a name that `strongsuit strategies` lists; na_qbc, na_qbc_repel and lcmd_refined make up inputs
        by climbing, which needs a network.
    names : sequence of d str
        The inputs' names; those of the frame X by default, else x0, x1, ...
    constraint : function
        Of rows (m, d), in the order and units of `low`; gives m truth values: whether a row may be asked for.
    learner : str, regressor or Learner
        The model whose uncertainty counts, as in `suggest`.
    guarded : bool
        Draw a share at random and fall back to random inputs where active selection does harm.
    random_state : int
        The same number gives the same inputs for the same known rows.

    Returns
    -------
    frame
        A row for each input: its values, `strongsuit_role`, `strongsuit_round`, `strongsuit_guard`, the pick's rank and
        why it was chosen. Fewer than n rows where the constraint leaves no more; this is logged as a warning.

    Raises
    ------
    InputError
        For a box, rows, labels or a constraint that do not fit together, and for unknown names.

    Examples
    --------
    >>> from strongsuit import suggest_in_box
    >>> first = suggest_in_box([0, 20], [1, 80], n=20, names=["share", "heat"])
    >>> first["yield"] = first["share"] * first["heat"]  # measure
    >>> then = suggest_in_box([0, 20], [1, 80], first, "yield", n=5, learner="ridge")
    >>> len(then), bool(then["share"].between(0, 1).all())
    (5, True)
    """
    box = Box(low, high, names=names or _names(X, y), constraint=constraint)
    session = _session(box, X, y, strategy, recipes.active_learner(learner), guarded, random_state)
    after, batch = ask(session, n)
    if len(batch.index) < n:
        log.warning("%d inputs instead of %d: few points of the box meet the constraint", len(batch.index), n)
    frame = pd.DataFrame(after.pool.X[batch.index], columns=list(box.names))
    added = {
        ROLE: [ROLES[role] for role in batch.role],
        ROUND: after.round,
        STATE: after.state if after.guarded else "off",
        RANK: pd.array([int(pick) or None for pick in batch.pick], dtype="Int64"),
        WHY: whys(batch, after.strategy),
    }
    return frame.assign(**added)


def _names(X: Any, y: Any) -> tuple[str, ...]:
    """The inputs' names as a frame tells them."""
    if not isinstance(X, pd.DataFrame):
        return ()
    labels = [y] if isinstance(y, str) else [name for name in y if isinstance(name, str)] if y is not None else []
    return tuple(name for name in X.columns if name not in {*BOOKKEEPING, *labels})


def _session(box: Box, X: Any, y: Any, strategy: str, learner: Any, guarded: bool, seed: Any) -> Session:
    """The session as it would stand had it lived since the first call."""
    rows, labels = _inputs(box, X), _labels(X, y)
    if len(labels) != len(rows):
        raise InputError(f"X has {len(rows)} rows and y has {len(labels)}: they must be the same rows")
    # Named by what is known too: without the column of rounds, a second call still draws other points than the first.
    key = key_for(root_key(seed), "suggest", len(rows))
    name = recipes.active_strategy(strategy, learner)
    session = init_box(key, learner, box, outputs=labels.shape[1], strategy=name, guarded=guarded)
    if not len(rows):
        return session
    pool = replace(pool_of(rows, y=labels), group=None)
    state = np.where(pool.labelled, LABELLED, PENDING).astype(np.int8)
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(index=range(len(rows)))
    order = _rounds(frame)
    pool = replace(pool, state=state, role=_roles(frame))
    last = frame[STATE].to_numpy()[order.argmax()] if STATE in frame else ""
    found = last if last in (TRIAL, TRUSTED, RANDOM) else session.state
    return replace(session, pool=pool, order=order, round=int(order.max()), state=found)


def _inputs(box: Box, X: Any) -> np.ndarray:
    if X is None:
        return np.empty((0, len(box)))
    if isinstance(X, pd.DataFrame):
        missing = [name for name in box.names if name not in X.columns]
        if missing:
            raise InputError(f"X lacks the columns {', '.join(map(repr, missing))} of the box")
        X = X[list(box.names)]
    try:
        rows = np.asarray(X, float)
    except (TypeError, ValueError) as error:
        raise InputError(f"inputs of a box must be numbers: {error}") from error
    if rows.ndim != 2 or rows.shape[1] != len(box):
        raise InputError(f"X must have shape (rows, {len(box)}) as the box has, got {rows.shape}")
    return rows


def _labels(X: Any, y: Any) -> np.ndarray:
    """Labels (rows, k), NaN where none has come."""
    if y is None:
        return np.empty((0, 1))
    columns = [y] if isinstance(y, str) else list(y) if len(y) and isinstance(y[0], str) else None
    if columns is not None:
        lost = [name for name in columns if not isinstance(X, pd.DataFrame) or name not in X.columns]
        if lost:
            raise InputError(f"y names {lost[0]!r}, which is no column of X")
        y = X[columns]
    try:
        labels = np.asarray(y, float)
    except (TypeError, ValueError) as error:
        raise InputError(f"labels must be numbers, NaN where none has come: {error}") from error
    return labels[:, None] if labels.ndim == 1 else labels


def _rounds(frame: pd.DataFrame) -> np.ndarray:
    if ROUND not in frame:
        return np.zeros(len(frame), int)
    return pd.to_numeric(frame[ROUND], errors="coerce").fillna(0).clip(lower=0).to_numpy(int)


def _roles(frame: pd.DataFrame) -> np.ndarray:
    if ROLE not in frame:
        return np.full(len(frame), START, np.int8)
    return np.array([ROLES.index(name) if name in ROLES else START for name in frame[ROLE]], np.int8)
