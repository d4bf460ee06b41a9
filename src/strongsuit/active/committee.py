"""A committee: fitted models whose answers, and whose disagreement, choose rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from strongsuit.active.auxiliary import Auxiliary, fit_beside
from strongsuit.active.choice import Choice, Chosen, begun_anew, chosen, committee_size, deterministic, point_only
from strongsuit.active.open_rows import Around, features_of
from strongsuit.active.pool import Pool
from strongsuit.active.pseudo_labels import TAUGHT, self_taught
from strongsuit.core.arrays import chunks
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import Prediction, member_keys, predict_many, resume_many
from strongsuit.errors import InputError

# Training begins anew when the rows have doubled. Members that only resume grow alike, keep the weight decay of their
# first rows, and fall behind fresh ones: the columns "resumed" and "cold" of `benchmarks/resume.py`.
GROWTH = 2.0
NUMBERS = 2 * 10**7  # member outputs held at once
# Five values like draws of a standard normal: its quantiles, of mean 0 and variance 1.
NORMAL_SCORES = np.array([-1.46337, -0.59880, 0.0, 0.59880, 1.46337])


@dataclass(frozen=True)
class Committee:
    """m fitted models of one learner; labels were centred by `center` (k,) and divided by `scale` before. `rows` is how
    many they have seen, `begun` how many at the last training from fresh weights. `auxiliary` holds models fitted
    beside them, by the field of Evidence that they answer. `compared` are the cross-validated errors by which the
    learner was chosen, in squares of `scale`, the least first. `folds` are committees that did not see some of the
    labelled rows, for a search that learns from these (see `folds.py`). `labels` are those of single labels, where a
    row has several (see `labels.py`)."""

    learner: Any
    keys: tuple[Key, ...]
    params: Any
    center: np.ndarray
    scale: float
    begun: int = 0
    rows: int = 0
    auxiliary: Mapping[str, Auxiliary] = field(default_factory=dict)
    compared: tuple[tuple[str, float], ...] = ()
    folds: tuple[Any, ...] = ()
    labels: tuple[Committee, ...] = ()


def train(
    key: Key,
    learner: Any,
    pool: Pool,
    members: int,
    *,
    rows: np.ndarray | None = None,
    start: Committee | None = None,
    needs: Iterable[str] = (),
    round_: int = 0,
) -> Committee:
    """A committee fitted to the labelled rows, or to those of `rows` (n,) bool among them.

    One scale serves all outputs: the root of the mean labelled variance, 1 if nothing varies. Training goes on from
    the committee `start`, with its scale, where the learner can resume, and begins anew when rows grew by GROWTH. A
    committee that has seen as many rows stays as it is.
    `needs` are fields of Evidence: those that a model beside the committee answers have it trained, by the same rule.
    `round_` is how many batches were asked for before.
    """
    used = _used(pool, rows)
    X, y = pool.X[used], pool.y[used]
    goes_on = start is not None and len(used) < GROWTH * start.begun and hasattr(start.learner, "resume")
    if goes_on and start.rows == len(used):
        return accompanied(key, start, pool, needs, rows=rows, before=start, round_=round_)
    center, scale = (start.center, start.scale) if goes_on else units(learner, y)
    y = (y - center) / scale
    taken = (
        Chosen(start.learner, start.params, start.compared)
        if goes_on
        else chosen(key_for(key, "choice"), learner, X, y, start)
    )
    size = committee_size(taken.learner, members)
    keys, W = member_keys(key, size), np.ones((size, len(used)))
    if taken.params is None:
        params = begun_anew(taken.learner, keys, X, y, W, start)
    else:
        params = resume_many(taken.learner, keys, taken.params, X, y, W)
    begun = start.begun if goes_on else len(used)
    found = Committee(taken.learner, tuple(keys), params, center, scale, begun, len(used), compared=taken.compared)
    return accompanied(key, found, pool, needs, rows=rows, before=start, round_=round_)


def units(learner: Any, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (k,) and scale of the labels; 0 and 1 for a learner that says `own_units`: classifiers, and published
    networks that were tuned to the units of their simulators."""
    center = y.mean(0)
    one = learner.learners[0] if isinstance(learner, Choice) else learner
    if getattr(one, "own_units", False):
        return np.zeros_like(center), 1.0
    return center, float(np.sqrt(((y - center) ** 2).mean())) or 1.0


