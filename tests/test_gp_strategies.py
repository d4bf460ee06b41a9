"""Strategies in the kernel of a Gaussian process: against exact conditioning, and with learners of every kind."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongsuit.active import auxiliary, embeddings
from strongsuit.active.committee import train
from strongsuit.active.defaults import default_strategy
from strongsuit.active.evidence import Evidence, gather
from strongsuit.active.pool import AUDIT, EXCLUDED, asked, pool_of
from strongsuit.active.session import ask, init, tell
from strongsuit.active.strategies import STRATEGIES, find_strategy
from strongsuit.active.strategy import propose
from strongsuit.core import fit_one, predict_one, root_key
from strongsuit.core.keys import key_for
from strongsuit.core.learner import fits_done
from strongsuit.errors import InputError
from strongsuit.learners import GP, MLP, Ridge, hgb
from strongsuit.testing import check_strategy

_spec = importlib.util.spec_from_file_location("plain", Path(__file__).with_name("selector_references.py"))
plain = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(plain)

NAMES = ["alc_gp", "lcmd_gp"]
PROCESS = GP("matern", variance=False)
NETWORK = MLP(widths=(8,), epochs=5, least_steps=20, choose_decay=False)


def started(*, n: int = 50, known: int = 14, noise: float = 0.1, seed: int = 0):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, 2)), np.full((n, 1), np.nan)
    y[:known, 0] = np.sin(2 * X[:known, 0]) + noise * rng.normal(size=known)
    return pool_of(X, y=y)


def asked_of(learner, pool, **options) -> tuple[Evidence, object]:
    committee = train(root_key(1), learner, pool, 1, needs=("gp",))
    return gather(root_key(2), committee, pool, ("gp",), **options), committee


def kernel(learner: GP, params, X: np.ndarray) -> tuple[np.ndarray, float]:
    """The prior covariance (n, n) of standardised targets and the noise, from a plain formula of the Matern kernel."""
    theta, Z = params["theta"], (X - params["x_center"]) / params["x_spread"]
    s = np.sqrt(5 * (((Z[:, None] - Z[None]) / np.exp(theta[3:])) ** 2).sum(2))
    curved = np.exp(theta[0]) * (1 + s + s**2 / 3) * np.exp(-s)
    return curved + np.exp(theta[1]) / Z.shape[1] * Z @ Z.T, float(np.exp(theta[2]))


def conditioned(K: np.ndarray, rows: np.ndarray, noise: float) -> np.ndarray:
    """The covariance (n, n) given noisy labels of the rows."""
    return K - K[:, rows] @ np.linalg.solve(K[np.ix_(rows, rows)] + noise * np.eye(len(rows)), K[rows])


def test_the_features_are_those_of_a_committees_own_kernel() -> None:
    pool = started()
    before = fits_done()
    found, committee = asked_of(PROCESS, pool)
    assert fits_done() - before == 1 and not committee.auxiliary
    K, noise = kernel(PROCESS, committee.params[0], pool.X)
    np.testing.assert_allclose(found.gp @ found.gp.T, K, atol=1e-6 * np.trace(K))
    assert found.gp_noise == pytest.approx(noise) and found.grad is None
    np.testing.assert_array_equal(embeddings.gp(None, found), found.gp)


@pytest.mark.parametrize("learner", [NETWORK, Ridge(), hgb(iterations=5)], ids=["network", "ridge", "boosting"])
def test_other_learners_have_a_process_trained_beside_them_on_demand(learner) -> None:
    pool = started()
    found, committee = asked_of(learner, pool)
    y = (pool.y[pool.labelled] - committee.center) / committee.scale
    key = key_for(key_for(root_key(1), "auxiliary"), "gp")
    params = fit_one(GP(variance=False), key, pool.X[pool.labelled], y, np.ones(14))
    features, noise = GP().kernel_features(params, pool.X)
    np.testing.assert_array_equal(found.gp, features)
    assert found.gp_noise == noise
    plain = train(root_key(1), learner, pool, 1)
    assert not plain.auxiliary
    with pytest.raises(InputError, match="trained without gp: name it among the needs of `train`"):
        gather(root_key(2), plain, pool, ("gp",))


class _Bare:
    """A learner that offers nothing but the contract."""

    traceable = False

    def fit(self, key, X, y, w):
        return y.mean(0)


@pytest.mark.parametrize("name", NAMES)
def test_a_learner_that_has_none_says_which_strategies_fit(name: str) -> None:
    words = (
        "_Bare offers no Gaussian process to train beside it: choose a strategy that needs none, such as qbc, lcmd_x"
    )
    with pytest.raises(InputError, match=words):
        train(root_key(0), _Bare(), started(), 1, needs=STRATEGIES[name].needs)


@settings(max_examples=15)
@given(st.integers(0, 1000), st.integers(3, 20), st.sampled_from([0.05, 0.3]))
def test_posterior_features_are_the_covariance_given_labels_and_pending_rows(seed, known, noise) -> None:
    pool = started(known=known, noise=noise, seed=seed)
    pool = asked(pool, np.array([30, 31]))
    found, committee = asked_of(PROCESS, pool)
    K, sigma = kernel(PROCESS, committee.params[0], pool.X)
    rows = np.append(np.arange(known), [30, 31])
    size = np.diag(K)[rows].mean()
    F, share = embeddings.gp_posterior(None, found), embeddings.gp_noise(found)
    assert share == pytest.approx(max(1e-6, sigma / size), rel=1e-3)
    expected = conditioned(K, rows, max(sigma, 1e-6 * size)) / size
    np.testing.assert_allclose(F @ F.T, expected, atol=2e-3)


def test_with_little_noise_a_label_tells_much_and_with_much_noise_little() -> None:
    calm, loud = (asked_of(PROCESS, started(n=200, known=150, noise=noise))[0] for noise in (0.02, 0.7))
    assert embeddings.gp_noise(calm) < 0.01 < 0.1 < embeddings.gp_noise(loud)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("noise", [0.05, 0.4])
def test_alc_takes_the_row_that_lowers_the_summed_variance_most(seed: int, noise: float) -> None:
    pool = started(noise=noise, seed=seed)
    found, committee = asked_of(PROCESS, pool)
    chosen = propose(root_key(3), find_strategy("alc_gp"), found, 4)
    K, sigma = kernel(PROCESS, committee.params[0], pool.X)
    size, known, drops = np.diag(K)[:14].mean(), list(range(14)), []
    before = np.trace(conditioned(K, np.array(known), sigma))
    for row in chosen.index:
        after = {x: np.trace(conditioned(K, np.array([*known, x]), sigma)) for x in range(14, 50) if x not in known}
        assert row == min(after, key=after.get)
        drops.append(before - after[int(row)])
        known, before = [*known, int(row)], after[int(row)]
    np.testing.assert_allclose(chosen.gain * size, drops, rtol=5e-3)


def test_the_summed_variance_is_that_of_the_learners_own_predictions() -> None:
    pool, learner = started(), GP("rbf")
    found, committee = asked_of(learner, pool)
    params = committee.params[0]
    variance = predict_one(learner, params, pool.X).variance[:, 0] / params["y_spread"] ** 2
    size = (found.gp[pool.labelled] ** 2).sum(1).mean()
    np.testing.assert_allclose((embeddings.gp_posterior(None, found) ** 2).sum(1) * size, variance, atol=1e-4 * size)


@pytest.mark.parametrize("seed", range(3))
def test_lcmd_measures_distance_in_the_kernel(seed: int) -> None:
    pool = started(seed=seed)
    found, committee = asked_of(PROCESS, pool)
    K, _ = kernel(PROCESS, committee.params[0], pool.X)
    values, vectors = np.linalg.eigh(K)
    exact = vectors * np.sqrt(np.maximum(values, 0.0))
    wanted = plain.lcmd(exact, ~pool.labelled, np.arange(14), 6)
    assert list(propose(root_key(3), find_strategy("lcmd_gp"), found, 6).index) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_promises_hold_where_the_learner_is_the_process(name: str) -> None:
    strategy = find_strategy(name)

    def run(key, X, y, open_rows, b):
        pool = pool_of(X, y=y)
        pool.state[~open_rows & ~pool.labelled] = EXCLUDED
        committee = train(key_for(key, "train"), PROCESS, pool, 1, needs=strategy.needs)
        return propose(key, strategy, gather(key, committee, pool, strategy.needs), b)

    check_strategy(run, greedy=True)


def test_memory_bounds_the_rank(monkeypatch) -> None:
    pool, (_, committee) = started(), asked_of(PROCESS, started())
    monkeypatch.setattr(auxiliary, "LEAST_RANK", 3)
    for numbers, columns in ((500, 10), (100, 3)):
        monkeypatch.setattr(auxiliary, "KERNEL_NUMBERS", numbers)
        assert gather(root_key(2), committee, pool, ("gp",)).gp.shape == (50, columns)


def test_the_default_is_what_suits_the_learner() -> None:
    assert [default_strategy(one) for one in (GP(), NETWORK, _Bare())] == ["qbc_gsxy", "qbc_gsxy", "lcmd_x"]
    X = np.random.default_rng(0).uniform(-1, 1, size=(120, 2))
    assert init(root_key(0), GP(), X).strategy.name == "qbc_gsxy"
    assert init(root_key(0), GP(), X, strategy="gsx").strategy.name == "gsx"


@pytest.mark.parametrize("name", NAMES)
def test_a_session_follows_it_and_never_looks_at_random_rows(name: str) -> None:
    X = np.random.default_rng(0).uniform(-1, 1, size=(150, 2))
    session = init(root_key(0), PROCESS, X, strategy=name)
    for _ in range(2):
        session, batch = ask(session, 20)
        session = tell(session, batch.index, np.sin(3 * X[batch.index, :1]))
    batch = ask(session, 10)[1]
    assert batch.strategy == name and len(np.unique(batch.index)) == 10
    audit = session.pool.labelled & (session.pool.role == AUDIT)
    assert audit.any()
    pool = replace(session.pool, y=session.pool.y.copy())
    pool.y[audit] += 100.0
    np.testing.assert_array_equal(ask(replace(session, pool=pool), 10)[1].index, batch.index)
