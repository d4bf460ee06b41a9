"""Oracles with noise, prices, failures and delays: right in size, and the same in whatever order rows are asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongsuit.bench.oracles import Delayed, Exact, Failing, Noisy, Priced, oracle_for
from strongsuit.core import root_key
from strongsuit.datasets.simulators import PROBLEMS
from strongsuit.errors import InputError

KEY = root_key(0)
ROBO = PROBLEMS["ROBO"]


def points(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (rows, ROBO.d))


def test_the_plain_oracle_is_the_simulator() -> None:
    u = points(5)
    answers = oracle_for(KEY, ROBO)(u)
    assert np.array_equal(answers.y, ROBO.function(u)) and not answers.failed.any()
    assert np.array_equal(answers.cost, np.ones(5)) and np.array_equal(answers.delay, np.zeros(5))
    assert oracle_for(KEY, ROBO)(u[:0]).y.shape == (0, 2)


def test_noise_has_the_size_that_was_asked_for() -> None:
    u = points(2000)
    noise = oracle_for(KEY, ROBO, noise=0.1)(u).y - ROBO.function(u)
    sd = 0.1 * ROBO.variance**0.5
    assert noise.std() == pytest.approx(sd, rel=0.05)
    assert np.all(np.abs(noise.mean(axis=0)) < 4 * sd / 2000**0.5)
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.1  # outputs of one row err apart
    assert abs(np.corrcoef(noise[1:, 0], noise[:-1, 0])[0, 1]) < 0.1  # and so do rows


def test_failures_and_delays_come_as_often_and_late_as_asked() -> None:
    answers = oracle_for(KEY, ROBO, failures=0.2, delay=3.0)(points(2000))
    assert answers.failed.mean() == pytest.approx(0.2, abs=0.03)
    assert np.array_equal(np.isnan(answers.y).all(axis=1), answers.failed)
    assert np.array_equal(np.isnan(answers.y).any(axis=1), answers.failed)
    assert set(answers.reason) == {"", "simulation failed"}
    assert answers.delay.mean() == pytest.approx(3.0, rel=0.1) and answers.delay.min() > 0
    # What fails has nothing to do with how long it takes.
    assert answers.delay[answers.failed].mean() == pytest.approx(3.0, rel=0.2)


@given(st.permutations(range(12)), st.integers(1, 11), st.booleans())
def test_what_a_row_answers_does_not_depend_on_order_or_batch(order: list[int], cut: int, numbered: bool) -> None:
    oracle = oracle_for(KEY, ROBO, noise=0.1, failures=0.3, delay=1.0, price=lambda u: 1 + u[:, 0] ** 2)
    u = points(12)
    whole = oracle(u, range(12) if numbered else None)
    parts = [oracle(u[part], part if numbered else None) for part in (order[:cut], order[cut:])]
    np.testing.assert_array_equal(np.concatenate([one.y for one in parts]), whole.y[order])
    np.testing.assert_array_equal(np.concatenate([one.cost for one in parts]), whole.cost[order])
    np.testing.assert_array_equal(np.concatenate([one.delay for one in parts]), whole.delay[order])
    assert sum((one.reason for one in parts), ()) == tuple(whole.reason[row] for row in order)


def test_equal_rows_share_their_noise_unless_they_are_numbered() -> None:
    oracle = oracle_for(KEY, ROBO, noise=0.1)
    twice = np.zeros((2, 4))
    twice[1] *= -1.0  # minus zero is the same place
    y = oracle(twice).y
    assert np.array_equal(y[0], y[1])
    numbered = oracle(twice, [7, 8]).y
    assert np.all(numbered[0] != numbered[1])
    assert np.array_equal(oracle(twice[:1], [8]).y[0], numbered[1])
    single = points(3).astype(np.float32)
    assert np.array_equal(oracle(single).y, oracle(single.astype(float)).y)


def test_keys_and_problems_have_noise_of_their_own() -> None:
    u = points(4)
    first = oracle_for(KEY, ROBO, noise=0.1)(u).y
    assert np.all(oracle_for(root_key(1), ROBO, noise=0.1)(u).y != first)
    assert np.array_equal(oracle_for(KEY, ROBO, noise=0.1)(u).y, first)


def test_oracles_stack_in_any_order() -> None:
    u = points(40)
    inner = Failing(Exact(ROBO), KEY, 0.5, "mesh")
    answers = Failing(Priced(Delayed(Noisy(inner, KEY, 0.1), 2.0), 5.0), root_key(1), 0.5, "licence")(u)
    early = inner(u).failed
    assert all(reason == "mesh" for reason, old in zip(answers.reason, early, strict=True) if old)
    assert {"", "mesh", "licence"} == set(answers.reason)
    assert np.array_equal(answers.cost, np.full(40, 5.0)) and np.array_equal(answers.delay, np.full(40, 2.0))
    assert np.array_equal(np.isnan(answers.y[:, 0]), answers.failed)


def test_values_out_of_range_are_refused() -> None:
    for options, message in (
        ({"noise": -0.1}, "noise must be 0 or a positive number"),
        ({"delay": float("nan")}, "delay must be"),
        ({"failures": 1.5}, "failures must be a probability"),
    ):
        with pytest.raises(InputError, match=message):
            oracle_for(KEY, ROBO, **options)
    with pytest.raises(InputError, match="name each of the 3 rows"):
        oracle_for(KEY, ROBO, noise=0.1)(points(3), [1, 2])
    with pytest.raises(InputError, match="from -1 to 1"):
        oracle_for(KEY, ROBO, noise=0.1)(points(3) + 2.0)
