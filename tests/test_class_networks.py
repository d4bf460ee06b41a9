"""Networks that classify, against plain references: losses, training, stopping, dropout, images, unseen classes."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from sklearn.metrics import log_loss

from strongsuit.core import fit_many, fit_one, predict_many, predict_one, root_key
from strongsuit.core.compile import trace_counts
from strongsuit.core.learner import embed_many, join, resume_one
from strongsuit.errors import InputError
from strongsuit.learners.cnn import CNN, augmented
from strongsuit.learners.convolutions import convolution, max_pool, norm_relu_pool
from strongsuit.learners.cross_entropy import cross_entropy, right
from strongsuit.learners.heads import head_passes
from strongsuit.learners.mlp_classifier import MLPClassifier
from strongsuit.testing import check_learner

# Few shapes, so that few programs are compiled: d = 3, k = 3, eight units, images of 8 x 8.
NEVER = 2.0  # an accuracy that no network reaches
FULL = MLPClassifier((8,), learning_rate=1e-2, batch="full", epochs=30, stop_accuracy=NEVER)
MINI = MLPClassifier((8,), learning_rate=1e-2, epochs=30)
SMALL = CNN((4, 8), 8, learning_rate=1e-2, epochs=20, batch=32, shape=(8, 8, 1), flip=False)
TINY = CNN((4,), 8, learning_rate=1e-2, epochs=5, shape=(1, 3, 1))
SHUFFLED = {"weights": "mini-batches are drawn from rows, so a row of weight 2 is seen once, not twice"}


def rows(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (n, 3) in unlike units and class numbers 0 to 2, all of which are there."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, 3))
    labels = np.argmax(np.stack([Z[:, 0], Z[:, 1] * Z[:, 2], 0.3 - Z[:, 0]]), axis=0)
    labels[:3] = [0, 1, 2]
    return Z * [1.0, 30.0, 0.2] + [0.0, 100.0, 5.0], labels


def hot(labels: np.ndarray, k: int = 3) -> np.ndarray:
    return np.eye(k)[labels]


def halves(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images (n, 64), and whether the bright half is the right one."""
    rng = np.random.default_rng(seed)
    images, side = rng.uniform(0.0, 0.6, (n, 8, 8)), rng.integers(0, 2, n)
    images[side == 0, :, :4] += 0.4
    images[side == 1, :, 4:] += 0.4
    return images.reshape(n, 64), side


def assert_same(one, other, **limits) -> None:
    for mine, theirs in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(mine, theirs, **limits)


def softmax(logits: np.ndarray) -> np.ndarray:
    weight = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weight / weight.sum(axis=-1, keepdims=True)


def test_the_loss_and_its_gradient_are_those_of_the_classes_seen() -> None:
    rng = np.random.default_rng(0)
    logits, labels, w = rng.normal(size=(4, 20)) * 3.0, rng.integers(0, 3, 20), rng.uniform(0.5, 2.0, 20)
    seen, y = jnp.array([True, True, True, False]), hot(labels, 4).T
    found, slope = jax.value_and_grad(cross_entropy)(jnp.array(logits), y, w / w.sum(), seen)
    p = softmax(logits[:3].T)
    np.testing.assert_allclose(found, log_loss(labels, p, sample_weight=w), rtol=1e-5)
    np.testing.assert_allclose(slope[:3].T, (p - hot(labels)) * (w / w.sum())[:, None], atol=1e-6)
    assert not np.any(slope[3])
    hits = right(jnp.array(logits).at[3].set(99.0), y, w, seen)
    np.testing.assert_allclose(hits, w[p.argmax(1) == labels].sum(), rtol=1e-6)


