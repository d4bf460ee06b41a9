"""Where heads flip: linear ones against plain loops, others against linear ones and against trials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from strongsuit.core import flips
from strongsuit.core import flips_traced as traced
from strongsuit.core.compile import trace_counts
from strongsuit.core.flips import (
    class_anchors,
    farthest_anchor,
    first_flip,
    flip_share,
    nearest_plane,
    safe_directions,
    step_flips,
)
from strongsuit.errors import InputError


def head(seed: int, n: int = 60, p: int = 6, k: int = 4, scale: float = 1.0):
    """W (k, p), c (k,), Z (n, p) and four anchors."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(k, p)) * scale, rng.normal(size=k), rng.normal(size=(n, p)), rng.normal(size=(4, p)) * 2.0


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def gradients(W, logits) -> np.ndarray:
    """sum_c p_c (w_c - w_y) as printed."""
    return softmax(logits, axis=1) @ W - W[logits.argmax(axis=1)]


heads = st.builds(
    head, st.integers(0, 10**6), st.integers(5, 60), st.integers(1, 12), st.integers(2, 7), st.sampled_from([0.3, 1, 4])
)


@pytest.mark.parametrize("gap", [0.0, 1e-300, 1e-9, 1.0, 1e3])
def test_directions_are_finite_at_every_logit_gap(gap: float) -> None:
    W = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 2.0], [0.0, 0.0, 3.0]])
    logits = np.array([[gap, 0.0, -1.0], [0.0, gap, -2000.0], [0.0, 0.0, gap]])
    U = safe_directions(W, logits)
    np.testing.assert_allclose(np.linalg.norm(U, axis=1), 1.0)
    np.testing.assert_allclose(U[0], unit(softmax([0.0, -1.0]) @ (W[[1, 2]] - W[0])))
    if gap > 0.0:
        np.testing.assert_allclose(U[1], unit(W[0] - W[1]))
        np.testing.assert_allclose(U[2], unit(W[:2].mean(axis=0) - W[2]))
    s = first_flip(W, logits[0], np.zeros((1, 3)), U[:1])
    assert np.isfinite(s[0]) and (s[0] > 0.0) == (gap > 0.0)


def test_the_printed_gradient_fails_where_the_safe_direction_does_not() -> None:
    W, logits = np.eye(2), np.array([[1e3, 0.0]])
    assert not gradients(W, logits).any()
    np.testing.assert_allclose(safe_directions(W, logits), unit(np.array([[-1.0, 1.0]])))


def test_equal_weights_give_no_direction_and_no_flip() -> None:
    rng = np.random.default_rng(0)
    w, Z, anchors = rng.normal(size=5) / 3.0, rng.normal(size=(40, 5)), rng.normal(size=(2, 5))
    for k in (1, 2, 3, 7):
        W, c = np.tile(w, (k, 1)), rng.normal(size=k)
        for offsets in (c, np.zeros(k)):
            assert not safe_directions(W, Z @ W.T + offsets).any()
            assert np.all(np.isinf(flip_share(W, offsets, Z, anchors))) and np.all(
                np.isinf(nearest_plane(W, offsets, Z))
            )
    # A twin of the largest class neither hides the way to the third, however far that is, nor is a flip.
    W = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    U = safe_directions(W, np.array([[500.0, 500.0, -500.0]]))
    np.testing.assert_allclose(U, unit(np.array([[-1.0, 1.0]])))
    np.testing.assert_allclose(
        first_flip(W, np.zeros(3), np.array([[2.0, 0.0]]), unit(np.array([[-1.0, 1.0]]))), 2**0.5
    )
    # Two planes that pull opposite ways cancel: a true saddle.
    cross = np.array([[0.0, 0.0], [1 / 3, 0.1], [-1 / 3, -0.1]])
    assert not safe_directions(cross, np.array([[1.0, 0.1, 0.1]])).any()


