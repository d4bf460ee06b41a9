"""Intervals, paired tests and distances against plain computations and published examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from strongsuit.core import key_for, metrics, root_key
from strongsuit.core.nearest import kmeans_pp, kth_distance


def test_losses_weigh_rows_and_outputs() -> None:
    y, mean = np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([[1.0, 0.0], [1.0, 4.0]])
    np.testing.assert_allclose(metrics.row_losses(y, mean), [0.5, 2.0])
    np.testing.assert_allclose(metrics.row_losses(y, np.stack([mean, y]), omega=[1.0, 0.0]), [[1, 0], [0, 0]])
    assert metrics.weighted_mse(y, mean, np.array([3.0, 1.0])) == pytest.approx(0.875)


def test_relative_error_is_one_for_the_mean_and_leaves_constants_out() -> None:
    y = np.random.default_rng(0).normal(size=(50, 2))
    y[:, 1] = 4.0
    assert metrics.relative_mse(y, np.tile(y.mean(axis=0), (50, 1))) == pytest.approx(1.0)
    assert np.isnan(metrics.relative_mse(y[:, 1:], y[:, 1:]))


def test_intervals_cover_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    covered = np.zeros(2)
    for trial in range(300):
        values = rng.exponential(size=40) - 1.0
        found = metrics.t_interval(values), metrics.bootstrap_interval(key_for(root_key(0), trial), values)
        covered += [one.low <= 0.0 <= one.high for one in found]
    assert np.all(covered / 300 > 0.88) and np.all(covered / 300 < 0.99)
    assert metrics.t_interval([1.0]) == metrics.Interval(1.0, -np.inf, np.inf)


def test_the_plain_paired_test_is_the_textbook_one() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=12), rng.normal(size=12) + 0.5
    assert metrics.paired_test(a, b).p == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert metrics.paired_test(a, b, test_share=0.25).p > metrics.paired_test(a, b).p
    assert metrics.paired_test([1.0], [2.0]).p == 1.0
    assert metrics.paired_test([1.0, 1.0], [2.0, 2.0]).p == 0.0
    assert metrics.signed_rank_p(a, a) == 1.0
    assert metrics.signed_rank_p(a, b) == pytest.approx(stats.wilcoxon(a, b).pvalue)


def test_holm_on_a_worked_example() -> None:
    # Four hypotheses at 0.01, 0.04, 0.03, 0.005: the standard example of the step-down rule.
    np.testing.assert_allclose(metrics.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(p: list[float]) -> None:
    adjusted = metrics.holm(p)
    assert np.all(adjusted >= np.array(p)) and np.all(adjusted <= np.minimum(np.array(p) * len(p), 1.0) + 1e-15)
    assert np.all(np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0)


@pytest.mark.parametrize("d", [2, 30])
def test_the_kth_distance_is_that_of_a_full_sort(d: int) -> None:
    rng = np.random.default_rng(3)
    points, X = rng.normal(size=(200, d)) + 100.0, rng.normal(size=(57, d)) + 100.0
    full = np.sort(np.sqrt(((X[:, None] - points[None]) ** 2).sum(axis=2)), axis=1)
    for k in (1, 5, 200):
        np.testing.assert_allclose(kth_distance(X, points, k), full[:, k - 1], rtol=1e-9)
    np.testing.assert_allclose(kth_distance(points, points, 1), 0.0, atol=1e-12)


def test_seeds_spread_and_leave_absent_rows_out() -> None:
    X = np.repeat(np.array([[0.0], [10.0], [20.0]]), 20, axis=0)
    w = np.ones(60)
    w[40:] = 0.0
    seeds = kmeans_pp(root_key(0), X, 2, w=w)
    assert sorted(X[seeds, 0]) == [0.0, 10.0]
    assert np.array_equal(seeds, kmeans_pp(root_key(0), X, 2, w=w))
