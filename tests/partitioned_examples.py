"""Partitioned models built by hand, so that tests of words and figures need no search and no boundary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from strongsuit.core.keys import Key, key_for, root_key
from strongsuit.core.learner import fit_one
from strongsuit.learners.ridge import Ridge
from strongsuit.partition.describe_evidence import CrossFitted, cross_fitted
from strongsuit.partition.discover import Cost, Losses, Partitioned, Scale
from strongsuit.partition.guard import Evidence, RegimeVerdict, Verdict, decide
from strongsuit.partition.pipeline import Pipeline, Search, pieces
from strongsuit.partition.units import mean_and_error
from strongsuit.partition.values import Competition, Competitor, Config, Model, Recipe, Rows, Step

LEARNER = Ridge("linear")
CUTS = {2: (0.0,), 3: (-0.4, 0.4)}


@dataclass(frozen=True)
class Cut:
    """A boundary that parts its first column at the cuts, surer the farther away."""

    cuts: tuple[float, ...]
    kind: str = "linear"
    accuracy: float = 0.97

    def labels(self, X: np.ndarray) -> np.ndarray:
        return np.searchsorted(np.array(self.cuts), X[:, 0])

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        scores = -np.abs(X[:, :1] - np.linspace(-0.8, 0.8, len(self.cuts) + 1)) * 12
        scores[np.arange(len(X)), self.labels(X)] += 12
        odds = np.exp(scores - scores.max(1, keepdims=True))
        return odds / odds.sum(1, keepdims=True)


@dataclass(frozen=True)
class Beyond:
    """Rows whose first column exceeds the limit are far."""

    limit: float

    def is_far(self, X: np.ndarray) -> np.ndarray:
        return np.abs(X[:, 0]) > self.limit


@dataclass(frozen=True)
class Example:
    """A model, the rows it was made of and the cross-fitted evidence."""

    model: Partitioned
    X: np.ndarray
    Y: np.ndarray
    names: tuple[str, ...]
    evidence: CrossFitted | None


def draw(n: int, d: int, q: int, regimes: int, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose slope in the last column changes with the regime."""
    rng = np.random.default_rng(3)
    X = rng.uniform(-1, 1, (n, d))
    named = np.searchsorted(np.array(CUTS.get(regimes, ())), X[:, 0])
    slope = np.array([2.0, -2.0, 4.0])[named]
    Y = slope[:, None] * X[:, -1:] + np.arange(q) * X[:, :1] + noise * rng.normal(size=(n, q))
    return X, 10.0 + 5.0 * Y


def example(
    *, n: int = 300, d: int = 3, q: int = 1, regimes: int = 2, noise: float = 0.1, config: Config | None = None
) -> Example:
    """A model with so many regimes parted by its first feature; one regime is a fallback alone."""
    config = config or Config(folds=3)
    X, Y = draw(n, d, q, regimes, noise)
    scale = Scale(Y.mean(0), Y.std(0), np.zeros(q, bool))
    rows = Rows(X, (Y - scale.center) / scale.spread, np.ones(n), np.arange(n))
    key, omega = root_key(0), np.full(q, 1 / q)
    pipeline = fitted(key, rows, regimes)
    fold = np.arange(n) % config.folds
    parts = []
    for f in range(config.folds):
        part = fitted(key_for(key, f), rows.take(fold != f), regimes)
        said = pieces(part, X[fold == f], np.zeros((fold == f).sum(), bool), config)
        parts.append((np.flatnonzero(fold == f), said, np.arange(regimes) if regimes > 1 else np.array([-1]), False))
    evidence = Evidence(fold, tuple(parts))
    labels = pipeline.boundary.labels(X) if regimes > 1 else np.zeros(n, int)
    verdict = judged(evidence, rows, omega, labels, pipeline, config)
    decisions = None if verdict.reason == "unguarded" else [verdict.enabled] * config.folds
    told = cross_fitted(evidence, rows, labels, decisions, omega, regimes=regimes)
    losses = losses_of(told, omega, scale)
    search = Search((competition(regimes),), path(regimes), None, {"mean": 0.9, "min": 0.8, "restarts": 4})
    model = Partitioned(
        pipeline, verdict, scale, config, losses, search, labels, np.ones((regimes, q)), Cost(1.5, 42, 0.5)
    )
    return Example(model, X, Y, tuple(f"x{j + 1}" for j in range(d)), told)


def fitted(key: Key, rows: Rows, regimes: int) -> Pipeline:
    """The pipeline of the rows: a line for all, and a line for each regime."""

    def line(own: Rows) -> Model:
        return Model("ridge", LEARNER, fit_one(LEARNER, key, own.X, own.Y, own.w))

    if regimes == 1:
        return Pipeline(line(rows), np.arange(rows.X.shape[1]), None, None)
    boundary = Cut(CUTS[regimes])
    named = boundary.labels(rows.X)
    experts = tuple(line(rows.take(named == k)) for k in range(regimes))
    clip = np.tile([[-9.0], [9.0]], (regimes, 1, rows.Y.shape[1]))
    columns = np.arange(rows.X.shape[1])[:2]
    return Pipeline(line(rows), columns, boundary, Beyond(0.999), experts, np.ones(regimes), clip)


def judged(evidence: Evidence, rows: Rows, omega, labels, pipeline: Pipeline, config: Config) -> Verdict:
    """The guard's verdict."""
    if pipeline.boundary is None:
        alone = RegimeVerdict(np.nan, np.nan, 0.0, np.nan, np.nan, False, "one_model")
        return Verdict((alone,), 0.0, False, "one_regime")
    return decide(evidence, rows.Y, rows.w, rows.units, omega, labels=labels, shrink=pipeline.shrink, config=config)


def losses_of(told: CrossFitted, omega: np.ndarray, scale: Scale) -> Losses:
    """The four losses from the evidence."""
    ways = ("single", "gated", "oracle", "deployed")
    square = {way: (told.Y - getattr(told, way)) ** 2 for way in ways}
    means = {way: mean_and_error(square[way] @ omega, told.w, told.units) for way in ways}
    return Losses(**means, per_output=np.stack([square[way].mean(0) for way in ways]) * scale.spread**2)


def path(regimes: int) -> tuple[tuple[int, float, float], ...]:
    """A K path that is lowest at the number of regimes."""
    return tuple((k, 0.1 + 0.3 * abs(k - regimes), 0.02) for k in (1, 2, 3))


def competition(regimes: int) -> Competition:
    """A competition with every event."""
    trace = (
        Step(0, "start", 2, 0.5, 1.0, (150, 60)),
        Step(1, "refused_add", 3, 0.6, 0.2, (100, 60, 50)),
        Step(2, "add", 3, 0.3, 0.2, (90, 70, 50)),
        Step(3, "drop", 2, 0.28, 0.1, (110, 100)),
        Step(4, "refused_drop", 1, 0.9, 0.4, (210,)),
    )
    return Competition(Recipe("kmeans_xy", "linear", 0.5), Competitor("linear", LEARNER), {}, trace)
