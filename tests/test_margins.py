"""Margins and probabilities of support vector machines, and samples that keep units and rare regimes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.svm import SVC

from strongsuit.core.keys import root_key
from strongsuit.partition.boundary_boosted import _by_weight
from strongsuit.partition.labelled import Labelled, deal, sample, within_errors
from strongsuit.partition.margins import calibrate, log_scores, margins

KEY = root_key(0)


@pytest.mark.parametrize("regimes", [2, 3, 4])
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_margins_are_those_of_scikit_learn(regimes, kernel):
    rng = np.random.default_rng(regimes)
    X, y = rng.normal(size=(150, 3)), rng.integers(0, regimes, 150)
    svm = SVC(kernel=kernel, C=5.0, gamma=0.7, decision_function_shape="ovo").fit(X, y)
    new = rng.normal(size=(700, 3)) * 3
    expected = svm.decision_function(new).reshape(700, -1)
    expected = -expected if regimes == 2 else expected
    np.testing.assert_allclose(margins(svm, new), expected, atol=1e-9)
    np.testing.assert_allclose(margins(svm, new, dtype=np.float32), expected, atol=2e-3)
    assert margins(svm, new[:0]).shape == (0, expected.shape[1])


def test_scores_are_the_product_of_pairwise_probabilities():
    rng = np.random.default_rng(1)
    values, heat, cap = rng.normal(size=(20, 6)) * 2, 0.4, 1.5
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    expected = np.ones((20, 4))
    for row in range(20):
        for column, (i, j) in enumerate(pairs):
            p = expit(min(max(values[row, column], -cap), cap) / heat)
            expected[row, i] *= p
            expected[row, j] *= 1 - p
    np.testing.assert_allclose(np.exp(log_scores(values, heat, cap)), expected, rtol=1e-10)


def test_two_regimes_get_the_logistic_of_the_margin():
    values = np.array([[-0.5], [0.0], [0.3]])
    p = np.exp(log_scores(values, 0.25, 1.0))
    np.testing.assert_allclose(p / p.sum(1, keepdims=True), np.hstack([expit(4 * values), expit(-4 * values)]))


def test_calibration_finds_the_best_temperature():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(4_000, 1))
    labels = (rng.random(4_000) > expit(3 * np.clip(values[:, 0], -1, 1))).astype(int)
    w = rng.uniform(0.5, 2.0, 4_000)
    temperature, cap = calibrate(values, labels, w)
    assert cap == 1.0

    def loss(t):
        p = expit(np.clip(values[:, 0], -1, 1) / t)
        return -np.average(np.log(np.where(labels == 0, p, 1 - p)), weights=w)

    assert loss(temperature) <= min(loss(t) for t in np.linspace(0.1, 1.0, 181)) + 1e-5


def test_units_stay_together_and_every_fold_has_every_regime():
    rng = np.random.default_rng(0)
    units, labels = rng.integers(0, 60, 500), rng.integers(0, 3, 500)
    rows = Labelled(np.zeros((500, 1)), labels, np.ones(500), units, 3)
    fold, folds = deal(KEY, rows, 5)
    assert folds == 5
    for unit in range(60):
        assert len(np.unique(fold[units == unit])) <= 1
    for f in range(5):
        assert set(labels[fold == f]) == {0, 1, 2}


def test_errors_are_those_of_units():
    d = np.repeat([1.0, 0.0, 0.0, 0.0], 25)
    w, units = np.ones(100), np.repeat(np.arange(4), 25)
    # mean 1/4, standard error by unit 1/4, by row 0.043
    assert within_errors(d, w, units, 1.01) and not within_errors(d, w, units, 0.99)
    assert not within_errors(d, w, np.arange(100), 5.0)


def test_samples_keep_rare_regimes_and_their_weight():
    labels = np.repeat([0, 1], [9_960, 40])
    w = np.random.default_rng(0).uniform(0.5, 1.5, 10_000)
    rows = Labelled(np.zeros((10_000, 1)), labels, w / w.mean(), np.arange(10_000), 2)
    part = sample(KEY, rows, 500)
    assert np.count_nonzero(part.labels) == 40 and 480 < len(part) < 560
    share = w[labels == 1].sum() / w.sum()
    assert part.w[part.labels == 1].sum() / part.w.sum() == pytest.approx(share)


@given(st.lists(st.integers(1, 4), min_size=3, max_size=40), st.integers(0, 99))
def test_resampling_repeats_rows_as_their_weights_say(weights, seed):
    w = np.array(weights, float)
    labels = np.arange(len(w)) % 3
    rows = Labelled(np.zeros((len(w), 1)), labels, w, np.arange(len(w)), 3)
    drawn = np.bincount(_by_weight(root_key(seed), rows), minlength=len(w))
    assert (np.abs(drawn - w / w.mean()) <= 1).all()
    assert set(labels[drawn > 0]) == {0, 1, 2}
    if len(set(weights)) == 1:
        assert (drawn == 1).all()
