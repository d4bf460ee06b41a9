"""Models trained beside a committee, for what its members cannot tell: dropout's variance, predicted losses, a kernel,
how unlike all labelled rows a row is.

A strategy that asks for such a field has one more model trained on the same rows; the committee stays what it is.
Which model fits beside a learner, only the learner knows: it offers `auxiliary(name)`, as `sketch` offers gradients,
so that nothing here names a concrete model. Its answer is again a learner, and the variance that it predicts is the
field. Only for `gp` it is asked for the features of its kernel, and not at all if the committee has a kernel itself.
Models that look at rows without a label too say what such a row is by the means that they predict (`open_rows.py`).
Votes need no other model: a learner without chance is fitted to bootstrap samples of the rows. Nor do the temperature
and the losses of models that miss some rows; what a label would lower the error by is told by forests of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from strongsuit.active.calibration import temperature_of
from strongsuit.active.choice import deterministic, has_kernel
from strongsuit.active.lal import ERROR_DROP
from strongsuit.active.lal_states import told_apart
from strongsuit.active.open_rows import Around, looks_around, with_open
from strongsuit.active.removals import REMOVED, losses_without
from strongsuit.core.arrays import chunks
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import fit_many, fit_one, member_keys, predict_one, resume_one
from strongsuit.core.pivoted import RANK
from strongsuit.errors import InputError

KINDS = {"dropout_var": "dropout", "loss_hat": "loss"}  # field of Evidence -> the name by which learners know it
# Fields that models answer which look at rows without a label too.
OPEN_KINDS = {"unlike": "vaal", "critic": "waal", "graph": "gcn"}
KERNEL = "gp"  # the field and the name of a model that is asked for the features of its kernel
BESIDE = {**KINDS, **OPEN_KINDS, KERNEL: KERNEL}
VOTES = "votes"  # the field that models fitted to bootstrap samples answer, where one model is all of the committee
BAGS = 10
TEMPERATURE = "temperature"  # the field that models of a part of the labels answer, judged by the rest
_FOR_NUMBERS = ("qbc, lcmd_x or gsx", "an MLP")  # a strategy and a learner to take instead
KERNEL_NUMBERS, LEAST_RANK = 10**8, 64  # kernel features held at once (0.8 GB), but never fewer columns than that


@dataclass(frozen=True)
class Auxiliary:
    """A model fitted beside a committee, on its scale."""

    learner: Any
    params: Any


def fit_beside(
    key: Key,
    learner: Any,
    X: np.ndarray,
    y: np.ndarray,
    needs: Iterable[str],
    before: Mapping[str, Auxiliary] | None = None,
    around: Around | None = None,
) -> dict[str, Auxiliary]:
    """The models fitted to X (n, d), y (n, k) for those fields among `needs` that ask for one, by field; training goes
    on from those of `before` where they can resume. Some look at the rows without a label too, which `around` holds.

    Raises InputError if the learner offers none.
    """
    found, before, needs = {}, before or {}, set(needs)
    for field in offered(learner, needs):
        beside, own, w = learner.auxiliary(BESIDE[field]), key_for(key, BESIDE[field]), np.ones(len(X))
        if looks_around(beside):
            rows, labels = with_open(key_for(own, "rows"), beside, X, y, around)
            params = fit_one(beside, own, rows, labels, np.ones(len(rows)))
        elif field in before and hasattr(beside, "resume"):
            params = resume_one(beside, own, before[field].params, X, y, w)
        else:
            params = fit_one(beside, own, X, y, w)
        found[field] = Auxiliary(beside, params)
    if VOTES in needs and deterministic(learner):
        found[VOTES] = Auxiliary(learner, _bagged(key_for(key, VOTES), learner, X, y))
    if TEMPERATURE in needs:
        found[TEMPERATURE] = Auxiliary(learner, temperature_of(key_for(key, TEMPERATURE), learner, X, y))
    if REMOVED in needs:
        found[REMOVED] = Auxiliary(learner, losses_without(key_for(key, REMOVED), learner, X, y))
    if ERROR_DROP in needs:
        found[ERROR_DROP] = Auxiliary(learner, told_apart(key_for(key, ERROR_DROP), X, y))
    return found


def _bagged(key: Key, learner: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """Parameters of BAGS models, each fitted to as many rows as there are, drawn with replacement (Breiman, 1996)."""
    drawn = key.numpy().integers(0, len(X), (BAGS, len(X)))
    W = np.stack([np.bincount(rows, minlength=len(X)) for rows in drawn]).astype(float)
    return fit_many(learner, member_keys(key, BAGS), X, y, W)


def offered(learner: Any, needs: Iterable[str]) -> list[str]:
    """Those fields among `needs` that ask for a model beside the learner; InputError if it does not offer one of
    them."""
    own = {KERNEL} if has_kernel(learner) else set()
    wanted = sorted(set(needs) & BESIDE.keys() - own)
    if wanted and not hasattr(learner, "auxiliary"):
        what = "Gaussian process" if wanted[0] == KERNEL else f"{BESIDE[wanted[0]]} network"
        others = ("margin, u_herding or k_center", "Softmax") if _classifies(learner) else _FOR_NUMBERS
        raise InputError(
            f"{type(learner).__name__} offers no {what} to train beside it: choose a strategy "
            f"that needs none, such as {others[0]}, or another learner, such as {others[1]}"
        )
    if _classifies(learner):
        for field in wanted:
            learner.auxiliary(BESIDE[field])  # which refuses what it does not offer
    return wanted


def _classifies(learner: Any) -> bool:
    return getattr(learner, "classifies", False)


def kernel_of(learner: Any, params: Any, X: np.ndarray, most: int = RANK) -> tuple[np.ndarray, float]:
    """Features (n, r <= most) of the prior kernel of a fitted process, and the noise variance of its labels."""
    rank = max(LEAST_RANK, min(most, KERNEL_NUMBERS // max(1, len(X))))
    return learner.kernel_features(params, X, rank)


def uncertainty(beside: Auxiliary, X: np.ndarray, *, size: int) -> np.ndarray:
    """The variance (n,) that the network predicts of every row, averaged over outputs; `size` rows at once."""
    parts = [predict_one(beside.learner, beside.params, X[rows]).variance.mean(1) for rows in chunks(len(X), size)]
    return np.concatenate(parts).astype(float)
