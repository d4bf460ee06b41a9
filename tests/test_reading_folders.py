"""Folders of Parquet files read as one table, and tables handed on as they came."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from strongsuit.datasets import read_table
from strongsuit.datasets.as_given import read_as_given
from strongsuit.errors import InputError


def parts(folder: Path) -> pd.DataFrame:
    frame = pd.DataFrame({"sample": [f"0{i}" for i in range(9)], "a": np.arange(9.0), "kind": list("uvwuvwuvw")})
    (folder / "more").mkdir()
    for name, rows in (("p1.parquet", slice(0, 4)), ("p2.parquet", slice(4, 6)), ("more/p0.parquet", slice(6, 9))):
        frame.iloc[rows].astype({"kind": "category"}).to_parquet(folder / name, index=False)
    (folder / "_SUCCESS").touch()
    (folder / "_draft.parquet").write_bytes(b"half")
    return frame.iloc[[6, 7, 8, 0, 1, 2, 3, 4, 5]].reset_index(drop=True)


def test_a_folder_is_one_table_in_the_order_of_its_names(tmp_path: Path) -> None:
    whole = parts(tmp_path)
    table = read_table(tmp_path)
    np.testing.assert_array_equal(table.frame["a"], whole["a"])
    assert table.kinds["kind"] == "categorical" and table.frame["kind"].astype(str).tolist() == whole["kind"].tolist()
    pd.testing.assert_frame_equal(read_as_given(tmp_path).astype({"sample": object, "kind": object}),
                                  whole.astype({"sample": object, "kind": object}))  # fmt: skip


def test_folders_that_are_no_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without Parquet files"):
        read_table(tmp_path)
    parts(tmp_path)
    pd.DataFrame({"a": [1.0], "other": [2.0]}).to_parquet(tmp_path / "p3.parquet")
    with pytest.raises(InputError, match=r"p0\.parquet and p3\.parquet differ in the columns 'kind'"):
        read_table(tmp_path)
    (tmp_path / "p3.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(InputError, match=r"p3\.parquet could not be read"):
        read_table(tmp_path)
    (tmp_path / "p3.parquet").unlink()
    with pytest.raises(InputError, match="too large"):
        read_table(tmp_path, max_bytes=150)


def test_a_table_keeps_its_codes_dates_and_whole_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("code,day,count,x,word\n007,2024-01-02,3,0.50,u\n8,2024-01-03,4,1.25,\n")
    given = read_as_given(path, text=["code"])
    assert given["code"].tolist() == ["007", "8"] and given["day"].tolist() == ["2024-01-02", "2024-01-03"]
    assert given["count"].dtype == np.int64 and given["x"].tolist() == [0.5, 1.25]
    assert given["word"].isna().tolist() == [False, True]
    frame = pd.DataFrame({1: ["a"], "b": [2]}, index=[7])
    assert read_as_given(frame).columns.tolist() == ["1", "b"] and read_as_given(frame).index.tolist() == [0]
