"""What a session remembers of its own batches: a pure function of what was asked and told."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from strongsuit.active.memory import past_of
from strongsuit.active.pool import ACTIVE
from strongsuit.active.session import Session, ask, init, tell
from strongsuit.core import root_key
from strongsuit.learners.softmax import Softmax

_spec = importlib.util.spec_from_file_location("examples", Path(__file__).with_name("bandit_examples.py"))
examples = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(examples)
HIGH, LOW, bandit = (
    examples.HIGH,
    examples.LOW,
    examples.bandit,
)

KEY = root_key(3)


def started(strategy: str, rows: int = 120, known: int = 24, **changes) -> tuple[Session, np.ndarray]:
    """A session on three clusters, and the labels of all rows."""
    rng = np.random.default_rng(0)
    classes = np.arange(rows) % 3
    X = rng.normal(size=(rows, 4)) + 2.0 * np.eye(3, 4)[classes]
    y = np.full((rows, 3), np.nan)
    y[:known] = np.eye(3)[classes[:known]]
    return init(KEY, Softmax(), X, y=y, strategy=strategy, guarded=False, **changes), np.eye(3)[classes]


@pytest.mark.parametrize("name", ["albl", "tailor"])
def test_asking_twice_and_telling_in_any_order_give_the_same_batches(name: str) -> None:
    session, truth = started(name)
    session, first = ask(session, 6)
    assert first.degraded == "" and len(session.past) == 1
    np.testing.assert_array_equal(np.sort(session.past[0].rows), np.sort(first.index))
    at_once = tell(session, first.index, truth[first.index])
    one_by_one = session
    for row in first.index[::-1]:
        one_by_one = tell(one_by_one, [row], truth[[row]])
    batches = [ask(one, 6)[1] for one in (at_once, at_once, one_by_one)]
    for batch in batches[1:]:
        np.testing.assert_array_equal(batch.index, batches[0].index)
        assert batch.facts == batches[0].facts
    assert batches[0].degraded == ""


@pytest.mark.parametrize("name", ["albl", "tailor"])
def test_a_session_restored_without_memory_says_so_and_begins_anew(name: str) -> None:
    session, truth = started(name)
    for _ in range(2):
        session, batch = ask(session, 6)
        session = tell(session, batch.index, truth[batch.index])
    later, batch = ask(replace(session, past=()), 6)
    assert "no_memory" in batch.degraded and batch.facts["reason"] == "no_memory"
    if name == "albl":
        assert len(set(batch.facts["weights"].values())) == 1
    else:
        assert not np.any([*batch.facts["found"].values()])
    later = tell(later, batch.index, truth[batch.index])
    assert "no_memory" not in ask(later, 6)[1].degraded  # of its own first batch it knows


def test_labels_may_come_late() -> None:
    session, truth = started("albl")
    session, first = ask(session, 5)
    session, second = ask(session, 5)
    assert second.facts["waiting"] == [0, 1, 2, 3, 4] and second.facts["weights"] == first.facts["weights"]
    session = tell(session, second.index, truth[second.index])
    _, third = ask(session, 5)
    assert third.facts["waiting"] == [0, 1, 2, 3, 4] and third.facts["weights"] != first.facts["weights"]
    session = tell(session, first.index, truth[first.index])
    _, third = ask(session, 5)
    assert third.facts["waiting"] == []


def test_only_strategies_that_need_it_are_remembered() -> None:
    session, _ = ask(started("vote")[0], 5)
    assert session.past == ()
    session, _ = ask(started("tailor")[0], 5)
    past = past_of(session.past, "albl", session.pool)
    assert past.forgotten and (past.part == -1).all()  # another strategy's records say nothing of its parts
    own = past_of(session.past, "tailor", session.pool).of(np.arange(10))
    assert len(own.part) == 10 and not own.forgotten


def test_equal_rows_are_remembered_too() -> None:
    rng = np.random.default_rng(1)
    X = np.repeat(rng.normal(size=(30, 2)), 2, axis=0)
    classes = (X[:, 0] > 0).astype(int)
    y = np.where(np.arange(60)[:, None] < 40, np.eye(2)[classes], np.nan)
    y[40:50:2] = np.eye(2)[classes[40:50:2]]  # of some pairs one is labelled: these come last
    session, batch = ask(init(KEY, Softmax(), X, y=y, strategy="tailor", guarded=False), 8)
    assert len(batch.index) == 8 == len(session.past[0].part)
    np.testing.assert_array_equal(np.sort(session.past[0].rows), np.sort(batch.index))


def test_a_part_that_proposes_the_rare_class_is_asked_more_as_labels_come() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 2))
    classes = (X[:, 0] > 1.3).astype(int)  # a tenth
    y = np.where(np.arange(400)[:, None] < 24, np.eye(2)[classes], np.nan)
    session = init(KEY, Softmax(), X, y=y, strategy="tailor", guarded=False)
    session, share = replace(session, strategy=bandit("tailor", (HIGH, LOW))), []
    for _ in range(5):
        session, batch = ask(session, 8)
        share.append(batch.facts["picks"]["high"] / 8)
        session = tell(session, batch.index, np.eye(2)[classes[batch.index]])
    assert np.mean(share[1:]) > 0.6


def test_rows_that_the_guard_drew_are_no_ones_picks() -> None:
    session, truth = started("albl", rows=200)
    session = init(KEY, Softmax(), session.pool.X, y=session.pool.y, strategy="albl")
    for _ in range(2):
        session, batch = ask(session, 8)
        np.testing.assert_array_equal(np.sort(session.past[-1].rows), np.sort(batch.index[batch.role == ACTIVE]))
        session = tell(session, batch.index, truth[batch.index])
    assert session.past[0].round == 0 and session.past[1].facts["waiting"] == []
