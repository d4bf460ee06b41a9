"""Models beside a classifier that see open rows too: which rows they see, what scores make of them, who offers them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from strongsuit.active import class_embeddings as seen
from strongsuit.active.auxiliary import OPEN_KINDS, fit_beside
from strongsuit.active.class_scores import entropy
from strongsuit.active.class_strategies import CLASS_STRATEGIES
from strongsuit.active.committee import train
from strongsuit.active.evidence import Evidence, gather, narrowed
from strongsuit.active.open_rows import Around, with_open
from strongsuit.active.pool import PENDING, Pool, pool_of
from strongsuit.active.pseudo_labels import MOST, sure, threshold
from strongsuit.active.session import ask, init, tell
from strongsuit.active.strategy import propose
from strongsuit.core import fit_many, predict_one, root_key
from strongsuit.core.keys import key_for
from strongsuit.core.learner import Prediction, fits_done, member_keys
from strongsuit.errors import InputError
from strongsuit.learners import CNN, VAAL, WAAL, External, GraphNetwork, LossClassifier, LossCNN, MLPClassifier, Softmax

KEY = root_key(5)


@dataclass(frozen=True)
class Mirror:
    """A model that remembers what it was fitted to, and says of a row how far it is from the mean of these."""

    sees: str = "inputs"
    most_rows: int = 20

    traceable: ClassVar[bool] = False

    def fit(self, key, X, y, w):
        return X, y, w

    def predict(self, params, X):
        return Prediction(np.abs(X - params[0].mean(0)).sum(1, keepdims=True))


@dataclass(frozen=True)
class Offering(Softmax):
    """A classifier that offers that model whatever is asked for, and whose features are its inputs, doubled."""

    beside: Mirror = Mirror()

    def auxiliary(self, name: str):
        return self.beside

    def embed(self, params, X):
        return 2.0 * np.asarray(X)


def started(n: int = 60, known: int = 12) -> Pool:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 3)), np.full((n, 2), np.nan)
    y[:known] = np.eye(2)[(X[:known, 0] > 0).astype(int)]
    return pool_of(X, y=y)


def evidence(**fields) -> Evidence:
    n = len(next(iter(fields.values())))
    none = np.zeros(n, bool)
    return Evidence(np.zeros((n, 1)), np.zeros((n, 1)), np.full((n, 2), np.nan), ~none, none, none, **fields)


@pytest.mark.parametrize(
    ("known", "others", "taken"), [(3, 5, (3, 5)), (3, 40, (3, 17)), (30, 40, (10, 10)), (30, 4, (16, 4))]
)
def test_labelled_rows_come_first_and_a_draw_of_open_ones_has_no_label(known: int, others: int, taken) -> None:
    rng = np.random.default_rng(0)
    X, y, Z = rng.normal(size=(known, 2)), np.eye(2)[np.arange(known) % 2], rng.normal(size=(others, 2))
    around = Around(Z, lambda rows: 3.0 * rows)
    rows, labels = with_open(KEY, Mirror(), X, y, around)
    first, rest = rows[: taken[0]], rows[taken[0] :]
    assert len(rest) == taken[1] and not labels[taken[0] :].any() and (labels[: taken[0]].sum(1) == 1).all()
    for part, whole in ((first, X), (rest, Z)):
        places = [int(np.flatnonzero((whole == row).all(1))[0]) for row in part]
        assert places == sorted(set(places))
    again, other = (with_open(key, Mirror(), X, y, around)[0] for key in (KEY, root_key(6)))
    np.testing.assert_array_equal(rows, again)
    assert np.array_equal(rows, other) == (known + others <= 20)
    np.testing.assert_array_equal(with_open(KEY, Mirror(sees="features"), X, y, around)[0], 3.0 * rows)


def test_rows_kept_for_the_guard_or_asked_for_are_not_shown_and_features_are_the_committees() -> None:
    pool = started()
    pool.reserved[20:30] = True
    pool.state[30:40] = PENDING
    shown = [*range(12, 20), *range(40, 60)]
    committee = train(KEY, Offering(beside=Mirror(most_rows=100)), pool, 1, needs=("unlike",))
    X, y, w = committee.auxiliary["unlike"].params
    np.testing.assert_array_equal(X, pool.X[[*range(12), *shown]])
    assert (w == 1).all() and (y.sum(1) == np.r_[np.ones(12), np.zeros(28)]).all()
    found = gather(KEY, committee, pool, ("unlike",))
    np.testing.assert_allclose(found.unlike, np.abs(pool.X - X.mean(0)).sum(1))
    committee = train(KEY, Offering(beside=Mirror("features", 100)), pool, 1, needs=("graph",))
    np.testing.assert_array_equal(committee.auxiliary["graph"].params[0], 2.0 * X)
    found = gather(KEY, committee, pool, ("graph",))
    np.testing.assert_allclose(found.graph, np.abs(2.0 * pool.X - 2.0 * X.mean(0)).sum(1))
    with pytest.raises(InputError, match="Mirror looks at rows without a label too, and none are given"):
        fit_beside(KEY, Offering(), pool.X[:12], pool.y[:12], ("unlike",))


def test_scores_by_hand() -> None:
    p = np.array([[0.5, 0.5], [0.9, 0.1], [1.0, 0.0]])
    found = seen.far_and_unsure(evidence(critic=np.hstack([p, [[0.0], [1.0], [0.0]]])))
    f = np.log(p[:2])
    expected = -(0.5 * np.sqrt((f**2).sum(1)) + 0.5 * (-f).sum(1)) + [0.0, 10.0]
    np.testing.assert_allclose(found[:2], expected)
    assert np.isfinite(found[2]) and found[2] < found[:2].min()
    wider = np.hstack([p, np.zeros((3, 1)), [[0.0], [1.0], [0.0]]])  # a class that no row can have
    np.testing.assert_array_equal(seen.far_and_unsure(evidence(critic=wider)), found)
    np.testing.assert_allclose(seen.unlike_labelled(evidence(unlike=np.array([-3.0, 0.0]))), [1 / (1 + np.exp(3)), 0.5])
    graph = np.array([[7.0, 0.3], [8.0, 0.1], [9.0, 0.0]])
    np.testing.assert_allclose(seen.open_in_graph(evidence(graph=graph)), [-0.2, 0.0, -0.1])
    np.testing.assert_array_equal(seen.graph_features(None, evidence(graph=graph)), graph[:, :1])
    taught = evidence(taught=p, proba=p[::-1])
    np.testing.assert_array_equal(seen.after_pseudo_labels(taught), entropy(p))
    np.testing.assert_array_equal(seen.after_pseudo_labels(taught, base=seen.margin), seen.margin(evidence(proba=p)))
    np.testing.assert_array_equal(narrowed(evidence(graph=graph), np.array([2, 0])).graph, graph[[2, 0]])


def test_only_classes_below_the_threshold_of_the_round_are_pseudo_labels() -> None:
    assert threshold(0) == 5e-5 and threshold(10) == pytest.approx(5e-5 - 3.3e-6) and threshold(10**4) == 0.0
    tails = np.array([0.3, 1e-3, 1e-5, 4e-6, 3.8e-6, 3.5e-6, 1e-9, 0.0])
    p = np.stack([1.0 - tails, tails], axis=1)
    for round_ in (0, 40, 150, 200):
        expected = [i for i, row in enumerate(p) if -(row * np.log(np.maximum(row, 1e-300))).sum() < threshold(round_)]
        np.testing.assert_array_equal(sure(p, round_), expected)
    assert len(sure(p, 0)) > len(sure(p, 40)) > len(sure(p, 200)) == 0
    many = np.repeat(p[3:7], MOST, axis=0)
    rows = sure(many, 0)
    assert len(rows) == MOST and (rows >= 3 * MOST).all() and (np.diff(rows) > 0).all()


def separated() -> Pool:
    """Two far clusters and rows between them; a free head is sure of what lies far out."""
    rng = np.random.default_rng(1)
    side = np.arange(80) % 2
    X = rng.normal(size=(80, 2)) * [0.5, 1.0] + np.stack([8.0 * side - 4.0, 0.0 * side], axis=1)
    X[60:, 0] = rng.uniform(-2, 2, 20)
    return pool_of(X, y=np.where(np.arange(80)[:, None] < 10, np.eye(2)[side], np.nan))


def test_models_learn_labels_and_the_pseudo_labels_that_the_committee_is_sure_of() -> None:
    pool, learner = separated(), Softmax(C=1e6)
    pool.reserved[20:30] = True
    committee = train(KEY, learner, pool, 3, needs=("taught",))
    rows = np.flatnonzero(pool.available & ~pool.reserved)
    p = predict_one(learner, committee.params[0], pool.X[rows]).mean
    chosen = sure(p, 0)
    assert 5 < len(chosen) < len(rows)
    both = np.concatenate([pool.X[:10], pool.X[rows[chosen]]])
    labels = np.concatenate([pool.y[:10], np.eye(2)[p[chosen].argmax(1)]])
    key = key_for(key_for(KEY, "auxiliary"), "taught")
    (expected,) = fit_many(learner, member_keys(key, 1), both, labels, np.ones((1, len(both))))
    np.testing.assert_array_equal(committee.auxiliary["taught"].params[0].W, expected.W)
    found = gather(KEY, committee, pool, ("taught", "proba"))
    np.testing.assert_allclose(found.taught, predict_one(learner, expected, pool.X).mean, atol=1e-12)
    assert not np.allclose(found.taught, found.proba)
    chosen = propose(KEY, CLASS_STRATEGIES["ceal"], found, 4).index
    assert set(chosen) == set(np.argsort(-np.where(found.available, entropy(found.taught), -1))[:4])


def test_without_a_sure_row_nothing_is_fitted_and_the_committee_answers() -> None:
    pool = separated()
    before = fits_done()
    late = train(KEY, Softmax(C=1e6), pool, 3, needs=("taught",), round_=200)
    assert fits_done() - before == 1 and late.auxiliary["taught"].params is late.params
    found = gather(KEY, late, pool, ("taught", "proba"))
    np.testing.assert_array_equal(found.taught, found.proba)
    forest = External(RandomForestClassifier(n_estimators=5))
    _, batch = ask(init(KEY, forest, pool.X, y=pool.y, strategy="ceal", guarded=False), 5)
    assert len(set(batch.index)) == 5


def test_pseudo_labels_are_decided_anew_and_leave_when_the_threshold_falls() -> None:
    pool = separated()
    session = init(KEY, Softmax(C=1e6), pool.X, y=pool.y, strategy="ceal", guarded=False)
    session, batch = ask(replace(session, round=200), 3)
    assert session.selecting.auxiliary["taught"].params is session.selecting.params  # the round reached the threshold
    labels = np.eye(2)[(pool.X[batch.index, 0] > 0).astype(int)]
    session, _ = ask(replace(tell(session, batch.index, labels), round=0), 3)
    assert session.selecting.auxiliary["taught"].params is not session.selecting.params


def test_waal_and_vaal_ask_where_no_label_is() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(240, 3))
    X[120:, 0] += 6.0  # as doubtful in the second input, which alone tells classes apart
    y = np.where(np.arange(240)[:, None] < 40, np.eye(2)[(X[:, 1] > 0).astype(int)], np.nan)
    for name in ("vaal", "waal"):
        strategy = CLASS_STRATEGIES[name]
        committee = train(KEY, Softmax(), pool_of(X, y=y), 1, needs=strategy.needs)
        found = gather(KEY, committee, pool_of(X, y=y), strategy.needs)
        index = propose(KEY, strategy, found, 20).index
        assert (index >= 120).mean() > 0.75, name  # 60 % of the open rows lie there


def test_each_classifier_says_which_models_fit_beside_it() -> None:
    net, image = MLPClassifier((30, 20), batch="full", standardise=False), CNN((4,), 8, shape=(4, 4, 1))
    assert net.auxiliary("loss") == LossClassifier((30, 20), standardise=False)
    assert net.auxiliary("waal") == WAAL((30, 20)) and net.auxiliary("gcn") == GraphNetwork()
    assert image.auxiliary("loss") == LossCNN(image) and image.auxiliary("waal") == WAAL((8,), sees="features")
    assert Softmax().auxiliary("loss") == LossClassifier() and Softmax().auxiliary("gcn") == GraphNetwork(signed=True)
    for learner in (net, image, Softmax()):
        assert learner.auxiliary("vaal") == VAAL()
        with pytest.raises(InputError, match="of a classifier is 'loss', 'vaal', 'waal', 'gcn', got 'dropout'"):
            learner.auxiliary("dropout")


@dataclass(frozen=True)
class Bare:
    """A classifier that offers nothing but the contract."""

    traceable: ClassVar[bool] = False
    classifies: ClassVar[bool] = True


@pytest.mark.parametrize("name", ["learning_loss", "vaal", "waal", "core_gcn", "uncertain_gcn"])
def test_a_learner_without_such_a_model_is_refused_before_a_row_is_asked_for(name: str) -> None:
    pool = started()
    forest = External(RandomForestClassifier(n_estimators=5))
    with pytest.raises(InputError, match=r"RandomForestClassifier offers no model.*margin, u_herding.*Softmax"):
        init(KEY, forest, pool.X, y=pool.y, strategy=name)
    with pytest.raises(InputError, match=r"Bare offers no .* network.*margin, u_herding or k_center.*Softmax"):
        init(KEY, Bare(), pool.X, y=pool.y, strategy=name)


def test_fields_and_models_are_one_to_one() -> None:
    assert set(OPEN_KINDS) <= set(Evidence.__dataclass_fields__)
    used = frozenset().union(*(row.needs for row in CLASS_STRATEGIES.values()))
    assert set(OPEN_KINDS) | {"loss_hat", "taught"} <= used
