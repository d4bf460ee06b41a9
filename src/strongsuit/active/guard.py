"""The guard of active learning: a share of every batch is random and hidden from selection, and judges it.

Random rows that neither train nor anchor the selecting committee are an unbiased test set. From time to time both
tracks are compared at equal size: a committee trained on the start and the first active rows, and one trained on the
start and random rows, cross-fitted. Where active selection does harm, the rest of the rows is drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from strongsuit.active.choice import Fitted, committee_size, deterministic, point_only, searched, settled
from strongsuit.active.committee import units
from strongsuit.active.pool import ACTIVE, AUDIT, START, Pool
from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import fit_many, member_keys, predict_many, resume_many

TRIAL, TRUSTED, RANDOM = "trial", "trusted", "random"
SHARES = {TRIAL: 0.5, TRUSTED: 0.1, RANDOM: 1.0}
FEWEST = {TRIAL: 60, TRUSTED: 40}  # random rows before a first check
FOLDS = 4
MEMBERS = 3  # of each committee of a check
DRAWS = 400
WIDER = 1.6  # a bootstrap over test rows cannot see the chance in the training sets
HARM, DOUBT = 2.0, np.log(1.05)
GROWTH = 1.2  # more random rows than at the last check: with hardly any new ones it would say the same again


@dataclass(frozen=True)
class Verdict:
    """One check: log ratio `theta` of the active track's squared error to the random track's, its standard error, the
    state before and after, the rows it rests on, and why."""

    round: int
    state: str
    next_state: str
    theta: float
    error: float
    audits: int
    size: int
    reason: str

    def sentence(self) -> str:
        """The verdict in words."""
        change = np.expm1(self.theta)
        side = "above" if change > 0 else "below"
        said = f"active selection's squared error is {abs(change):.0%} {side} random's at equal size"
        return f"{said} (log ratio {self.theta:+.2f}, standard error {self.error:.2f}, {self.audits} random rows)"


def first_state(*, proven: bool) -> str:
    """What a session begins in: on trial, or trusted where the strategy is `proven` by its record in a benchmark."""
    return TRUSTED if proven else TRIAL


def due(pool: Pool, round_: int, state: str, *, last: Verdict | None = None) -> bool:
    """Whether the guard looks now: every second round, once random and active rows are enough, and more than at the
    `last` check."""
    if state == RANDOM or round_ % 2:
        return False
    rows, fewest = _tracks(pool), FEWEST[state]
    if last is not None:
        fewest = max(fewest, int(np.ceil(GROWTH * last.size)))
    return min(len(rows[AUDIT]), len(rows[ACTIVE])) >= fewest


def check(
    key: Key, learner: Any, pool: Pool, order: np.ndarray, *, round_: int, state: str, start: Fitted | None = None
) -> Verdict:
    """The verdict on the labelled rows; `order` (n,) says when each row was asked for. The hyper-parameters of a
    process are those of the committee `start`, if it is one, in both tracks."""
    rows = _tracks(pool)
    size = min(len(rows[AUDIT]), len(rows[ACTIVE]))
    active = rows[ACTIVE][np.argsort(order[rows[ACTIVE]], kind="stable")]
    if np.ptp(pool.y[rows[AUDIT]], axis=0).max() == 0.0:
        return Verdict(round_, state, state, float("nan"), float("nan"), len(rows[AUDIT]), size, "constant_labels")
    begin = start.params if start is not None and start.learner == learner and deterministic(learner) else None
    errors = _errors(key, learner, pool, rows[START], active, rows[AUDIT], (size // 3, 2 * size // 3, size), begin)
    theta = float(np.mean([np.log(a.sum() / r.sum()) for a, r in errors]))
    draws = key_for(key, "bootstrap").numpy().integers(0, len(rows[AUDIT]), (DRAWS, len(rows[AUDIT])))
    spread = np.mean([np.log(a[draws].sum(1) / r[draws].sum(1)) for a, r in errors], axis=0)
    error = WIDER * float(spread.std(ddof=1))
    after, reason = _move(state, theta, error)
    return Verdict(round_, state, after, theta, error, len(rows[AUDIT]), size, reason)


def _move(state: str, theta: float, error: float) -> tuple[str, str]:
    if theta - HARM * error > 0.0:
        return RANDOM, "harm"
    if state == TRIAL and theta < DOUBT:
        return TRUSTED, "trust"
    if state == TRUSTED and theta > DOUBT:
        return TRIAL, "doubt"
    return state, "unchanged"


def _tracks(pool: Pool) -> dict[int, np.ndarray]:
    return {role: np.flatnonzero(pool.labelled & (pool.role == role)) for role in (START, ACTIVE, AUDIT)}


def _errors(
    key: Key, learner: Any, pool: Pool, start, active, audit, sizes, begin
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Squared errors (a,) on all random rows of both tracks, at each number of rows beyond the start: each fold's two
    fits see the same number of rows and begin with the same weights."""
    fold = key_for(key, "folds").numpy().permutation(np.arange(len(audit)) % FOLDS)
    known = np.concatenate([start, active, audit])
    center, scale = units(learner, pool.y[known])
    X, y = pool.X[known], (pool.y[known] - center) / scale
    learner = point_only(settled(key_for(key, "choice"), learner, X, y))
    members = committee_size(learner, MEMBERS)
    begin = begin or searched(learner, key_for(key, "search"), X, y)
    trains = [max(1, int(size * (1 - 1 / FOLDS))) for size in sizes]
    found = [(np.zeros(len(audit)), np.zeros(len(audit))) for _ in sizes]
    for f in range(FOLDS):
        out = fold == f
        weights = [
            np.repeat(_weights(len(start), len(active), audit, audit[~out][:train], train), members, axis=0)
            for train in trains
        ]
        truth = y[len(start) + len(active) :][out]
        for (ours, theirs), said in zip(
            found, _grown(key_for(key, f), learner, X, y, weights, audit, out, begin), strict=True
        ):
            ours[out] = ((said[:members].mean(0) - truth) ** 2).mean(1)
            theirs[out] = ((said[members:].mean(0) - truth) ** 2).mean(1)
    return found


def _weights(starts: int, actives: int, audit: np.ndarray, rest: np.ndarray, train: int) -> np.ndarray:
    """Weights (2, rows) of start, active and random rows in both tracks."""
    W = np.zeros((2, starts + actives + len(audit)))
    W[:, :starts] = 1.0
    W[0, starts : starts + train] = 1.0
    W[1, starts + actives :] = np.isin(audit, rest)
    return W


def _grown(key: Key, learner: Any, X, y, weights: list[np.ndarray], audit: np.ndarray, out: np.ndarray, begin):
    """Predictions (2 members, rows out, k) of both tracks at each size: larger ones go on from smaller ones where the
    learner can resume, which is how committees are trained in use; the first from parameters `begin`, if there are."""
    params, test = None if begin is None else begin * len(weights[0]), X[len(X) - len(audit) :][out]
    for size, W in enumerate(weights):
        keys = member_keys(key_for(key, size), len(W) // 2) * 2  # both tracks begin with the same weights
        if params is not None and hasattr(learner, "resume"):
            params = resume_many(learner, keys, params, X, y, W)
        else:
            params = fit_many(learner, keys, X, y, W)
        yield np.asarray(predict_many(learner, params, test).mean, float)
