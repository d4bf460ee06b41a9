"""ALFA-Mix: its published form, its loop over caps and its rows, each against a plain version."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import softmax

from strongsuit.active.selectors.candidates import Candidates
from strongsuit.active.selectors.feature_mixing import cap_level, feature_mixing
from strongsuit.core import root_key
from strongsuit.core.flips import (
    class_anchors,
    exact_step,
    farthest_anchor,
    flip_share,
    published_step,
    safe_directions,
    sign_step,
    step_flips,
)
from strongsuit.errors import InputError, NoFiniteScores

KEY = root_key(3)


def head(seed: int, n: int = 60, p: int = 6, k: int = 4, scale: float = 1.0):
    """W (k, p), c (k,), Z (n, p) and four anchors."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(k, p)) * scale, rng.normal(size=k), rng.normal(size=(n, p)), rng.normal(size=(4, p)) * 2.0


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def directions(W, logits) -> np.ndarray:
    """Unit vectors along sum_{c != y} q_c (w_c - w_y), q the softmax of the others, a row at a time."""
    out = np.zeros((len(logits), W.shape[1]))
    for row, f in enumerate(logits):
        y = f.argmax()
        others = np.delete(np.arange(len(f)), y)
        out[row] = softmax(f[others]) @ (W[others] - W[y])
    return unit(out)


def loop(W, c, Z, anchors, b: int, cap: float) -> np.ndarray:
    """The published loop over caps: every anchor's step, candidates of all caps so far, until there are more than b."""
    logits, found, i = Z @ W.T + c, np.zeros(len(Z), dtype=bool), 1
    U = directions(W, logits)
    while i == 1 or (i * cap < 1.0 and found.sum() <= b):
        for anchor in anchors:
            eps = i * cap / np.sqrt(Z.shape[1])
            mixed = Z + eps * np.linalg.norm(anchor - Z, axis=1, keepdims=True) * U
            found |= (mixed @ W.T + c).argmax(axis=1) != logits.argmax(axis=1)
        i += 1
    return found


heads = st.builds(
    head, st.integers(0, 10**6), st.integers(5, 60), st.integers(1, 12), st.integers(2, 7), st.sampled_from([0.3, 1, 4])
)


@settings(max_examples=30)
@given(heads)
def test_the_short_form_is_the_published_one(case) -> None:
    W, c, Z, anchors = case
    U = safe_directions(W, Z @ W.T + c)
    np.testing.assert_allclose(U, directions(W, Z @ W.T + c), atol=1e-9)
    for anchor in anchors:
        D = anchor - Z
        a = published_step(Z, anchor, U, 0.3)
        np.testing.assert_allclose(Z + a * D, Z + 0.3 * np.linalg.norm(D, axis=1, keepdims=True) * U, atol=1e-12)


@settings(max_examples=40)
@given(heads, st.integers(1, 60), st.sampled_from([0.2, 0.07, 0.45]))
def test_one_sort_is_the_loop_over_caps(case, b: int, cap: float) -> None:
    W, c, Z, anchors = case
    reach = flip_share(W, c, Z, anchors) * np.sqrt(Z.shape[1])
    np.testing.assert_array_equal(reach < cap_level(reach, b, cap=cap), loop(W, c, Z, anchors, b, cap))
    np.testing.assert_array_equal(reach < cap, step_flips(W, c, Z, anchors, cap / np.sqrt(Z.shape[1])))


def best_gain(g, norm_of, bound: float, rng) -> float:
    """The largest a'g over norm_of(a) <= bound, of many random points on the rim and of an optimiser."""
    points = rng.normal(size=(20_000, len(g)))
    points *= bound / norm_of(points)[:, None]
    rim = {"type": "ineq", "fun": lambda a: bound**2 - norm_of(a[None])[0] ** 2}
    start = points[(points @ g).argmax()]
    found = minimize(lambda a: -a @ g, start, jac=lambda a: -g, constraints=[rim], options={"ftol": 1e-14})
    best_point = (points @ g).max()
    assert -found.fun >= best_point
    return -found.fun