@settings(max_examples=30)
@given(heads, st.floats(-12, 12))
def test_units_and_common_parts_of_the_weights_decide_nothing(case, power: float) -> None:
    W, c, Z, anchors = case
    e, near, size = flip_share(W, c, Z, anchors), nearest_plane(W, c, Z), 10.0 ** (10 * power)
    np.testing.assert_allclose(flip_share(W / size, c, Z * size, anchors * size), e, rtol=1e-6)
    np.testing.assert_allclose(nearest_plane(W / size, c, Z * size) / size, near, rtol=1e-6)
    np.testing.assert_allclose(flip_share(W + 8.0, c + 5.0, Z, anchors), e, rtol=1e-6)


@settings(max_examples=40)
@given(heads, st.sampled_from([0.0, 1e-12, 1e-11, 1e-7, 1e-3]))
def test_the_short_way_to_the_share_is_the_long_one(case, off: float) -> None:
    W, c, Z, anchors = case
    # Two planes that pull nearly opposite ways, and rows for which both are equally far.
    across = unit(W[1] - W[0])
    even = np.vstack([W[0], 2.0 * W[0] - W[1] + off * W[-1], W[1]]), np.array([50.0, 0.0, 0.0])
    level = Z - np.outer(Z @ across, across)
    # A class whose weights are nearly another's: products of weights alone have lost their difference.
    near = np.vstack([W, W[0] + off * W[1]]), np.append(c, c[0] + 0.1 * off)
    for rows, weights, offsets in ((Z, W, c), (level, *even), (Z, *near)):
        U = safe_directions(weights, rows @ weights.T + offsets)
        long = first_flip(weights, offsets, rows, U) / farthest_anchor(rows, anchors)
        np.testing.assert_allclose(flip_share(weights, offsets, rows, anchors), long, rtol=1e-6)


@settings(max_examples=30)
@given(heads, st.integers(0, 10**6))
def test_flips_and_planes_are_where_a_plain_loop_finds_them(case, seed: int) -> None:
    W, c, Z, _ = case
    U = unit(np.random.default_rng(seed).normal(size=Z.shape))
    s, near = first_flip(W, c, Z, U), nearest_plane(W, c, Z)
    for z, u, first, least in zip(Z, U, s, near, strict=True):
        f = W @ z + c
        y = f.argmax()
        others = [o for o in range(len(f)) if o != y]
        planes = [(f[y] - f[o]) / np.linalg.norm(W[y] - W[o]) for o in others]
        assert least == pytest.approx(min(planes))
        gains = [(W[o] - W[y]) @ u for o in others]
        assert first == pytest.approx(
            min([(f[y] - f[o]) / g for o, g in zip(others, gains, strict=True) if g > 1e-9] or [np.inf])
        )
        assert first >= least * (1.0 - 1e-9)
        if np.isfinite(first):
            assert (W @ (z + first * 1.001 * u) + c).argmax() != y or first < 1e-9
            assert (W @ (z + first * 0.999 * u) + c).argmax() == y


def test_classes_that_were_never_seen_count_for_nothing() -> None:
    W, c, Z, anchors = head(7, k=3)
    seen = np.array([True, False, True, True, False])
    wide, offsets = np.full((5, 6), np.nan), np.full(5, np.nan)
    wide[seen], offsets[seen] = W, c
    np.testing.assert_array_equal(flip_share(wide, offsets, Z, anchors, seen=seen), flip_share(W, c, Z, anchors))
    np.testing.assert_array_equal(nearest_plane(wide, offsets, Z, seen=seen), nearest_plane(W, c, Z))
    U = safe_directions(W, Z @ W.T + c)
    logits = np.full((60, 5), np.nan)
    logits[:, seen] = Z @ W.T + c
    np.testing.assert_array_equal(safe_directions(wide, logits, seen=seen), U)
    np.testing.assert_array_equal(first_flip(wide, offsets, Z, U, seen=seen), first_flip(W, c, Z, U))
    np.testing.assert_array_equal(
        step_flips(wide, offsets, Z, anchors, 0.2, seen=seen), step_flips(W, c, Z, anchors, 0.2)
    )
    # Probability 0 says the same as the mask.
    never = np.where(seen, np.nan_to_num(offsets), -np.inf)
    np.testing.assert_array_equal(flip_share(np.nan_to_num(wide), never, Z, anchors), flip_share(W, c, Z, anchors))


