"""What a box offers for one `ask` and what of it stays, and what is looked at of a large table.

A table is all there is, so its rows live in the pool for ever. A box could go on offering rows without end: its pool
holds only rows that were asked for or came with labels. `widened` appends fresh rows for the length of one `ask`,
behind the rows that stay; `narrowed` drops them all again but those that were chosen, which are appended in the order
of the batch. So a row keeps its number from the batch it was asked for in to the end, whatever becomes of it
(pending, labelled, failed), and memory grows with the labels, not with the rounds.

Two kinds of rows are offered. Random ones, independent and uniform, stand in the random stream and are reserved, so
that no strategy sees them: the start, the guard's share and the fall-back are taken from their head. Even ones
(scrambled Sobol points), `offered` many, are what a strategy chooses from. The random strategy is
offered the random rows alone: it asks for the very rows that the guard's fall-back would.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from strongsuit.active.box import Box, draw, spread
from strongsuit.active.pool import AVAILABLE, START, Pool, part_of
from strongsuit.core.keys import Key, key_for
from strongsuit.errors import InputError

MOST = 50_000  # rows of a table whose features are computed at once: 0.2 GB of gradients, half a minute of one core
# Even points for each row wanted, and in all at least. The pool sizes of arXiv 2302.00098 go up to 64 a row, but the
# finer the choice, the more a batch gathers where the score is high: of six problems (docs/strategies.md) two had
# errors above those of random rows after many rounds at 64 and below at 8. Few rows wanted leave little to gather.
CANDIDATES, LEAST_CANDIDATES = 8, 64


def offered(b: int) -> int:
    """How many even points are offered where b rows are wanted."""
    return max(CANDIDATES * b, LEAST_CANDIDATES)


def widened(key: Key, pool: Pool, box: Box, b: int, *, evenly: bool = True) -> tuple[Pool, np.ndarray]:
    """The pool with fresh rows behind its own, and the random ones among them (r,), in the order of the stream.

    Without `evenly` the random rows are all there is, and open to selection. Raises InputError if the constraint
    refuses everything.
    """
    random = draw(key_for(key, "random"), box, b)
    even = spread(key_for(key, "even"), box, offered(b)) if evenly else random[:0]
    fresh = np.concatenate([random, even])
    if not len(fresh):
        raise InputError(
            "no point drawn from the box meets the constraint: narrow the box to where it can be met, or check that "
            "it takes rows in the box's own units"
        )
    stream = len(pool) + np.arange(len(random))
    reserved = np.arange(len(fresh)) < (len(random) if evenly else 0)
    return _appended(pool, fresh, reserved), stream


def narrowed(pool: Pool, known: int, index: np.ndarray) -> Pool:
    """The first `known` rows of the pool, and then those of `index`."""
    rows = np.concatenate([np.arange(known), index])
    return replace(part_of(pool, rows), reserved=np.zeros(len(rows), bool))


def sampled(key: Key, pool: Pool) -> np.ndarray:
    """The rows (n,) that a strategy with features of its own looks at: all, or of a large pool all that count already
    and MOST others, drawn afresh every time."""
    open_rows = np.flatnonzero(pool.available & ~pool.reserved)
    if len(open_rows) <= MOST:
        return np.arange(len(pool))
    drawn = key.numpy().choice(open_rows, MOST, replace=False)
    return np.sort(np.concatenate([drawn, np.flatnonzero(pool.labelled | pool.pending)]))


def _appended(pool: Pool, X: np.ndarray, reserved: np.ndarray) -> Pool:
    count = len(X)
    return replace(
        pool,
        X=np.concatenate([pool.X, X]),
        y=np.concatenate([pool.y, np.full((count, pool.y.shape[1]), np.nan)]),
        state=np.append(pool.state, np.full(count, AVAILABLE, pool.state.dtype)),
        role=np.append(pool.role, np.full(count, START, pool.role.dtype)),
        reserved=np.append(pool.reserved, reserved),
    )
