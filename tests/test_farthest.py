"""The active window picks what a full scan picks; keyed order; nearest centres kept while they grow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongsuit.core import key_for, root_key
from strongsuit.core.centres import Centres
from strongsuit.core.farthest import farthest_first
from strongsuit.core.ties import first_of_largest, keyed_order, largest, ranks, tie_seed
from strongsuit.core.windows import reaches

KEY = root_key(11)


def scan(
    X: np.ndarray, usable: np.ndarray, anchors: np.ndarray, b: int, weights: np.ndarray | None = None
) -> list[int]:
    """Farthest-first in float64 NumPy; stops where all are at distance 0."""
    X, free, picks = X.astype(np.float64), usable.copy(), []
    w2 = np.ones(len(X)) if weights is None else weights**2
    d2 = np.full(len(X), np.inf)
    if not len(anchors):
        off = ((X - X[usable].mean(axis=0)) ** 2).sum(axis=1)
        picks = [int(np.where(usable, off, np.inf).argmin())]
        free[picks] = False
    for row in [*anchors, *picks]:
        d2 = np.minimum(d2, ((X - X[row]) ** 2).sum(axis=1))
    while len(picks) < b:
        value = np.where(free, w2 * d2, -1.0)
        row = int(value.argmax())
        if value[row] <= 0.0:
            break
        picks.append(row)
        free[row] = False
        d2 = np.minimum(d2, ((X - X[row]) ** 2).sum(axis=1))
    return picks


def rows(kind: str, n: int, p: int, seed: int) -> np.ndarray:
    """Gaussian rows, clusters, or a curved sheet of four dimensions."""
    rng = np.random.default_rng(seed)
    if kind == "gaussian":
        return rng.normal(size=(n, p))
    if kind == "clusters":
        return 4.0 * rng.normal(size=(20, p))[rng.integers(0, 20, n)] + 0.3 * rng.normal(size=(n, p))
    sheet = rng.uniform(-1, 1, (n, 4)) @ rng.normal(size=(4, p))
    return np.sin(2.0 * sheet + rng.uniform(0, 6, p)) + 100.0  # far from the origin: the offset must not eat digits


@pytest.mark.parametrize("kind", ["gaussian", "clusters", "sheet"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("anchored", [False, True])
def test_the_window_picks_what_the_full_scan_picks(kind: str, dtype: type, anchored: bool) -> None:
    n, rng = 20_000, np.random.default_rng(5)
    X = rows(kind, n, 24, seed=4).astype(dtype)
    anchors = rng.choice(n, 30, replace=False) if anchored else np.zeros(0, dtype=np.int64)
    usable = rng.random(n) < 0.9
    usable[anchors] = False
    X[~usable & ~np.isin(np.arange(n), anchors)] = np.nan  # rows that do not count may hold anything
    weights = rng.uniform(0.5, 1.0, n) if anchored else None
    found, gains = farthest_first(KEY, X, usable, anchors, 80, weights=weights, window=True)
    plainly, same = farthest_first(KEY, X, usable, anchors, 80, weights=weights, window=False)
    assert found == plainly == scan(np.where(np.isnan(X), 0.0, X), usable, anchors, 80, weights)
    np.testing.assert_array_equal(gains, same)
    assert np.all(np.diff(gains[1:]) <= 0.0) or weights is not None


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 400),
    p=st.integers(1, 9),
    levels=st.sampled_from([2, 3, 1000]),
    count=st.integers(0, 5),
    scale=st.sampled_from([1.0, 2.0**-60, 2.0**70]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_ties_twins_and_scales_are_settled_as_by_the_scan(seed, n, p, levels, count, scale, dtype) -> None:
    rng = np.random.default_rng(seed)
    X = (rng.integers(0, levels, (n, p)) * scale).astype(dtype)  # whole numbers: most distances tie exactly
    anchors = rng.choice(n, min(count, n - 1), replace=False)
    usable = np.ones(n, dtype=bool)
    usable[anchors] = False
    found, gains = farthest_first(KEY, X, usable, anchors, 30, window=True)
    assert (found, gains) == farthest_first(KEY, X, usable, anchors, 30, window=False)
    # Whichever of equal rows is taken, it is one of the farthest.
    d2 = np.full(n, np.inf)
    for row in anchors:
        d2 = np.minimum(d2, ((X.astype(np.float64) - X[row]) ** 2).sum(axis=1))
    for row, gain in zip(found, gains, strict=True):
        assert gain == pytest.approx(np.sqrt(d2[row])) and (np.isinf(gain) or d2[row] == d2[usable].max())
        usable[row] = False
        d2 = np.minimum(d2, ((X.astype(np.float64) - X[row]) ** 2).sum(axis=1))
    assert len(found) == 30 or not usable.any() or d2[usable].max() == 0.0


def test_differences_below_float32_still_count() -> None:
    # Around 1 float32 cannot tell these rows apart; the outlier sets the scale of the window's copy.
    rng = np.random.default_rng(0)
    X = np.ones((3000, 2)) + 1e-10 * rng.random((3000, 2))
    X[7] = 1e6
    usable = np.ones(3000, dtype=bool)
    found, _ = farthest_first(KEY, X, usable, np.array([], dtype=np.int64), 12, window=True)
    assert found == farthest_first(KEY, X, usable, np.array([], dtype=np.int64), 12, window=False)[0]
    assert len(set(found)) == 12 and 7 in found[:2]


@pytest.mark.parametrize(("width", "offset"), [(1, 0.0), (8, 3.0), (512, 0.0), (512, 30.0)])
def test_no_reach_by_products_is_too_long_and_near_the_origin_none_is_much_too_short(width: int, offset: float) -> None:
    C = (key_for(KEY, "reaches").numpy().normal(size=(200, width)) + offset).astype(np.float32)
    true = ((C[:, None].astype(np.float64) - C[None]) ** 2).sum(axis=2) / 4.0
    found = reaches(C)
    assert (found <= true).all()
    if offset == 0.0:
        assert (found >= 0.99 * true - 1e-4).all()


def test_chance_plays_only_where_rows_tie() -> None:
    X = rows("gaussian", 500, 3, seed=1)
    usable, none = np.ones(500, dtype=bool), np.zeros(0, dtype=np.int64)
    assert farthest_first(KEY, X, usable, none, 9)[0] == farthest_first(root_key(99), X, usable, none, 9)[0]
    corners = np.array(np.meshgrid([-1.0, 1.0], [-1.0, 1.0])).reshape(2, 4).T
    middle = np.vstack([corners, [[0.0, 0.0]]])
    firsts = {farthest_first(root_key(s), middle, np.arange(5) < 4, np.array([4]), 1)[0][0] for s in range(40)}
    assert firsts == {0, 1, 2, 3}


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(0, 6), st.sampled_from([np.float32, np.float64]))
def test_nearest_centres_are_kept(seed: int, count: int, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 3)).astype(dtype)
    usable = rng.random(60) < 0.8
    centres = [int(row) for row in rng.choice(60, count, replace=False)]
    usable[centres] = False
    state = Centres(X, usable, np.array(centres, dtype=np.int64), 5)
    for row in rng.choice(np.flatnonzero(usable), 5, replace=False):
        state.add(row)
        centres.append(int(row))
        usable[row] = False
        table = ((X[:, None].astype(float) - X[centres].astype(float)) ** 2).sum(axis=2)
        np.testing.assert_allclose(state.d2[usable], table.min(axis=1)[usable], rtol=1e-5)
        np.testing.assert_array_equal(state.owner[usable], table.argmin(axis=1)[usable])
        assert np.all(state.d2[~usable] == -1.0)


@pytest.mark.parametrize("kind", ["gaussian", "clusters", "sheet"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nearest_centres_by_matrix_products_are_the_nearest(kind: str, dtype: type) -> None:
    X = (rows(kind, 3000, 40, seed=7) + 50.0).astype(dtype)
    X[500:520] = X[:20] + dtype(1e-3)  # distances far shorter than the rows are long
    anchors = np.arange(300)
    state = Centres(X, np.arange(3000) >= 300, anchors, 0)
    table = ((X[300:, None].astype(np.float64) - X[None, :300]) ** 2).sum(axis=2)
    np.testing.assert_allclose(state.d2[300:], table.min(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(state.owner[300:], table.argmin(axis=1))


def test_keyed_order_is_a_uniform_permutation() -> None:
    seen = np.array([keyed_order(key_for(KEY, s), np.arange(6)) for s in range(2000)])
    share = np.array([np.bincount(column, minlength=6) for column in seen.T]) / 2000
    assert np.all(np.abs(share - 1 / 6) < 0.04)
    assert len(np.unique(ranks(tie_seed(KEY), np.arange(100_000)))) == 100_000
    picked = [5, 900, 17, 3]
    assert [*keyed_order(KEY, picked)] == [row for row in keyed_order(KEY, np.arange(1000)) if row in picked]


def test_compiled_ranks_are_the_same() -> None:
    from strongsuit.core.distances import farthest

    values = np.random.default_rng(2).integers(0, 3, 500).astype(float)
    for s in range(20):
        seed = tie_seed(root_key(s))
        assert farthest(values, seed) == first_of_largest(seed, values)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 31))
def test_largest_sorts_by_value_then_key(values: list[int], count: int) -> None:
    numbers = np.arange(len(values)) * 3
    found = largest(KEY, np.array(values, dtype=float), numbers, count)
    order = {row: place for place, row in enumerate(keyed_order(KEY, numbers))}
    assert [*found] == sorted(numbers, key=lambda row: (-values[row // 3], order[row]))[:count]
