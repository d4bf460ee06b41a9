"""Hard regions from first labels: a router on the inputs, and one model for the rows it sends to each region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.svm import SVC

from strongsuit.core.keys import Key, key_for
from strongsuit.core.learner import Prediction, fit_one, predict_one
from strongsuit.partition.experts import clip_range, sample_rows
from strongsuit.partition.values import Rows

ROUTER_C = 10.0  # of the RBF support vector machine; its width is one over d times the variance of the inputs
ROUTER_ROWS = 5_000  # rows a router is trained on at most: its cost grows with their square


@dataclass(frozen=True)
class Everywhere:
    """The router of one region."""

    def route(self, Z: np.ndarray) -> np.ndarray:
        """Region 0 (n,) for all rows."""
        return np.zeros(len(Z), int)


@dataclass(frozen=True)
class Centres:
    """Sends a row to the nearest of its centres (k, d)."""

    centres: np.ndarray

    def route(self, Z: np.ndarray) -> np.ndarray:
        """Region (n,) of every row."""
        return ((Z[:, None] - self.centres) ** 2).sum(2).argmin(1)


@dataclass(frozen=True)
class Machine:
    """Sends a row where a support vector machine classifies it."""

    machine: SVC

    def route(self, Z: np.ndarray) -> np.ndarray:
        """Region (n,) of every row."""
        return self.machine.predict(Z) if len(Z) else np.zeros(0, int)


@dataclass(frozen=True)
class Regions:
    """A router and, for each region, the parameters of a model and the range (2, q) of its means."""

    router: Any
    learner: Any
    models: tuple[Any, ...]
    ranges: tuple[np.ndarray, ...]

    def predict(self, Z: np.ndarray) -> Prediction:
        """Means (n, q): each row's own model alone answers."""
        region = self.router.route(Z)
        mean = np.zeros((len(Z), self.ranges[0].shape[1]))
        for k, (model, limits) in enumerate(zip(self.models, self.ranges, strict=True)):
            own = region == k
            if own.any():
                mean[own] = np.clip(predict_one(self.learner, model, Z[own]).mean, *limits)
        return Prediction(mean)


def fit_regions(key: Key, learner: Any, rows: Rows, router: Any, count: int) -> Regions:
    """One model for the rows that the router sends to each of `count` regions."""
    region = router.route(rows.X)
    parts = [rows.take(region == k) for k in range(count)]
    models = tuple(fit_one(learner, key_for(key, "model", k), part.X, part.Y, part.w) for k, part in enumerate(parts))
    return Regions(router, learner, models, tuple(clip_range(part) for part in parts))


def machine_router(key: Key, labels: np.ndarray, rows: Rows, *, min_rows: int) -> tuple[Any, int]:
    """A support vector machine that tells the labels (n,) apart, and how many regions it kept.

    Labels, or regions of the machine, of fewer than `min_rows` rows are dissolved until none is left.
    """
    while True:
        codes, router = _one_machine(key, labels, rows, min_rows)
        region = router.route(rows.X)
        sizes = np.bincount(region, minlength=codes)
        if codes == 1 or sizes.min() >= min_rows:
            return router, codes
        labels = np.where(sizes[region] >= min_rows, region, -1)


def centre_router(centres: np.ndarray, rows: Rows, *, min_rows: int) -> tuple[Any, int]:
    """The nearest-centre router without the centres (k, d) that win fewer than `min_rows` rows."""
    while True:
        sizes = np.bincount(Centres(centres).route(rows.X), minlength=len(centres))
        if len(centres) == 1 or sizes.min() >= min_rows:
            return Centres(centres), len(centres)
        centres = np.delete(centres, sizes.argmin(), axis=0)


def _one_machine(key: Key, labels: np.ndarray, rows: Rows, min_rows: int) -> tuple[int, Any]:
    """The number of large labels and the router among them; label -1 belongs to none."""
    names, counts = np.unique(labels[labels >= 0], return_counts=True)
    names = names[counts >= min_rows]
    if len(names) < 2:
        return 1, Everywhere()
    kept = np.isin(labels, names)
    codes = np.searchsorted(names, labels[kept])
    marked = Rows(rows.X[kept], codes[:, None], rows.w[kept], rows.units[kept])
    sample = sample_rows(key_for(key, "router"), marked, ROUTER_ROWS)
    if len(np.unique(sample.Y)) < len(names):
        sample = marked
    machine = SVC(C=ROUTER_C, gamma="scale")
    return len(names), Machine(machine.fit(sample.X, sample.Y[:, 0], sample_weight=sample.w))
