"""Votes and the search among rules for numbers, and rewards of rows: exact for ridge, given the rest of a batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from strongsuit.active.committee import train
from strongsuit.active.evidence import Evidence, gather
from strongsuit.active.folds import MOST, STANDING, cross_fitted, seen_from_outside
from strongsuit.active.pool import pool_of
from strongsuit.active.search.autoal import HELD, autoal, lesson_of, stood_for
from strongsuit.active.search.lookahead import Layer
from strongsuit.active.search.rewards import influence, losses, refitted, standardised
from strongsuit.active.search.votes import rank_average
from strongsuit.active.search.weights import AFRESH, Lesson, blended, gain, learn
from strongsuit.active.selectors.top_k import top_k
from strongsuit.active.selectors.uniform import uniform
from strongsuit.active.session import ask, init, tell
from strongsuit.active.strategies import SEARCHED, find_strategy
from strongsuit.active.strategy import Strategy, propose
from strongsuit.core import root_key
from strongsuit.core.keys import Key, key_for
from strongsuit.errors import InputError
from strongsuit.learners import MLP
from strongsuit.learners.ridge import Ridge
from strongsuit.testing import check_strategy

KEY = root_key(2)
NETWORK = MLP(widths=(8,), epochs=5, least_steps=10, choose_decay=False)


def seen(key: Key, X: np.ndarray, y: np.ndarray, strategy: Strategy, learner=NETWORK) -> Evidence:
    """What a session would show the strategy."""
    pool = pool_of(X, y=y)
    committee = train(key_for(key, "train"), learner, pool, 2, needs=strategy.needs)
    folds = cross_fitted(key_for(key, "folds"), learner, pool, 2, strategy.needs)
    evidence = gather(key, committee, pool, strategy.needs)
    return replace(evidence, folds=seen_from_outside(key, folds, pool, strategy.needs))


def waves(rows: int = 90, known: int = 40, outputs: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 3))
    y = np.stack([np.sin(X[:, 0]) + X[:, 1] * (1 + o) for o in range(outputs)], axis=1)
    y[known:] = np.nan
    return X, y


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_search_learns_weights_from_continuous_labels(outputs: int) -> None:
    X, y = waves(outputs=outputs)
    row = find_strategy("autoal")
    for learner in (NETWORK, Ridge()):
        evidence = seen(KEY, X, y, row, learner)
        assert evidence.linear == isinstance(learner, Ridge) and len(evidence.folds) == MOST
        found = propose(KEY, row, evidence, 6)
        facts = found.facts
        assert set(facts["weights"]) == set(SEARCHED) and sum(facts["weights"].values()) == pytest.approx(1.0)
        assert facts["gradient"] > 0.0 and len(facts["gains"]) == MOST and "too_few" not in found.degraded
        if facts["blend"] == 0.0:
            even = rank_average(KEY, row.parts, evidence, 6)
            assert set(found.index) == set(even.index)


def test_the_search_keeps_the_promises_with_continuous_labels() -> None:
    strategy, searched = find_strategy("autoal"), []

    def choose(key, X, y, open_rows, b):
        y, told = y.copy(), np.isnan(y[:, 0]) & ~open_rows
        y[told] = np.sin(X[told, :1])  # the suite's tables have fewer labels than the search wants
        found = propose(key, strategy, seen(key, X, y, strategy, Ridge()), b)
        searched.append("too_few_labels" not in found.degraded)
        return found

    check_strategy(choose)
    assert sum(searched) > 20


def worth(evidence: Evidence) -> np.ndarray:
    """What the labelled rows of a fold are worth, with half as much noise; nothing is known of a pool's rows."""
    own, found = np.flatnonzero(evidence.available), np.full(len(evidence.x), np.nan)
    if evidence.y_true is None:
        return np.zeros(len(evidence.x))
    train_rows = np.flatnonzero(evidence.labelled)
    reward = refitted(evidence.mean[own], evidence.y_true[own], evidence.last[own], evidence.last[train_rows])
    found[own] = standardised(reward) + 0.5 * np.random.default_rng(len(own)).normal(size=len(own))
    return found


def chance(seed: int):
    return lambda evidence: np.random.default_rng((seed, len(evidence.x), evidence.labelled.sum())).random(
        len(evidence.x)
    )


