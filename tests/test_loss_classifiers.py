"""Classifiers that predict their own losses: head and loss by hand, the contract, what predictions are worth."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

from strongsuit.active.committee import train
from strongsuit.active.evidence import gather
from strongsuit.active.pool import pool_of
from strongsuit.core import fit_one, predict_one, root_key
from strongsuit.core.compile import door, trace_counts
from strongsuit.learners import CNN, LossClassifier, LossCNN, MLPClassifier
from strongsuit.learners.loss_classifier import class_and_pair_loss
from strongsuit.learners.loss_cnn import features_and_loss
from strongsuit.testing import check_learner

SHORT = LossClassifier((8, 5), epochs=20, least_steps=20)
TINY = LossCNN(CNN((4,), 8, learning_rate=1e-2, epochs=5, shape=(1, 3, 1)))
SHUFFLED = {"weights": "mini-batches are drawn from rows, so a row of weight 2 is seen once, not twice"}


def rows(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1.0, 30.0, 0.2] + [0.0, 100.0, 5.0]
    return X, np.eye(3)[np.digitize(X[:, 0], [-0.4, 0.4])]


@pytest.mark.parametrize("learner", [SHORT, TINY], ids=["dense", "images"])
def test_they_keep_the_contract_of_learners(learner) -> None:
    outcome = check_learner(learner, tolerance=1e-5, exceptions=SHUFFLED, classes=3)
    assert all(outcome[check] == "kept" for check in outcome.keys() - SHUFFLED.keys())


def test_the_head_says_the_sum_of_what_it_sees_in_each_layer() -> None:
    X, y = rows(60)
    y = np.hstack([y, np.zeros((60, 1))])  # a class without a label
    params = fit_one(SHORT, root_key(0), X, y, np.ones(60))
    h, said = ((X - X.mean(0)) / X.std(0)).T, 0.0
    for (W, b), ((A, a), (B, c)) in zip(params.body[:-1], params.head, strict=True):
        h = np.maximum(W @ h + b, 0.0)
        said = said + (B @ np.maximum(A @ h + a, 0.0) + c)[0]
    found = predict_one(SHORT, params, X)
    np.testing.assert_allclose(found.variance, np.tile(np.log1p(np.exp(said))[:, None], 4), rtol=2e-3)
    W, b = params.body[-1]
    weight = np.exp((W @ h + b)[:3])
    np.testing.assert_allclose(found.mean[:, :3], (weight / weight.sum(0)).T, atol=1e-3)
    assert not found.mean[:, 3].any()


@pytest.mark.parametrize("count", [7, 8, 1])
def test_the_loss_is_cross_entropy_and_the_hinge_of_pairs_odd_batches_too(count: int) -> None:
    params = fit_one(replace(SHORT, epochs=0, least_steps=0), root_key(0), *rows(40), np.ones(40))
    X, y = (part[:count] for part in rows(40, seed=1))
    seen, share = jnp.ones(3, bool), jnp.full(count, 1 / count)
    told = predict_one(SHORT, params, X)
    losses, said = -np.log(told.mean[y == 1]), np.log(np.expm1(told.variance[:, 0]))
    half = count // 2
    hinge = [max(0.0, 1.0 - np.sign(losses[i] - losses[i + half]) * (said[i] - said[i + half])) for i in range(half)]
    x = params.scaling.inputs(X).T
    found = class_and_pair_loss((params.body, params.head), x, y.T, share, seen, True)
    np.testing.assert_allclose(found, losses.mean() + sum(hinge) / max(half, 1), rtol=1e-3)


def test_the_head_moves_the_body_in_the_first_steps_only() -> None:
    X, y = rows(32)
    params = fit_one(SHORT, root_key(0), X, y, np.ones(32))
    x, seen, share = params.scaling.inputs(X).T, jnp.ones(3, bool), jnp.full(32, 1 / 32)

    @door
    def slopes(free):
        return jax.grad(class_and_pair_loss)((params.body, params.head), x, y.T, share, seen, free)

    def classes_alone(body):
        still = jax.tree.map(jnp.zeros_like, params.head)
        return class_and_pair_loss((body, still), x, y.T, share, seen, True)

    (bound, head), (moved, same) = slopes(False), slopes(True)
    for mine, other in zip(jax.tree.leaves(bound), jax.tree.leaves(jax.grad(classes_alone)(params.body)), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-5)
    for mine, other in zip(jax.tree.leaves(head), jax.tree.leaves(same), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-5)
    assert not np.allclose(bound[0][0], moved[0][0], rtol=1e-3)


def test_one_executable_serves_every_row_count_and_schedule() -> None:
    fit_one(SHORT, root_key(0), *rows(50), np.ones(50))
    before = trace_counts()["fit_many"]
    for n, epochs in [(10, 1), (127, 5), (1000, 2)]:
        other = replace(SHORT, epochs=epochs, learning_rate=1e-3 * epochs, least_steps=3)
        fit_one(other, root_key(n), *rows(n), np.ones(n))
    assert trace_counts()["fit_many"] == before


@pytest.mark.parametrize("seed", [0, 1])
def test_predicted_losses_follow_the_true_ones_of_new_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, new = rng.uniform(-1, 1, size=(400, 2)), rng.uniform(-1, 1, size=(500, 2))

    def drawn(rows):
        chance = np.where(rows[:, 0] > 0, 0.5, np.where(rows[:, 1] > 0, 1.0, 0.0))  # noise on the right side alone
        return (rng.uniform(size=len(rows)) < chance).astype(int)

    params = fit_one(LossClassifier(), root_key(seed), X, np.eye(2)[drawn(X)], np.ones(400))
    told = predict_one(LossClassifier(), params, new)
    losses = -np.log(np.maximum(told.mean[np.arange(500), drawn(new)], 1e-30))
    found = spearmanr(told.variance[:, 0], losses)
    assert found.statistic > 0.2 and found.pvalue < 1e-4
    noisy, calm = told.variance[new[:, 0] > 0, 0], told.variance[new[:, 0] <= 0, 0]
    assert np.mean(noisy[:, None] > calm[None]) > 0.85


def test_the_head_of_images_looks_at_each_blocks_mean_maps() -> None:
    net = CNN((4, 6), 8, epochs=1, shape=(8, 8, 1))
    X, y = np.random.default_rng(0).uniform(size=(20, 64)), np.eye(2)[np.arange(20) % 2]
    params = fit_one(LossCNN(net), root_key(0), X, y, np.ones(20))
    assert [part[0][0].shape for part in params.head] == [(128, 4), (128, 6)]
    told = predict_one(LossCNN(net), params, X)
    np.testing.assert_allclose(told.mean, predict_one(net, params.net, X).mean, atol=1e-5)
    without = jax.tree.map(np.zeros_like, params.head)

    @door
    def raw(head):
        images = params.net.scaling.inputs(jnp.asarray(X, jnp.float32)).reshape(-1, 8, 8, 1)
        return features_and_loss((params.net.blocks, params.net.layers, head), images, False)[1]

    first, second = (raw((*without[:i], params.head[i], *without[i + 1 :])) for i in range(2))
    np.testing.assert_allclose(np.log1p(np.exp(first + second)), told.variance[:, 0], rtol=1e-3)


def test_the_field_of_a_classifier_is_the_loss_that_its_network_predicts() -> None:
    X, y = rows(60)
    known = np.where(np.arange(60)[:, None] < 20, y, np.nan)
    pool = pool_of(X, y=known)
    committee = train(root_key(1), MLPClassifier((8,), epochs=5), pool, 1, needs=("loss_hat",))
    found = gather(root_key(1), committee, pool, ("loss_hat",)).loss_hat
    beside = committee.auxiliary["loss_hat"]
    assert beside.learner == LossClassifier((8,))
    np.testing.assert_allclose(found, predict_one(beside.learner, beside.params, X).variance[:, 0], rtol=1e-5)
