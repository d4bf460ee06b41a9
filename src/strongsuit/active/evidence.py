"""What a committee says of every pool row: all that a score or an embedding may look at.

Only the fields that a strategy names are computed. No fit happens here or below.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from strongsuit.active.auxiliary import KINDS, Auxiliary, fit_beside, has_kernel, kernel_of, uncertainty
from strongsuit.active.choice import Chosen, begun_anew, chosen, committee_size, deterministic, point_only
from strongsuit.active.pool import Pool
from strongsuit.core.arrays import chunks
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import (
    Prediction,
    embed_many,
    member_keys,
    pick,
    predict_many,
    resume_many,
    sketch_many,
)
from strongsuit.core.pivoted import RANK
from strongsuit.errors import InputError

log = logging.getLogger(__name__)

SKETCH = 512  # columns of the gradient features: Holzmueller et al. (2023) found more to change nothing
REFERENCES = 512  # rows against which influence is measured
# Training begins anew when the rows have doubled. Members that only resume grow alike, keep the weight decay of their
# first rows, and fall behind fresh ones: the columns "resumed" and "cold" of `benchmarks/resume.py`.
GROWTH = 2.0
NUMBERS = 2 * 10**7  # member outputs held at once
# Five values like draws of a standard normal: its quantiles, of mean 0 and variance 1.
NORMAL_SCORES = np.array([-1.46337, -0.59880, 0.0, 0.59880, 1.46337])
FIELDS = ("mean", "var", "members", "last", "grad", "ridge", "reference", "gp", *KINDS, "y_true")


@dataclass(frozen=True)
class Committee:
    """m fitted models of one learner; labels were centred by `center` (k,) and divided by `scale` before. `rows` is how
    many they have seen, `begun` how many at the last training from fresh weights. `auxiliary` holds models fitted
    beside them, by the field of Evidence that they answer. `compared` are the cross-validated errors by which the
    learner was chosen, in squares of `scale`, the least first."""

    learner: Any
    keys: tuple[Key, ...]
    params: Any
    center: np.ndarray
    scale: float
    begun: int = 0
    rows: int = 0
    auxiliary: Mapping[str, Auxiliary] = field(default_factory=dict)
    compared: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Evidence:
    """Fields over all n pool rows, None where nobody asked for them.

    x and x_std (n, d) inputs in [-1, 1] and standardised; y (n, k) known labels on the committee's scale, NaN
    elsewhere; mean (n, k) and var (n,) of the committee, NaN where labels are known; members (m, n, k) of it; last
    (n, h + 1) hidden units of its first member; grad (n, p) sketched gradients; ridge (d, k) coefficients on x_std;
    reference (r,) row numbers; dropout_var (n,) the variance over passes of a dropout network; loss_hat (n,) the losses
    that a network predicts of itself; gp (n, r) features of a Gaussian process's prior kernel and gp_noise, the
    variance of a label's noise in the units of their inner products; y_true (n, k) true labels, which only a benchmark
    has; price (n,) what a label costs, by which scores are divided; stand_in, what grad shows in place of the
    committee's own gradients, "" if it shows these. available, anchors (n,) bool: rows that may be chosen, and rows
    that already count (labelled or pending).
    """

    x: np.ndarray
    x_std: np.ndarray
    y: np.ndarray
    available: np.ndarray
    anchors: np.ndarray
    labelled: np.ndarray
    mean: np.ndarray | None = None
    var: np.ndarray | None = None
    members: np.ndarray | None = None
    last: np.ndarray | None = None
    grad: np.ndarray | None = None
    ridge: np.ndarray | None = None
    reference: np.ndarray | None = None
    gp: np.ndarray | None = None
    gp_noise: float | None = None
    dropout_var: np.ndarray | None = None
    loss_hat: np.ndarray | None = None
    y_true: np.ndarray | None = None
    price: np.ndarray | None = None
    stand_in: str = ""


def train(
    key: Key,
    learner: Any,
    pool: Pool,
    members: int,
    *,
    rows: np.ndarray | None = None,
    start: Committee | None = None,
    needs: Iterable[str] = (),
) -> Committee:
    """A committee fitted to the labelled rows, or to those of `rows` (n,) bool among them.

    One scale serves all outputs: the root of the mean labelled variance, 1 if nothing varies. Training goes on from
    the committee `start`, with its scale, where the learner can resume, and begins anew when rows grew by GROWTH. A
    committee that has seen as many rows stays as it is.
    `needs` are fields of Evidence: those that a model beside the committee answers have it trained, by the same rule.
    """
    used = _used(pool, rows)
    X, y = pool.X[used], pool.y[used]
    goes_on = start is not None and len(used) < GROWTH * start.begun and hasattr(start.learner, "resume")
    if goes_on and start.rows == len(used):
        return accompanied(key, start, pool, needs, rows=rows, before=start)
    center, scale = (start.center, start.scale) if goes_on else _units(learner, y)
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
    return accompanied(key, found, pool, needs, rows=rows, before=start)


def _units(learner: Any, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (k,) and scale of the labels; 0 and 1 for a learner that says `own_units`, as published networks that
    were tuned to the units of their simulators."""
    center = y.mean(0)
    if getattr(learner, "own_units", False):
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
) -> Committee:
    """The committee with those models beside it that the fields `needs` ask for, trained on the rows of `train`: for a
    committee that several strategies share. They go on from those beside `before` as long as the committee does."""
    used = _used(pool, rows)
    y = (pool.y[used] - committee.center) / committee.scale
    known = before.auxiliary if before is not None and before.begun == committee.begun else {}
    beside = fit_beside(key_for(key, "auxiliary"), committee.learner, pool.X[used], y, needs, known)
    return replace(committee, auxiliary=beside)


