"""The stored boundary: right labels, honest probabilities, and no dependence on what must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss
from sklearn.svm import SVC

from strongsuit.core.keys import key_for, root_key
from strongsuit.errors import InputError
from strongsuit.partition.boundary import fit_boundary
from strongsuit.partition.boundary_search import Settings

KEY = root_key(0)


def disc(seed, n, d=2, noise=0.0):
    """Three regimes in the first two of d columns: a disc, and two sides of a wave around it."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1.5, 1.5, (n, d))
    y = np.where((X[:, :2] ** 2).sum(1) < 0.5, 0, np.where(X[:, 0] + 0.5 * np.sin(3 * X[:, 1]) > 0, 1, 2))
    wrong = rng.random(n) < noise
    return X, np.where(wrong, (y + rng.integers(1, 3, n)) % 3, y), y


def fit(X, y, w=None, units=None, key=KEY, **options):
    w = np.ones(len(X)) if w is None else w
    units = np.arange(len(X)) if units is None else units
    return fit_boundary(key, y, X, w, units=units, **options)


INTERVALS = {"crest": (1.0, [0.4, 0.6], [0, 1, 0]), "foam": (0.75, [0.05, 0.5], [0, 1, 2])}


def interval_rows(name, seed, *, n=2_000, flips=0.0):
    top, cuts, names = INTERVALS[name]
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, top, n)
    grid = np.linspace(0, top, 20_001)
    y, truth = (np.array(names)[np.searchsorted(cuts, v)] for v in (x, grid))
    near = np.abs(x[:, None] - cuts).min(1) < 0.02
    count = max(names) + 1
    y = np.where(near & (rng.random(n) < flips), (y + rng.integers(1, count, n)) % count, y)
    return x[:, None], y, grid[:, None], truth, len(cuts)


# ---- probabilities --------------------------------------------------------------------------------------


def test_probabilities_are_calibrated_no_worse_than_those_of_scikit_learn():
    ours, raw, theirs = [], [], []
    for seed in range(3):
        X, y, _ = disc(seed, 600, noise=0.1)
        T, t, _ = disc(seed + 100, 4_000, noise=0.1)
        boundary = fit(X, y, settings=Settings("rbf", 10.0, 0.5))
        ours.append(log_loss(t, boundary.probabilities(T)))
        raw.append(log_loss(t, replace(boundary, temperature=1.0, cap=8.0).probabilities(T)))
        Z, ZT = ((V - X.mean(0)) / X.std(0) for V in (X, T))
        svm = CalibratedClassifierCV(SVC(C=10.0, gamma=0.5), method="temperature", ensemble=False)
        theirs.append(log_loss(t, svm.fit(Z, y).predict_proba(ZT)))
    assert np.mean(ours) <= np.mean(raw)
    assert np.mean(ours) <= np.mean(theirs) + 0.005


@pytest.mark.parametrize("kind", ["auto", "linear", "rbf", "boosted", "active_linear", "active_rbf"])
def test_labels_are_the_most_probable_regimes(kind):
    X, y, _ = disc(0, 700, d=3, noise=0.1)
    boundary = fit(X, y, kind=kind)
    T = np.random.default_rng(1).uniform(-4, 4, (3_000, 3))
    p = boundary.probabilities(T)
    assert kind in (boundary.kind, "auto")
    assert not boundary.degraded and 0.5 < boundary.accuracy <= 1.0
    assert p.shape == (3_000, 3) and (p >= 0).all()
    np.testing.assert_allclose(p.sum(1), 1.0, atol=1e-12)
    np.testing.assert_array_equal(boundary.labels(T), p.argmax(1))
    assert boundary.labels(T[:0]).shape == (0,) and boundary.probabilities(T[:1]).shape == (1, 3)


def test_the_same_key_gives_the_same_bits():
    X, y, _ = disc(3, 600, d=4, noise=0.05)
    for kind in ("auto", "boosted", "active_rbf"):
        first, second = (fit(X, y, kind=kind).probabilities(X) for _ in range(2))
        np.testing.assert_array_equal(first, second)


