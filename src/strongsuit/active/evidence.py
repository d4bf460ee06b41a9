"""What a committee says of every pool row: all that a score or an embedding may look at.

Only the fields that a strategy names are computed. No fit happens here or below.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from strongsuit.active.auxiliary import KINDS, OPEN_KINDS, TEMPERATURE, VOTES, kernel_of, uncertainty
from strongsuit.active.choice import deterministic, has_kernel, point_only
from strongsuit.active.committee import NUMBERS, Committee, members_of, moments, trained_beside
from strongsuit.active.lal import ERROR_DROP, error_drop
from strongsuit.active.memory import Past
from strongsuit.active.open_rows import features_of, shown
from strongsuit.active.pool import Pool
from strongsuit.active.pseudo_labels import TAUGHT
from strongsuit.active.removals import REMOVED
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import pick, predict_many, predict_one, sketch_many
from strongsuit.core.pivoted import RANK
from strongsuit.core.standard import standard
from strongsuit.errors import InputError

log = logging.getLogger(__name__)

PASSES = 10  # with dropout, where these stand for a committee
DROPS, DROPPED = 3, 0.75  # passes with thinned features, and the share that is left out (DropQuery)
SKETCH = 512  # columns of the gradient features: Holzmueller et al. (2023) found more to change nothing
REFERENCES = 512  # rows against which influence is measured
FOLDS = "folds"  # the need of searches for a strategy
FIELDS = ("mean", "var", "members", "last", "grad", "ridge", "reference", "gp", *KINDS, "y_true")


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
    committee's own gradients, "" if it shows these. Of classifiers: proba (n, k) probabilities of all rows, votes
    (t, n, k) those of t models, and head, the weights (k, h) and biases (k,) of the linear softmax layer on the first h
    columns of last, with a mask (k,) of the classes that training showed; temperature, by which to cool probabilities;
    dropped_votes (n,) how many passes with thinned features predict another class; of models that saw open rows too,
    unlike (n,) the logit of not being labelled, critic (n, k + 1) probabilities and how far a critic finds the row from
    labelled ones, graph (n, h + 1) hidden features of a graph network and how labelled it finds the row; taught (n, k)
    probabilities of models that learned pseudo-labels. available, anchors (n,) bool: rows
    that may be chosen, and rows that already count (labelled or pending). round: how many batches were asked for
    before. folds: the labelled rows in the eyes of committees that did not see them. error_drop (n,): by how much a
    row's label would lower the error, as a forest learned it on made problems. removed (3, r): the loss on labelled
    rows of models that miss others, None where labels are too few. past: what the strategy recorded of its batches.
    balanced: whether training weighed classes alike. labels: where a row has several labels, what is known of each, as
    of two classes. linear: whether the models are ridge regressions on last. served (n,) bool: the rows for whose sake
    others are chosen, where these are not all that may be.
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
    proba: np.ndarray | None = None
    votes: np.ndarray | None = None
    head: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    temperature: float = 1.0
    dropped_votes: np.ndarray | None = None
    unlike: np.ndarray | None = None
    critic: np.ndarray | None = None
    graph: np.ndarray | None = None
    taught: np.ndarray | None = None
    round: int = 0
    folds: tuple[Evidence, ...] = ()
    error_drop: np.ndarray | None = None
    removed: np.ndarray | None = None
    past: Past | None = None
    balanced: bool = False
    labels: tuple[Evidence, ...] = ()
    linear: bool = False
    served: np.ndarray | None = None

    @property
    def classes(self) -> np.ndarray:
        """Class numbers (n,) of the known labels, -1 elsewhere."""
        found = np.full(len(self.y), -1)
        found[self.labelled] = np.argmax(self.y[self.labelled], axis=1)
        return found


def narrowed(evidence: Evidence, rows: np.ndarray) -> Evidence:
    """The evidence of these rows (c,) alone; reference rows that are not among them drop out."""
    found = {}
    for part in fields(evidence):
        value = getattr(evidence, part.name)
        if isinstance(value, Past):
            found[part.name] = value.of(rows)
        if not isinstance(value, np.ndarray) or part.name in ("ridge", REMOVED):
            continue
        if part.name == "reference":
            found["reference"] = np.flatnonzero(np.isin(rows, value))
        else:
            found[part.name] = value[:, rows] if part.name in ("members", VOTES) else value[rows]
    return replace(evidence, **found)


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
    center_x, spread_x = standard(pool.X)
    x_std = (pool.X - center_x) / spread_x
    counted = pool.labelled | pool.pending if anchors is None else anchors
    seen = pool.labelled & counted
    if needs & {"mean", "var"}:
        found["mean"], found["var"] = _unknown(_needed(committee, "a committee"), pool.X, ~seen, "var" in needs)
    if "members" in needs:
        found["members"] = members_of(_needed(committee, "a committee"), pool.X)
    if "last" in needs:
        found["last"] = _last(_needed(committee, "a committee"), pool.X, x_std)
        found["linear"] = getattr(committee.learner, "linear", False)
    if "proba" in needs:
        found["proba"] = moments(_needed(committee, "a committee"), pool.X)[0]
        found["balanced"] = getattr(committee.learner, "class_weight", None) == "balanced"
    if VOTES in needs:
        found[VOTES] = _votes(key_for(key, VOTES), _needed(committee, "a committee"), pool.X)
    if needs & {"head", "dropped_votes"}:
        found["head"] = _head(_needed(committee, "a committee"))
    if TEMPERATURE in needs:
        found[TEMPERATURE] = trained_beside(_needed(committee, "a committee"), TEMPERATURE).params
    if REMOVED in needs:
        found[REMOVED] = trained_beside(_needed(committee, "a committee"), REMOVED).params
    if ERROR_DROP in needs:
        found[ERROR_DROP] = error_drop(trained_beside(_needed(committee, "a committee"), ERROR_DROP).params, pool.X)
    if "dropped_votes" in needs:
        last = found.get("last", _last(committee, pool.X, x_std))
        found["dropped_votes"] = _dropped_votes(key_for(key, "drop"), last[:, :-1], found["head"])
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
    for name in sorted(needs & OPEN_KINDS.keys()):
        found[name] = _told(_needed(committee, "a committee"), name, pool.X)
    if TAUGHT in needs:
        taught = trained_beside(_needed(committee, "a committee"), TAUGHT)
        found[TAUGHT] = moments(replace(committee, params=taught.params), pool.X)[0]
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
    mean[rows], var[rows] = moments(committee, X[rows])
    return mean, var


def _last(committee: Committee, X: np.ndarray, x_std: np.ndarray) -> np.ndarray:
    """Features of the first member and a 1 (n, h + 1): standardised inputs where a classifier has no layers to show."""
    if getattr(committee.learner, "classifies", False) and not hasattr(committee.learner, "head"):
        hidden = x_std
    else:
        hidden = features_of(committee, X)
    return np.hstack([hidden, np.ones((len(X), 1), hidden.dtype)])


def check_votes(learner: Any, members: int) -> None:
    """Nothing, or InputError where a committee of so many members has no votes to count."""
    if members == 1 and not deterministic(learner) and not getattr(learner, "dropout", 0.0):
        raise InputError(
            f"one {type(learner).__name__} alone has no votes: train more members, give it dropout, or choose a "
            "strategy that needs none, such as margin"
        )


def _votes(key: Key, committee: Committee, X: np.ndarray) -> np.ndarray:
    """Probabilities (t, n, k) of the members, or of passes that drop features where there is but one network, or of the
    models fitted to bootstrap samples where there is no chance in training."""
    learner = committee.learner
    if not deterministic(learner) and len(committee.keys) == 1 and getattr(learner, "dropout", 0.0) > 0.0:
        return learner.passes(pick(committee.params, 0), key, X, PASSES)
    if not deterministic(learner):
        check_votes(learner, len(committee.keys))
        return np.asarray(predict_many(committee.learner, committee.params, X).mean)
    bagged = trained_beside(committee, VOTES)
    return np.asarray(predict_many(bagged.learner, bagged.params, X).mean)


def _head(committee: Committee) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if not hasattr(committee.learner, "head"):
        raise InputError(
            f"{type(committee.learner).__name__} has no linear layer to show: choose a strategy that needs none, "
            "such as u_herding, margin or badge, or a learner that has one, such as Softmax"
        )
    return committee.learner.head(pick(committee.params, 0))


def _dropped_votes(key: Key, Z: np.ndarray, head: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """How many (n,) of DROPS passes with thinned features (n, h) predict another class than the features do."""
    (W, c, seen), rng = head, key.numpy()
    off = np.where(seen, 0.0, -np.inf)
    said = (Z @ W.T + c + off).argmax(1)
    found = np.zeros(len(Z), int)
    for _ in range(DROPS):
        thinned = np.where(rng.random(Z.shape, np.float32) < DROPPED, 0.0, Z) / (1.0 - DROPPED)
        found += (thinned @ W.T + c + off).argmax(1) != said
    return found


def _beside(committee: Committee, name: str, X: np.ndarray) -> np.ndarray:
    found = trained_beside(committee, name)
    return uncertainty(found, X, size=max(1024, NUMBERS // max(1, 3 * len(committee.center))))


def _told(committee: Committee, name: str, X: np.ndarray) -> np.ndarray:
    """The means that a model says which saw open rows too: (n,) where there is one, else (n, q)."""
    found = trained_beside(committee, name)
    rows = shown(found.learner, X, lambda inputs: features_of(committee, inputs))
    mean = np.asarray(predict_one(found.learner, found.params, rows).mean, float)
    return mean[:, 0] if mean.shape[1] == 1 else mean


def _kernel(committee: Committee, X: np.ndarray, rank: int = RANK) -> tuple[np.ndarray, float]:
    """Kernel features of the committee's first member, or of the process beside it, and the noise."""
    if has_kernel(committee.learner):
        return kernel_of(committee.learner, pick(committee.params, 0), X, rank)
    process = trained_beside(committee, "gp")
    return kernel_of(process.learner, process.params, X, rank)


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
