"""Every classification strategy keeps the promises; sessions of classifiers; votes and searches."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from strongsuit.active import lal
from strongsuit.active.class_strategies import CLASS_STRATEGIES, SEARCHED
from strongsuit.active.committee import answer, train
from strongsuit.active.evidence import Evidence, gather, narrowed
from strongsuit.active.folds import cross_fitted, seen_from_outside
from strongsuit.active.pool import AUDIT, EXCLUDED, Pool, pool_of
from strongsuit.active.search.refine import refine
from strongsuit.active.search.votes import RANKED, rank_average, ranks, then, vote
from strongsuit.active.session import ask, fitted, init, tell
from strongsuit.active.strategies import CLASSIFICATION, find_strategy
from strongsuit.active.strategy import Strategy, propose
from strongsuit.core import root_key
from strongsuit.core.keys import Key, key_for
from strongsuit.errors import InputError
from strongsuit.learners.external import External
from strongsuit.learners.softmax import Softmax
from strongsuit.testing import check_strategy

KEY = root_key(4)
# Rules whose first picks depend on how many are asked for, or that draw anew for every number.
NOT_GREEDY = {
    "bait", "bait_fast", "bait_published",
    "k_means", "cluster_margin", "typiclust", "drop_query", "alfa_mix", "vote", "rank_average",
    "tcm", "autoal", "refine", "best_of_folds", "albl", "tailor", "select_al",
}  # fmt: skip


@pytest.fixture(autouse=True)
def a_lesson_that_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """LAL's second forest would learn for seconds; what it says is tested elsewhere."""
    monkeypatch.setattr(lal, "_second", lambda: SimpleNamespace(predict=lambda states: -np.abs(states[:, 0] - 0.5)))


@dataclass(frozen=True)
class Quick(Softmax):
    """The same with short trainings beside it, whose number of steps is no part of what strategies promise."""

    def auxiliary(self, name: str):
        beside = super().auxiliary(name)
        names = {field.name for field in fields(beside)}
        return replace(beside, steps=20) if "steps" in names else replace(beside, epochs=1, least_steps=20)


def seen(key: Key, pool: Pool, strategy: Strategy, learner=None) -> Evidence:
    """What a session would show the strategy."""
    if not strategy.learns:
        return gather(key, None, pool, strategy.needs)
    committee = train(key_for(key, "train"), learner or Quick(), pool, 3, needs=strategy.needs)
    evidence = gather(key, committee, pool, strategy.needs)
    if "folds" in strategy.needs:
        folds = cross_fitted(key_for(key, "folds"), committee.learner, pool, 3, strategy.needs)
        evidence = replace(evidence, folds=seen_from_outside(key, folds, pool, strategy.needs))
    return evidence


def three_classes(y: np.ndarray) -> np.ndarray:
    """Indicators of three classes by thirds of numbers y (n, 1), NaN where unknown."""
    known = ~np.isnan(y[:, 0])
    codes = np.full((len(y), 3), np.nan)
    cuts = np.quantile(y[known, 0], [1 / 3, 2 / 3])
    codes[known] = np.eye(3)[np.searchsorted(cuts, y[known, 0], side="left").clip(0, 2)]
    return codes


def choose(name: str, learner=None):
    strategy = CLASS_STRATEGIES[name]

    def run(key, X, y, open_rows, b):
        pool = pool_of(X, y=three_classes(y))
        pool.state[~open_rows & ~pool.labelled] = EXCLUDED
        return propose(key, strategy, seen(key, pool, strategy, learner), b)

    return run


@pytest.mark.parametrize("name", [name for name in CLASS_STRATEGIES if name != "refine"])
def test_promises_hold_for_every_row_of_the_table(name: str) -> None:
    check_strategy(choose(name), greedy=name not in NOT_GREEDY)


def test_the_table_says_what_each_strategy_is() -> None:
    for name, row in CLASS_STRATEGIES.items():
        assert name == row.name and row.words and (row.source or row.parts or name == "random")
        assert find_strategy(name, CLASSIFICATION) is row
    with pytest.raises(InputError, match="'qbc' for classification; it is one for regression"):
        find_strategy("qbc", CLASSIFICATION)
    with pytest.raises(InputError, match="'margin' for regression; it is one for classification"):
        find_strategy("margin")


