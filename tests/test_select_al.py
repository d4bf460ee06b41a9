"""SelectAL names the regime by what models miss; the best of folds names the rule whose picks were worth most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from strongsuit.active.class_strategies import CLASS_STRATEGIES
from strongsuit.active.removals import FEWEST, KINDS, REPEATS, losses_without, removals
from strongsuit.active.search.autoal import lesson_of
from strongsuit.active.search.best_of_folds import best_of_folds, mean_rewards
from strongsuit.active.search.select_al import select_al
from strongsuit.active.search.weights import Lesson
from strongsuit.active.session import ask, init
from strongsuit.active.strategy import propose
from strongsuit.core import root_key
from strongsuit.core.keys import key_for
from strongsuit.learners.softmax import Softmax

KEY = root_key(21)
PARTS = CLASS_STRATEGIES["select_al"].parts


def two_classes(rows: int = 48, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two clusters, far enough apart for a line."""
    rng = np.random.default_rng(seed)
    classes = np.arange(rows) % 2
    return rng.normal(size=(rows, 2)) * 0.4 + np.where(classes[:, None] == 1, [2.0, 1.0], [-2.0, 1.0]), classes


def test_removals_are_random_rows_the_middle_and_the_edge_of_each_class() -> None:
    X, classes = two_classes()
    X[6], X[7] = (-2.0, -6.0), (2.0, -6.0)  # far from their classes
    rows = np.arange(44)
    drawn, typical, odd = removals(KEY, X, classes, rows)
    assert len(drawn) == len(typical) == len(odd) == 2  # one row of each class of 22
    assert sorted(odd) == [6, 7] and sorted(classes[drawn]) == sorted(classes[typical]) == [0, 1]
    for row in typical:
        own = rows[classes[rows] == classes[row]]
        d = np.sort(np.linalg.norm(X[own][:, None] - X[own][None], axis=2), axis=1)[:, 1:12].mean(1)
        assert row == own[np.argmin(d)]
    _, typical, odd = removals(KEY, X, classes, rows, share=0.2)
    assert len(set(typical)) == len(set(odd)) == 8 and {6, 7} <= set(odd)
    assert [len(one) for one in removals(KEY, X, classes, np.arange(6))] == [0, 0, 0]  # classes of three keep all


def test_coinciding_rows_are_removed_all_the_same() -> None:
    X = np.zeros((60, 2))
    found = removals(KEY, X, np.zeros(60, int), np.arange(60), share=0.1)
    assert [len(set(one.tolist())) for one in found] == [6, 6, 6]


def test_odd_rows_that_alone_tell_of_a_place_are_missed_most() -> None:
    X, classes = two_classes()
    X[[0, 20]] = [(4.0, -5.0), (4.2, -5.2)]  # class 0 has two rows where a line through the clusters sees class 1
    losses = losses_without(KEY, Softmax(), X, np.eye(2)[classes]).mean(1)
    assert KINDS[int(losses.argmax())] == "odd"


def test_typical_rows_are_missed_most_where_odd_ones_mislead() -> None:
    X, classes = two_classes()
    classes = classes.copy()
    classes[[0, 10, 21, 31]] = 1 - classes[[0, 10, 21, 31]]  # labels are wrong, so these lie in the other cluster
    losses = losses_without(KEY, Softmax(), X, np.eye(2)[classes]).mean(1)
    assert KINDS[int(losses.argmax())] == "typical" and KINDS[int(losses.argmin())] == "odd"


def test_losses_are_those_of_models_fitted_one_by_one() -> None:
    X, classes = two_classes(40)
    y = np.eye(2)[classes]
    found = losses_without(KEY, Softmax(), X, y)
    assert found.shape == (3, REPEATS) and np.isfinite(found).all() and (found > 0).all()
    np.testing.assert_array_equal(found, losses_without(KEY, Softmax(), X, y))
    wider = losses_without(KEY, Softmax(), X, np.hstack([y, np.zeros((40, 1))]))
    np.testing.assert_allclose(found, wider)  # a class without labels changes nothing
    assert losses_without(KEY, Softmax(), X[: FEWEST - 1], y[: FEWEST - 1]) is None
    assert losses_without(KEY, Softmax(), X, np.eye(2)[np.zeros(40, int)]) is None


