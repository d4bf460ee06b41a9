"""check_guard: the promises of a guarded partitioned regressor, on tables with known regimes.

A model factory makes unfitted estimators with the interface of `PartitionedRegressor` and a fixed
random state. Every promise is a function of a `Case`, so that a failing one can be run alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from strongsuit.datasets.generators import generate

FRESH_ROWS = 2_000  # rows of the same law on which a deployed model must not be worse
REGIMES_LAW, REFUSAL_LAW = "wave_climb", "overlap"  # two laws side by side; two laws nobody can tell apart
AWAY = 1e6  # where no training row is
HUGE = 1e30  # as far as single precision goes without overflow in a product with AWAY


@dataclass(frozen=True)
class Case:
    """A factory and the tables it is judged on; fitted models are shared by the checks.

    `tolerance` is the relative excess loss over the fallback that chance may cause on fresh rows.
    """

    make: Callable[[], Any]
    rows: int
    seed: int
    tolerance: float
    guarded: bool = True

    @cached_property
    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """X (n, d) and y (n,) of a law with two regimes."""
        return _draw(REGIMES_LAW, self.rows, self.seed)

    @cached_property
    def model(self) -> Any:
        """The factory's model of that table."""
        return self.make().fit(*self.table)

    @property
    def probes(self) -> np.ndarray:
        """Rows (n, d) inside, beside and far outside the training range."""
        X, _ = self.table
        return np.concatenate([X, X + 0.01, X - 10.0, X + 10.0, X * AWAY])


def check_guard(
    make: Callable[[], Any],
    *,
    rows: int = 160,
    seed: int = 0,
    tolerance: float = 0.02,
    guarded: bool = True,
) -> None:
    """Nothing, or an AssertionError that says which promise the model breaks.

    Parameters
    ----------
    make
        Makes an unfitted estimator with the methods of `PartitionedRegressor` and a fixed random state.
        It must find the two regimes of `rows` rows of the generator wave_climb, or there is nothing to
        guard.
    rows, seed
        Size and seed of the generated tables.
    tolerance
        How much worse than the fallback, as a share of its loss, a deployed model may be on fresh rows.
    guarded
        False for the published scheme, which promises neither a fallback for far rows nor "never worse".
    """
    case = Case(make, rows, seed, tolerance, guarded)
    for promise in GUARDED + KEPT_BY_ALL if guarded else KEPT_BY_ALL:
        promise(case)


def nothing_enabled_is_the_fallback(case: Case) -> None:
    """With no regime enabled every prediction is the fallback's, bit for bit."""
    _require_fallback(_with_all(case.model, enabled=False), case.probes)
    refused = case.make().fit(*_draw(REFUSAL_LAW, case.rows, case.seed))
    if refused.regimes_ == 1:
        X, _ = _draw(REFUSAL_LAW, case.rows, case.seed + 1)
        _require_fallback(refused, X)


def every_answer_is_finite(case: Case) -> None:
    """No NaN and no infinity leaves the model, whatever finite row comes in, even after odd training."""
    X, _ = case.table
    probes = np.concatenate([case.probes, X * HUGE, -X * HUGE, np.zeros_like(X)])
    _require_finite(case.model, probes)
    odd = np.column_stack([np.repeat(X[:40], 2, axis=0), np.ones(len(X[:40]) * 2)])
    constant = case.make().fit(odd, np.full(len(odd), 3.0))
    _require_finite(constant, np.concatenate([odd, odd * AWAY]))
    assert constant.regimes_ == 1, "a constant target was partitioned"


def weight_zero_is_absent(case: Case) -> None:
    """Rows of weight zero leave no trace, however wild they are."""
    X, y = case.table
    junk = np.linspace(-AWAY, AWAY, 20)
    weights = np.concatenate([np.ones(len(X)), np.zeros(len(junk))])
    more = case.make().fit(
        np.concatenate([X, np.repeat(junk[:, None], X.shape[1], axis=1)]),
        np.concatenate([y, -junk]),
        sample_weight=weights,
    )
    _require_same(case.model, more, case.probes, "rows of weight zero changed the model")


