"""Intervals, sign flips and verdicts of paired repetitions, against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from strongsuit.core import curves as figures
from strongsuit.core import key_for, root_key, verdicts
from strongsuit.core.metrics import Interval
from strongsuit.core.verdicts import Cell
from strongsuit.errors import InputError

KEY = root_key(0)
LABELS = np.arange(80, 401, 40)


def areas(repetitions: int, ratio: float, *, spread: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    random = rng.lognormal(0, 0.3, repetitions)
    return random * ratio * np.exp(rng.normal(0, spread, repetitions)), random


def curves(repetitions: int, ratio: float, *, spread: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    own, other = areas(repetitions, ratio, spread=spread)
    fall = (LABELS / 80.0) ** -0.5
    return own[:, None] * fall, other[:, None] * fall


@pytest.mark.parametrize("count", [8, 20, 50])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_bootstrap_interval_is_that_of_scipy(count: int, confidence: float) -> None:
    own, other = areas(count, 1.1, spread=0.3)
    found = verdicts.bca_interval(
        KEY, count, lambda rows: own[rows].mean(axis=1) / other[rows].mean(axis=1), confidence=confidence
    )
    scipys = stats.bootstrap(
        (own, other),
        lambda a, b, axis: a.mean(axis=axis) / b.mean(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=10_000,
        confidence_level=confidence,
        method="BCa",
        random_state=np.random.default_rng(1),
    ).confidence_interval
    assert found is not None and found.mean == pytest.approx(own.mean() / other.mean())
    width = scipys.high - scipys.low
    assert found.low == pytest.approx(scipys.low, abs=0.05 * width)
    assert found.high == pytest.approx(scipys.high, abs=0.05 * width)


def test_with_the_same_resamples_the_interval_is_scipys_to_the_last_digits() -> None:
    values = np.random.default_rng(2).exponential(size=15)
    found = verdicts.bca_interval(KEY, 15, lambda rows: values[rows].mean(axis=1))
    scipys = stats.bootstrap((values,), np.mean, n_resamples=10_000, method="BCa", random_state=KEY.numpy())
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(scipys.confidence_interval), rel=1e-9)


def test_few_repetitions_have_no_interval_and_equal_ones_a_point() -> None:
    assert verdicts.bca_interval(KEY, 7, lambda rows: rows.mean(axis=1)) is None
    assert verdicts.bca_interval(KEY, 8, lambda rows: np.ones(len(rows))) == Interval(1.0, 1.0, 1.0)


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_sign_flips_are_scipys_permutations_of_pairs(alternative: str) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.3, 1, 11), rng.normal(size=11)
    scipys = stats.permutation_test(
        (a, b),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        alternative=alternative,
        n_resamples=np.inf,
    )
    assert verdicts.sign_flip_p(KEY, a - b, alternative=alternative) == pytest.approx(scipys.pvalue)


def test_sign_flips_by_hand() -> None:
    assert verdicts.sign_flip_p(KEY, [1.0, 2.0, 3.0]) == 1 / 8
    assert verdicts.sign_flip_p(KEY, [1.0, 2.0, -3.0]) == 5 / 8  # sums 6, 4, 2, 0, 0, ...: five are at least 0
    assert verdicts.sign_flip_p(KEY, [0.0] * 30) == 1.0
    assert verdicts.sign_flip_p(KEY, np.ones(20)) == 2.0**-20
    with pytest.raises(InputError, match="got 'more'"):
        verdicts.sign_flip_p(KEY, [1.0], alternative="more")


def test_random_flips_agree_with_all_of_them() -> None:
    values = np.random.default_rng(4).normal(0.4, 1, 21)
    exact = np.mean(verdicts._all_flips(values) >= values.sum() - 1e-9)
    assert verdicts.sign_flip_p(KEY, values) == pytest.approx(exact, abs=4 * (exact / verdicts.FLIPS) ** 0.5)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=9))
def test_the_two_sides_of_a_sign_flip_test_cover_everything(values: list[float]) -> None:
    greater, less = (verdicts.sign_flip_p(KEY, values, alternative=one) for one in ("greater", "less"))
    assert greater + less >= 1.0 and verdicts.sign_flip_p(KEY, values, alternative="two-sided") >= min(greater, less)


def test_repetitions_for_a_half_width() -> None:
    values = [0.0, 2.0]  # standard deviation the root of 2
    assert verdicts.repetitions_for(values, 0.5) == 31  # 1.96^2 * 2 / 0.25 = 30.7


def compared(method: np.ndarray, random: np.ndarray) -> Cell:
    return verdicts.compare(KEY, figures.areas(LABELS, method), figures.areas(LABELS, random))


def test_a_cell_of_random_against_itself_is_one_with_a_p_of_one() -> None:
    _, random = curves(20, 1.0)
    cell = compared(random, random)
    assert cell == Cell(1.0, 1.0, Interval(1.0, 1.0, 1.0), 1.0, 1.0, 20)
    assert verdicts.verdicts([cell]) == ["safe"]
    with pytest.raises(InputError, match="as many repetitions, got 3 and 20"):
        compared(random[:3], random)


def test_clear_cells_get_clear_words() -> None:
    bad, good, unknown = (
        compared(*curves(20, ratio, spread=spread)) for ratio, spread in ((1.5, 0.05), (0.7, 0.05), (0.9, 0.6))
    )
    assert bad.interval is not None and bad.interval.low < 1.5 < bad.interval.high + 0.05
    assert verdicts.verdicts([bad, good, unknown])[:2] == ["loses", "safe"]
    few = compared(*curves(5, 1.5, spread=0.05))
    assert few.interval is None and verdicts.verdicts([few]) == ["point loss"]


def test_verdicts_on_hand_made_cells() -> None:
    def cell(nauc: float, low: float, high: float, p: float) -> Cell:
        return Cell(nauc, nauc, Interval(nauc, low, high), p, p, 20)

    cells = [
        cell(1.2, 1.1, 1.3, 0.01),  # adjusted over four cells: 0.04
        cell(1.2, 1.1, 1.3, 0.02),  # 0.06: not enough
        cell(1.005, 0.99, 1.015, 0.5),  # a point loss that is safe as well
        cell(0.99, 0.97, 1.01, 0.9),
    ]
    assert verdicts.verdicts(cells) == ["loses", "point loss", "point loss", "safe"]
    assert verdicts.safe(cells[2]) and not verdicts.safe(cells[2], 0.01)
    assert verdicts.verdicts([cell(0.9, 0.7, 1.1, 0.9)]) == ["undecided"]
    assert verdicts.verdicts([cell(1.2, 0.99, 1.3, 0.001)]) == ["point loss"]


def test_the_claim_passes_fails_or_asks_for_more() -> None:
    never_worse = {name: areas(20, 0.9, seed=seed) for seed, name in enumerate(("a", "b", "c"))}
    claim = verdicts.decide(KEY, never_worse)
    assert claim.word == "PASS" and claim.next_repetitions is None
    failed = verdicts.decide(KEY, never_worse | {"d": areas(20, 1.3)})
    assert failed.word == "FAIL" and failed.ratio["d"] > 1.2 and failed.worst["d"] > failed.ratio["d"]
    open_claim = verdicts.decide(KEY, never_worse | {"d": areas(20, 1.0, spread=0.5)})
    assert (open_claim.word, open_claim.next_repetitions) == ("INCONCLUSIVE", 40)
    assert verdicts.decide(KEY, {"d": areas(100, 1.02, spread=0.5)}).next_repetitions is None


def test_the_claim_never_passes_on_few_repetitions_but_may_fail() -> None:
    claim = verdicts.decide(KEY, {"a": areas(10, 0.5)})
    assert (claim.word, claim.next_repetitions) == ("INCONCLUSIVE", 20)
    assert verdicts.decide(KEY, {"a": areas(10, 0.5)}, fewest=8).word == "PASS"
    assert verdicts.decide(KEY, {"a": areas(8, 2.0)}).word == "FAIL"
    assert verdicts.decide(KEY, {"a": areas(5, 2.0)}).bounds == {"a": None}


def test_bounds_of_the_claim_are_shared_out_over_problems() -> None:
    own, other = areas(30, 1.0)
    alone = verdicts.decide(KEY, {"a": (own, other)}).bounds["a"]
    among = verdicts.decide(KEY, {name: (own, other) for name in "abcdefgh"}).bounds["a"]
    assert alone is not None and among is not None and among.high > alone.high > alone.mean > alone.low > among.low
    # One problem: the one-sided 95 % bound, close to Student's for as many symmetric differences.
    difference = np.log(own) - np.log(other)
    student = difference.mean() + stats.t.ppf(0.95, 29) * stats.sem(difference)
    assert np.log(alone.high) == pytest.approx(student, abs=0.006)


def test_the_upper_bound_covers_about_as_often_as_it_says() -> None:
    covered = 0
    for trial in range(200):
        difference = np.random.default_rng(trial).gumbel(-np.euler_gamma, 1, 20)
        found = verdicts.bca_interval(
            key_for(KEY, trial), 20, lambda rows, d=difference: d[rows].mean(axis=1), confidence=0.9, draws=1000
        )
        covered += found is not None and found.high >= 0
    assert 0.88 <= covered / 200 <= 0.99
