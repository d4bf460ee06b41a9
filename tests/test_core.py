"""Keys, shapes, doors and scikit-learn learners."""

from __future__ import annotations

import subprocess
import sys

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from strongsuit.core import arrays, compile, key_for, root_key
from strongsuit.core.learner import fit_many, fit_one, predict_many, predict_one
from strongsuit.errors import InputError
from strongsuit.learners import External, hgb, random_forest


def test_keys_follow_names_and_nothing_else() -> None:
    key = root_key(3)
    assert key == root_key(np.int64(3)) != root_key(4)
    names = [("a",), ("b",), ("a", "b"), ("ab",), ("a", 1), ("a", "1"), (1,), ("1",), ("a", 11), ("a", 1, 1)]
    children = {key_for(key, *name) for name in names}
    assert len(children) == len(names)
    assert key_for(key, "fit", 3) == key_for(key, "fit", np.int32(3))
    assert root_key(None) != root_key(None)


def test_keys_make_generators_of_each_kind() -> None:
    key = key_for(root_key(0), "x")
    assert key.numpy().normal() == key.numpy().normal()
    assert 0 <= key.integer() < 2**31 - 1
    words = jax.random.key_data(key.jax())
    assert tuple(int(word) for word in words) == key.words
    rng = np.random.default_rng(0)
    assert root_key(rng) != root_key(rng)
    assert root_key(np.random.RandomState(1)) == root_key(np.random.RandomState(1))


@pytest.mark.parametrize("state", ["seed", 1.5, True])
def test_other_random_states_are_refused(state: object) -> None:
    with pytest.raises(InputError, match="random_state must be"):
        root_key(state)
    with pytest.raises(InputError, match="names are strings or integers"):
        key_for(root_key(0), 0.5)


@given(st.integers(0, 5000), st.sampled_from([1, 64, 1000]))
def test_buckets_hold_the_rows_and_at_most_double_them(n: int, smallest: int) -> None:
    size = arrays.bucket(n, smallest=smallest)
    assert size >= n and size % smallest == 0 and (size == smallest or size < 2 * n)
    assert arrays.pad_rows(np.ones((n, 2)), size).sum() == 2 * n


@given(st.integers(0, 100), st.integers(1, 30))
def test_chunks_cover_all_rows_in_order(n: int, size: int) -> None:
    X = np.arange(n, dtype=float)[:, None]
    np.testing.assert_array_equal(arrays.map_chunks(lambda rows: rows + 1, X, size=size), X + 1)
    assert all(rows.stop - rows.start <= size for rows in arrays.chunks(n, size))


def test_a_door_counts_its_traces() -> None:
    double = compile.door(lambda factor, x: factor * x, static=(0,), name="test_double")
    for x in (np.ones(3), np.zeros(3), np.ones(4)):
        np.testing.assert_allclose(double(2, x), 2 * x)
    assert compile.trace_counts()["test_double"] == 2
    double(3, np.ones(3))
    assert compile.trace_counts()["test_double"] == 3
    assert compile.compile_seconds() > 0.0


def test_members_run_one_after_another_or_batched_alike() -> None:
    stacked = np.arange(6.0).reshape(3, 2)
    found = compile.over_members(lambda x, y: x.sum() * y)(stacked, np.arange(3.0))
    np.testing.assert_allclose(found, [0.0, 5.0, 18.0])


def test_one_thread_is_asked_for_before_jax_is_loaded() -> None:
    code = "from strongsuit.core.compile import use_one_thread as u; assert u(); assert u(); import os, jax\n"
    code += "assert os.environ['PJRT_NPROC'] == '1'; assert jax.jit(lambda x: x @ x)(jax.numpy.eye(3)).sum() == 3"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_host_learners_never_load_jax() -> None:
    code = (
        "import sys, numpy as np\nfrom strongsuit.core import fit_many, predict_many, root_key\n"
        "from strongsuit.learners import hgb\nl = hgb(iterations=2); X = np.arange(40.0)[:, None]\n"
        "predict_many(l, fit_many(l, [root_key(0)], X, X, np.ones((1, 40))), X)\nassert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_external_learners_are_equal_when_their_settings_are() -> None:
    assert External(Ridge(2.0)) == External(Ridge(2.0)) and hash(External(Ridge())) == hash(External(Ridge()))
    assert External(Ridge(2.0)) != External(Ridge(1.0)) != External(LinearRegression())
    assert hgb().accepts_nan and not External(Ridge()).accepts_nan


def test_external_learners_take_their_random_state_from_the_key() -> None:
    X = np.random.default_rng(0).normal(size=(50, 3))
    forest = random_forest(trees=3)
    one, other = (fit_one(forest, root_key(seed), X, X[:, :1], np.ones(50)) for seed in (0, 1))
    assert one.estimators[0].random_state != other.estimators[0].random_state
    assert forest.estimator.random_state is None
    nested = External(make_pipeline(StandardScaler(), DecisionTreeRegressor()))
    (fitted,) = fit_one(nested, root_key(0), X, X[:, :1], np.ones(50)).estimators
    assert fitted[-1].random_state is not None


@pytest.mark.parametrize(
    "estimator", [Ridge(), make_pipeline(StandardScaler(with_mean=False, with_std=False), Ridge())]
)
def test_weights_reach_the_estimator_also_through_a_pipeline(estimator: object) -> None:
    rng = np.random.default_rng(0)
    X, y, w = rng.normal(size=(40, 2)), rng.normal(size=(40, 1)), rng.uniform(0, 2, 40)
    w[:10] = 0.0
    expected = Ridge().fit(X, y[:, 0], sample_weight=w).predict(X)
    found = predict_one(External(estimator), fit_one(External(estimator), root_key(0), X, y, w), X).mean
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-8)


def test_several_outputs_natively_or_by_a_clone_each() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.stack([X[:, 0], X[:, 1] ** 2], axis=1)
    for learner, count in [
        (External(DecisionTreeRegressor()), 1),
        (hgb(iterations=5), 2),
        (External(MultiOutputRegressor(Ridge())), 1),
    ]:
        params = fit_one(learner, root_key(0), X, y, np.ones(60))
        assert len(params.estimators) == count
        assert predict_one(learner, params, X).mean.shape == (60, 2)


def test_classifiers_answer_for_classes_that_training_did_not_show() -> None:
    X = np.arange(30.0)[:, None]
    y = np.eye(4)[np.repeat([0, 2, 3], 10)]
    W = np.ones((2, 30))
    W[1, 10:] = 0.0
    for learner in (External(LogisticRegression()), External(DecisionTreeClassifier())):
        found = predict_many(learner, fit_many(learner, [root_key(0)] * 2, X, y, W), X).mean
        np.testing.assert_allclose(found.sum(axis=2), 1.0)
        assert not found[0, :, 1].any() and np.all(found[1, :, 0] == 1.0)
    with pytest.raises(InputError, match="indicator columns"):
        External(LogisticRegression()).fit(root_key(0), X, X, np.ones(30))
