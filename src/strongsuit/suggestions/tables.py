"""A pool and a table of labelled rows -> one universe of rows with states, roles and rounds.

What the guard must remember between calls (which rows were drawn at random, when, and what it decided) travels in
columns of the tables themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from strongsuit.active.answers import Answers, renumbered
from strongsuit.active.guard import RANDOM, TRIAL, TRUSTED
from strongsuit.active.pool import AUDIT, AVAILABLE, LABELLED, PENDING, ROLES, START
from strongsuit.active.strategies import CLASSIFICATION, REGRESSION
from strongsuit.core.classes import Classes, classes_of
from strongsuit.core.standard import standard
from strongsuit.core.ties import ranks
from strongsuit.datasets import read_table
from strongsuit.datasets.as_given import read_as_given
from strongsuit.datasets.columns import MISSING, level_text
from strongsuit.datasets.encoding import fit_encoder
from strongsuit.datasets.roles import Roles
from strongsuit.datasets.table import Table
from strongsuit.errors import InputError
from strongsuit.suggestions.answers import notes_on, one_line_each
from strongsuit.suggestions.label_columns import as_numbers, present_or_not

ROLE, ROUND, STATE = "strongsuit_role", "strongsuit_round", "strongsuit_guard"
ROW, RANK, WHY = "strongsuit_row", "strongsuit_rank", "strongsuit_why"
TASKS = ("auto", REGRESSION, CLASSIFICATION)
BOOKKEEPING = (ROW, ROLE, ROUND, STATE, RANK, WHY)
POOL, KNOWN = "the pool", "the labelled table"


@dataclass(frozen=True)
class Universe:
    """All rows of both tables: first those of the pool in its order, then labelled rows that it does not have.

    X (n, p) encoded features; y (n, k) labels, NaN where unknown; state, role and order (n,) as a session has them;
    identity (n,) numbers that name rows whatever their order; price (n,) or None, NaN where none is known; `states`
    the guard's by round; `given` the pool with all its columns as they came. Where the target names `classes`, y holds
    their indicators (n, k) or their shares, and X is standardised over all rows; so it is where rows have several
    `labels`, of which y says whether they are there. `names` (n,) are the identifiers, if there are any, and `answers`
    those of all annotators, if these are told apart.
    """

    given: pd.DataFrame
    X: np.ndarray
    y: np.ndarray
    state: np.ndarray
    role: np.ndarray
    order: np.ndarray
    identity: np.ndarray
    price: np.ndarray | None
    states: dict[int, str]
    ordered: bool
    notes: tuple[str, ...]
    classes: Classes | None = None
    labels: tuple[str, ...] = ()
    names: np.ndarray | None = None
    answers: Answers | None = None

    @property
    def classifies(self) -> bool:
        """Whether the target is a class, or several labels."""
        return self.classes is not None or bool(self.labels)

    @property
    def labelled(self) -> np.ndarray:
        """(n,) bool: rows with a label."""
        return self.state == LABELLED

    @property
    def outside(self) -> int:
        """How many labelled rows the pool does not have."""
        return int(self.labelled[len(self.given) :].sum())

    @property
    def guard(self) -> str | None:
        """The guard's state when the last batch was asked for, None if nothing says so."""
        return self.states[max(self.states)] if self.states else None


@dataclass(frozen=True)
class Columns:
    """What the columns are: label columns, the identifier, columns of prices and of the order of labelling, and columns
    that are no features. `task` is "regression", "classification", or "auto": classes where the one target is text or
    truth values; `classes` are declared ones. With an `annotator` column the labelled table has a line for each answer;
    with `multi_label` each target says by 0 or 1 whether a label is there."""

    targets: tuple[str, ...]
    id: str | None = None
    cost: str | None = None
    order: str | None = None
    exclude: tuple[str, ...] = ()
    task: str = "auto"
    classes: tuple[Any, ...] = ()
    annotator: str | None = None
    multi_label: bool = False

    def __post_init__(self) -> None:
        """Raises InputError for an unknown task, for classes of several targets, and for what does not go together."""
        if self.task not in TASKS:
            raise InputError(f"task must be one of {', '.join(TASKS)}, got {self.task!r}")
        if len(self.targets) > 1 and (self.task == CLASSIFICATION or self.classes) and not self.multi_label:
            raise InputError(
                "a classification has one target: name one column of classes, or ask for multi_label, where each "
                "target is a label that is there or not"
            )
        if self.multi_label and (self.task == REGRESSION or self.classes):
            raise InputError("with multi_label the targets are the labels: declare no classes and no regression")
        if self.annotator and not self.id:
            raise InputError("annotator needs id: several lines of a row are known by its identifier alone")
        if self.classes and self.task == REGRESSION:
            raise InputError("classes are declared, and the task is regression: name one of the two")

    @property
    def beside(self) -> set[str]:
        """All that are no features."""
        return {
            *self.targets,
            *self.exclude,
            *BOOKKEEPING,
            *(n for n in (self.id, self.cost, self.order, self.annotator) if n),
        }