def test_chunks_are_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    W, c, Z, anchors = head(12, n=100)
    U = safe_directions(W, Z @ W.T + c)

    def all_of_them() -> tuple:
        return flip_share(W, c, Z, anchors), nearest_plane(W, c, Z), first_flip(W, c, Z, U), U

    whole = all_of_them()
    monkeypatch.setattr(flips, "_NUMBERS", 70)
    for one, other in zip(whole, all_of_them(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_order_of_classes_decides_nothing() -> None:
    W, c, Z, anchors = head(8)
    order = np.array([2, 0, 3, 1])
    np.testing.assert_allclose(flip_share(W[order], c[order], Z, anchors), flip_share(W, c, Z, anchors), rtol=1e-12)


def test_no_anchor_one_anchor_and_rows_that_are_not_finite() -> None:
    W, c, Z, anchors = head(10)
    assert np.all(np.isinf(flip_share(W, c, Z, anchors[:0])))
    assert np.isinf(flip_share(W, c, Z, Z[:1])[0]) and np.isfinite(flip_share(W, c, Z, Z[:1])[1:]).all()
    e = flip_share(W, c, Z, anchors)
    Z[3, 1], Z[5, 0] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        found = flip_share(W, c, Z, anchors)
    assert set(np.flatnonzero(~np.isfinite(found))) >= {3, 5} and np.isnan(found[3])
    np.testing.assert_array_equal(np.delete(found, [3, 5]), np.delete(e, [3, 5]))
    assert np.isnan(nearest_plane(W, c, Z)[3])


def test_equal_rows_flip_at_the_same_place_wherever_they_stand() -> None:
    W, c, Z, anchors = head(11, n=1, p=128, k=10)
    for n in (2, 7, 41):
        same = np.repeat(Z, n, axis=0)
        assert len(set(flip_share(W, c, same, anchors @ np.zeros((128, 128)) + 1.0))) == 1
        assert len(set(nearest_plane(W, c, same))) == 1


def test_the_farthest_of_anchors_that_float32_cannot_tell_apart_is_the_farthest() -> None:
    rng = np.random.default_rng(3)
    Z, one = rng.normal(size=(50, 9)), rng.normal(size=9) * 1e6
    for off in (1e-3, 1.0, 1e30):
        anchors = np.vstack([one + off * rng.normal(size=(6, 9)), -one])
        exact = np.array([np.linalg.norm(anchors - z, axis=1).max() for z in Z])
        np.testing.assert_allclose(farthest_anchor(Z, anchors), exact, rtol=1e-14)


def test_anchors_are_the_means_of_the_classes_with_labels() -> None:
    rng = np.random.default_rng(1)
    Z, labels = rng.normal(size=(9, 2)), np.array([4, -1, 0, 0, -1, 4, 4, 2, 2])
    Z[7] = np.nan
    expected = [Z[[2, 3]].mean(axis=0), Z[8], Z[[0, 5, 6]].mean(axis=0)]
    np.testing.assert_allclose(class_anchors(Z, labels), expected)
    assert class_anchors(Z, np.full(9, -1)).shape == (0, 2)


@pytest.mark.parametrize("step", ["exact", "sign"])
def test_steps_for_study_flip_what_a_plain_loop_flips(step: str) -> None:
    W, c, Z, anchors = head(4, n=200)
    logits, expected = Z @ W.T + c, np.zeros(200, dtype=bool)
    for row, g in enumerate(gradients(W, logits)):
        for d in anchors - Z[row]:
            a = 0.4 * d * g / np.linalg.norm(d * g) if step == "exact" else 0.4 * (d * g > 0)
            expected[row] |= (W @ (Z[row] + a * d) + c).argmax() != logits[row].argmax()
    found = step_flips(W, c, Z, anchors, 0.4, step=step)
    np.testing.assert_array_equal(found, expected)
    assert 10 < found.sum() < 190
    with pytest.raises(InputError, match="step must be"):
        step_flips(W, c, Z, anchors, 0.4, step="learned")


def linear(params, z):
    W, c = params
    return W @ z + c


def curved(params, z):
    A, W, c = params
    import jax.numpy as jnp

    return W @ jnp.tanh(A @ z) + c


def network(seed: int, n: int = 70, p: int = 5, k: int = 4):
    """Float32 parameters of `curved`, rows and anchors."""
    rng = np.random.default_rng(seed)
    params = (rng.normal(size=(8, p)) * 0.6, rng.normal(size=(k, 8)), rng.normal(size=k))
    params = tuple(one.astype(np.float32) for one in params)
    return params, rng.normal(size=(n, p)), rng.normal(size=(3, p)) * 2.0


def answer(params, z) -> np.ndarray:
    A, W, c = (one.astype(float) for one in params)
    return W @ np.tanh(A @ z) + c


def slopes(params, z) -> np.ndarray:
    """Derivatives (k, p) of `curved`."""
    A, W, _ = (one.astype(float) for one in params)
    return (W * (1.0 - np.tanh(A @ z) ** 2)) @ A


def uphill(params, z, y) -> np.ndarray:
    """The gradient of logsumexp of the others minus f_y."""
    f, J = answer(params, z), slopes(params, z)
    others = np.delete(np.arange(len(f)), y)
    return softmax(f[others]) @ J[others] - J[y]


def test_traced_directions_planes_and_trials_of_a_linear_head_are_the_exact_ones() -> None:
    W, c, Z, anchors = (one.astype(np.float32) for one in head(1, n=300))
    exact = flip_share(W, c, Z, anchors)
    U = traced.directions(linear, (W, c), Z)
    np.testing.assert_allclose(U, safe_directions(W, Z @ W.T + c), atol=2e-5)
    distance, flipped = traced.deepfool(linear, (W, c), Z)
    assert flipped.all()
    np.testing.assert_allclose(distance, nearest_plane(W, c, Z), rtol=1e-4, atol=1e-5)
    for cap in (0.2, 0.06):
        e = traced.flip_share_traced(linear, (W, c), Z, anchors, cap=cap)
        reach, last = np.minimum(exact * 6**0.5, 1.0), int(np.ceil(1.0 / cap)) - 1
        clear = np.abs(reach / cap - np.round(reach / cap)) > 1e-3  # a trial in float32 cannot tell the others
        assert clear.sum() > 280
        for i in range(1, last + 1):
            np.testing.assert_array_equal((e * 6**0.5 < i * cap)[clear], (reach < i * cap)[clear])


def test_traced_directions_and_trials_of_a_curved_head_are_a_plain_loop() -> None:
    params, Z, anchors = network(2)
    U, e = traced.directions(curved, params, Z), traced.flip_share_traced(curved, params, Z, anchors)
    first = np.full(len(Z), np.inf)
    for row, z in enumerate(Z):
        y = answer(params, z).argmax()
        u = unit(uphill(params, z, y))
        np.testing.assert_allclose(U[row], u, atol=1e-4)
        for i in (4, 3, 2, 1):
            moves = [i * 0.2 / 5**0.5 * np.linalg.norm(anchor - z) * u for anchor in anchors]
            if any(answer(params, z + move).argmax() != y for move in moves):
                first[row] = i
    np.testing.assert_allclose(e, (first - 0.5) * 0.2 / 5**0.5)
    assert len(set(first)) > 3


def test_deepfool_and_bim_of_a_curved_head_are_plain_loops() -> None:
    params, Z, _ = network(3, n=40)
    far, fooled = traced.deepfool(curved, params, Z)
    size, flipped = traced.bim(curved, params, Z)
    for row, z in enumerate(Z):
        y, eta, steps = answer(params, z).argmax(), np.zeros(5), 0
        while answer(params, z + 1.02 * eta).argmax() == y and steps < 50:
            f, J = answer(params, z + 1.02 * eta), slopes(params, z + 1.02 * eta)
            moves = [(f[y] - f[o]) / np.sum((J[o] - J[y]) ** 2) * (J[o] - J[y]) for o in range(4) if o != y]
            eta, steps = eta + min(moves, key=np.linalg.norm), steps + 1
        assert fooled[row] == (steps < 50)
        if steps < 50:
            assert far[row] == pytest.approx(np.linalg.norm(eta), rel=1e-2)
        eta, steps = np.zeros(5), 0
        while answer(params, z + eta).argmax() == y and steps < 50:
            eta, steps = eta + 0.05 * np.sign(uphill(params, z + eta, y)), steps + 1
        assert flipped[row] == (steps < 50)
        assert size[row] == pytest.approx(np.linalg.norm(eta), rel=1e-3) or not flipped[row]
    assert fooled.sum() > 20 and flipped.sum() > 20


def test_a_head_that_turns_back_is_tried_at_every_anchor() -> None:
    def bump(params, z):
        import jax.numpy as jnp

        return jnp.array([0.0, 0.5 - (z[0] - 1.0) ** 2])  # class 1 only between 0.29 and 1.71

    Z, far, near = np.zeros((1, 1)), np.array([[-10.0]]), np.array([[5.0]])
    assert np.isinf(traced.flip_share_traced(bump, (), Z, far))
    assert traced.flip_share_traced(bump, (), Z, np.vstack([far, near])) == pytest.approx(0.1)


def test_a_sure_head_does_not_make_directions_and_signs_underflow() -> None:
    W, c = np.eye(3, dtype=np.float32), np.array([1e3, 0.0, -1.0], np.float32)
    Z = np.zeros((2, 3))
    U = traced.directions(linear, (W, c), Z)
    np.testing.assert_allclose(U, safe_directions(W, np.tile(c, (2, 1))), atol=1e-6)
    size, flipped = traced.bim(linear, (W, c), Z, steps=7)
    assert not flipped.any() and np.allclose(size, 7 * 0.05 * 3**0.5)
    tie, over = traced.deepfool(linear, (W, np.zeros(3, np.float32)), Z)
    assert over.all() and np.all(tie < 1e-5)


def test_masks_chunks_and_other_parameters_compile_nothing_new(monkeypatch: pytest.MonkeyPatch) -> None:
    params, Z, anchors = network(5, n=150)
    seen = np.array([True, True, False, True])
    less = (params[0], params[1][seen], params[2][seen])
    runs = {
        "directions": lambda *a, **o: traced.directions(curved, *a, **o),
        "trials": lambda p, Z, **o: traced.flip_share_traced(curved, p, Z, anchors, **o),
        "deepfool": lambda *a, **o: traced.deepfool(curved, *a, **o)[0],
        "bim": lambda *a, **o: traced.bim(curved, *a, **o)[0],
    }
    for run in runs.values():
        np.testing.assert_allclose(run(params, Z, seen=seen), run(less, Z), rtol=1e-3, atol=1e-4)
        whole = run(params, Z)
        before = trace_counts()
        run(network(6)[0], Z, seen=~seen)
        assert trace_counts() == before
        with monkeypatch.context() as patch:
            patch.setattr(traced, "ROWS", 64)
            np.testing.assert_allclose(run(params, Z), whole, rtol=1e-5, atol=1e-6)


def test_one_class_and_no_anchors_give_no_flip() -> None:
    params, Z, anchors = network(7, n=4)
    only = np.arange(4) == 2
    assert not traced.directions(curved, params, Z, seen=only).any()
    assert np.all(np.isinf(traced.flip_share_traced(curved, params, Z, anchors, seen=only)))
    assert np.all(np.isinf(traced.flip_share_traced(curved, params, Z, anchors[:0])))
    for attack in (traced.deepfool, traced.bim):
        size, flipped = attack(curved, params, Z, seen=only)
        assert not flipped.any() and not size.any()
