"""Far-away rows: the rule against brute force, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from strongsuit.partition.routing import fit_far


def brute(X, w, new, *, k=5, factor=3.0, quantile=0.99):
    """The rule by sorting all distances, for distinct rows of positive weight."""
    mean = np.average(X, axis=0, weights=w)
    spread = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=w))
    Z, ZN = (X - mean) / spread, (new - mean) / spread
    own = np.sort(np.linalg.norm(Z[:, None] - Z, axis=2), axis=1)[:, k]
    order = np.argsort(own)
    share = np.cumsum(w[order]) / w.sum()
    limit = factor * own[order][np.argmax(share >= quantile - 1e-12)]
    return np.sort(np.linalg.norm(ZN[:, None] - Z, axis=2), axis=1)[:, k - 1] > limit


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(8, 120),
    d=st.integers(1, 5),
    k=st.integers(1, 6),
    quantile=st.sampled_from([0.5, 0.9, 0.99]),
)
def test_the_rule_is_that_of_brute_force(seed, n, d, k, quantile):
    rng = np.random.default_rng(seed)
    X, new = rng.normal(size=(n, d)), rng.normal(size=(60, d)) * 4
    w = rng.integers(1, 4, n).astype(float)
    far = fit_far(X, w, k=k, quantile=quantile)
    np.testing.assert_array_equal(far.is_far(new), brute(X, w, new, k=k, quantile=quantile))


@given(seed=st.integers(0, 10_000))
def test_order_absent_rows_and_copies_are_immaterial(seed):
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(50, 3)), rng.integers(0, 3, 50).astype(float)
    w[:8] = 1.0
    new = rng.normal(size=(80, 3)) * 3
    expected = fit_far(X, w).is_far(new)
    order = rng.permutation(50)
    np.testing.assert_array_equal(fit_far(X[order], w[order]).is_far(new), expected)
    twice = np.repeat(np.arange(50), w.astype(int))
    np.testing.assert_array_equal(fit_far(X[twice], np.ones(len(twice))).is_far(new), expected)
    np.testing.assert_array_equal(fit_far(X[w > 0], w[w > 0]).is_far(new), expected)


def test_replicates_of_a_design_do_not_shrink_its_distances():
    points = np.array([[a, b] for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)])
    jitter = 1e-9 * np.random.default_rng(0).normal(size=(180, 2))
    for X in (np.repeat(points, 20, axis=0), np.repeat(points, 20, axis=0) + jitter):
        far = fit_far(X, np.ones(180))
        assert far.limit == pytest.approx(fit_far(points, np.ones(9)).limit, rel=1e-4)
        assert not far.is_far(np.array([[0.5, 0.5], [1.0, 1.0], [0.2, -0.9]])).any()
        assert far.is_far(np.array([[30.0, 0.0]])).all()


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6])
def test_few_rows_have_a_limit_all_the_same(n):
    X = np.arange(n, dtype=float)[:, None] * [1.0, 2.0]
    far = fit_far(X, np.ones(n))
    assert far.limit > 0 and not far.is_far(X).any()
    if n > 1:
        assert far.is_far(X + 1e3).all()


def test_constant_columns_say_nothing():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=100), np.full(100, 0.1)])
    far = fit_far(X, np.ones(100))
    assert far.scale[1] == 1.0 and far.weights[1] == 0.0
    new = np.column_stack([rng.normal(size=20), np.full(20, 1e6)])
    narrow = fit_far(X[:, :1], np.ones(100))
    np.testing.assert_array_equal(far.is_far(new), narrow.is_far(new[:, :1]))


def test_two_levels_of_a_one_hot_column_lie_at_distance_one():
    levels = np.eye(3)[np.arange(30) % 3]
    far = fit_far(levels, np.ones(30), column_scale=np.full(3, np.sqrt(0.5)), k=1, factor=1.0)
    assert far.limit == pytest.approx(1.0)
    mixed = fit_far(np.column_stack([np.arange(30.0), levels]), np.ones(30), column_scale=np.array([np.nan, 1, 1, 1]))
    assert mixed.scale[0] == pytest.approx(np.arange(30).std()) and list(mixed.scale[1:]) == [1, 1, 1]


def test_rows_that_are_not_finite_are_far():
    far = fit_far(np.random.default_rng(0).normal(size=(40, 2)), np.ones(40))
    new = np.array([[np.nan, 0.0], [0.0, np.inf], [0.0, 0.0]])
    np.testing.assert_array_equal(far.is_far(new), [True, True, False])
    assert far.is_far(new[:0]).shape == (0,)


@pytest.mark.parametrize("d", [1, 4])
def test_the_screen_of_many_rows_changes_no_answer(d):
    rng = np.random.default_rng(d)
    X, new = rng.normal(size=(5_000, d)), rng.normal(size=(6_000, d)) * 2
    far = fit_far(X, np.ones(5_000))
    nearest = cKDTree(far.reference).query((new - far.center) / far.scale, k=[5])[0][:, 0]
    np.testing.assert_array_equal(far.is_far(new), nearest > far.limit)
    np.testing.assert_array_equal(far.is_far(new[:50]), (nearest > far.limit)[:50])


def test_many_rows_keep_a_bounded_reference():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50_000, 2))
    far = fit_far(X, np.ones(50_000))
    assert len(far.reference) == 20_000
    assert far.is_far(X).mean() < 0.005
    assert far.is_far(X + 50).all()
