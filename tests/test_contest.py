"""The compiled competition against the host's loop and a plain statement of its rule."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from strongsuit.core import root_key
from strongsuit.core.compile import trace_counts
from strongsuit.core.contest import FEWEST_OWNED, Calm, bids, contest
from strongsuit.core.learner import predict_one, start_one
from strongsuit.learners import MLP, Ridge

NEVER = Calm(-1.0, 1)


def rows(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2]], axis=1), rng.uniform(0.5, 2.0, n)


def network(**changes) -> MLP:
    return MLP(widths=(16,), learning_rate=1e-2, batch=32, weight_decay=0.0, **changes)


def newborn(learner, m: int, X, y, w) -> list:
    return [start_one(learner, root_key(k), X, y, w) for k in range(m)]


def run(learner, models, X, y, w, *, epochs: int = 1, calm: Calm = NEVER, owner=None, omega=(0.5, 0.5)):
    owner = np.full(len(X), -1) if owner is None else owner
    return contest(root_key(7), learner, models, X, y, w, omega=np.array(omega), owner=owner, epochs=epochs, calm=calm)


@pytest.mark.parametrize("n", [3, 129, 1500])
def test_bids_are_weighted_squared_errors_and_the_least_wins(n: int) -> None:
    X, y, w = rows(n)
    learner = network()
    models = newborn(learner, 3, X, y, w)
    expected = np.stack([((y - predict_one(learner, p, X).mean) ** 2) @ [0.9, 0.1] for p in models], axis=1)
    np.testing.assert_allclose(bids(learner, models, X, y, np.array([0.9, 0.1])), expected, rtol=1e-5, atol=1e-7)
    found = run(learner, models, X, y, w, omega=(0.9, 0.1))
    np.testing.assert_array_equal(found.owner, expected.argmin(1))
    np.testing.assert_array_equal(found.sizes[0], np.bincount(expected.argmin(1), minlength=3))
    np.testing.assert_allclose(found.loss[0], np.average(expected.min(1), weights=w), rtol=1e-5)
    assert found.changed[0] == 1.0


def test_a_model_trains_on_the_rows_it_owns_and_no_others() -> None:
    X, y, w = rows(400)
    learner = network()
    models = newborn(learner, 2, X, y, w)
    first = run(learner, models, X, y, w)
    mine = first.owner == 0
    spoiled = y + 100.0 * ~mine[:, None]  # far beyond every bid, so the rows' owners may change, but not to these
    other = bids(learner, models, X, spoiled, np.array([0.5, 0.5])).argmin(1)
    kept = mine & (other == 0)
    only = run(learner, models[:1], X[mine], y[mine], w[mine])
    assert kept.any() and not leaves_equal(first.models[0], models[0])
    # The same rows, given alone, train the model in the same way, whatever stands between them.
    for a, b in zip(jax.tree.leaves(first.models[0].layers), jax.tree.leaves(only.models[0].layers), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def leaves_equal(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def test_models_without_rows_rest_and_ties_go_to_the_first() -> None:
    X, y, w = rows(200)
    learner = network()
    twins = newborn(learner, 1, X, y, w) * 3
    found = run(learner, twins, X, y, w)
    assert not found.owner.any() and list(found.sizes[0]) == [200, 0, 0]
    assert leaves_equal(found.models[1], twins[1]) and not leaves_equal(found.models[0], twins[0])
    assert FEWEST_OWNED == 2


def test_a_bid_that_is_not_finite_never_wins() -> None:
    X, y, w = rows(100)
    learner = network()
    models = newborn(learner, 2, X, y, w)
    broken = jax.tree.map(lambda leaf: leaf * np.float32(np.nan) if leaf.dtype == np.float32 else leaf, models[0])
    assert run(learner, [broken, models[1]], X, y, w).owner.all()


@pytest.mark.parametrize("learner", [network(), Ridge("linear")], ids=["compiled", "host"])
def test_models_divide_a_law_that_changes(learner) -> None:
    X = np.random.default_rng(0).uniform(-1, 1, size=(600, 1))
    y = np.where(X < 0, 3.0 * X + 1.0, 2.0 - 3.0 * X)
    w = np.ones(600)
    models = [start_one(learner, root_key(k), X[k :: 2 + k], y[k :: 2 + k], w[k :: 2 + k]) for k in range(2)]
    found = run(learner, models, X, y, w, epochs=60, omega=(1.0,))
    last = bids(learner, found.models, X, y, np.ones(1)).min(1).mean()
    assert last < 0.2 * bids(learner, models, X, y, np.ones(1)).min(1).mean()
    assert len(found.changed) == len(found.loss) == len(found.sizes) == 60


@pytest.mark.parametrize("learner", [network(), Ridge("linear")], ids=["compiled", "host"])
def test_a_calm_contest_ends_and_tells_how_calm_it_is(learner) -> None:
    X, y, w = rows(100)
    models = newborn(learner, 2, X, y, w)
    found = run(learner, models, X, y, w, epochs=30, calm=Calm(2.0, 5, count=2))  # every epoch is calm
    assert len(found.changed) == 3 and found.rests and found.calm.count == 5
    restless = run(learner, models, X, y, w, epochs=4, calm=Calm(0.5, 2))
    assert not restless.rests or len(restless.changed) < 4


def test_rows_epochs_and_models_compile_nothing() -> None:
    learner = network()
    X, y, w = rows(100)
    run(learner, newborn(learner, 2, X, y, w), X, y, w)
    before = trace_counts()["contest"]
    for n, epochs, m in [(257, 3, 5), (500, 2, 8)]:
        X, y, w = rows(n)
        run(learner, newborn(learner, m, X, y, w), X, y, w, epochs=epochs)
    assert trace_counts()["contest"] == before


def test_epochs_in_one_call_are_epochs_in_many() -> None:
    X, y, w = rows(300)
    learner = network(activation="relu")
    models = newborn(learner, 3, X, y, w)
    once = run(learner, models, X, y, w, epochs=1)
    twice = run(learner, models, X, y, w, epochs=2)
    np.testing.assert_array_equal(once.loss[0], twice.loss[0])
    next_bids = bids(learner, once.models, X, y, np.array([0.5, 0.5]))
    np.testing.assert_array_equal(twice.owner, next_bids.argmin(1))
