"""Every row of the table of strategies keeps the promises, and a few do what they are known for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from strongsuit.active.committee import train
from strongsuit.active.evidence import gather
from strongsuit.active.pool import EXCLUDED, pool_of
from strongsuit.active.strategies import STRATEGIES, find_strategy
from strongsuit.active.strategy import propose
from strongsuit.core import root_key
from strongsuit.core.keys import key_for
from strongsuit.errors import InputError
from strongsuit.learners import MLP
from strongsuit.testing import check_strategy

LEARNER = MLP(widths=(8,), epochs=5, least_steps=10, choose_decay=False)
DRAWN = {"random", "power_qbc", "power_bald", "power_emoc"}  # whole orders are drawn, so they are prefixes too
NOT_GREEDY = {"bait_fb", "qbc_gsxy", "vote", "rank_average", "autoal"}


def choose(name: str):
    strategy = find_strategy(name)

    def run(key, X, y, open_rows, b):
        pool = pool_of(X, y=y)
        pool.state[~open_rows & ~pool.labelled] = EXCLUDED
        committee = train(key_for(key, "train"), LEARNER, pool, 3, needs=strategy.needs) if strategy.learns else None
        truth = np.sin(X[:, :1]) if strategy.evaluation_only else None
        box = (X.min(0), X.max(0)) if "box" in strategy.needs else None
        evidence = gather(key, committee, pool, strategy.needs, y_true=truth, box=box)
        return propose(key, strategy.starts, evidence, b)

    return run


@pytest.mark.parametrize("name", STRATEGIES)
def test_promises_hold_for_every_row_of_the_table(name: str) -> None:
    check_strategy(choose(name), greedy=name not in NOT_GREEDY)


def test_the_table_says_what_each_strategy_is() -> None:
    for name, row in STRATEGIES.items():
        assert name == row.name and row.words and (row.source or name == "random")
    with pytest.raises(InputError, match="no strategy is called 'best'; there are random, gsx"):
        find_strategy("best")


def test_true_losses_are_for_benchmarks_only() -> None:
    X = np.random.default_rng(0).normal(size=(20, 2))
    y = np.full((20, 1), np.nan)
    y[:5] = 1.0
    pool = pool_of(X, y=y)
    evidence = gather(root_key(0), train(root_key(0), LEARNER, pool, 2), pool, ("mean",))
    with pytest.raises(InputError, match="runs in benchmarks only"):
        propose(root_key(0), find_strategy("true_loss"), evidence, 2)


@pytest.mark.parametrize("name", ["gsx", "lcmd_x", "max_det", "bait_f", "qbc_div"])
def test_diverse_strategies_visit_every_clump(name: str) -> None:
    rng = np.random.default_rng(1)
    centres = np.array([[-4.0, -4.0], [-4.0, 4.0], [4.0, -4.0], [4.0, 4.0]])
    X = np.repeat(centres, 12, axis=0) + 0.05 * rng.normal(size=(48, 2))
    y = np.full((48, 1), np.nan)
    y[:2] = 1.0  # labels in the first clump only
    y[2] = 2.0
    index = choose(name)(root_key(3), X, y, np.isnan(y[:, 0]), 4).index
    assert {1, 2, 3} <= set(index // 12)


@pytest.mark.parametrize("b, shares", [(1, (1, 0, 0)), (2, (1, 1, 0)), (7, (3, 2, 2)), (40, (14, 13, 5))])
def test_a_shared_batch_is_that_of_its_parts_one_after_the_other(b: int, shares: tuple[int, ...]) -> None:
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = np.full((40, 1), np.nan)
    y[:8] = np.sin(X[:8, :1])
    pool, strategy = pool_of(X, y=y), find_strategy("qbc_gsxy")
    assert [part.name for part in strategy.parts] == ["qbc_grad", "qbc_grad", "gsxy"]
    assert strategy.needs == {"var", "grad", "mean"}
    evidence = gather(root_key(1), train(root_key(0), LEARNER, pool, 3), pool, strategy.needs)
    expected, seen = [], evidence.anchors.copy()
    for part, share in zip(strategy.parts, shares, strict=True):
        if share:
            later = replace(evidence, available=evidence.available & ~seen, anchors=seen.copy())
            expected += [*propose(key_for(root_key(2), part.name), part, later, share).index]
            seen[expected] = True
    np.testing.assert_array_equal(propose(root_key(2), strategy, evidence, b).index, expected)
    assert len(expected) == min(b, 32)
