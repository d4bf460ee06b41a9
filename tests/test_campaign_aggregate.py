"""Answers to labels: pure functions of the multiset, against independent computations."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest

from strongsuit.campaign.aggregate import Answer, aggregate, dawid_skene_labels


def answers(*values: object, names: str = "abcdefgh") -> list[Answer]:
    return [Answer(by, value, i + 1, "", 1.0, True) for i, (by, value) in enumerate(zip(names, values, strict=False))]


@pytest.mark.parametrize("how", ["mean", "median", "majority", "latest"])
@pytest.mark.parametrize("values", [(0.1, 0.2, 0.3, 1e16), (1.0, 1.0, 2.0), (3.5,)])
def test_the_order_of_arrival_does_not_matter(how: str, values: tuple[float, ...]) -> None:
    found = {repr(aggregate(order, how)) for order in itertools.permutations(answers(*values))}
    assert len(found) == 1


def test_numbers_have_mean_median_spread_and_count() -> None:
    values = (3.0, 1.0, 8.0, 2.0)
    mean, median = (aggregate(answers(*values), how) for how in ("mean", "median"))
    assert mean and median
    assert mean.value == statistics.fmean(values) and median.value == statistics.median(values)
    assert mean.spread == pytest.approx(statistics.stdev(values)) and mean.n == 4 and mean.weight == 4.0


def test_several_outputs_are_combined_one_by_one_without_the_missing() -> None:
    label = aggregate(answers((1.0, None), (3.0, 4.0)), "mean")
    assert label and label.value == (2.0, 4.0)


def test_latest_is_by_position() -> None:
    label = aggregate(answers(1.0, 2.0)[::-1], "latest")
    assert label and label.value == 2.0


def test_majority_counts_and_a_tie_is_no_label() -> None:
    label = aggregate(answers("cat", "dog", "cat"), "majority")
    assert label and label.value == "cat" and label.agreement == pytest.approx(2 / 3)
    assert aggregate(answers("cat", "dog"), "majority") is None
    settled = aggregate(answers("cat", "dog"), "majority", owners={"b"})
    assert settled and settled.value == "dog"
    assert aggregate([], "majority") is None


def reference(table: dict[int, list[Answer]], classes: list[str]) -> dict[int, str]:
    """Dawid and Skene in plain NumPy, with the pseudo-count and iterations of ours."""
    people = sorted({one.by for held in table.values() for one in held})
    given = np.zeros((len(table), len(people), len(classes)))
    for i, row in enumerate(sorted(table)):
        for one in table[row]:
            given[i, people.index(one.by), classes.index(one.value)] = 1
    T = given.sum(1) / given.sum((1, 2))[:, None]
    for _ in range(20):
        prior = T.mean(0)
        confusion = np.einsum("ik,ijl->jkl", T, given) + 0.01
        confusion /= confusion.sum(2, keepdims=True)
        T = prior * np.exp(np.einsum("ijl,jkl->ik", given, np.log(confusion)))
        T /= T.sum(1, keepdims=True)
    return {row: (classes[int(T[i].argmax())], T[i].max()) for i, row in enumerate(sorted(table))}


def crowd(seed: int = 0) -> tuple[dict[int, list[Answer]], list[str]]:
    """Sixty rows answered by three careful people and two who answer at random."""
    rng, classes = np.random.default_rng(seed), ["cat", "dog", "owl"]
    truth = rng.integers(0, 3, 60)
    table = {}
    for row in range(60):
        said = [truth[row] if rng.random() < good else rng.integers(0, 3) for good in (0.9, 0.9, 0.9, 0.0, 0.0)]
        table[row] = answers(*[classes[k] for k in said])
    return table, [classes[k] for k in truth]


def test_dawid_skene_equals_the_plain_computation() -> None:
    table, _ = crowd()
    table = {row: held for row, held in table.items() if aggregate(held, "majority")}
    found = dawid_skene_labels(table, ["cat", "dog", "owl"])
    expected = reference(table, ["cat", "dog", "owl"])
    assert {row: label.value for row, label in found.items()} == {row: value for row, (value, _) in expected.items()}
    for row, label in found.items():
        assert label.weight == pytest.approx(expected[row][1], abs=1e-9)


def test_dawid_skene_trusts_careful_people_more_than_the_majority_does() -> None:
    wrong = {"majority": 0, "dawid_skene": 0}
    for seed in range(5):
        table, truth = crowd(seed)
        ours = dawid_skene_labels(table, ["cat", "dog", "owl"])
        for row, label in ours.items():
            majority = aggregate(table[row], "majority")
            assert majority
            wrong["dawid_skene"] += label.value != truth[row]
            wrong["majority"] += majority.value != truth[row]
    assert wrong["dawid_skene"] < wrong["majority"]


def test_dawid_skene_does_not_see_the_order_and_needs_three_people() -> None:
    table, _ = crowd()
    turned = {row: table[row][::-1] for row in reversed(table)}
    assert dawid_skene_labels(table, ["cat", "dog", "owl"]) == dawid_skene_labels(turned, ["cat", "dog", "owl"])
    two = {row: held[:2] for row, held in table.items()}
    majority = {row: label for row, held in two.items() if (label := aggregate(held, "majority"))}
    assert dawid_skene_labels(two, ["cat", "dog", "owl"]) == majority