# ---- accuracy -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", INTERVALS)
@pytest.mark.parametrize("seed", range(6))
def test_sharp_intervals_are_stored_sharply(name, seed):
    X, y, grid, truth, _ = interval_rows(name, seed)
    assert (fit(X, y, key=root_key(seed)).labels(grid) != truth).mean() < 0.003


@pytest.mark.parametrize("name", INTERVALS)
@pytest.mark.parametrize("seed", range(4))
def test_wrong_labels_at_a_cut_make_no_islands(name, seed):
    X, y, grid, truth, cuts = interval_rows(name, seed, flips=0.1)
    labels = fit(X, y, key=root_key(seed)).labels(grid)
    assert np.count_nonzero(np.diff(labels)) == cuts
    assert (labels != truth).mean() < 0.015


def test_sharp_intervals_of_many_rows():
    X, y, grid, truth, cuts = interval_rows("foam", 0, n=12_000)
    labels = fit(X, y).labels(grid)
    assert (labels != truth).mean() < 0.001
    assert np.count_nonzero(np.diff(labels)) == cuts


def test_linear_boundaries_are_stored_as_linear():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(180, 10))
    y = (X @ np.eye(10)[0] > 0).astype(int)
    boundary = fit(X, y)
    T = rng.normal(size=(5_000, 10))
    assert boundary.kind == "linear"
    assert (boundary.labels(T) == (T[:, 0] > 0)).mean() > 0.93


def test_columns_that_do_not_matter_call_for_boosting():
    X, y, _ = disc(5, 1_500, d=8, noise=0.03)
    T, _, truth = disc(6, 5_000, d=8)
    boundary, machine = fit(X, y), fit(X, y, kind="rbf")
    assert boundary.kind == "boosted"
    assert (boundary.labels(T) != truth).mean() < 0.75 * (machine.labels(T) != truth).mean()


def test_chosen_constants_are_nearly_the_best():
    excess = []
    for seed in range(3):
        X, y, _ = disc(seed, 800, noise=0.03)
        T, _, truth = disc(seed + 50, 5_000)
        Z, ZT = ((V - X.mean(0)) / X.std(0) for V in (X, T))
        grid = [(C, gamma) for C in (1, 10, 100) for gamma in (0.15, 0.5, 1.5, 5.0)]
        errors = [(SVC(C=C, gamma=gamma).fit(Z, y).predict(ZT) != truth).mean() for C, gamma in grid]
        excess.append((fit(X, y).labels(T) != truth).mean() - min(errors))
    assert np.mean(excess) < 0.01


def test_more_rows_than_one_machine_can_take():
    X, y, _ = disc(9, 6_000, d=3, noise=0.03)
    T, _, truth = disc(10, 5_000, d=3)
    boundary = fit(X, y)
    full = SVC(C=10.0, gamma=1 / 3).fit(X / X.std(0), y)
    assert [kind for kind, _ in boundary.compared] == ["active_rbf", "boosted"]
    assert boundary.accuracy == dict(boundary.compared)[boundary.kind]
    ours, theirs = (boundary.labels(T) == truth).mean(), (full.predict(T / X.std(0)) == truth).mean()
    assert ours >= theirs


# ---- what must not matter -------------------------------------------------------------------------------------------


@settings(max_examples=6)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["linear", "rbf", "boosted", "active_rbf"]))
def test_order_absent_rows_and_copies_are_immaterial(seed, kind):
    rng = np.random.default_rng(seed)
    X, y, _ = disc(seed, 160, d=2, noise=0.1)
    T = rng.uniform(-2, 2, (300, 2))
    w, units = rng.integers(1, 3, 160).astype(float), np.arange(160) // 2
    expected = fit(X, y, w, units, kind=kind).probabilities(T)
    order = rng.permutation(160)
    np.testing.assert_array_equal(fit(X[order], y[order], w[order], units[order], kind=kind).probabilities(T), expected)
    absent = [
        np.concatenate(pair) for pair in ((X, T[:9]), (y, np.arange(9) % 3), (w, np.zeros(9)), (units, units[:9]))
    ]
    np.testing.assert_array_equal(fit(*absent, kind=kind).probabilities(T), expected)
    twice = np.repeat(np.arange(160), w.astype(int))
    np.testing.assert_array_equal(
        fit(X[twice], y[twice], np.ones(len(twice)), units[twice], kind=kind).probabilities(T), expected
    )


