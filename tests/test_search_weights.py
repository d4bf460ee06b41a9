"""The search for weights: a gradient that is there, a planted strategy that is found, noise that is not chased."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

import strongsuit.active.search.weights as weights
from strongsuit.active.search.rewards import influence, losses, standardised
from strongsuit.active.search.weights import Lesson, Weights, blended, gain, learn, loss_and_slopes, soft_take

STRATEGIES, PLANTED = 7, 3


def lesson(seed: int, rows: int, *, planted: bool = True, folds: int = 5) -> Lesson:
    """Random strategies, one of which ranks rows by their reward and half as much noise."""
    rng = np.random.default_rng(seed)
    count = rows // folds
    value, said = rng.normal(size=(folds, count)), rng.normal(size=(folds, count, STRATEGIES))
    if planted:
        said[..., PLANTED] = value + 0.5 * rng.normal(size=value.shape)
    ranks = said.argsort(1).argsort(1) / (count - 1)
    reward = np.stack([standardised(one) for one in value])
    share = float(np.clip(20 / rows, 0.1, 0.5))
    take = np.full(folds, max(2, round(share * count)))
    return Lesson(ranks, reward, np.ones((folds, count), bool), take, rng.normal(size=(folds, count, 5)))


def everything(one: Lesson) -> np.ndarray:
    return np.ones((1, len(one.take)), bool)


@pytest.mark.parametrize("per_row", [False, True])
def test_slopes_are_those_of_finite_differences(per_row: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    one, rng = lesson(0, 60), np.random.default_rng(1)
    used = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 1, 0]], bool)
    values = {"even": rng.normal(size=(2, STRATEGIES)) * 0.3}
    if per_row:
        values |= {"out": rng.normal(size=(2, STRATEGIES, 4)) * 0.3, "within": rng.normal(size=(2, 4, 5)) * 0.3}
    _, slopes = loss_and_slopes(one, used, Weights(**values), heat=1.0, pull=0.5)
    scores = (Weights(**values).of(one.features) * (one.ranks - (1 - one.share))).sum(-1)
    fixed = weights._spread(scores, used[:, :, None] & one.real)
    monkeypatch.setattr(weights, "_spread", lambda scores, seen: fixed)  # the temperature counts as a constant
    for slope, (name, value) in zip(slopes, values.items(), strict=True):
        for place in list(np.ndindex(value.shape))[::3]:
            ends = []
            for step in (1e-5, -1e-5):
                moved = value.copy()
                moved[place] += step
                ends.append(loss_and_slopes(one, used, Weights(**values | {name: moved}), heat=1.0, pull=0.5)[0].sum())
            assert slope[place] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)


def test_the_gradient_is_there_and_the_published_form_has_none() -> None:
    one = lesson(3, 100, planted=False)
    assert learn(one, everything(one), steps=1).gradient[0] > 1e-3
    # AutoAL's released code: sigmoid(1e11 (p - theta)), p the softmax over rows of summed weights of binary picks.
    rng = np.random.default_rng(0)
    picked = np.zeros((1000, STRATEGIES))
    for k in range(STRATEGIES):
        picked[rng.choice(1000, 20, replace=False), k] = 1.0
    s = (picked * rng.normal(size=(1000, STRATEGIES))).sum(1)
    p = np.exp(s - s.max()) / np.exp(s - s.max()).sum()
    slope = 1e11 * (p - rng.choice(p, 10_000).mean())
    with np.errstate(over="ignore"):
        taken = 1.0 / (1.0 + np.exp(-slope))
    assert (taken * (1.0 - taken) == 0.0).all()


def test_soft_counts_are_exact_and_only_seen_rows_are_taken() -> None:
    rng = np.random.default_rng(0)
    scores, seen = rng.normal(size=(3, 4, 20)), rng.random((4, 20)) < 0.8
    take = np.array([2, 3, 4, 5])
    for tau in (1.0, 0.01, 1e-6):
        found = soft_take(scores, np.tile(seen, (3, 1, 1)), take, np.full(3, tau))
        np.testing.assert_allclose(found.sum(-1), np.tile(take, (3, 1)), atol=1e-6)
        assert (found[:, ~seen] == 0.0).all() and (found >= 0).all() and (found <= 1).all()


@pytest.mark.parametrize(("rows", "least"), [(40, 19), (100, 20), (200, 20)])
def test_a_planted_strategy_gets_the_largest_weight(rows: int, least: int) -> None:
    lessons = [lesson(seed, rows) for seed in range(100, 120)]  # the share of rows taken was chosen on 0 to 39
    found = [learn(one, everything(one)).shares()[0] for one in lessons]
    assert sum(int(np.argmax(share)) == PLANTED for share in found) >= least


def test_random_strategies_stay_near_equal_weights() -> None:
    found = [blended(lesson(seed, 200, planted=False)) for seed in range(20)]
    assert np.mean([one.share.max() for one in found]) <= 0.25
    even = [one for one in found if one.blend == 0.0]
    assert len(even) > 10 and all(one.reason == "no_gain_over_rank_average" for one in even)
    assert all(np.array_equal(one.share, np.full(STRATEGIES, 1 / STRATEGIES)) for one in even)


def test_a_planted_strategy_is_blended_in_and_the_gain_is_that_of_the_rows_taken() -> None:
    one = lesson(0, 200)
    found = blended(one)
    assert found.blend > 0.0 and found.reason == "" and found.gains.mean() > 0.0
    only = np.eye(STRATEGIES)[PLANTED]
    best = np.argsort(-one.ranks[0, :, PLANTED])[: one.take[0]]
    even = np.argsort(-one.ranks[0].mean(1), kind="stable")[: one.take[0]]
    assert gain(one, 0, only) == pytest.approx(one.reward[0][best].mean() - one.reward[0][even].mean())


def test_one_strategy_keeps_all_the_weight() -> None:
    one = lesson(0, 50)
    alone = Lesson(one.ranks[..., :1], one.reward, one.real, one.take)
    assert blended(alone).share.tolist() == [1.0]


def test_the_order_of_rows_changes_no_weight() -> None:
    one, rng = lesson(1, 60), np.random.default_rng(0)
    order = np.stack([rng.permutation(12) for _ in range(5)])
    turned = Lesson(
        np.take_along_axis(one.ranks, order[:, :, None], 1),
        np.take_along_axis(one.reward, order, 1),
        one.real,
        one.take,
    )
    np.testing.assert_allclose(blended(turned).share, blended(one).share, atol=1e-12)


def _softmax_task(seed: int):
    """Two hundred rows of three classes with a fitted softmax layer on the first hundred."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(seed)
    X = rng.normal(size=(150, 6))
    y = np.argmax(X[:, :3] + 0.7 * rng.normal(size=(150, 3)), axis=1)

    def fitted(rows: np.ndarray, labels: np.ndarray = y):
        return LogisticRegression(C=1.0, max_iter=5000, tol=1e-10).fit(X[rows], labels[rows])

    return X, np.hstack([X, np.ones((150, 1))]), np.eye(3)[y], y, fitted


