"""Equal rows of a pool: one of them a batch, those with a labelled twin last."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongsuit.active.pool import first_of_groups, groups_of, pool_of
from strongsuit.active.session import ask, init, tell
from strongsuit.core import root_key
from strongsuit.learners import Ridge

LEARNER = Ridge("fourier")


@given(st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 2)), min_size=1, max_size=30))
def test_groups_are_those_of_equal_rows(rows: list[tuple[int, int]]) -> None:
    X = np.array(rows, float)
    X[X == 0] *= -1.0  # some zeros are negative
    group = groups_of(X)
    equal = (X[:, None] == X[None]).all(2)
    if group is None:
        assert equal.sum() == len(X)
    else:
        np.testing.assert_array_equal(group[:, None] == group[None], equal)
        first = first_of_groups(group)
        assert [i for i in range(len(X)) if not equal[i, :i].any()] == np.flatnonzero(first).tolist()


def thrice(distinct: int = 60) -> np.ndarray:
    return np.tile(np.random.default_rng(0).uniform(-1, 1, (distinct, 2)), (3, 1))


def start(X: np.ndarray, labelled: int, **options):
    y = np.full((len(X), 1), np.nan)
    y[:labelled] = X[:labelled, :1]
    return init(root_key(0), LEARNER, X, y=y, **options)


@pytest.mark.parametrize("strategy", ["gsx", "lcmd_x", "qbc", "random"])
@pytest.mark.parametrize("guarded", [False, True])
def test_a_batch_holds_no_row_twice_and_labelled_ones_come_last(strategy: str, guarded: bool) -> None:
    X = thrice()
    session = start(X, 20, strategy=strategy, guarded=guarded)
    seen = {tuple(row) for row in X[:20]}
    for _ in range(2):
        session, batch = ask(session, 16)
        rows = [tuple(row) for row in X[batch.index]]
        assert len(rows) == 16 == len(set(rows))
        fresh = [row for row, role in zip(rows, batch.role, strict=True) if role != 2]
        assert not seen & set(fresh)
        seen |= set(rows)
        session = tell(session, batch.index, X[batch.index, :1])


def test_when_only_equal_rows_are_left_each_group_gives_one() -> None:
    X = thrice(10)
    session = start(X, 10, strategy="gsx", guarded=False)
    session, batch = ask(session, 30)
    assert len({tuple(row) for row in X[batch.index]}) == 10 == len(batch.index)
    _, rest = ask(tell(session, batch.index, X[batch.index, :1]), 30)
    assert len(rest.index) == 10


def test_replicates_are_asked_for_where_they_are_allowed() -> None:
    X = thrice(10)
    session = start(X, 10, strategy="random", allow_replicates=True)
    assert len(ask(session, 20)[1].index) == 20


def test_a_batch_says_which_pick_a_row_was_and_what_it_gained() -> None:
    X = np.random.default_rng(1).uniform(-1, 1, (200, 2))
    assert pool_of(X).group is None
    _, batch = ask(start(X, 30, strategy="gsx"), 20)
    chosen = batch.role == 1
    assert sorted(batch.pick[chosen]) == list(range(1, 11)) and not batch.pick[~chosen].any()
    gains = batch.gain[chosen][np.argsort(batch.pick[chosen])]
    assert np.isnan(batch.gain[~chosen]).all() and (np.diff(gains) <= 0).all()  # farthest first