def test_a_planted_strategy_gets_the_largest_weight_with_continuous_labels() -> None:
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(140, 4))
        y = (X @ rng.normal(size=4) + 0.5 * X[:, 0] * X[:, 1] + 0.3 * rng.normal(size=140))[:, None]
        y[100:] = np.nan
        rules = [worth if k == 3 else chance(10 * seed + k) for k in range(7)]
        parts = tuple(Strategy(f"rule {k}", "", "", top_k, score=rule) for k, rule in enumerate(rules))
        row = Strategy("search", "", "", uniform, needs=frozenset({"mean", "last", "folds"}), parts=parts)
        folds = seen(key_for(KEY, seed), X, y, row, Ridge()).folds
        (share,) = learn(lesson_of(KEY, parts, folds, 0.2), np.ones((1, len(folds)), bool)).shares()
        found += int(np.argmax(share)) == 3
    assert found == 10


@pytest.mark.parametrize("name", ["vote", "rank_average", "autoal"])
def test_a_session_of_a_regressor_runs_them(name: str) -> None:
    X, y = waves(known=24)
    session = init(KEY, NETWORK, X, y=y, strategy=name, guarded=False)
    for _ in range(2):
        session, batch = ask(session, 5)
        assert len(set(batch.index)) == 5
        session = tell(session, batch.index, np.sin(X[batch.index, :1]))


def ridge_task(seed: int = 0):
    rng = np.random.default_rng(seed)
    Z = np.hstack([rng.normal(size=(60, 4)), np.ones((60, 1))])
    return Z, rng.normal(size=(60, 2)), np.arange(40), np.arange(40, 60)


