"""Fields that a network beside the committee answers: only on demand, only where there is one, averaged rightly."""

from __future__ import annotations

import numpy as np
import pytest

from strongsuit.active import scores
from strongsuit.active.auxiliary import KINDS, uncertainty
from strongsuit.active.committee import accompanied, train
from strongsuit.active.evidence import gather
from strongsuit.active.pool import pool_of
from strongsuit.active.session import ask, init, tell
from strongsuit.active.strategies import STRATEGIES
from strongsuit.core import fit_one, predict_one, root_key
from strongsuit.core.keys import key_for
from strongsuit.core.learner import fits_done
from strongsuit.errors import InputError
from strongsuit.learners import GP, MLP, DropoutMLP, LossMLP, Ridge, hgb

SMALL = MLP(widths=(8,), epochs=5, least_steps=20, choose_decay=False)
FIELDS = sorted(KINDS)


def started(k: int = 1):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.full((40, k), np.nan)
    y[:12] = np.stack([(j + 1) * np.sin(X[:12, 0]) + 5 * j for j in range(k)], axis=1)
    return pool_of(X, y=y)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_the_variance_of_its_network_averaged_over_outputs(name: str) -> None:
    pool = started(k=2)
    committee = train(root_key(1), SMALL, pool, 2, needs=(name,))
    found = gather(root_key(2), committee, pool, (name,))
    learner, known = SMALL.auxiliary(KINDS[name]), pool.labelled
    y = (pool.y[known] - pool.y[known].mean(0)) / committee.scale
    key = key_for(key_for(root_key(1), "auxiliary"), KINDS[name])
    params = fit_one(learner, key, pool.X[known], y, np.ones(12))
    expected = predict_one(learner, params, pool.X).variance.mean(1)
    np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-5)
    score = {"dropout_var": scores.dropout_variance, "loss_hat": scores.learning_loss}[name](found)
    assert score.shape == (40,) and np.isfinite(score).all() and (score >= 0).all()
    in_pieces = uncertainty(committee.auxiliary[name], pool.X, size=7)
    np.testing.assert_allclose(in_pieces, expected, rtol=1e-5)


def test_networks_are_trained_and_asked_only_on_demand() -> None:
    pool = started()
    before = fits_done()
    plain = train(root_key(0), SMALL, pool, 2)
    assert fits_done() - before == 2 and not plain.auxiliary
    found = gather(root_key(0), plain, pool, ("var",))
    assert found.dropout_var is None and found.loss_hat is None
    for name in FIELDS:
        before = fits_done()
        both = train(root_key(0), SMALL, pool, 2, needs=("var", name))
        assert fits_done() - before == 3 and set(both.auxiliary) == {name}
        before = fits_done()
        found = gather(root_key(0), both, pool, ("var", name))
        assert fits_done() == before  # evidence never fits
        other = FIELDS[1 - FIELDS.index(name)]
        assert getattr(found, name) is not None and getattr(found, other) is None
        with pytest.raises(InputError, match=f"trained without {other}: name it among the needs of `train`"):
            gather(root_key(0), both, pool, (other,))


def test_a_network_beside_it_changes_no_bit_of_the_committee() -> None:
    pool = started()
    found = [train(root_key(0), SMALL, pool, 2, needs=needs) for needs in ((), FIELDS)]
    shared = accompanied(root_key(0), found[0], pool, FIELDS)  # one that was trained before, for other strategies
    for name in FIELDS:
        np.testing.assert_array_equal(
            *(getattr(gather(root_key(0), c, pool, (name,)), name) for c in (shared, found[1]))
        )
    one, other = (gather(root_key(0), committee, pool, ("members",)).members for committee in found)
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("learner", [Ridge(), GP(), hgb()], ids=["ridge", "gp", "boosting"])
def test_learners_on_the_host_get_the_networks_of_a_default_one(learner) -> None:
    assert learner.auxiliary("dropout") == DropoutMLP(widths=(20, 20)) == MLP().auxiliary("dropout")
    assert learner.auxiliary("loss") == LossMLP(widths=(64, 64)) == MLP().auxiliary("loss")


class _Bare:
    """A learner that offers nothing but the contract."""

    traceable = False

    def fit(self, key, X, y, w):
        return y.mean(0)


@pytest.mark.parametrize("name", FIELDS)
def test_a_learner_without_one_says_which_strategies_fit(name: str) -> None:
    words = f"_Bare offers no {KINDS[name]} network to train beside it: choose a strategy that needs none, such as qbc"
    with pytest.raises(InputError, match=words):
        train(root_key(0), _Bare(), started(), 2, needs=(name,))
    strategy = {"dropout_var": "bald_dropout", "loss_hat": "power_learning_loss"}[name]
    with pytest.raises(InputError, match=words):  # before a single row is labelled
        init(root_key(0), _Bare(), started().X, strategy=strategy)


@pytest.mark.parametrize("name", ["bald_dropout", "learning_loss"])
def test_a_session_trains_what_its_strategy_needs(name: str) -> None:
    assert STRATEGIES[name].learns
    X = np.random.default_rng(0).uniform(-1, 1, size=(120, 2))
    session = init(root_key(0), MLP(widths=(8,), epochs=20, least_steps=60, choose_decay=False), X, strategy=name)
    for _ in range(2):
        session, batch = ask(session, 40)
        session = tell(session, batch.index, np.sin(3 * X[batch.index, :1]))
    session, batch = ask(session, 10)
    assert batch.strategy == name and len(np.unique(batch.index)) == 10


@pytest.mark.parametrize("rows, goes_on", [(20, True), (24, False)])
def test_models_beside_go_on_as_long_as_the_committee_does(rows: int, goes_on: bool) -> None:
    pool = started()
    first = train(root_key(1), SMALL, pool, 2, needs=("gp",))
    y = pool.y.copy()
    y[:rows] = np.sin(pool.X[:rows, :1])
    found = train(root_key(2), SMALL, pool_of(pool.X, y=y), 2, start=first, needs=("gp",))
    before, after = (one.auxiliary["gp"].params for one in (first, found))
    assert len(after["base"]) == rows
    assert np.array_equal(after["theta"], before["theta"]) == goes_on
