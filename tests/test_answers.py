"""Answers of several annotators: a fold that keeps all of them, in sessions, estimators and tables."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import RandomForestClassifier

from strongsuit import ActiveClassifier, ActiveRegressor, suggest
from strongsuit.active.answers import (
    Answers,
    about,
    agreement,
    answers_of,
    checked_name,
    disputed,
    joined,
    renumbered,
    shares,
    standing,
)
from strongsuit.active.session import answers_so_far, ask, init, tell
from strongsuit.core import root_key
from strongsuit.errors import InputError
from strongsuit.learners.ridge import Ridge
from strongsuit.learners.softmax import Softmax

KEY = root_key(2)
one_answer = st.tuples(st.integers(0, 4), st.integers(0, 2), st.sampled_from(["", "ann", "bob", "cem"]))


def log_of(told: list[tuple[int, int, str]]) -> Answers:
    rows, numbers, names = (list(column) for column in zip(*told, strict=True)) if told else ([], [], [])
    return answers_of(np.array(rows, int), np.eye(3)[np.array(numbers, int)].reshape(-1, 3), np.array(names, object))


@given(st.lists(one_answer, max_size=25))
def test_the_fold_counts_the_last_answer_of_each_annotator(told) -> None:
    last = {(row, name): number for row, number, name in told}
    rows, mean = shares(log_of(told))
    agreed_rows, share = agreement(log_of(told))
    assert rows.tolist() == agreed_rows.tolist() == sorted({row for row, _ in last})
    for row, found, agreed in zip(rows, mean, share, strict=True):
        said = [number for (one, _), number in last.items() if one == row]
        assert_allclose(found, np.bincount(said, minlength=3) / len(said))
        assert agreed == pytest.approx(Counter(said).most_common(1)[0][1] / len(said))
    assert set(disputed(log_of(told))) == {row for row, s in zip(agreed_rows, share, strict=True) if s < 0.5}


@given(st.lists(one_answer, max_size=20), st.integers(0, 20))
def test_halves_of_a_log_make_the_whole_and_order_between_annotators_does_not_matter(told, cut) -> None:
    whole = joined(log_of(told[:cut]), log_of(told[cut:]))
    assert len(whole) == len(told)
    assert_array_equal(shares(whole)[1], shares(log_of(told))[1])
    by_person = log_of(sorted(told, key=lambda one: one[2]))  # stable: each one's own order stays
    assert_allclose(shares(by_person)[1], shares(whole)[1], atol=1e-15)


def test_parts_and_new_numbers_of_a_log() -> None:
    log = log_of([(3, 0, "ann"), (1, 1, ""), (3, 2, "ann"), (1, 2, "bob")])
    assert standing(log).row.tolist() == [1, 1, 3] and standing(log).by.tolist() == ["", "bob", "ann"]
    assert about(log, np.array([3])).said.argmax(1).tolist() == [0, 2]
    assert renumbered(log, np.array([-1, 7, -1, -1])).row.tolist() == [7, 7]
    assert checked_name(None) == "" and checked_name(" ann ") == "ann"
    with pytest.raises(InputError, match="annotator must be a name"):
        checked_name("  ")


def blobs(rows: int = 90, known: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    number = np.arange(rows) % 3
    y = np.full((rows, 3), np.nan)
    y[:known] = np.eye(3)[number[:known]]
    return rng.normal(size=(rows, 3)) + 2.5 * np.eye(3)[number], y, number


def test_a_session_takes_answers_of_several_annotators_in_any_order() -> None:
    X, y, number = blobs()
    start = init(KEY, Softmax(), X, y=y, guarded=False)
    rows, right = np.array([30, 31, 32]), np.eye(3)[number[[30, 31, 32]]]
    wrong = np.roll(right, 1, axis=1)
    one = tell(tell(start, rows, right, annotator="ann"), rows[:2], wrong[:2], annotator="bob")
    other = tell(tell(start, rows[:2], wrong[:2], annotator="bob"), rows, right, annotator="ann")
    assert_array_equal(one.pool.y, other.pool.y)
    assert_allclose(one.pool.y[30], 0.5 * (right[0] + wrong[0]))
    assert_array_equal(one.pool.y[32], right[2])
    revised = tell(one, rows[:1], right[:1], annotator="bob")
    assert_array_equal(revised.pool.y[30], right[0])
    log = answers_so_far(revised)
    assert len(log) == 24 + 6 and (log.row == 30).sum() == 3  # the log keeps what was revised
    assert len(ask(revised, 5)[1].index) == 5
    assert_array_equal(tell(one, rows[::-1], wrong[::-1], annotator="ann").pool.y[rows[:2]], wrong[:2])


def test_a_revised_label_reaches_the_committee_that_chooses() -> None:
    X, y, number = blobs()
    session, _ = ask(init(KEY, Softmax(), X, y=y, strategy="margin"), 4)
    revised = tell(session, [0], np.eye(3)[[(number[0] + 1) % 3]])
    fresh = init(KEY, Softmax(), X, y=np.where(np.arange(90)[:, None] == 0, revised.pool.y, y), strategy="margin")
    one, other = ask(revised, 4)[0].selecting, ask(fresh, 4)[0].selecting
    assert_allclose(one.params[0].W, other.params[0].W, atol=1e-5)
    assert abs(one.params[0].W - session.selecting.params[0].W).max() > 1e-3
    same = tell(session, [0], np.eye(3)[number[[0]]])
    assert same.selecting is session.selecting


def test_without_names_a_later_label_replaces_the_earlier_one() -> None:
    X, y, _ = blobs()
    session = init(KEY, Softmax(), X, y=y, guarded=False)
    later = tell(tell(session, [40, 0], np.eye(3)[[0, 1]]), [40], np.eye(3)[[2]])
    assert later.pool.y[40].tolist() == [0, 0, 1] and later.pool.y[0].tolist() == [0, 1, 0]
    assert_array_equal(later.pool.y[1:24], y[1:24])


@pytest.mark.parametrize(
    ("rows", "labels", "words"),
    [([30, 30], np.eye(3)[[0, 1]], "named twice"), ([99], np.eye(3)[[0]], "numbered 0 to 89"),
     ([30, 31], [[1, 0, 0], [np.nan, 0, 1]], "not finite"), ([30], [[1, 0]], "shape")],
)  # fmt: skip
def test_what_is_no_answer_is_refused_whoever_gives_it(rows, labels, words) -> None:
    X, y, _ = blobs()
    session = init(KEY, Softmax(), X, y=y, guarded=False)
    with pytest.raises(InputError, match=words):
        tell(session, rows, labels, annotator="ann")


def test_numbers_of_several_annotators_are_averaged() -> None:
    X = np.linspace(-1, 1, 60)[:, None]
    y = np.where(np.arange(60)[:, None] < 20, X, np.nan)
    session = tell(init(KEY, Ridge(), X, y=y, guarded=False), [30], [[1.0]], annotator="ann")
    session = tell(session, [30], [[4.0]], annotator="bob")
    assert session.pool.y[30, 0] == 2.5
    assert tell(session, [30], [[2.0]], annotator="bob").pool.y[30, 0] == 1.5
    model = ActiveRegressor("ridge", random_state=0).fit(X, y[:, 0])
    model.teach([40], [3.0], annotator="ann").teach([40], [5.0], annotator="bob")
    assert model.session_.pool.y[40, 0] == 4.0


@pytest.mark.parametrize("learner", ["softmax", "mlp", RandomForestClassifier(20)])
def test_classifiers_learn_from_shares(learner) -> None:
    X, _, number = blobs()
    names = np.array(["ape", "bee", "cow"])
    y = np.where(np.arange(90) < 24, names[number], None)
    model = ActiveClassifier(learner, random_state=0).fit(X, y)
    model.teach([50, 51], names[number[[50, 51]]], annotator="ann")
    model.teach([50], names[(number[[50]] + 1) % 3], annotator="bob")
    assert sorted(model.session_.pool.y[50].tolist()) == [0, 0.5, 0.5]
    assert model.labelled_.sum() == 26 and model.score(X, names[number]) > 0.8
    assert len(model.query(X[:60], n=3)) == 3  # a new pool: the answers move with their rows
    model.teach([50], names[number[[50]]], annotator="bob")
    assert model.session_.pool.y[50].max() == 1.0


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A pool and a line for each answer: ann labels 30 rows, bob half of them, cem three, one of which all dispute."""
    X, _, number = blobs()
    names = np.array(["ape", "bee", "cow"])
    pool = pd.DataFrame(X, columns=list("abc")).assign(sample=[f"s{i}" for i in range(90)])
    lines = [pool.iloc[:30].assign(kind=names[number[:30]], who="ann")]
    lines += [pool.iloc[:15].assign(kind=names[number[:15]], who="bob")]
    lines += [pool.iloc[:3].assign(kind=names[(number[:3] + 2) % 3], who="cem")]
    lines += [pool.iloc[:1].assign(kind=names[(number[0] + 1) % 3], who="bob")]
    return pool, pd.concat(lines, ignore_index=True)


