"""Networks beside a committee: dropout's variance and predicted losses against plain NumPy."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongsuit.core import fit_one, predict_one, root_key
from strongsuit.core.compile import door, trace_counts
from strongsuit.core.learner import resume_one
from strongsuit.errors import InputError
from strongsuit.learners import GP, MLP, DropoutMLP, LossMLP
from strongsuit.learners.loss_net import FREE, pair_loss
from strongsuit.testing import check_learner

SHORT = {"epochs": 40, "least_steps": 40}
DROPOUT = DropoutMLP(widths=(8, 5), **SHORT)
LOSS = LossMLP(widths=(8, 5), **SHORT)
SHUFFLED = {"weights": "mini-batches are drawn from rows, so a row of weight 2 is seen once, not twice"}


def rows(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1.0, 30.0, 0.2] + [0.0, 100.0, 5.0]
    return X, np.stack([np.sin(2 * X[:, 0]) + X[:, 1] / 30, 7 * X[:, 0] * X[:, 2]], axis=1)


@pytest.mark.parametrize("learner", [DROPOUT, LOSS], ids=["dropout", "loss"])
def test_they_keep_the_contract_of_learners(learner) -> None:
    outcome = check_learner(learner, tolerance=1e-5, exceptions=SHUFFLED)
    assert all(outcome[check] == "kept" for check in outcome.keys() - SHUFFLED.keys())


@pytest.mark.parametrize("learner", [DROPOUT, LOSS], ids=["dropout", "loss"])
def test_rows_of_weight_zero_change_no_bit(learner) -> None:
    X, y = rows(40)
    place = np.sort(np.random.default_rng(1).permutation(90)[:40])
    wide_X, wide_y, w = np.full((90, 3), 1e3), np.full((90, 2), -1e3), np.zeros(90)
    wide_X[place], wide_y[place], w[place] = X, y, 1.0
    found = predict_one(learner, fit_one(learner, root_key(0), X, y, np.ones(40)), X)
    padded = predict_one(learner, fit_one(learner, root_key(0), wide_X, wide_y, w), X)
    np.testing.assert_array_equal(found.mean, padded.mean)
    np.testing.assert_array_equal(found.variance, padded.variance)


@pytest.mark.parametrize("learner", [DROPOUT, LOSS], ids=["dropout", "loss"])
def test_one_executable_serves_every_row_and_step_count_and_rate(learner) -> None:
    fit_one(learner, root_key(0), *rows(50), np.ones(50))
    before = trace_counts()["fit_many"]
    for n, epochs in [(10, 1), (127, 5), (1500, 2)]:
        other = replace(learner, epochs=epochs, learning_rate=1e-3 * epochs, weight_decay=0.2, most_steps=100.0)
        fit_one(other, root_key(n), *rows(n), np.ones(n))
    assert trace_counts()["fit_many"] == before


def test_dropout_variance_is_that_of_the_thinned_networks() -> None:
    X, y = rows(60)
    params = fit_one(DROPOUT, root_key(0), X, y, np.ones(60))
    assert params.kept.shape == (25, 13) and params.kept.dtype == bool
    layers = [np.asarray(leaf, float) for leaf in jax.tree.leaves(params.layers)]
    answers = []
    for kept in params.kept:
        h = ((X - X.mean(0)) / X.std(0)).T
        for W, b, stays in zip(layers[:-2:2], layers[1:-2:2], (kept[:8], kept[8:]), strict=True):
            h = np.maximum(W @ h + b, 0.0) * stays[:, None] / 0.5
        answers.append((layers[-2] @ h + layers[-1]).T * y.std(0) + y.mean(0))
    found = predict_one(DROPOUT, params, X)
    np.testing.assert_allclose(found.mean, np.mean(answers, axis=0), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.variance, np.var(answers, axis=0), rtol=2e-3, atol=1e-5)


def test_a_row_has_one_variance_wherever_it_stands() -> None:
    X, y = rows(60)
    params = fit_one(DROPOUT, root_key(0), X, y, np.ones(60))
    found = predict_one(DROPOUT, params, X).variance
    np.testing.assert_allclose(predict_one(DROPOUT, params, X[::-1]).variance, found[::-1], rtol=1e-5)
    np.testing.assert_allclose(predict_one(DROPOUT, params, X[7:8]).variance, found[7:8], rtol=1e-5)


def test_half_of_the_units_are_kept_and_each_key_keeps_others() -> None:
    X, y = rows(20)
    wide = DropoutMLP(widths=(200,), epochs=1, least_steps=1)
    one, other = (fit_one(wide, root_key(seed), X, y, np.ones(20)).kept for seed in (0, 1))
    assert abs(one.mean() - 0.5) < 4 * 0.5 / (25 * 200) ** 0.5
    assert abs((one == other).mean() - 0.5) < 4 * 0.5 / (25 * 200) ** 0.5
    rare = fit_one(replace(wide, dropout=0.1), root_key(0), X, y, np.ones(20)).kept
    assert abs(rare.mean() - 0.9) < 4 * 0.3 / (25 * 200) ** 0.5


def test_dropout_learns_and_is_less_sure_away_from_the_rows() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(200, 1))
    params = fit_one(DropoutMLP(), root_key(0), X, 2 * X + 1, np.ones(200))
    inside = np.linspace(-1, 1, 50)[:, None]
    near, far = (predict_one(DropoutMLP(), params, rows) for rows in (inside, 4 + inside))
    assert np.mean((near.mean - (2 * inside + 1)) ** 2) < 0.05 * np.var(2 * inside)
    assert far.variance.min() > 2 * near.variance.mean()


def plain_pair_loss(said, losses, w) -> float:
    pairs = len(said) // 2
    terms = [
        w[i] * w[i + pairs] * max(0.0, 1.0 - np.sign(losses[i] - losses[i + pairs]) * (said[i] - said[i + pairs]))
        for i in range(pairs)
    ]
    return sum(terms) / max(pairs, 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 16))
def test_pairs_are_ranked_by_a_hinge(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    said, losses, w = (np.zeros(16, np.float32) for _ in range(3))
    said[:count], losses[:count] = rng.normal(size=count), rng.exponential(size=count)
    w[:count] = rng.uniform(0.5, 2.0, count)
    found = pair_loss(jnp.asarray(said), jnp.asarray(losses), jnp.asarray(w / max(count, 1)))
    assert float(found) == pytest.approx(plain_pair_loss(said[:count], losses[:count], w[:count]), abs=1e-5)


def test_the_head_says_the_sum_of_what_it_sees_in_each_layer() -> None:
    X, y = rows(60)
    params = fit_one(LOSS, root_key(0), X, y, np.ones(60))
    h, said = ((X - X.mean(0)) / X.std(0)).T, 0.0
    for (W, b), ((A, a), (B, c)) in zip(params.body[:-1], params.head, strict=True):
        assert A.shape == (128, len(W))
        h = np.tanh(W @ h + b)
        said = said + (B @ np.maximum(A @ h + a, 0.0) + c)[0]
    found = predict_one(LOSS, params, X)
    np.testing.assert_allclose(found.variance, np.log1p(np.exp(said))[:, None] * y.var(0), rtol=2e-3)
    W, b = params.body[-1]
    np.testing.assert_allclose(found.mean, (W @ h + b).T * y.std(0) + y.mean(0), rtol=1e-3, atol=2e-3)


def test_the_head_moves_the_body_in_the_first_steps_only() -> None:
    X, y = rows(32)
    params = fit_one(LOSS, root_key(0), X, y, np.ones(32))
    x, target = jnp.asarray(X.T, jnp.float32), jnp.asarray(y.T, jnp.float32)
    share = jnp.full(32, 1 / 32, jnp.float32)

    @door
    def slopes(free):
        return jax.grad(LOSS._loss)((params.body, params.head), params.scaling.inputs(x.T).T, target, share, free)

    def alone(body):
        output, _ = LOSS._both(body, params.head, params.scaling.inputs(x.T).T, False)
        return jnp.sum(share * jnp.mean((output - target) ** 2, axis=0))

    (bound, head), (moved, same) = slopes(False), slopes(True)
    for mine, theirs in zip(jax.tree.leaves(bound), jax.tree.leaves(door(jax.grad(alone))(params.body)), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    for mine, theirs in zip(jax.tree.leaves(head), jax.tree.leaves(same), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    assert not np.allclose(bound[0][0], moved[0][0], rtol=1e-3)
    assert FREE == 0.6


@pytest.mark.parametrize("seed", [0, 1])
def test_predicted_losses_are_large_where_labels_are_noisy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, new = rng.uniform(-1, 1, size=(400, 2)), rng.uniform(-1, 1, size=(500, 2))
    y = np.sin(3 * X[:, 1]) + np.where(X[:, 0] > 0, rng.normal(size=400), 0.0)
    params = fit_one(LossMLP(), root_key(seed), X, y, np.ones(400))
    said = predict_one(LossMLP(), params, new).variance[:, 0]
    noisy, calm = said[new[:, 0] > 0], said[new[:, 0] <= 0]
    assert np.mean(noisy[:, None] > calm[None]) > 0.97  # the chance that a noisy row ranks above a calm one


def test_a_network_names_the_ones_to_train_beside_it() -> None:
    learner = MLP(widths=(200, 64, 3), batch="full", epochs=7, learning_rate=1e-3, least_steps=5, weight_decay=0.2)
    thin, lossy = learner.auxiliary("dropout"), learner.auxiliary("loss")
    assert learner.auxiliary("gp") == GP(variance=False)
    assert thin.widths == (63, 20, 2) and thin.passes == 25 and thin.dropout == 0.5 and thin.batch == "auto"
    assert lossy.widths == (200, 64, 3) and lossy.activation == "tanh"
    for one in (thin, lossy):
        assert (one.epochs, one.learning_rate, one.least_steps, one.weight_decay) == (7, 1e-3, 5, 0.2)
    with pytest.raises(InputError, match="'dropout', 'loss' or 'gp', got 'both'"):
        learner.auxiliary("both")


def test_bad_settings_are_named() -> None:
    for make, words in [
        (lambda: DropoutMLP(batch="full"), "batch must be 'auto' or a number of rows, got 'full'"),
        (lambda: DropoutMLP(widths=()), "widths must be positive"),
        (lambda: DropoutMLP(passes=1), "passes must be at least 2"),
        (lambda: LossMLP(activation="sign"), "activation must be one of tanh, relu, gelu"),
    ]:
        with pytest.raises(InputError, match=words):
            make()


@pytest.mark.parametrize("learner", [DROPOUT, LOSS], ids=["dropout", "loss"])
def test_training_goes_on_from_given_parameters(learner) -> None:
    X, y = rows(60)
    params = fit_one(learner, root_key(0), X[:40], y[:40], np.ones(40))
    still = resume_one(replace(learner, resume_steps=0), root_key(1), params, X, y, np.ones(60))
    np.testing.assert_array_equal(predict_one(learner, still, X).variance, predict_one(learner, params, X).variance)
    longer = resume_one(replace(learner, resume_steps=400), root_key(1), params, X, y, np.ones(60))
    before, after = (((predict_one(learner, one, X).mean - y) ** 2).sum() for one in (params, longer))
    assert after < before
