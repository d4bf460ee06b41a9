"""Tables out and in again: partial, repeated, extended, sorted, mangled by spreadsheets; all is checked first."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.command_examples import Lab, fill, lab, truth

from strongsuit.campaign import load_campaign
from strongsuit.campaign.cells import decimal_commas, read_cells
from strongsuit.campaign.sheets import mark_of, safe, unsafe
from strongsuit.errors import InputError

_ = lab  # a fixture


def answers(one: Lab) -> dict[int, dict[str, object]]:
    found = load_campaign("alloys", store=one.url).state.answers
    return {row: {by: answer.value for by, answer in held.items()} for row, held in found.items()}


def position(one: Lab) -> int:
    return load_campaign("alloys", store=one.url).state.position


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=object)


def test_columns_and_marks_are_as_described_and_no_prediction_is_written(lab: Lab) -> None:
    lab.create()
    written = table(lab.sheet())
    assert list(written) == [
        "strongsuit_row", "id", "u", "v", "rank", "why", "y", "status", "note", "cost", "annotator",
    ]  # fmt: skip
    assert written["strongsuit_row"][0] == mark_of("alloys", 0, "A0") and written["strongsuit_row"].is_unique
    assert written["y"].isna().all() and set(written["annotator"]) == {"anna"}


def test_a_file_told_in_parts_again_and_with_more_lines_changes_nothing_it_need_not(lab: Lab) -> None:
    lab.create()
    path = lab.sheet()
    fill(path)
    whole = table(path)
    whole.assign(y=whole["y"].where(whole.index < 2)).to_csv("part.csv", index=False)
    assert lab.json("tell", "alloys", "part.csv") | {"position": 0} == {
        "told": 2, "revised": 0, "skipped": 0, "failed": 0, "repeated": 0, "position": 0, "blank": 2, "rejected": [],
        "problems": {},
    }  # fmt: skip
    assert lab.json("tell", "alloys", path)["repeated"] == 2
    before = position(lab)
    assert lab.json("tell", "alloys", path, "part.csv")["repeated"] == 4 and position(lab) == before
    more = pd.concat([whole, pd.DataFrame({"id": ["A40"], "y": ["0.5"]})])
    more.to_csv("more.csv", index=False)
    assert lab.json("tell", "more.csv")["told"] == 1 and answers(lab)[40] == {"anna": 0.5}


@pytest.mark.parametrize("how", ["semicolon", "tab", "utf-16", "bom", "crlf", "shuffled", "parquet", "key alone"])
def test_what_spreadsheets_do_to_files_is_tolerated(lab: Lab, how: str) -> None:
    lab.create()
    fill(lab.sheet())
    whole, path = table(Path("suggested.csv")), Path("other.csv")
    if how == "semicolon":
        whole.assign(y=[text.replace(".", ",") for text in whole["y"]]).to_csv(path, index=False, sep=";")
    elif how == "parquet":
        path = path.with_suffix(".parquet")
        whole.assign(y=whole["y"].astype(float)).to_parquet(path, index=False)
    elif how == "shuffled":
        whole.iloc[::-1][sorted(whole)].to_csv(path, index=False)
    elif how == "key alone":
        whole[["y", "id"]].to_csv(path, index=False)
    else:
        encoding = {"utf-16": "utf-16", "bom": "utf-8-sig"}.get(how, "utf-8")
        ends = "\r\n" if how == "crlf" else "\n"
        whole.to_csv(path, index=False, sep="\t" if how == "tab" else ",", encoding=encoding, lineterminator=ends)
    assert lab.json("tell", "alloys", path)["told"] == 4
    assert answers(lab) == {row: {"anna": pytest.approx(truth(row))} for row in range(4)}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"y": "12 MPa"}, "line 3: column 'y': '12 MPa' is no number"),
        ({"y": "9000"}, "line 3: row 1: 9000.0 is out of range"),
        ({"id": "A2"}, "line 3: 'r1-"),
        ({"strongsuit_row": "r1-aaaaa"}, "does not belong to key 'A1'"),
        ({"strongsuit_row": None, "id": "1.2E+15"}, "turned the key into a number or date"),
        ({"strongsuit_row": None, "id": "2026-01-03"}, "turned the key into a number or date"),
        (
            {"strongsuit_row": None, "id": "A0", "y": "0.75"},
            "something else of the same row than suggested.csv, line 2",
        ),
        ({"status": "perhaps"}, "may be empty, skip or fail"),
        ({"status": "skip"}, "leave one of them empty"),
        ({"cost": "-3"}, "a cost is a number of 0 or more"),
    ],
)
def test_bad_lines_are_refused_by_line_column_and_value(lab: Lab, change: dict[str, object], part: str) -> None:
    lab.create("--high", 100)
    fill(lab.sheet())
    whole = table(Path("suggested.csv"))
    for name, value in change.items():
        whole.loc[1, name] = value
    whole.to_csv("suggested.csv", index=False)
    before = position(lab)
    assert part in lab.run("tell", "alloys", "suggested.csv", code=3) and position(lab) == before
    said = lab.json("tell", "alloys", "suggested.csv", "--partial")
    assert said["told"] == 3 and said["rejected"] == ["suggested.rejected.csv"]
    rejected = table(Path("suggested.rejected.csv"))
    assert len(rejected) == 1 and part.split(": ")[-1] in rejected["problem"][0]


def test_a_file_of_another_campaign_is_found(lab: Lab) -> None:
    lab.create()
    fill(lab.sheet())
    lab.run("fork", "alloys", "other")
    assert "does not belong to key" in lab.run("tell", "other", "suggested.csv", code=3)


def test_skips_failures_costs_notes_and_annotators_are_taken_once(lab: Lab) -> None:
    lab.create()
    fill(lab.sheet())
    whole = table(Path("suggested.csv"))
    whole.loc[0, ["y", "status", "note"]] = [None, "skip", "too hot"]
    whole.loc[1, ["y", "status", "note"]] = [None, "Fail", "it broke"]
    whole.loc[2, ["cost", "note", "annotator"]] = ["2,5", "fine", "ben"]
    whole.to_csv("suggested.csv", index=False)
    said = lab.json("tell", "alloys", "suggested.csv")
    assert (said["told"], said["skipped"], said["failed"]) == (2, 1, 1)
    state = load_campaign("alloys", store=lab.url).state
    assert state.answers[2]["ben"].cost == 2.5 and state.failures[1].reason == "it broke" and state.skips[0] == {"anna"}
    assert lab.json("tell", "alloys", "suggested.csv")["repeated"] == 4 and position(lab) == state.position


def test_changed_values_replace_older_ones_only_if_that_is_said(lab: Lab) -> None:
    lab.create()
    fill(lab.sheet())
    lab.run("tell", "alloys", "suggested.csv")
    whole = table(Path("suggested.csv"))
    whole.loc[0, "y"] = "0.125"
    whole.to_csv("suggested.csv", index=False)
    assert "--revise" in lab.run("tell", "alloys", "suggested.csv", code=3)
    said = lab.json("tell", "alloys", "suggested.csv", "--revise")
    assert said["revised"] == 1 and said["repeated"] == 3 and answers(lab)[0] == {"anna": 0.125}


def test_the_pool_itself_may_be_filled_in_without_keys_too(lab: Lab) -> None:
    pool = pd.read_csv("pool.csv")
    pool[["u", "v"]].to_csv("bare.csv", index=False)
    lab.run("create", "alloys", "--pool", "bare.csv", "--target", "y")
    pool[["u", "v"]].assign(y=[truth(0), None, "NA", truth(3), *[None] * 86]).to_csv("filled.csv", index=False)
    assert lab.json("tell", "filled.csv")["told"] == 2
    assert sorted(answers(lab)) == [0, 3]
    pool[["u", "v"]].assign(y=1.0).iloc[:5].to_csv("filled.csv", index=False)
    assert "lacks the column strongsuit_row" in lab.run("tell", "filled.csv", code=3)
    pool[["u", "v"]].to_csv("filled.csv", index=False)
    assert "lacks the target column 'y'" in lab.run("tell", "filled.csv", code=3)


def test_names_that_the_pool_has_get_a_prefix_and_formulas_are_disarmed(lab: Lab) -> None:
    pool = pd.read_csv("pool.csv").assign(note=["=1+1", "-2", *["plain"] * 88], rank=range(90))
    pool.loc[0, "id"] = "=A0"
    pool.to_csv("pool.csv", index=False)
    lab.create()
    path = lab.sheet()
    written = table(path)
    assert {"note", "strongsuit_note", "rank", "strongsuit_rank"} <= set(written)
    assert written["note"][0] == "'=1+1" and written["id"][0] == "'=A0"
    written.assign(y="1").to_csv(path, index=False)
    assert lab.json("tell", "alloys", path)["told"] == 4 and 0 in answers(lab)


def test_several_numbers_come_as_several_columns(lab: Lab) -> None:
    lab.create("--target", "z")
    path = lab.sheet()
    written = table(path)
    written["y"] = ["1.5", "2", None, None]
    written["z"] = ["3", None, "4", None]
    written.to_csv(path, index=False)
    assert lab.json("tell", "alloys", path)["blank"] == 1
    assert [answers(lab)[row]["anna"] for row in range(3)] == [(1.5, 3.0), (2.0, None), (None, 4.0)]


def test_a_class_may_be_called_none(lab: Lab) -> None:
    lab.create("--classes", "none,some")
    path = lab.sheet()
    written = pd.read_csv(path, dtype=object, keep_default_na=False)
    written["y"] = ["none", "some", "NA", ""]
    written.to_csv(path, index=False)
    assert lab.json("tell", "alloys", path)["blank"] == 2
    assert answers(lab) == {0: {"anna": "none"}, 1: {"anna": "some"}}


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        (b"", "is empty"), (b"a\0b", "is no text"), (b"id,y\nA1,1,2\n", "line 2: 3 cells under 2 names"),
        (b"id,id\nA1,A1\n", "twice"), (b'id,y\n"A1,1\n', "line"),
    ],
)  # fmt: skip
def test_files_that_are_no_tables_are_refused(tmp_path: Path, raw: bytes, part: str) -> None:
    (tmp_path / "t.csv").write_bytes(raw)
    with pytest.raises(InputError, match=part):
        read_cells(tmp_path / "t.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_cells(tmp_path / "none.csv")


def test_commas_are_decimal_only_where_the_whole_column_agrees() -> None:
    assert decimal_commas(["1,5", "2", "-3,25e1"]) and decimal_commas(["1,5", "1,500"])
    assert not decimal_commas(["1,5", "2.5"]) and not decimal_commas(["1,500", "12,000"]) and not decimal_commas(["2"])


@given(st.text())
def test_text_comes_back_as_it_was(text: str) -> None:
    written = safe(text)
    assert unsafe(written) == (text if written != text or not text.startswith("'") else unsafe(text))
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_refused_in_words(raw: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(raw)
        try:
            found = read_cells(path)
        except InputError:
            return
        assert all(len(line) == len(found.names) for line in found.lines)