def _used(pool: Pool, rows: np.ndarray | None) -> np.ndarray:
    """The labelled rows to learn from."""
    used = np.flatnonzero(pool.labelled if rows is None else pool.labelled & rows)
    if not len(used):
        raise InputError("no row is labelled: a committee needs some labels to learn from")
    return used


def answer(committee: Committee, X: np.ndarray) -> np.ndarray:
    """The committee's mean prediction (n, k) in target units."""
    mean, _ = _moments(replace(committee, learner=point_only(committee.learner)), X)
    return mean * committee.scale + committee.center


def gather(
    key: Key,
    committee: Committee | None,
    pool: Pool,
    needs: Iterable[str],
    *,
    anchors: np.ndarray | None = None,
    box: tuple[np.ndarray, np.ndarray] | None = None,
    y_true: np.ndarray | None = None,
) -> Evidence:
    """The evidence a strategy needs of every pool row.

    `anchors` (n,) bool takes the place of the labelled and pending rows: labels of other rows are hidden. `box` (lows,
    highs) takes the place of the pool's own ranges. Raises InputError for a field that the learner cannot give.
    """
    needs = set(needs)
    if "box" in needs:
        _needed(box, "a box of inputs")
    found: dict[str, Any] = {}
    center, scale = (np.zeros(pool.y.shape[1]), 1.0) if committee is None else (committee.center, committee.scale)
    x_std = _standardised(pool.X)
    counted = pool.labelled | pool.pending if anchors is None else anchors
    seen = pool.labelled & counted
    if needs & {"mean", "var"}:
        found["mean"], found["var"] = _unknown(_needed(committee, "a committee"), pool.X, ~seen, "var" in needs)
    if "members" in needs:
        found["members"] = _members(_needed(committee, "a committee"), pool.X)
    if "last" in needs:
        hidden = embed_many(committee.learner, _first(committee), pool.X)[0]
        found["last"] = np.hstack([hidden, np.ones((len(pool), 1))])
    if "grad" in needs:
        found["grad"] = gradients(key_for(key, "sketch"), committee, pool.X)
        found["stand_in"] = stand_in(committee)
        if found["stand_in"]:
            log.info(found["stand_in"])
    y = np.where(seen[:, None], (pool.y - center) / scale, np.nan)
    if "ridge" in needs:
        found["ridge"] = _ridge(x_std[seen], y[seen])
    if "reference" in needs:
        found["reference"] = _reference(key_for(key, "reference"), pool)
    if "gp" in needs:
        found["gp"], found["gp_noise"] = _kernel(_needed(committee, "a committee"), pool.X)
    for name in sorted(needs & KINDS.keys()):
        found[name] = _beside(_needed(committee, "a committee"), name, pool.X)
    if "y_true" in needs:
        found["y_true"] = (_needed(y_true, "true labels") - center) / scale
    x = _in_box(pool.X, box)
    available = pool.available & ~pool.reserved
    return Evidence(x, x_std, y, available, counted, seen, **found)


def gradients(key: Key, committee: Committee, X: np.ndarray, *, width: int = SKETCH) -> np.ndarray:
    """Sketched gradient features (n, width) of the whole committee, in float32: posterior rules widen them. Of a
    Gaussian process the features of its kernel, which is to it what the gradients' kernel is to a network."""
    if has_kernel(committee.learner):
        return _kernel(committee, X, width)[0]
    if not hasattr(committee.learner, "sketch"):
        raise InputError(
            f"{type(committee.learner).__name__} has no gradients: choose a strategy that needs none, "
            "such as lcmd_x, qbc_div or gsx"
        )
    keys = [key_for(key, i) for i in range(len(committee.keys))]
    return sketch_many(committee.learner, keys, committee.params, X, width)


