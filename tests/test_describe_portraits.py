"""Regimes as rules, ranges, typical rows and maps: portraits that agree with the rows they are of."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongsuit.partition.describe import describe
from strongsuit.partition.describe_map import discriminant_axes
from strongsuit.partition.describe_portraits import feature_range, source_of, typical_rows
from strongsuit.partition.describe_rules import combination, roundest_between, rule_tree, straight_line

_spec = importlib.util.spec_from_file_location("examples", Path(__file__).with_name("partitioned_examples.py"))
examples = importlib.util.module_from_spec(_spec)
sys.modules["examples"] = examples
_spec.loader.exec_module(examples)


@pytest.fixture(scope="module")
def two():
    return examples.example()


@pytest.fixture(scope="module")
def three():
    return examples.example(regimes=3, q=2)


def told(example, **changed):
    return describe(example.model, example.X, example.Y, example.names, **({"evidence": example.evidence} | changed))


# the words


def test_rules_are_the_regimes(two, three):
    assert told(two).portraits[0].rules[0].words.startswith("x1 ≤ ")
    middle = told(three).portraits[1].rules[0]
    low, high = (float(x.replace("−", "-")) for x in middle.words.replace(" x1 ≤", "").split(" < "))
    assert low == pytest.approx(-0.4, abs=0.05) and high == pytest.approx(0.4, abs=0.05)
    assert middle.covers == 1.0 and middle.right == 1.0
    assert told(three).rules.fidelity == 1.0


def test_rules_hold_for_the_rows_they_cover():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=400), rng.integers(0, 2, 400), rng.normal(size=400)])
    labels = ((X[:, 0] > 0.3) & (X[:, 1] == 1)).astype(int)
    names = ("width", "kind=steel", "z")
    rules, words = rule_tree(X, labels, names, np.arange(3), numeric=frozenset({"width", "kind", "z"}))
    assert rules.fidelity == 1.0
    (rule,) = words[1]
    assert "kind is steel" in rule.words and "width > 0.3" in rule.words
    assert {one.words for one in words[0]} >= {"kind is not steel"} or "width ≤ 0.3" in words[0][0].words
    assert dict(rules.importances).keys() == {"width", "kind=steel"}


def test_missing_and_rare_levels_have_words():
    X = np.array([[0.0], [1.0]] * 50)
    labels = X[:, 0].astype(int)
    for name, yes, no in (
        ("age=(missing)", "age is missing", "age is present"),
        ("city=(other)", "city has a rare level", "city has no rare level"),
    ):
        _, words = rule_tree(X, labels, (name,), np.arange(1), numeric=frozenset({"age", "city"}))
        assert words[1][0].words == yes and words[0][0].words == no


def test_a_number_column_with_an_equals_sign_is_no_level():
    X = np.array([[0.0], [1.0]] * 50)
    _, words = rule_tree(X, X[:, 0].astype(int), ("a=b",), np.arange(1), numeric=frozenset({"a=b"}))
    assert words[1][0].words.startswith("a=b > ")


def test_an_oblique_boundary_is_told_as_a_line():
    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, (2000, 3)) * [1.0, 10.0, 1.0] + [0.0, 50.0, 0.0]
    labels = (X[:, 0] + 0.1 * X[:, 1] > 5.2).astype(int)
    words, agreement = straight_line(X, labels, ("a", "b", "c"), np.arange(3))
    assert agreement > 0.98
    slope, _, cut = words.removeprefix("a + ").partition(" b > ")
    assert float(slope) == pytest.approx(0.1, abs=0.01) and float(cut) == pytest.approx(5.2, abs=0.1)
    rules, _ = rule_tree(X, labels, ("a", "b", "c"), np.arange(3), numeric=frozenset("abc"))
    assert rules.straight and rules.straight_fidelity > rules.fidelity


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e3))
def test_the_roundest_number_lies_between(low, gap):
    high = low + gap
    if not low < high:
        return
    cut = roundest_between(low, high)
    assert low <= cut < high


def test_round_cuts():
    assert roundest_between(3.5, 7.0) == 5.0
    assert roundest_between(0.4012, 0.4018) == pytest.approx(0.4015)
    assert combination(np.array([1.0, -0.25]), ["a", "b"]) == "a − 0.25 b"


def test_differences_are_standardised(two):
    first = told(two).portraits[0]
    own = two.model.labels == 0
    gap = (two.X[own].mean(0) - two.X[~own].mean(0)) / two.X.std(0)
    assert dict(first.differences)["x1"] == pytest.approx(gap[0])
    assert first.differences[0][0] == "x1" and first.ranges[0].feature == "x1"


def test_ranges_are_quantiles_of_what_the_user_gave(two):
    frame = pd.DataFrame(two.X, columns=["x1", "x2", "x3"]).assign(y=two.Y[:, 0])
    said = told(two, frame=frame, targets=("y",))
    line = said.portraits[1].ranges[0]
    values = two.X[two.model.labels == 1, 0]
    assert (line.lowest, line.middle, line.highest) == pytest.approx((values.min(), np.median(values), values.max()))
    assert all(line.feature != "y" for portrait in said.portraits for line in portrait.ranges)


def test_level_columns_are_told_by_their_levels(two):
    kind = np.where(two.model.labels == 0, "steel", "brass")
    X = np.column_stack([two.X[:, :2], kind == "steel"]).astype(float)
    frame = pd.DataFrame({"x1": X[:, 0], "x2": X[:, 1], "kind": pd.Categorical(kind)})
    said = describe(two.model, X, two.Y, ("x1", "x2", "kind=steel"), frame=frame, evidence=two.evidence)
    line = next(line for line in said.portraits[0].ranges if line.feature == "kind")
    assert line.levels == (("steel", 1.0),)
    assert said.portraits[0].typical[0].cells[1][0] in ("kind", "x1")


def test_missing_cells_are_told_as_missing():
    assert feature_range(pd.Series(["a", None, "a", "b"]), "c").levels == (("a", 0.5), ("(missing)", 0.25), ("b", 0.25))
    line = feature_range(pd.Series([1.0, np.nan, 3.0]), "v")
    assert (line.lowest, line.highest) == (1.0, 3.0)
    assert np.isnan(feature_range(pd.Series([np.nan]), "v").middle)


def test_sources_of_encoded_columns():
    table = pd.DataFrame({"a=b": [1], "kind": ["x"]})
    assert [source_of(name, table) for name in ("a=b", "kind=x", "a=b=c", "other")] == ["a=b", "kind", "a=b", "other"]


def test_typical_rows_are_rows_of_their_regime_spread_over_it(two):
    for k, portrait in enumerate(told(two).portraits):
        rows = [row.row for row in portrait.typical]
        assert len(set(rows)) == 5 and (two.model.labels[rows] == k).all()
        assert np.ptp(two.X[rows], axis=0).max() > 0.8
        assert portrait.typical[0].target == pytest.approx(tuple(two.Y[rows[0]]))
    assert len(typical_rows(np.zeros((1, 2)))) == 1


def test_the_shift_is_expert_minus_fallback(two):
    shift = told(two).portraits[0].shift[0]
    own = two.X[two.model.labels == 0]
    pipeline, spread = two.model.pipeline, two.model.scale.spread[0]
    gap = (pipeline.experts[0].mean(own) - pipeline.fallback.mean(own))[:, 0] * spread
    assert shift.value == pytest.approx(gap.mean())
    assert (shift.low, shift.high) == pytest.approx(tuple(np.quantile(gap, (0.05, 0.95))))


# maps


@pytest.mark.parametrize(("d", "kind"), [(1, "curve"), (2, "plane"), (3, "plane")])
def test_the_map_shows_what_parts_the_regimes(d, kind):
    example = examples.example(d=d)
    view = told(example).map
    assert view.kind == kind
    assert view.x.label == "x1" and np.array_equal(view.x.values, example.X[view.rows, 0])
    assert np.array_equal(view.labels, example.model.labels[view.rows])


def test_one_separating_level_column_maps_its_levels(two):
    kind = np.where(two.model.labels == 0, "steel", "brass")
    X = np.column_stack([two.X[:, :2], kind == "steel"]).astype(float)
    frame = pd.DataFrame(X[:, :2], columns=["x1", "x2"]).assign(kind=kind)
    model = replace(two.model, pipeline=replace(two.model.pipeline, columns=np.array([2])))
    view = describe(model, X, two.Y, ("x1", "x2", "kind=steel"), frame=frame, evidence=two.evidence).map
    assert view.kind == "strip" and view.x.ticks == ("brass", "steel") and view.y.label == "y"


@pytest.mark.parametrize("regimes", [2, 3])
def test_discriminant_axes_part_what_no_feature_parts(regimes):
    rng = np.random.default_rng(2)
    labels = rng.integers(0, regimes, 600)
    X = rng.normal(size=(600, 6))
    direction = np.ones(6) / np.sqrt(6)
    X += 5 * np.outer(labels == 1, direction)
    X[:, 5] = X[:, 4]  # collinear columns must not break it
    x, y = discriminant_axes(X, labels, [f"f{j}" for j in range(6)], np.arange(600))
    a, b = x.values[labels == 1], x.values[labels != 1]
    assert abs(a.mean() - b.mean()) > 3 * max(a.std(), b.std())
    assert x.label.endswith("…") and np.isfinite(y.values).all()
