"""Logistic regression against scikit-learn and its conditions of optimality; what unseen classes must not change."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from strongsuit.core import fit_one, predict_one, root_key
from strongsuit.core.learner import resume_one
from strongsuit.errors import InputError
from strongsuit.learners import softmax
from strongsuit.learners.softmax import Softmax
from strongsuit.testing import check_learner

KEY = root_key(0)


def rows(n: int, *, d: int = 4, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs in unlike units and noisy class numbers; every class is present."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * np.geomspace(0.01, 100.0, d) + np.linspace(-5.0, 500.0, d)
    Z = (X - X.mean(0)) / X.std(0)
    labels = np.argmax(Z @ rng.normal(size=(d, k)) + rng.gumbel(size=(n, k)), axis=1)
    labels[:k] = np.arange(k)
    return X, labels


def hot(labels: np.ndarray, k: int) -> np.ndarray:
    return np.eye(k)[labels]


def theirs(X, labels, w, C, new) -> np.ndarray:
    """Probabilities of scikit-learn on inputs standardised by the weighted rows."""
    mean = np.average(X, axis=0, weights=w)
    scale = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=w))
    model = LogisticRegression(C=C, solver="newton-cg", tol=1e-10, max_iter=1000)
    return model.fit((X - mean) / scale, labels, sample_weight=w).predict_proba((new - mean) / scale)


@pytest.mark.parametrize("C", [0.05, 1.0, 30.0])
@pytest.mark.parametrize(("n", "d", "k"), [(60, 4, 2), (60, 4, 3), (80, 9, 6), (12, 40, 4)])
def test_probabilities_are_those_of_scikit_learn(n: int, d: int, k: int, C: float) -> None:
    X, labels = rows(n, d=d, k=k)
    new, w = rows(50, d=d, k=k, seed=1)[0], np.random.default_rng(2).uniform(0.2, 3.0, n)
    found = predict_one(Softmax(C), fit_one(Softmax(C), KEY, X, hot(labels, k), w), new)
    assert found.variance is None
    np.testing.assert_allclose(found.mean, theirs(X, labels, w, C, new), atol=1e-5)


def slope_at(params, X: np.ndarray, q: np.ndarray, w: np.ndarray, C: float) -> np.ndarray:
    """The gradient of the penalised cross-entropy of several classes, row by row."""
    total = np.hstack([params.W / C, np.zeros((len(params.W), 1))])
    for x, label, weight in zip(X, q, w, strict=True):
        logits = params.W @ x + params.c
        p = np.exp(logits) / np.exp(logits).sum()
        total += weight * np.outer(p - label, np.append(x, 1.0))
    return total


def test_the_gradient_vanishes_at_the_optimum_of_soft_labels() -> None:
    rng = np.random.default_rng(0)
    X, q, w = rng.normal(size=(40, 5)), rng.dirichlet(np.ones(4), 40), rng.uniform(0.5, 2.0, 40)
    learner = Softmax(2.0, standardise=False)
    params = fit_one(learner, KEY, X, q, w)
    assert np.abs(slope_at(params, X, q, w, 2.0)).max() < 1e-6
    far = fit_one(Softmax(0.01, standardise=False), KEY, X, q, w)
    assert np.abs(slope_at(far, X, q, w, 2.0)).max() > 1.0


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_it_keeps_the_contract_of_learners(classes: int) -> None:
    outcome = check_learner(Softmax(), tolerance=1e-5, classes=classes)
    assert set(outcome.values()) == {"kept"} and Softmax().deterministic


@pytest.mark.parametrize("k", [2, 4])
def test_soft_labels_equal_repeated_rows(k: int) -> None:
    rng = np.random.default_rng(1)
    X, votes = rng.normal(size=(25, 3)), rng.multinomial(4, np.ones(k) / k, 25)
    soft = fit_one(Softmax(), KEY, X, votes / 4, np.full(25, 4.0))
    row, label = np.repeat(np.arange(25), k), np.tile(np.arange(k), 25)
    hard = fit_one(Softmax(), KEY, X[row], hot(label, k), votes.ravel().astype(float))
    np.testing.assert_allclose(soft.W, hard.W, atol=2e-6)
    np.testing.assert_allclose(soft.c, hard.c, atol=1e-5)


def test_a_class_without_rows_has_probability_zero_and_changes_nothing() -> None:
    X, labels = rows(60)
    wide = fit_one(Softmax(), KEY, X, hot(np.array([4, 1, 2])[labels], 6), np.ones(60))
    found, plain = predict_one(Softmax(), wide, X).mean, fit_one(Softmax(), KEY, X, hot(labels, 3), np.ones(60))
    np.testing.assert_array_equal(wide.seen, [False, True, True, False, True, False])
    assert np.all(found[:, ~wide.seen] == 0.0) and not wide.W[~wide.seen].any()
    np.testing.assert_allclose(found[:, [4, 1, 2]], predict_one(Softmax(), plain, X).mean, atol=1e-6)


def test_weight_zero_hides_a_class() -> None:
    X, labels = rows(60)
    params = fit_one(Softmax(), KEY, X, hot(labels, 3), (labels != 1).astype(float))
    np.testing.assert_array_equal(params.seen, [True, False, True])
    assert np.all(predict_one(Softmax(), params, X).mean[:, 1] == 0.0)


def test_one_class_is_certain_and_no_rows_are_uniform() -> None:
    X, labels = rows(20)
    one = fit_one(Softmax(), KEY, X, hot(np.full(20, 2), 4), np.ones(20))
    np.testing.assert_array_equal(predict_one(Softmax(), one, X).mean, hot(np.full(20, 2), 4))
    none = fit_one(Softmax(), KEY, X, hot(labels, 4), np.zeros(20))
    assert not none.seen.any()
    np.testing.assert_array_equal(predict_one(Softmax(), none, X).mean, np.full((20, 4), 0.25))


def test_constant_columns_are_ignored_even_where_new_rows_differ() -> None:
    X, labels = rows(60)
    y, w = hot(labels, 3), np.ones(60)
    plain = predict_one(Softmax(), fit_one(Softmax(), KEY, X, y, w), X).mean
    wide = np.insert(X, 2, 0.1, axis=1)
    params = fit_one(Softmax(), KEY, wide, y, w)
    wide[:, 2] = np.linspace(-1e6, 1e6, 60)
    np.testing.assert_allclose(predict_one(Softmax(), params, wide).mean, plain, atol=1e-6)
    assert not Softmax().embed(params, wide)[:, 2].any()
    flat = fit_one(Softmax(), KEY, np.ones((60, 2)), y, w)
    np.testing.assert_allclose(predict_one(Softmax(), flat, np.zeros((1, 2))).mean[0], y.mean(0), atol=1e-5)


def test_the_head_reproduces_predictions() -> None:
    X, labels = rows(40)
    params = fit_one(Softmax(), KEY, X, hot(labels, 4), np.ones(40))
    (W, c, seen), z = Softmax().head(params), Softmax().embed(params, X)
    assert W.shape == (4, 4) and c.shape == seen.shape == (4,) and seen.dtype == bool
    np.testing.assert_allclose(z, (X - X.mean(0)) / X.std(0), atol=1e-9)
    weight = np.exp(z @ W.T + c) * seen
    np.testing.assert_allclose(predict_one(Softmax(), params, X).mean, weight / weight.sum(1, keepdims=True))


def test_raw_inputs_stay_as_they_are_where_asked() -> None:
    X, labels = rows(40)
    learner = Softmax(standardise=False)
    params = fit_one(learner, KEY, X - X.mean(0), hot(labels, 3), np.ones(40))
    np.testing.assert_array_equal(learner.embed(params, X), X)
    ref = LogisticRegression(solver="newton-cg", tol=1e-10, max_iter=1000).fit(X - X.mean(0), labels)
    np.testing.assert_allclose(predict_one(learner, params, X).mean, ref.predict_proba(X), atol=1e-5)


def test_permuting_rows_and_classes_permutes_the_answer() -> None:
    X, labels = rows(60, k=5)
    plain = predict_one(Softmax(), fit_one(Softmax(), KEY, X, hot(labels, 5), np.ones(60)), X).mean
    order, names = np.random.default_rng(0).permutation(60), np.array([3, 0, 4, 1, 2])
    params = fit_one(Softmax(), root_key(7), X[order], hot(names[labels[order]], 5), np.ones(60))
    np.testing.assert_allclose(predict_one(Softmax(), params, X).mean[:, names], plain, atol=1e-6)


@pytest.mark.parametrize("standardise", [True, False])
def test_resuming_ends_where_a_fit_ends(standardise: bool) -> None:
    X, labels = rows(80, k=5)
    X = X if standardise else (X - X.mean(0)) / X.std(0)
    learner, w = Softmax(standardise=standardise), (labels != 3).astype(float)
    w[60:] = 0.0
    first = fit_one(learner, KEY, X, hot(labels, 5), w)
    onward = resume_one(learner, KEY, first, X, hot(labels, 5), np.ones(80))
    afresh = fit_one(learner, KEY, X, hot(labels, 5), np.ones(80))
    assert onward.seen.all() and not first.seen[3]
    np.testing.assert_allclose(onward.W, afresh.W, atol=2e-6)
    np.testing.assert_allclose(onward.c, afresh.c, atol=1e-5)


def test_resuming_starts_from_what_was_known(monkeypatch: pytest.MonkeyPatch) -> None:
    X, labels = rows(80)
    y, w = hot(labels, 3), (np.arange(80) < 40).astype(float)
    first = fit_one(Softmax(), KEY, X, y, w)
    monkeypatch.setattr(softmax, "NEWTON_STEPS", 0)
    carried = resume_one(Softmax(), KEY, first, X, y, np.ones(80))
    assert np.abs(carried.mean - first.mean).max() > 1e-3  # standardised anew, and yet it says the same
    np.testing.assert_allclose(
        predict_one(Softmax(), carried, X).mean, predict_one(Softmax(), first, X).mean, atol=1e-9
    )


@pytest.mark.parametrize("C", [1e-6, 1e6])
def test_separable_rows_and_extreme_penalties_give_finite_answers(C: float) -> None:
    X = np.linspace(-1.0, 1.0, 30)[:, None]
    for labels in ((X[:, 0] > 0).astype(int), np.digitize(X[:, 0], [-0.5, 0.5])):
        y = hot(labels, 3)
        y[0] = [1.0 - 1e-9, 0.0, 1e-9]
        found = predict_one(Softmax(C), fit_one(Softmax(C), KEY, X, y, np.ones(30)), X).mean
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found.sum(1), 1.0)
        assert C < 1.0 or np.array_equal(found.argmax(1), labels)


def test_a_penalty_must_be_positive() -> None:
    with pytest.raises(InputError, match="C must be positive, got 0"):
        Softmax(0.0)


def test_it_needs_no_jax() -> None:
    code = (
        "import sys, numpy as np\n"
        "from strongsuit.core import fit_one, predict_one, root_key\n"
        "from strongsuit.learners.softmax import Softmax\n"
        "X, y = np.arange(6.0)[:, None], np.eye(2)[[0, 0, 0, 1, 1, 1]]\n"
        "predict_one(Softmax(), fit_one(Softmax(), root_key(0), X, y, np.ones(6)), X)\n"
        "assert not {'jax', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
