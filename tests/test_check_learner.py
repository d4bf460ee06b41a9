"""The contract suite over every row of the table of learners, and over learners that break it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor

from strongsuit.core import Prediction
from strongsuit.errors import InputError
from strongsuit.learners import GP, MLP, External, Ridge, hgb, random_forest
from strongsuit.testing import check_learner

SHORT = {"widths": (8,), "epochs": 40, "least_steps": 40, "choose_decay": False}
SHUFFLED = {"weights": "mini-batches are drawn from rows, so a row of weight 2 is seen once, not twice"}
NOISELESS = {"weights": "it finds that labels have no noise, where the jitter of a row told twice counts"}
BINNED = {"weights": "a leaf needs 20 rows, whatever they weigh"}
BOOTSTRAP = {"weights": "trees draw rows, not weights"}


LEARNERS: dict[str, tuple[Any, float, dict[str, str]]] = {
    "ridge": (Ridge(), 1e-6, {}),
    "ridge, basis chosen": (Ridge("auto"), 1e-6, {}),
    "gp": (GP(), 1e-2, {}),
    "gp, thorough": (GP(thorough=True), 1e-2, NOISELESS),
    "mlp, full batch": (MLP(**SHORT, batch="full"), 1e-3, {}),
    "mlp": (MLP(**(SHORT | {"choose_decay": True})), 1e-5, SHUFFLED),
    "mlp, scale chosen": (MLP(**(SHORT | {"choose_decay": True, "choose_scale": True})), 1e-5, SHUFFLED),
    "mlp, early stopping": (MLP(**SHORT, early_stopping=True, activation="gelu"), 1e-5, SHUFFLED),
    "least squares": (External(LinearRegression()), 1e-8, {}),
    "tree": (External(DecisionTreeRegressor(max_depth=3)), 1e-8, {}),
    "boosting": (hgb(iterations=10), 1e-8, BINNED),
    "forest": (random_forest(trees=5), 1e-8, BOOTSTRAP),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_learners_keep_the_contract(name: str) -> None:
    learner, tolerance, exceptions = LEARNERS[name]
    outcome = check_learner(learner, tolerance=tolerance, exceptions=exceptions)
    assert all(outcome[check] == "kept" for check in outcome.keys() - exceptions.keys())


def test_a_classifier_keeps_the_contract() -> None:
    check_learner(External(LogisticRegression(C=10.0)), tolerance=1e-3, classes=3)


@dataclass(frozen=True)
class _Mean:
    """The weighted mean, with one deliberate fault."""

    fault: str
    traceable: ClassVar[bool] = False

    def fit(self, key, X, y, w):
        if self.fault == "weights":
            w = (w > 0).astype(float)
        if self.fault == "padding":
            w = np.ones(len(w))
        noise = np.random.default_rng().normal() if self.fault == "same_key_same_bits" else 0.0
        center = np.average(y, axis=0, weights=w) + noise
        return center / y.std(axis=0) * y.std(axis=0) if self.fault == "degenerate" else center

    def predict(self, params, X):
        return Prediction(np.broadcast_to(params, (1 if self.fault == "shapes" else len(X), len(params))).copy())

    def embed(self, params, X):
        return X


@pytest.mark.parametrize("fault", ["same_key_same_bits", "shapes", "padding", "weights"])
def test_faults_are_found(fault: str) -> None:
    check_learner(_Mean("none"))
    with pytest.raises(AssertionError):
        check_learner(_Mean(fault))


def test_not_a_number_on_a_constant_target_is_found() -> None:
    with np.errstate(all="ignore"), pytest.raises(AssertionError, match="finite"):
        check_learner(_Mean("degenerate"))


def test_exceptions_need_a_known_name_and_a_reason() -> None:
    with pytest.raises(InputError, match="no check is named speed"):
        check_learner(_Mean("none"), exceptions={"speed": "slow"})
    with pytest.raises(InputError, match="reason"):
        check_learner(_Mean("none"), exceptions={"weights": ""})


def test_estimators_without_weights_repeat_rows_or_refuse() -> None:
    check_learner(External(KNeighborsRegressor(3)), tolerance=1e-8)
    X, y = np.arange(12.0).reshape(6, 2), np.arange(6.0)[:, None]
    with pytest.raises(InputError, match="KNeighborsRegressor takes no sample_weight"):
        External(KNeighborsRegressor(1)).fit(_key(), X, y, np.linspace(0.5, 1.5, 6))


def _key():
    from strongsuit.core import root_key

    return root_key(0)
