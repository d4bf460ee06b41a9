"""From competitions to regimes: settling a partition, choosing among partitions, matching them.

A competition's own gate has inertia: where two models predict alike, the owner of a row stays
whoever owned it. Settling removes it. Models bid without the gate's say wherever the gate gives
them any real chance, so owners of undecided rows are coin tosses and the gate, refitted to them by
maximum likelihood, comes to rest in the middle of the undecided zone.

Held-out losses of partitions that cut a little beside the true line hardly differ; the marginal
likelihood of all regimes together differs by many units, because it sees every training row that a
wrong model has to explain. So held-out loss says which partitions are as good as the best, and the
marginal likelihood which of these it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import adjusted_rand_score

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import can_refine, fit_one, refine_one
from strongsuit.core.marginal import log_marginal
from strongsuit.partition.competition import losses_of
from strongsuit.partition.gate import GateBasis, fit_gate, gate_basis, log_softmax
from strongsuit.partition.units import folds, mean_and_error, standardise
from strongsuit.partition.values import Config, Rows, Snapshot

VETO = 0.05  # a model may not bid where the gate gives it less than this
ROUNDS = 10
GATE_STEPS = 60  # L-BFGS steps: a settled gate is fitted to convergence, not in passing
RESTED = 0.001  # share of rows changing hands below which a partition has settled
COLUMN_COUNTS = (1, 2, 4)  # sizes of the sparse gates tried beside the full one
IMPORTANCE_TREES = 60
JUDGE_FOLDS = 3
LISTED = 3  # settled partitions of one size that are judged by cross-validation
CLOSE = 2.0  # paired standard errors of held-out loss within which marginal likelihood decides
CLOSE_ALONE = 1.0  # the same where the learner has no marginal likelihood and the simplest is taken
STRONG = 3.0  # log units of likelihood that outweigh simplicity (Kass and Raftery, 1995: 20 to 1)
TRIMS = (0.0, 0.1, 0.25)  # shares of border rows left out of training while a partition is polished
SAME_REGIME = 0.3  # Jaccard overlap below which two regimes do not match


@dataclass(frozen=True)
class Settled:
    """A partition at rest: gate over `columns`, models, what they would lose on the judge rows, and the
    log marginal likelihood of the rows they were fitted to (NaN if the learner has none)."""

    learner: Any
    params: tuple[Any, ...]
    kind: str
    columns: np.ndarray
    center: np.ndarray
    spread: np.ndarray
    basis: GateBasis
    weights: np.ndarray
    winners: np.ndarray
    losses: np.ndarray
    likelihood: float
    origin: Snapshot | None

    @property
    def count(self) -> int:
        """Number of regimes."""
        return len(self.params)

    @property
    def complexity(self) -> tuple[int, int, int]:
        """What the one-standard-error rule keeps small: regimes, then bends, then columns."""
        return (self.count, int(self.kind != "linear"), len(self.columns))

    def labels(self, X: np.ndarray) -> np.ndarray:
        """Regime (n,) the settled gate gives every row."""
        Z = ((X - self.center) / self.spread)[:, self.columns]
        return (self.basis(Z) @ self.weights).argmax(1)


def settle(
    key: Key,
    learner: Any,
    owners: np.ndarray,
    count: int,
    build: Rows,
    judge: Rows,
    *,
    kind: str,
    columns: np.ndarray,
    omega: np.ndarray,
    trim: float = 0.0,
    origin: Snapshot | None = None,
) -> Settled | None:
    """The partition at rest that starts from `owners` (n_build,), or None if a regime dies on the way.

    While it moves, models train without the share `trim` of their rows that lie nearest to another regime:
    a model that has learned to bend around its neighbour's first rows would never give them back.
    """
    center, spread = standardise(build.X, build.w)
    basis = gate_basis(key_for(key, "settle"), len(columns), kind)
    P = basis(((build.X - center) / spread)[:, columns])
    weights = np.zeros((P.shape[1], count))
    params: tuple[Any, ...] = (None,) * count
    winners, shares = owners, np.eye(count)[owners]
    for turn in range(ROUNDS):
        if len(np.unique(winners)) < count:
            return None
        weights = fit_gate(P, shares, build.w, weights, steps=GATE_STEPS)
        scores = P @ weights
        barred = np.exp(log_softmax(scores)) < VETO
        old = params if turn % 3 else (None,) * count
        params = fit_regimes(key, learner, _core(winners, scores, trim), old, build)
        bids = losses_of(params, learner, build, omega)
        before, (winners, shares) = winners, _claims(np.where(barred, np.inf, bids), build.w)
        if np.mean(before != winners) < RESTED:
            break
    named = (P @ weights).argmax(1)
    if len(np.unique(named)) < count:
        return None
    params = fit_regimes(key, learner, named, (None,) * count, build)
    likelihood = likelihood_of(learner, params)
    found = Settled(
        learner, params, kind, columns, center, spread, basis, weights, winners, np.zeros(0), likelihood, origin
    )
    return _judged(found, judge, omega)


def polish(key: Key, chosen: Settled, rows: Rows, judge: Rows, *, omega: np.ndarray) -> Settled:
    """The chosen partition settled anew on all rows, from its own labels and with trimmed models: of these
    the one of largest marginal likelihood (without one, the plain one)."""
    again = [
        settle(
            key, chosen.learner, chosen.labels(rows.X), chosen.count, rows, judge,
            kind=chosen.kind, columns=chosen.columns, omega=omega, trim=trim,
        )
        for trim in (TRIMS if np.isfinite(chosen.likelihood) else TRIMS[:1])
    ]  # fmt: skip
    return max([s for s in again if s is not None] or [chosen], key=lambda s: s.likelihood)


def likelihood_of(learner: Any, params: tuple[Any, ...]) -> float:
    """Log marginal likelihood of models that share a noise level; NaN if the learner has none."""
    if not hasattr(learner, "marginal"):
        return float("nan")
    return log_marginal([learner.marginal(p) for p in params])


def _core(winners: np.ndarray, scores: np.ndarray, trim: float) -> np.ndarray:
    """Winner (n,) of every row, -1 for the share `trim` of each regime whose lead in the gate is least."""
    if not trim:
        return winners
    ordered = np.sort(scores, axis=1)
    lead = ordered[:, -1] - ordered[:, -2]
    kept = winners.copy()
    for k in np.unique(winners):
        own = winners == k
        kept[own & (lead < np.quantile(lead[own], trim))] = -1
    return kept


def _claims(bids: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Winner (n,) of every row, and every model's share (n, k): its posterior probability under a flat
    prior, so that a row both models predict alike pulls the gate to neither side."""
    winners = bids.argmin(1)
    noise = max(float(np.average(bids.min(1), weights=w)), 1e-300)
    return winners, np.exp(log_softmax(-np.minimum(bids / (2.0 * noise), 1e6)))