@pytest.mark.parametrize("seed", range(3))
def test_each_closed_form_maximises_the_gain_over_its_own_ball(seed: int) -> None:
    W, c, Z, anchors = head(seed, n=1, p=4)
    rng, eps, anchor = np.random.default_rng(seed), 0.2, anchors[0]
    U = safe_directions(W, Z @ W.T + c)
    d, g = (anchor - Z)[0], U[0]
    gain = d * g  # the first-order gain of mixing weights a is a'(d o g)
    exact, published = exact_step(Z, anchor, U, eps)[0], published_step(Z, anchor, U, eps)[0]

    def wide(a):
        return np.linalg.norm(a * d, axis=1)

    stated = best_gain(gain, lambda a: np.linalg.norm(a, axis=1), eps, rng)
    assert np.linalg.norm(exact) == pytest.approx(eps) and exact @ gain == pytest.approx(stated, rel=1e-6)
    wider = best_gain(gain, wide, eps * np.linalg.norm(d), rng)
    assert wide(published[None])[0] == pytest.approx(eps * np.linalg.norm(d))
    assert published @ gain == pytest.approx(wider, rel=1e-6)
    assert wider > stated and np.linalg.norm(published) > eps
    # The signs maximise the gain over 0 <= a <= cap.
    corners = np.array(np.meshgrid(*[[0.0, 0.2]] * 4)).reshape(4, -1).T
    assert sign_step(Z, anchor, U, 0.2)[0] @ gain == pytest.approx((corners @ gain).max())


def test_a_nearer_anchor_more_changes_nothing() -> None:
    W, c, Z, anchors = head(9)
    e, h = flip_share(W, c, Z, anchors), farthest_anchor(Z, anchors)
    np.testing.assert_allclose(h, np.linalg.norm(Z[:, None] - anchors, axis=2).max(axis=1), rtol=1e-12)
    nearer = np.vstack([anchors, anchors.mean(axis=0), anchors[:2].mean(axis=0)])  # in the hull: never the farthest
    np.testing.assert_array_equal(farthest_anchor(Z, nearer), h)
    np.testing.assert_array_equal(flip_share(W, c, Z, nearer), e)
    far = np.vstack([anchors, np.full(6, 50.0)])
    assert np.all(flip_share(W, c, Z, far) < e)
    # Far from the origin, too, distances keep their digits.
    np.testing.assert_allclose(farthest_anchor(Z + 1e8, anchors + 1e8), h, rtol=1e-7)


def pool(seed: int = 0, n: int = 80, p: int = 6, anchors: int = 8, dtype: type = np.float64) -> Candidates:
    """A pool whose score is minus the share of a random head's flips, some rows labelled and some not available."""
    W, c, Z, _ = head(seed, n=n, p=p)
    is_anchor = np.arange(n) < anchors
    labels = np.where(is_anchor, (Z @ W.T + c).argmax(axis=1), -1)
    score = -flip_share(W, c, Z, class_anchors(Z, labels))
    open_rows = ~is_anchor & (np.random.default_rng(seed).random(n) < 0.9)
    return Candidates(open_rows, is_anchor, score=score, embedding=unit(Z).astype(dtype), labels=labels)


def shares(c: Candidates, reach: np.ndarray) -> Candidates:
    """The candidates with these e sqrt(p)."""
    return replace(c, score=-np.asarray(reach) / np.sqrt(c.embedding.shape[1]))


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 80), st.integers(0, 99), st.sampled_from(["nearest_flip", "random"]))
def test_rows_are_distinct_available_and_as_many_as_asked(seed: int, b: int, key: int, fill: str) -> None:
    c = pool(seed)
    found = feature_mixing(root_key(key), c, b, fill=fill)
    assert len(found.index) == len(found.gain) == min(b, c.available.sum()) == len(set(found.index))
    assert np.all(c.available[found.index]) and not np.isnan(found.gain).any()
    np.testing.assert_array_equal(found.gain, c.score[found.index])
    np.testing.assert_array_equal(feature_mixing(root_key(key), c, b, fill=fill).index, found.index)


