"""Selectors against plain formulas, and the promises that every one of them keeps."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongsuit.active.selectors.bait import bait
from strongsuit.active.selectors.blend import blend
from strongsuit.active.selectors.candidates import Candidates
from strongsuit.active.selectors.clusters import kmeans_pp, lcmd
from strongsuit.active.selectors.frank_wolfe import frank_wolfe
from strongsuit.active.selectors.k_center import density_weights, k_center
from strongsuit.active.selectors.k_center_product import k_center_product
from strongsuit.active.selectors.max_det import max_det
from strongsuit.active.selectors.sparsity import Sparsity
from strongsuit.active.selectors.top_k import power, top_k
from strongsuit.active.selectors.uniform import uniform
from strongsuit.core import root_key
from strongsuit.errors import InputError, NoFiniteScores

_spec = importlib.util.spec_from_file_location("plain", Path(__file__).with_name("selector_references.py"))
plain = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(plain)

KEY = root_key(5)
RULES = {
    "uniform": uniform,
    "top_k": top_k,
    "power": power,
    "power_sharp": partial(power, beta=4.0),
    "k_center": k_center,
    "da_fps": partial(k_center, weights="density"),
    "uncertain_k_center": partial(k_center, weights="score"),
    "sift_k_center": partial(k_center, sift=2),
    "k_center_product": k_center_product,
    "blend_div": blend,
    "blend_sparse": partial(blend, w_div=0.33, w_den=0.33),
    "blend_dense": partial(blend, w_div=0.33, w_den=0.33, den_sign=-1),
    "lcmd": lcmd,
    "kmeans_pp": kmeans_pp,
    "kmeans_pp_p": partial(kmeans_pp, anchored=False),
    "max_det": max_det,
    "bait_f": bait,
    "bait_fb": partial(bait, overselect=2),
    "frank_wolfe": frank_wolfe,
}
NO_PREFIX = {"bait_fb", "sift_k_center"}  # what they keep depends on b
RANDOM = {"uniform", "power", "power_sharp", "kmeans_pp", "kmeans_pp_p"}
BY_SCORE = {"top_k", "power", "power_sharp", "sift_k_center", "blend_div", "blend_sparse", "blend_dense"}
SPREADING = {"k_center", "da_fps", "lcmd", "kmeans_pp", "k_center_product"}
every_rule = pytest.mark.parametrize("select", RULES.values(), ids=RULES.keys())


def pool(seed: int = 0, n: int = 40, p: int = 3, anchors: int = 5, *, dtype: type = np.float64) -> Candidates:
    """A pool of Gaussian rows with a score, weights and two blocks."""
    rng = np.random.default_rng(seed)
    is_anchor = np.zeros(n, dtype=bool)
    is_anchor[rng.choice(n, anchors, replace=False)] = True
    return Candidates(
        available=~is_anchor & (rng.random(n) < 0.8),
        anchors=is_anchor,
        score=rng.random(n) + 0.01,
        embedding=rng.normal(size=(n, p)).astype(dtype),
        blocks=(1, p - 1),
        density=rng.uniform(0.5, 1.0, n),
        noise=1e-3,
    )


pools = st.builds(
    pool,
    st.integers(0, 10**6),
    st.integers(12, 40),
    st.integers(2, 5),
    st.integers(0, 6),
    dtype=st.sampled_from([np.float64, np.float32]),
)


def parts(c: Candidates) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return c.embedding.astype(np.float64), c.available, np.flatnonzero(c.anchors)


@settings(max_examples=25)
@given(pools)
def test_farthest_first_rules_are_the_formula(c: Candidates) -> None:
    X, available, anchors = parts(c)
    assert list(k_center(KEY, c, 6).index) == plain.k_center(X, available, anchors, min(6, available.sum()))
    weighted = k_center(KEY, c, 6, weights="density")
    assert list(weighted.index) == plain.k_center(X, available, anchors, min(6, available.sum()), c.density)
    wanted = plain.k_center(X, available, anchors, min(6, available.sum()), np.abs(c.score))
    assert list(k_center(KEY, replace(c, score=np.abs(c.score)), 6, weights="score").index) == wanted
    table = plain.product_table(X, c.blocks)
    found = k_center_product(KEY, c, 6)
    assert list(found.index) == plain.k_center(X, available, anchors, min(6, available.sum()), table=table)
    centres = [*anchors, *found.index[:-1]]
    assert found.gain[-1] == pytest.approx(table[found.index[-1], centres].min())
    by_score = np.argsort(np.where(available, -c.score, np.inf))[: 2 * min(6, available.sum())]
    sifted = np.isin(np.arange(len(X)), by_score) & available
    assert list(k_center(KEY, c, 6, sift=2).index) == plain.k_center(X, sifted, anchors, min(6, available.sum()))


@settings(max_examples=25)
@given(pools)
def test_largest_cluster_is_the_formula(c: Candidates) -> None:
    X, available, anchors = parts(c)
    assert list(lcmd(KEY, c, 7).index) == plain.lcmd(X, available, anchors, min(7, available.sum()))


@settings(max_examples=25)
@given(pools, st.sampled_from([(0.5, 0.0, 1), (0.33, 0.33, 1), (0.33, 0.33, -1), (0.0, 1.0, 1), (1.0, 0.0, 1)]))
def test_blend_is_the_formula(c: Candidates, weights: tuple[float, float, int]) -> None:
    X, available, anchors = parts(c)
    found = blend(KEY, c, 7, w_div=weights[0], w_den=weights[1], den_sign=weights[2])
    if weights[1] < 1.0 and (weights[0] < 1.0 or len(anchors)):  # else the first rows tie
        assert list(found.index) == plain.blend(X, c.score, available, anchors, min(7, available.sum()), *weights)


def test_blend_on_ten_rows_by_hand() -> None:
    # x = 0..9, anchor 0, score falls from 9 at x = 0 to 0 at x = 9 in the pool; V over rows 1..9 is (9 - x) / 8.
    x = np.arange(10.0)[:, None]
    anchors = np.arange(10) == 0
    c = Candidates(~anchors, anchors, score=9.0 - x[:, 0], embedding=x)
    # First pick: D = (x - 1) / 8, so every value is 1/2. Score 3/4: V leads, row 1. Then D of 2..9 is (x - 2) / 7.
    assert list(blend(KEY, c, 3, w_div=0.25).index) == [1, 2, 3]
    # Score 1/4: row 9 first. Then D = min(x, 9 - x): 1, 2, 3, 4, 4, 3, 2, 1 scaled by (D - 1) / 3: row 4 has
    # 5/32 + 3/4, row 5 4/32 + 3/4. Then D: 1, 2, 1, 1, 2, 2, 1 for 1, 2, 3, 5, 6, 7, 8: row 2 has 7/32 + 3/4.
    found = blend(KEY, c, 4, w_div=0.75)
    assert list(found.index[:3]) == [9, 4, 2]
    np.testing.assert_allclose(found.gain[:3], [0.75, 5 / 32 + 0.75, 7 / 32 + 0.75])


@pytest.mark.parametrize(("n", "p"), [(30, 2), (120, 3), (90, 20), (8, 3), (60, 1)])
def test_sparsity_is_kept_exactly_while_rows_leave(n: int, p: int) -> None:
    rng = np.random.default_rng(n)
    X, free = rng.normal(size=(n, p)), np.ones(n, dtype=bool)
    X[3] = 0.0 if p == 20 else X[3]
    X[4:7] = X[7]
    kept = Sparsity(X)
    for row in rng.permutation(n)[: n - 2]:
        np.testing.assert_allclose(kept.mean[free], plain.sparsity(X, free)[free], atol=1e-12)
        kept.drop(int(row))
        free[row] = False


@settings(max_examples=25)
@given(pools)
def test_max_det_is_the_greedy_determinant(c: Candidates) -> None:
    X, available, _ = parts(c)
    K = X @ X.T

    def log_det(picks: list[int]) -> float:
        return np.linalg.slogdet(K[np.ix_(picks, picks)] + c.noise * np.eye(len(picks)))[1]

    found = max_det(KEY, c, 5)
    for count, row in enumerate(found.index):
        before = [int(k) for k in found.index[:count]]
        gains = {x: log_det([*before, x]) for x in np.flatnonzero(available) if x not in before}
        assert gains[row] == pytest.approx(max(gains.values()), abs=1e-8)
        variance = np.diag(plain.conditioned(X, before, c.noise))[row]
        assert found.gain[count] == pytest.approx(variance, abs=1e-9)


def test_max_det_on_a_pool_wider_than_its_window_is_the_plain_walk() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(9000, 6)) * rng.gamma(2.0, size=(9000, 1))  # twice as many as its window holds
    free = np.ones(9000, dtype=bool)
    found = max_det(KEY, Candidates(free, ~free, embedding=X, noise=1e-6), 25)
    S = np.eye(6)
    for row, gain in zip(found.index, found.gain, strict=True):
        variance = np.where(free, np.einsum("ij,ij->i", X @ S, X), -1.0)
        assert gain == pytest.approx(variance.max(), rel=1e-6) and variance[row] == pytest.approx(gain, rel=1e-6)
        free[row] = False
        u = S @ X[row]
        S -= np.outer(u, u) / (1e-6 + variance[row])


@settings(max_examples=20)
@given(pools, st.booleans())
def test_bait_is_brute_force_over_summed_variances(c: Candidates, some: bool) -> None:
    X, available, _ = parts(c)
    reference = np.arange(0, len(X), 3) if some else np.arange(len(X))
    c = replace(c, reference=reference if some else None)
    b = min(3, int(available.sum()) // 2)
    found = bait(KEY, c, b)
    assert list(found.index) == plain.bait_forward(X, available, b, c.noise, reference)
    whole = plain.conditioned(X, list(found.index), c.noise).diagonal()[reference].sum()
    assert plain.trace(X, found.index, c.noise, reference) == pytest.approx(whole, rel=1e-6, abs=1e-9)
    drops = np.diff([-plain.trace(X, found.index[:k], c.noise, reference) for k in range(b + 1)])
    np.testing.assert_allclose(found.gain, drops, rtol=1e-6, atol=1e-9)
    wide = bait(KEY, c, 2 * b).index
    both = bait(KEY, c, b, overselect=2).index
    best = plain.bait_backward(X, wide, b, c.noise, reference)
    # Removals of nearly equal cost may differ in the last digit: what is compared is the variance left.
    assert set(both) <= set(wide) and len(both) == b
    assert plain.trace(X, both, c.noise, reference) == pytest.approx(plain.trace(X, best, c.noise, reference), rel=1e-6)


def test_bait_backward_keeps_its_digits_at_little_noise() -> None:
    c = replace(pool(8, n=60, p=12), noise=1e-6)
    X, reference = c.embedding * 30.0, np.arange(60)
    wide = bait(KEY, replace(c, embedding=X), 16).index
    both = bait(KEY, replace(c, embedding=X), 8, overselect=2).index
    assert set(both) == set(plain.bait_backward(X, wide, 8, 1e-6, reference))


@settings(max_examples=25)
@given(pools)
def test_frank_wolfe_is_the_formula(c: Candidates) -> None:
    X, available, _ = parts(c)
    assert list(frank_wolfe(KEY, c, 5).index) == plain.frank_wolfe(X, available, min(5, available.sum()))


def test_top_k_takes_the_largest_scores() -> None:
    c = pool(1)
    best = np.argsort(np.where(c.available, -c.score, np.inf))[:6]
    found = top_k(KEY, c, 6)
    assert list(found.index) == list(best)
    np.testing.assert_array_equal(found.gain, c.score[best])


def test_power_draws_in_proportion_to_the_score() -> None:
    score = np.array([1.0, 2.0, 3.0, 4.0])
    c = Candidates(np.ones(4, bool), np.zeros(4, bool), score=score)
    for beta in (1.0, 2.0):
        first = np.array([power(root_key(seed), c, 1, beta=beta).index[0] for seed in range(3000)])
        share, law = np.bincount(first, minlength=4) / 3000, score**beta / (score**beta).sum()
        assert np.all(np.abs(share - law) < 4 * np.sqrt(law * (1 - law) / 3000))


def test_power_fills_up_by_score_and_says_so() -> None:
    score = np.array([0.0, -1.0, 5.0, -2.0, 1.0])
    found = power(KEY, Candidates(np.ones(5, bool), np.zeros(5, bool), score=score), 4)
    assert set(found.index[:2]) == {2, 4} and list(found.index[2:]) == [0, 1]
    assert found.degraded == "few_positive" and np.all(np.isneginf(found.gain[2:]))


def test_kmeans_pp_draws_in_proportion_to_squared_distance() -> None:
    X = np.array([[0.0], [1.0], [2.0], [3.0], [-9.0]])
    anchors = np.arange(5) == 0
    c = Candidates(~anchors & (np.arange(5) < 4), anchors, embedding=X)
    first = np.array([kmeans_pp(root_key(seed), c, 1).index[0] for seed in range(3000)])
    share, law = np.bincount(first, minlength=5) / 3000, np.array([0, 1, 4, 9, 0]) / 14
    assert np.all(np.abs(share - law) < 4 * np.sqrt(law * (1 - law) / 3000) + 1e-12)
    free = np.array([kmeans_pp(root_key(seed), c, 1, anchored=False).index[0] for seed in range(3000)])
    assert np.all(np.abs(np.bincount(free, minlength=5)[1:4] / 3000 - 1 / 3) < 0.035)


def test_uniform_draws_every_row_alike() -> None:
    c = Candidates(np.arange(6) < 5, np.zeros(6, bool))
    drawn = np.concatenate([uniform(root_key(seed), c, 2).index for seed in range(3000)])
    assert np.all(np.abs(np.bincount(drawn, minlength=6)[:5] / 3000 - 0.4) < 0.04) and 5 not in drawn


def test_density_weights_space_rows_as_asked() -> None:
    np.testing.assert_allclose(density_weights(np.array([1.0, 4.0]), alpha=0.5), [4 / 3, 2 / 3])
    np.testing.assert_allclose(density_weights(np.array([1.0, 4.0]), alpha=0.0), [1.0, 1.0])
    assert np.all(density_weights(np.zeros(3)) == 1.0)
    assert np.all(np.isfinite(density_weights(np.array([0.0, 1.0]))))


@every_rule
@settings(max_examples=12)
@given(c=pools, b=st.integers(1, 50), seed=st.integers(0, 99))
def test_rows_are_distinct_available_and_as_many_as_asked(select, c: Candidates, b: int, seed: int) -> None:
    found = select(root_key(seed), c, b)
    assert len(found.index) == len(found.gain) == min(b, c.available.sum())
    assert len(set(found.index)) == len(found.index) and np.all(c.available[found.index])
    assert not c.anchors[found.index].any() and not np.isnan(found.gain).any()
    again = select(root_key(seed), c, b)
    np.testing.assert_array_equal(found.index, again.index)


@pytest.mark.parametrize("name", sorted(RULES.keys() - NO_PREFIX))
def test_a_shorter_batch_is_the_beginning_of_a_longer_one(name: str) -> None:
    for anchors in (0, 5):
        c = pool(2, anchors=anchors)
        long = RULES[name](KEY, c, 20)
        for b in (1, 2, 7):
            np.testing.assert_array_equal(RULES[name](KEY, c, b).index, long.index[:b])


@pytest.mark.parametrize("name", sorted(RULES.keys() - RANDOM))
def test_the_order_of_rows_decides_nothing(name: str) -> None:
    c, order = pool(3), np.random.default_rng(3).permutation(40)
    names = ("available", "anchors", "score", "embedding", "density")
    moved = replace(c, **{one: getattr(c, one)[order] for one in names})
    np.testing.assert_array_equal(order[RULES[name](KEY, moved, 8).index], RULES[name](KEY, c, 8).index)


@every_rule
def test_rows_that_are_not_finite_are_left_out_and_counted_out_loud(select) -> None:
    if select is uniform:
        return
    c = pool(4)
    score, X = c.score.copy(), c.embedding.copy()
    open_rows = np.flatnonzero(c.available)
    score[open_rows[0]], score[open_rows[1]] = np.nan, np.inf
    X[open_rows[0], 1], X[open_rows[1], 0] = np.nan, -np.inf
    X[np.flatnonzero(c.anchors)[0]] = np.nan
    broken = replace(c, score=score, embedding=X)
    found = select(KEY, broken, 40)
    assert set(found.index) == set(open_rows[2:]) and "nan_rows" in found.degraded.split(",")
    with pytest.raises(NoFiniteScores, match="NaN or infinite"):
        select(KEY, replace(c, score=np.full(40, np.nan), embedding=np.full((40, 3), np.nan)), 3)
    assert not set(select(KEY, broken, 5).index) & set(open_rows[:2])


@pytest.mark.parametrize("name", RULES)
def test_equal_rows_are_told_apart_by_the_key_alone(name: str) -> None:
    n = 30
    c = Candidates(np.ones(n, bool), np.zeros(n, bool), np.ones(n), np.ones((n, 2)), (1, 1), np.ones(n), noise=1e-3)
    firsts = {int(RULES[name](root_key(seed), c, 4).index[0]) for seed in range(12)}
    assert len(firsts) > 3, "the first row of the table would be favoured"
    found = RULES[name](KEY, c, n)
    assert sorted(found.index) == list(range(n))
    if name in BY_SCORE:
        assert "constant_score" in found.degraded.split(",")
    if name in SPREADING:
        assert "no_spread" in found.degraded.split(",")


@pytest.mark.parametrize("name", sorted(SPREADING))
def test_twins_come_last(name: str) -> None:
    c = pool(6, n=12, anchors=2)
    twice = replace(
        c,
        **{one: np.concatenate([getattr(c, one)] * 2) for one in ("available", "embedding", "score", "density")},
        anchors=np.append(c.anchors, np.zeros(12, dtype=bool)),
    )
    different = int(c.available.sum())
    found = RULES[name](KEY, twice, 2 * different)
    assert len({int(row) % 12 for row in found.index[:different]}) == different
    assert "no_spread" in found.degraded


@pytest.mark.parametrize(
    "name", ["k_center", "k_center_product", "lcmd", "max_det", "bait_f", "blend_div", "frank_wolfe"]
)
def test_the_unit_of_the_embedding_decides_nothing(name: str) -> None:
    c = pool(10, p=20, dtype=np.float32)
    large = replace(c, embedding=c.embedding * np.float32(2.0**66), noise=c.noise * 2.0**132)
    np.testing.assert_array_equal(RULES[name](KEY, large, 8).index, RULES[name](KEY, c, 8).index)


def test_naming_selectors_loads_no_compiler() -> None:
    code = "import strongsuit.active.strategies, sys; print(*{'numba', 'jax'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


def test_an_empty_pool_gives_an_empty_choice() -> None:
    c = replace(pool(7), available=np.zeros(40, dtype=bool))
    for select in RULES.values():
        assert len(select(KEY, c, 3).index) == 0


def test_what_is_missing_or_wrong_is_named() -> None:
    c = pool(9)
    with pytest.raises(InputError, match="score"):
        top_k(KEY, replace(c, score=None), 2)
    with pytest.raises(InputError, match="embedding"):
        lcmd(KEY, replace(c, embedding=None), 2)
    with pytest.raises(InputError, match="embedding must be"):
        lcmd(KEY, replace(c, embedding=np.zeros((40, 0))), 2)
    with pytest.raises(InputError, match="density"):
        k_center(KEY, replace(c, density=None), 2, weights="density")
    with pytest.raises(InputError, match="not negative"):
        k_center(KEY, replace(c, density=-c.density), 2, weights="density")
    with pytest.raises(InputError, match="blocks"):
        k_center_product(KEY, replace(c, blocks=(1, 1)), 2)
    with pytest.raises(InputError, match="overselect"):
        bait(KEY, c, 2, overselect=3)
    for rule in (bait, max_det):
        with pytest.raises(InputError, match="noise must be"):
            rule(KEY, replace(c, noise=0.0), 2)
    with pytest.raises(InputError, match="w_div"):
        blend(KEY, c, 2, w_div=0.8, w_den=0.4)
    with pytest.raises(InputError, match="b must be"):
        uniform(KEY, c, 0)
