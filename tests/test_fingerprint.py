"""The fingerprint of a pool and the table behind a campaign."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.campaign_examples import RandomProposer

from strongsuit.campaign import create_campaign, load_campaign
from strongsuit.datasets import fingerprint, read_pool
from strongsuit.datasets.fingerprint import fingerprint_table
from strongsuit.errors import InputError, PoolMismatch, UnknownRow


def frame(rows: int = 50) -> pd.DataFrame:
    """A column of every type, each with a missing cell."""
    made = pd.DataFrame(
        {
            "id": [f"{i:03d}" for i in range(rows)],
            "count": pd.array([None, *range(1, rows)], dtype="Int64"),
            "x": np.r_[np.nan, np.arange(1, rows) / 7],
            "flag": pd.array([None, *[i % 2 == 0 for i in range(1, rows)]], dtype="boolean"),
            "day": pd.Series(pd.date_range("2026-01-01", periods=rows, freq="h")),
            "name": [None, *["ä b, c" if i % 3 else "cat" for i in range(1, rows)]],
            "none": [None] * rows,
            "y": np.where(np.arange(rows) < 5, 1.5, np.nan),
        }
    )
    return made


def test_the_same_rows_as_csv_and_parquet_and_frame_give_the_same_value(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "a.csv", index=False)
    frame().to_parquet(tmp_path / "a.parquet", index=False)
    sources = (tmp_path / "a.csv", tmp_path / "a.parquet", frame(), pa.Table.from_pandas(frame()))
    pools = [read_pool(source, key="id", target="y") for source in sources]
    assert len({pool.description["fingerprint"] for pool in pools}) == 1, [pool.description for pool in pools]
    types = {one["name"]: one["type"] for one in pools[0].description["columns"]}
    assert types == {
        "id": "text", "count": "int", "x": "float", "flag": "bool", "day": "time", "name": "text", "none": "empty",
        "y": "float",
    }  # fmt: skip


def test_target_and_ignored_columns_are_left_out_and_column_order_too() -> None:
    plain = read_pool(frame(), key="id", target="y", ignore=["name"]).description["fingerprint"]
    filled = frame().assign(y=3.0, name="other")[["name", "y", "x", "id", "none", "day", "flag", "count"]]
    assert read_pool(filled, key="id", target="y", ignore=["name"]).description["fingerprint"] == plain
    assert read_pool(frame().drop(columns="y"), key="id", ignore=["name"]).description["fingerprint"] == plain


@pytest.mark.parametrize("column", ["id", "count", "x", "flag", "day", "name"])
def test_one_cell_changes_the_value_of_its_chunk_only(column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "CHUNK_ROWS", 16)
    old, changed = frame(), frame()
    changed.loc[20, column] = changed.loc[22, column] if column != "id" else "zzz"
    if column == "flag":
        changed.loc[20, column] = not old.loc[20, column]
    if column == "name":
        changed.loc[20, column] = "owl"
    ours, theirs = (read_pool(one, key="id").description["chunks"] for one in (old, changed))
    assert [i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b] == [1]


def test_values_are_hashed_by_what_they_are() -> None:
    def value(column: pa.Array) -> str:
        return fingerprint_table({"a": pa.chunked_array([column])}).value

    assert value(pa.array([0.5, -0.0])) == value(pa.array([0.5, 0.0])), "zero has one sign"
    assert value(pa.array([0.5, float("nan")])) == value(pa.array([0.5, None])), "one missing"
    assert value(pa.array([1.0, 2.0])) == value(pa.array([1, 2], pa.int8())) == value(pa.array([1, 2], pa.int64()))
    assert value(pa.array(["a", "bc"])) != value(pa.array(["ab", "c"])), "lengths count"
    assert value(pa.array(["a", None])) != value(pa.array(["a", "b"]))
    assert value(pa.array([0.5, None])) != value(pa.array([None, 0.5]))
    assert value(pa.array(["a", "b"]).dictionary_encode()) == value(pa.array(["a", "b"], pa.large_string()))
    with pytest.raises(InputError, match="cannot be hashed"):
        value(pa.array([[1], [2]]))


def test_chunks_of_the_source_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "CHUNK_ROWS", 16)
    whole = pa.array(np.arange(50) / 3)
    pieces = pa.chunked_array([whole[:7], whole[7:7], whole[7:40], whole[40:]])
    one, other = (fingerprint_table({"a": column}) for column in (pa.chunked_array([whole]), pieces))
    assert one == other and len(one.chunks) == 4


def test_a_grown_pool_proves_the_old_one_is_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "CHUNK_ROWS", 16)
    new = frame(90).assign(count=lambda table: np.where(table.index > 60, 0.5, table["count"].astype(float)))
    old = read_pool(new.iloc[:50], key="id", target="y")
    grown = read_pool(new, key="id", target="y")
    one = create_campaign("p", old, "y", proposer=RandomProposer(), by="anna", exists="error", store=_memory())
    one.amend({"pool": grown}, reason="more rows", by="anna")
    assert one.state.rules.rows == 90
    edited = read_pool(new.assign(x=1.0), key="id", target="y")
    with pytest.raises(PoolMismatch, match="must be the first of the new pool"):
        one.amend({"pool": edited}, reason="?", by="anna")


def test_another_pool_says_what_differs() -> None:
    store, old = _memory(), read_pool(frame(), key="id", target="y")
    create_campaign("p", old, "y", store=store, by="anna")
    load_campaign("p", store=store, pool=old)
    others = {
        "cells differ in rows 0 to 49": frame().assign(x=1.5),
        "the pool has 60 rows instead of 50": frame(60),
        r"columns differ \(gone or of another type: \['x'\]": frame().drop(columns="x"),
    }
    for why, table in others.items():
        with pytest.raises(PoolMismatch, match=why):
            load_campaign("p", store=store, pool=read_pool(table, key="id", target="y"))


def test_keys_must_be_there_and_differ() -> None:
    with pytest.raises(InputError, match=r"repeats 1 values \(first: '001'\)"):
        read_pool(frame().assign(id=lambda table: table["id"].replace("002", "001")), key="id")
    with pytest.raises(InputError, match=r"empty in 1 rows \(first: 3\)"):
        read_pool(frame().assign(id=lambda table: table["id"].where(table.index != 3)), key="id")
    with pytest.raises(InputError, match="no column"):
        read_pool(frame(), key="other")


def test_an_unchanged_file_is_not_hashed_again_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    frame().to_csv(path, index=False)
    first = read_pool(path, key="id").description
    about = path.stat()
    text = path.read_text().replace("cat", "owl")
    path.write_text(text)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert read_pool(path, key="id", known=first).description is first
    assert read_pool(path, key="id", known=first, check=True).description["fingerprint"] != first["fingerprint"]
    os.utime(path)
    assert read_pool(path, key="id", known=first).description["fingerprint"] != first["fingerprint"]


def test_a_campaign_over_a_table_speaks_of_keys() -> None:
    pool = read_pool(frame().assign(price=lambda table: table.index / 10), key="id", target="y")
    cost = {"unit": "h", "row": {"column": "price"}}
    one = create_campaign("p", pool, "y", proposer=RandomProposer(), store=_memory(), by="anna", cost=cost)
    query = one.ask(3, by="anna")
    assert query.keys == tuple(f"{row:03d}" for row in query.rows)
    assert list(query.features["id"]) == list(query.keys) and "y" not in query.features
    one.tell(dict.fromkeys(query.keys, 1.0), by="anna")
    assert set(one.to_dataframe()["key"]) == set(query.keys)
    assert one.status()["cost"]["spent"] == pytest.approx(sum(query.rows) / 10)
    with pytest.raises(UnknownRow, match="key 'zzz' is not in the pool"):
        one.tell({"zzz": 1.0}, by="anna")
    assert one.tell({"zzz": 1.0, "049": 2.0}, by="anna", partial=True).rows == (49,)


def _memory() -> object:
    from strongsuit.campaign import MemoryStore

    return MemoryStore()
