"""The guard's promises hold for every family and mode, and the suite notices models that break them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from strongsuit import recipes
from strongsuit.estimators import PartitionedRegressor
from strongsuit.learners.ridge import Ridge
from strongsuit.partition.values import Competitor
from strongsuit.testing import guard

QUICK = {"restarts": 1, "max_regimes": 2, "min_rows": 10, "folds": 2, "random_state": 0}
ROWS = 100


def factory(learner, **changes):
    return lambda: PartitionedRegressor(learner, **(QUICK | changes))


LEARNERS = {
    "ridge": "ridge",
    "basis": "basis",
    "interpolating": DecisionTreeRegressor(),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_promises_hold_for_every_family(name: str) -> None:
    guard.check_guard(factory(LEARNERS[name]), rows=ROWS)


@pytest.mark.parametrize("changes", [{"caution": "balanced"}, {"mode": "paper"}], ids=str)
def test_promises_hold_in_every_mode(changes: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "paper_competitor", lambda: Competitor("line", Ridge("linear")))
    guard.check_guard(factory("ridge", **changes), rows=ROWS, guarded=changes.get("mode") != "paper")


@pytest.fixture(scope="module")
def case() -> guard.Case:
    return guard.Case(factory("ridge"), ROWS, 0, 0.02)


def spoiled(case: guard.Case, **methods) -> guard.Case:
    """The case with some methods of its model replaced, each a function of the model."""
    kind = type("Spoiled", (type(case.model),), methods)
    model = copy.copy(case.model)
    model.__class__ = kind
    make = lambda: kind(**case.model.get_params())  # noqa: E731
    changed = guard.Case(make, case.rows, case.seed, case.tolerance)
    changed.__dict__["model"] = model
    return changed


def predict_with(change):
    def predict(self, X, return_std=False):
        mean, spread = PartitionedRegressor.predict(self, X, return_std=True)
        mean = change(self, np.asarray(X), mean)
        return (mean, spread) if return_std else mean

    return predict


def fit_that(change):
    def fit(self, X, y, sample_weight=None):
        return PartitionedRegressor.fit(self, *change(X, y), sample_weight=None)

    return fit


def nan_far_away(model, X, mean):
    return np.where(np.abs(X[:, 0]) > guard.AWAY, np.nan, mean)


BROKEN = [
    (
        guard.nothing_enabled_is_the_fallback,
        {"predict": predict_with(lambda m, X, mean: mean * (1 + 1e-15))},
        "differ",
    ),
    (guard.every_answer_is_finite, {"predict": predict_with(nan_far_away)}, "predict is not finite"),
    (guard.far_rows_fall_back, {"predict": predict_with(lambda m, X, mean: mean + 1.0)}, "expert answered"),
    (guard.fresh_rows_lose_nothing, {"predict": predict_with(lambda m, X, mean: mean + 9.0)}, "fresh rows"),
    (guard.weight_zero_is_absent, {"fit": fit_that(lambda X, y: (X, y))}, "weight zero"),
    (
        guard.order_is_immaterial,
        {"fit": fit_that(lambda X, y: (X[:-9], y[:-9]))},
        "the order of the rows changed the model",
    ),
]


@pytest.mark.parametrize(("promise", "methods", "message"), BROKEN, ids=[one[0].__name__ for one in BROKEN])
def test_a_broken_promise_is_named(case: guard.Case, promise, methods: dict, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        promise(spoiled(case, **methods))


def test_a_model_without_regimes_proves_nothing(case: guard.Case) -> None:
    single = guard.Case(factory("ridge", max_regimes=1), ROWS, 0, 0.02)
    with pytest.raises(AssertionError, match="without regimes nothing is checked"):
        guard.nothing_enabled_is_the_fallback(single)