def test_influence_orders_rows_as_refits_with_each_of_them_do() -> None:
    X, Z, Y, _, fitted = _softmax_task(0)
    train, own = np.arange(100), np.arange(100, 150)
    p = fitted(train).predict_proba(X)
    before, true = losses(p[own], Y[own], classes=True), []
    for j in own:
        after = losses(fitted(np.append(train, j)).predict_proba(X[own]), Y[own], classes=True)
        true.append((before - after)[own != j].mean())
    said = influence(p[own], Y[own], Z[own], p[train], Z[train])
    assert spearmanr(said, true).statistic > 0.9
    assert spearmanr(before, true).statistic < 0.5  # the published reward says little


def test_influence_of_a_linear_layer_is_the_derivative_of_the_refit() -> None:
    rng = np.random.default_rng(0)
    Z = np.hstack([rng.normal(size=(60, 4)), np.ones((60, 1))])
    y = rng.normal(size=(60, 2))
    train, own = np.arange(40), np.arange(40, 60)

    def weights_with(extra: int | None, share: float) -> np.ndarray:
        w = np.ones(40)
        A, b = Z[train].T @ (w[:, None] * Z[train]) + np.eye(5), Z[train].T @ y[train]
        if extra is not None:
            A, b = A + share * np.outer(Z[extra], Z[extra]), b + share * np.outer(Z[extra], y[extra])
        return np.linalg.solve(A, b)

    said = influence(Z[own] @ weights_with(None, 0.0), y[own], Z[own], None, Z[train])
    for place, j in enumerate(own):
        others = own[own != j]
        falls = [0.5 * ((Z[others] @ weights_with(j, share) - y[others]) ** 2).sum(1).mean() for share in (1e-6, -1e-6)]
        assert said[place] == pytest.approx(-(falls[0] - falls[1]) / 2e-6, rel=1e-4, abs=1e-7)


def test_flipped_labels_are_chased_by_the_loss_and_not_by_the_influence() -> None:
    caught = {"influence": 0, "loss": 0}
    rows = 0.0
    for seed in range(12):
        X, Z, _, y, fitted = _softmax_task(seed)
        flipped = np.random.default_rng(seed).random(150) < 0.2
        noisy = np.where(flipped, (y + 1) % 3, y)
        p = fitted(np.arange(100), noisy).predict_proba(X)
        own, Y = np.arange(100, 150), np.eye(3)[noisy]
        reward = {
            "influence": influence(p[own], Y[own], Z[own], p[:100], Z[:100]),
            "loss": losses(p[own], Y[own], classes=True),
        }
        rows += 10 * flipped[own].mean()
        for name, value in reward.items():
            caught[name] += int(flipped[own][np.argsort(-value)[:10]].sum())
    assert caught["influence"] <= 1.5 * rows < 2.0 * rows < caught["loss"]


def test_features_too_wide_are_looked_at_where_they_are_largest() -> None:
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(60, 900)) * np.r_[np.ones(30), np.full(870, 1e-6)]
    y, p = np.eye(3)[rng.integers(0, 3, 60)], rng.dirichlet(np.ones(3), 60)
    found = influence(p[:20], y[:20], Z[:20], p[20:], Z[20:])
    assert np.isfinite(found).all()
    narrow = influence(p[:20], y[:20], Z[:20, :100], p[20:], Z[20:, :100])
    assert spearmanr(found, narrow).statistic > 0.99
