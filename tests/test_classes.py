"""Class labels: types kept, order sorted once, and a sentence for whatever is no class."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from strongsuit.core.classes import class_weights, classes_of, smoothed, weighed
from strongsuit.errors import InputError


@pytest.mark.parametrize(
    "labels",
    [
        ["van", "bus", "opel", "bus"],
        [True, False, False],
        [3, 1, 2, 3],
        [3.0, 1.0],
        np.array([2, 0], np.int8),
        pd.Series(["b", "a"], dtype="category"),
        np.array(["b", "a"]),
    ],
)
def test_labels_come_back_as_they_came(labels) -> None:
    found = classes_of(labels)
    assert list(found.values) == sorted(found.values)
    assert found.named(found.numbers(labels)).tolist() == [value for value in np.asarray(labels)]
    np.testing.assert_array_equal(found.indicators(labels).argmax(1), found.numbers(labels))
    assert (found.indicators(labels).sum(1) == 1).all()


def test_declared_classes_keep_their_column_without_a_label() -> None:
    found = classes_of(["a", "c"], declared=["c", "b", "a"])
    assert found.values == ("a", "b", "c")
    np.testing.assert_array_equal(found.indicators(["c"]), [[0, 0, 1]])


@pytest.mark.parametrize(
    ("labels", "declared", "words"),
    [
        (["a", None, "b"], None, "None"),
        ([1.0, np.nan], None, "nan"),
        ([1.5, 2.5], None, "1.5"),
        (["a", 1], None, "mixed types"),
        (["a", 1.0], None, "mixed types"),
        ([True, 1], None, "mixed types"),
        (["a", "a"], None, "at least two classes"),
        ([], None, "at least two classes"),
        (["a", "d", "e"], ["a", "b"], "'d', 'e'"),
        (["a"], ["a", "a", "b"], "twice"),
        ([1, 0], [True, False], "outside the declared classes"),
    ],
)
def test_what_is_no_class_gets_a_sentence(labels, declared, words) -> None:
    with pytest.raises(InputError, match=words):
        classes_of(labels, declared)


def test_a_message_names_five_labels_and_counts_the_rest() -> None:
    with pytest.raises(InputError, match="and 2 more"):
        classes_of(list("abcdefghi"), declared=list("ab"))


def test_classes_that_count_alike_and_labels_that_are_spread() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    number = np.array([0, 0, 0, 0, 1, 2, 2])
    y, w = np.eye(4)[number], np.ones(7)
    each = class_weights(y, w)
    np.testing.assert_allclose(each[:3], compute_class_weight("balanced", classes=np.arange(3), y=number))
    assert each[3] == 1.0  # no row, nothing to weigh
    soft = np.array([[0.5, 0.5, 0.0, 0.0]])
    q, weight = weighed(soft, each)
    np.testing.assert_allclose(q * weight[:, None], soft * each)  # rows of its classes, the weight shared out
    np.testing.assert_allclose(q.sum(1), 1.0)
    np.testing.assert_allclose(smoothed(np.eye(2), 0.1), [[0.95, 0.05], [0.05, 0.95]])
    assert smoothed(y, 0.0) is y
