"""The frozen values the partition wing hands from function to function."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from strongsuit.core.learner import Prediction, predict_one

CAUTIONS = ("strict", "balanced")  # with and without the guard's factor for overlapping training sets


@dataclass(frozen=True)
class Competitor:
    """A learner that competes, with the name reports use for it."""

    name: str
    learner: Any


@dataclass(frozen=True)
class Config:
    """Every switch of active partitioning; the defaults are what is measured.

    Switches that exist only for ablation: sigmas, add, drop, expert_labels, shrink, guard, skew, holm.
    """

    mode: str = "held_out"  # or "paper"
    max_regimes: int = 8
    restarts: int = 4  # starts (with their gate and sigma) tried for each competitor
    min_rows: int = 20
    build_share: float = 0.7
    worst_share: float = 0.15  # q: the share of worst-predicted rows that seeds an added model
    passes: int = 30
    interval: int = 5
    add_errors: float = 1.0  # standard errors an added model must bring on the judge rows
    drop_errors: float = 0.25  # standard errors a dropped model may cost there
    finalists: int = 4  # competitions whose partition is settled with its boundary before the choice
    search_rows: int = 5_000
    evidence_rows: int = 50_000
    folds: int = 5
    alpha: float = 0.05
    min_gain: float = 0.01
    caution: str = "strict"
    gating: str = "auto"
    add: bool = True
    drop: bool = True
    shrink: bool = True
    clip: bool = True
    guard: bool = True
    holm: bool = True
    skew: bool = True
    expert_labels: str = "gate"  # or "winners"
    jobs: int = 1


@dataclass(frozen=True)
class Rows:
    """Training rows: X (n, d), standardised Y (n, q), weights w (n,) above zero, unit numbers (n,)."""

    X: np.ndarray
    Y: np.ndarray
    w: np.ndarray
    units: np.ndarray

    def __len__(self) -> int:
        return len(self.X)

    def take(self, index: np.ndarray) -> Rows:
        """The rows of an index or a mask."""
        return Rows(self.X[index], self.Y[index], self.w[index], self.units[index])


@dataclass(frozen=True)
class Model:
    """A fitted learner: `learner` and its `params`; `family` is the name of the learner."""

    family: str
    learner: Any
    params: Any

    def mean(self, X: np.ndarray) -> np.ndarray:
        """Predicted means (n, q) in float64."""
        return np.asarray(predict_one(self.learner, self.params, X).mean, dtype=float)

    def predict(self, X: np.ndarray) -> Prediction:
        """Means and variances, if the learner knows them."""
        return predict_one(self.learner, self.params, X)


@dataclass(frozen=True)
class Snapshot:
    """A competition's best state with a given number of models.

    `labels` (n,) are the winners of the build rows; `gate` (p, k) weights on the basis of the
    competition; `losses` (n_judge,) what the hardened gate would have deployed on the judge rows.
    """

    competitor: Competitor
    recipe: Recipe
    params: tuple[Any, ...]
    gate: np.ndarray
    labels: np.ndarray
    losses: np.ndarray
    spread: float

    @property
    def count(self) -> int:
        """Number of models."""
        return len(self.params)


@dataclass(frozen=True)
class Recipe:
    """How a competition begins and is governed: start rule, gate basis, weight sigma of the gate."""

    start: str
    gate: str
    sigma: float


@dataclass(frozen=True)
class Step:
    """One line of a competition's history."""

    step: int
    event: str  # start, pass, add, drop, refused_add
    models: int
    loss: float
    changed: float
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Competition:
    """What one competition left: the best snapshot for each number of models, and its history."""

    recipe: Recipe
    competitor: Competitor
    snapshots: dict[int, Snapshot]
    trace: tuple[Step, ...]
    degraded: bool = False
    fits: int = field(default=0)


__all__ = ["CAUTIONS", "Competition", "Competitor", "Config", "Model", "Recipe", "Rows", "Snapshot", "Step", "replace"]