def test_a_table_has_a_line_for_each_answer() -> None:
    pool, known = tables()
    ask_for = {"target": "kind", "id": "sample", "n": 5}
    found = suggest(pool, labelled=known, annotator="who", **ask_for)
    assert found.facts["labelled"] == 30 and len(found.frame) == 5
    assert not set(found.frame["sample"]) & set(known["sample"])
    (torn,) = [one for one in found.facts["suspects"] if "disputed" in one["reasons"]]
    assert torn["id"] == "s0" and torn["agreement"] == pytest.approx(1 / 3)
    assert "3 annotators gave 48 answers for 30 rows" in found.text and "1 earlier answers were revised" in found.text
    assert "Labels to check" in found.text and "33% of its annotators agree" in found.text
    with pytest.raises(InputError, match=r"'s0' stands twice.*name their column as annotator"):
        suggest(pool, labelled=known.drop(columns="who"), **ask_for)
    with pytest.raises(InputError, match="annotator needs id"):
        suggest(pool, labelled=known, annotator="who", target="kind", exclude=["sample"])
    with pytest.raises(InputError, match="annotator names 'whom', which the labelled table does not have"):
        suggest(pool, labelled=known, annotator="whom", **ask_for)


def test_one_annotator_of_a_table_changes_nothing() -> None:
    pool, known = tables()
    own, ask_for = known[known["who"] == "ann"], {"target": "kind", "id": "sample", "n": 5}
    plain = suggest(pool, labelled=own.drop(columns="who"), **ask_for)
    named = suggest(pool, labelled=own, annotator="who", **ask_for)
    revised = pd.concat([own.assign(kind="cow"), own], ignore_index=True)
    assert plain.frame.equals(named.frame)
    assert plain.frame.equals(suggest(pool, labelled=revised, annotator="who", **ask_for).frame)


def test_numbers_in_a_table_are_averaged_and_rows_without_an_answer_wait() -> None:
    pool, known = tables()
    told = known.assign(value=known["a"], kind=None).drop(columns="kind")
    told.loc[told["who"] == "bob", "value"] += 1.0
    told = pd.concat([told, pool.iloc[[0, 60, 60]].assign(value=np.nan, who="ann")], ignore_index=True)
    found = suggest(pool, labelled=told, target="value", id="sample", annotator="who", n=4, learner="ridge",
                    strategy="gsx")  # fmt: skip
    assert found.facts["labelled"] == 30 and found.facts["pending"] == 1 and found.facts["suspects"] == []
