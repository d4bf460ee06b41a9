"""Public sets: found in the folder, the cache or at their home; every failure names the way out."""

from __future__ import annotations

import io
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from strongsuit.datasets import PUBLIC_SETS, load, read_table, registry
from strongsuit.datasets.public_sets import Original, PublicSet
from strongsuit.errors import InputError, StoreError

FRAME = pd.DataFrame({"u": [1.0, 2.0, 2.0], "kind": ["a", "b", "a"], "v": [0.5, 0.25, 4.0]})


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PublicSet:
    """A registered set whose home writes it with blanks, target first, a stray column and a gap."""
    checksum = read_table(FRAME, target="v").fingerprint
    original = Original("https://example.org/toy.data", r"\s+", ("v", "u", "kind", "car_name"), drop_incomplete=True)
    row = PublicSet("toy", 3, ("v",), checksum, "nowhere", groups=("u",), original=original)
    monkeypatch.setitem(PUBLIC_SETS, "toy", row)
    monkeypatch.setenv("STRONGSUIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STRONGSUIT_DATA", raising=False)
    return row


HOME = b'0.5  1.\ta "a b"\n0.25  2 b\t"c"\n9.0 ? b "c"\n4 2.0 a "a b"\n'


def answer(monkeypatch: pytest.MonkeyPatch, content: bytes | Exception) -> list[str]:
    """Lets the network answer with `content`, or fail; the list collects the addresses asked for."""
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> io.BytesIO:
        asked.append(url)
        if isinstance(content, Exception):
            raise content
        return io.BytesIO(content)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def test_downloaded_once_converted_and_cached(toy: PublicSet, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, HOME)
    tables = [load("toy"), load("toy")]
    assert asked == ["https://example.org/toy.data"]
    for table in tables:
        pd.testing.assert_frame_equal(table.frame.astype({"kind": "str"}), FRAME.astype({"kind": "str"}))
        assert table.groups is not None and table.groups.tolist() == [0, 1, 1] and "u" in table.names


def test_a_local_folder_comes_first(toy: PublicSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = answer(monkeypatch, HOME)
    (tmp_path / "data" / "regression").mkdir(parents=True)
    FRAME.to_csv(tmp_path / "data" / "regression" / "toy.csv", index=False)
    monkeypatch.setenv("STRONGSUIT_DATA", str(tmp_path / "data"))
    assert load("toy").rows == 3 and asked == []


def test_another_version_is_refused(toy: PublicSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    FRAME.assign(v=[0.5, 0.25, 5.0]).to_csv(tmp_path / "toy.csv", index=False)
    monkeypatch.setenv("STRONGSUIT_DATA", str(tmp_path))
    with pytest.raises(StoreError, match=r"differs from the registered.*by its path"):
        load("toy")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (urllib.error.URLError("no route to host"), "no route to host.*check the network"),
        (TimeoutError("timed out"), "timed out.*STRONGSUIT_DATA"),
        (urllib.error.HTTPError("https://example.org", 404, "Not Found", None, None), "Not Found"),  # type: ignore[arg-type]
        (b"<html>moved</html>", "registered|changed|no longer"),
        (HOME.replace(b"0.25", b"0.26"), "not the one registered"),
        (b"", "no longer|changed"),
        (b"1 2 3 4 5\n1 2 3 4 5 6\n", "no longer|changed|registered"),
    ],
)
def test_failed_downloads_say_what_to_do(
    toy: PublicSet, monkeypatch: pytest.MonkeyPatch, content: bytes | Exception, part: str
) -> None:
    answer(monkeypatch, content)
    with pytest.raises(StoreError, match=part):
        load("toy")
    assert not (Path(os.environ["STRONGSUIT_CACHE"]) / "datasets" / "toy.csv").exists()


def test_endless_downloads_stop(toy: PublicSet, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, HOME)
    monkeypatch.setattr(registry, "MAX_DOWNLOAD", 10)
    with pytest.raises(StoreError, match="more than"):
        load("toy")


def test_sets_without_a_download_name_the_folder(toy: PublicSet) -> None:
    with pytest.raises(StoreError, match=r"concrete_strength\.csv.*STRONGSUIT_DATA"):
        load("concrete_strength")


def test_unknown_names_are_input_errors() -> None:
    with pytest.raises(InputError, match="did you mean 'yacht_hydrodynamics'"):
        load("yacht_hydrodynamic")


@pytest.mark.parametrize("name", PUBLIC_SETS)
def test_rows_of_the_table_are_sound(name: str) -> None:
    row = PUBLIC_SETS[name]
    assert row.name == name and len(row.checksum) == 64 and row.targets and row.source and row.licence
    if row.original:
        assert row.original.url.startswith("https://") and set(row.targets) <= set(row.original.names)
        assert set(row.groups) <= set(row.original.names)


@pytest.mark.parametrize("name", PUBLIC_SETS)
def test_real_copies_have_the_registered_content(name: str, data_folder: Path) -> None:
    table = load(name)
    assert table.rows == PUBLIC_SETS[name].rows and table.targets == PUBLIC_SETS[name].targets
    if PUBLIC_SETS[name].task == "regression":
        assert np.isfinite(table.y).all()
    else:
        (target,) = table.targets
        assert target not in table.names and table.frame[target].notna().all()
        assert table.frame[target].nunique() >= 2


@pytest.mark.parametrize("name", [name for name, row in PUBLIC_SETS.items() if row.original])
def test_a_file_as_its_home_writes_it_passes_the_check(
    name: str, data_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row, frame = PUBLIC_SETS[name], load(name).frame
    original = row.original
    assert original is not None
    written = frame.astype({c: object for c in frame.columns}).assign(car_name='"a b"')[list(original.names)]
    mark = "\t" if original.separator == r"\s+" else original.separator
    text = written.to_csv(index=False, header=original.header, sep=mark, quoting=3, quotechar="'")
    answer(monkeypatch, text.encode())
    monkeypatch.setenv("STRONGSUIT_CACHE", str(tmp_path))
    monkeypatch.delenv("STRONGSUIT_DATA")
    assert load(name).fingerprint == row.checksum
    shutil.rmtree(tmp_path)