def adam_reference(params, X: np.ndarray, q: np.ndarray, w: np.ndarray, epochs: int, rate: float):
    """The layers after full-batch Adam on the cross-entropy, in float64."""
    Z = X - np.average(X, axis=0, weights=w)
    Z = Z / np.sqrt(np.average(Z**2, axis=0, weights=w))
    theta = [np.asarray(leaf, float) for leaf in jax.tree.leaves(params.layers)]
    first, second = [0.0 * leaf for leaf in theta], [0.0 * leaf for leaf in theta]
    for step in range(1, epochs + 1):
        A1, b1, A2, b2 = theta
        h = np.maximum(Z @ A1.T + b1.T, 0.0)
        g = (softmax(h @ A2.T + b2.T) - q) * w[:, None] / w.sum()
        back = (g @ A2) * (h > 0)
        slope = [back.T @ Z, back.sum(0)[:, None], g.T @ h, g.sum(0)[:, None]]
        first = [0.9 * m + 0.1 * s for m, s in zip(first, slope, strict=True)]
        second = [0.999 * v + 0.001 * s**2 for v, s in zip(second, slope, strict=True)]
        c1, c2 = 1 - 0.9**step, 1 - 0.999**step
        theta = [t - rate * m / c1 / (np.sqrt(v / c2) + 1e-8) for t, m, v in zip(theta, first, second, strict=True)]
    return theta