def fit_regimes(key: Key, learner: Any, labels: np.ndarray, old: tuple, rows: Rows) -> tuple[Any, ...]:
    """Models, one a regime, each on its own rows; `old` params are refined where they exist."""
    params = []
    for k, previous in enumerate(old):
        own = rows.take(labels == k)
        if previous is not None and can_refine(learner):
            params.append(refine_one(learner, key, previous, own.X, own.Y, own.w))
        else:
            params.append(fit_one(learner, key_for(key, "model", k), own.X, own.Y, own.w))
    return tuple(params)


def _judged(found: Settled, judge: Rows, omega: np.ndarray) -> Settled:
    losses = losses_of(found.params, found.learner, judge, omega)
    named = found.labels(judge.X)
    return replace(found, losses=losses[np.arange(len(named)), named])


def single(key: Key, learner: Any, build: Rows, judge: Rows, *, omega: np.ndarray) -> Settled:
    """The partition with one regime: the same learner on all rows."""
    center, spread = standardise(build.X, build.w)
    params = (fit_one(learner, key_for(key, "model", 0), build.X, build.Y, build.w),)
    none = np.zeros(0, int)
    basis = GateBasis(None)
    owners = np.zeros(len(build), int)
    found = Settled(
        learner, params, "linear", none, center, spread, basis, np.zeros((1, 1)), owners, np.zeros(0),
        likelihood_of(learner, params), None,
    )  # fmt: skip
    return _judged(found, judge, omega)


def settlements(
    key: Key, learner: Any, snapshot: Snapshot, build: Rows, judge: Rows, *, omega: np.ndarray
) -> list[Settled]:
    """Settled forms of one snapshot: linear and smooth gates on all columns, then on the telling few."""
    center, spread = standardise(build.X, build.w)
    alive = np.flatnonzero(np.isfinite(spread))

    def attempt(kind: str, columns: np.ndarray) -> Settled | None:
        return settle(
            key,
            learner,
            snapshot.labels,
            snapshot.count,
            build,
            judge,
            kind=kind,
            columns=columns,
            omega=omega,
            origin=snapshot,
        )

    full = [attempt(kind, alive) for kind in ("linear", "smooth")]
    order = telling_columns(key, (build.X - center) / spread, snapshot.labels, build.w)
    sizes = [m for m in COLUMN_COUNTS if m < len(alive)]
    kinds = ("linear",) if _better_first(full) else ("linear", "smooth")
    sparse = [attempt(kind, np.sort(order[:m])) for m in sizes for kind in kinds]
    return [s for s in (*full, *sparse) if s is not None]


def _better_first(pair: list[Settled | None]) -> bool:
    first, second = pair
    return first is not None and (second is None or first.losses.mean() <= second.losses.mean())


