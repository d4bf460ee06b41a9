"""The baselines: EM climbs, known regimes are found, weights and outputs count, one region is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongsuit.core.keys import root_key
from strongsuit.core.learner import Prediction, fit_one, predict_one
from strongsuit.learners.ridge import Ridge
from strongsuit.partition.baselines import (
    BestFamily,
    ClusterFirstX,
    ClusterFirstXY,
    HardMixtureOfRegressions,
    RecursiveResidualRegions,
    SoftMixtureOfExperts,
)
from strongsuit.partition.baselines_em import fit_mixture
from strongsuit.partition.baselines_regions import centre_router, machine_router
from strongsuit.partition.baselines_rows import standard_rows
from strongsuit.partition.values import Competitor


@dataclass(frozen=True)
class LeastSquares:
    """Weighted least squares with an intercept: the exact maximisation that the EM proofs ask for."""

    traceable: ClassVar[bool] = False

    def fit(self, key, X, y, w):
        A, root = np.c_[X, np.ones(len(X))], np.sqrt(w)[:, None]
        return np.linalg.lstsq(A * root, y * root, rcond=None)[0]

    def predict(self, params, X):
        return Prediction(np.c_[X, np.ones(len(X))] @ params)

    def embed(self, params, X):
        return X


LINES = LeastSquares()
ALL = [
    BestFamily((Competitor("lines", LINES), Competitor("ridge", Ridge()))),
    SoftMixtureOfExperts(LINES, max_k=3),
    HardMixtureOfRegressions(LINES, max_k=3),
    ClusterFirstX(LINES, max_k=3),
    ClusterFirstXY(LINES, max_k=3),
    RecursiveResidualRegions(LINES, max_depth=2),
]
PARTITIONING = ALL[1:]


def name(learner):
    return type(learner).__name__


def bent(n, seed):
    """Two lines that meet at a jump, the second steeper: (X, y)."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 2))
    y = np.where(X[:, 0] < 0, 2 + X[:, 1], -3 * X[:, 1]) + 0.05 * rng.normal(size=n)
    return X, y[:, None]


def error(learner, train, test, *, seed=0):
    params = fit_one(learner, root_key(seed), *train, np.ones(len(train[0])))
    return float(np.mean((predict_one(learner, params, test[0]).mean - test[1]) ** 2))


@pytest.mark.parametrize("learner", PARTITIONING[:4], ids=name)
def test_two_laws_are_told_apart(learner):
    train, test = bent(300, 0), bent(1000, 1)
    assert error(learner, train, test) < 0.5 * error(LINES, train, test)


def test_residual_regions_find_a_hard_corner():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (600, 1))
    # A line, but for one half where the slope turns: the model of that half is another line.
    y = np.where(X[:, :1] < 0, 0.0, 2 * np.abs(X[:, :1] - 0.5)) + 0.01 * rng.normal(size=(600, 1))
    assert error(RecursiveResidualRegions(LINES), (X, y), (X, y)) < 0.9 * error(LINES, (X, y), (X, y))


@pytest.mark.parametrize("learner", ALL, ids=name)
def test_one_line_stays_one_line(learner):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(200, 3))
    y = X @ np.ones((3, 1)) + 0.5 * rng.normal(size=(200, 1))
    fresh = rng.normal(size=(2000, 3))
    truth = fresh @ np.ones((3, 1))
    single = error(LINES, (X, y), (fresh, truth))
    assert error(learner, (X, y), (fresh, truth)) < single + 0.05


@pytest.mark.parametrize("learner", ALL, ids=name)
def test_same_key_same_bits_and_weight_zero_means_absent(learner):
    X, y = bent(120, 5)
    y = np.c_[y, -2 * y + X[:, :1]]
    grid = np.random.default_rng(1).uniform(-1, 1, (40, 2))
    one = predict_one(learner, fit_one(learner, root_key(7), X, y, np.ones(120)), grid).mean
    two = predict_one(learner, fit_one(learner, root_key(7), X, y, np.ones(120)), grid).mean
    w = np.r_[np.ones(120), np.zeros(30)]
    junk = np.full((30, 2), 99.0)
    params = fit_one(learner, root_key(7), np.r_[X, junk], np.r_[y, junk], w)
    assert one.shape == (40, 2) and np.isfinite(one).all()
    assert np.array_equal(one, two)
    assert np.array_equal(one, predict_one(learner, params, grid).mean)


