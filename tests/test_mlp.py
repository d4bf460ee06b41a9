"""Networks against a plain NumPy reference, and what their one executable must serve."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongsuit.core import fit_many, fit_one, predict_one, refine_many, root_key
from strongsuit.core.compile import trace_counts
from strongsuit.core.keys import key_for
from strongsuit.core.learner import can_refine, embed_many, join
from strongsuit.core.network import blocked, shuffle
from strongsuit.errors import InputError
from strongsuit.learners import MLP
from strongsuit.learners.minibatch import FINAL_RATE

PLAIN = MLP(widths=(16,), batch="full", choose_decay=False, weight_decay=0.01, epochs=30, least_steps=1)


def rows(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1.0, 30.0, 0.2] + [0.0, 100.0, 5.0]
    return X, np.stack([np.sin(2 * X[:, 0]) + X[:, 1] / 30, X[:, 0] * X[:, 2]], axis=1)


def reference(params, X: np.ndarray, y: np.ndarray, w: np.ndarray, epochs: int, rate: float, decay: float):
    """The layers after full-batch AdamW with a cosine schedule, in float64."""
    Z, t = (X - np.average(X, axis=0, weights=w)), (y - np.average(y, axis=0, weights=w))
    Z, t = (A / np.sqrt(np.average(A**2, axis=0, weights=w)) for A in (Z, t))
    theta = [np.asarray(leaf, float) for leaf in jax.tree.leaves(params.layers)]
    first, second = [0.0 * leaf for leaf in theta], [0.0 * leaf for leaf in theta]
    for step in range(epochs):
        A1, b1, A2, b2 = theta
        h = np.tanh(Z @ A1.T + b1.T)
        g = 2.0 * (h @ A2.T + b2.T - t) * w[:, None] / w.sum() / t.shape[1]
        back = (g @ A2) * (1 - h**2)
        slope = [back.T @ Z, back.sum(0)[:, None], g.T @ h, g.sum(0)[:, None]]
        speed = rate * (FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + np.cos(np.pi * step / epochs)))
        first = [0.9 * m + 0.1 * s for m, s in zip(first, slope, strict=True)]
        second = [0.999 * v + 0.001 * s**2 for v, s in zip(second, slope, strict=True)]
        c1, c2 = 1 - 0.9 ** (step + 1), 1 - 0.999 ** (step + 1)
        theta = [
            p - speed * (m / c1 / (np.sqrt(v / c2) + 1e-8) + decay * p)
            for p, m, v in zip(theta, first, second, strict=True)
        ]
    return theta


@pytest.mark.parametrize("n", [20, 128, 200])
def test_full_batch_training_is_adamw_on_the_standardised_rows(n: int) -> None:
    X, y = rows(n)
    w = np.random.default_rng(1).uniform(0.5, 2.0, n)
    start = fit_one(replace(PLAIN, epochs=0), root_key(0), X, y, w)
    found = fit_one(PLAIN, root_key(0), X, y, w)
    expected = reference(start, X, y, w, 30, PLAIN.learning_rate, 0.01)
    for mine, theirs in zip(jax.tree.leaves(found.layers), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-3, atol=2e-4)


def test_predictions_undo_the_scaling_and_embeddings_are_the_last_hidden_layer() -> None:
    X, y = rows(50)
    params = fit_one(PLAIN, root_key(0), X, y, np.ones(50))
    A1, b1, A2, b2 = (np.asarray(leaf) for leaf in jax.tree.leaves(params.layers))
    h = np.tanh((X - X.mean(0)) / X.std(0) @ A1.T + b1.T)
    out = (h @ A2.T + b2.T) * y.std(0) + y.mean(0)
    np.testing.assert_allclose(predict_one(PLAIN, params, X).mean, out, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(embed_many(PLAIN, join([params]), X)[0], h, rtol=1e-3, atol=1e-3)


def test_one_executable_serves_every_row_and_step_count_and_rate() -> None:
    fit_one(PLAIN, root_key(0), *rows(50), np.ones(50))
    before = trace_counts()["fit_many"]
    for n, epochs in [(10, 1), (127, 5), (1500, 2), (4096, 1)]:
        learner = replace(PLAIN, epochs=epochs, learning_rate=1e-3 * epochs, weight_decay=0.1)
        fit_one(learner, root_key(n), *rows(n), np.ones(n))
    assert trace_counts()["fit_many"] == before


def test_three_and_four_models_share_an_executable() -> None:
    X, y = rows(40)
    keys = [key_for(root_key(0), i) for i in range(4)]
    four = fit_many(PLAIN, keys, X, y, np.ones((4, 40)))
    before = trace_counts()["fit_many"]
    three = fit_many(PLAIN, keys[:3], X, y, np.ones((3, 40)))
    assert trace_counts()["fit_many"] == before
    for one, other in zip(jax.tree.leaves(three), jax.tree.leaves(four), strict=True):
        assert len(one) == 3
        np.testing.assert_array_equal(one, other[:3])


def test_refining_continues_and_touches_no_model_without_rows() -> None:
    X, y = rows(200)
    learner = MLP(widths=(16,), choose_decay=False, weight_decay=0.0, learning_rate=3e-3)
    assert can_refine(learner)
    W = np.zeros((2, 200))
    W[0, :150] = 1.0
    start = fit_many(replace(learner, epochs=0), [root_key(0), root_key(1)], X, y, np.ones((2, 200)))
    params = start
    for turn in range(20):
        params = refine_many(learner, [root_key(turn), root_key(turn + 50)], params, X, y, W)
    assert params.adam.count[0] == 20 * 5  # 150 rows make five batches of at most 32
    idle = jax.tree.map(lambda leaf: leaf[1], (params.layers, start.layers))
    for one, other in zip(jax.tree.leaves(idle[0]), jax.tree.leaves(idle[1]), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(params.scaling.y_mean, start.scaling.y_mean)


def test_a_default_network_learns_a_smooth_law_and_beats_noise() -> None:
    X, y = rows(400)
    w = np.ones(400)
    w[300:] = 0.0
    found = predict_one(MLP(), fit_one(MLP(), root_key(0), X, y, w), X[300:]).mean
    assert np.all(np.mean((found - y[300:]) ** 2, axis=0) < 0.02 * y.var(axis=0))
    noise = np.random.default_rng(0).normal(size=(400, 1))
    found = predict_one(MLP(), fit_one(MLP(), root_key(0), X, noise, w), X[300:]).mean
    assert np.mean((found - noise[300:]) ** 2) < 1.6


def test_a_chosen_scale_finds_a_fast_wave_and_leaves_a_slow_one_smooth() -> None:
    X = np.random.default_rng(0).uniform(-1, 1, (400, 1))
    w, errors = np.ones(400), {}
    for speed in (40.0, 2.0):
        y = np.sin(speed * X)
        for chosen in (False, True):
            learner = MLP(choose_scale=chosen)
            found = predict_one(learner, fit_one(learner, root_key(0), X, y, w), X).mean
            errors[speed, chosen] = np.mean((found - y) ** 2) / y.var()
    assert errors[40.0, True] < 0.7 < 0.9 < errors[40.0, False]
    assert errors[2.0, True] < 1.5 * errors[2.0, False] + 1e-4


def test_early_stopping_keeps_the_best_weights() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 8)), rng.normal(size=(60, 1))
    learner = MLP(choose_decay=False, weight_decay=0.0, early_stopping=True, patience=3)
    stopped = fit_one(learner, root_key(0), X, y, np.ones(60))
    to_the_end = fit_one(replace(learner, early_stopping=False), root_key(0), X, y, np.ones(60))
    assert stopped.adam.count < 0.5 * to_the_end.adam.count


@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_a_shuffle_is_a_permutation(n: int, seed: int) -> None:
    places = shuffle(jnp.uint32(seed), jnp.arange(n), jnp.int32(n))
    assert sorted(np.asarray(places).tolist()) == list(range(n))


def test_shuffles_send_every_row_everywhere() -> None:
    n, draws = 16, 4000
    seeds = jnp.asarray(np.random.default_rng(0).integers(0, 2**32, draws), jnp.uint32)
    places = np.asarray(jax.vmap(lambda seed: shuffle(seed, jnp.arange(n), n, rounds=24))(seeds))
    counts = np.stack([np.bincount(places[:, i], minlength=n) for i in range(n)])
    statistic = ((counts - draws / n) ** 2 / (draws / n)).sum(axis=1)
    assert statistic.max() < 50.0  # chi-square with 15 degrees of freedom: 37.7 at 0.1 %
    pairs = np.mean(places[:, 0] < places[:, 1])
    assert abs(pairs - 0.5) < 0.04


@pytest.mark.parametrize("n", [0, 1, 31, 32, 127, 128, 129, 300])
def test_blocks_cover_every_row_once(n: int) -> None:
    seen = jnp.zeros(600)

    def mark(start, size):
        place = start + jnp.arange(size)
        return seen.at[place].add(1.0)

    found = np.asarray(blocked(mark, seen, jnp.int32(n)))
    assert np.all(found[:n] == 1.0) and found[n:].sum() < 32


def test_bad_settings_are_named() -> None:
    for settings_, words in [
        ({"activation": "sign"}, "activation must be one of tanh, relu, gelu"),
        ({"batch": "half"}, "batch must be 'auto', 'full' or a number"),
        ({"widths": ()}, "widths must be positive"),
        ({"choose_scale": True, "choose_decay": False}, "choose_scale is part of the trials of choose_decay"),
    ]:
        with pytest.raises(InputError, match=words):
            MLP(**settings_)


def test_a_table_of_the_published_comparison(data_folder) -> None:
    table = np.genfromtxt(data_folder / "regression" / "concrete_strength.csv", delimiter=",", skip_header=1)
    X, y = table[:, :-1], table[:, -1:]
    order = np.random.default_rng(7).permutation(len(X))
    w = np.zeros(len(X))
    w[order[: int(0.8 * len(X))]] = 1.0
    error = predict_one(MLP(), fit_one(MLP(), root_key(0), X, y, w), X).mean - y
    assert np.mean(error[w == 0] ** 2) < 0.12 * y[w > 0].var()