@pytest.mark.parametrize("fill", ["nearest_flip", "random"])
def test_candidates_come_first_however_few_they_are(fill: str) -> None:
    b, base = 10, pool(1)
    rows = np.flatnonzero(base.available)
    for count in (0, 1, b - 1, b, b + 1, len(rows)):
        reach = np.linspace(0.81, 5.0, 80)
        reach[-5:] = np.inf
        chosen = np.random.default_rng(count).choice(rows, count, replace=False)
        reach[chosen] = np.linspace(0.05, 0.75, count)
        found = feature_mixing(KEY, shares(base, reach), b, fill=fill)
        first = min(count, b)
        assert len(set(found.index)) == b and set(found.index[:first]) <= set(chosen)
        assert (found.degraded == "few_candidates") == (count < b)
        if count <= b:
            assert set(found.index[:count]) == set(chosen)
        if count < b and fill == "nearest_flip":
            rest = np.setdiff1d(rows, chosen)
            assert list(found.index[count:]) == list(rest[np.argsort(reach[rest])][: b - count])


def test_random_filling_draws_every_row_alike() -> None:
    c = shares(pool(2, n=14, anchors=2), np.append(np.full(2, 0.1), np.full(12, 3.0)))
    rows = np.flatnonzero(c.available)
    drawn = np.concatenate([feature_mixing(root_key(s), c, 3, fill="random").index for s in range(2000)])
    share = np.bincount(drawn, minlength=14)[rows] / 2000
    assert np.all(np.abs(share - 3 / len(rows)) < 0.05)


