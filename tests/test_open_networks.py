"""Networks that are fitted to labelled and open rows: their losses by hand in NumPy, and that they tell rows apart."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from strongsuit.core import fit_one, predict_one, root_key
from strongsuit.core.compile import door, trace_counts
from strongsuit.core.network import init_layers
from strongsuit.errors import InputError
from strongsuit.learners import VAAL, WAAL, GraphNetwork
from strongsuit.learners import graph as graphs
from strongsuit.learners import vaal as coders
from strongsuit.learners import waal as critics

SMALL = {"vaal": VAAL(latent=3, width=8), "waal": WAAL((8,), width=6), "gcn": GraphNetwork(width=8, signed=True)}
EACH = pytest.mark.parametrize("learner", SMALL.values(), ids=SMALL)


def plain(tree):
    """The same layers in float64 on the host."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, float), tree)


def forward(layers, x: np.ndarray) -> np.ndarray:
    """Outputs of a ReLU network for x (d, rows)."""
    for W, b in layers[:-1]:
        x = np.maximum(W @ x + b, 0.0)
    W, b = layers[-1]
    return W @ x + b


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0.0, x)


def half_labelled(n: int = 300, known: int = 60, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (n, 3); labels of two classes for rows left of 0 alone, rows of zeros elsewhere."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, 3)), np.zeros((n, 2))
    rows = np.flatnonzero(X[:, 0] < 0)[:known]
    y[rows] = np.eye(2)[(X[rows, 1] > 0).astype(int)]
    return X, y


def higher(first: np.ndarray, second: np.ndarray) -> float:
    """The chance that a number of the first kind exceeds one of the second."""
    return float(np.mean(first[:, None] > second[None]))


def test_the_autoencoders_loss_is_the_bound_and_what_a_fooled_judge_would_lose() -> None:
    rng, model = np.random.default_rng(0), VAAL(latent=3, width=5)
    nets, judge = model.begun(root_key(0).jax(), 4)
    known, others, noise = rng.normal(size=(4, 6)), rng.normal(size=(4, 7)), rng.normal(size=(2, 3, 7))

    def part(x, e):
        both = forward(plain(nets[0]), x)
        mean, spread = both[:3], both[3:]
        again = forward(plain(nets[1]), mean + np.exp(spread / 2) * e)
        divergence = 0.5 * (np.exp(spread) + mean**2 - 1.0 - spread).sum(0)
        fooled = softplus(-forward(plain(judge), mean)[0])
        return (5.0 * ((x - again) ** 2).sum(0) + 0.7 * divergence).mean() + fooled.mean()

    found = [coders.coding_loss(nets, judge, known, others[:, :6], noise[:, :, :6], 0.7, one) for one in (1.0, 0.0)]
    first, second = part(known, noise[0][:, :6]), part(others[:, :6], noise[1][:, :6])
    np.testing.assert_allclose(found, [first + second, first], rtol=1e-4)
    logits = [forward(plain(judge), forward(plain(nets[0]), x)[:3])[0] for x in (known, others)]
    expected = softplus(-logits[0]).mean() + softplus(logits[1]).mean()  # labelled 1, open 0: not 1 for both
    np.testing.assert_allclose(coders.judging_loss(judge, nets[0], known, others, 1.0), expected, rtol=1e-5)


def test_log_variances_that_would_overflow_are_held() -> None:
    encoder = ((jnp.zeros((4, 2)), jnp.array([[0.0], [0.0], [500.0], [-500.0]])),)
    mean, spread = coders.encoded(encoder, jnp.ones((2, 3)))
    np.testing.assert_array_equal(mean, np.zeros((2, 3)))
    np.testing.assert_array_equal(spread, [[10.0] * 3, [-10.0] * 3])


def test_a_discriminator_finds_rows_off_the_labelled_region() -> None:
    X, y = half_labelled()
    said = predict_one(VAAL(), fit_one(VAAL(), root_key(0), X, y, np.ones(300)), X).mean[:, 0]
    others = y.sum(1) == 0
    assert higher(said[others & (X[:, 0] > 0.3)], said[others & (X[:, 0] < -0.3)]) > 0.8


def test_the_penalty_is_that_of_the_critics_gradient() -> None:
    rng = np.random.default_rng(1)
    critic = init_layers(root_key(1).jax(), 4, (6, 5), 1, "relu")
    known, far, mix = rng.normal(size=(4, 9)), rng.normal(size=(4, 9)) + 1.0, rng.uniform(size=9)
    (A, a), (B, b), (C, _) = plain(critic)

    def penalty(z):
        one = A @ z + a
        two = B @ np.maximum(one, 0.0) + b
        slopes = [C @ np.diag(two[:, i] > 0) @ B @ np.diag(one[:, i] > 0) @ A for i in range(z.shape[1])]
        return np.mean([(np.linalg.norm(slope) - 1.0) ** 2 for slope in slopes])

    np.testing.assert_allclose(critics.gradient_penalty(critic, jnp.asarray(known)), penalty(known), rtol=1e-4)
    between = far + mix * (known - far)
    gap = forward(plain(critic), far).mean() - forward(plain(critic), known).mean()
    expected = 2.0 * penalty(np.concatenate([between, known, far], axis=1)) - gap  # steep critics pay
    found = critics.critic_loss(critic, *(jnp.asarray(part) for part in (known, far, mix)))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    shifted = (*critic[:-1], (critic[-1][0], critic[-1][1] + 7.0))
    np.testing.assert_allclose(
        critics.distance(shifted, known, far), critics.distance(critic, known, far), atol=1e-5
    )  # fmt: skip


def test_the_classifiers_loss_is_cross_entropy_and_the_critics_distance() -> None:
    rng = np.random.default_rng(2)
    body = init_layers(root_key(2).jax(), 4, (9,), 3, "relu")
    critic = init_layers(root_key(3).jax(), 9, (6,), 1, "relu")
    x, others, labels = rng.normal(size=(4, 8)), rng.normal(size=(4, 8)), rng.integers(0, 2, 8)
    seen = jnp.array([True, True, False])
    (A, a), (B, b) = plain(body)
    known, far = (np.maximum(A @ rows + a, 0.0) for rows in (x, others))
    logits = (B @ known + b)[:2]
    entropy = np.log(np.exp(logits).sum(0)) - logits[labels, np.arange(8)]
    gap = forward(plain(critic), far / 3.0).mean() - forward(plain(critic), known / 3.0).mean()
    found = critics.classifying_loss(body, critic, x, np.eye(3)[labels].T, others, seen, 0.5)
    np.testing.assert_allclose(found, entropy.mean() + 0.5 * gap, rtol=1e-4)


def test_a_critic_is_larger_far_from_labelled_rows_and_the_classes_are_learned() -> None:
    X, y = half_labelled()
    y = np.hstack([y, np.zeros((300, 1))])  # a class without a label
    said = predict_one(WAAL(), fit_one(WAAL(), root_key(0), X, y, np.ones(300)), X).mean
    p, critic, others = said[:, :-1], said[:, -1], y.sum(1) == 0
    assert higher(critic[others & (X[:, 0] > 0.3)], critic[others & (X[:, 0] < -0.3)]) > 0.8
    np.testing.assert_allclose(p.sum(1), 1.0, atol=1e-5)
    assert not p[:, 2].any() and (p.argmax(1) == (X[:, 1] > 0)).mean() > 0.85


def dense(Z: np.ndarray) -> np.ndarray:
    """The adjacency as it is written down: ZZ' without its diagonal, columns divided by their sums, plus I."""
    A = Z @ Z.T
    np.fill_diagonal(A, 0.0)
    degree = A.sum(0)
    return A * np.divide(1.0, degree, out=np.zeros_like(degree), where=degree > 1e-9) + np.eye(len(Z))


def lengths_of_one(X: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(size > 0, size, 1.0)


def test_a_graph_layer_is_the_dense_one_without_its_matrix() -> None:
    rng = np.random.default_rng(3)
    Z = np.abs(rng.normal(size=(40, 5)))
    Z[:, 4] = 0.0
    Z[7], Z[8] = 0.0, [0, 0, 0, 0, 1]  # a row of nothing, and one without a neighbour
    Z, H = lengths_of_one(Z), rng.normal(size=(40, 6))
    size, pace = graphs.columns_of(jnp.asarray(Z), jnp.asarray(Z.sum(0)))
    np.testing.assert_allclose(graphs.shared(Z, size, pace, H), dense(Z) @ H, atol=1e-4)
    np.testing.assert_allclose((dense(Z) @ H)[[7, 8]], H[[7, 8]])


@pytest.mark.parametrize("signed", [False, True])
def test_a_fitted_graph_network_says_what_the_dense_one_would(signed: bool) -> None:
    X, y = half_labelled(120)
    X = X if signed else np.abs(X)
    model = GraphNetwork(width=8, steps=30, learning_rate=1e-2, signed=signed)
    params = fit_one(model, root_key(0), X, y, np.ones(120))
    Z = lengths_of_one(np.hstack([np.maximum(X, 0), np.maximum(-X, 0)]) if signed else X)
    (A, a), (B, b) = plain(params.layers)
    hidden = np.maximum(dense(Z) @ Z @ A.T + a.T, 0.0)
    s = 1.0 / (1.0 + np.exp(-(dense(Z) @ hidden @ B.T + b)))
    np.testing.assert_allclose(predict_one(model, params, X).mean, np.hstack([hidden, s]), atol=2e-4)


def test_a_graph_networks_loss_and_its_first_step() -> None:
    rng = np.random.default_rng(4)
    logits, labelled = rng.normal(size=20), np.arange(20) < 6
    s = 1.0 / (1.0 + np.exp(-logits))
    expected = -np.log(s[labelled]).mean() - 1.2 * np.log(1.0 - s[~labelled]).mean()
    weights = labelled / 6, 1.2 * ~labelled / 14
    np.testing.assert_allclose(graphs.graph_loss(jnp.asarray(logits), *weights), expected, rtol=1e-5)
    assert graphs.OPEN_WEIGHT == 1.2 and (GraphNetwork().steps, GraphNetwork().learning_rate) == (200, 1e-3)
    X, y = half_labelled()
    known, far = y.sum(1) > 0, X[:, 0] > 0.3
    model = GraphNetwork(signed=True)
    s = predict_one(model, fit_one(model, root_key(0), X, y, np.ones(300)), X).mean[:, -1]
    assert higher(s[known], s[far]) > 0.8


@EACH
def test_the_same_key_gives_the_same_bits_whatever_rows_of_weight_zero_hold(learner) -> None:
    X, y = half_labelled(80, 20)
    learner = replace(learner, steps=30)
    place = np.sort(np.random.default_rng(1).permutation(150)[:80])
    wide_X, wide_y, w = np.full((150, 3), 1e3), np.full((150, 2), -1e3), np.zeros(150)
    wide_X[place], wide_y[place], w[place] = X, y, 1.0
    found = predict_one(learner, fit_one(learner, root_key(0), X, y, np.ones(80)), X).mean
    padded = predict_one(learner, fit_one(learner, root_key(0), wide_X, wide_y, w), X).mean
    np.testing.assert_array_equal(found, padded)
    other = predict_one(learner, fit_one(learner, root_key(1), X, y, np.ones(80)), X).mean
    assert not np.array_equal(found, other)


@EACH
def test_one_executable_serves_all_rounds_and_settings_of_a_size(learner) -> None:
    fit_one(learner, root_key(0), *half_labelled(60, 10), np.ones(60))
    before = trace_counts()["fit_many"]
    for n, known in ((200, 11), (999, 300)):
        fit_one(replace(learner, steps=2, learning_rate=1e-2), root_key(n), *half_labelled(n, known), np.ones(n))
    assert trace_counts()["fit_many"] == before


@EACH
@pytest.mark.parametrize("case", ["constant", "one class", "no open rows", "one label", "huge"])
def test_they_stand_what_a_campaign_may_begin_with(learner, case: str) -> None:
    X, y = half_labelled(30, 8)
    if case == "constant":
        X = np.full_like(X, 3.0)
    if case == "one class":
        y[:, 1] = 0.0
    if case == "no open rows":
        y = np.eye(2)[np.arange(30) % 2]
    if case == "one label":
        y[np.flatnonzero(y.sum(1))[1:]] = 0.0
    if case == "huge":
        X = X * 1e12
    said = predict_one(learner, fit_one(learner, root_key(0), X, y, np.ones(30)), X).mean
    assert np.isfinite(said).all()


@EACH
def test_embeddings_have_the_shape_they_promise(learner) -> None:
    X, y = half_labelled(30, 8)
    params = fit_one(replace(learner, steps=1), root_key(0), X, y, np.ones(30))
    width = {VAAL: 3, WAAL: 8, GraphNetwork: 8}[type(learner)]
    assert door(learner.embed)(params, jnp.asarray(X, jnp.float32)).shape == (30, width)


def test_bad_settings_are_named() -> None:
    with pytest.raises(InputError, match="sees must be 'inputs' or 'features', got 'pixels'"):
        WAAL(sees="pixels")
    with pytest.raises(InputError, match="widths must be positive"):
        WAAL(widths=())
