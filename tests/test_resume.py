"""Warm starts: a fitted network goes on where it stands after rows were added."""

from __future__ import annotations

import numpy as np
import pytest

from strongsuit.core.compile import trace_counts
from strongsuit.core.keys import key_for, root_key
from strongsuit.core.learner import fit_many, member_keys, pick, predict_many, resume_many
from strongsuit.learners.mlp import MLP

LEARNER = MLP(widths=(16, 16), choose_decay=True, epochs=1, least_steps=800, most_steps=800, resume_steps=200)
KEY = root_key(3)


def law(X: np.ndarray) -> np.ndarray:
    return np.sin(3 * X[:, :1]) + X[:, 1:] ** 2


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    X = KEY.numpy().uniform(-1, 1, (300, 2))
    return X, law(X)


def first(rows, count: int = 60, members: int = 2):
    X, y = rows
    W = np.zeros((members, len(X)))
    W[:, :count] = 1.0
    return fit_many(LEARNER, member_keys(KEY, members), X, y, W)


def error(params, X) -> float:
    return float(((np.asarray(predict_many(LEARNER, params, X).mean) - law(X)) ** 2).mean())


def test_a_network_learns_from_the_rows_that_came(rows) -> None:
    X, y = rows
    params = first(rows, 15)
    fresh = key_for(KEY, "fresh").numpy().uniform(-1, 1, (500, 2))
    later = resume_many(LEARNER, member_keys(key_for(KEY, 1), 2), params, X, y, np.ones((2, len(X))))
    assert error(later, fresh) < 0.7 * error(params, fresh)


def test_scaling_and_decay_stay(rows) -> None:
    X, y = rows
    params = first(rows)
    later = resume_many(LEARNER, member_keys(KEY, 2), params, X, y, np.ones((2, len(X))))
    np.testing.assert_array_equal(later.decay, params.decay)
    np.testing.assert_array_equal(later.scaling.x_mean, params.scaling.x_mean)


def test_a_member_resumes_as_if_alone_and_rows_of_no_weight_do_not_exist(rows) -> None:
    X, y = rows
    params = first(rows)
    keys, W = member_keys(KEY, 2), np.ones((2, len(X)))
    W[:, 200:] = 0.0
    both = resume_many(LEARNER, keys, params, X, y, W)
    spoiled = np.where(np.arange(len(X))[:, None] < 200, X, 1e6)
    alone = resume_many(LEARNER, keys[1:], first_of(params, 1), spoiled, y, W[1:])
    for one, other in zip(both.layers, alone.layers, strict=True):
        np.testing.assert_array_equal(one[0][1], other[0][0])


def first_of(params, index: int):
    import jax

    return jax.tree.map(lambda leaf: np.asarray(leaf)[None], pick(params, index))


def test_one_program_serves_all_row_and_step_counts(rows) -> None:
    X, y = rows
    params = first(rows)
    resume_many(LEARNER, member_keys(KEY, 2), params, X, y, np.ones((2, len(X))))
    before = trace_counts()
    other = MLP(widths=(16, 16), epochs=1, least_steps=800, most_steps=800, resume_steps=50)
    for count in (70, 150, 299):
        resume_many(other, member_keys(KEY, 2), params, X[:count], y[:count], np.ones((2, count)))
    assert trace_counts() == before