@pytest.mark.parametrize("regime", range(3))
def test_the_regime_names_the_strategy(regime: int) -> None:
    X, classes = two_classes(80)
    y = np.where(np.arange(80)[:, None] < 40, np.eye(2)[classes], np.nan)
    session = init(KEY, Softmax(), X, y=y, strategy="select_al", guarded=False)
    _, batch = ask(session, 4)
    assert batch.facts["strategy"] in ("random", "typiclust", "badge") and set(batch.facts["losses"]) == set(KINDS)
    evidence = shown(session)
    removed = np.full((3, REPEATS), 0.5)
    removed[regime, 0] += 0.1
    found = select_al(KEY, PARTS, replace(evidence, removed=removed), 4)
    part = PARTS[regime]
    assert found.facts["strategy"] == part.name == ("random", "typiclust", "badge")[regime]
    np.testing.assert_array_equal(found.index, propose(key_for(KEY, part.name), part, evidence, 4).index)


def test_with_few_labels_the_rule_for_few_is_taken_and_said() -> None:
    X, classes = two_classes(80)
    y = np.where(np.arange(80)[:, None] < 20, np.eye(2)[classes], np.nan)
    _, batch = ask(init(KEY, Softmax(), X, y=y, strategy="select_al", guarded=False), 4)
    assert "too_few_to_remove" in batch.degraded and batch.facts["strategy"] == "typiclust"


def shown(session, folds: bool = False):
    """What the session would show its strategy."""
    from strongsuit.active.committee import train
    from strongsuit.active.evidence import gather
    from strongsuit.active.folds import cross_fitted, seen_from_outside

    needs, pool = session.strategy.needs, session.pool
    committee = train(KEY, session.learner, pool, 3, needs=needs)
    evidence = gather(KEY, committee, pool, needs)
    if not folds:
        return evidence
    found = cross_fitted(KEY, session.learner, pool, 3, needs)
    return replace(evidence, folds=seen_from_outside(KEY, found, pool, needs))


def test_the_mean_reward_is_that_of_each_folds_top_rows() -> None:
    rng = np.random.default_rng(0)
    real = np.arange(6)[None] < np.array([[6], [4]])
    lesson = Lesson(rng.permuted(np.tile(np.arange(6.0), (2, 3, 1)), axis=2).transpose(0, 2, 1) / 5,
                    rng.normal(size=(2, 6)), real, np.array([3, 2]))  # fmt: skip
    by_hand = np.zeros(3)
    for f, take in enumerate(lesson.take):
        for k in range(3):
            rows = sorted(np.flatnonzero(real[f]), key=lambda row: -lesson.ranks[f, row, k])[:take]
            by_hand[k] += np.mean([lesson.reward[f, row] for row in rows]) / 2
    np.testing.assert_allclose(mean_rewards(KEY, lesson), by_hand)


def test_the_best_of_folds_takes_its_batch_from_one_rule() -> None:
    rng = np.random.default_rng(3)
    classes = np.arange(120) % 3
    X = rng.normal(size=(120, 4)) + 1.5 * np.eye(3, 4)[classes]
    y = np.where(np.arange(120)[:, None] < 45, np.eye(3)[classes], np.nan)
    session = init(KEY, Softmax(), X, y=y, strategy="best_of_folds", guarded=False)
    evidence, parts = shown(session, folds=True), session.strategy.parts
    found = best_of_folds(KEY, parts, evidence, 6)
    rewards = found.facts["rewards"]
    assert found.facts["strategy"] == max(rewards, key=rewards.get) and len(rewards) == len(parts)
    part = next(one for one in parts if one.name == found.facts["strategy"])
    np.testing.assert_array_equal(found.index, propose(key_for(KEY, part.name), part, evidence, 6).index)
    share = max(6 / 75, 20 / 45)
    lesson = lesson_of(key_for(KEY, "folds"), parts, evidence.folds, share, "influence")
    np.testing.assert_allclose(list(rewards.values()), mean_rewards(key_for(KEY, "ties"), lesson))
    few = init(KEY, Softmax(), X, y=np.where(np.arange(120)[:, None] < 20, y, np.nan), strategy="best_of_folds",
               guarded=False)  # fmt: skip
    _, batch = ask(few, 6)
    assert "too_few_labels" in batch.degraded and batch.facts["strategy"] == "rank_average"
