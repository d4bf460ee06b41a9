"""Stopping rules on synthetic campaigns: noise does not stop them, flat curves do, budgets cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongsuit.active.progress import Check, Progress, fit_law, upper_mean
from strongsuit.active.stopping import (
    Budget,
    Plateau,
    Rule,
    Settled,
    Stop,
    Target,
    Worth,
    all_of,
    any_of,
    default_rule,
)
from strongsuit.errors import InputError

COUNTS = np.arange(160, 2081, 80)
Curve = Callable[[np.ndarray], np.ndarray]


def power(exponent: float) -> Curve:
    return lambda labels: (labels / 80.0) ** -exponent


def checks(error: np.ndarray, *, counts: np.ndarray = COUNTS, rows: int = 40) -> tuple[Check, ...]:
    return tuple(Check(int(labels), np.full(rows, one)) for labels, one in zip(counts, error, strict=True))


def audited(curve: Curve, seed: int) -> tuple[Check, ...]:
    """Checks of a growing audit of squared normal errors; a row keeps its difficulty from check to check."""
    rng = np.random.default_rng(seed)
    hard = rng.chisquare(1, 20 * len(COUNTS))
    return tuple(
        Check(int(labels), float(curve(labels)) * hard[:rows] * rng.lognormal(0, 0.3, rows))
        for labels, rows in zip(COUNTS, 20 * np.arange(1, len(COUNTS) + 1), strict=True)
    )


def noisy(curve: Curve, seed: int, sd: float) -> tuple[Check, ...]:
    return checks(curve(COUNTS) * np.exp(np.random.default_rng(seed).normal(0, sd, len(COUNTS))))


def at(done: tuple[Check, ...], **more: object) -> Progress:
    labels = done[-1].labels if done else 1000
    return Progress(**{"start": 80, "batch": 40, "labels": labels, "variance": 1.0, "checks": done} | more)


def stops_at(rule: Rule, done: tuple[Check, ...]) -> int | None:
    """The labels at which a campaign with these checks stops first, None for never."""
    moments = (done[:last] for last in range(1, len(done) + 1))
    return next((seen[-1].labels for seen in moments if rule(at(seen)).yes), None)


@pytest.mark.parametrize(("exponent", "sd"), [(0.25, 0.1), (0.25, 0.3), (0.5, 0.2), (1.0, 0.4)])
def test_noise_around_a_power_law_does_not_stop_a_campaign(exponent: float, sd: float) -> None:
    stopped = [stops_at(Plateau(), noisy(power(exponent), seed, sd)) is not None for seed in range(500)]
    assert np.mean(stopped) <= 0.05


@pytest.mark.parametrize("exponent", [0.3, 0.6])
def test_audits_of_single_rows_do_not_stop_a_falling_curve(exponent: float) -> None:
    for rule in (Plateau(), Worth(1.0, 0.002)):  # a price at which even 0.08 % a batch is worth asking for
        stopped = [stops_at(rule, audited(power(exponent), seed)) is not None for seed in range(150)]
        assert np.mean(stopped) <= 0.02


def test_audits_of_single_rows_stop_a_flat_curve() -> None:
    assert np.mean([stops_at(Plateau(), audited(power(0.0), seed)) is not None for seed in range(60)]) >= 0.9


def test_new_audit_rows_that_are_harder_move_no_curve() -> None:
    joined = np.repeat([1.0, 2.0, 4.0, 8.0, 16.0], 10)  # ever harder rows, on a flat curve
    done = tuple(Check(int(n), joined[: 10 * (i + 1)]) for i, n in enumerate(COUNTS[:5]))
    law = fit_law(done, window=5, confidence=0.9)
    assert law is not None and law.exponent == law.high == 0.0


def test_a_flat_curve_stops_and_a_perfect_power_law_does_not() -> None:
    assert stops_at(Plateau(), checks(np.ones(len(COUNTS)))) == COUNTS[5]  # five checks, and five again
    found = [stops_at(Plateau(), noisy(power(0.0), seed, 0.05)) is not None for seed in range(100)]
    assert np.mean(found) >= 0.95
    assert stops_at(Plateau(), checks(power(0.12)(COUNTS))) is None  # 2.2 % a fifth more: just worth while
    assert stops_at(Plateau(), checks(power(0.10)(COUNTS))) == COUNTS[5]  # 1.8 %


def test_a_curve_that_meets_its_floor_stops_after_it_not_before() -> None:
    floor = checks(np.maximum(power(1.0)(COUNTS), 0.2))  # reached at 400 labels
    stop = stops_at(Plateau(), floor)
    assert stop is not None and 400 < stop <= 1800


def test_the_law_is_weighted_least_squares() -> None:
    rng = np.random.default_rng(0)
    counts, rows = np.array([100, 150, 200, 260, 330]), np.array([20, 30, 40, 50, 60])
    error = power(0.7)(counts) * np.exp(rng.normal(0, 0.05, 5))
    done = tuple(Check(int(n), np.full(r, e)) for n, r, e in zip(counts, rows, error, strict=True))
    law = fit_law(done, window=5, confidence=0.9)
    A = np.stack([np.ones(5), -np.log(counts)], axis=1)
    W = np.diag(rows.astype(float))
    beta = np.linalg.solve(A.T @ W @ A, A.T @ W @ np.log(error))
    residual = np.log(error) - A @ beta
    covariance = residual @ W @ residual / 3 * np.linalg.inv(A.T @ W @ A)
    assert law is not None and law.exponent == pytest.approx(beta[1])
    assert law.high - law.exponent == pytest.approx(1.637744 * covariance[1, 1] ** 0.5)  # t of 3 at 90 %
    assert law.gains(0.2)[0] == pytest.approx(1 - 1.2 ** -beta[1])


def test_the_law_reaches_back_to_a_quarter_of_the_labels() -> None:
    bent = np.where(COUNTS <= 480, 5.0, 1.0)  # the last checks since 2080 / 4 are all flat
    law = fit_law(checks(bent), window=5, confidence=0.9)
    assert law is not None and law.high == pytest.approx(0.0, abs=1e-9)
    short = fit_law(checks(bent)[:6], window=5, confidence=0.9)
    assert short is not None and short.exponent > 0.5
    rising = fit_law(checks(power(-0.5)(COUNTS)), window=5, confidence=0.9)
    assert rising is not None and rising.exponent == 0.0
    assert fit_law(checks(np.zeros(len(COUNTS))), window=5, confidence=0.9) is None
    assert fit_law((), window=5, confidence=0.9) is None


@pytest.mark.parametrize("rule", [Target(2.0), Plateau(), Worth(1.0, 1000.0), Settled(), all_of(Plateau(), Settled())])
def test_nothing_but_a_budget_fires_early(rule: Rule) -> None:
    flat = checks(np.full(7, 1e-6), counts=np.arange(120, 127))
    soon = at(flat, labels=199, changes=(0.0,) * 5)
    assert not rule(soon).yes
    assert rule(at(flat, labels=200, changes=(0.0,) * 5)).yes
    assert Budget(labels=100)(soon).yes


def test_a_budget_cuts_the_last_batch_and_then_stops() -> None:
    budget = Budget(labels=500)
    assert [budget.cut(at((), labels=n)) for n in (100, 460, 470, 500, 520)] == [40, 40, 30, 0, 0]
    assert budget.cut(at((), labels=460, pending=25)) == 15
    assert [budget(at((), labels=n)).yes for n in (100, 499, 500)] == [False, False, True]
    assert budget(at((), labels=500)).sentence == "the budget is spent on 500 labels"


def test_a_cost_budget_counts_what_was_spent_and_what_is_pending() -> None:
    budget = Budget(cost=30.0, price_per_row=0.1)
    assert budget.room(at((), cost=29.7)) == 3  # 0.3 / 0.1 in floating point is below 3
    assert budget.room(at((), cost=20.0, pending=40)) == 60
    both = Budget(labels=110, cost=30.0, price_per_row=0.1)
    assert both.room(at((), labels=100, cost=20.0)) == 10 and both.room(at((), labels=100, cost=29.7)) == 3


@given(st.integers(0, 700), st.integers(0, 100), st.integers(1, 600))
def test_a_batch_never_breaks_the_budget(labels: int, pending: int, limit: int) -> None:
    budget = Budget(labels=limit)
    progress = at((), labels=labels, pending=pending)
    batch = budget.cut(progress)
    assert 0 <= batch <= progress.batch and (batch == 0 or labels + pending + batch <= limit)
    assert budget(progress).yes == (batch == 0)


def test_a_target_needs_its_bound_at_two_checks() -> None:
    rng = np.random.default_rng(1)
    good, bad = (Check(400, scale * rng.chisquare(1, 200)) for scale in (1.0, 4.0))
    assert Target(2.0)(at((bad, good, good))).yes
    assert not Target(2.0)(at((good, bad, good))).yes and not Target(2.0)(at((good, good, bad))).yes
    assert not Target(2.0)(at((good,))).yes
    stop = Target(2.0)(at((good, good)))
    assert stop.numbers["bound"] == pytest.approx(upper_mean(good.errors, 1 - 0.05 / 25))
    root = Target(2.0**0.5, "rmse")(at((good, good)))
    assert root.yes and root.numbers["bound"] == pytest.approx(stop.numbers["bound"] ** 0.5)


def test_a_target_for_r2_reads_the_variance_of_the_labels() -> None:
    good = Check(400, np.random.default_rng(1).chisquare(1, 200))
    bound = upper_mean(good.errors, 1 - 0.05 / 25)
    stop = Target(0.8, "r2")(at((good, good), variance=10.0))
    assert stop.yes and stop.numbers["bound"] == pytest.approx(1 - bound / 10)
    assert not Target(0.9, "r2")(at((good, good), variance=10.0)).yes
    assert not Target(0.1, "r2")(at((good, good), variance=0.0)).yes


def test_more_planned_checks_make_a_target_stricter() -> None:
    good = Check(400, np.random.default_rng(1).chisquare(1, 200))
    bounds = [Target(2.0)(at((good, good), planned_checks=n)).numbers["bound"] for n in (2, 25, 100)]
    assert bounds == sorted(bounds) and bounds[0] < bounds[1]
    assert Target(2.0)(at((good,) * 50)).numbers["bound"] > bounds[1]  # more were done than planned


def test_a_target_without_audit_rows_says_so() -> None:
    few = Check(400, np.full(29, 1e-9))
    assert Target(1.0)(at((few, few))) == Stop(
        False, "target", {"audit_rows": 29.0}, "a target needs 30 audit rows, there are 29"
    )
    assert "there are 0" in Target(1.0)(at(())).sentence
    enough = Check(400, np.random.default_rng(0).chisquare(1, 30) * 1e-9)
    assert not Target(1.0)(at((few, enough))).yes


def test_a_target_stops_a_campaign_that_missed_it_less_often_than_its_level() -> None:
    wrong = 0
    for seed in range(400):
        done = audited(lambda labels: 1.0, seed)  # the true error is the mean of chi-squared x lognormal
        truth = np.exp(0.3**2 / 2)
        wrong += stops_at(Target(truth * 0.999), done) is not None
    assert wrong / 400 <= 0.05


def test_the_upper_bound_of_a_mean_covers_skewed_errors() -> None:
    rng = np.random.default_rng(2)
    for confidence in (0.95, 0.99):
        missed = np.mean([upper_mean(rng.chisquare(1, 40), confidence) < 1.0 for _ in range(2000)])
        assert missed <= 1.4 * (1 - confidence)
    assert np.isnan(upper_mean(np.zeros(40), 0.9)) and np.isnan(upper_mean(np.ones(1), 0.9))
    assert upper_mean(np.ones(40), 0.9) == 1.0


def test_worth_weighs_the_next_batch_against_its_price() -> None:
    falling = at(checks(power(0.5)(COUNTS)))
    gain = 100 * (1 - (1 + 40 / 2080) ** -0.5)
    assert not Worth(1.0, 0.99 * gain / 40)(falling).yes
    stop = Worth(1.0, 1.03 * gain / 40)(falling)
    assert stop.yes and stop.numbers["worth"] == pytest.approx(gain)
    assert stop.sentence.startswith("the next 40 labels should lower the error by 0.9 % (0.9–0.9 %), worth at most")


def test_settled_looks_at_the_last_rounds_and_at_the_scale() -> None:
    assert Settled()(at((), changes=(9.0, 0.009, 0.009, 0.009))).yes
    assert not Settled()(at((), changes=(0.009, 0.009, 0.011))).yes
    assert not Settled()(at((), changes=(0.0, float("nan"), 0.0))).yes
    assert Settled()(at((), changes=(0.5,) * 3, variance=100.0)).yes
    assert "fewer than 3 rounds" in Settled()(at((), changes=(0.0, 0.0))).sentence
    constant = Settled()(at((), changes=(0.0,) * 3, variance=0.0))
    assert not constant.yes and "do not vary" in constant.sentence


def test_constant_labels_stop_nothing_but_a_budget() -> None:
    zero = at(checks(np.zeros(len(COUNTS))), variance=0.0, changes=(0.0,) * 5)
    for rule in (Target(1.0), Target(0.5, "r2"), Plateau(), Worth(1.0, 1000.0), Settled()):
        assert not rule(zero).yes
    assert default_rule(Budget(labels=2080))(zero).yes


def test_rules_combine() -> None:
    flat, moving = checks(np.ones(10), counts=COUNTS[:10]), (0.5,) * 3
    rule = default_rule(Budget(labels=2000))
    assert not rule(at(flat, changes=moving)).yes
    settled = rule(at(flat, changes=(0.0,) * 3))
    assert settled.yes and settled.rule == "any_of(budget, all_of(plateau, settled))"
    assert "20 % more labels" in settled.sentence and "budget" not in settled.sentence
    assert settled.numbers["budget.room"] == 2000 - flat[-1].labels
    assert settled.numbers["all_of.plateau.high"] == pytest.approx(0.0, abs=1e-9)
    spent = rule(at(flat, labels=2000, changes=moving))
    assert spent.yes and spent.sentence == "the budget is spent on 2000 labels"
    waits = all_of(Plateau(), Settled())(at(flat, changes=moving))
    assert not waits.yes and waits.sentence.startswith("in the last 3 rounds predictions moved by 50 %")
    assert any_of(Plateau()) == any_of(Plateau()) and hash(rule) == hash(default_rule(Budget(labels=2000)))


def test_rules_say_what_is_missing() -> None:
    assert Plateau()(at(checks(np.ones(4), counts=COUNTS[:4]))).sentence == (
        "no law fits the error yet: 4 of 5 checks are done"
    )
    assert "not positive" in Plateau()(at(checks(np.zeros(6), counts=COUNTS[:6]))).sentence
    assert Plateau()(at((), labels=100)).sentence == "too early: judged from 200 labels on"


def test_senseless_rules_are_refused() -> None:
    for make, message in (
        (lambda: Budget(), "needs labels="),
        (lambda: Budget(cost=1.0, price_per_row=0.0), "price_per_row must be positive"),
        (lambda: Target(1.0, "mae"), "mse, rmse, r2, got 'mae'"),
        (lambda: Target(1.0, confidence=1.0), "between 0.5 and 1"),
        (lambda: Plateau(window=2), "at least 3 checks"),
        (lambda: Worth(0.0, 1.0), "value_of_one_percent must be positive"),
        (lambda: any_of(), "at least one rule"),
    ):
        with pytest.raises(InputError, match=message):
            make()