def telling_columns(key: Key, Z: np.ndarray, labels: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Columns (d,) by how much they tell of the labels, most telling first (importance in extra trees,
    which see interactions that a linear gate does not)."""
    if Z.shape[1] == 1:
        return np.zeros(1, int)
    trees = ExtraTreesClassifier(
        IMPORTANCE_TREES, max_depth=6, max_features=None, min_samples_leaf=3, random_state=key.integer()
    )
    trees.fit(np.where(np.isfinite(Z), Z, 0.0), labels, sample_weight=w)
    return np.argsort(-trees.feature_importances_, kind="stable")


def choose(candidates: list[Settled], judge: Rows) -> Settled:
    """The partition of largest marginal likelihood among those whose held-out loss is as good as the best,
    and of several with about that likelihood the simplest.

    Without marginal likelihoods: the simplest within one paired standard error of the best.
    """
    judged = all(np.isfinite(c.likelihood) for c in candidates)
    if judged:  # a split that does not pay for its own parameters is no candidate
        alone = max((c.likelihood for c in candidates if c.count == 1), default=-np.inf)
        candidates = [c for c in candidates if c.count == 1 or c.likelihood > alone]
    means = [float(np.average(c.losses, weights=judge.w)) for c in candidates]
    best = candidates[int(np.argmin(means))]

    def close(c: Settled) -> bool:
        harm, error = mean_and_error(c.losses - best.losses, judge.w, judge.units)
        return harm <= (CLOSE if judged else CLOSE_ALONE) * error

    near = [(c, mean) for c, mean in zip(candidates, means, strict=True) if close(c)]
    if judged:
        top = max(c.likelihood for c, _ in near)
        near = [(c, mean) for c, mean in near if c.likelihood >= top - STRONG]
        return min(near, key=lambda pair: (pair[0].complexity, -pair[0].likelihood))[0]
    return min(near, key=lambda pair: (pair[0].complexity, pair[1]))[0]


def cross_judged(key: Key, candidate: Settled, rows: Rows, *, omega: np.ndarray) -> Settled | None:
    """The candidate with losses on all rows, each from a partition settled anew without the row's fold, and
    with the likelihood of all rows.

    The judge rows alone are too few to tell close partitions apart in a small table.
    """
    fold = folds(key_for(key, "cross"), rows.units, JUDGE_FOLDS)
    losses = np.zeros(len(rows))
    for f in np.unique(fold):
        rest, out = rows.take(fold != f), rows.take(fold == f)
        if candidate.count == 1:
            again = single(key_for(key, int(f)), candidate.learner, rest, out, omega=omega)
        else:
            again = settle(
                key_for(key, int(f)), candidate.learner, candidate.labels(rest.X), candidate.count, rest, out,
                kind=candidate.kind, columns=candidate.columns, omega=omega,
            )  # fmt: skip
        if again is None:
            return None
        losses[fold == f] = again.losses
    params = fit_regimes(key, candidate.learner, candidate.labels(rows.X), (None,) * candidate.count, rows)
    return replace(candidate, losses=losses, likelihood=likelihood_of(candidate.learner, params))


def shortlist(candidates: list[Settled], judge: Rows) -> list[Settled]:
    """The best candidate of each complexity (by likelihood, else by judged loss), at most LISTED of them for one
    number of regimes."""

    def rank(c: Settled) -> float:
        return -c.likelihood if np.isfinite(c.likelihood) else float(np.average(c.losses, weights=judge.w))

    ranked = sorted(candidates, key=rank)
    taken: list[Settled] = []
    for candidate in ranked:
        alike = [t for t in taken if t.count == candidate.count]
        if len(alike) < LISTED and all(t.complexity != candidate.complexity for t in alike):
            taken.append(candidate)
    return taken


def finalists(snapshots: list[Snapshot], judge: Rows, config: Config) -> list[Snapshot]:
    """The snapshots of least judged loss, at most two of them with the same number of models."""
    ranked = sorted(snapshots, key=lambda s: float(np.average(s.losses, weights=judge.w)))
    taken: list[Snapshot] = []
    for snapshot in ranked:
        if snapshot.count > 1 and sum(t.count == snapshot.count for t in taken) < max(1, config.finalists // 2):
            taken.append(snapshot)
    return taken[: config.finalists]


def match(names: np.ndarray, others: np.ndarray, regimes: int, other_regimes: int) -> np.ndarray:
    """For each of the `other_regimes` the regime (or -1) it is the same as: Hungarian assignment on the
    Jaccard overlap of two labellings (n,) of the same rows."""
    overlap = np.zeros((other_regimes, regimes))
    for j in range(other_regimes):
        for k in range(regimes):
            both = np.sum((others == j) & (names == k))
            overlap[j, k] = both / max(1, np.sum((others == j) | (names == k)))
    matched = np.full(other_regimes, -1)
    for j, k in zip(*linear_sum_assignment(-overlap), strict=True):
        if overlap[j, k] >= SAME_REGIME:
            matched[j] = k
    return matched


def stability(labellings: list[np.ndarray]) -> dict[str, float]:
    """Mean and minimum adjusted Rand index over all pairs of labellings of the same rows."""
    pairs = [adjusted_rand_score(a, b) for i, a in enumerate(labellings) for b in labellings[i + 1 :]]
    if not pairs:
        return {"mean": float("nan"), "min": float("nan"), "restarts": len(labellings)}
    return {"mean": float(np.mean(pairs)), "min": float(np.min(pairs)), "restarts": len(labellings)}