def test_the_scale_of_the_weights_is_immaterial():
    X, y, _ = disc(1, 300, noise=0.1)
    w = np.random.default_rng(1).uniform(0.5, 2, 300)
    a, b = fit(X, y, w), fit(X, y, 1024 * w)
    np.testing.assert_allclose(a.probabilities(X), b.probabilities(X), atol=1e-9)


def test_shift_and_scale_of_columns_are_immaterial():
    X, y, _ = disc(2, 400)
    a, b = fit(X, y), fit(1e6 + 1e3 * X, y)
    assert (a.labels(X) == b.labels(1e6 + 1e3 * X)).mean() > 0.998


def test_constant_columns_leave_the_boundary():
    X, y, _ = disc(3, 300)
    wide = np.column_stack([X[:, 0], np.full(300, 0.1), X[:, 1]])
    plain, boundary = fit(X, y), fit(wide, y)
    assert boundary.scale[1] == 1.0 and list(boundary.weights) == [1.0, 0.0, 1.0]
    assert boundary.settings.gamma == plain.settings.gamma
    moved = wide.copy()
    moved[:, 1] = 1e9
    np.testing.assert_array_equal(boundary.labels(moved), boundary.labels(wide))
    assert (boundary.labels(wide) == plain.labels(X)).mean() > 0.99


def test_standardisation_is_that_of_the_weighted_rows():
    X, y, _ = disc(4, 200)
    w = np.random.default_rng(0).uniform(0, 3, 200)
    boundary = fit(X, y, w, kind="rbf")
    mean = (w[:, None] * X).sum(0) / w.sum()
    np.testing.assert_allclose(boundary.center, mean)
    np.testing.assert_allclose(boundary.scale**2, (w[:, None] * (X - mean) ** 2).sum(0) / w.sum())
    given = fit(X, y, w, kind="rbf", column_scale=np.array([np.nan, 0.5]))
    np.testing.assert_allclose(given.scale, [boundary.scale[0], 2.0])


# ---- units ----------------------------------------------------------------------------------------------------------


def test_copies_in_a_unit_are_no_evidence():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(60, 2)), rng.integers(0, 2, 60)
    many = np.repeat(np.arange(60), 8)
    near = X[many] + 1e-3 * rng.normal(size=(480, 2))
    honest = fit(near, y[many], units=many, kind="rbf")
    fooled = fit(near, y[many], kind="rbf")
    assert fooled.accuracy > 0.9 > 0.7 > honest.accuracy


# ---- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["linear", "rbf", "boosted", "active_rbf"])
def test_settings_spare_the_search(kind):
    X, y, _ = disc(5, 500, noise=0.05)
    first = fit(X, y, kind=kind)
    again = fit(X, y, settings=first.settings)
    assert (again.kind, again.settings.C, again.settings.gamma) == (kind, first.settings.C, first.settings.gamma)
    assert (again.labels(X) == first.labels(X)).mean() > 0.98
    fresh = fit(X, y, settings=replace(first.settings, temperature=None))
    assert fresh.kind == kind and not fresh.degraded
    assert 0.3 < fresh.temperature / first.temperature < 3


def test_settings_of_a_small_table_serve_a_large_one():
    X, y, _ = disc(6, 4_000, noise=0.03)
    small = fit(X[:500], y[:500], kind="rbf")
    large = fit(X, y, settings=small.settings)
    assert large.kind == "active_rbf" and large.settings.gamma == small.settings.gamma


# ---- degenerate rows ------------------------------------------------------------------------------------------------


