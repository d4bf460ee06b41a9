"""Edge cases of classification: what is answered and flagged, and what is refused with a sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from strongsuit import ActiveClassifier, suggest
from strongsuit.active.class_strategies import CLASS_STRATEGIES
from strongsuit.active.committee import train
from strongsuit.active.evidence import gather
from strongsuit.active.pool import pool_of
from strongsuit.active.search.rewards import influence
from strongsuit.active.session import ask, fail, init, tell
from strongsuit.active.strategy import propose
from strongsuit.core import root_key
from strongsuit.core.learner import fit_one, predict_one
from strongsuit.errors import InputError, NoFiniteScores
from strongsuit.learners import MLPClassifier, Softmax

KEY = root_key(11)


def rows(n: int = 60, known: int = 18) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    number = np.arange(n) % 3
    X = np.random.default_rng(2).normal(size=(n, 4)) + 2.0 * np.eye(3, 4)[number]
    return X, np.where(np.arange(n)[:, None] < known, np.eye(3)[number], np.nan), number


def session(name: str, X=None, y=None, **options):
    own_X, own_y, _ = rows()
    X, y = (own if given is None else given for own, given in ((own_X, X), (own_y, y)))
    return init(KEY, Softmax(), X, y=y, strategy=name, guarded=False, **options)


@pytest.mark.parametrize("name", CLASS_STRATEGIES)
def test_a_class_with_one_label_stays(name: str) -> None:
    X, y, _ = rows(80, 36)
    y[:36] = np.eye(3)[np.where(np.arange(36) == 5, 2, np.arange(36) % 2)]
    _, batch = ask(session(name, X, y), 5)
    assert len(set(batch.index)) == 5 and (batch.index >= 36).all()


@pytest.mark.parametrize("name", ["margin", "badge", "alfa_mix", "u_herding", "k_center", "typiclust", "autoal"])
def test_a_batch_larger_than_what_is_left_takes_all_of_it_and_then_there_is_none(name: str) -> None:
    one, batch = ask(session(name), 99)
    assert set(batch.index) == set(range(18, 60)) and "pool_exhausted" in batch.degraded
    with pytest.raises(InputError, match="no row is left"):
        ask(one, 1)


@pytest.mark.parametrize("name", [name for name in CLASS_STRATEGIES if name != "refine"])
def test_features_that_are_all_alike_leave_a_fixed_random_order(name: str) -> None:
    _, y, _ = rows()
    _, batch = ask(session(name, np.ones((60, 4)), y, allow_replicates=True), 5)
    assert len(set(batch.index)) == 5 and (batch.index >= 18).all()
    assert_array_equal(batch.index, ask(session(name, np.ones((60, 4)), y, allow_replicates=True), 5)[1].index)


@pytest.mark.parametrize(
    "name", ["k_center", "max_herding", "u_herding", "badge", "typiclust", "prob_cover", "k_means"]
)
def test_copies_come_after_all_that_differ(name: str) -> None:
    X, y, _ = rows()
    X[40:] = X[20:40]  # twenty rows twice, two alone
    _, batch = ask(session(name, X, y), 22)
    assert len(np.unique(X[batch.index], axis=0)) == 22
    _, batch = ask(session(name, X, y, allow_replicates=True), 42)
    assert len(set(batch.index)) == 42


def test_a_row_that_is_skipped_is_neither_asked_again_nor_an_anchor() -> None:
    one, batch = ask(session("k_center"), 4)
    _, later = ask(fail(one, batch.index), 10)
    assert not set(later.index) & set(batch.index)
    X, y, _ = rows()
    left = np.setdiff1d(np.arange(60), batch.index)
    _, without = ask(session("k_center", X[left], y[left]), 10)
    assert_array_equal(np.sort(left[without.index]), np.sort(later.index))
    with pytest.raises(InputError, match="excluded"):
        tell(fail(one, batch.index), batch.index[:1], np.eye(3)[:1])


def test_scores_that_are_not_finite_are_left_out_and_all_of_them_are_an_error() -> None:
    X, y, _ = rows()
    pool = pool_of(X, y=y)
    evidence = gather(KEY, train(KEY, Softmax(), pool, 1), pool, {"proba"})
    evidence.proba[20:30] = np.nan
    found = propose(KEY, CLASS_STRATEGIES["margin"], evidence, 50)
    assert "nan_rows" in found.degraded and not set(found.index) & set(range(20, 30))
    evidence.proba[:] = np.nan
    with pytest.raises(NoFiniteScores):
        propose(KEY, CLASS_STRATEGIES["margin"], evidence, 5)


@pytest.mark.parametrize("b", [0, -1])
def test_a_batch_has_a_row_at_least(b: int) -> None:
    with pytest.raises(InputError, match="at least one row"):
        ask(session("margin"), b)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda one: tell(one, [70], np.eye(3)[:1]), "numbered 0 to 59"),
        (lambda one: tell(one, [20, 20], np.eye(3)[:2]), "named twice"),
        (lambda one: tell(one, [20], [[np.nan, 0.0, 1.0]]), "not finite"),
        (lambda one: tell(one, [20], [[1.0, 0.0]]), "shape"),
    ],
)
def test_labels_that_cannot_be_taken_change_nothing(call, words) -> None:
    one = session("margin")
    with pytest.raises(InputError, match=words):
        call(one)
    assert one.pool.labelled.sum() == 18 and one.answers is None


def test_inputs_that_are_not_finite_are_named() -> None:
    X, y, _ = rows()
    X[7, 2] = np.inf
    with pytest.raises(InputError, match="row 7; first: column 2"):
        session("margin", X, y)
    with pytest.raises(ValueError, match="column 2"):
        ActiveClassifier().fit(X, np.where(np.arange(60) < 9, np.arange(60) % 2, np.nan))


def test_continuous_numbers_are_no_classes_and_rules_for_numbers_are_none_for_classes() -> None:
    X, _, _ = rows()
    table = pd.DataFrame(X, columns=list("abcd"))
    known = table.iloc[:20].assign(y=X[:20, 0] * X[:20, 1])
    with pytest.raises(InputError, match="class labels are strings, truth values or whole numbers"):
        suggest(table, labelled=known, target="y", task="classification")
    with pytest.raises(InputError, match="'margin' for regression; it is one for classification"):
        suggest(table, labelled=known, target="y", strategy="margin", learner="ridge")


@pytest.mark.parametrize(
    ("labels", "kept"),
    [([True, False], bool), (["yes", "no"], str), ([3, 5], int), (np.array(["b", "a"], object), str)],
)
def test_labels_of_every_kind_come_back_as_they_came(labels, kept) -> None:
    X, _, number = rows()
    given = np.array([labels[i % 2] for i in number], object)
    model = ActiveClassifier(random_state=0).fit(X, np.where(np.arange(60) < 30, given, None))
    said = model.predict(X)
    assert {type(one) for one in said.tolist()} == {kept} and model.classes_.tolist() == sorted(set(labels))
    model.teach(model.query(n=2), given[model.batch_["row"]])


def test_smoothed_and_balanced_training_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    X, _, number = rows(120)
    number = np.where(np.arange(120) % 10 == 0, number, 1)
    Z, y, w = StandardScaler().fit_transform(X), np.eye(3)[number], np.ones(120)
    said = predict_one(Softmax(class_weight="balanced"), fit_one(Softmax(class_weight="balanced"), KEY, X, y, w), X)
    model = LogisticRegression(C=1.0, class_weight="balanced", tol=1e-10, max_iter=2000).fit(Z, number)
    assert_allclose(said.mean, model.predict_proba(Z), atol=1e-5)
    soft = fit_one(Softmax(smoothing=0.05), KEY, X, y, w)
    hand = fit_one(Softmax(), KEY, X, 0.95 * y + 0.05 / 3, w)
    assert_allclose(soft.W, hand.W, atol=1e-5)
    assert_array_equal(fit_one(Softmax(smoothing=0.0), KEY, X, y, w).W, fit_one(Softmax(), KEY, X, y, w).W)
    for wrong, words in (({"smoothing": 1.0}, "smoothing"), ({"class_weight": "even"}, "class_weight")):
        for kind in (Softmax, MLPClassifier):
            with pytest.raises(InputError, match=words):
                kind(**wrong)


def test_networks_smooth_and_balance_too() -> None:
    X, _, number = rows(120)
    number = np.where(np.arange(120) % 10 == 0, number, 1)
    y, w = np.eye(4)[number], np.ones(120)  # the last class has no row
    settings = {"widths": (16,), "epochs": 300, "stop_accuracy": 1.0}
    said = {}
    for name, more in {"plain": {}, "soft": {"smoothing": 0.3}, "even": {"class_weight": "balanced"}}.items():
        learner = MLPClassifier(**settings, **more)
        said[name] = predict_one(learner, fit_one(learner, KEY, X, y, w), X).mean
        assert (said[name][:, 3] == 0.0).all()
    assert said["soft"].max(1).mean() < said["plain"].max(1).mean() - 0.05
    rare = number != 1
    assert said["even"][rare, number[rare]].mean() > said["plain"][rare, number[rare]].mean()


def test_rewards_weigh_classes_as_the_training_does() -> None:
    """The influence with weights is what it is for rows repeated as often."""
    rng = np.random.default_rng(5)
    Z, y = np.hstack([rng.normal(size=(20, 2)), np.ones((20, 1))]), np.eye(2)[rng.integers(0, 2, 20)]
    p = rng.dirichlet([2, 2], 20)
    times = rng.integers(1, 3, 12)
    many = np.repeat(np.arange(12), times)
    one = influence(p[12:], y[12:], Z[12:], p[:12], Z[:12], weights=np.ones(8), weights_train=times.astype(float))
    other = influence(p[12:], y[12:], Z[12:], p[many], Z[many])
    assert_allclose(one, other, atol=1e-12)
    doubled = influence(p[12:], y[12:], Z[12:], p[:12], Z[:12], weights=np.full(8, 2.0))
    assert_allclose(doubled, 4.0 * influence(p[12:], y[12:], Z[12:], p[:12], Z[:12]), atol=1e-12)
    X, y, _ = rows(100, 60)
    balanced = init(KEY, Softmax(class_weight="balanced"), X, y=y, strategy="autoal", guarded=False)
    assert sum(ask(balanced, 5)[1].facts["weights"].values()) == pytest.approx(1.0)