def test_each_cluster_gives_the_row_nearest_to_its_centre() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[9.0, 0.0], [0.0, 9.0], [-9.0, -9.0], [9.0, 9.0]])
    X = np.concatenate([centre + rng.normal(size=(15, 2)) * 0.3 for centre in centres])
    reach = np.full(60, 0.1) + 0.001 * rng.permutation(60)
    reach[::5] = 0.9  # no candidates
    c = shares(Candidates(np.ones(60, bool), np.zeros(60, bool), embedding=X), reach)
    flips = reach < 0.2
    expected = set()
    for group in range(4):
        members = np.flatnonzero(flips & (np.arange(60) // 15 == group))
        expected.add(members[np.linalg.norm(X[members] - X[members].mean(axis=0), axis=1).argmin()])
    found = feature_mixing(KEY, c, 4)
    assert set(found.index) == expected and found.degraded == ""
    assert list(found.index) == sorted(expected, key=lambda row: reach[row])


def test_of_two_rows_in_a_cluster_the_one_that_flips_first_is_taken() -> None:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(20, 1, 5)) * 30.0 + rng.normal(size=(20, 2, 5))  # both are equally far from their mean
    reach = 0.1 + 0.002 * rng.permutation(40)
    c = shares(Candidates(np.ones(40, bool), np.zeros(40, bool), embedding=X.reshape(40, 5)), reach)
    pairs = np.arange(40).reshape(20, 2)
    assert set(feature_mixing(KEY, c, 20).index) <= set(pairs[np.arange(20), reach[pairs].argmin(axis=1)])


def test_empty_clusters_give_the_next_candidate_by_share() -> None:
    X = np.repeat(np.array([[1.0, 0.0], [0.0, 1.0]]), 10, axis=0)  # two places: at most two clusters
    reach = np.linspace(0.01, 0.19, 20)
    c = shares(Candidates(np.ones(20, bool), np.zeros(20, bool), embedding=X), reach)
    found = feature_mixing(KEY, c, 5)
    assert len(set(found.index)) == 5 and found.degraded == ""
    assert len({int(row) // 10 for row in found.index[:2]}) == 2
    rest = [row for row in range(20) if row not in found.index[:2]]
    assert list(found.index[2:]) == rest[:3]


def test_the_order_of_rows_and_the_precision_decide_nothing() -> None:
    c, order = pool(3), np.random.default_rng(3).permutation(80)
    c = shares(c, np.random.default_rng(4).permutation(np.linspace(0.01, 1.5, 80)))
    moved = replace(
        c, **{name: getattr(c, name)[order] for name in ("available", "anchors", "score", "embedding", "labels")}
    )
    for b in (3, 10, 30):
        found = feature_mixing(KEY, c, b)
        assert b > 3 or found.degraded == ""
        np.testing.assert_array_equal(order[feature_mixing(KEY, moved, b).index], found.index)
    single = replace(c, embedding=c.embedding.astype(np.float32))
    np.testing.assert_array_equal(feature_mixing(KEY, single, 5).index, feature_mixing(KEY, c, 5).index)


def test_equal_rows_are_told_apart_by_the_key_alone() -> None:
    n = 30
    for reach in (0.1, 3.0, np.inf):
        c = shares(Candidates(np.ones(n, bool), np.zeros(n, bool), embedding=np.ones((n, 2))), np.full(n, reach))
        firsts = {int(feature_mixing(root_key(seed), c, 4).index[0]) for seed in range(12)}
        assert len(firsts) > 3, "the first row of the table would be favoured"
        found = feature_mixing(KEY, c, n)
        assert sorted(found.index) == list(range(n)) and "constant_score" in found.degraded.split(",")
        assert ("few_candidates" in found.degraded.split(",")) == (reach > 0.8)


def test_rows_that_are_not_finite_are_left_out_and_counted_out_loud() -> None:
    c = pool(4)
    score, X = c.score.copy(), c.embedding.copy()
    open_rows = np.flatnonzero(c.available)
    score[open_rows[0]], score[open_rows[1]], X[open_rows[2], 1] = np.nan, np.inf, np.nan
    score[open_rows[3]] = -np.inf  # never flips: the last to be taken, but a row like any other
    found = feature_mixing(KEY, replace(c, score=score, embedding=X), 80)
    assert set(found.index) == set(open_rows[3:]) and "nan_rows" in found.degraded.split(",")
    assert found.index[-1] == open_rows[3] and np.isneginf(found.gain[-1])
    with pytest.raises(NoFiniteScores, match="NaN or infinite"):
        feature_mixing(KEY, replace(c, score=np.full(80, np.nan)), 3)


def test_one_labelled_class_has_no_candidates() -> None:
    c = pool(5)
    W, offset, Z, _ = head(5, n=80)
    labels = np.where(c.anchors, 2, -1)
    seen = np.isin(np.arange(4), labels)
    e = flip_share(W, offset, Z, class_anchors(Z, labels), seen=seen)
    assert np.all(np.isinf(e))
    found = feature_mixing(KEY, replace(c, score=-e, labels=labels), 6)
    assert len(set(found.index)) == 6 and found.degraded == "constant_score,few_candidates"


def test_the_width_of_the_cap_may_be_given() -> None:
    c = replace(pool(6), score=np.linspace(-0.1, -0.9, 80))
    few, many = feature_mixing(KEY, c, 40, width=64), feature_mixing(KEY, c, 40, width=1)
    assert few.degraded == "few_candidates" and many.degraded == ""


def test_what_is_missing_or_wrong_is_named() -> None:
    c = pool(9)
    for missing in ("score", "embedding"):
        with pytest.raises(InputError, match=missing):
            feature_mixing(KEY, replace(c, **{missing: None}), 2)
    for cap in (0.0, 1.0, -0.2, np.nan):
        with pytest.raises(InputError, match="cap must be"):
            feature_mixing(KEY, c, 2, cap=cap)
    with pytest.raises(InputError, match="fill must be"):
        feature_mixing(KEY, c, 2, fill="any")
    with pytest.raises(InputError, match="b must be"):
        feature_mixing(KEY, c, 0)
    assert len(feature_mixing(KEY, replace(c, available=np.zeros(80, dtype=bool)), 3).index) == 0
