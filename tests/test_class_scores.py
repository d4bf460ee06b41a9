"""Scores of class probabilities against their formulas, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from strongsuit.active import class_scores
from strongsuit.active.class_scores import bald, entropy, least_confidence, margin, mean_std, var_ratio

OF_P = {"least_confidence": least_confidence, "margin": margin, "entropy": entropy}
OF_MEMBERS = {"var_ratio": lambda m: var_ratio(m, m.mean(0)), "mean_std": mean_std, "bald": bald}
TEN = np.array(
    [
        [1.0, 0.0, 0.0],
        [0.0, 0.0, 1.0],
        [0.5, 0.5, 0.0],
        [0.0, 0.5, 0.5],
        [0.8, 0.1, 0.1],
        [0.1, 0.8, 0.1],
        [0.6, 0.3, 0.1],
        [0.2, 0.35, 0.45],
        [1 / 3, 1 / 3, 1 / 3],
        [1e-300, 1.0, 0.0],
    ]
)
MEMBERS = np.stack([TEN, TEN[::-1], TEN[[4, 1, 2, 0, 7, 5, 6, 3, 8, 9]], TEN[:, [1, 0, 2]]])


def logs(p: list[float]) -> float:
    """H(p), a class at a time."""
    return -sum(q * np.log(q) for q in p if q > 0.0)


def plain(name: str, members: np.ndarray) -> list[float]:
    """A score of each row as its formula reads, one row and one class at a time."""
    out, count = [], len(members)
    for row in range(members.shape[1]):
        each = [list(members[t, row]) for t in range(count)]
        mean = [sum(column) / count for column in zip(*each, strict=True)]
        if name == "bald":
            out.append(logs(mean) - sum(logs(p) for p in each) / count)
        elif name == "mean_std":
            columns = list(zip(*each, strict=True))
            out.append(sum((sum((x - sum(c) / count) ** 2 for x in c) / count) ** 0.5 for c in columns) / len(columns))
        else:
            votes = max(sum(p[c] == max(p) for p in each) for c in range(len(mean)))
            out.append(1.0 - votes / count)
    return out


def drawn(seed: int, n: int = 30, k: int = 5, count: int = 4) -> np.ndarray:
    """Members (count, n, k), some of their classes at 0."""
    rng = np.random.default_rng(seed)
    members = rng.dirichlet(np.full(k, 0.3), (count, n)) * (rng.random((count, n, k)) < 0.8) + 1e-12
    members[:, :, rng.integers(k)] = 0.0
    return members / members.sum(axis=2, keepdims=True)


def test_scores_of_ten_rows_are_their_formulas() -> None:
    ordered = [sorted(row, reverse=True) for row in TEN]
    np.testing.assert_allclose(least_confidence(TEN), [1.0 - row[0] for row in ordered], atol=1e-15)
    np.testing.assert_allclose(margin(TEN), [row[1] - row[0] for row in ordered], atol=1e-15)
    np.testing.assert_allclose(entropy(TEN), [logs(list(row)) for row in TEN], atol=1e-15)
    for name in ("bald", "mean_std"):
        np.testing.assert_allclose(OF_MEMBERS[name](MEMBERS), plain(name, MEMBERS), atol=1e-15)


def test_the_scores_point_the_right_way() -> None:
    for score in OF_P.values():
        found = score(TEN)
        assert found[8] == found.max() and found[0] == found[1] == found.min()


def test_variation_ratio_counts_true_votes_and_breaks_ties_by_entropy() -> None:
    votes, p = np.array(plain("var_ratio", MEMBERS)), MEMBERS.mean(axis=0)
    found, unsure = var_ratio(MEMBERS, p), entropy(p)
    order = sorted(range(10), key=lambda row: (votes[row], unsure[row]))
    assert list(np.argsort(found, kind="stable")) == order
    assert np.all(found >= votes) and np.all(found < votes + 1 / len(MEMBERS))
    assert len(set(votes)) < len(set(found)), "there were no ties to break"
    # One vote outweighs any entropy: two of three agree on a sharp mean, all three on the flattest of 1,000 classes.
    k = 1000
    flat = np.full((3, 1, k), (1 - 1e-6) / k)
    flat[:, 0, 0] += 1e-6
    split = np.zeros((3, 1, k))
    split[[0, 1, 2], 0, [0, 0, 1]] = 1.0
    both = np.concatenate([flat, split], axis=1)
    first, second = var_ratio(both, np.stack([flat[0, 0], split[0, 0]]))
    assert first < second and second == pytest.approx(1 / 3)


def test_equal_members_disagree_by_exactly_nothing() -> None:
    for count in (1, 2, 3, 7, 10):
        same = np.repeat(drawn(count, n=500, k=7, count=1), count, axis=0)
        assert np.all(bald(same) == 0.0) and np.all(mean_std(same) == 0.0)
    # Entropies subtracted, as the formula is printed, leave noise of either sign, which would order these rows.
    noise = entropy(np.repeat(TEN[None], 10, axis=0).mean(axis=0)) - np.array([entropy(TEN)] * 10).mean(axis=0)
    assert noise.any()


def test_members_that_nearly_agree_are_told_from_those_that_do() -> None:
    off = (
        np.array([[0.3, 0.3, 0.4], [0.3, 0.3, 0.4]])[:, None]
        + np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])[:, None] * 1e-7
    )
    assert bald(off)[0] == pytest.approx(2 * 0.5 * 1e-14 / 0.3, rel=1e-6)


@pytest.mark.parametrize("name", [*OF_P, *OF_MEMBERS])
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), k=st.integers(2, 12))
def test_the_order_of_classes_and_classes_without_rows_decide_nothing(name: str, seed: int, k: int) -> None:
    members = drawn(seed, k=k)
    order = np.random.default_rng(seed).permutation(k)
    wide = np.concatenate([members, np.zeros((*members.shape[:2], 1))], axis=2)
    if name in OF_P:
        score = OF_P[name]
        found = score(members[0])
        np.testing.assert_array_equal(score(members[0][:, order]), found)
        np.testing.assert_array_equal(score(wide[0]), found)
    else:
        score = OF_MEMBERS[name]
        found = score(members)
        np.testing.assert_array_equal(score(members[:, :, order]), found)
        # The mean over declared classes has one more to divide by; the order of rows is what counts.
        np.testing.assert_allclose(score(wide) * ((k + 1) / k if name == "mean_std" else 1.0), found, rtol=1e-15)
    assert np.all(np.isfinite(found))


@pytest.mark.parametrize("name", [*OF_P, *OF_MEMBERS])
def test_a_constant_on_the_logits_decides_nothing(name: str) -> None:
    logits = np.random.default_rng(1).normal(size=(3, 20, 4)) * 5.0
    one, other = softmax(logits, axis=2), softmax(logits + 1000.0, axis=2)
    score = (lambda m: OF_P[name](m[0])) if name in OF_P else OF_MEMBERS[name]
    np.testing.assert_allclose(score(other), score(one), atol=1e-12)


def test_single_precision_gives_the_same_scores() -> None:
    members = drawn(3)
    for score in OF_MEMBERS.values():
        np.testing.assert_allclose(score(members.astype(np.float32)), score(members), atol=1e-6)
    for score in OF_P.values():
        single = score(members[0].astype(np.float32))
        assert single.dtype == np.float64
        np.testing.assert_allclose(single, score(members[0]), atol=1e-6)


def test_chunks_are_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    members = drawn(4, n=50)
    whole = [score(members) for score in OF_MEMBERS.values()] + [entropy(members[0])]
    monkeypatch.setattr(class_scores, "_NUMBERS", 60)
    pieces = [score(members) for score in OF_MEMBERS.values()] + [entropy(members[0])]
    np.testing.assert_array_equal(whole, pieces)


def test_one_class_no_rows_and_rows_that_are_not_finite() -> None:
    one = np.ones((3, 4, 1))
    for score in OF_MEMBERS.values():
        assert np.all(score(one) == 0.0)
        assert score(np.zeros((3, 0, 2))).shape == (0,)
    assert np.all(least_confidence(one[0]) == 0.0) and np.all(entropy(one[0]) == 0.0) and np.all(margin(one[0]) == -1.0)
    broken = drawn(5)
    broken[1, 2, 3], broken[0, 4, 0] = np.nan, np.inf
    for score in OF_MEMBERS.values():
        assert list(np.flatnonzero(~np.isfinite(score(broken)))) == [2, 4]
    for score in OF_P.values():
        assert list(np.flatnonzero(~np.isfinite(score(broken[1])))) == [2]
