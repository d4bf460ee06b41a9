"""Networks trained beside a committee, for what its members cannot tell: dropout's variance and predicted losses.

A strategy that asks for such a field has one more network trained on the same rows; the committee stays what it is.
Which network fits beside a learner, only the learner knows: it offers `auxiliary(name)`, as `sketch` offers gradients,
so that nothing here names a concrete model. Its answer is again a learner, and the variance that it predicts is the
field.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from strongsuit.core.arrays import chunks
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import fit_one, predict_one
from strongsuit.errors import InputError

KINDS = {"dropout_var": "dropout", "loss_hat": "loss"}  # field of Evidence -> the name by which learners know it


@dataclass(frozen=True)
class Auxiliary:
    """A network fitted beside a committee, on its scale."""

    learner: Any
    params: Any


def fit_beside(key: Key, learner: Any, X: np.ndarray, y: np.ndarray, needs: Iterable[str]) -> dict[str, Auxiliary]:
    """The networks fitted to X (n, d), y (n, k) for those fields among `needs` that ask for one, by field.

    Raises InputError if the learner offers none.
    """
    wanted = sorted(set(needs) & KINDS.keys())
    if wanted and not hasattr(learner, "auxiliary"):
        raise InputError(
            f"{type(learner).__name__} offers no {KINDS[wanted[0]]} network to train beside it: choose a strategy "
            "that needs none, such as qbc, lcmd_x or gsx, or another learner, such as an MLP"
        )
    found = {}
    for field in wanted:
        beside = learner.auxiliary(KINDS[field])
        params = fit_one(beside, key_for(key, KINDS[field]), X, y, np.ones(len(X)))
        found[field] = Auxiliary(beside, params)
    return found


def uncertainty(beside: Auxiliary, X: np.ndarray, *, size: int) -> np.ndarray:
    """The variance (n,) that the network predicts of every row, averaged over outputs; `size` rows at once."""
    parts = [predict_one(beside.learner, beside.params, X[rows]).variance.mean(1) for rows in chunks(len(X), size)]
    return np.concatenate(parts).astype(float)
