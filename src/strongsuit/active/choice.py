"""Which learner a committee is made of, where the user leaves that open: the one of least cross-validated error.

Networks and Gaussian processes are orders of magnitude apart on some problems, each way. The choice is made whenever
training begins anew, on the labelled rows alone; in between the committee goes on with the learner it has.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import fit_many, member_keys, predict_many, resume_many
from strongsuit.errors import InputError

log = logging.getLogger(__name__)

FOLDS = 4
MEMBERS = 2  # of each network a fold: the mean of two is halfway to that of a committee
PROOF_FOLDS = 5  # in which a learner must beat the mean
PROOF_MEMBERS = 3  # of a committee a fold: one alone may be far off at a row, which a committee's mean is not
MOST_ROWS = 2000  # of which errors are cross-validated


@dataclass(frozen=True)
class Choice:
    """Learners of which the best is taken, the first where rows are too few to tell, and what they are called."""

    learners: tuple[Any, ...]
    names: tuple[str, ...]


class Fitted(Protocol):
    """What is asked of an earlier committee."""

    learner: Any
    params: Any


@dataclass(frozen=True)
class Chosen:
    """The learner taken, its parameters as a list of one if the comparison has fitted it to all rows, and the errors
    compared, the least first, by name."""

    learner: Any
    params: list | None = None
    compared: tuple[tuple[str, float], ...] = ()


def settled(key: Key, learner: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """The learner itself, or that of a choice whose cross-validated error on X (n, d), y (n, k) is least."""
    return chosen(key, learner, X, y).learner


def chosen(key: Key, learner: Any, X: np.ndarray, y: np.ndarray, before: Fitted | None = None) -> Chosen:
    """The same with what is fitted already; a learner that chose before begins where it stopped."""
    if not isinstance(learner, Choice):
        return Chosen(learner)
    if len(X) < 2 * FOLDS or np.ptp(y, axis=0).max() == 0.0:
        return Chosen(learner.learners[0])
    rows = key_for(key, "rows").numpy().permutation(len(X))[:MOST_ROWS]
    fold = np.arange(len(rows)) % FOLDS
    found = [_tried(key, one, X[rows], y[rows], fold, before) for one in learner.learners]
    order = np.argsort([error for error, _ in found], kind="stable")
    compared = tuple((learner.names[i], found[i][0]) for i in order)
    told = ", ".join(f"{name} {error:.3g}" for name, error in compared)
    log.info("cross-validated squared errors at %d labels: %s", len(X), told)
    return Chosen(learner.learners[order[0]], found[order[0]][1], compared)


def serving(learner: Any, check: Callable[[Any], None]) -> Any:
    """The learner, or what is left of a choice, after `check` has raised InputError for learners that cannot serve;
    its last InputError if none is left."""
    if not isinstance(learner, Choice):
        check(learner)
        return learner
    able, refused = [], None
    for pair in zip(learner.learners, learner.names, strict=True):
        try:
            check(pair[0])
            able.append(pair)
        except InputError as error:
            refused = error
    if not able:
        raise refused
    return able[0][0] if len(able) == 1 else Choice(*zip(*able, strict=True))


def committee_size(learner: Any, members: int) -> int:
    """How many members a committee needs: one of a deterministic learner, which tells its own variance."""
    return 1 if deterministic(learner) else members


def begun_anew(learner: Any, keys: Sequence[Key], X: np.ndarray, y: np.ndarray, W: np.ndarray, before: Fitted | None):
    """Fitted parameters, by `fit_many`; a process is shown those of an earlier committee of its own."""
    if before is None or before.learner != learner or not has_kernel(learner):
        return fit_many(learner, keys, X, y, W)
    return [learner.fit(key, X, y, w, before=before.params[0]) for key, w in zip(keys, W, strict=True)]


def fit_each(
    learner: Any, keys: Sequence[Key], X: np.ndarray, y: np.ndarray, W: np.ndarray, groups: np.ndarray | None = None
) -> Any:
    """Parameters of fits to many weightings (m, n) of the same rows, by which learners, tracks or sizes are judged.

    A process is given all rows of a group of weightings for its few hyper-parameters, whose search is what its fit
    costs, and only then each weighting its own. `groups` (m,) numbers them; without it all are one.
    """
    if not _searches(learner):
        return fit_many(learner, keys, X, y, W)
    groups, params = np.zeros(len(W), int) if groups is None else groups, [None] * len(W)
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        begin = fit_many(learner, [keys[own[0]]], X, y, W[own].max(0)[None]) * len(own)
        for place, found in zip(own, resume_many(learner, [keys[i] for i in own], begin, X, y, W[own]), strict=True):
            params[place] = found
    return params


def beats_the_mean(key: Key, learner: Any, X: np.ndarray, y: np.ndarray) -> bool:
    """Whether cross-validated errors on X (n, d), y (n, k) are below those of the mean by more than a standard
    error."""
    if len(X) < 2 * PROOF_FOLDS:
        return False
    scale = float(np.sqrt(((y - y.mean(0)) ** 2).mean()))
    if scale == 0.0:
        return False
    y = (y - y.mean(0)) / scale
    fold = key_for(key, "folds").numpy().permutation(np.arange(len(X)) % PROOF_FOLDS)
    learner = point_only(learner)
    members = committee_size(learner, PROOF_MEMBERS)
    W = np.repeat(np.stack([fold != f for f in range(PROOF_FOLDS)]).astype(float), members, axis=0)
    params = fit_each(learner, member_keys(key, len(W)), X, y, W)
    said = np.asarray(predict_many(learner, params, X).mean, float)
    said = said.reshape(PROOF_FOLDS, members, *said.shape[1:]).mean(1)
    gain = (y**2 - (y - said[fold, np.arange(len(X))]) ** 2).mean(1)
    return bool(gain.mean() > gain.std(ddof=1) / len(gain) ** 0.5)


def searched(learner: Any, key: Key, X: np.ndarray, y: np.ndarray) -> list | None:
    """Parameters, a list of one, of a fit to all rows from which `resume` gives those of any weighting of them without
    a search of its own; None for a learner that trains."""
    return fit_many(learner, [key], X, y, np.ones((1, len(X)))) if _searches(learner) else None


def _searches(learner: Any) -> bool:
    return deterministic(learner) and hasattr(learner, "resume")


def deterministic(learner: Any) -> bool:
    """Whether a second member would say what the first one says."""
    return getattr(learner, "deterministic", False)


def has_kernel(learner: Any) -> bool:
    """Whether the learner is a process: it offers features of a kernel of its own."""
    return hasattr(learner, "kernel_features")


def point_only(learner: Any) -> Any:
    """The learner without predictive variances, which a Gaussian process has to work for."""
    return replace(learner, variance=False) if getattr(learner, "variance", False) else learner


def _tried(key: Key, learner: Any, X: np.ndarray, y: np.ndarray, fold: np.ndarray, before: Fitted | None) -> tuple:
    """Mean squared error of the mean of a few members on rows outside their folds, infinite if it is no number or a fit
    fails; and the parameters of a fit to all rows, if there was one."""
    try:
        return _cross_validated(key, learner, X, y, fold, before)
    except np.linalg.LinAlgError as error:
        log.warning("%s cannot be compared: %s", type(learner).__name__, error)
        return np.inf, None


def _cross_validated(key: Key, learner: Any, X: np.ndarray, y: np.ndarray, fold: np.ndarray, before: Fitted | None):
    quick, members, whole = point_only(learner), committee_size(learner, MEMBERS), None
    W = np.repeat(np.stack([fold != f for f in range(FOLDS)]).astype(float), members, axis=0)
    keys = member_keys(key, len(W))
    if _searches(learner):
        whole = begun_anew(learner, keys[:1], X, y, np.ones((1, len(X))), before)
        params = resume_many(quick, keys, whole * len(W), X, y, W)
    else:
        params = fit_many(quick, keys, X, y, W)
    said = np.asarray(predict_many(quick, params, X).mean, float)
    said = said.reshape(FOLDS, members, *said.shape[1:]).mean(1)
    error = float(((said[fold, np.arange(len(X))] - y) ** 2).mean())
    return (error if np.isfinite(error) else np.inf), whole
