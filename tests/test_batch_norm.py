"""The published students against PyTorch, whose public code they restate, and what masked rows must not change."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from strongsuit.core import fit_many, fit_one, predict_one, root_key
from strongsuit.core.compile import trace_counts
from strongsuit.core.keys import key_for
from strongsuit.core.learner import embed_many, join, resume_many, sketch_many
from strongsuit.errors import InputError
from strongsuit.learners import GP, BatchNormMLP, DropoutMLP, LossMLP
from strongsuit.learners.batch_norm import Pace, averaged, batch_norm_relu, folded
from strongsuit.testing import check_learner

SMALL = BatchNormMLP((7, 5), steps=20, resume_steps=20, learning_rate=1e-2)
# A loss must fall by half an epoch or it counts as stale: the rate is cut again and again.
FORCED = {"threshold": 0.5, "patience": 2.0}


def rows(n: int, *, d: int = 3) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(n).uniform(-1.0, 1.0, (n, d)).astype(np.float32).astype(float)
    y = np.stack([np.sin(3.0 * X[:, 0]) + X[:, 1], 0.5 + X[:, 1] * X[:, 2]], axis=1)
    return X, y.astype(np.float32).astype(float)


def start_of(learner: BatchNormMLP, X: np.ndarray, y: np.ndarray):
    """Random weights: what is fitted in no step."""
    return fit_one(replace(learner, steps=0), root_key(0), X, y, np.ones(len(X)))


def in_torch(torch, params):
    """A PyTorch module in float64 with these parameters."""

    def filled(module, **arrays):
        for name, array in arrays.items():
            getattr(module, name).data = torch.tensor(np.asarray(array), dtype=torch.float64)
        return module

    parts = []
    for number, (weights, bias) in enumerate(params.layers):
        parts.append(filled(torch.nn.Linear(*weights.shape[::-1]), weight=weights, bias=bias[:, 0]))
        if number < len(params.norms):
            (scale, shift), (mean, variance) = params.norms[number], params.running[number]
            found = {"weight": scale, "bias": shift, "running_mean": mean, "running_var": variance}
            norm = torch.nn.BatchNorm1d(len(weights), dtype=torch.float64)
            parts += [filled(norm, **{name: array[:, 0] for name, array in found.items()}), torch.nn.ReLU()]
    return torch.nn.Sequential(*parts)


def trained_in_torch(torch, params, X, y, learner: BatchNormMLP, steps: int):
    """The module after so many steps of the published training, and the learning rate it ended with."""
    model, X, y = in_torch(torch, params), torch.tensor(X), torch.tensor(y)
    adam = torch.optim.Adam(model.parameters(), lr=learner.learning_rate, weight_decay=learner.l2)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        adam, "min", factor=learner.rate_factor, patience=int(learner.patience), threshold=learner.threshold
    )
    model.train()
    for _ in range(steps):
        loss = torch.nn.functional.mse_loss(model(X), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step(loss.item())
    return model.eval(), adam.param_groups[0]["lr"]


def assert_same(params, model, X: np.ndarray, learner: BatchNormMLP, torch) -> None:
    """Every weight, bias, scale, shift and running average, and the predictions."""
    linear, norms = model[::3], model[1::3]
    for (weights, bias), theirs in zip(params.layers, linear, strict=True):
        np.testing.assert_allclose(weights, theirs.weight.detach(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(bias[:, 0], theirs.bias.detach(), rtol=1e-4, atol=1e-5)
    for (scale, shift), (mean, variance), theirs in zip(params.norms, params.running, norms, strict=True):
        np.testing.assert_allclose(scale[:, 0], theirs.weight.detach(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(shift[:, 0], theirs.bias.detach(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(mean[:, 0], theirs.running_mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(variance[:, 0], theirs.running_var, rtol=1e-4, atol=1e-5)
    said = model(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(predict_one(learner, params, X).mean, said, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("steps", [1, 20])
@pytest.mark.parametrize(
    "settings", [{}, {"l2": 0.05}, {"l2": 1e-3, **FORCED}], ids=["plain", "coupled L2", "plateaus"]
)
def test_training_is_that_of_pytorch(steps: int, settings: dict[str, float]) -> None:
    torch = pytest.importorskip("torch", reason="the reference is written in PyTorch, which is not installed")
    X, y = rows(150)
    learner = replace(SMALL, steps=steps, **settings)
    start = start_of(learner, X, y)
    found = fit_one(learner, root_key(0), X, y, np.ones(len(X)))
    model, rate = trained_in_torch(torch, start, X, y, learner, steps)
    assert_same(found, model, X, learner, torch)
    cuts = np.log(rate / learner.learning_rate) / np.log(learner.rate_factor)
    assert round(cuts) == (5 if "patience" in settings and steps == 20 else 0)


def test_resuming_keeps_the_weights_and_starts_the_optimiser_and_the_rate_afresh() -> None:
    torch = pytest.importorskip("torch", reason="the reference is written in PyTorch, which is not installed")
    X, y = rows(150)
    learner = replace(SMALL, l2=1e-3, **FORCED)
    first = fit_one(learner, root_key(0), X[:100], y[:100], np.ones(100))
    again = resume_many(learner, [root_key(1)], join([first]), X, y, np.ones((1, 150)))
    model, _ = trained_in_torch(torch, first, X, y, learner, 20)
    assert_same(jax.tree.map(lambda leaf: leaf[0], again), model, X, learner, torch)


def test_the_rate_falls_as_the_schedule_of_pytorch_says() -> None:
    torch = pytest.importorskip("torch", reason="the reference is written in PyTorch, which is not installed")
    rng, learner = np.random.default_rng(0), BatchNormMLP((2,))
    losses = np.exp(-np.arange(300) / 60.0) * (1.0 + 0.05 * rng.normal(size=300))
    losses[120:] = np.minimum.accumulate(losses)[119] * (1.0 - 0.9e-4)  # falls, but by less than the threshold
    adam = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=5e-7)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(adam, "min", factor=0.8, patience=10, threshold=1e-4)
    pace, paced = Pace(jnp.float32(5e-7), jnp.float32(jnp.inf), jnp.float32(0)), jax.tree_util.Partial(learner._paced)
    rates = set()
    for loss in losses.astype(np.float32):
        pace = paced(pace, loss)
        theirs.step(float(loss))
        np.testing.assert_allclose(pace.rate, adam.param_groups[0]["lr"], rtol=1e-5)
        rates.add(float(pace.rate))
    assert len(rates) > 8 and min(rates) > 4e-8  # a rate that would fall by less than 1e-8 stays


def test_students_keep_the_contract() -> None:
    outcome = check_learner(BatchNormMLP((8,), learning_rate=3e-2, steps=250), tolerance=1e-3)
    assert set(outcome.values()) == {"kept"}


def test_batch_statistics_ignore_missing_rows_and_count_weights() -> None:
    rng = np.random.default_rng(0)
    z, scale, shift = (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in [(4, 30), (4, 1), (4, 1)])
    counts = rng.integers(0, 3, 30).astype(float)
    repeated = np.repeat(np.asarray(z, float), counts.astype(int), axis=1)
    out, mean, variance = batch_norm_relu(z, scale, shift, jnp.asarray(counts / counts.sum(), jnp.float32))
    np.testing.assert_allclose(mean[:, 0], repeated.mean(1), atol=1e-6)
    np.testing.assert_allclose(variance[:, 0], repeated.var(1), rtol=1e-5)
    unit = (np.asarray(z, float) - repeated.mean(1, keepdims=True)) / np.sqrt(repeated.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(out, np.maximum(unit * scale + shift, 0.0), atol=1e-5)
    old = ((jnp.zeros((4, 1)), jnp.ones((4, 1))),)
    ((mean, variance),) = averaged(old, ((mean, variance),), jnp.float32(counts.sum()))
    np.testing.assert_allclose(mean[:, 0], 0.1 * repeated.mean(1), atol=1e-6)
    np.testing.assert_allclose(variance[:, 0], 0.9 + 0.1 * repeated.var(1, ddof=1), rtol=1e-5)


def test_the_slope_is_that_of_finite_differences_through_weighted_statistics() -> None:
    rng = np.random.default_rng(1)
    z, scale, shift, pull = (rng.normal(size=shape) for shape in [(3, 12), (3, 1), (3, 1), (3, 12)])
    share = np.append(rng.uniform(0.2, 1.0, 10), [0.0, 0.0])
    share, pull = share / share.sum(), pull * (share > 0)

    def value(*arrays: np.ndarray) -> float:
        z, scale, shift = arrays
        mean = z @ share[:, None]
        unit = (z - mean) / np.sqrt((z - mean) ** 2 @ share[:, None] + 1e-5)
        return float((np.maximum(unit * scale + shift, 0.0) * pull).sum())

    given = (z, scale, shift)
    single = [jnp.asarray(array, jnp.float32) for array in (*given, share)]
    slopes = jax.grad(lambda *a: jnp.sum(batch_norm_relu(*a, single[3])[0] * pull.astype(np.float32)), (0, 1, 2))
    for number, found in enumerate(slopes(*single[:3])):
        for place in np.ndindex(given[number].shape):
            moved = [[array.copy() for array in given] for _ in range(2)]
            moved[0][number][place] -= 1e-6
            moved[1][number][place] += 1e-6
            expected = (value(*moved[1]) - value(*moved[0])) / 2e-6
            assert found[place] == pytest.approx(expected, abs=2e-4)


def test_folded_layers_say_what_the_network_says() -> None:
    X, y = rows(60)
    params = fit_one(SMALL, root_key(0), X, y, np.ones(60))
    h = X.T
    for (weights, bias), (scale, shift), (mean, variance) in zip(
        params.layers[:-1], params.norms, params.running, strict=True
    ):
        h = np.maximum((weights @ h + bias - mean) / np.sqrt(variance + 1e-5) * scale + shift, 0.0)
    weights, bias = params.layers[-1]
    np.testing.assert_allclose(predict_one(SMALL, params, X).mean, (weights @ h + bias).T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(embed_many(SMALL, join([params]), X)[0], h.T, rtol=1e-4, atol=1e-5)
    assert len(folded(params)) == 3


def test_sketches_have_the_gradient_kernel_of_the_folded_network_as_their_mean() -> None:
    X, y = rows(6)
    params = fit_one(SMALL, root_key(0), X, y[:, :1], np.ones(6))
    layers = folded(params)

    def scaled(thetas, x):  # the neural tangent parametrisation: weights over the root of their inputs
        for number, (weights, bias) in enumerate(thetas):
            x = weights @ x / weights.shape[1] ** 0.5 + bias[:, 0]
            x = jnp.maximum(x, 0.0) if number < len(thetas) - 1 else x
        return x[0]

    thetas = [(weights * weights.shape[1] ** 0.5, bias) for weights, bias in layers]
    slopes = [jax.tree.leaves(jax.grad(scaled)(thetas, jnp.asarray(x, jnp.float32))) for x in X]
    features = np.stack([np.concatenate([np.ravel(part) for part in one]) for one in slopes])
    found = sketch_many(SMALL, [root_key(5)], join([params]), X, 20000)
    kernel = features @ features.T
    np.testing.assert_allclose(found @ found.T, kernel, atol=0.06 * kernel.max())


def test_mini_batches_see_all_rows_and_end_near_the_full_batch() -> None:
    X, y = rows(300)
    learner = BatchNormMLP((20, 20), learning_rate=1e-2, steps=300)
    full, small = (replace(learner, batch=size) for size in (5000, 100))
    error = [
        np.mean((predict_one(one, fit_one(one, root_key(0), X, y, np.ones(300)), X).mean - y) ** 2)
        for one in (full, small)
    ]
    assert max(error) < 0.02 * y.var()


def test_settings_and_row_counts_share_an_executable() -> None:
    keys = [key_for(root_key(0), i) for i in range(2)]
    fit_many(SMALL, keys, *rows(100), np.ones((2, 100)))
    before = trace_counts()["fit_many"]
    other = replace(SMALL, steps=3, l2=0.1, learning_rate=1e-3, patience=3, threshold=0.1, rate_factor=0.5)
    fit_many(other, keys, *rows(60), np.ones((2, 60)))
    assert trace_counts()["fit_many"] == before


def test_networks_beside_a_student_have_its_widths() -> None:
    student = BatchNormMLP((40, 30), learning_rate=3e-4)
    beside = student.auxiliary("loss")
    assert isinstance(beside, LossMLP) and (beside.widths, beside.learning_rate) == ((40, 30), 3e-4)
    beside = student.auxiliary("dropout")
    assert isinstance(beside, DropoutMLP) and beside.widths == (12, 9)
    assert isinstance(student.auxiliary("gp"), GP)


def test_bad_settings_are_named() -> None:
    with pytest.raises(InputError, match="widths must be positive"):
        BatchNormMLP(())
    with pytest.raises(InputError, match="batch must be at least 2"):
        BatchNormMLP(batch=1)
    with pytest.raises(InputError, match="'dropout', 'loss' or 'gp'"):
        BatchNormMLP().auxiliary("oracle")
