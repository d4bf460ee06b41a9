"""What the tests of the real proposer share: a small pool with a known answer, campaigns over it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from strongsuit.campaign import Campaign, MemoryStore, create_campaign
from strongsuit.datasets import PoolTable, read_pool
from strongsuit.proposals import ActiveProposer

ROWS = 90


def frame(rows: int = ROWS) -> pd.DataFrame:
    """Two inputs and a key."""
    X = np.random.default_rng(0).uniform(-1, 1, (rows, 2))
    return pd.DataFrame({"id": [f"A{i}" for i in range(rows)], "u": X[:, 0], "v": X[:, 1]})


def pool(rows: int = ROWS) -> PoolTable:
    """The same as a pool."""
    return read_pool(frame(rows), key="id", target="y")


def truth(row: int) -> float:
    """The label of a row."""
    return float(_TRUTH[row])


_FRAME = frame()
_TRUTH = np.sin(3.0 * _FRAME["u"]) + _FRAME["v"] ** 2


def campaign(store: Any = None, **settings: Any) -> Campaign:
    """A campaign of the pool with ridge regression and batches of 8, unless told otherwise."""
    rows = pool()
    given = {"target": {"name": "y", "kind": "number"}, "batch": 8, "recipe": {"learner": "ridge"}, "by": "anna",
             "proposer": ActiveProposer(rows), "versions": {}, **settings}  # fmt: skip
    return create_campaign("alloys", rows, store=MemoryStore() if store is None else store, **given)


def classes(store: Any = None, **settings: Any) -> Campaign:
    """The same with the class "high" above 0.5."""
    target = {"name": "y", "kind": "class", "classes": ["low", "high"]}
    return campaign(store, target=target, **{"recipe": {"strategy": "margin"}, **settings})


def label(one: Campaign, row: int) -> Any:
    """What a row is told as."""
    return truth(row) if one.state.rules.kind == "number" else "high" if truth(row) > 0.5 else "low"


def tell(one: Campaign, rows: Any) -> None:
    """Tells these rows, in this order."""
    one.tell({f"A{row}": label(one, row) for row in rows}, by="anna")


def slates(one: Campaign) -> list[list[tuple[Any, ...]]]:
    """Of each round its rows with all that was said of them, but the time it took."""
    proposed = [event.body for event in one.journal() if event.kind == "Proposed"]
    return [[(r.row, r.rank, r.source, r.key, r.gain, r.mean, r.spread) for r in body.rows] for body in proposed]