@pytest.mark.parametrize("n", [20, 200])
def test_full_batch_training_is_adam_on_the_cross_entropy_of_soft_labels(n: int) -> None:
    rng = np.random.default_rng(1)
    X, q, w = rows(n)[0], rng.dirichlet(np.ones(3), n), rng.uniform(0.5, 2.0, n)
    start = fit_one(replace(FULL, epochs=0), root_key(0), X, q, w)
    found = fit_one(FULL, root_key(0), X, q, w)
    assert_same(found.layers, adam_reference(start, X, q, w, 30, 1e-2), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize(
    ("learner", "tolerance", "exceptions"),
    [(FULL, 1e-3, {}), (MINI, 1e-5, SHUFFLED), (TINY, 1e-5, SHUFFLED)],
    ids=["full batch", "mini-batches", "images"],
)
def test_networks_keep_the_contract_of_learners(learner, tolerance: float, exceptions: dict[str, str]) -> None:
    outcome = check_learner(learner, tolerance=tolerance, exceptions=exceptions, classes=3)
    assert all(outcome[check] == "kept" for check in outcome.keys() - exceptions.keys())


def test_one_executable_serves_all_rounds_which_begin_from_the_same_network() -> None:
    fit_one(MINI, root_key(0), *(a[:50] for a in (rows(50)[0], hot(rows(50)[1]))), np.ones(50))
    before = trace_counts()["fit_many"]
    untrained = []
    for n, epochs in [(10, 3), (300, 1), (1024, 2)]:
        X, labels = rows(n)
        learner = replace(MINI, epochs=epochs, learning_rate=1e-3, stop_accuracy=0.5, least_epochs=1)
        fit_one(learner, root_key(n), X, hot(labels), np.ones(n))
        untrained.append(fit_one(replace(MINI, epochs=0), root_key(5), X, hot(labels), np.ones(n)).layers)
    assert trace_counts()["fit_many"] == before
    assert_same(untrained[0], untrained[1], rtol=0)
    assert_same(untrained[0], untrained[2], rtol=0)


def test_training_stops_with_the_pass_in_which_the_labels_are_right() -> None:
    X, labels = rows(40)
    y, w = hot(labels), np.ones(40)
    stopping = replace(FULL, epochs=1000, stop_accuracy=0.9)
    stopped = fit_one(stopping, root_key(0), X, y, w)

    def accuracy(passes: int) -> float:
        params = fit_one(replace(FULL, epochs=passes), root_key(0), X, y, w)
        return float(np.mean(predict_one(FULL, params, X).mean.argmax(1) == labels))

    passes = next(count for count in range(1000) if accuracy(count) >= 0.9) + 1
    assert passes > 5
    assert_same(stopped, fit_one(replace(FULL, epochs=passes), root_key(0), X, y, w), rtol=0)
    longer = fit_one(replace(stopping, least_epochs=passes + 7), root_key(0), X, y, w)
    assert_same(longer, fit_one(replace(FULL, epochs=passes + 7), root_key(0), X, y, w), rtol=0)


def test_soft_labels_equal_repeated_rows() -> None:
    votes = np.random.default_rng(1).multinomial(3, np.ones(3) / 3, 30)
    X, row, label = rows(30)[0], np.repeat(np.arange(30), 3), np.tile(np.arange(3), 30)
    soft = fit_one(FULL, root_key(0), X, votes / 3, np.full(30, 3.0))
    hard = fit_one(FULL, root_key(0), X[row], hot(label), votes.ravel().astype(float))
    assert_same(predict_one(FULL, soft, X), predict_one(FULL, hard, X), atol=1e-3)


@pytest.mark.parametrize("learner", [MINI, TINY], ids=["dense", "images"])
def test_a_class_without_rows_has_probability_zero(learner) -> None:
    X, labels = rows(60)
    w = (labels != 1).astype(float)
    params = fit_one(learner, root_key(0), X, hot(labels), w)
    found, (W, c, seen) = predict_one(learner, params, X).mean, learner.head(params)
    np.testing.assert_array_equal(seen, [True, False, True])
    assert np.all(found[:, 1] == 0.0) and not W[1].any() and c[1] == 0.0
    np.testing.assert_allclose(found.sum(1), 1.0, rtol=1e-5)
    certain = fit_one(learner, root_key(0), X, hot(np.full(60, 2)), np.ones(60))
    np.testing.assert_array_equal(predict_one(learner, certain, X).mean, hot(np.full(60, 2)))
    nothing = fit_one(learner, root_key(0), X, hot(labels), np.zeros(60))
    np.testing.assert_allclose(predict_one(learner, nothing, X).mean, 1.0 / 3.0, rtol=1e-6)


def test_constant_columns_are_ignored() -> None:
    X, labels = rows(60)
    X[:, 1] = 7.0
    params = fit_one(MINI, root_key(0), X, hot(labels), np.ones(60))
    before = predict_one(MINI, params, X)
    X[:, 1] = np.linspace(-1e3, 1e3, 60)
    assert_same(predict_one(MINI, params, X), before, atol=1e-6)


@pytest.mark.parametrize("learner", [MINI, TINY], ids=["dense", "images"])
def test_the_head_on_the_embedding_reproduces_predictions(learner) -> None:
    X, labels = rows(40)
    many = fit_many(learner, [root_key(seed) for seed in range(3)], X, hot(labels), np.ones((3, 40)))
    z, (W, c, seen) = embed_many(learner, many, X), learner.head(many)
    assert W.shape == (3, 3, 8) and c.shape == seen.shape == (3, 3) and seen.dtype == bool
    logits = z @ np.swapaxes(W, 1, 2) + c[:, None]
    np.testing.assert_allclose(predict_many(learner, many, X).mean, softmax(logits), atol=1e-5)
    assert np.abs(z[0] - z[1]).max() > 0.1


def test_resuming_continues_from_the_parameters_given() -> None:
    X, labels = rows(200)
    y, w = hot(labels), (np.arange(200) < 100).astype(float)
    learner = replace(MINI, epochs=5, stop_accuracy=NEVER)
    start = fit_one(replace(learner, epochs=0), root_key(3), X, y, np.ones(200))
    again, whole = (
        resume_one(learner, root_key(3), start, X, y, np.ones(200)),
        fit_one(learner, root_key(3), X, y, np.ones(200)),
    )
    assert_same(again, whole, rtol=0)
    first = fit_one(learner, root_key(0), X, y, w * (labels != 2))
    onward = resume_one(replace(learner, epochs=300, stop_accuracy=0.97), root_key(1), first, X, y, np.ones(200))
    assert onward.seen.all() and not first.seen[2]
    np.testing.assert_array_equal(onward.scaling.x_mean, first.scaling.x_mean)
    assert np.mean(predict_one(learner, onward, X).mean.argmax(1) == labels) > 0.95


def test_predictions_use_all_features_and_training_does_not() -> None:
    X, labels = rows(60)
    X = (X - X.mean(0)) / X.std(0)
    y, w, dropping = hot(labels), np.ones(60), replace(MINI, dropout=0.5, standardise=False)
    params, plain = (fit_one(learner, root_key(0), X, y, w) for learner in (dropping, MINI))
    assert np.abs(params.layers[1][0] - plain.layers[1][0]).max() > 1e-2
    assert_same(predict_one(dropping, params, X), predict_one(replace(dropping, dropout=0.0), params, X), rtol=0)
    (A, b), _ = params.layers
    features = embed_many(dropping, join([params]), 3.0 * X)[0]  # inputs as they come: nothing is scaled
    np.testing.assert_allclose(features, np.maximum(3.0 * X @ A.T + b.T, 0.0), atol=1e-4)


def test_passes_drop_the_same_features_of_every_row() -> None:
    X, labels = rows(60)
    params = fit_one(MINI, root_key(0), X, hot(labels), (labels != 1).astype(float))
    found = MINI.passes(params, root_key(4), X, 6, rate=0.5)
    assert found.shape == (6, 60, 3) and np.all(found[:, :, 1] == 0.0)
    np.testing.assert_allclose(found.sum(axis=2), 1.0, rtol=1e-5)
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_allclose(MINI.passes(params, root_key(4), X[order], 6, rate=0.5), found[:, order], atol=1e-6)
    z, (W, c, _) = embed_many(MINI, join([params]), X)[0], MINI.head(params)
    masks = (root_key(4).numpy().random((6, 8)) >= 0.5) * 2.0
    for mask, p in zip(masks, found, strict=True):
        np.testing.assert_allclose(p[:, [0, 2]], softmax(((z * mask) @ W.T + c)[:, [0, 2]]), atol=1e-5)
    assert not np.array_equal(found, MINI.passes(params, root_key(5), X, 6, rate=0.5))
    with pytest.raises(InputError, match="dropout rate between 0 and 1, got 0"):
        MINI.passes(params, root_key(4), X, 6)


def test_passes_keep_the_mean_of_the_logits() -> None:
    rng = np.random.default_rng(0)
    z, W, c = rng.normal(size=(5, 30)), 0.1 * rng.normal(size=(2, 30)), rng.normal(size=2)
    p = head_passes(root_key(0), z, (W, c, np.ones(2, bool)), count=4000, rate=0.25)
    gap = np.log(p[:, :, 0] / p[:, :, 1]).mean(axis=0)
    np.testing.assert_allclose(gap, (z @ W.T + c) @ [1.0, -1.0], atol=0.05)


@pytest.mark.parametrize(("h", "w"), [(4, 5), (1, 3)])
def test_convolution_norm_and_pool_are_the_plain_ones(h: int, w: int) -> None:
    rng = np.random.default_rng(0)
    images, kernel = (jnp.array(rng.normal(size=size), jnp.float32) for size in ((2, h, w, 3), (3, 3, 3, 16)))
    log_scale, shift = (jnp.array(rng.normal(size=16), jnp.float32) for _ in range(2))
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    maps = sum(padded[:, i : i + h, j : j + w] @ kernel[i, j] for i in range(3) for j in range(3))
    np.testing.assert_allclose(convolution(images, kernel), maps, atol=1e-5)

    def plain(images, kernel, log_scale, shift):
        z = lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        groups = z.reshape(2, h, w, 8, 2)
        unit = groups - groups.mean((1, 2, 4), keepdims=True)
        unit = (unit / jnp.sqrt(groups.var((1, 2, 4), keepdims=True) + 1e-5)).reshape(z.shape)
        z = jax.nn.relu(unit * jnp.exp(log_scale) + shift)
        return lax.reduce_window(z, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")

    def ours(images, kernel, log_scale, shift):
        return norm_relu_pool(convolution(images, kernel), log_scale, shift)

    arguments = (images, kernel, log_scale, shift)
    target = jnp.array(rng.normal(size=(2, (h + 1) // 2, (w + 1) // 2, 16)), jnp.float32)
    np.testing.assert_allclose(ours(*arguments), plain(*arguments), atol=1e-4)
    theirs, mine = (
        jax.grad(lambda *a, fn=fn: jnp.sum((fn(*a) - target) ** 2), argnums=(0, 1, 2, 3))(*arguments)
        for fn in (plain, ours)
    )
    assert_same(mine, theirs, rtol=1e-3, atol=2e-3)


def test_ties_in_a_square_share_the_gradient() -> None:
    z = jnp.array([[1.0, 1.0, 0.0], [0.0, 1.0, 2.0], [3.0, 3.0, 4.0]])[None, :, :, None]
    slope = jax.grad(lambda z: jnp.sum(max_pool(z) * jnp.array([[3.0, 5.0], [7.0, 9.0]])[None, :, :, None]))(z)
    np.testing.assert_allclose(slope[0, :, :, 0], [[1.0, 1.0, 0.0], [0.0, 1.0, 5.0], [3.5, 3.5, 9.0]])


@pytest.mark.parametrize("flip", [True, False])
def test_images_are_moved_and_mirrored_whole(flip: bool) -> None:
    images = np.random.default_rng(0).uniform(1.0, 2.0, (200, 8, 8, 2)).astype(np.float32)
    found = np.asarray(augmented(jax.random.wrap_key_data(jnp.array([0, 1], jnp.uint32)), images, flip=flip))
    seen = set()
    for image, moved in zip(images, found, strict=True):
        padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
        for i, j, back in np.ndindex(3, 3, 2):
            crop = padded[i : i + 8, j : j + 8]
            if np.array_equal(crop[:, ::-1] if back else crop, moved):
                seen.add((i, j, back))
                break
        else:
            raise AssertionError("an image is none of the crops")
    assert len(seen) == (18 if flip else 9) and (flip or all(back == 0 for _, _, back in seen))


def test_a_small_network_tells_left_from_right_in_either_unit() -> None:
    X, side = halves(200)
    y, w = hot(side), (np.arange(200) < 100).astype(float)
    params = fit_one(SMALL, root_key(0), X, y, w)
    found = predict_one(SMALL, params, X[100:]).mean
    assert np.mean(found.argmax(1) == side[100:]) > 0.95
    np.testing.assert_array_equal(found[:, 2], 0.0)
    bytes_ = fit_one(replace(SMALL, epochs=0), root_key(0), 255.0 * X, y, w)
    same = fit_one(replace(SMALL, epochs=0), root_key(0), X, y, w)
    assert_same(predict_one(SMALL, bytes_, 255.0 * X), predict_one(SMALL, same, X), atol=1e-5)


def test_images_are_embedded_in_parts_of_any_size() -> None:
    X, side = halves(300)
    params = fit_one(replace(SMALL, epochs=0), root_key(0), X, hot(side), np.ones(300))
    parts = [np.asarray(SMALL.embed(params, X[start : start + 100])) for start in (0, 100, 200)]
    np.testing.assert_allclose(SMALL.embed(params, X), np.concatenate(parts), atol=1e-5)


def test_a_network_for_images_resumes() -> None:
    X, side = halves(200)
    y, w = hot(side), (np.arange(200) < 100).astype(float)
    learner = replace(SMALL, epochs=2)
    first = fit_one(learner, root_key(0), X, y, w * (np.arange(200) < 20))
    onward = resume_one(replace(learner, resume_epochs=15, resume_rate=1.0), root_key(1), first, X, y, w)
    before, after = (predict_one(learner, params, X[100:]).mean for params in (first, onward))
    truth = side[100:]
    assert log_loss(truth, after[:, :2]) < 0.5 * log_loss(truth, before[:, :2])
    np.testing.assert_array_equal(onward.scaling.x_mean, first.scaling.x_mean)
    still = resume_one(replace(learner, resume_epochs=0), root_key(1), first, X, y, w)
    assert_same(still, first, rtol=0)


def test_bad_settings_are_named() -> None:
    for make, words in [
        (lambda: MLPClassifier(()), "widths must be positive"),
        (lambda: MLPClassifier(batch="half"), "batch must be 'auto', 'full' or a number"),
        (lambda: MLPClassifier(dropout=1.0), "dropout must be at least 0 and below 1, got 1.0"),
        (lambda: CNN(shape=(8, 8)), "shape must be \\(height, width, channels\\)"),
        (lambda: CNN(channels=(0,)), "widths must be positive"),
        (lambda: fit_one(TINY, root_key(0), np.ones((5, 4)), np.ones((5, 2)), np.ones(5)), "rows of 3 numbers, got 4"),
    ]:
        with pytest.raises(InputError, match=words):
            make()
