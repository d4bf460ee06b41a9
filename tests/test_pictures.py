"""Pictures as pools: a folder of them, a column that names them, and what they show as features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.campaign_examples import NUMBER

from strongsuit.campaign import create_campaign
from strongsuit.datasets import pictures, read_pool
from strongsuit.datasets.pictures import picture_features, picture_table
from strongsuit.errors import InputError
from strongsuit.proposals import ActiveProposer
from strongsuit.proposals.inputs import inputs_of

SETTINGS = {"task": "regression", "cost": None}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STRONGSUIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pictures"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six grey pictures of a bar that turns, one of them in a folder below, and a file that is none."""
    place = tmp_path / "shots"
    (place / "b").mkdir(parents=True)
    for number in range(6):
        painted = np.zeros((40, 40), np.uint8)
        painted[18:22] = 255
        turned = Image.fromarray(painted).rotate(30 * number)
        turned.save(place / ("b" if number == 3 else "") / f"{number}.png")
    (place / "notes.txt").write_text("nothing to see")
    return place


def test_a_folder_of_pictures_is_a_pool_whose_keys_are_paths(folder: Path) -> None:
    pool = read_pool(folder, target="angle")
    assert pool.keys_of(range(6)) == ["0.png", "1.png", "2.png", "4.png", "5.png", "b/3.png"]
    assert pool.description["media"] == str(folder) and pool.description["key"] == "file"
    assert pool.pictures == ["picture"] and inputs_of(pool, SETTINGS).X.shape == (6, 576)


def test_features_tell_directions_apart_and_grey_files_from_coloured_ones(folder: Path) -> None:
    names = ["0.png", "2.png", "0.png"]
    features = picture_features(folder, names)
    assert (features[0] == features[2]).all() and np.abs(features[0] - features[1]).max() > 0.1
    Image.new("RGB", (9, 50), (200, 10, 10)).save(folder / "red.jpg")
    coloured = picture_features(folder, [*names, "red.jpg"])
    assert coloured.shape == (4, 704) and coloured[3, 512:].reshape(-1, 3).mean(0) == pytest.approx(
        [0.78, 0.04, 0.04], abs=0.02
    )
    assert np.allclose(coloured[:3, :512], features[:, :512]) and np.allclose(coloured[:3, 512::3], features[:, 512:])


def test_features_are_kept_as_long_as_the_files_are_the_same(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = picture_features(folder, ["0.png", "1.png"])
    monkeypatch.setattr(pictures, "_pixels", None)
    assert (picture_features(folder, ["0.png", "1.png"]) == first).all() and len(list(cache.iterdir())) == 1
    Image.new("L", (40, 40)).save(folder / "1.png")
    with pytest.raises(TypeError):
        picture_features(folder, ["0.png", "1.png"])


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STRONGSUIT_CACHE", str(tmp_path / "file"))
    assert picture_features(folder, ["0.png"]).shape == (1, 576)


@pytest.mark.parametrize("name", ["9.png", "../outside.png", "b"])
def test_what_is_not_in_the_folder_is_refused_by_its_row(folder: Path, name: str) -> None:
    Image.new("L", (4, 4)).save(folder.parent / "outside.png")
    with pytest.raises(InputError, match=r"1 of 2 pictures are not in .*row 1.*--media"):
        picture_features(folder, ["0.png", name])


def test_a_file_that_is_no_picture_is_named(folder: Path) -> None:
    (folder / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    with pytest.raises(InputError, match=r"0\.png is no picture"):
        picture_features(folder, ["0.png"])


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    Image.new("L", (4, 4)).save(folder.parent / "outside.png")
    (folder / "in.png").symlink_to(folder.parent / "outside.png")
    with pytest.raises(InputError, match="not in"):
        picture_features(folder, ["in.png"])


def test_a_column_of_pictures_joins_the_other_features(folder: Path) -> None:
    frame = pd.DataFrame({"id": list("abc"), "shot": ["0.png", "1.png", "2.png"], "hours": [1.0, 2.0, 3.0]})
    pool = read_pool(frame, key="id", media=str(folder))
    X = inputs_of(pool, SETTINGS).X
    assert X.shape == (3, 577) and X[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert read_pool(frame, key="id").pictures == []  # without their folder they are words
    assert read_pool(frame.assign(shot=["0.png", "x", "2.png"]), key="id", media=str(folder)).pictures == []


def test_a_folder_without_pictures_or_tables_says_what_it_may_hold(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert picture_table(tmp_path / "empty") is None
    with pytest.raises(InputError, match="without Parquet files"):
        read_pool(tmp_path / "empty")


def test_a_campaign_chooses_by_what_pictures_show(folder: Path) -> None:
    pool = read_pool(folder, target="strength")
    one = create_campaign(
        "shots", pool, NUMBER, batch=2, recipe={"learner": "ridge"}, proposer=ActiveProposer(pool), by="anna"
    )
    one.tell(dict.fromkeys(one.ask(by="anna").keys, 5.0), by="anna")
    assert len(one.ask(by="anna").rows) == 2