def fitted(Z: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    return np.linalg.solve(Z.T @ (w[:, None] * Z) + np.eye(Z.shape[1]), Z.T @ (w[:, None] * y))


def test_the_reward_of_a_ridge_regression_is_that_of_a_refit() -> None:
    Z, y, train_rows, own = ridge_task()
    w = np.isin(np.arange(60), train_rows).astype(float)
    said = Z[own] @ fitted(Z, y, w)
    judges = np.arange(20) % 3.0
    for counted in (None, judges):
        found = refitted(said, y[own], Z[own], Z[train_rows], judges=counted)
        for place, j in enumerate(own):
            theta = fitted(Z, y, np.where(np.arange(60) == j, 1.0, w))
            kept = (own != j) * (np.ones(20) if counted is None else counted)
            before, after = ((y[own] - said) ** 2).sum(1), ((y[own] - Z[own] @ theta) ** 2).sum(1)
            assert found[place] == pytest.approx(np.average(before - after, weights=kept), abs=1e-8)
    # To first order, and for the same reason, it is the influence.
    whole = refitted(said, y[own], Z[own], Z[train_rows])
    assert spearmanr(whole, influence(said, y[own], Z[own], None, Z[train_rows])).statistic > 0.8


def test_a_layer_looked_at_ahead_is_refitted_with_what_is_taken() -> None:
    Z, y, train_rows, own = ridge_task()
    w = np.isin(np.arange(60), train_rows).astype(float)
    judges = np.arange(20) % 3.0
    layer = Layer(Z[own], Z[own] @ fitted(Z, y, w), y[own], Z[train_rows], None, judges)
    m = np.random.default_rng(1).uniform(0, 1, 20)
    found = layer.rewards(m)

    def outer(m: np.ndarray, others: np.ndarray) -> float:
        theta = fitted(Z, y, np.concatenate([np.ones(40), m]))
        return 0.5 * np.average(((Z[own] @ theta - y[own]) ** 2).sum(1), weights=judges * others)

    for j in range(20):
        others, step = np.arange(20) != j, 1e-5 * (np.arange(20) == j)
        slope = (outer(m + step, others) - outer(m - step, others)) / 2e-5
        assert found[j] == pytest.approx(-slope, rel=1e-4, abs=1e-8)
    first = influence(layer.said, y[own], Z[own], None, Z[train_rows], judges=judges)
    np.testing.assert_allclose(layer.rewards(np.zeros(20)), first, rtol=1e-9)


def test_a_softmax_layer_looked_at_ahead_is_refitted_too() -> None:
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    rng = np.random.default_rng(0)
    Z = np.hstack([rng.normal(size=(50, 3)), np.ones((50, 1))])
    Y = np.eye(3)[np.argmax(Z[:, :3] + rng.normal(size=(50, 3)), axis=1)]
    train_rows, own = np.arange(30), np.arange(30, 50)

    def optimum(w: np.ndarray) -> np.ndarray:
        def state(flat):
            theta = flat.reshape(4, 3)
            logs = log_softmax(Z @ theta, axis=1)
            slope = Z.T @ (w[:, None] * (np.exp(logs) - Y)) + theta
            return 0.5 * flat @ flat - (w[:, None] * Y * logs).sum(), slope.ravel()

        return minimize(state, np.zeros(12), jac=True, method="BFGS", options={"gtol": 1e-10}).x.reshape(4, 3)

    def logs(theta: np.ndarray) -> np.ndarray:
        return log_softmax(Z @ theta, axis=1)

    w = np.concatenate([np.ones(30), np.zeros(20)])
    p = np.exp(logs(optimum(w)))
    judges, m = np.arange(20) % 4.0, rng.uniform(0, 1, 20)
    layer = Layer(Z[own], p[own], Y[own], Z[train_rows], p[train_rows], judges)
    found = layer.rewards(m)
    for j in range(0, 20, 3):
        others, ends = judges * (np.arange(20) != j), []
        for step in (1e-4, -1e-4):
            said = logs(optimum(np.concatenate([np.ones(30), m + step * (np.arange(20) == j)])))
            ends.append(np.average(-(Y * said).sum(1)[own], weights=others))
        assert found[j] == pytest.approx(-(ends[0] - ends[1]) / 2e-4, rel=1e-3, abs=1e-6)
    first = influence(p[own], Y[own], Z[own], p[train_rows], Z[train_rows], judges=judges)
    np.testing.assert_allclose(layer.rewards(np.zeros(20)), first, rtol=1e-4, atol=1e-7)


def twins_lesson() -> Lesson:
    """Two rules: one puts two rows first that teach the same, the other two that teach different things."""
    rng, count = np.random.default_rng(0), 12
    ranks = np.stack([rng.permutation(count) for _ in range(2)], axis=1)[None] / (count - 1)
    ranks = np.tile(ranks, (5, 1, 1))
    ranks[:, :3, 0], ranks[:, :3, 1] = [1.0, 1.0, 0.0], [1.0, 0.0, 1.0]
    ranks[:, 3:] *= 0.5
    reward = np.tile(np.r_[2.0, 2.0, 1.9, np.zeros(9)], (5, 1))
    worth = np.r_[2.0, 2.0, 1.9, np.zeros(9)]

    def again(f: int, taken: np.ndarray) -> np.ndarray:
        found = worth.copy()
        found[0] -= 3.0 * taken[1]
        found[1] -= 3.0 * taken[0]
        return found

    return Lesson(ranks, reward, np.ones((5, count), bool), np.full(5, 2), again=again)


def test_a_search_that_looks_ahead_sees_rows_that_teach_the_same() -> None:
    ahead, everything = twins_lesson(), np.ones((1, 5), bool)
    alone = replace(ahead, again=None)
    assert learn(alone, everything).shares()[0, 0] > 0.5  # each of the twins is worth most by itself
    assert learn(ahead, everything).shares()[0, 1] > 0.5
    assert gain(ahead, 0, np.array([0.0, 1.0])) > gain(ahead, 0, np.array([1.0, 0.0]))
    assert gain(alone, 0, np.array([0.0, 1.0])) < gain(alone, 0, np.array([1.0, 0.0]))


def test_rules_look_at_labelled_rows_as_rows_of_the_pool() -> None:
    X, y = waves(rows=700)
    evidence = seen(KEY, X, y, find_strategy("autoal"), Ridge())
    for fold in evidence.folds:
        own = np.flatnonzero(fold.available)
        assert len(fold.x) == 40 + STANDING and len(own) in (13, 14) and fold.labelled.sum() == 40 - len(own)
        assert own.max() < 40 and fold.served.sum() == len(own) + STANDING
        assert fold.served[own].all() and not fold.labelled[fold.served].any()
        judges = stood_for(fold, own)
        assert judges.sum() == len(own) + STANDING and (judges >= 1).all()  # each is at least its own nearest


def test_a_favourite_holds_its_share_whatever_is_learned() -> None:
    X, y = waves()
    row = find_strategy("autoal")
    evidence = seen(KEY, X, y, row, Ridge())
    plain, kept = (autoal(KEY, row.parts, evidence, 5, favourite=name).facts["weights"] for name in ("", "gsx"))
    assert kept["gsx"] == pytest.approx(HELD + (1.0 - HELD) * plain["gsx"])
    assert kept["gsy"] == pytest.approx((1.0 - HELD) * plain["gsy"]) and sum(kept.values()) == pytest.approx(1.0)


def test_rewards_are_told_anew_every_so_many_steps_and_only_of_folds_in_use() -> None:
    calls = []

    def again(f: int, taken: np.ndarray) -> np.ndarray:
        calls.append((f, taken.sum()))
        return np.zeros(12)

    used = np.array([[True, True, True, True, True], [True, False, False, False, True]])
    learn(replace(twins_lesson(), again=again), used, steps=2 * AFRESH + 1)
    assert len(calls) == 3 * 7 and [f for f, _ in calls[5:7]] == [0, 4]
    np.testing.assert_allclose([count for _, count in calls], 2.0, atol=1e-6)


def test_a_lesson_looks_ahead_where_it_is_asked_to() -> None:
    X, y = waves()
    row = find_strategy("autoal")
    evidence = seen(KEY, X, y, row, Ridge())
    plain = lesson_of(KEY, row.parts, evidence.folds, 0.25, "influence")
    ahead = lesson_of(KEY, row.parts, evidence.folds, 0.25, "lookahead")
    assert plain.again is None and ahead.again is not None
    np.testing.assert_array_equal(plain.ranks, ahead.ranks)
    count = int(ahead.real[0].sum())
    np.testing.assert_allclose(ahead.again(0, np.zeros(count)), ahead.reward[0, :count], atol=1e-9)
    found = autoal(KEY, row.parts, evidence, 5, reward="lookahead")
    assert sum(found.facts["weights"].values()) == pytest.approx(1.0)
    for wrong in ({"reward": "luck"}, {"weights": "some"}, {"favourite": "nobody"}):
        with pytest.raises(InputError, match="must be one of"):
            autoal(KEY, row.parts, evidence, 5, **wrong)


def per_row_lesson(seed: int, rows: int) -> Lesson:
    """Two good rules, each on one side of a feature, and five random ones."""
    rng, count = np.random.default_rng(seed), rows // 5
    features, value = rng.normal(size=(5, count, 3)), rng.normal(size=(5, count))
    said = rng.normal(size=(5, count, 7))
    for k, side in ((2, features[..., 0] > 0), (4, features[..., 0] <= 0)):
        said[..., k] = np.where(side, value + 0.3 * said[..., k], said[..., k])
    ranks = said.argsort(1).argsort(1) / (count - 1)
    reward = np.stack([standardised(one) for one in value])
    return Lesson(ranks, reward, np.ones((5, count), bool), np.full(5, count // 5), features)


def test_weights_that_depend_on_the_row_follow_a_feature_that_decides() -> None:
    one = per_row_lesson(0, 800)
    draws = np.random.default_rng(1).normal(size=(16, 3)) / 3**0.5
    by_row, constant = blended(one, draws=draws), blended(one)
    assert by_row.by_row is not None and by_row.blend > 0.0 and constant.by_row is None
    assert by_row.gains.mean() > constant.gains.mean()
    assert by_row.share.sum() == pytest.approx(1.0) and {2, 4} == set(np.argsort(-by_row.share)[:2])
    right = by_row.by_row.of(np.array([[[2.0, 0, 0], [-2.0, 0, 0]]]))[0, 0]
    assert right[0, 2] > right[0, 4] and right[1, 4] > right[1, 2]


def test_few_labels_keep_weights_constant_and_many_look_at_rows() -> None:
    X, y = waves(rows=520, known=60)
    row = find_strategy("autoal")
    parts = tuple(part for part in row.parts if part.name in ("qbc", "gsx", "gsy"))
    row = replace(row, parts=parts, needs=frozenset({"var", "mean", "last", "folds"}))
    few = autoal(KEY, parts, seen(KEY, X, y, row, Ridge()), 5, weights="per_row")
    assert "too_few_for_rows" in few.degraded
    X, y = waves(rows=520, known=420)
    many = autoal(KEY, parts, seen(KEY, X, y, row, Ridge()), 5, weights="per_row")
    assert "too_few_for_rows" not in many.degraded and len(set(many.index)) == 5
    assert np.isfinite(many.gain).all()


def test_losses_are_rewards_of_numbers_too() -> None:
    said, y = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [3.0, 1.0]])
    assert losses(said, y, classes=False).tolist() == [2.0, 5.0]
