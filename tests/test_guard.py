"""The guard's arithmetic against plain references on hand-written evidence, its size, and its blindness."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from strongsuit import recipes
from strongsuit.core.keys import key_for, root_key
from strongsuit.datasets import generate
from strongsuit.partition.crossfit import FoldTask
from strongsuit.partition.guard import Evidence, Verdict, decide, holm_thresholds, student_p
from strongsuit.partition.pipeline import EXPERT, FAR, Pieces, Problem
from strongsuit.partition.units import folds
from strongsuit.partition.values import Config, Rows

FOLDS, ROWS = 5, 200
NADEAU_BENGIO = (2 * FOLDS - 1) / (FOLDS - 1)
ONE_OUTPUT = np.ones(1)

floats = st.floats(-10, 10).map(lambda x: round(x, 3))
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=6)


def reference_p(d: np.ndarray, w: np.ndarray, rho: float, *, skew: bool = True) -> float:
    """One-sided p of the mean of d, straight from the formulas: Student, Johnson (1978), the worse of both."""
    n = sum(w) ** 2 / sum(w**2)
    mean = sum(w * d) / sum(w)
    sd = np.sqrt(sum(w * (d - mean) ** 2) / sum(w) * n / (n - 1))
    third = sum(w * (d - mean) ** 3) / sum(w)
    tau, g = mean / sd, third / sd**3
    t = tau * np.sqrt(n)
    t_johnson = (tau + g / (6 * n) + g * tau**2 / 3) * np.sqrt(n)
    return stats.t(n - 1).sf((min(t, t_johnson) if skew else t) / np.sqrt(rho))


@given(st.integers(0, 1000), st.integers(3, 60))
def test_p_without_corrections_is_the_one_sided_t_test(seed: int, n: int) -> None:
    d = np.random.default_rng(seed).normal(0.3, 1.0, n)
    mean, error, number, p = student_p(d, np.full(n, 2.5), rho=1.0, skew=False)
    known = stats.ttest_1samp(d, 0.0, alternative="greater")
    assert_allclose([mean, error, number, p], [d.mean(), d.std(ddof=1) / np.sqrt(n), n, known.pvalue])


@given(st.integers(0, 1000), st.integers(5, 60), st.booleans())
def test_p_with_corrections_and_weights_follows_the_formulas(seed: int, n: int, skew: bool) -> None:
    rng = np.random.default_rng(seed)
    d, w = 0.2 - rng.lognormal(0.0, 1.0, n) / 5, rng.uniform(0.1, 3.0, n)
    _, error, _, p = student_p(d, w, rho=NADEAU_BENGIO, skew=skew)
    assert_allclose(p, reference_p(d, w, NADEAU_BENGIO, skew=skew), rtol=1e-9)
    assert error == pytest.approx(student_p(d, w, rho=1.0, skew=skew)[1] * np.sqrt(NADEAU_BENGIO))


@given(st.integers(0, 1000), st.floats(1e-6, 1e6))
def test_p_ignores_the_unit_of_loss_and_of_weight(seed: int, scale: float) -> None:
    d, w = np.random.default_rng(seed).normal(0.2, 1.0, (2, 30))
    w = np.abs(w) + 0.1
    p = student_p(d, w, rho=NADEAU_BENGIO, skew=True)[3]
    assert student_p(scale * d, w / scale, rho=NADEAU_BENGIO, skew=True)[3] == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize(("gain", "p"), [(0.5, 0.0), (0.0, 1.0), (-0.5, 1.0)])
def test_a_gain_without_spread_is_certain(gain: float, p: float) -> None:
    assert student_p(np.full(30, gain), np.ones(30), rho=NADEAU_BENGIO, skew=True)[3] == p
    assert student_p(np.array([gain]), np.ones(1), rho=1.0, skew=True)[3] == 1.0


def test_rare_disasters_are_not_overlooked() -> None:
    usually_better = np.append(np.full(39, 0.1) + np.linspace(-0.01, 0.01, 39), -1.0)
    plain = student_p(usually_better, np.ones(40), rho=1.0, skew=False)[3]
    corrected = student_p(usually_better, np.ones(40), rho=1.0, skew=True)[3]
    assert plain < 0.05 < corrected


def test_holm_rejects_what_the_literature_does() -> None:
    # The 15 p-values of a trial of thrombolysis that Benjamini and Hochberg (1995, section 4.1) discuss.
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    p = np.array([*p, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0])
    enabled, threshold = holm_thresholds(p, np.ones(15, bool), 0.05)
    assert_array_equal(np.flatnonzero(enabled), [0, 1, 2])
    assert_allclose(threshold, 0.05 / np.arange(15, 0, -1))


@given(p_values)
def test_holm_is_the_closed_bonferroni_test(values: list[float]) -> None:
    """A hypothesis falls if every set of hypotheses that holds it falls by Bonferroni."""
    p = np.array(values)
    sets = [list(s) for size in range(1, len(p) + 1) for s in combinations(range(len(p)), size)]
    rejected = [all(p[s].min() <= 0.05 / len(s) for s in sets if k in s) for k in range(len(p))]
    assert_array_equal(holm_thresholds(p, np.ones(len(p), bool), 0.05)[0], rejected)


def test_untested_regimes_count_but_never_pass() -> None:
    p, tested = np.array([0.0, 0.03, 0.001]), np.array([False, True, True])
    enabled, threshold = holm_thresholds(p, tested, 0.05)
    assert_array_equal(enabled, [False, False, True])
    assert_allclose(threshold[[2, 1]], [0.05 / 3, 0.05 / 2])
    assert_array_equal(holm_thresholds(p[1:], tested[1:], 0.05)[0], [True, True])


class Draw:
    """Evidence by hand: targets around zero, a fallback with errors, an expert per regime that scales them."""

    def __init__(self, seed: int, shares: tuple[float, ...], *, rows: int = ROWS, copies: int = 1):
        rng = np.random.default_rng(seed)
        self.r = len(shares)
        self.units = np.repeat(np.arange(rows), copies)
        self.fold = np.repeat(rng.permutation(rows) % FOLDS, copies)
        self.Y = np.repeat(rng.normal(size=(rows, 1)), copies, axis=0)
        self.w = np.repeat(rng.uniform(0.5, 2.0, rows), copies)
        self.regime = np.repeat(rng.integers(0, self.r, rows), copies)
        error = np.repeat(rng.normal(size=(rows, 1)) + 0.1, copies, axis=0)
        self.fallback = self.Y + error
        wobble = np.repeat(rng.normal(0, 0.1, (rows, self.r, 1)), copies, axis=0)
        self.experts = self.Y[:, None] + error[:, None] * np.array(shares)[None, :, None] + wobble
        self.reason = np.full(len(self.Y), EXPERT)
        self.names = np.arange(self.r)

    def evidence(self) -> Evidence:
        parts = []
        for f in range(FOLDS):
            own = np.flatnonzero(self.fold == f)
            p = np.eye(self.r)[self.regime[own]]
            said = Pieces(self.fallback[own], self.experts[own], self.regime[own], p, self.reason[own])
            parts.append((own, said, self.names, False))
        return Evidence(self.fold, tuple(parts))

    def verdict(self, *, shrink: np.ndarray | None = None, **changes) -> Verdict:
        return decide(
            self.evidence(), self.Y, self.w, self.units, ONE_OUTPUT,
            labels=self.regime, shrink=np.ones(self.r) if shrink is None else shrink, config=Config(**changes),
        )  # fmt: skip

    def p(self, regime: int, rows: np.ndarray, rho: float, min_gain: float) -> float:
        """The reference: p of one regime over the units of some rows."""
        own = np.flatnonzero((self.regime == regime) & rows)
        d, weights = [], []
        for unit in np.unique(self.units[own]):
            among = own[self.units[own] == unit]
            base = (self.Y[among, 0] - self.fallback[among, 0]) ** 2
            loss = (self.Y[among, 0] - self.experts[among, regime, 0]) ** 2
            d.append(np.average((1 - min_gain) * base - loss, weights=self.w[among]))
            weights.append(self.w[among].sum())
        return reference_p(np.array(d), np.array(weights), rho)

    def gain(self, rho: float, min_gain: float) -> float:
        """The reference: every fold scored with the experts that the other folds enable."""
        deployed = base = 0.0
        for f in range(FOLDS):
            p = [self.p(k, self.fold != f, rho, min_gain) for k in range(self.r)]
            order, speaking = np.argsort(p), set()
            for rank, k in enumerate(order):
                if p[k] > 0.05 / (self.r - rank):
                    break
                speaking.add(k)
            for i in np.flatnonzero(self.fold == f):
                k = self.regime[i]
                answer = self.experts[i, k, 0] if k in speaking else self.fallback[i, 0]
                deployed += self.w[i] * (self.Y[i, 0] - answer) ** 2
                base += self.w[i] * (self.Y[i, 0] - self.fallback[i, 0]) ** 2
        return 1 - deployed / base


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("caution", "rho"), [("strict", NADEAU_BENGIO), ("balanced", 1.0)])
def test_the_verdict_follows_the_rule(seed: int, caution: str, rho: float) -> None:
    draw = Draw(seed, (0.3, 0.95, 1.2))
    verdict = draw.verdict(caution=caution)
    every = np.ones(ROWS, bool)
    p = [draw.p(k, every, rho, 0.01) for k in range(3)]
    assert_allclose([case.p for case in verdict.regimes], p, rtol=1e-7)
    expected = holm_thresholds(np.array(p), every[:3], 0.05)[0]
    assert_array_equal([case.enabled for case in verdict.regimes], expected)
    assert verdict.deployed and verdict.reason == "proven"
    assert verdict.gain == pytest.approx(draw.gain(rho, 0.01))
    assert_array_equal(verdict.enabled, expected)


def test_copies_of_rows_prove_nothing_more() -> None:
    once, thrice = Draw(1, (0.8, 0.9)), Draw(1, (0.8, 0.9), copies=3)
    assert_allclose(
        [[c.gain, c.error, c.units, c.p] for c in thrice.verdict().regimes],
        [[c.gain, c.error, c.units, c.p] for c in once.verdict().regimes],
    )


def test_what_cannot_be_tested_is_disabled_with_a_reason() -> None:
    few = Draw(0, (0.1, 0.1), rows=45)
    few.regime[:30] = 0
    few.regime[30:] = 1
    assert [case.reason for case in few.verdict().regimes] == ["proven", "too_few"]
    strange = Draw(0, (0.1, 0.1))
    strange.names = np.array([0, -1])
    assert [case.reason for case in strange.verdict().regimes] == ["proven", "unmatched"]
    far = Draw(0, (0.1, 0.1))
    far.reason[(far.regime == 1) & (far.fold > 0)] = FAR
    assert far.verdict().regimes[1].reason in ("too_few", "unmatched")
    shrunk = Draw(0, (0.1, 0.1)).verdict(shrink=np.array([0.5, 0.0]))
    assert [case.reason for case in shrunk.regimes] == ["proven", "shrunk_away"]
    broken = Draw(0, (0.1, 0.1))
    broken.experts[np.flatnonzero(broken.regime == 0)[0], 0] = np.nan
    verdict = broken.verdict()
    assert verdict.regimes[0].reason == "degraded"
    assert not verdict.regimes[0].enabled


def test_nothing_is_deployed_without_proof_or_for_a_trifle() -> None:
    worse = Draw(0, (1.1, 1.2)).verdict()
    assert (worse.deployed, worse.reason, worse.gain) == (False, "not_proven", 0.0)
    assert not worse.enabled.any()
    trifle = Draw(0, (0.3, 1.0)).verdict(min_gain=0.9)
    assert not trifle.deployed
    shy = Draw(0, (0.5, 1.0))
    shy.regime[:] = 1
    shy.regime[:40] = 0
    refused = shy.verdict(min_gain=0.5)
    assert refused.regimes[0].enabled and not refused.deployed
    assert refused.reason == "gain_too_small" and not refused.enabled.any()


def test_switches_of_the_guard_do_what_they_say() -> None:
    draw = Draw(2, (0.9, 0.9, 0.9, 0.9))
    strict = draw.verdict(caution="strict")
    loose = draw.verdict(caution="balanced", holm=False, skew=False)
    assert all(b.p < a.p for a, b in zip(strict.regimes, loose.regimes, strict=True) if a.p < 0.5)
    assert sum(c.enabled for c in loose.regimes) >= sum(c.enabled for c in strict.regimes)
    off = draw.verdict(guard=False)
    assert off.deployed and off.reason == "unguarded" and off.enabled.all()


NULLS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "minus log-normal(1)": lambda rng, shape: np.exp(0.5) - rng.lognormal(0.0, 1.0, shape),
    "minus log-normal(1.5)": lambda rng, shape: np.exp(1.125) - rng.lognormal(0.0, 1.5, shape),
}


@pytest.mark.parametrize("name", NULLS)
def test_useless_experts_pass_rarely_even_if_losses_are_skew(name: str) -> None:
    draws = NULLS[name](np.random.default_rng(7), (4_000, 20))
    ones = np.ones(20)
    p = np.array([student_p(d, ones, rho=NADEAU_BENGIO, skew=True)[3] for d in draws])
    assert np.mean(p < 0.05) < 0.06
    assert np.mean(p < 0.05 / 4) < 0.02


@pytest.mark.parametrize("law", ["wave_climb", "overlap"])
def test_a_fold_is_blind_to_the_targets_held_out_from_it(law: str) -> None:
    table = generate(law, rows=90, seed=0)
    X, Y = table.X.to_numpy(dtype=float), (table.y - table.y.mean())[:, None] / table.y.std()
    rows = Rows(X, Y, np.ones(len(X)), np.arange(len(X)))
    config = Config(max_regimes=2, restarts=1, min_rows=10)
    problem = Problem(recipes.families("basis"), recipes.competitors(), recipes.settler(), ONE_OUTPUT, config)
    key = root_key(0)
    held_out = folds(key_for(key, "folds"), rows.units, 3) == 0
    shuffled = Y.copy()
    shuffled[held_out] = np.random.default_rng(0).permutation(Y[held_out])
    assert not np.array_equal(shuffled, Y)
    said = FoldTask(key, rows, held_out, problem, True)().said
    assert said.experts.shape[1] == (2 if law == "wave_climb" else 1)
    again = FoldTask(key, replace(rows, Y=shuffled), held_out, problem, True)().said
    for name in ("fallback", "experts", "regime", "probabilities", "reason"):
        assert_array_equal(getattr(said, name), getattr(again, name))