def stand_in(committee: Committee) -> str:
    """What `gradients` shows in place of the committee's own gradients, in words; "" where it shows these."""
    if not hasattr(committee.learner, "stand_in"):
        return ""
    return next((words for one in committee.params if (words := committee.learner.stand_in(one))), "")


def _needed(value: Any, what: str) -> Any:
    if value is None:
        raise InputError(f"this strategy needs {what}, and there is none")
    return value


def _unknown(committee: Committee, X: np.ndarray, rows: np.ndarray, wide: bool) -> tuple[np.ndarray, np.ndarray]:
    """The committee's mean (n, k) and variance (n,) on the rows (n,) bool, NaN on others; unless `wide` a process need
    not work for its variance."""
    if not wide:
        committee = replace(committee, learner=point_only(committee.learner))
    mean, var = np.full((len(X), len(committee.center)), np.nan), np.full(len(X), np.nan)
    mean[rows], var[rows] = _moments(committee, X[rows])
    return mean, var


def _moments(committee: Committee, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def _members(committee: Committee, X: np.ndarray) -> np.ndarray:
    """What every member says (m, n, k); a process speaks for several, whose answers have its mean and its
    variance."""
    told = predict_many(committee.learner, committee.params, X)
    if not _tells_its_own(committee, told):
        return told.mean
    return told.mean + NORMAL_SCORES[:, None, None] * np.sqrt(np.asarray(told.variance, float))


def _beside(committee: Committee, name: str, X: np.ndarray) -> np.ndarray:
    found = _trained_beside(committee, name)
    return uncertainty(found, X, size=max(1024, NUMBERS // max(1, 3 * len(committee.center))))


def _kernel(committee: Committee, X: np.ndarray, rank: int = RANK) -> tuple[np.ndarray, float]:
    """Kernel features of the committee's first member, or of the process beside it, and the noise."""
    if has_kernel(committee.learner):
        return kernel_of(committee.learner, pick(committee.params, 0), X, rank)
    process = _trained_beside(committee, "gp")
    return kernel_of(process.learner, process.params, X, rank)


def _trained_beside(committee: Committee, name: str) -> Auxiliary:
    if name not in committee.auxiliary:
        raise InputError(f"this committee was trained without {name}: name it among the needs of `train`")
    return committee.auxiliary[name]


def _first(committee: Committee) -> Any:
    if isinstance(committee.params, list):
        return committee.params[:1]
    import jax

    return jax.tree.map(lambda leaf: np.asarray(leaf)[:1], committee.params)


def _standardised(X: np.ndarray) -> np.ndarray:
    spread = X.std(0)
    return (X - X.mean(0)) / np.where(spread > 1e-12 * np.maximum(1.0, np.abs(X).max(0)), spread, np.inf)


def _in_box(X: np.ndarray, box: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    """Inputs in [-1, 1]: by the box, or by the pool's least and greatest values; constant columns become 0."""
    low, high = (X.min(0), X.max(0)) if box is None else box
    width = np.where(high > low, (high - low) / 2, np.inf)
    return (X - (low + high) / 2) / width


def _reference(key: Key, pool: Pool) -> np.ndarray:
    open_rows = np.flatnonzero(pool.available)
    return np.sort(key.numpy().choice(open_rows, min(REFERENCES, len(open_rows)), replace=False))


def _ridge(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Ridge coefficients (d, k), the penalty by leave-one-out error."""
    left, s, right = np.linalg.svd(X - X.mean(0), full_matrices=False)
    b = y - y.mean(0)
    rotated, best, least = left.T @ b, None, np.inf
    for penalty in np.logspace(-4, 4, 17) * len(X):
        shrink = s**2 / (s**2 + penalty)
        leverage = np.minimum((left**2 @ shrink) + 1.0 / len(X), 1.0 - 1e-9)
        error = (((b - left @ (shrink[:, None] * rotated)) / (1.0 - leverage)[:, None]) ** 2).mean()
        if error < least:
            least, best = error, right.T @ ((s / (s**2 + penalty))[:, None] * rotated)
    return best


__all__ = ["Committee", "Evidence", "accompanied", "answer", "gather", "gradients", "pick", "stand_in", "train"]
