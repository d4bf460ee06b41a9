"""The map of chosen rows: its axes are those of a plain eigendecomposition, its marks where rows lie."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("fastapi")

from tests.campaign_examples import NUMBER, RandomProposer
from tests.web_examples import house

from strongsuit.campaign import MemoryStore, create_campaign
from strongsuit.datasets import read_pool
from strongsuit.web.map import SAMPLE, SHAPES, Maps, map_of, shape
from strongsuit.web.people import OWNER, VIEWER


def made(frame: pd.DataFrame, **more: Any) -> Any:
    pool = read_pool(frame, **more)
    given = {"proposer": RandomProposer(), "batch": 6, "by": "olga", "versions": {}, "store": MemoryStore()}
    return create_campaign("alloys", pool, NUMBER, **given)


def numbers(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    a = rng.normal(size=rows)
    return pd.DataFrame({"id": [f"<b>{i}" for i in range(rows)], "a": a, "b": 2 * a + rng.normal(size=rows),
                         "c": 1e6 * rng.normal(size=rows), "flat": 1.0, "text": "x"})  # fmt: skip


def test_the_axes_are_the_principal_components_of_standardised_columns() -> None:
    frame = numbers()
    axes = Maps().of(made(frame, key="id"))
    assert axes is not None and axes.names == ("a", "b", "c")
    X = frame[["a", "b", "c"]].to_numpy()
    values, vectors = np.linalg.eigh(np.corrcoef(X.T))
    for i in (0, 1):
        assert abs(vectors[:, -1 - i] @ axes.directions[:, i]) == pytest.approx(1.0)
        assert axes.directions[np.abs(axes.directions[:, i]).argmax(), i] > 0
        assert axes.shares[i] == pytest.approx(values[-1 - i] / values.sum())
    expected = (X - X.mean(axis=0)) / X.std(axis=0) @ axes.directions
    np.testing.assert_allclose(axes.placed(frame), expected, atol=1e-9)


def test_the_axes_are_found_once_from_a_bounded_sample_and_are_everybodys() -> None:
    one = made(numbers(3 * SAMPLE), key="id")
    maps = Maps()
    assert maps.of(one) is maps.of(one)
    again = Maps().of(one)
    assert again is not None and again.sample.shape == (SAMPLE, 2)
    np.testing.assert_array_equal(again.sample, maps.of(one).sample)  # type: ignore[union-attr]


def test_missing_and_infinite_numbers_lie_at_the_mean_of_their_column() -> None:
    frame = numbers()
    frame.loc[0, ["a", "b", "c"]] = [np.nan, np.inf, -np.inf]
    one = made(frame, key="id")
    axes = Maps().of(one)
    assert axes is not None and np.isfinite(axes.sample).all()
    np.testing.assert_allclose(axes.placed(one.pool.features([0])), 0.0)


@pytest.mark.parametrize("columns", [["id"], ["id", "a"], ["id", "a", "flat", "text"]])
def test_pools_without_two_columns_of_numbers_have_no_map(columns: list[str]) -> None:
    assert Maps().of(made(numbers()[columns], key="id")) is None


def test_marks_stand_for_labelled_rows_and_the_round_each_with_its_key() -> None:
    one = made(numbers(), key="id")
    asked = one.ask(6, by="anna").rows
    one.tell(dict.fromkeys(asked[:2], 1.0), by="anna", by_row=True)
    one.tell({299: 5.0}, by="anna", by_row=True)
    drawn = map_of(one, Maps().of(one))  # type: ignore[arg-type]
    titles = re.findall(r"<title>(.*?)</title>", drawn["svg"])
    assert len(titles) == 7 and drawn["svg"].count('class="pool"') == 1
    assert "&lt;b&gt;299: told, labelled" in titles and "<b>" not in drawn["svg"]
    assert sum("to label, current round" in title for title in titles) == 4
    assert {row["row"] for row in drawn["rows"]} == {*asked, 299} and drawn["sources"] == ["model", "told"]
    places = {row["row"]: (row["x"], row["y"]) for row in drawn["rows"]}
    expected = Maps().of(one).placed(one.pool.features([299]))[0]  # type: ignore[union-attr]
    assert places[299] == pytest.approx(tuple(expected))


def test_labelled_rows_of_rounds_long_gone_keep_what_they_were_chosen_by() -> None:
    one = made(numbers(), key="id")
    first = one.ask(6, by="anna").rows
    one.tell(dict.fromkeys(first, 1.0), by="anna", by_row=True)
    second = one.ask(6, by="anna").rows
    drawn = map_of(one, Maps().of(one))  # type: ignore[arg-type]
    assert not set(first) & set(second)
    said = {row["row"]: (row["source"], row["labelled"], row["now"]) for row in drawn["rows"]}
    assert said == {row: ("model", True, False) for row in first} | {row: ("model", False, True) for row in second}


def test_every_source_has_a_shape_of_its_own() -> None:
    assert len({shape(source) for source in SHAPES}) == len(SHAPES)


def test_the_owners_page_has_the_map_or_says_why_not() -> None:
    flat = house()
    assert "It needs the pool" not in flat.browser(VIEWER).get("/campaigns/alloys").text
    assert "two columns of numbers" in flat.browser(OWNER).get("/campaigns/alloys").text, "copper is the only one"
