"""Selectors for classes against plain formulas, and the promises that every one of them keeps."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongsuit.active.selectors.badge import badge
from strongsuit.active.selectors.bait import bait
from strongsuit.active.selectors.candidates import Candidates, Selection
from strongsuit.active.selectors.clusters import kmeans_pp
from strongsuit.active.selectors.divergence import k_center_divergence
from strongsuit.active.selectors.falcun import falcun
from strongsuit.active.selectors.fisher import bait_classes, bait_fast
from strongsuit.active.selectors.galaxy import galaxy
from strongsuit.active.selectors.joint import batch_bald
from strongsuit.core import key_for, root_key
from strongsuit.errors import InputError, NoFiniteScores

_spec = importlib.util.spec_from_file_location(
    "plain_classes", Path(__file__).with_name("class_selector_references.py")
)
plain = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(plain)

KEY = root_key(5)
T, K, Q = plain.T, plain.K, plain.Q
pool, embed, base, halves = plain.pool, plain.embed, plain.base, plain.halves


RULES = {
    "badge": badge,
    "bait_classes": bait_classes,
    "bait_fast": bait_fast,
    "batch_bald": batch_bald,
    "batch_bald_drawn": partial(batch_bald, configurations=7),
    "falcun": falcun,
    "cdal": k_center_divergence,
    "galaxy": galaxy,
}
RANDOM = {"badge", "falcun"}
NO_PREFIX = {"bait_classes", "bait_fast"}  # the ridge is shared among b rows, and picks are taken back
every_rule = pytest.mark.parametrize("name", RULES)


seeds = st.integers(0, 10**6)


@settings(max_examples=25)
@given(seeds, st.sampled_from([np.float64, np.float32]))
def test_badge_draws_as_seeding_on_the_gradients_written_out(seed: int, dtype: type) -> None:
    c = pool("badge", seed, dtype=dtype)
    E, Z = halves(c)
    G = np.einsum("nk,nq->nkq", E, Z).reshape(len(E), -1)
    found = badge(KEY, c, 6)
    norms = np.where(c.available, (G**2).sum(axis=1), -1.0)
    assert norms[found.index[0]] == pytest.approx(norms.max()) and np.isinf(found.gain[0])
    first = np.arange(len(G)) == found.index[0]
    wanted = kmeans_pp(KEY, Candidates(c.available & ~first, first, embedding=G), 5)
    assert list(found.index[1:]) == list(wanted.index)
    np.testing.assert_allclose(found.gain[1:], wanted.gain, rtol=1e-6)


def test_badge_keeps_the_digits_of_short_distances() -> None:
    # Two rows that differ by 1e-6 at features of size 1e3: the difference of squares would lose all of it.
    E = np.array([[0.5, -0.5], [0.5, -0.5], [-0.4, 0.4], [-0.4, 0.4]])
    Z = np.array([[1e3, 1.0], [1e3 + 1e-6, 1.0], [1e3, 1.0], [1e3, 1.0]])
    c = Candidates(np.ones(4, bool), np.zeros(4, bool), embedding=np.hstack([E, Z]), blocks=(2, 2))
    found = badge(KEY, c, 4)
    assert sorted(found.index[:2] // 2) == [0, 1] and found.degraded == "no_spread"  # rows 2 and 3 are twins
    near = [gain for row, gain in zip(found.index, found.gain, strict=True) if row < 2 and np.isfinite(gain)]
    assert near == [pytest.approx(0.5e-12, rel=1e-3)]


@settings(max_examples=15)
@given(seeds, st.sampled_from([1, 2]), st.sampled_from(["even", "public"]), st.sampled_from([0.1, 1.0]))
def test_bait_is_brute_force_over_traces(seed: int, overselect: int, scale: str, ridge: float) -> None:
    c = pool("bait_classes", seed, n=16, anchors=seed % 4)
    b = min(3, c.available.sum())
    p, Z = halves(c)
    V = np.stack([np.kron(plain.curvature(pi), np.outer(z, z)) for pi, z in zip(p, Z, strict=True)])
    options = {"overselect": overselect, "scale": scale, "ridge": ridge}
    trace = plain.traces(V, c, b, ridge, scale)
    found = bait_classes(KEY, c, b, **options)
    assert trace(found.index) == pytest.approx(trace(plain.forward_backward(trace, c, b, overselect)), rel=1e-9)
    if overselect == 1:
        drops = np.diff([-trace(found.index[:m]) for m in range(b + 1)])
        np.testing.assert_allclose(found.gain, drops, rtol=1e-7, atol=1e-12)
    fast = replace(c, **embed("bait_fast", np.log(p)[:, None], Z))
    trace = plain.traces(fast.embedding[:, :, None] * fast.embedding[:, None], fast, b, ridge, scale)
    found = bait_fast(KEY, fast, b, **options)
    assert trace(found.index) == pytest.approx(trace(plain.forward_backward(trace, fast, b, overselect)), rel=1e-9)


def test_two_even_classes_are_bait_for_regression() -> None:
    rng = np.random.default_rng(1)
    Z, free = rng.normal(size=(80, 4)), np.ones(80, dtype=bool)
    c = Candidates(free, ~free, embedding=np.hstack([np.full((80, 2), 0.5), Z]), blocks=(2, 4))
    for overselect in (1, 2):
        # V = (diag p - p p') (x) z z' is half of z z' along (1, -1) / sqrt 2: noise 2 x 1 x b in the units of z.
        wanted = bait(KEY, Candidates(free, ~free, embedding=Z, noise=20.0), 10, overselect=overselect)
        assert list(bait_classes(KEY, c, 10, ridge=1.0, overselect=overselect).index) == list(wanted.index)
        fast = bait_fast(KEY, Candidates(free, ~free, embedding=Z), 10, ridge=2.0, overselect=overselect)
        assert list(fast.index) == list(wanted.index)


def test_the_ridge_is_the_heads_own_penalty_by_default() -> None:
    c = pool("bait_classes", 3, n=40, anchors=6)
    own = 1.0 / (c.anchors.sum() + 5)
    np.testing.assert_array_equal(bait_classes(KEY, c, 5).index, bait_classes(KEY, c, 5, ridge=own).index)


def test_bait_for_classes_keeps_its_digits_over_many_picks() -> None:
    c = pool("bait_classes", 8, n=400, anchors=12)
    b = 70  # more than a fresh start apart, in both directions
    p, Z = halves(c)
    V = np.stack([np.kron(plain.curvature(pi), np.outer(z, z)) for pi, z in zip(p, Z, strict=True)])
    trace = plain.traces(V, c, b, 1e-4, "even")
    found = bait_classes(KEY, c, b, overselect=1, ridge=1e-4)
    drops = np.diff([-trace(found.index[:m]) for m in range(b + 1)])
    np.testing.assert_allclose(found.gain, drops, rtol=1e-6)
    both = bait_classes(KEY, c, b, ridge=1e-4)
    assert trace(both.index) <= trace(found.index) * (1.0 + 1e-9)


@settings(max_examples=15)
@given(seeds)
def test_joint_information_is_full_enumeration(seed: int) -> None:
    c = pool("batch_bald", seed)
    members, rows = c.embedding.reshape(-1, T, K), np.flatnonzero(c.available)
    found = batch_bald(KEY, c, 5)
    bald = [plain.information(members[[x]]) for x in rows]
    assert found.index[0] == rows[np.argmax(bald)] and found.gain[0] == pytest.approx(max(bald))
    for m, row in enumerate(found.index):
        before = list(found.index[:m])
        value = {x: plain.information(members[[*before, x]]) for x in rows if x not in before}
        assert value[row] == pytest.approx(max(value.values()), abs=1e-9)
        assert found.gain[: m + 1].sum() == pytest.approx(value[row], abs=1e-9)
    # At most 3^3 sets before the fourth pick: as many suffice for exactness.
    np.testing.assert_allclose(batch_bald(KEY, c, 4, configurations=27).gain, found.gain[:4], atol=1e-12)


def test_drawn_sets_estimate_the_information() -> None:
    c = pool("batch_bald", 3)
    exact = batch_bald(KEY, c, 7, configurations=3**7).gain
    found = [batch_bald(root_key(seed), c, 7, configurations=64) for seed in range(20)]
    drawn = np.stack([one.gain for one in found])
    np.testing.assert_array_equal(drawn[:, :4], np.tile(exact[:4], (20, 1)))  # 27 sets: not drawn yet
    members = c.embedding.reshape(-1, T, K)
    assert np.mean([plain.information(members[one.index]) for one in found]) > 0.99 * exact.sum()
    # Where all seven rows must be taken, nothing is chosen by its error: the estimate has no bias to speak of.
    seven = np.isin(np.arange(30), np.flatnonzero(c.available)[:7])
    whole = [batch_bald(root_key(s), replace(c, available=seven), 7, configurations=64).gain.sum() for s in range(40)]
    assert np.mean(whole) == pytest.approx(plain.information(members[seven]), rel=0.01)
    assert 0.0 < np.std(whole) < 0.02 * np.mean(whole)


def test_past_twenty_rows_follow_by_their_own_score() -> None:
    c = pool("batch_bald", 4, n=60)
    members = c.embedding.reshape(-1, T, K)
    found = batch_bald(KEY, c, 30)
    assert found.degraded == "beyond_joint" and batch_bald(KEY, c, 20).degraded == ""
    bald = np.array([plain.information(members[[x]]) for x in found.index[20:]])
    np.testing.assert_allclose(found.gain[20:], bald, atol=1e-9)
    assert np.all(np.diff(bald) <= 1e-12)


def test_members_that_agree_leave_nothing_to_learn() -> None:
    c = pool("batch_bald", 5)
    same = np.tile(c.embedding[:, :K], (1, T))
    found = batch_bald(KEY, replace(c, embedding=same), 4)
    assert len(set(found.index)) == 4 and found.degraded == "beyond_joint"


@settings(max_examples=20)
@given(seeds, st.sampled_from([1.0, 10.0, 400.0]))
def test_falcun_is_the_formula(seed: int, power: float) -> None:
    c = pool("falcun", seed)
    b = min(8, c.available.sum())
    found, free, d = falcun(KEY, c, b, power=power), c.available.copy(), c.score.copy()
    for row, gain, share in zip(found.index, found.gain, key_for(KEY, "shares").numpy().random(b), strict=True):
        low, high = d[free].min(), d[free].max()
        value = np.where(free, (d - low) / (high - low) if high > low else 0.0, 0.0) + c.score
        chance = np.where(free, value / value[free].max(), 0.0) ** power
        ladder = np.cumsum(chance)
        assert row == np.searchsorted(ladder, share * ladder[-1], side="right")
        assert gain == pytest.approx(value[row])
        free[row] = False
        d = np.minimum(d, np.abs(c.embedding - c.embedding[row]).sum(axis=1))


@settings(max_examples=25)
@given(seeds, st.sampled_from([0, 6]))
def test_divergence_is_the_formula(seed: int, anchors: int) -> None:
    c = pool("cdal", seed, anchors=anchors)
    c.embedding[3] = [1.0, 0.0, 0.0]
    p, between = np.maximum(c.embedding, 1e-6), plain.divergence
    found, centres = k_center_divergence(KEY, c, 6), [*np.flatnonzero(c.anchors)]
    for row, gain in zip(found.index, found.gain, strict=True):
        mean = p[c.available].mean(axis=0)
        value = np.min([between(p, p[x]) for x in centres], axis=0) if centres else -between(p, mean)
        value = np.where(c.available & ~np.isin(np.arange(len(p)), centres), value, -np.inf)
        assert value[row] == pytest.approx(value.max(), rel=1e-9)
        assert gain == pytest.approx(value[row], rel=1e-9) if centres else np.isinf(gain)
        centres.append(row)


def test_a_class_that_nobody_expects_changes_nothing() -> None:
    for name in ("cdal", "falcun"):
        c = pool(name, 2)
        wide = replace(c, embedding=np.hstack([c.embedding, np.zeros((30, 1))]))
        np.testing.assert_array_equal(RULES[name](KEY, wide, 9).index, RULES[name](KEY, c, 9).index)
    for name in ("badge", "bait_classes"):
        c = pool(name, 2)
        first, second = halves(c)
        wide = replace(c, embedding=np.hstack([first, np.zeros((30, 1)), second]), blocks=(K + 1, Q))
        np.testing.assert_array_equal(RULES[name](KEY, wide, 9).index, RULES[name](KEY, c, 9).index)
    c = pool("batch_bald", 2)
    wide = np.concatenate([c.embedding.reshape(30, T, K), np.zeros((30, T, 1))], axis=2).reshape(30, -1)
    found = batch_bald(KEY, replace(c, embedding=wide, blocks=(T, K + 1)), 6)
    np.testing.assert_array_equal(found.index, batch_bald(KEY, c, 6).index)


@settings(max_examples=30)
@given(seeds, st.sampled_from([0, 1, 2, 6, 12]))
def test_galaxy_is_the_walk_along_the_lines(seed: int, anchors: int) -> None:
    c = pool("galaxy", seed, anchors=anchors)
    found = galaxy(KEY, c, 12)
    side = {int(row): c.embedding[row] > 0.0 for row in np.flatnonzero(c.anchors)}
    side |= {row: np.arange(K) == c.labels[row] for row in side if c.labels[row] >= 0}
    free = [int(row) for row in np.flatnonzero(c.available)]
    for row, gain in zip(found.index, found.gain, strict=True):
        length, rows = plain.galaxy_offers(c, side, free)
        assert row in rows and gain == length
        side[int(row)] = c.embedding[row] > 0.0
        free.remove(int(row))


def test_galaxy_bisects_by_hand() -> None:
    # One line, 0..16; labels 0 at row 0 and 1 at row 16 (of two classes); the boundary is predicted at 10.5.
    f = np.arange(17.0) - 10.5
    anchors = np.isin(np.arange(17), (0, 16))
    c = Candidates(~anchors, anchors, embedding=np.stack([-f, f], axis=1))
    c = replace(c, labels=np.where(anchors, (np.arange(17) == 16).astype(int), -1))
    found = galaxy(KEY, c, 6)
    # Left of 10.5 is class 0: stretches 1..15, 9..15, 9..11, 11 is class 1; then 9 and 10 lie between 8 and 11.
    assert list(found.index[:2]) == [8, 12] and list(found.gain[:2]) == [15, 7]
    assert list(found.index[2:4]) == [10, 11] and list(found.gain[2:4]) == [3, 1]
    assert set(found.index[4:]) == {9, 13} and list(found.gain[4:]) == [0, 0]  # each one known row from the cut
    one = galaxy(KEY, replace(c, labels=np.where(anchors, 0, -1)), 3)
    assert one.degraded == "no_cut" and one.index[0] in (10, 11)
    never = replace(c, embedding=np.hstack([c.embedding, np.full((17, 1), -50.0)]))
    np.testing.assert_array_equal(galaxy(KEY, never, 6).index, found.index)


@every_rule
@settings(max_examples=12)
@given(seed=seeds, anchors=st.integers(0, 6), b=st.integers(1, 40))
def test_rows_are_distinct_available_and_as_many_as_asked(name: str, seed: int, anchors: int, b: int) -> None:
    c = pool(name, seed, anchors=anchors)
    found = RULES[name](root_key(seed), c, b)
    assert len(found.index) == len(found.gain) == min(b, c.available.sum())
    assert len(set(found.index)) == len(found.index) and np.all(c.available[found.index])
    assert not np.isnan(found.gain).any()
    np.testing.assert_array_equal(found.index, RULES[name](root_key(seed), c, b).index)


@pytest.mark.parametrize("name", sorted(RULES.keys() - NO_PREFIX))
def test_a_shorter_batch_is_the_beginning_of_a_longer_one(name: str) -> None:
    for anchors in (0, 5):
        c = pool(name, 2, anchors=anchors)
        long = RULES[name](KEY, c, 14)
        for b in (1, 2, 7):
            np.testing.assert_array_equal(RULES[name](KEY, c, b).index, long.index[:b])


@pytest.mark.parametrize("name", sorted(RULES.keys() - RANDOM))
def test_the_order_of_rows_decides_nothing(name: str) -> None:
    c, order = pool(name, 3), np.random.default_rng(3).permutation(30)
    names = ("available", "anchors", "score", "embedding", "labels")
    moved = replace(c, **{one: getattr(c, one)[order] for one in names})
    np.testing.assert_array_equal(order[RULES[name](KEY, moved, 8).index], RULES[name](KEY, c, 8).index)


@every_rule
def test_the_order_of_classes_and_the_precision_decide_nothing(name: str) -> None:
    rng = np.random.default_rng(7)
    members, turn = rng.normal(size=(30, T, K)) * 2.0, np.array([2, 0, 1])
    Z = np.hstack([rng.normal(size=(30, Q - 1)), np.ones((30, 1))])
    c = replace(pool(name, 3), **embed(base(name), members, Z))
    labels = np.where(c.labels >= 0, np.argsort(turn)[c.labels], -1)
    turned = replace(c, labels=labels, **embed(base(name), members[:, :, turn], Z))
    wanted = RULES[name](KEY, c, 8).index
    if name != "batch_bald_drawn":  # which sets are drawn depends on their order
        np.testing.assert_array_equal(RULES[name](KEY, turned, 8).index, wanted)
    shifted = replace(c, **embed(base(name), members + 3.0, Z))
    np.testing.assert_array_equal(RULES[name](KEY, shifted, 8).index, wanted)
    single = replace(c, embedding=c.embedding.astype(np.float32))
    np.testing.assert_array_equal(RULES[name](KEY, single, 8).index, wanted)


@every_rule
def test_rows_that_are_not_finite_are_left_out_and_counted_out_loud(name: str) -> None:
    c = pool(name, 4)
    X, open_rows = c.embedding.copy(), np.flatnonzero(c.available)
    X[open_rows[0], 1], X[open_rows[1], 0] = np.nan, -np.inf
    X[np.flatnonzero(c.anchors)[0]] = np.nan
    broken = replace(c, embedding=X)
    found = RULES[name](KEY, broken, 40)
    assert set(found.index) == set(open_rows[2:]) and "nan_rows" in found.degraded.split(",")
    assert not set(RULES[name](KEY, broken, 5).index) & set(open_rows[:2])
    with pytest.raises(NoFiniteScores, match="NaN or infinite"):
        RULES[name](KEY, replace(c, embedding=np.full_like(X, np.nan)), 3)


@every_rule
@pytest.mark.parametrize("sure", [False, True])
def test_equal_rows_are_told_apart_by_the_key_alone(name: str, sure: bool) -> None:
    members = np.zeros((30, T, K))
    members[:, :, 0] = 800.0 if sure else np.linspace(0.2, 1.2, T)
    none = np.zeros(30, dtype=bool)
    parts = embed(base(name), members, np.ones((30, Q)))
    c = Candidates(~none, none, labels=np.full(30, -1), **parts)
    firsts = {int(RULES[name](root_key(seed), c, 4).index[0]) for seed in range(12)}
    assert len(firsts) > 3, "the first row of the table would be favoured"
    found = RULES[name](KEY, c, 30)
    assert sorted(found.index) == list(range(30))
    if sure and name in ("badge", "bait_classes", "bait_fast", "cdal"):
        assert "no_spread" in found.degraded.split(",")


@pytest.mark.parametrize("name", ["badge", "cdal"])
def test_twins_come_last(name: str) -> None:
    c = pool(name, 6, n=12, anchors=0)
    twice = replace(
        c,
        **{one: np.concatenate([getattr(c, one)] * 2) for one in ("available", "embedding", "anchors", "labels")},
    )
    different = int(c.available.sum())
    found = RULES[name](KEY, twice, 2 * different)
    assert len({int(row) % 12 for row in found.index[:different]}) == different
    assert "no_spread" in found.degraded


def test_an_empty_pool_gives_an_empty_choice() -> None:
    for name, select in RULES.items():
        found = select(KEY, replace(pool(name, 7), available=np.zeros(30, dtype=bool)), 3)
        assert isinstance(found, Selection) and len(found.index) == 0


def test_what_is_missing_or_wrong_is_named() -> None:
    for name in ("badge", "bait_classes", "batch_bald"):
        with pytest.raises(InputError, match="blocks"):
            RULES[name](KEY, replace(pool(name, 9), blocks=(2, 2)), 2)
    for name in ("bait_classes", "batch_bald", "falcun", "cdal"):
        c = pool(name, 9)
        with pytest.raises(InputError, match="one softmax"):
            RULES[name](KEY, replace(c, embedding=c.embedding * 2.0), 2)
    with pytest.raises(InputError, match="committee of at least 2"):
        batch_bald(KEY, replace(pool("batch_bald", 9), blocks=(1, T * K)), 2)
    with pytest.raises(InputError, match="configurations"):
        batch_bald(KEY, pool("batch_bald", 9), 2, configurations=0)
    c = pool("galaxy", 9)
    with pytest.raises(InputError, match="labels"):
        galaxy(KEY, replace(c, labels=None), 2)
    with pytest.raises(InputError, match="has class 7"):
        galaxy(KEY, replace(c, labels=np.where(c.anchors, 7, -1)), 2)
    c = pool("falcun", 9)
    with pytest.raises(InputError, match="power"):
        falcun(KEY, c, 2, power=np.inf)
    with pytest.raises(InputError, match="at least 0"):
        falcun(KEY, replace(c, score=-c.score), 2)
    for name in ("bait_classes", "bait_fast"):
        for wrong in ({"ridge": 0.0}, {"overselect": 3}, {"scale": "odd"}):
            with pytest.raises(InputError, match=next(iter(wrong))):
                RULES[name](KEY, pool(name, 9), 2, **wrong)
    wide = np.hstack([np.full((5, 10), 0.1), np.ones((5, 385))])
    with pytest.raises(InputError, match="use bait_fast"):
        bait_classes(KEY, Candidates(np.ones(5, bool), np.zeros(5, bool), embedding=wide, blocks=(10, 385)), 2)
