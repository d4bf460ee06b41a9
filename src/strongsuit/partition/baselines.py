"""What active partitioning has to beat, each a Learner: mixtures of experts, clusters first, residual regions.

All of them take the models that compete in a partition (`base`), and those that choose hard regions may
train other models in them once the regions stand (`expert`), as active partitioning does. How many
regions there are is chosen on rows left out; one is always among the choices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
from scipy.special import logsumexp
from sklearn.cluster import KMeans

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import Prediction, fit_one, predict_one
from strongsuit.partition.baselines_em import Mixture, fit_mixture, owners_of
from strongsuit.partition.baselines_regions import (
    Everywhere,
    centre_router,
    fit_regions,
    machine_router,
)
from strongsuit.partition.baselines_rows import Scaled, climb, judge, standard_rows
from strongsuit.partition.experts import choose_family, clip_range, fit_model
from strongsuit.partition.starts import TARGET_WEIGHT, first_owners
from strongsuit.partition.units import folds
from strongsuit.partition.values import Competitor, Rows

MIN_ROWS = 20  # rows a region needs, as in active partitioning
OUT_OF_FOLD = 3


@dataclass(frozen=True)
class BestFamily:
    """The family of least cross-validated loss, fitted to all rows: the single model of active partitioning."""

    families: tuple[Competitor, ...]
    traceable: ClassVar[bool] = False

    def fit(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> Scaled:
        """The fitted family with its scale."""
        rows, scale = standard_rows(X, y, w)
        omega = np.full(rows.Y.shape[1], 1 / rows.Y.shape[1])
        family = choose_family(key_for(key, "family"), self.families, rows, omega)
        return Scaled(scale, fit_model(key_for(key, "fit"), family, rows))

    def predict(self, params: Scaled, X: np.ndarray) -> Prediction:
        """Means (n, q) and, if the family knows them, variances."""
        return params.predict(X)

    def embed(self, params: Scaled, X: np.ndarray) -> np.ndarray:
        """The inputs themselves."""
        return np.asarray(X, float)


@dataclass(frozen=True)
class SoftMixtureOfExperts:
    """Experts blended by a gate, p(y|x) = sum_k softmax(V z)_k N(y; M_k(x), s_k^2), fitted by EM.

    Jordan and Jacobs (1994). The number of experts, the gate's basis and the start are those of the
    largest likelihood of rows left out.
    """

    base: Any
    max_k: int = 4
    gates: tuple[str, ...] = ("linear", "smooth")
    starts: tuple[str, ...] = ("kmeans_xy", "random")
    traceable: ClassVar[bool] = False

    def fit(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> Scaled:
        """The mixture with its scale."""
        rows, scale = standard_rows(X, y, w)
        plans = [(1, self.gates[0], self.starts[0])]
        plans += [(k, g, s) for k in _counts(rows, self.max_k) for g in self.gates for s in self.starts]
        plan = judge(key_for(key, "judge"), rows, plans, lambda part, plan: self._fit(key, part, plan), _unlikely)
        return Scaled(scale, self._fit(key, rows, plan))

    def predict(self, params: Scaled, X: np.ndarray) -> Prediction:
        """Mean and variance (n, q) of the mixture."""
        return params.predict(X)

    def embed(self, params: Scaled, X: np.ndarray) -> np.ndarray:
        """The inputs themselves."""
        return np.asarray(X, float)

    def _fit(self, key: Key, rows: Rows, plan: tuple[int, str, str]) -> Mixture:
        k, gate, start = plan
        own = key_for(key, "mixture", k, gate, start)
        return fit_mixture(own, self.base, rows, _owners(own, start, rows, k), gate=gate)[0]


@dataclass(frozen=True)
class HardMixtureOfRegressions:
    """Each row belongs to the regression that explains it best (classification EM, no inputs in the gate), then
    a support vector machine learns whose row is whose, and one model is fitted to what it sends to each."""

    base: Any
    max_k: int = 4
    expert: Any = None
    starts: tuple[str, ...] = ("kmeans_xy", "random")
    min_rows: int = MIN_ROWS
    traceable: ClassVar[bool] = False

    def fit(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> Scaled:
        """The regions with their models and scale."""
        return _fit_planned(
            key, self, X, y, w, lambda rows: list(product(_counts(rows, self.max_k, self.min_rows), self.starts))
        )

    def predict(self, params: Scaled, X: np.ndarray) -> Prediction:
        """Means (n, q)."""
        return params.predict(X)

    def embed(self, params: Scaled, X: np.ndarray) -> np.ndarray:
        """The inputs themselves."""
        return np.asarray(X, float)

    def route(self, key: Key, rows: Rows, plan: tuple[int, str]) -> tuple[Any, int]:
        """The router of a plan (number of regressions, start) and the number of its regions."""
        k, start = plan
        owners = _owners(key, start, rows, k)
        mixture, _ = fit_mixture(key, self.base, rows, owners, gate="constant", hard=True)
        return machine_router(key, owners_of(mixture, rows), rows, min_rows=self.min_rows)


@dataclass(frozen=True)
class ClusterFirstX:
    """k-means on the inputs, one model a cluster; the targets have no say in the clusters."""

    base: Any
    max_k: int = 6
    expert: Any = None
    min_rows: int = MIN_ROWS
    traceable: ClassVar[bool] = False

    def fit(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> Scaled:
        """The regions with their models and scale."""
        return _fit_planned(key, self, X, y, w, lambda rows: _counts(rows, self.max_k, self.min_rows))

    def predict(self, params: Scaled, X: np.ndarray) -> Prediction:
        """Means (n, q)."""
        return params.predict(X)

    def embed(self, params: Scaled, X: np.ndarray) -> np.ndarray:
        """The inputs themselves."""
        return np.asarray(X, float)

    def route(self, key: Key, rows: Rows, plan: int) -> tuple[Any, int]:
        """The router of `plan` clusters and the number of its regions."""
        means = KMeans(plan, n_init=3, random_state=key.integer()).fit(rows.X, sample_weight=rows.w)
        return centre_router(means.cluster_centers_, rows, min_rows=self.min_rows)


@dataclass(frozen=True)
class ClusterFirstXY:
    """k-means on inputs and targets (three times as heavy), a classifier on the inputs, one model a class.

    Bernholdt et al. (2019) cluster inputs and targets together before they learn the boundary.
    """

    base: Any
    max_k: int = 6
    expert: Any = None
    min_rows: int = MIN_ROWS
    traceable: ClassVar[bool] = False

    def fit(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> Scaled:
        """The regions with their models and scale."""
        return _fit_planned(key, self, X, y, w, lambda rows: _counts(rows, self.max_k, self.min_rows))

    def predict(self, params: Scaled, X: np.ndarray) -> Prediction:
        """Means (n, q)."""
        return params.predict(X)

    def embed(self, params: Scaled, X: np.ndarray) -> np.ndarray:
        """The inputs themselves."""
        return np.asarray(X, float)

    def route(self, key: Key, rows: Rows, plan: int) -> tuple[Any, int]:
        """The router of `plan` clusters and the number of its regions."""
        joint = np.hstack([rows.X, TARGET_WEIGHT * rows.Y])
        means = KMeans(plan, n_init=3, random_state=key.integer()).fit(joint, sample_weight=rows.w)
        return machine_router(key, means.labels_, rows, min_rows=self.min_rows)


@dataclass(frozen=True)
class RecursiveResidualRegions:
    """One model, then another for the region where it does worst, and so on while rows left out improve.

    The worse half of the rows by out-of-fold loss is what a classifier on the inputs learns to find.
    """

    base: Any
    max_depth: int = 4
    expert: Any = None
    min_rows: int = MIN_ROWS
    traceable: ClassVar[bool] = False

    def fit(self, key: Key, X: np.ndarray, y: np.ndarray, w: np.ndarray) -> Scaled:
        """The nested regions with their models and scale."""
        return _fit_planned(key, self, X, y, w, lambda rows: range(1, self.max_depth + 1), choose=climb)

    def predict(self, params: Scaled, X: np.ndarray) -> Prediction:
        """Means (n, q)."""
        return params.predict(X)

    def embed(self, params: Scaled, X: np.ndarray) -> np.ndarray:
        """The inputs themselves."""
        return np.asarray(X, float)

    def route(self, key: Key, rows: Rows, plan: int) -> tuple[Any, int]:
        """The router of `plan` nested regions and the number of regions."""
        routers: list[Any] = []
        inner = rows
        for depth in range(plan):
            if len(np.unique(inner.units)) < max(2 * self.min_rows, OUT_OF_FOLD):
                break
            losses = _out_of_fold(key_for(key, "depth", depth), self.base, inner)
            worse = (losses > np.median(losses)).astype(int)
            router, count = machine_router(key_for(key, "depth", depth), worse, inner, min_rows=self.min_rows)
            if count < 2:
                break
            routers.append(router)
            inner = inner.take(router.route(inner.X) == 1)
        return Nested(tuple(routers)), len(routers) + 1


@dataclass(frozen=True)
class Nested:
    """Sends a row as deep as router after router says that it belongs to the worse half."""

    routers: tuple[Any, ...]

    def route(self, Z: np.ndarray) -> np.ndarray:
        """Depth (n,) of every row."""
        depth, inside = np.zeros(len(Z), int), np.arange(len(Z))
        for router in self.routers:
            inside = inside[router.route(Z[inside]) == 1]
            depth[inside] += 1
        return depth


def _fit_planned(
    key: Key, learner: Any, X, y, w, plans_of: Callable[[Rows], Sequence[Any]], *, choose: Callable = judge
) -> Scaled:
    """The regions of the best plan, `None` (one region) among them; its experts must beat one expert, too."""
    rows, scale = standard_rows(X, y, w)

    def fit(part: Rows, plan: Any, model: Any) -> Any:
        own = key_for(key, "plan", str(plan))
        router, count = (Everywhere(), 1) if plan is None else learner.route(own, part, plan)
        return fit_regions(own, model, part, router, count)

    plan = choose(key_for(key, "judge"), rows, [None, *plans_of(rows)], lambda part, one: fit(part, one, learner.base))
    if learner.expert is None:
        return Scaled(scale, fit(rows, plan, learner.base))
    if plan is not None:
        again = key_for(key, "judge", "expert")
        plan = judge(again, rows, [None, plan], lambda part, one: fit(part, one, learner.expert))
    return Scaled(scale, fit(rows, plan, learner.expert))


def _counts(rows: Rows, max_k: int, min_rows: int = MIN_ROWS) -> range:
    """The numbers of regions above one that the rows can bear."""
    return range(2, min(max_k, len(np.unique(rows.units)) // min_rows) + 1)


def _owners(key: Key, start: str, rows: Rows, k: int) -> np.ndarray:
    if k == 1:
        return np.zeros(len(rows), int)
    return first_owners(key_for(key, "start"), start, rows.X, rows.Y, np.zeros_like(rows.Y), rows.w, models=k)


def _unlikely(mixture: Mixture, rows: Rows) -> np.ndarray:
    """Negative log-likelihood (n,) of rows."""
    return -logsumexp(mixture.log_joint(rows.X, rows.Y), axis=1)


def _out_of_fold(key: Key, base: Any, rows: Rows) -> np.ndarray:
    """Squared errors (n,) of models that did not see the row."""
    fold = folds(key_for(key, "folds"), rows.units, OUT_OF_FOLD)
    losses = np.zeros(len(rows))
    for f in np.unique(fold):
        rest, test = rows.take(fold != f), rows.take(fold == f)
        model = fit_one(base, key_for(key, "fold", int(f)), rest.X, rest.Y, rest.w)
        losses[fold == f] = ((test.Y - np.clip(predict_one(base, model, test.X).mean, *clip_range(rest))) ** 2).mean(1)
    return losses


__all__ = [
    "BestFamily",
    "ClusterFirstX",
    "ClusterFirstXY",
    "HardMixtureOfRegressions",
    "RecursiveResidualRegions",
    "SoftMixtureOfExperts",
]