def read_universe(pool: Any, labelled: Any, columns: Columns) -> Universe:
    """The rows of both tables as one. Raises InputError, with the table's name, for all that does not fit."""
    texts = [columns.id] if columns.id else []
    with _about(POOL):
        given = read_as_given(pool, text=texts)
    with _about(KNOWN):
        known = _nothing_known(given, columns) if labelled is None else read_as_given(labelled, text=texts)
    if not len(given):
        raise InputError("the pool has no rows: there is nothing to ask for")
    if columns.multi_label:
        known = as_numbers(known, columns.targets)
    waiting = _unlabelled(known, columns.targets)
    names = _features(given, known, columns)
    with _about(KNOWN):
        classes = _classes(known[~waiting], columns)
        told = None if classes else list(columns.targets)
        unnamed = not (classes or columns.multi_label)  # without a label nothing tells what the target is
        table = read_table(known[~waiting], target=told, features=names) if unnamed or not waiting.all() else None
        asked = read_table(known[waiting], features=names) if waiting.any() else None
    with _about(POOL):
        open_rows = read_table(given, features=names)
    for where, one in ((POOL, open_rows), (KNOWN, table), (KNOWN, asked)):
        if one is not None:
            _complete(where, one)
            _same_kinds(where, one, table or open_rows)
    told_of = [one.X for one in (table, asked) if one is not None]
    inputs = pd.concat(told_of, ignore_index=True) if told_of else open_rows.X.iloc[:0]
    line = np.concatenate([np.flatnonzero(~waiting), np.flatnonzero(waiting)])
    labels = table.y if table is not None else np.zeros((0, len(columns.targets)))
    if classes:
        labels = classes.indicators(known.loc[~waiting, columns.targets[0]])
    known, answers = known.iloc[line].reset_index(drop=True), None
    notes = tuple(note for note in (table or open_rows).notes if "one model" not in note)
    if columns.multi_label:
        present_or_not(labels, columns.targets, KNOWN)
    if columns.annotator and len(labels):
        kept, labels, answers = one_line_each(known[columns.id], known[columns.annotator], labels)
        known, inputs = (frame.iloc[kept].reset_index(drop=True) for frame in (known, inputs))
        notes = (*notes, *notes_on(answers))
    joined = _joined(given, known, open_rows, inputs, labels, columns, answers)
    if classes is None and not columns.multi_label:
        return replace(joined, notes=notes)
    center, spread = standard(joined.X)
    several = columns.targets if columns.multi_label else ()
    return replace(joined, notes=notes, classes=classes, labels=several, X=(joined.X - center) / spread)


