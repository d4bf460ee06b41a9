"""Several labels of each row, present or absent: a classifier for each, strategies averaged over them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.preprocessing import StandardScaler

from strongsuit import ActiveClassifier, suggest
from strongsuit.active.class_strategies import CLASS_STRATEGIES
from strongsuit.active.evidence import gather
from strongsuit.active.labels import by_label, pool_of_label
from strongsuit.active.pool import pool_of
from strongsuit.active.search.over_labels import over_labels, per_label
from strongsuit.active.search.votes import RANKED, ranks
from strongsuit.active.session import ask, fitted, init, tell
from strongsuit.active.strategy import LEARNED
from strongsuit.active.suspects import suspects
from strongsuit.cli import main
from strongsuit.core import root_key
from strongsuit.core.keys import key_for
from strongsuit.core.learner import fit_many, fit_one, predict_one
from strongsuit.core.ties import largest
from strongsuit.errors import InputError
from strongsuit.learners import BinaryRelevance, MLPClassifier, Softmax
from strongsuit.learners.external import External
from strongsuit.testing import check_learner

KEY = root_key(9)


def labelled_rows(n: int = 120, known: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, three labels by half-spaces that are there or not, and those of the first rows alone."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    truth = np.stack([X[:, 0] > 0, X[:, 1] + X[:, 2] > 0.5, X[:, 3] > -0.7], axis=1).astype(float)
    return X, truth, np.where(np.arange(n)[:, None] < known, truth, np.nan)


def test_each_label_is_a_logistic_regression_of_its_own() -> None:
    X, truth, _ = labelled_rows()
    learner = BinaryRelevance(Softmax())
    said = predict_one(learner, fit_one(learner, KEY, X, truth, np.ones(120)), X).mean
    scaled = StandardScaler().fit_transform(X)
    reference = MultiOutputClassifier(LogisticRegression(C=1.0, tol=1e-10, max_iter=1000)).fit(scaled, truth)
    expected = np.stack([p[:, 1] for p in reference.predict_proba(scaled)], axis=1)
    assert_allclose(said, expected, atol=1e-5)


@pytest.mark.parametrize(
    "learner", [BinaryRelevance(Softmax()), Softmax(smoothing=0.05), Softmax(class_weight="balanced")]
)
def test_the_promises_of_a_learner_hold(learner) -> None:
    outcome = check_learner(learner, tolerance=1e-5, classes=3)
    assert set(outcome.values()) == {"kept"}


@pytest.mark.parametrize("each", [Softmax(), External(RandomForestClassifier(5)), MLPClassifier(widths=(8,), epochs=5)])
def test_labels_are_fitted_together_and_known_apart(each) -> None:
    X, truth, _ = labelled_rows(60)
    learner, w = BinaryRelevance(each), np.ones(60)
    params = fit_one(learner, KEY, X, truth, w)
    said = predict_one(learner, params, X).mean
    assert said.shape == (60, 3) and (said >= 0).all() and (said <= 1).all()
    for number in range(3):
        own = predict_one(each, learner.label(params, number), X).mean
        assert_allclose(own[:, 1], said[:, number], atol=1e-6)
    assert learner.embed(params, X).shape[0] == 60
    again = fit_many(learner, [KEY, KEY], X, truth, np.stack([w, w]))
    assert_allclose(predict_one(learner, again[1], X).mean, said, atol=1e-6)


def test_shares_of_annotators_and_labels_that_are_always_there() -> None:
    X, truth, _ = labelled_rows(60)
    truth[:, 2] = 1.0
    truth[0, 0] = 0.5
    learner = BinaryRelevance(Softmax())
    said = predict_one(learner, fit_one(learner, KEY, X, truth, np.ones(60)), X).mean
    assert (said[:, 2] == 1.0).all()
    twice = np.vstack([X, X[:1]]), np.vstack([truth, truth[:1]])
    twice[1][[0, 60], 0] = [0.0, 1.0]
    w = np.append(np.ones(60), 0.5)
    w[0] = 0.5
    halves = predict_one(learner, fit_one(learner, KEY, *twice, w), X).mean
    assert_allclose(halves[:, 0], said[:, 0], atol=1e-5)  # half a row each way
    with pytest.raises(InputError, match="0 or 1, or shares"):
        learner.fit(KEY, X, truth + 1.0, np.ones(60))
    with pytest.raises(InputError, match="each label needs a classifier, got BinaryRelevance"):
        BinaryRelevance(learner)


def seen(name: str):
    """The wrapped strategy and what it sees of forty labelled rows."""
    X, _, y = labelled_rows()
    pool, strategy = pool_of(X, y=y), CLASS_STRATEGIES[name]
    session = init(KEY, BinaryRelevance(Softmax()), X, y=y, strategy=name, guarded=False)
    _, committee = fitted(session)
    committee = by_label(KEY, committee, pool, 3, strategy.needs, rows=pool.labelled)
    evidence = gather(KEY, None, pool, strategy.needs - LEARNED)
    apart = tuple(
        gather(key_for(KEY, number), one, pool_of_label(pool, number), strategy.needs)
        for number, one in enumerate(committee.labels)
    )
    return session, strategy, pool, apart, evidence


def test_scores_are_averaged_over_labels() -> None:
    _, margin, pool, apart, evidence = seen("margin")
    found = over_labels(KEY, (margin,), replace(evidence, labels=apart), 6)
    score = np.mean([-np.abs(2.0 * one.proba[:, 1] - 1.0) for one in apart], axis=0)
    open_rows = np.flatnonzero(pool.available)
    assert_array_equal(np.sort(found.index), np.sort(open_rows[np.argsort(-score[open_rows])[:6]]))
    assert_allclose(found.gain, score[found.index])


def test_ranks_are_averaged_where_picks_depend_on_each_other() -> None:
    _, badge, pool, apart, evidence = seen("badge")
    found = over_labels(KEY, (badge,), replace(evidence, labels=apart), 6)
    each = [ranks(key_for(KEY, "badge", number), badge, one, RANKED * 6)[0] for number, one in enumerate(apart)]
    open_rows, mean = np.flatnonzero(pool.available), np.mean(each, axis=0)
    assert_array_equal(found.index, largest(key_for(KEY, "ties"), mean[open_rows], open_rows, 6))


def test_a_label_that_is_always_there_has_no_say() -> None:
    _, margin, _, apart, evidence = seen("margin")
    alone = over_labels(KEY, (margin,), replace(evidence, labels=apart[:1]), 6)
    X, _, y = labelled_rows()
    y[:40, 1:] = 1.0
    _, batch = ask(init(KEY, BinaryRelevance(Softmax()), X, y=y, strategy="margin", guarded=False), 6)
    assert set(batch.index) == set(alone.index) and batch.degraded == ""
    y[:40, 0] = 0.0
    _, batch = ask(init(KEY, BinaryRelevance(Softmax()), X, y=y, strategy="margin", guarded=False), 6)
    assert batch.degraded.split(",")[0] == "one_class" and len(batch.index) == 6


@pytest.mark.parametrize("name", CLASS_STRATEGIES)
def test_every_strategy_serves_several_labels(name: str) -> None:
    X, truth, y = labelled_rows(80)
    session = init(KEY, BinaryRelevance(Softmax()), X, y=y, strategy=name, guarded=False)
    assert session.strategy.name == name and session.strategy.parts == (CLASS_STRATEGIES[name],)
    session, batch = ask(session, 5)
    assert len(set(batch.index)) == 5 and (batch.index >= 40).all() and batch.strategy == name
    session = tell(session, batch.index, truth[batch.index])
    assert session.pool.labelled.sum() == 45


@pytest.mark.parametrize("name", ["random", "typiclust", "max_herding", "prob_cover"])
def test_coverage_is_what_it_is_for_one_label(name: str) -> None:
    strategy = CLASS_STRATEGIES[name]
    assert not strategy.learns and per_label(strategy).combine is over_labels
    X, _, y = labelled_rows()
    one = ask(init(KEY, BinaryRelevance(Softmax()), X, y=y, strategy=name, guarded=False), 6)[1]
    other = ask(init(KEY, BinaryRelevance(Softmax()), X, y=y[:, ::-1], strategy=name, guarded=False), 6)[1]
    if name != "prob_cover":  # its radius is for the number of classes seen
        assert_array_equal(one.index, other.index)
    assert len(one.index) == 6


def test_the_guard_judges_several_labels() -> None:
    X, truth, y = labelled_rows(400)
    session = init(KEY, BinaryRelevance(Softmax()), X, y=y, strategy="margin")
    for _ in range(6):
        session, batch = ask(session, 40)
        session = tell(session, batch.index, truth[batch.index])
    (verdict, *_) = session.verdicts
    assert np.isfinite(verdict.theta) and np.isfinite(verdict.error)


def test_what_a_learner_cannot_show_is_said_at_once() -> None:
    X, _, y = labelled_rows()
    with pytest.raises(InputError, match=r"alfa_mix.*RandomForest|alfa_mix.*External"):
        init(KEY, BinaryRelevance(External(RandomForestClassifier(5))), X, y=y, strategy="alfa_mix")


def test_wrong_labels_of_several_are_named() -> None:
    X, truth, _ = labelled_rows(150, 150)
    far = int(np.argmax(X[:, 0]))
    truth[far, 0] = 0.0
    found = suspects(KEY, BinaryRelevance(Softmax()), pool_of(X, y=truth))
    assert (far, 0) in {(one.row, one.label) for one in found}
    assert all(one.probability < 0.05 for one in found)


def test_an_estimator_of_several_labels() -> None:
    X, truth, y = labelled_rows()
    frame = pd.DataFrame(y, columns=["red", "round", "soft"])
    model = clone(ActiveClassifier(multi_label=True, random_state=0)).fit(X, frame)
    assert model.classes_.tolist() == ["red", "round", "soft"]
    for _ in range(2):
        rows = model.query(n=8)
        model.teach(rows, truth[rows], annotator="ann")
    assert model.labelled_.sum() == 56 and model.batch_["why"].str.contains("wide_herding|random").all()
    assert model.predict(X).shape == truth.shape and (model.predict(X) == truth).mean() > 0.9
    assert model.predict_proba(X).shape == (120, 3) and 0.7 < model.score(X, truth) <= 1.0
    curve = model.learning_curve_
    assert curve["error"].iloc[-1] < 0.25  # of single labels
    model.teach(rows[:1], 1 - truth[rows[:1]], annotator="bob")
    assert_array_equal(model.session_.pool.y[rows[0]], [0.5, 0.5, 0.5])
    assert set(model.suspects_.columns) == {"row", "label", "probability", "agreement", "why"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: np.where(y == 1, 2.0, y), "0 or 1 for each label of a row, NaN where unknown, got 2"),
        (lambda y: y[:, 0], "a matrix with a column for each label"),
        (lambda y: np.where(np.arange(3) == 1, np.nan, y), "labelled in part"),
        (lambda y: y.astype(str).astype(object) + "x", "must hold 0 or 1"),
    ],
)
def test_what_are_no_labels_is_refused(change, words) -> None:
    X, _, y = labelled_rows()
    with pytest.raises(InputError, match=words):
        ActiveClassifier(multi_label=True).fit(X, change(y))
    with pytest.raises(InputError, match="2 labels are named in `classes`, and y has 3 columns"):
        ActiveClassifier(multi_label=True, classes=["a", "b"]).fit(X, y)


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    X, truth, _ = labelled_rows()
    pool = pd.DataFrame(X, columns=list("abcd")).assign(sample=[f"s{i}" for i in range(120)])
    known = pool.iloc[:40].assign(red=truth[:40, 0] == 1, round=truth[:40, 1].astype(int), soft=truth[:40, 2])
    return pool, known


def test_tables_with_a_column_for_each_label(tmp_path: Path, capsys) -> None:
    pool, known = tables()
    asked = {"target": ["red", "round", "soft"], "id": "sample", "n": 6}
    found = suggest(pool, labelled=known, multi_label=True, **asked)
    assert found.facts["labels"] == ["red", "round", "soft"] and found.facts["task"] == "classification"
    assert len(found.frame) == 6 and found.facts["strategy"] == "wide_herding"
    assert "share of wrong labels" in found.text and found.facts["curve"]["points"][-1]["error"] < 0.3
    first = suggest(pool, multi_label=True, start="cover", **asked)
    assert first.facts["degraded"] == "no_labels" and first.facts["labelled"] == 0
    with pytest.raises(InputError, match=r"'soft' holds 2"):
        suggest(pool, labelled=known.assign(soft=2), multi_label=True, **asked)
    with pytest.raises(InputError, match="ask for multi_label"):
        suggest(pool, labelled=known, task="classification", **asked)
    with pytest.raises(InputError, match="declare no classes"):
        suggest(pool, labelled=known, multi_label=True, classes=["a", "b"], **asked)
    pool.to_csv(tmp_path / "pool.csv", index=False)
    known.to_csv(tmp_path / "known.csv", index=False)
    words = ["suggest", str(tmp_path / "pool.csv"), "--labelled", str(tmp_path / "known.csv"), "--id", "sample"]
    words += ["--target", "red", "--target", "round", "--target", "soft", "--multi-label", "-n", "6", "--json"]
    assert main(words) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [one["sample"] for one in facts["chosen"]] == list(found.frame["sample"])
