"""Reading: one table is the same from every format, and every unusable input is a sentence that helps."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongsuit.datasets import read_table, write_table
from strongsuit.errors import InputError, StoreError


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "x": [0.1, np.nan, 3e-7, 4.0],
            "n": [1, 2, 3, 4],
            "c": ["red", None, "blue", "red"],
            "flag": [True, False, True, True],
            "y": [1.5, 2.5, -1.0, 0.0],
        }
    )


def write(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rejected(source: object, **roles: object) -> str:
    with pytest.raises(InputError) as caught:
        read_table(source, **roles)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_kinds_values_and_order(frame: pd.DataFrame) -> None:
    table = read_table(frame, target="y")
    assert table.names == ("x", "n", "c", "flag") and table.targets == ("y",)
    assert dict(table.kinds) == dict.fromkeys("xny", "numeric") | dict.fromkeys(("c", "flag"), "categorical")
    np.testing.assert_array_equal(table.X["x"], frame["x"])
    assert table.X["c"].cat.categories.tolist() == ["blue", "red"]
    assert table.X["flag"].tolist() == ["True", "False", "True", "True"]
    np.testing.assert_array_equal(table.y, frame[["y"]].to_numpy())


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".tsv", ".parquet"])
def test_files_give_the_same_table_as_the_frame(frame: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    path = write_table(frame, tmp_path / f"t{suffix}")
    assert read_table(path, target="y").fingerprint == read_table(frame, target="y").fingerprint


def test_polars_and_arrow_give_the_same_table(frame: pd.DataFrame) -> None:
    expected = read_table(frame, target="y")
    for other in (pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        table = read_table(other, target="y")
        assert table.fingerprint == expected.fingerprint
        pd.testing.assert_frame_equal(table.frame, expected.frame)


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(st.lists(st.tuples(finite, st.none() | finite, st.sampled_from(["a", "b b", "ä,ö", 'q"q'])), min_size=2))
def test_round_trips_keep_every_bit(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple]) -> None:
    original = pd.DataFrame(rows, columns=["y", "x", "c"]).astype({"x": "float64"})
    folder = tmp_path_factory.mktemp("trip")
    tables = [original, pl.from_pandas(original)]
    tables += [write_table(original, folder / name) for name in ("t.csv", "t.parquet")]
    prints = {read_table(one, target="y", features=["c"]).fingerprint for one in tables}
    assert len(prints) == 1
    prints = {read_table(one, features=["x", "y"]).fingerprint for one in tables}
    assert len(prints) == 1


def test_fingerprint_sees_each_change(frame: pd.DataFrame) -> None:
    seen = {read_table(frame, target="y").fingerprint}
    for column, value in (("x", 0.2), ("c", "blue"), ("y", 9.0)):
        changed = frame.copy()
        changed.loc[0, column] = value
        seen.add(read_table(changed, target="y").fingerprint)
    seen.add(read_table(frame.rename(columns={"n": "m"}), target="y").fingerprint)
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xef\xbb\xbfa;y\n1;2\n3;4\n", [1.0, 3.0]),
        ("a\ty\n1\t2\n3\t4\n", [1.0, 3.0]),
        ("a|y\r\n1|2\r\n3|4\r\n", [1.0, 3.0]),
        (" a , y\n 1, 2\n 3, 4\n", [1.0, 3.0]),
        ('"a","y"\n"1","2"\n"3","4"\n', [1.0, 3.0]),
        ("a,y\n1,2\nN/A,4\n", [1.0, np.nan]),
        ("a;y\n1,5;2\n-3;4\n", [1.5, -3.0]),
        ("a,y\n2024-01-01,2\n2024-01-02T12:00,4\n", [19723.0, 19724.5]),
        ("a,y\n1,2\n3,4\n".encode("utf-16"), [1.0, 3.0]),
    ],
)
def test_dialects_of_delimited_text(tmp_path: Path, content: str | bytes, expected: list[float]) -> None:
    table = read_table(write(tmp_path, content), target="y")
    np.testing.assert_array_equal(table.X["a"], expected)
    np.testing.assert_array_equal(table.y.ravel(), [2.0, 4.0])


def test_latin_1_is_read_where_utf_8_fails(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a,y\nMüller,1\nmeier,2\n".encode("latin-1")), target="y")
    assert table.X["a"].tolist() == ["Müller", "meier"]


def test_text_that_appears_late_makes_the_column_text(tmp_path: Path) -> None:
    codes = [str(i % 7) for i in range(3_000)] + ["A", "B"] * 2_000
    path = write(tmp_path, "c,y\n" + "".join(f"{c},{i}\n" for i, c in enumerate(codes)))
    table = read_table(path, target="y", categorical="c")
    assert table.X["c"].tolist() == codes


def test_codes_can_be_declared_categorical(frame: pd.DataFrame) -> None:
    table = read_table(frame, target="y", categorical="n")
    assert table.X["n"].tolist() == ["1", "2", "3", "4"]


def test_groups_join_rows_and_are_no_features(frame: pd.DataFrame) -> None:
    table = read_table(frame.assign(g=["u", "v", "u", "w"]), target="y", groups="g")
    assert table.groups is not None and table.groups.tolist() == [0, 1, 0, 2]
    assert "g" not in table.names
    both = read_table(frame, target="y", groups=["n", "flag"], group_features=True)
    assert both.groups is not None and len(set(both.groups)) == 4 and "n" in both.names


@pytest.mark.parametrize(
    ("content", "roles", "parts"),
    [
        ("", {}, ["empty"]),
        ("\n \n", {}, ["empty"]),
        ("a,y\n", {"target": "y"}, ["no rows"]),
        ("a,y\n1,2\n", {"target": "y"}, ["one row"]),
        ("a,a,y\n1,2,3\n", {"target": "y"}, ["repeated", "'a'", "rename"]),
        ("a,y\n1,2\n3,4\n", {"target": "z"}, ["'z'", "'a', 'y'"]),
        ("a,Yield\n1,2\n3,4\n", {"target": "yield"}, ["did you mean 'Yield'"]),
        ("1,2\n3,4\n5,6\n", {"target": "y"}, ["header"]),
        ("a,y\n1,2\n3,4\n", {"target": ["y", "y"]}, ["twice"]),
        ("a,y\n1,2\n3,4\n", {"target": "y", "exclude": "y"}, ["target", "exclude"]),
        ("a,y\n1,2\n3,4\n", {"target": "y", "features": ["a", "y"]}, ["target", "features"]),
        ("a,y\n1,2\n3,4\n", {"target": "y", "groups": "y"}, ["target", "groups"]),
        ("a,y\n1,2\n3,4\n", {"target": "y", "groups": "shift"}, ["groups", "'shift'"]),
        ("a,y\n1,2\n3,4\n", {"target": "y", "exclude": "b"}, ["exclude", "'b'"]),
        ("a,y\n1,2\n3,4\n", {"target": "y", "exclude": "a"}, ["no feature"]),
        ("a,b,y\n1,2,2\n3,4,4\n", {"target": "y"}, ["'b'", "equals target", "exclude"]),
        ("a,y\n1,2\n3,\n4,inf\n", {"target": "y"}, ["2 of 3", "1 missing", "row 2", "drop", "impute"]),
        ("a,y\n1,red\n3,blue\n", {"target": "y"}, ["text", "'red'", "row 1"]),
        ("a,y\n1,2\n3,4\nx,6\n", {"target": "y"}, ["'a'", "row 3", "'x'", "exclude", "categorical"]),
        ('a,y\n"1,234",2\n"5,678",4\n', {"target": "y"}, ["'a'", "row 1", "'1,234'", "thousands"]),
        ('a,y\n1.5,2\n"12,5",4\n2.5,6\n', {"target": "y"}, ["'a'", "row 2", "'12,5'", "decimal point"]),
        ("a,y\n1,2\ninf,4\n", {"target": "y"}, ["'a'", "infinite", "row 2"]),
        ("a,y\n1,2\n3\n", {"target": "y"}, ["line 3", "1 cells", "header has 2"]),
        ("a,y\n2024-13-01,2\n2024-01-01,3\n", {"target": "y"}, ["'a'", "impossible"]),
        ("g,a,y\nu,1,2\n,3,4\n", {"target": "y", "groups": "g"}, ["'g'", "empty", "row 2"]),
        (b"a,y\n1,\x00\n", {"target": "y"}, ["binary"]),
    ],
)
def test_unusable_files_say_what_to_do(tmp_path: Path, content: str | bytes, roles: dict, parts: list) -> None:
    message = rejected(write(tmp_path, content), **roles)
    assert all(part in message for part in parts), message


def test_unreadable_sources(tmp_path: Path) -> None:
    assert "does not exist" in rejected(tmp_path / "none.csv")
    assert "folder" in rejected(tmp_path)
    assert "save it as CSV" in rejected(write(tmp_path, b"PK\x03\x04...", "book.xlsx"))
    assert "suffix" in rejected(write(tmp_path, "a,b\n1,2\n", "table.json"))
    assert "could not be read" in rejected(write(tmp_path, b"PAR1 nothing PAR1", "t.parquet"))
    assert "could not be read" in rejected(write(tmp_path, b"no gzip at all", "t.csv.gz"))
    whole = gzip.compress(b"a,y\n" + b"1,2\n" * 10_000)
    assert "could not be read" in rejected(write(tmp_path, whole[: len(whole) // 2], "cut.csv.gz"))
    assert "got list" in rejected([1, 2, 3])
    assert "collect()" in rejected(pl.LazyFrame({"a": [1]}))


def test_columns_no_model_can_take(frame: pd.DataFrame) -> None:
    assert "'z'" in rejected(frame.assign(z=[1j, 2j, 3j, 4j]), target="y")
    assert "'z'" in rejected(pa.table({"z": [[1], [2]], "y": [1.0, 2.0]}), target="y")
    repeated = pd.concat([frame, frame[["n"]]], axis=1)
    assert "repeated" in rejected(repeated, target="y")


def test_odd_pandas_columns_are_typed_by_what_they_hold() -> None:
    table = read_table(
        pd.DataFrame(
            {
                "mixed": pd.Series([1, "two", None], dtype=object),
                "numbers": pd.Series([1, 2.5, None], dtype=object),
                "whole": pd.Series([1, None, 3], dtype="Int64"),
                "sparse": pd.arrays.SparseArray([0.0, 1.0, 0.0]),
                "when": pd.to_datetime(["1970-01-02", None, "1970-01-11"]),
                "code": pd.Categorical([4, 7, 4], categories=[4, 7, 9]),
            }
        )
    )
    assert table.kinds["mixed"] == table.kinds["code"] == "categorical"
    assert table.X["mixed"].tolist()[:2] == ["1", "two"] and table.X["code"].tolist() == ["4", "7", "4"]
    np.testing.assert_array_equal(table.X["numbers"], [1, 2.5, np.nan])
    np.testing.assert_array_equal(table.X["whole"], [1, np.nan, 3])
    np.testing.assert_array_equal(table.X["sparse"], [0, 1, 0])
    np.testing.assert_array_equal(table.X["when"], [1, np.nan, 10])


def test_notes_tell_what_was_done(tmp_path: Path) -> None:
    path = write(tmp_path, ",d,name,e,y\n" + "".join(f"{i},2024-01-01,id{i},,5\n" for i in range(40)))
    notes = " | ".join(read_table(path, target="y").notes)
    for part in ("without a name", "days since", "40 distinct texts", "'e' has no values", "constant"):
        assert part in notes


def test_a_table_to_predict_for_may_be_empty(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, "a,b\n")).rows == 0
    assert read_table(pd.DataFrame({"a": [], "b": []})).rows == 0
    assert read_table(write(tmp_path, "a,b\n1,2\n")).rows == 1


def test_large_files_are_refused_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a,wide,y\n" + "".join(f"{i},{'w' * 80}{i},{i % 3}\n" for i in range(2_000))
    paths = [write(tmp_path, text), write(tmp_path, gzip.compress(text.encode()), "t.csv.gz")]
    for path in paths:
        message = rejected(path, target="y", max_bytes=100_000)
        assert "too large" in message and "exclude" in message and "Parquet" in message
        assert read_table(path, target="y", exclude="wide", max_bytes=100_000).rows == 2_000
    monkeypatch.setenv("STRONGSUIT_MAX_BYTES", "1000")
    assert "STRONGSUIT_MAX_BYTES" in rejected(paths[0], target="y")
    stored = write_table(pd.DataFrame({"a": range(999), "y": range(999, 0, -1)}), tmp_path / "t.parquet")
    assert "too large" in rejected(stored, target="y")
    monkeypatch.setenv("STRONGSUIT_MAX_BYTES", "lots")
    assert "whole number" in rejected(paths[0], target="y")


def test_three_gigabytes_are_refused_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "a,y\n" + "1,2\n" * 70_000)
    with path.open("r+b") as stream:
        stream.truncate(3 << 30)  # sparse: takes no space on the disk
    assert "too large: 3.0 GiB" in rejected(path, target="y")


def test_writing_is_all_or_nothing(frame: pd.DataFrame, tmp_path: Path) -> None:
    path = write_table(frame, tmp_path / "t.csv")
    before = path.read_bytes()
    with pytest.raises(AttributeError):
        write_table(None, path)  # type: ignore[arg-type]
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    with pytest.raises(StoreError, match="cannot be written"):
        write_table(frame, tmp_path / "no" / "folder.csv")
    with pytest.raises(InputError, match=r"\.parquet"):
        write_table(frame, tmp_path / "t.xlsx")
