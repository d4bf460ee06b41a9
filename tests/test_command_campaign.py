"""`strongsuit campaign`: every verb writes what it says, as text and as JSON, with the right exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tests.command_examples import Lab, fill, lab, truth

from strongsuit import cli
from strongsuit.campaign import load_campaign
from strongsuit.cli.campaign import VERBS

_ = lab  # a fixture


def kinds(one: Lab) -> list[str]:
    return [event.kind for event in load_campaign("alloys", store=one.url).journal()]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_by_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["campaign", verb, "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"strongsuit campaign {verb}" in said and "--json" in said and "--store" in said


@pytest.mark.parametrize("verb", ["check", "upgrade", "backup"])
def test_every_verb_of_store_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["store", verb, "--help"]) == 0
    assert f"strongsuit store {verb}" in " ".join(capsys.readouterr().out.split())


def test_a_round_from_the_command_line(lab: Lab) -> None:
    lab.create("--low", -2, "--high", 2, "--unit", "MPa")
    said = lab.run("ask", "alloys", "-n", 3, "--out", "suggested.csv")
    assert "Round 1 · 3 rows leased to anna until " in said and "3 by in order" in said
    assert 'Fill column "y" (MPa, -2–2) in suggested.csv, then: strongsuit campaign tell alloys suggested.csv' in said
    assert fill(Path("suggested.csv")) == ["A0", "A1", "A2"]
    assert "3 told · journal position 6" in lab.run("tell", "alloys", "suggested.csv")
    said = lab.run("status", "alloys")
    assert 'alloys · regression "y" · open · pool 90 rows (unchanged) · journal position 6' in said
    assert "labelled 3  pending 0" in said and "unlabelled 87" in said
    assert "3 labels" in lab.run("export", "alloys", "--out", "labels.csv")
    table = pd.read_csv("labels.csv")
    assert table["key"].tolist() == ["A0", "A1", "A2"] and table["value"].tolist() == [truth(i) for i in range(3)]


def test_the_same_rows_are_asked_until_they_are_answered(lab: Lab) -> None:
    lab.create()
    first = lab.json("ask", "alloys")
    assert [one["key"] for one in first["rows"]] == ["A0", "A1", "A2", "A3"] and first["to"] == "anna"
    assert lab.json("ask")["rows"] == first["rows"]
    assert [one["key"] for one in lab.json("ask", "--by", "ben", "-n", 1)["rows"]] == ["A4"]
    assert [one["key"] for one in lab.json("suggest", "--more", "-n", 1)["rows"]] == ["A5"]


def test_answers_may_be_given_as_words(lab: Lab) -> None:
    lab.create()
    assert lab.json("tell", "alloys", "A7=1.5", "A8=-0.25")["rows"] == [7, 8]
    assert lab.json("tell", "A7=1.5")["repeated"] == [7]
    assert "no number" in lab.run("tell", "A9=big", code=3) and "one kind" in lab.run("tell", "alloys", code=3)
    assert "revise" in lab.run("tell", "A7=2.5", code=3)
    assert lab.json("why", "A7")["label"]["value"] == 1.5


def test_rows_are_skipped_failed_excluded_restored_queued_and_revised(lab: Lab) -> None:
    lab.create()
    lab.run("ask")
    lab.run("skip", "A0", "--reason", "too hot")
    assert "due again at" in lab.run("fail", "alloys", "A1", "--reason", "broke")
    assert "never again" in lab.run("fail", "A2", "--reason", "broke", "--final")
    lab.run("exclude", "A3", "A50", "--reason", "dirty")
    lab.run("restore", "A50")
    lab.run("queue", "A60")
    assert [one["key"] for one in lab.json("ask", "-n", 1)["rows"]] == ["A60"]
    lab.run("tell", "A60=1")
    assert lab.json("revise", "alloys", "A60", "2.0")["rows"] == [60]
    states = lab.json("status")["states"]
    assert (states["skipped"], states["failed"], states["excluded"], states["labelled"]) == (1, 1, 1, 1)
    said = lab.run("why", "A60")
    assert "A60 · row 60 · labelled (revised) · 2" in said and "Queued" in said and "Revised" in said
    lab.run("revise", "A60", "--withdraw")
    assert lab.json("why", "A60")["state"] == "unlabelled"
    assert "new value" in lab.run("revise", "A60", code=3)
    assert "'A999' is not in the pool" in lab.run("skip", "A999", code=3)


def test_settings_are_amended_and_a_grown_pool_is_taken(lab: Lab) -> None:
    lab.create()
    lab.run("amend", "--batch", 7, "--strategy", "lcmd", "--budget", 50, "--set", 'show={"means": true}')
    settings = load_campaign("alloys", store=lab.url).state.settings
    assert settings["batch"] == 7 and settings["recipe"]["strategy"] == "lcmd" and settings["recipe"]["guard"] is True
    assert settings["budget"] == {"unit": "labels", "limit": 50.0} and settings["show"] == {"means": True}
    assert "amend changes nothing" in lab.run("amend", code=3) and "FIELD=JSON" in lab.run(
        "amend", "--set", "x", code=3
    )
    whole = pd.read_csv("pool.csv")
    more = pd.concat([whole, whole.iloc[:3].assign(id=["B0", "B1", "B2"])])
    more.to_csv("grown.csv", index=False)
    assert "reason" in lab.run("amend", "--pool", "grown.csv", code=5)
    lab.run("amend", "--pool", "grown.csv", "--reason", "three more samples")
    assert lab.json("status")["rows"] == 93
    lab.run("tell", "B2=0.5")
    more.iloc[1:].to_csv("grown.csv", index=False)
    assert "92 rows instead of 93" in lab.run("ask", code=5)


def test_exit_codes_say_why_there_is_nothing_to_ask(lab: Lab) -> None:
    lab.create("--budget", 2)
    assert lab.json("ask", "-n", 3)["short"] == "budget"
    lab.run("tell", "A0=1", "A1=1")
    assert "budget" in lab.run("ask", code=4)
    lab.run("close", "--reason", "enough")
    assert "closed" in lab.run("ask", code=4) and "· closed ·" in lab.run("status")
    lab.run("reopen")
    assert "· open ·" in lab.run("status")


def test_journals_are_exported_imported_forked_and_deleted(lab: Lab) -> None:
    lab.create()
    lab.run("tell", "A0=1", "A1=2")
    assert lab.json("export", "alloys", "--out", "alloys.jsonl.gz")["events"] == 3
    assert lab.json("import", "alloys.jsonl.gz", "--as", "copy") == {"name": "copy", "position": 3}
    assert lab.json("fork", "alloys", "other", "--at", 2)["position"] == 2
    assert [one["name"] for one in lab.json("list")] == ["alloys", "copy", "other"]
    assert "which campaign? there are alloys, copy, other" in lab.run("status", code=3)
    assert "--yes" in lab.run("delete", "copy", code=3)
    lab.run("delete", "copy", "--yes")
    assert "copy" not in lab.run("list")


def test_verify_compares_every_round_and_report_tells_the_story(lab: Lab) -> None:
    lab.create()
    lab.run("ask")
    lab.run("tell", "A0=1", "A1=2")
    lab.run("fail", "A2", "--reason", "bro|ke")
    assert "round 1: equal" in lab.run("verify")
    assert lab.json("verify", "--no-proposals")["rounds"] == []
    lab.run("report", "--out", "alloys.md")
    page = Path("alloys.md").read_text()
    assert "| 1 | 4 | in order |" in page and "| anna | 2 |" in page and "bro\\|ke" in page


def test_a_difference_has_exit_code_3(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.command_examples import InOrder

    lab.create()
    lab.run("ask")
    monkeypatch.setattr(InOrder, "propose", lambda self, view, b, round: _backwards(view, b))
    cli.main(["campaign", "verify", "--store", lab.url])
    assert "round 1: differs" in lab.capsys.readouterr().out
    assert cli.main(["campaign", "verify", "--store", lab.url]) == 3


def _backwards(view: object, b: int) -> object:
    from strongsuit.campaign import Chosen, Proposal

    return Proposal(tuple(Chosen(89 - i, i, "model") for i in range(b)), "none", "backwards")


def test_classes_costs_and_people_are_set_at_the_beginning(lab: Lab) -> None:
    whole = pd.read_csv("pool.csv").assign(price=2.0, y=["low", "high", *[None] * 88])
    whole.to_csv("pool.csv", index=False)
    assert "--classes" in lab.run("create", "alloys", "--pool", "pool.csv", "--target", "y", code=3)
    lab.create("--task", "classification", "--cost", "price", "--cost-unit", "h", "--overlap", 2, "--owner", "olga")
    settings = load_campaign("alloys", store=lab.url).state.settings
    assert settings["target"]["classes"] == ["high", "low"] and settings["cost"]["row"] == {"column": "price"}
    assert settings["annotation"]["roles"] == {"olga": "owner"} and settings["annotation"]["overlap"] == 2
    assert lab.json("tell", "alloys", "pool.csv")["told"] == 2
    assert lab.json("status")["cost"]["spent"] == 4.0
    assert "did you mean 'high'" in lab.run("tell", "A5=hihg", code=3)


def test_create_says_what_is_wrong_before_anything_is_written(lab: Lab) -> None:
    pool = ("--pool", "pool.csv", "--target", "y")
    assert "letters" in lab.run("create", "Bad Name", *pool, code=3)
    assert "no column" in lab.run("create", "a", *pool, "--key", "nothing", code=3)
    assert "classes are for one target" in lab.run("create", "a", *pool, "--target", "z", "--classes", "p,q", code=3)
    assert not Path("lab.db").exists()
    lab.create()
    assert "already" in lab.run("create", "alloys", *pool, code=3)
    lab.create("--exists", "load")
    assert "other settings" in lab.run("create", "alloys", *pool, "--exists", "load", code=3)


def test_stores_are_checked_backed_up_and_missed(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no store" in lab.run("status", code=3) and not Path("lab.db").exists()
    lab.create()
    for words in (["check"], ["backup", "copy.db"], ["upgrade"]):
        assert cli.main(["store", *words, "--store", lab.url, "--json"]) == 0
    out = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert out[0]["campaigns"] == {"alloys": 1} and Path("copy.db").exists() and out[2] == {"backup": None}
    assert cli.main(["store", "backup", "copy.db", "--store", lab.url]) == 3
    assert cli.main(["campaign", "status", "--store", "lab.db"]) == 3


def test_looking_and_telling_load_no_jax(lab: Lab) -> None:
    lab.create()
    code = (
        "import sys; from strongsuit.cli import main; code = main(sys.argv[1:]); "
        "print(code, 'jax' in sys.modules, 'pandas' in sys.modules)"
    )
    for words, wanted in ((["status"], "0 False False"), (["tell", "A0=1"], "0 False")):
        call = [sys.executable, "-c", code, "campaign", *words, "--store", lab.url]
        done = subprocess.run(call, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1].startswith(wanted), done.stdout + done.stderr


def test_what_is_to_be_typed_next_names_a_store_that_is_not_the_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STRONGSUIT_STORE", raising=False)
    pd.DataFrame({"id": list("abcdefghijkl"), "x": range(12)}).to_csv("pool.csv", index=False)
    create = ["campaign", "create", "alloys", "--pool", "pool.csv", "--key", "id", "--target", "y"]
    assert cli.main([*create, "--store", "sqlite:///my lab.db"]) == 0
    assert capsys.readouterr().out.endswith("--out suggested.csv --store 'sqlite:///my lab.db'\n")
    monkeypatch.setenv("STRONGSUIT_STORE", "sqlite:///my lab.db")
    assert cli.main(["campaign", "ask", "-n", "2"]) == 0
    assert "--store" not in capsys.readouterr().out


def test_the_demo_begins_a_campaign_of_digits_and_again_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STRONGSUIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STRONGSUIT_STORE", raising=False)
    assert cli.main(["campaign", "demo"]) == 0
    assert "pool 1,797 rows" in capsys.readouterr().out and len(list(Path("digits").iterdir())) == 1797
    assert cli.main(["campaign", "demo", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["rows"], facts["position"]) == (1797, 1)