def order_is_immaterial(case: Case) -> None:
    """The same rows in another order give the same model, bit for bit."""
    X, y = case.table
    order = np.random.default_rng(case.seed).permutation(len(X))
    shuffled = case.make().fit(X[order], y[order])
    _require_same(case.model, shuffled, case.probes, "the order of the rows changed the model")
    assert np.array_equal(case.model.labels_[order], shuffled.labels_), "labels_ do not follow their rows"


def far_rows_fall_back(case: Case) -> None:
    """A row far from all training rows is answered by the fallback, with the reason "far"."""
    X, _ = case.table
    loud, away = _with_all(case.model, enabled=True), X[:5] * AWAY + AWAY
    reasons = set(loud.route(away)["reason"])
    assert reasons == {"far"}, f"far rows were answered for the reasons {sorted(reasons)}"
    assert np.array_equal(loud.predict(away), loud.fallback_predict(away)), "an expert answered far rows"
    assert "expert" in set(loud.route(X)["reason"]), "no expert answers any row: nothing was checked"


def fresh_rows_lose_nothing(case: Case) -> None:
    """On fresh rows the deployed model is no worse than the fallback, within the tolerance."""
    for law in (REGIMES_LAW, REFUSAL_LAW):
        model = case.model if law == REGIMES_LAW else case.make().fit(*_draw(law, case.rows, case.seed))
        X, y = _draw(law, FRESH_ROWS, case.seed + 1)
        deployed = np.mean((y - model.predict(X)) ** 2)
        single = np.mean((y - model.fallback_predict(X)) ** 2)
        assert deployed <= (1.0 + case.tolerance) * single, (
            f"on fresh rows of {law} the deployed model loses {deployed:.4g}, the fallback {single:.4g}"
        )


KEPT_BY_ALL = (
    nothing_enabled_is_the_fallback,
    every_answer_is_finite,
    weight_zero_is_absent,
    order_is_immaterial,
)
GUARDED = (far_rows_fall_back, fresh_rows_lose_nothing)


def _draw(law: str, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    table = generate(law, rows=rows, seed=seed)
    return table.X.to_numpy(dtype=np.float64), table.y


def _with_all(model: Any, *, enabled: bool) -> Any:
    """A copy of the model with every expert it found enabled, or none."""
    assert model.found_ >= 2, f"found_ is {model.found_} on {REGIMES_LAW}: without regimes nothing is checked"
    verdict = model.model_.verdict
    cases = tuple(replace(one, enabled=enabled) for one in verdict.regimes)
    changed = copy.copy(model)
    changed.model_ = replace(model.model_, verdict=replace(verdict, regimes=cases, deployed=enabled))
    return changed


def _require_fallback(model: Any, X: np.ndarray) -> None:
    said, fallback = model.predict(X), model.fallback_predict(X)
    assert said.tobytes() == fallback.tobytes(), (
        f"nothing is enabled, yet {int(np.sum(said != fallback))} predictions differ from the fallback's"
    )
    assert "expert" not in set(model.route(X)["reason"]), "nothing is enabled, yet an expert answers"


def _require_finite(model: Any, X: np.ndarray) -> None:
    mean, spread = model.predict(X, return_std=True)
    said = {"predict": mean, "the spread of predict": spread, "fallback_predict": model.fallback_predict(X)}
    for name, values in said.items():
        wrong = np.flatnonzero(~np.isfinite(values))
        assert not len(wrong), f"{name} is not finite for the row {X[wrong[0]].tolist()}"


def _require_same(one: Any, other: Any, X: np.ndarray, message: str) -> None:
    assert one.regimes_ == other.regimes_, f"{message}: {one.regimes_} or {other.regimes_} regimes"
    assert np.array_equal(one.predict(X), other.predict(X)), message
    assert np.array_equal(one.fallback_predict(X), other.fallback_predict(X)), f"{message} (fallback)"


__all__ = ["GUARDED", "KEPT_BY_ALL", "Case", "check_guard"]