def accompanied(
    key: Key,
    committee: Committee,
    pool: Pool,
    needs: Iterable[str],
    *,
    rows: np.ndarray | None = None,
    before: Committee | None = None,
    round_: int = 0,
) -> Committee:
    """The committee with those models beside it that the fields `needs` ask for, trained on the rows of `train`: for a
    committee that several strategies share. They go on from those beside `before` as long as the committee does. Those
    that look at rows without a label see the available ones that are not kept for random draws."""
    used, others = _used(pool, rows), pool.X[pool.available & ~pool.reserved]
    X, y = pool.X[used], (pool.y[used] - committee.center) / committee.scale
    known = before.auxiliary if before is not None and before.begun == committee.begun else {}
    around, own = Around(others, partial(features_of, committee)), key_for(key, "auxiliary")
    beside = fit_beside(own, committee.learner, X, y, needs, known, around)
    if TAUGHT in needs:
        p = moments(committee, others)[0] if len(others) else np.zeros((0, y.shape[1]))
        params = self_taught(key_for(own, TAUGHT), committee, X, y, others, p, round_)
        beside[TAUGHT] = Auxiliary(committee.learner, params)
    return replace(committee, auxiliary=beside)


def _used(pool: Pool, rows: np.ndarray | None) -> np.ndarray:
    """The labelled rows to learn from."""
    used = np.flatnonzero(pool.labelled if rows is None else pool.labelled & rows)
    if not len(used):
        raise InputError("no row is labelled: a committee needs some labels to learn from")
    return used


def answer(committee: Committee, X: np.ndarray) -> np.ndarray:
    """The committee's mean prediction (n, k) in target units."""
    mean, _ = moments(replace(committee, learner=point_only(committee.learner)), X)
    return mean * committee.scale + committee.center


def moments(committee: Committee, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (n, k) and variance (n,) over members, or of a process, averaged over outputs; outputs in pieces."""
    outputs, members = len(committee.center), len(committee.keys)
    size = max(1024, NUMBERS // max(1, outputs * members))
    means, variances = [], []
    for rows in chunks(len(X), size):
        told = predict_many(committee.learner, committee.params, X[rows])
        said = np.asarray(told.mean, float)
        means.append(said.mean(0))
        own = np.asarray(told.variance, float).mean((0, 2)) if _tells_its_own(committee, told) else 0.0
        # From the first member: members that say the same must have no variance, not that of a rounded mean.
        variances.append((said - said[0]).var(0).mean(1) + own)
    return np.concatenate(means), np.concatenate(variances)


def _tells_its_own(committee: Committee, told: Prediction) -> bool:
    """Whether the variance is the learner's to tell: that of a deterministic one, which labels can lower."""
    return told.variance is not None and deterministic(committee.learner)


def members_of(committee: Committee, X: np.ndarray) -> np.ndarray:
    """What every member says (m, n, k); a process speaks for several, whose answers have its mean and its
    variance."""
    told = predict_many(committee.learner, committee.params, X)
    if not _tells_its_own(committee, told):
        return told.mean
    return told.mean + NORMAL_SCORES[:, None, None] * np.sqrt(np.asarray(told.variance, float))


def trained_beside(committee: Committee, name: str) -> Auxiliary:
    """The model trained beside the committee that answers this field; InputError if none was."""
    if name not in committee.auxiliary:
        raise InputError(f"this committee was trained without {name}: name it among the needs of `train`")
    return committee.auxiliary[name]
