"""Rows taken one by one from what several strategies would choose by themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from strongsuit.active.evidence import Evidence
from strongsuit.active.strategy import Strategy, propose
from strongsuit.core.keys import Key, key_for


def listed(key: Key, parts: tuple[Strategy, ...], evidence: Evidence, b: int) -> tuple[list[np.ndarray], list[str]]:
    """The b rows that each part would choose by itself, first choice first, and their flags."""
    found = [propose(key_for(key, part.name), part, evidence, b) for part in parts]
    return [one.index for one in found], [one.degraded for one in found]


def favourites(lists: Sequence[np.ndarray], taken: np.ndarray) -> np.ndarray:
    """The first row (K,) of each list that is not `taken` (n,), -1 where none is left."""
    left = [rows[~taken[rows]] for rows in lists]
    return np.array([rows[0] if len(rows) else -1 for rows in left])


def closed(evidence: Evidence) -> np.ndarray:
    """(n,) bool: rows that may not be chosen."""
    return ~evidence.available | evidence.anchors


def flags_of(*flags: str) -> str:
    """Every flag once, joined by commas."""
    return ",".join(dict.fromkeys(one for flag in flags for one in flag.split(",") if one))