def blobs(rows: int = 120, known: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three clusters, their classes, and labels of the first rows."""
    rng = np.random.default_rng(seed)
    classes = np.arange(rows) % 3
    X = rng.normal(size=(rows, 4)) + 2.0 * np.eye(3, 4)[classes]
    y = np.full((rows, 3), np.nan)
    y[:known] = np.eye(3)[classes[:known]]
    return X, classes, y


@pytest.mark.parametrize("name", CLASS_STRATEGIES)
def test_a_session_learns_classes_whatever_the_strategy(name: str) -> None:
    X, classes, y = blobs()
    session = init(KEY, Quick(), X, y=y, strategy=name, guarded=False)
    for _ in range(2):
        session, batch = ask(session, 6)
        assert len(set(batch.index)) == 6 and session.pool.pending[batch.index].all()
        session = tell(session, batch.index, np.eye(3)[classes[batch.index]])
    _, committee = fitted(session)
    said = answer(committee, X)
    np.testing.assert_allclose(said.sum(1), 1.0, atol=1e-9)
    assert (said.argmax(1) == classes).mean() > 0.8


@pytest.mark.parametrize("learner", [Softmax(), External(RandomForestClassifier(n_estimators=5))])
def test_the_guard_judges_classifiers_by_their_probabilities(learner) -> None:
    X, classes, y = blobs(400, known=24)
    session, asked = init(KEY, learner, X, y=y, strategy="margin"), 0
    while not session.verdicts:
        session, batch = ask(session, 30)
        asked += 30
        assert asked <= 240 and (session.pool.role[batch.index] == AUDIT).any()
        session = tell(session, batch.index, np.eye(3)[classes[batch.index]])
    (verdict,) = session.verdicts
    assert np.isfinite(verdict.theta) and np.isfinite(verdict.error) and abs(verdict.theta) < 2.0


def test_any_classifier_of_scikit_learn_will_do_and_what_it_cannot_show_is_said_at_once() -> None:
    X, _, y = blobs(60)
    forest = External(RandomForestClassifier(n_estimators=10))
    for name in ("margin", "bald", "badge", "u_herding", "k_center"):
        _, batch = ask(init(KEY, forest, X, y=y, strategy=name, guarded=False), 5)
        assert len(batch.index) == 5
    with pytest.raises(InputError, match=r"alfa_mix.*shows none.*u_herding"):
        init(KEY, forest, X, y=y, strategy="alfa_mix")
    with pytest.raises(InputError, match="at least two classes"):
        init(KEY, forest, X, y=np.where(np.isnan(y[:, :1]), np.nan, 1.0), strategy="margin")


def test_one_model_trained_by_chance_has_no_votes() -> None:
    X, _, y = blobs(60)
    forest = External(RandomForestClassifier(n_estimators=5))
    with pytest.raises(InputError, match="one External alone has no votes"):
        init(KEY, forest, X, y=y, strategy="bald", guarded=False, members=1)


def test_a_class_without_labels_does_no_harm() -> None:
    X, _, y = blobs()
    wider = np.hstack([y, np.where(np.isnan(y[:, :1]), np.nan, 0.0)])
    for name in ("margin", "entropy", "bald", "badge", "bait", "u_herding", "alfa_mix", "galaxy", "cdal"):
        narrow, wide = (
            ask(init(KEY, Softmax(), X, y=one, strategy=name, guarded=False), 5)[1].index for one in (y, wider)
        )
        np.testing.assert_array_equal(narrow, wide, err_msg=name)


def evidence_for(names: tuple[str, ...]) -> tuple[tuple[Strategy, ...], Evidence]:
    X, _, y = blobs()
    parts = tuple(CLASS_STRATEGIES[name] for name in names)
    needs = frozenset().union(*(part.needs for part in parts))
    return parts, seen(KEY, pool_of(X, y=y), replace(parts[0], needs=needs))


def test_a_vote_takes_what_most_parts_pick() -> None:
    parts, evidence = evidence_for(("margin", "least_confidence", "max_herding"))
    picked = [set(propose(key_for(KEY, part.name), part, evidence, 8).index.tolist()) for part in parts]
    found = vote(KEY, parts, evidence, 8)
    for row, votes in zip(found.index, found.gain, strict=True):
        assert votes == sum(row in one for one in picked)
    assert (np.diff(found.gain) <= 0).all()


def test_ranks_of_scores_and_of_picks() -> None:
    parts, evidence = evidence_for(("margin", "typiclust"))
    open_rows = np.flatnonzero(evidence.available)
    by_score, _ = ranks(KEY, parts[0], evidence, 5)
    score = parts[0].score(evidence)
    assert by_score[open_rows[np.argmax(score[open_rows])]] == 1.0 and np.isnan(by_score[~evidence.available]).all()
    by_picks, _ = ranks(KEY, parts[1], evidence, 5)
    picks = propose(KEY, parts[1], evidence, 5).index
    count = len(open_rows)
    np.testing.assert_allclose(by_picks[picks], (count - 1 - np.arange(5)) / (count - 1))
    assert by_picks[open_rows].mean() == pytest.approx(0.5)  # ranks only change places
    both = rank_average(KEY, parts, evidence, 4)
    found = [ranks(key_for(KEY, part.name), part, evidence, RANKED * 4)[0] for part in parts]
    mean = (found[0] + found[1]) / 2
    assert set(both.index) == set(open_rows[np.argsort(-mean[open_rows])[:4]])


def test_one_rule_at_first_and_another_later() -> None:
    parts, evidence = evidence_for(("typiclust", "margin"))
    for round_, name in ((0, "typiclust"), (2, "typiclust"), (3, "margin")):
        now = replace(evidence, round=round_)
        expected = propose(key_for(KEY, name), CLASS_STRATEGIES[name], now, 4).index
        np.testing.assert_array_equal(then(KEY, parts, now, 4).index, expected)


def test_refining_ends_with_the_last_parts_choice_among_rows_that_others_proposed() -> None:
    parts, evidence = evidence_for(("margin", "max_herding", "margin"))
    found = refine(KEY, parts, evidence, 5, rounds=2, batches=8)
    margin = parts[0].score(evidence)
    proposed = set(propose(KEY, parts[0], evidence, 5).index.tolist())
    # Margin is among the filters and is the last word, so its own favourites survive every round.
    assert (
        set(found.index.tolist()) == proposed and margin[found.index].min() >= np.sort(margin[evidence.available])[-5]
    )


def test_a_part_of_the_evidence_is_the_evidence_of_the_part() -> None:
    parts, evidence = evidence_for(("margin", "bald", "alfa_mix"))
    rows = np.flatnonzero(evidence.available)[::2]
    part = narrowed(evidence, rows)
    for strategy in parts:
        if strategy.score is not None and strategy.name != "alfa_mix":
            np.testing.assert_array_equal(strategy.score(part), strategy.score(evidence)[rows])
    assert part.head is evidence.head and len(part.available) == len(rows)


def test_a_search_tells_its_weights_and_why_it_was_not_used() -> None:
    X, _, y = blobs(200, known=60)
    _, batch = ask(init(KEY, Softmax(), X, y=y, strategy="autoal", guarded=False), 8)
    facts = batch.facts
    assert sum(facts["weights"].values()) == pytest.approx(1.0) and facts["gradient"] > 0.0
    assert len(facts["gains"]) == 3 and 0.0 <= facts["blend"] <= 1.0
    few = ask(init(KEY, Softmax(), X, y=np.where(np.arange(200)[:, None] < 20, y, np.nan), strategy="autoal",
                   guarded=False), 8)[1]  # fmt: skip
    assert "too_few_labels" in few.degraded
    assert few.facts["weights"] == {name: pytest.approx(0.8 / 7 + 0.2 * (name == "u_herding")) for name in SEARCHED}
