"""Whatever bytes come in, a reader returns a table or raises a one-line InputError; nothing else escapes."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongsuit.datasets import fit_encoder, read_table
from strongsuit.errors import InputError

CSV = b"a,b c,when,y\n1.5,red,2024-01-01,1\n2,blue,2024-01-02,3\n,red,2024-01-03,4.5\n-4e3,,2024-01-04,0\n"
SUFFIXES = [".csv", ".csv.gz", ".tsv", ".txt", ".parquet", ""]
# Bytes that mean something to a reader come up far oftener than chance would bring them.
MARKS = [
    b",",
    b";",
    b"\t",
    b"|",
    b'"',
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"PAR1",
    b"\x1f\x8b",
]
CELLS = [
    b"1",
    b"-2.5e3",
    b"1e999",
    b"12,5",
    b"inf",
    b"NaN",
    b"n/a",
    b"y",
    b"a",
    b"2024-02-30",
    b"\xc3",
    b"\xe9",
    b" ",
]
PIECES = st.sampled_from([*MARKS, *CELLS])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def table_or_sentence(path: Path, content: bytes, **roles: object) -> None:
    path.write_bytes(content)
    try:
        table = read_table(path, **roles)
        encoded = fit_encoder(table).transform(table) if table.rows else None
    except InputError as error:
        assert str(error) and "\n" not in str(error), repr(str(error))
        return
    assert np.isfinite(table.y).all()
    assert encoded is None or (np.isfinite(encoded.X).all() and not encoded.unseen.any())


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from(SUFFIXES), st.booleans())
def test_random_bytes(folder: Path, content: bytes, suffix: str, training: bool) -> None:
    table_or_sentence(folder / f"t{suffix}", content, target="y" if training else None)


@settings(max_examples=500)
@given(st.lists(PIECES, max_size=40).map(b"".join), st.sampled_from(SUFFIXES), st.booleans())
def test_meaningful_pieces_in_any_order(folder: Path, content: bytes, suffix: str, training: bool) -> None:
    table_or_sentence(folder / f"t{suffix}", content, target="y" if training else None)


edits = st.lists(st.tuples(st.integers(0, len(CSV)), st.integers(0, 4), PIECES | st.binary(max_size=3)), max_size=4)


def edited(original: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    content = original
    for place, length, piece in changes:
        content = content[:place] + piece + content[place + length :]
    return content


@settings(max_examples=500)
@given(
    edits,
    st.sampled_from([{"target": "y"}, {"target": "y", "exclude": "when"}, {"target": "y", "groups": "b c"}, {}]),
)
def test_damaged_csv(folder: Path, changes: list, roles: dict) -> None:
    table_or_sentence(folder / "t.csv", edited(CSV, changes), **roles)


def stored(kind: str) -> bytes:
    if kind == "gzip":
        return gzip.compress(CSV, mtime=0)
    sink = io.BytesIO()
    pd.read_csv(io.BytesIO(CSV)).to_parquet(sink, index=False)
    return sink.getvalue()


@settings(max_examples=300)
@given(st.data(), st.sampled_from(["gzip", "parquet"]))
def test_damaged_binary_files(folder: Path, data: st.DataObject, kind: str) -> None:
    content = stored(kind)
    places = st.integers(0, len(content))
    changes = data.draw(st.lists(st.tuples(places, st.integers(0, 8), st.binary(max_size=8)), max_size=3))
    suffix = ".csv.gz" if kind == "gzip" else ".parquet"
    table_or_sentence(folder / f"t{suffix}", edited(content, changes), target="y")


cells = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.dates() | st.binary(max_size=2)
)


@settings(max_examples=300)
@given(st.lists(st.tuples(cells, cells), max_size=6))
def test_frames_of_mixed_objects(rows: list[tuple]) -> None:
    frame = pd.DataFrame(rows, columns=["a", "y"], dtype=object)
    try:
        read_table(frame, target="y")
    except InputError as error:
        assert "\n" not in str(error)