def _nothing_known(given: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """A labelled table without rows, for a pool of which no label is known yet."""
    if not (columns.classes or columns.multi_label):
        raise InputError(
            "there is no labelled table: to begin without labels, declare the classes, or ask for multi_label"
        )
    return given.iloc[:0].assign(**dict.fromkeys(columns.targets))


def _classes(known: pd.DataFrame, columns: Columns) -> Classes | None:
    """The classes of the target, None where it is a number."""
    (target, *others) = columns.targets
    if others or columns.task == REGRESSION or columns.multi_label or not (len(known) or columns.classes):
        return None
    cells = known[target]
    if columns.task == "auto" and not columns.classes and not _names(cells):
        return None
    return classes_of(cells, declared=columns.classes or None)


def _names(cells: pd.Series) -> bool:
    """Whether most cells are words or truth values; a word among numbers is a mistake that the reader names."""
    if pd.api.types.is_bool_dtype(cells):
        return True
    return bool(pd.to_numeric(cells, errors="coerce").isna().mean() > 0.5)


def _joined(
    given, known, open_rows: Table, inputs: pd.DataFrame, labels: np.ndarray, columns: Columns, answers: Answers | None
) -> Universe:
    """`known` and `inputs` hold the rows with `labels` (r, k) first, then those asked for and not yet labelled; the
    `answers` are by place among these."""
    own = _identity(POOL, given, open_rows.X, columns.id)
    theirs = _identity(KNOWN, known, inputs, columns.id)
    place = pd.Index(own).get_indexer(theirs)
    outside = place < 0
    place[outside] = len(own) + np.arange(outside.sum())
    encoder = fit_encoder(pd.concat([inputs, open_rows.X], ignore_index=True))
    X = np.vstack([encoder.transform(open_rows.X).X, encoder.transform(inputs[outside]).X if outside.any() else
                   np.zeros((0, len(encoder.names)))])  # fmt: skip
    X[place] = encoder.transform(inputs).X  # what was measured counts, not what was planned
    state, role, order = (np.zeros(len(X), kind) for kind in (np.int8, np.int8, int))
    state[:] = AVAILABLE
    state[place] = np.where(np.arange(len(place)) < len(labels), LABELLED, PENDING)
    role[place] = _roles(known)
    order[:], order[place] = -1, _order(known, columns.order)
    y = np.full((len(X), labels.shape[1]), np.nan)
    y[place[: len(labels)]] = labels
    price = None if columns.cost is None else _prices(given, known, columns.cost, place, len(X))
    identity = np.concatenate([own, theirs[outside]])
    names = None if columns.id is None else np.append(given[columns.id], known[columns.id][outside])
    answers = None if answers is None else renumbered(answers, place)
    return Universe(
        given, X, y, state, role, order, identity, price, _states(known), bool(columns.order), (), names=names,
        answers=answers,
    )  # fmt: skip


@contextmanager
def _about(where: str) -> Iterator[None]:
    """Errors that say which of the two tables they speak of."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _unlabelled(known: pd.DataFrame, targets: Sequence[str]) -> np.ndarray:
    """(rows,) bool: rows of the labelled table whose label cells are all empty: asked for, not yet answered."""
    present = [name for name in targets if name in known.columns]
    if not present:
        return np.zeros(len(known), bool)  # the reader names the missing column
    cells = known[present]
    return (cells.isna() | cells.astype(object).isin(MISSING)).all(axis=1).to_numpy()


def _features(given: pd.DataFrame, known: pd.DataFrame, columns: Columns) -> list[str]:
    lost = [name for name in columns.targets if name not in known.columns and name in given.columns]
    if lost:
        raise InputError(f"target {lost[0]!r} is a column of the pool, but the labelled table does not have it")
    with _about(KNOWN):
        Roles(target=columns.targets).resolve(list(known.columns))  # names near misses
    own, every = ((KNOWN, known),), ((POOL, given), (KNOWN, known))
    where_to_be = {"id": every, "cost": ((POOL, given),), "order": own, "annotator": own}
    for role, tables in where_to_be.items():
        name = getattr(columns, role)
        for where, frame in tables:
            if name is not None and name not in frame.columns:
                raise InputError(f"{role} names {name!r}, which {where} does not have")
    absent = [name for name in columns.exclude if name not in known.columns and name not in given.columns]
    if absent:
        raise InputError(f"exclude names {absent[0]!r}, which neither table has")
    names = [name for name in known.columns if name not in columns.beside and name]
    missing = [name for name in names if name not in given.columns]
    if missing:
        raise InputError(
            f"the pool lacks the columns {', '.join(map(repr, missing))} that the labelled table has: add them, or "
            "exclude them"
        )
    return names


def _complete(where: str, table: Table) -> None:
    """Nothing, or InputError for numbers that are missing: a distance to them means nothing."""
    for name in table.names:
        empty = np.flatnonzero(table.frame[name].isna()) if table.kinds[name] == "numeric" else np.zeros(0, int)
        if len(empty):
            raise InputError(
                f"{where}: column {name!r} has no value in {len(empty)} of {table.rows} rows (first in row "
                f"{empty[0] + 1}): drop these rows, fill the cells in, or exclude the column"
            )


def _same_kinds(where: str, table: Table, reference: Table) -> None:
    for name in table.names:
        if table.kinds[name] != reference.kinds[name]:
            words = {"numeric": "numbers", "categorical": "text"}
            raise InputError(
                f"column {name!r} holds {words[reference.kinds[name]]} in {KNOWN} and {words[table.kinds[name]]} in "
                f"{where}: make them alike, or exclude the column"
            )


def _identity(where: str, frame: pd.DataFrame, inputs: pd.DataFrame, id: str | None) -> np.ndarray:
    """Numbers (rows,) that name the rows: by identifier, else by features and how often these came before."""
    if id is None:
        found = pd.util.hash_pandas_object(_unsigned(inputs), index=False)
        return ranks(found.to_numpy(), found.groupby(found).cumcount().to_numpy())
    empty = np.flatnonzero(frame[id].isna())
    if len(empty):
        raise InputError(
            f"{where}: identifier column {id!r} is empty in {len(empty)} rows (first in row {empty[0] + 1})"
        )
    texts = frame[id].map(level_text)
    if texts.duplicated().any():
        raise InputError(
            f"{where}: identifier {texts[texts.duplicated()].iloc[0]!r} stands twice in column {id!r}"
            + (": if several people labelled it, name their column as annotator" if where == KNOWN else "")
        )
    return pd.util.hash_array(texts.to_numpy(object))


def _unsigned(inputs: pd.DataFrame) -> pd.DataFrame:
    """The features with one zero instead of two."""
    return inputs.apply(lambda one: one + 0.0 if one.dtype == np.float64 else one.astype(object))


def _roles(known: pd.DataFrame) -> np.ndarray:
    if ROLE not in known.columns:
        return np.full(len(known), START, np.int8)
    return np.array([ROLES.index(name) if name in ROLES else START for name in known[ROLE]], np.int8)


def _order(known: pd.DataFrame, column: str | None) -> np.ndarray:
    """The round of every known row, 0 for those that came first; a column of the user's by its distinct values."""
    if column in (None, ROUND):
        return _rounds(known)
    with _about(KNOWN):
        values = read_table(known[[column]]).frame[column]
    if values.isna().any() or values.dtype != np.float64:
        raise InputError(f"order names {column!r}, which must hold a number or date in every row of the labelled table")
    return np.unique(values, return_inverse=True)[1]


def _rounds(known: pd.DataFrame) -> np.ndarray:
    if ROUND not in known.columns:
        return np.zeros(len(known), int)
    return pd.to_numeric(known[ROUND], errors="coerce").fillna(0).clip(lower=0).to_numpy(int)


def _states(known: pd.DataFrame) -> dict[int, str]:
    """The guard's state by round, where the table tells."""
    if STATE not in known.columns:
        return {}
    pairs = zip(_rounds(known), known[STATE], strict=True)
    return {int(number): state for number, state in sorted(pairs, key=lambda pair: pair[0])
            if state in (TRIAL, TRUSTED, RANDOM)}  # fmt: skip


def _prices(given: pd.DataFrame, known: pd.DataFrame, name: str, place: np.ndarray, rows: int) -> np.ndarray:
    """Prices (rows,): the pool's, and the labelled table's own where it has the column and the pool lacks the row."""
    prices = np.full(rows, np.nan)
    if name in known.columns:
        prices[place] = pd.to_numeric(known[name], errors="coerce")
    with _about(POOL):
        values = read_table(given[[name]]).frame[name].to_numpy()
    if values.dtype != np.float64 or not (values > 0).all():
        row = 0 if values.dtype != np.float64 else int(np.flatnonzero(~(values > 0))[0])
        raise InputError(
            f"cost column {name!r} must hold a price above 0 in every row of the pool; row {row + 1} does not"
        )
    prices[: len(given)] = values
    return prices


def roles_known(universe: Universe) -> bool:
    """Whether random rows of earlier batches are marked as such."""
    return bool((universe.role[universe.labelled] == AUDIT).any())