def test_one_regime_is_certain():
    boundary = fit(np.random.default_rng(0).normal(size=(5, 2)), np.zeros(5, int))
    assert boundary.kind == "one" and boundary.accuracy == 1.0 and not boundary.degraded
    np.testing.assert_array_equal(boundary.probabilities(np.zeros((3, 2))), np.ones((3, 1)))


def test_regimes_without_rows_have_probability_zero():
    X, y, _ = disc(0, 300)
    y = np.where(y == 1, 3, y)
    boundary = fit(X, y)
    p = boundary.probabilities(X)
    assert p.shape == (300, 4) and (p[:, 1] == 0).all()
    np.testing.assert_array_equal(boundary.classes, [0, 1, 2, 3])
    np.testing.assert_array_equal(boundary.labels(X), p.argmax(1))
    only = fit(X, np.full(300, 2))
    np.testing.assert_array_equal(only.probabilities(X[:2]), [[0, 0, 1], [0, 0, 1]])


@pytest.mark.parametrize("kind", ["auto", "linear", "rbf", "boosted"])
def test_a_regime_of_one_row_degrades(kind):
    X, y, _ = disc(1, 80)
    y[y == 0] = 1
    y[17] = 0
    boundary = fit(X, y, kind=kind)
    p = boundary.probabilities(X)
    assert boundary.degraded and np.isnan(boundary.accuracy) and boundary.temperature == 0.0
    assert set(np.unique(p)) == {0.0, 1.0}
    np.testing.assert_array_equal(boundary.labels(X), p.argmax(1))
    assert (boundary.labels(X) == y).mean() > 0.8


@pytest.mark.parametrize("n, d", [(4, 9), (12, 40), (40, 3)])
def test_few_rows_and_many_columns(n, d):
    rng = np.random.default_rng(n)
    X, y = rng.normal(size=(n, d)), np.arange(n) % 2
    boundary = fit(X, y)
    p = boundary.probabilities(rng.normal(size=(20, d)))
    assert np.isfinite(p).all()
    assert boundary.kind == "linear" or d <= n


def test_rows_that_nothing_tells_apart():
    X, y = np.ones((60, 2)), np.arange(60) % 3
    for units in (np.arange(60), np.zeros(60, int)):
        boundary = fit(X, y, units=units)
        assert np.isfinite(boundary.probabilities(X)).all()


@pytest.mark.parametrize("groups", [1, 2, 5])
def test_many_rows_in_few_units(groups):
    X, y, _ = disc(2, 4_000)
    boundary = fit(X, y, units=np.arange(4_000) % groups)
    assert boundary.degraded == (groups == 1)
    assert (boundary.labels(X) == y).mean() > 0.95


def test_labels_without_a_pattern_come_to_an_end():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(250, 3)), rng.integers(0, 3, 250)
    boundary = fit(X, y, settings=Settings("rbf", 1e6, 0.1))
    assert boundary.settings.C < 1e6  # lowered until the solver settled
    assert fit(X, y).accuracy < 0.45


def test_refusals_say_what_to_do():
    X, y, _ = disc(0, 20)
    with pytest.raises(InputError, match="kind must be one of"):
        fit(X, y, kind="cubic")
    with pytest.raises(InputError, match="no positive weight"):
        fit(X, y, np.zeros(20))


def test_keys_matter_little():
    X, y, _ = disc(4, 1_000, noise=0.03)
    T, _, truth = disc(5, 3_000)
    errors = [(fit(X, y, key=key_for(KEY, i)).labels(T) != truth).mean() for i in range(3)]
    assert max(errors) < 0.04


def test_a_rare_regime_is_not_lost_among_many_rows():
    X, y, truth = disc(7, 80_000, noise=0.03)
    far = np.random.default_rng(7).uniform(3.0, 3.2, (40, 2))
    X, y = np.concatenate([X, far]), np.append(y, np.full(40, 3))
    boundary = fit(X, y, settings=Settings("boosted", 30.0, 1.0))
    assert (boundary.labels(far) == 3).all()
    assert (boundary.labels(X[:2_000]) == truth[:2_000]).mean() > 0.99
