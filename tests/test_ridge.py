"""The closed-form learner against independent references."""

from __future__ import annotations

import numpy as np
import pytest

from strongsuit.core.keys import root_key
from strongsuit.core.learner import fit_many, fit_one, predict_one
from strongsuit.learners.ridge import BASES, Ridge

KEY = root_key(0)


def _line(n=60, noise=0.1):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, 3))
    y = X @ np.array([[1.0], [-2.0], [0.5]]) + 4.0 + noise * rng.normal(size=(n, 1))
    return X, y


def test_linear_ridge_meets_least_squares_where_the_signal_is_strong():
    X, y = _line(400)
    params = fit_one(Ridge("linear"), KEY, X, y, np.ones(400))
    design = np.hstack([X, np.ones((400, 1))])
    reference = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    found = predict_one(Ridge("linear"), params, X).mean
    assert np.abs(found - reference).max() < 0.01


def test_noise_is_estimated():
    X, y = _line(2000, noise=0.3)
    params = fit_one(Ridge("linear"), KEY, X, y, np.ones(2000))
    assert params["noise"][0] == pytest.approx(0.09, rel=0.1)


@pytest.mark.parametrize("basis", [*BASES, "auto"])
def test_weight_two_is_the_row_twice_and_zero_is_no_row(basis):
    X, y = _line()
    w = np.ones(60)
    w[:10], w[10:20] = 2.0, 0.0
    kept = np.r_[np.arange(10), np.arange(10), np.arange(20, 60)]
    one = fit_one(Ridge(basis), KEY, X, y, w)
    two = fit_one(Ridge(basis), KEY, X[kept], y[kept], np.ones(len(kept)))
    first, second = (predict_one(Ridge(basis), p, X).mean for p in (one, two))
    assert np.allclose(first, second, atol=1e-6)


@pytest.mark.parametrize("basis", [*BASES, "auto"])
def test_degenerate_tables_stay_finite(basis):
    X = np.ones((12, 2))
    for y in (np.zeros((12, 1)), np.arange(12.0)[:, None], np.ones((12, 2))):
        params = fit_one(Ridge(basis), KEY, X, y, np.ones(12))
        assert np.isfinite(predict_one(Ridge(basis), params, X * 1e3).mean).all()


def test_auto_takes_the_line_for_a_line_and_curves_for_a_wave():
    x = np.linspace(0, 1, 300)[:, None]
    noise = 0.01 * np.random.default_rng(0).normal(size=(300, 1))
    line = fit_one(Ridge("auto"), KEY, x, 2 * x + noise, np.ones(300))
    wave = fit_one(Ridge("auto"), KEY, x, np.sin(20 * x) + noise, np.ones(300))
    assert BASES[int(line["basis"])] == "linear"
    assert BASES[int(wave["basis"])] == "fourier"
    assert np.mean((predict_one(Ridge("auto"), wave, x).mean - np.sin(20 * x)) ** 2) < 1e-4


def test_members_equal_single_fits():
    X, y = _line()
    W = np.stack([np.ones(60), np.r_[np.ones(30), np.zeros(30)]])
    many = fit_many(Ridge("linear"), [KEY, KEY], X, y, W)
    for params, w in zip(many, W, strict=True):
        alone = fit_one(Ridge("linear"), KEY, X, y, w)
        assert np.array_equal(params["coef"], alone["coef"])
