"""ALBL and TAILOR against the formulas written out by hand, and on cases where one part is known to be right."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from strongsuit.active.search.albl import albl, drawn, learned, paid, rewards, shares_of, told_from_outside
from strongsuit.active.search.tailor import found_by, tailor, worth
from strongsuit.active.strategy import propose
from strongsuit.core import root_key
from strongsuit.core.keys import key_for
from strongsuit.errors import InputError

_spec = importlib.util.spec_from_file_location("examples", Path(__file__).with_name("bandit_examples.py"))
examples = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(examples)
BLIND, HIGH, LOW = examples.BLIND, examples.HIGH, examples.LOW
bandit, evidence, in_folds, past = examples.bandit, examples.evidence, examples.in_folds, examples.past

KEY = root_key(11)
H = 50


def exp4p_by_hand(weights: list[float], shares: list[float], drawn: int, reward: float, horizon: int) -> list[float]:
    """The update as Beygelzimer et al. write it, arm by arm, advice of one arm each."""
    K = len(weights)
    least = (np.log(K) / (K * horizon)) ** 0.5
    later = []
    for arm in range(K):
        estimate = reward / shares[arm] if arm == drawn else 0.0
        wide = (1.0 / shares[arm]) * (np.log(K / 0.1) / (K * horizon)) ** 0.5
        later.append(weights[arm] * np.exp(least / 2.0 * (estimate + wide)))
    return [w / sum(later) for w in later]


def test_weights_and_shares_are_those_of_exp4p() -> None:
    weights = np.array([0.5, 0.3, 0.2])
    shares = shares_of(weights, H)
    least = (np.log(3) / (3 * H)) ** 0.5
    np.testing.assert_allclose(shares, (1 - 3 * least) * weights + least)
    assert shares.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(paid(weights, shares, 1, 0.7, H), exp4p_by_hand(weights, shares, 1, 0.7, H))
    more, less = (paid(weights, shares, 1, reward, H)[1] for reward in (0.9, 0.1))
    assert more > less
    np.testing.assert_allclose(shares_of(np.ones(1), H), 1.0)
    with pytest.raises(InputError, match=r"horizon must be .* at least 4 for 3 strategies, got 3"):
        shares_of(weights, 3)


def two_rounds(labelled: int = 5):
    """Ten rows of two classes: two labelled at first, then two batches; of `labelled` the labels are known."""
    classes = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
    facts = [
        {"weights": {"high": 0.5, "low": 0.5}, "shares": {"high": 0.6, "low": 0.4}, "waiting": []},
        {"weights": {"high": 0.55, "low": 0.45}, "shares": {"high": 0.52, "low": 0.48}, "waiting": [1]},
    ]
    memory = past(10, [([2, 4], [0, 1], [0.6, 0.4], facts[0]), ([3, 5], [1, 1], [0.48, 0.9], facts[1])])
    proba = np.full((10, 2), 0.5)
    outside = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9], [0.6, 0.4]])[:labelled]
    # Right from outside: rows 0, 1, 3 and 4; wrong: row 2, of which models that saw it are sure all the same.
    return in_folds(evidence(classes, proba, labelled, memory, 2), outside, 2)


def test_rewards_count_rows_asked_for_as_models_see_them_that_did_not_see_their_labels() -> None:
    one = two_rounds()
    assert told_from_outside(one).tolist() == [True, True, False, True, True] + [False] * 5
    pool = 5 + 3  # open rows, one of them awaited, and those of three labelled ones that were asked for
    by_hand = np.cumsum([0.0 / 0.6, 1.0 / 0.4, 1.0 / 0.48]) / (pool * H)
    np.testing.assert_allclose(rewards(one, np.array([2, 4, 3]), H), by_hand)


def test_a_row_is_paid_for_once_when_its_label_has_come() -> None:
    one = two_rounds()
    weights, waiting = learned((HIGH, LOW), one, H)
    # The row of turn 0 was paid before the second batch; that of turn 1 waited; turn 2 is new; turn 3 has no label yet.
    reward = rewards(one, np.array([2, 4, 3]), H)
    expected = exp4p_by_hand([0.55, 0.45], [0.6, 0.4], 1, reward[1], H)
    expected = exp4p_by_hand(expected, [0.52, 0.48], 1, reward[2], H)
    np.testing.assert_allclose(weights, expected)
    assert waiting == [3]
    _, waiting = learned((HIGH, LOW), two_rounds(labelled=4), H)
    assert waiting == [1, 3]
    np.testing.assert_allclose(learned((HIGH, LOW), evidence(np.zeros(4, int), np.ones((4, 2)) / 2, 1), H)[0], 0.5)


def test_chances_are_those_of_all_parts_that_would_take_the_row() -> None:
    lists = [np.array([3, 1, 2]), np.array([3, 2, 1]), np.array([1, 2, 3])]
    shares, taken = np.array([0.5, 0.2, 0.3]), np.array([True, False, False, False])
    blind = np.array([False, False, True])
    index, part, chance = drawn(KEY, lists, shares, taken, 3, blind=blind)
    assert sorted(index) == [1, 2, 3]
    left, done = 3, {0}
    for row, who, odds in zip(index, part, chance, strict=True):
        first = [next(r for r in one if r not in done) for one in lists]
        assert row == first[who]
        own = sum(s for s, f, b in zip(shares, first, blind, strict=True) if f == row and not b)
        assert odds == pytest.approx(own + 0.3 / left)
        left, done = left - 1, {*done, int(row)}


def test_accuracy_weighted_by_chances_is_that_of_the_pool() -> None:
    """The mean over many draws of right / chance is the number of rows that are right, where one part draws blindly."""
    right = np.array([1, 0, 0, 1, 1, 0, 1, 0])
    found = []
    for number in range(3000):
        key = key_for(KEY, number)
        lists = [np.array([1, 2]), np.array([0, 7]), key_for(key, "blind").numpy().permutation(8)]
        row, _, chance = drawn(key, lists, np.array([0.3, 0.2, 0.5]), np.zeros(8, bool), 1,
                               blind=np.array([False, False, True]))  # fmt: skip
        found.append(right[row[0]] / chance[0])
    error = np.std(found) / len(found) ** 0.5
    assert abs(np.mean(found) - right.sum()) < 4 * error < 1.0


def test_albl_tells_what_it_did_and_what_it_does_not_remember() -> None:
    one = two_rounds()
    found = albl(KEY, (HIGH, LOW, BLIND), in_folds(evidence(np.zeros(9, int), np.ones((9, 2)) / 2, 2), one.y[:2], 2), 3)
    assert len(set(found.index.tolist())) == 3 and found.part.shape == found.chance.shape == (3,)
    assert set(found.facts["weights"].values()) == {1 / 3} and found.degraded == "" and json.dumps(found.facts)
    later = albl(KEY, (HIGH, LOW), evidence(np.zeros(9, int), np.ones((9, 2)) / 2, 2, round_=4), 3)
    assert "no_memory" in later.degraded and set(later.facts["weights"].values()) == {0.5}


def test_a_row_is_worth_one_over_its_class_and_less_than_nothing_where_that_is_most() -> None:
    np.testing.assert_allclose(worth(np.array([30.0, 5.0, 0.0, 10.0])), [-1 / 30, 1 / 5, 1.0, 1 / 10])
    np.testing.assert_allclose(worth(np.array([4.0, 4.0])), [0.25, 0.25])  # half is not more than half
    np.testing.assert_allclose(worth(np.zeros(2)), [1.0, 1.0])


def test_what_parts_found_fades_by_batch_and_awaited_labels_count_by_probability() -> None:
    classes = np.array([0, 1, 1, 0, 2, 1])
    proba = np.tile([0.2, 0.3, 0.5], (6, 1))
    memory = past(6, [([1, 2], [0, 1], [1.0, 1.0], {}), ([3, 5], [0, 0], [1.0, 1.0], {})])
    one = evidence(classes, proba, 4, memory, 3)
    one.anchors[5] = True  # asked for, not told
    by_hand = np.zeros((2, 3))
    by_hand[0, 1] += 0.9**2
    by_hand[1, 1] += 0.9**2
    by_hand[0, 0] += 0.9
    by_hand[0] += 0.9 * proba[5]
    np.testing.assert_allclose(found_by(one, 2, 0.9), by_hand)


def test_tailor_draws_shares_of_classes_row_by_row() -> None:
    classes = np.array([0, 0, 1, 0, 1, 2, 0, 0, 1, 1])
    proba = key_for(KEY, "proba").numpy().dirichlet(np.ones(3), 10)
    memory = past(10, [([1, 2], [0, 1], [1.0, 1.0], {})])
    one = evidence(classes, proba, 4, memory, 1)
    found = tailor(KEY, (HIGH, LOW), one, 5)
    rng, counts, seen = key_for(KEY, "draw").numpy(), np.zeros((2, 3)), np.array([3.0, 1.0, 0.0])
    counts[0, 0] += 1
    counts[1, 1] += 1
    lists, rows = [[9, 8, 7, 6, 5], [4, 5, 6, 7, 8]], []
    for _ in range(5):
        value = np.where(seen / seen.sum() > 0.5, -1.0, 1.0) / np.maximum(seen, 1.0)
        draws = [float(rng.dirichlet(counts[k] + 1.0) @ value) for k in range(2)]
        arm = int(np.argmax(draws))
        row = next(r for r in lists[arm] if r not in rows)
        rows.append(row)
        counts[arm] += proba[row]
        seen = seen + proba[row]
    assert found.index.tolist() == rows and json.dumps(found.facts)
    assert found.facts["found"] == {"high": [1.0, 0.0, 0.0], "low": [0.0, 1.0, 0.0]}


@pytest.mark.parametrize("seed", range(3))
def test_a_part_that_finds_the_rare_class_is_asked_most(seed: int) -> None:
    n, rare = 200, 2
    classes = np.where(np.arange(n) >= 150, rare, np.arange(n) % 2)
    proba = np.tile([0.45, 0.45, 0.1], (n, 1))
    asked = [60, 61, 62, 63, 160, 161, 162, 163]
    order = np.array([*asked, *np.setdiff1d(np.arange(n), asked)])  # those asked for are the first rows, and labelled
    memory = past(n, [(list(range(8)), [1] * 4 + [0] * 4, [1.0] * 8, {})])
    one = evidence(classes[order], proba, 20, memory, 1)
    found = propose(key_for(KEY, seed), bandit("tailor", (HIGH, LOW)), one, 10)
    assert found.facts["picks"]["high"] >= 7
