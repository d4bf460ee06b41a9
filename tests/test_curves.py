"""Figures of learning curves by hand, on random batches and against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from strongsuit.core import curves, key_for, root_key
from strongsuit.errors import InputError

LABELS = np.arange(80, 2081, 40)
KEY = root_key(0)


def noisy_curves(repetitions: int, exponent: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.1, (repetitions, len(LABELS)))
    return np.exp(noise) * (LABELS / 80) ** -exponent


def areas(error: np.ndarray) -> curves.Areas:
    return curves.areas(LABELS, error)


def test_area_by_hand() -> None:
    assert curves.area(np.array([0, 1, 3]), np.array([[4.0, 2.0, 0.0]])) == pytest.approx(3 + 2)
    assert curves.log_area(np.array([0, 1, 3]), np.exp([1.0, 2.0, 2.0])) == pytest.approx((1.5 + 4) / 3)


def test_the_last_tenth_of_a_curve_by_hand() -> None:
    error = np.exp([[9.0] * 18 + [1.0, 2.0], [9.0] * 18 + [0.0, 4.0]])
    assert curves.late_log(error) == pytest.approx([1.5, 2.0])
    assert curves.late_log(error[0, -3:]) == pytest.approx(2.0)  # of three points the last
    with pytest.raises(InputError, match="positive errors"):
        curves.late_log(np.array([1.0, 0.0]))


def test_random_against_itself_is_exactly_one() -> None:
    random = noisy_curves(20, 0.5, 0)
    assert curves.nauc(areas(random), areas(random)) == 1.0 and curves.nauc_log(areas(random), areas(random)) == 1.0


def test_nauc_of_half_the_error_is_a_half_and_the_two_forms_differ_where_starts_do() -> None:
    random = noisy_curves(5, 0.5, 1)
    assert curves.nauc(areas(random / 2), areas(random)) == pytest.approx(0.5)
    assert curves.nauc_log(areas(random / 2), areas(random)) == pytest.approx(0.5)
    bad_start = random.copy()
    bad_start[:, 0] *= 20
    assert (
        curves.nauc(areas(bad_start), areas(random)) > 1.5 and curves.nauc_log(areas(bad_start), areas(random)) < 1.05
    )


@given(st.floats(1e-3, 1e3), st.integers(1, 6))
def test_nauc_does_not_know_units(scale: float, repetitions: int) -> None:
    method, random = noisy_curves(repetitions, 0.7, 2), noisy_curves(repetitions, 0.5, 3)
    for form in (curves.nauc, curves.nauc_log):
        assert form(areas(scale * method), areas(scale * random)) == pytest.approx(form(areas(method), areas(random)))


def test_curves_that_cannot_be_integrated_are_refused() -> None:
    with pytest.raises(InputError, match="growing"):
        curves.area(np.array([80, 80]), np.ones(2))
    with pytest.raises(InputError, match="finite error for each of the 2"):
        curves.area(np.array([80, 120]), np.array([1.0, np.nan]))
    with pytest.raises(InputError, match="reached 0"):
        curves.log_area(np.array([80, 120]), np.array([1.0, 0.0]))


def test_errors_and_labels_read_off_a_curve() -> None:
    error = np.array([[8.0, 4.0, 5.0, 2.0], [8.0, 7.0, 6.0, 5.0]])
    labels = np.array([80, 120, 160, 200])
    np.testing.assert_array_equal(curves.error_at(labels, error, 170), [5.0, 6.0])
    with pytest.raises(InputError, match="the first is at 80"):
        curves.error_at(labels, error, 79)
    np.testing.assert_array_equal(curves.labels_to_reach(labels, error, 4.5), [120, np.inf])
    np.testing.assert_array_equal(curves.labels_to_reach(labels, error, 4.5, steps=2), [120, np.inf])
    np.testing.assert_array_equal(curves.labels_to_reach(labels, error, 4.5, steps=3), [np.inf, np.inf])
    np.testing.assert_array_equal(curves.labels_to_reach(labels, error, np.array([4.5, 6.5])), [120, 160])


def test_the_burden_counts_from_the_first_of_five_below_and_censors_the_rest() -> None:
    labels = np.arange(10, 101, 10)
    falls = np.array([9, 9, 1, 9, 1, 1, 1, 1, 9, 9.0])  # five below in all, the first at 30
    never = np.array([9, 9, 9, 9, 9, 9, 1, 1, 1, 1.0])  # four below only
    late = np.array([9, 9, 9, 9, 9, 1, 1, 1, 1, 1.0])  # from 60

    def burden(*curves_: list[np.ndarray]) -> curves.Burden:
        needed = [curves.labels_to_reach(labels, np.stack(one), 2.0, steps=curves.STEPS_BELOW) for one in curves_]
        return curves.data_burden(*needed, last=labels[-1])

    quick = burden([falls] * 3, [late] * 3)
    assert (quick.ratio, quick.sign, quick.method, quick.random) == (0.5, "=", 30.0, 60.0) and str(quick) == "0.50"
    slow = burden([never, never, falls], [late] * 3)
    assert (slow.sign, slow.method) == (">", 100.0) and str(slow) == ">1.67"
    # Two of four runs censored: the middle of the median is unknown, so it is a bound.
    assert burden([never, never, falls, falls], [late]).sign == ">"
    assert burden([never, falls, falls], [late]).sign == "="
    assert burden([falls], [never]).sign == "<"
    assert str(burden([never], [never])) == "not reached"


@given(st.integers(2, 12), st.integers(1, 20), st.integers(0, 5))
def test_diversity_is_the_mean_nearest_distance(b: int, d: int, seed: int) -> None:
    batch = np.random.default_rng(seed).normal(size=(b, d))
    distance = cdist(batch, batch) + np.diag(np.full(b, np.inf))
    assert curves.diversity(batch) == pytest.approx(distance.min(axis=1).mean())
    assert curves.diversity(np.repeat(batch, 2, axis=0)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("d", [1, 5, 14])
@pytest.mark.parametrize("gamma", [2, 16])
def test_a_random_batch_of_any_pool_has_ndiv_one(d: int, gamma: int) -> None:
    rng = np.random.default_rng(d)
    pools = [rng.uniform(-1, 1, (40 * gamma, d)) for _ in range(50)]
    batches = [pool[rng.choice(len(pool), 40, replace=False)] for pool in pools]
    assert curves.ndiv(KEY, batches, pools) == pytest.approx(1.0, abs=0.1)
    assert curves.ndiv(KEY, batches, pools) == curves.ndiv(KEY, batches, pools)


def test_over_the_whole_pool_a_random_batch_grows_with_the_pool() -> None:
    rng = np.random.default_rng(6)
    for d, gamma, expected in ((1, 2, 2.0), (1, 16, 16.0), (5, 16, 1.86), (14, 2, 1.08)):
        pools = [rng.uniform(-1, 1, (40 * gamma, d)) for _ in range(40)]
        assert curves.ndiv(KEY, [pool[:40] for pool in pools], pools, whole_pool=True) == pytest.approx(
            expected, rel=0.1
        )


def test_collapsed_batches_have_ndiv_near_zero_and_spread_ones_above_one() -> None:
    rng = np.random.default_rng(7)
    pool = rng.uniform(-1, 1, (640, 2))
    nearest = pool[np.argsort(cdist(pool, pool[:1])[:, 0])[:40]]
    assert curves.relative_diversity(KEY, nearest, pool) < 0.5
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 8), np.linspace(-1, 1, 5)), axis=-1).reshape(-1, 2)
    assert curves.relative_diversity(KEY, grid, pool) > 1.5
    assert curves.relative_diversity(KEY, nearest, pool) != curves.relative_diversity(key_for(KEY, 1), nearest, pool)


def test_pools_without_spread_are_left_out() -> None:
    flat, spread = np.zeros((80, 2)), np.random.default_rng(8).normal(size=(80, 2))
    assert np.isnan(curves.ndiv(KEY, [flat[:40]], [flat]))
    assert np.isfinite(curves.ndiv(KEY, [flat[:40], spread[:40]], [flat, spread]))
    with pytest.raises(InputError, match="at least two rows, got 1"):
        curves.diversity(flat[:1])
