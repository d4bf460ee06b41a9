"""Selectors that cover the pool or stand for its clusters, against plain formulas, and the promises they keep."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongsuit.active.selectors.candidates import Candidates, usable
from strongsuit.active.selectors.cover import competence, cover, dcom, purity_radius
from strongsuit.active.selectors.herding import herding, labelled_sigma
from strongsuit.active.selectors.representatives import cluster_margin, nearest_to_centres
from strongsuit.active.selectors.typical import typical
from strongsuit.core import covering as lists
from strongsuit.core import key_for, root_key
from strongsuit.core.groups import k_means
from strongsuit.errors import InputError, NoFiniteScores

_spec = importlib.util.spec_from_file_location("plain", Path(__file__).with_name("cover_selector_references.py"))
plain = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(plain)

KEY = root_key(5)


def predicted(c: Candidates) -> np.ndarray:
    """Classes that a rule on the first column predicts."""
    return np.digitize(c.embedding[:, 0], [-0.5, 0.5])


def max_herding(key, c, b, **options):
    return herding(key, replace(c, score=None), b, **options)


def competent_cover(key, c, b, **options):
    return dcom(key, replace(c, predicted=predicted(c)), b, **options)


RULES = {
    "max_herding": max_herding,
    "u_herding": herding,
    "u_herding_labelled": partial(herding, sigma="labelled"),
    "prob_cover": partial(cover, delta=0.8),
    "prob_cover_by_purity": partial(cover, clusters=3),
    "dcom": competent_cover,
    "typiclust": typical,
    "k_means": nearest_to_centres,
    "drop_query": partial(nearest_to_centres, above=0.5),
    "cluster_margin": cluster_margin,
}
BY_CLUSTERS = {"typiclust", "k_means", "drop_query", "cluster_margin"}  # what they keep depends on b
RANDOM = {"prob_cover_by_purity", "typiclust", "k_means", "drop_query", "cluster_margin"}
BY_SCORE = {"u_herding", "u_herding_labelled", "dcom", "drop_query", "cluster_margin"}
COVERING = {"max_herding", "u_herding", "u_herding_labelled", "prob_cover"}
every_rule = pytest.mark.parametrize("select", RULES.values(), ids=RULES.keys())


def pool(seed: int = 0, n: int = 40, p: int = 3, anchors: int = 5, *, dtype: type = np.float64) -> Candidates:
    """A pool of Gaussian rows with a score, and anchors of which all but the last have a class."""
    rng = np.random.default_rng(seed)
    is_anchor = np.zeros(n, dtype=bool)
    is_anchor[rng.choice(n, anchors, replace=False)] = True
    labels = np.where(is_anchor, rng.integers(0, 3, n), -1)
    labels[np.flatnonzero(is_anchor)[3:4]] = -1
    X = rng.normal(size=(n, p)).astype(dtype)
    return Candidates(~is_anchor & (rng.random(n) < 0.8), is_anchor, rng.random(n) + 0.01, X, labels=labels)


def serving(seed: int, n: int = 40) -> Candidates:
    """A pool a few rows of which may be chosen, to serve all."""
    c = pool(seed, n=n)
    few = c.available & (np.random.default_rng(seed + 1).random(n) < 0.4)
    few[np.flatnonzero(c.available)[0]] = True
    return replace(c, available=few, reference=np.flatnonzero(c.available))


def on_a_grid(seed: int, n: int = 40) -> Candidates:
    """A pool on a grid of few points, so that rows coincide and gains tie."""
    c = pool(seed, n=n, p=2)
    return replace(c, score=np.round(2 * c.score), embedding=np.round(1.5 * c.embedding))


pools = st.builds(
    pool,
    st.integers(0, 10**6),
    st.integers(12, 40),
    st.integers(2, 5),
    st.integers(0, 6),
    dtype=st.sampled_from([np.float64, np.float32]),
)


@settings(max_examples=30)
@given(
    st.one_of(pools, st.builds(on_a_grid, st.integers(0, 10**6)), st.builds(serving, st.integers(0, 10**6))),
    st.sampled_from([0.3, 1.0, 2.0]),
)
def test_lazy_herding_picks_what_plain_greedy_picks(c: Candidates, sigma: float) -> None:
    kernel, b = np.exp(-plain.squares(c.embedding) / sigma**2), min(8, int(c.available.sum()))
    for select, weight in ((max_herding, np.ones(len(kernel))), (herding, c.score)):
        picks, gains = plain.greedy(KEY, kernel, c, weight, b)
        found = select(KEY, c, b, sigma=sigma)
        assert list(found.index[: len(picks)]) == picks
        np.testing.assert_allclose(found.gain[: len(picks)], gains, rtol=1e-4, atol=1e-9)
        assert ("no_spread" in found.degraded) == (len(picks) < b) and np.all(found.gain[len(picks) :] == 0.0)


@settings(max_examples=30)
@given(st.one_of(pools, st.builds(on_a_grid, st.integers(0, 10**6))), st.sampled_from([0.3, 1.0, 1.5]))
def test_cover_is_greedy_maximum_coverage(c: Candidates, delta: float) -> None:
    edges, b = (plain.squares(c.embedding) < delta**2).astype(float), min(12, int(c.available.sum()))
    picks, gains = plain.greedy(KEY, edges, c, np.ones(len(edges)), b)
    found = cover(KEY, c, b, delta=delta)
    assert list(found.index[: len(picks)]) == picks and ("no_spread" in found.degraded) == (len(picks) < b)
    np.testing.assert_allclose(found.gain, [*gains, *np.zeros(b - len(gains))])


def test_cover_takes_the_centres_of_stars() -> None:
    c = plain.stars()
    found = cover(KEY, c, 8, delta=0.8)
    edges = plain.squares(c.embedding)[np.ix_(c.available, c.available)] < 0.64
    assert list(found.gain) == sorted(found.gain, reverse=True) and found.gain[0] == edges.sum(axis=1).max() / len(
        edges
    )


@pytest.mark.parametrize("p", [2, 20, 100])
def test_lists_over_many_strips_add_up_to_all_pairs(p: int) -> None:
    c = pool(1, n=1400, p=p, anchors=4, dtype=np.float32)  # three strips
    X = c.embedding / np.arange(1, p + 1, dtype=np.float32) ** 0.8  # 100 columns lie mostly in a few directions
    rows, d2 = np.flatnonzero(c.available), plain.squares(X)
    nearest = lists.nearest_anchors(X, rows, np.flatnonzero(c.anchors))
    np.testing.assert_allclose(nearest, d2[np.ix_(rows, c.anchors)].min(axis=1), rtol=1e-5)
    width = float(np.median(d2)) / 3.0
    best = np.exp(-nearest / width)
    task = lists.Task(X, rows, c.score[rows], best.astype(np.float32), nearest, width)
    state = lists.covering(KEY, task)
    kernel = np.exp(-d2[np.ix_(rows, rows)] / width)
    for row in (None, 7, 900):
        if row is not None:
            state.take(row)
            best = np.maximum(best, kernel[row])
        sums = np.maximum(kernel - best, 0.0) @ c.score[rows]
        np.testing.assert_allclose(state.gains(), sums, rtol=1e-4, atol=1e-5)
        assert state.gain(1000) == state.gains()[1000]


def test_pools_too_large_are_represented_by_a_keyed_subset(monkeypatch) -> None:
    c = replace(pool(2, n=300, anchors=6), available=np.ones(300, bool) & ~pool(2, n=300, anchors=6).anchors)
    kernel = np.exp(-plain.squares(c.embedding))
    for subset, entries in ((50, 2**26), (1000, 2000)):
        monkeypatch.setattr(lists, "_ENTRIES", entries)
        rows = lists.some_rows(key_for(KEY, "subset"), np.flatnonzero(c.available), subset)
        nearest = lists.nearest_anchors(c.embedding, rows, np.flatnonzero(c.anchors))
        task = lists.Task(c.embedding, rows, np.ones(len(rows)), np.exp(-nearest).astype(np.float32), nearest, 1.0)
        kept = lists.covering(key_for(KEY, "subset"), task).rows
        assert len(kept) == 50 if subset == 50 else 40 < len(kept) < 250
        part = replace(c, available=np.isin(np.arange(300), kept))
        picks, _ = plain.greedy(KEY, kernel, part, np.ones(300), 9)
        assert list(max_herding(KEY, c, 9, subset=subset).index) == picks
        assert set(cover(KEY, c, 3, delta=0.9, subset=50).index) <= set(
            lists.some_rows(key_for(KEY, "subset"), np.flatnonzero(c.available), 50)
        )


def test_lists_that_find_no_room_are_made_of_fewer_rows(monkeypatch) -> None:
    c = plain.everything(np.random.default_rng(0).normal(size=(300, 2)))
    monkeypatch.setattr(lists, "_ENTRIES", 20_000)
    monkeypatch.setattr(lists, "_share_in_reach", lambda key, task: 0.0)  # an estimate that is far off
    rows = np.arange(300)
    task = lists.Task(c.embedding, rows, np.ones(300), np.zeros(300, np.float32), np.full(300, np.inf), 1.0)
    assert len(lists.covering(KEY, task).rows) == 153  # 0.8^3 of the rows: 153^2 < 25,000


def test_sigma_is_the_smallest_positive_distance_between_labelled_rows() -> None:
    c = pool(3, n=60, anchors=12)
    X, known = c.embedding.copy(), np.flatnonzero(c.labels >= 0)
    X[known[0]] = X[known[1]]
    c = replace(c, embedding=X)
    d = np.sqrt(plain.squares(X[known]))
    assert labelled_sigma(KEY, c, usable(c, embedding=True)) == pytest.approx(d[d > 0].min())
    for scale in (1.0, 2.0):
        found = herding(KEY, c, 6, sigma="labelled", scale=scale).index
        np.testing.assert_array_equal(found, herding(KEY, c, 6, sigma=scale * d[d > 0].min()).index)
    X[known[0]] = X[known[1]] + 1e-9
    every = np.sqrt(plain.squares(X[c.available | c.anchors]))
    floor = 1e-3 * np.median(every[np.triu_indices(len(every), 1)])
    near = replace(c, embedding=X)
    assert labelled_sigma(KEY, near, usable(near, embedding=True)) == pytest.approx(floor)
    one = replace(c, labels=np.where(np.arange(60) == known[0], 1, -1))
    assert labelled_sigma(KEY, one, usable(one, embedding=True)) == 1.0
    assert labelled_sigma(KEY, replace(one, labels=None), usable(one, embedding=True)) < 1.0


def test_a_narrow_kernel_asks_the_largest_scores() -> None:
    c = pool(4, n=80)
    best = np.argsort(np.where(c.available, -c.score, np.inf))[:10]
    assert list(herding(KEY, c, 10, sigma=1e-3).index) == list(best)


@pytest.mark.parametrize("clusters", [2, 5])
@pytest.mark.parametrize("share", [0.5, 0.95, 1.0])
def test_the_purity_radius_is_the_largest(clusters: int, share: float) -> None:
    X = np.random.default_rng(clusters).normal(size=(90, 2))
    delta = purity_radius(KEY, X, clusters, share=share)
    label, _ = k_means(key_for(KEY, "pseudo-labels"), X, clusters)
    d, other = np.sqrt(plain.squares(X)), label[:, None] != label

    def purity(radius: float) -> float:
        return np.mean(~((d < radius) & other).any(axis=1))

    assert purity(delta * (1 - 1e-9)) >= share > purity(delta * (1 + 1e-9))
    assert purity_radius(KEY, np.ones((30, 2)), 4) == np.inf


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([0.2, 0.4, 1.0]))
def test_dcom_is_the_formula(seed: int, scale: float) -> None:
    c = pool(seed, n=60, anchors=12)
    c = replace(c, embedding=c.embedding * scale)
    b = min(6, int(c.available.sum()))
    assert list(competent_cover(KEY, c, b).index) == plain.dcom(KEY, c, predicted(c), competence, b)


def test_competence_rises_from_nothing_to_trust() -> None:
    c = np.array([competence(share) for share in np.linspace(0.0, 1.0, 11)])
    assert c[0] < 1e-16 and c[-1] == pytest.approx(1.0) and np.all(np.diff(c) > 0) and c[8] == pytest.approx(0.5, 1e-3)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from([(4, 20), (500, 3), (12, 2)]))
def test_typiclust_is_the_formula(seed: int, options: tuple[int, int]) -> None:
    c = pool(seed, n=80)
    for one in (c, serving(seed, n=80)):
        found = typical(KEY, one, 15, clusters=options[0], neighbours=options[1])
        assert list(found.index) == plain.typiclust(KEY, one, min(15, int(one.available.sum())), *options)


def test_typical_rows_of_large_clusters_are_sought_in_a_keyed_subset(monkeypatch) -> None:
    from strongsuit.active.selectors import typical as module

    monkeypatch.setattr(module, "_LARGEST", 30)
    c = plain.everything(np.random.default_rng(2).normal(size=(200, 3)))
    found = typical(KEY, c, 4, clusters=2)
    assert len(set(found.index)) == 4 and np.all(np.abs(c.embedding[found.index]).max(axis=1) < 2.5)


def test_a_large_cluster_that_holds_rows_not_to_be_chosen_makes_no_large_table(monkeypatch) -> None:
    from strongsuit.active.selectors import typical as module

    made: list[int] = []
    table = module.square_table
    monkeypatch.setattr(module, "_LARGEST", 30)
    monkeypatch.setattr(module, "square_table", lambda A, B: made.append(len(A)) or table(A, B))
    may = np.arange(400) % 4 > 0
    c = plain.everything(np.random.default_rng(2).normal(size=(400, 3)))
    found = typical(KEY, replace(c, available=may, reference=np.arange(400)), 3, clusters=1)
    assert may[found.index].all() and 30 < max(made) <= 60


def test_clusters_that_are_remembered_are_those_that_would_be_found_anew() -> None:
    X = np.random.default_rng(3).normal(size=(60, 2))
    first, centres = k_means(KEY, X, 7)
    kept, first[:] = first.copy(), -1
    again, same = k_means(KEY, X, 7)
    assert np.array_equal(again, kept) and np.array_equal(same, centres)
    assert len(set(k_means(KEY, X, 8)[0])) == 8 and not np.array_equal(k_means(key_for(KEY, "other"), X, 7)[0], kept)
    moved = X + np.array([[0.0, 1e-3]]) * (np.arange(60) == 0)[:, None]
    assert not np.array_equal(k_means(KEY, moved, 7)[1], centres)


def test_a_row_that_may_be_chosen_is_typical_of_a_large_cluster_of_rows_that_may_not(monkeypatch) -> None:
    from strongsuit.active.selectors import typical as module

    monkeypatch.setattr(module, "_LARGEST", 30)
    X, may = np.random.default_rng(2).normal(size=(200, 3)), np.zeros(200, bool)
    may[[7, 8]] = True
    c = replace(plain.everything(X), available=may, reference=np.arange(200))
    found = typical(KEY, c, 2, clusters=1)
    assert sorted(found.index) == [7, 8] and found.degraded == "" and (found.gain > 0.0).all()


@every_rule
@settings(max_examples=10)
@given(c=pools, b=st.integers(1, 50), seed=st.integers(0, 99))
def test_rows_are_distinct_available_and_as_many_as_asked(select, c: Candidates, b: int, seed: int) -> None:
    found = select(root_key(seed), c, b)
    assert len(found.index) == len(found.gain) == min(b, c.available.sum())
    assert len(set(found.index)) == len(found.index) and np.all(c.available[found.index])
    assert not c.anchors[found.index].any() and np.all(np.isfinite(found.gain))
    np.testing.assert_array_equal(found.index, select(root_key(seed), c, b).index)


@pytest.mark.parametrize("name", sorted(RULES.keys() - BY_CLUSTERS))
def test_a_shorter_batch_is_the_beginning_of_a_longer_one(name: str) -> None:
    for anchors in (0, 5):
        c = pool(2, anchors=anchors)
        long = RULES[name](KEY, c, 20)
        for b in (1, 2, 7):
            np.testing.assert_array_equal(RULES[name](KEY, c, b).index, long.index[:b])


@pytest.mark.parametrize("name", sorted(RULES.keys() - RANDOM))
def test_the_order_of_rows_decides_nothing(name: str) -> None:
    c = plain.stars() if name == "prob_cover" else pool(3, n=50, anchors=8)
    order = np.random.default_rng(3).permutation(len(c.score))
    names = ("available", "anchors", "score", "embedding", "labels")
    moved = replace(c, **{one: getattr(c, one)[order] for one in names})
    np.testing.assert_array_equal(order[RULES[name](KEY, moved, 8).index], RULES[name](KEY, c, 8).index)


@every_rule
def test_rows_that_are_not_finite_are_left_out_and_counted_out_loud(select) -> None:
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


@pytest.mark.parametrize("name", RULES)
def test_equal_rows_are_told_apart_by_the_key_alone(name: str) -> None:
    c = plain.everything(np.ones((30, 2)), np.ones(30))
    firsts = {int(RULES[name](root_key(seed), c, 4).index[0]) for seed in range(12)}
    assert len(firsts) > 3, "the first row of the table would be favoured"
    found = RULES[name](KEY, c, 30)
    assert sorted(found.index) == list(range(30))
    assert ("constant_score" in found.degraded) == (name in BY_SCORE)
    assert ("no_spread" in found.degraded) == (name in COVERING | {"prob_cover_by_purity"})


@pytest.mark.parametrize("name", sorted(COVERING | {"k_means"}))
def test_twins_come_last(name: str) -> None:
    X = np.repeat(np.random.default_rng(6).normal(size=(12, 3)) * 9.0, 2, axis=0)
    found = RULES[name](KEY, plain.everything(X, np.ones(24)), 12 if name == "k_means" else 24)
    assert len({int(row) // 2 for row in found.index[:12]}) == 12


@every_rule
def test_one_class_no_labels_and_no_rows_are_answered(select) -> None:
    c = pool(7, anchors=6)
    for labels in (np.where(c.anchors, 1, -1), np.full(40, -1), None):
        assert len(select(KEY, replace(c, labels=labels), 5).index) == 5
    assert len(select(KEY, replace(c, available=np.zeros(40, bool)), 3).index) == 0


def test_what_a_radius_is_made_of_is_said() -> None:
    c = pool(8, n=60, anchors=9)
    assert cover(KEY, c, 3).degraded == "" and cover(KEY, replace(c, labels=None), 3, clusters=4).degraded == ""
    assert cover(KEY, replace(c, labels=None), 3).degraded == "no_labels"
    assert cover(KEY, replace(c, labels=np.where(c.anchors, 2, -1)), 3).degraded == "one_class"
    bare = replace(c, labels=None)
    assert dcom(KEY, bare, 3).degraded == dcom(KEY, bare, 3, clusters=4).degraded == "no_labels"
    np.testing.assert_array_equal(dcom(KEY, bare, 1, clusters=4).index, cover(KEY, bare, 1, clusters=4).index)


def test_float32_and_float64_pick_the_same() -> None:
    c = pool(9, n=200, p=8, anchors=10, dtype=np.float32)
    wide = replace(c, embedding=c.embedding.astype(np.float64))
    for name in ("max_herding", "u_herding", "prob_cover", "dcom"):
        np.testing.assert_array_equal(RULES[name](KEY, c, 12).index, RULES[name](KEY, wide, 12).index)


def test_what_is_missing_or_wrong_is_named() -> None:
    c = pool(9)
    for sigma in (0.0, -1.0, 1e-200, "median", np.inf):
        with pytest.raises(InputError, match="sigma"):
            herding(KEY, c, 2, sigma=sigma)
    with pytest.raises(InputError, match="not be negative"):
        herding(KEY, replace(c, score=-c.score), 2)
    with pytest.raises(InputError, match="delta"):
        cover(KEY, c, 2, delta=0.0)
    for options in ({"clusters": 0}, {"clusters": 2, "share": 0.0}):
        with pytest.raises(InputError, match="clusters"):
            purity_radius(KEY, c.embedding, **options)
    with pytest.raises(InputError, match="predicted"):
        dcom(KEY, c, 2)
    with pytest.raises(InputError, match="neighbours"):
        typical(KEY, c, 2, neighbours=0)
    with pytest.raises(InputError, match="share"):
        cluster_margin(KEY, c, 2, share=0.5)
    for select in RULES.values():
        with pytest.raises(InputError, match="embedding"):
            (dcom if select is competent_cover else select)(KEY, replace(c, embedding=None), 2)
        with pytest.raises(InputError, match="b must be"):
            select(KEY, c, 0)
