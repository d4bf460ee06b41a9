"""Encoding: numbers stay, gaps become medians, text becomes one-hot, and the rules survive storage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongsuit.datasets import Encoder, fit_encoder, read_table
from strongsuit.datasets.encoding import MISSING_LEVEL, OTHER_LEVEL
from strongsuit.errors import InputError


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "x": [1.0, np.nan, 3.0, 8.0],
            "c": ["red", "blue", None, "red"],
            "n": [4, 5, 6, 7],
            "ok": [True, False] * 2,
        }
    )


def test_matrix_written_by_hand(frame: pd.DataFrame) -> None:
    encoded = fit_encoder(frame).transform(frame)
    expected = {
        "x": [1, 3, 3, 8],
        f"x={MISSING_LEVEL}": [0, 1, 0, 0],
        "c=blue": [0, 1, 0, 0],
        "c=red": [1, 0, 0, 1],
        f"c={MISSING_LEVEL}": [0, 0, 1, 0],
        "n": [4, 5, 6, 7],
        "ok=False": [0, 1, 0, 1],
        "ok=True": [1, 0, 1, 0],
    }
    assert encoded.names == tuple(expected) and encoded.X.dtype == np.float64
    np.testing.assert_array_equal(encoded.X, np.column_stack(list(expected.values())))
    assert not encoded.unseen.any()


def test_blocks_and_kinds_of_encoded_columns(frame: pd.DataFrame) -> None:
    encoder = fit_encoder(frame)
    assert encoder.blocks == {"x": (0, 1), "c": (2, 3, 4), "n": (5,), "ok": (6, 7)}
    assert encoder.sources == ("x", "x", "c", "c", "c", "n", "ok", "ok")
    np.testing.assert_array_equal(np.flatnonzero(encoder.categorical), [2, 3, 4, 6, 7])
    np.testing.assert_array_equal(np.flatnonzero(encoder.indicators), [1])


def test_unseen_levels_are_zeros_and_flagged(frame: pd.DataFrame) -> None:
    encoder = fit_encoder(frame[["c", "n"]])
    encoded = encoder.transform(pd.DataFrame({"c": ["green", "red", None], "n": [1, 2, 3]}))
    assert encoded.unseen.tolist() == [True, False, False]
    np.testing.assert_array_equal(encoded.X[0, :3], 0.0)
    complete = fit_encoder(frame.loc[[0, 1], ["c"]]).transform(frame[["c"]])
    assert complete.unseen.tolist() == [False, False, True, False]  # training had no missing level
    assert complete.names == ("c=blue", "c=red")


def test_a_gap_where_training_had_none_takes_the_median(frame: pd.DataFrame) -> None:
    encoded = fit_encoder(frame[["n"]]).transform(pd.DataFrame({"n": [np.nan, 9.0]}))
    assert encoded.names == ("n",) and not encoded.unseen.any()
    np.testing.assert_array_equal(encoded.X, [[5.5], [9.0]])


def test_many_levels_keep_the_most_frequent_and_share_other() -> None:
    texts = [f"L{i:02d}" for i in range(40) for _ in range(1 + (i < 31))] + [None]
    encoder = fit_encoder(pd.DataFrame({"c": texts}))
    column = encoder.columns[0]
    assert column.levels == tuple(f"L{i:02d}" for i in range(31))
    assert column.rare == tuple(f"L{i:02d}" for i in range(31, 40))
    assert len(encoder.names) == 33
    encoded = encoder.transform(pd.DataFrame({"c": ["L35", "L40", None]}))
    assert encoded.names[encoded.X[0].argmax()] == f"c={OTHER_LEVEL}"
    assert encoded.names[encoded.X[2].argmax()] == f"c={MISSING_LEVEL}"
    assert encoded.unseen.tolist() == [False, True, False] and encoded.X[1].sum() == 0


def test_column_order_and_extra_columns_do_not_matter(frame: pd.DataFrame) -> None:
    encoder = fit_encoder(frame)
    shuffled = frame.assign(extra="?")[["ok", "extra", "n", "c", "x"]]
    np.testing.assert_array_equal(encoder.transform(shuffled).X, encoder.transform(frame).X)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda f: f.drop(columns=["c", "n"]), ["lacks", "'c', 'n'"]),
        (lambda f: f.assign(n=["a", "b", "c", "d"]), ["'n'", "numbers", "'a'"]),
        (lambda f: f.assign(c=[1, 2, 3, 4]), ["'c'", "text", "'blue'"]),
        (lambda f: f.assign(n=[1.0, np.inf, 2, 3]), ["'n'", "infinite", "row 2"]),
        (lambda f: pd.concat([f, f[["n"]]], axis=1), ["more than once", "'n'"]),
        (lambda f: f.to_dict(), ["DataFrame", "dict"]),
    ],
)
def test_tables_that_do_not_fit_are_named(frame: pd.DataFrame, change: object, parts: list[str]) -> None:
    encoder = fit_encoder(frame)
    with pytest.raises(InputError) as caught:
        encoder.transform(change(frame))  # type: ignore[operator]
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_fitting_needs_rows_and_known_columns(frame: pd.DataFrame) -> None:
    for columns, part in (([], "a column"), (["z"], "'z'")):
        with pytest.raises(InputError, match=part):
            fit_encoder(frame, columns=columns)
    with pytest.raises(InputError, match="a row"):
        fit_encoder(frame[:0])


def test_a_table_and_its_raw_frame_encode_alike(frame: pd.DataFrame) -> None:
    table = read_table(frame.assign(y=[1.0, 2.0, 3.0, 5.0]), target="y", categorical="n")
    encoder = fit_encoder(table)
    np.testing.assert_array_equal(encoder.transform(table).X, encoder.transform(frame).X)
    assert "n=4" in encoder.names
    assert encoder.transform(frame[:1]).X.shape == (1, len(encoder.names))
    assert encoder.transform(frame[:0]).X.shape == (0, len(encoder.names))


def test_numbers_as_text_meet_numbers() -> None:
    encoder = fit_encoder(pd.DataFrame({"c": ["1", "2", "1"]}), categorical=["c"])
    encoded = encoder.transform(pd.DataFrame({"c": [1.0, 2.0, 3.0]}))
    np.testing.assert_array_equal(encoded.X, [[1, 0], [0, 1], [0, 0]])
    assert encoded.unseen.tolist() == [False, False, True]


cells = st.none() | st.sampled_from(["a", "b", "ç", '"', "a=b", "(other)"])
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.lists(st.tuples(numbers, cells), min_size=1, max_size=50))
def test_stored_encoders_give_the_same_bits(rows: list[tuple]) -> None:
    frame = pd.DataFrame(rows, columns=["x", "c"]).astype({"x": "float64", "c": object})
    encoder = fit_encoder(frame, categorical=["c"])
    again = Encoder.from_json(encoder.to_json())
    assert again == encoder
    first, second = encoder.transform(frame), again.transform(frame)
    np.testing.assert_array_equal(first.X, second.X)
    assert np.isfinite(first.X).all() and not first.unseen.any()
    levels = first.X[:, encoder.categorical]
    np.testing.assert_array_equal(levels.sum(axis=1), 1.0)  # every training row has exactly one level


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"columns": [{"name": "x"}]}', '{"columns": 3}'])
def test_damaged_encoders_are_rejected(text: str) -> None:
    with pytest.raises(InputError, match="no stored encoder"):
        Encoder.from_json(text)