@pytest.mark.parametrize("learner", ALL, ids=name)
@settings(max_examples=8)
@given(st.integers(2, 30), st.integers(1, 3), st.integers(0, 99), st.booleans())
def test_small_and_constant_tables_are_borne(learner, n, d, seed, constant):
    rng = np.random.default_rng(seed)
    X, y = rng.integers(0, 3, (n, d)).astype(float), rng.normal(size=(n, 1))
    y = np.full_like(y, 3.0) if constant else y
    params = fit_one(learner, root_key(seed), X, y, rng.uniform(0.5, 2, n))
    said = predict_one(learner, params, np.r_[X, 5 * X])
    assert np.isfinite(said.mean).all()
    if constant:
        assert np.allclose(said.mean, 3.0, atol=1e-6)
    assert predict_one(learner, params, X[:0]).mean.shape == (0, 1)


@pytest.mark.parametrize(("gate", "hard"), [("constant", False), ("constant", True), ("linear", False)])
def test_the_objective_of_em_never_falls(gate, hard):
    X, y = bent(200, 2)
    rows, _ = standard_rows(X, y, np.random.default_rng(0).uniform(0.5, 2, 200))
    owners = np.random.default_rng(1).integers(0, 2, 200)
    _, levels = fit_mixture(root_key(0), LINES, rows, owners, gate=gate, hard=hard)
    assert len(levels) > 3
    # The gate is penalised and fitted by few steps, hence the room in its case.
    assert np.diff(levels).min() > (-1e-9 if gate == "constant" else -5e-3)


def test_a_mixture_without_inputs_in_the_gate_agrees_with_textbook_em():
    X, y = bent(150, 4)
    rows, _ = standard_rows(X, y, np.ones(150))
    owners = np.random.default_rng(2).integers(0, 2, 150)
    _, levels = fit_mixture(root_key(0), LINES, rows, owners, gate="constant")
    assert levels[-1] == pytest.approx(_textbook(rows, owners, len(levels)), abs=1e-4)


def _textbook(rows, owners, passes):
    """Mean log-likelihood of a mixture of two regressions after so many passes, written for itself."""
    A, y, r = np.c_[rows.X, np.ones(len(rows))], rows.Y[:, 0], np.eye(2)[owners]
    for _ in range(passes):
        pi = r.mean(0)
        beta = [np.linalg.solve(A.T @ (A * r[:, [k]]), A.T @ (r[:, k] * y)) for k in range(2)]
        res = np.stack([y - A @ b for b in beta], 1)
        var = (r * res**2).sum(0) / r.sum(0)
        density = pi * np.exp(-0.5 * res**2 / var) / np.sqrt(2 * np.pi * var)
        r = density / density.sum(1, keepdims=True)
    return float(np.log(density.sum(1)).mean())


def test_the_mixture_knows_its_spread():
    X, y = bent(400, 8)
    learner = SoftMixtureOfExperts(LINES, max_k=2)
    params = fit_one(learner, root_key(0), X, y, np.ones(400))
    inside = np.array([[-0.8, 0.3], [0.8, 0.3]])
    assert np.sqrt(predict_one(learner, params, inside).variance) == pytest.approx(0.05, rel=0.5)


@pytest.mark.parametrize("learner", PARTITIONING[1:], ids=name)
def test_experts_of_another_kind_serve_the_regions(learner):
    X, y = bent(200, 6)
    richer = type(learner)(LINES, expert=Ridge("auto"))
    assert error(richer, (X, y), bent(500, 7)) < 1.1 * error(LINES, (X, y), bent(500, 7))


def test_small_regions_are_dissolved():
    X = np.r_[np.zeros((50, 1)), np.ones((50, 1)), np.full((3, 1), 5.0)] + np.linspace(0, 0.1, 103)[:, None]
    rows, _ = standard_rows(X, X, np.ones(103))
    labels = np.repeat([0, 1, 2], [50, 50, 3])
    router, count = machine_router(root_key(0), labels, rows, min_rows=10)
    assert count == 2 and set(router.route(rows.X)) == {0, 1}
    centres = np.array([rows.X[labels == k].mean(0) for k in range(3)])
    router, count = centre_router(centres, rows, min_rows=10)
    assert count == 2 and np.array_equal(router.route(rows.X[:100]), labels[:100])
