"""Rows as tasks, targets as forms, what comes back as labels, and the commands around them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from tests.campaign_examples import RandomProposer
from tests.command_examples import Lab, lab
from tests.labelstudio_examples import Site, campaign, fake
from tests.labelstudio_fake import LEGACY, Fake

from strongsuit.campaign import MemoryStore, create_campaign, labelstudio_pull
from strongsuit.campaign.labelstudio import scores_of
from strongsuit.campaign.labelstudio_form import fields_of, label_config, row_of, tasks_of, value_of
from strongsuit.campaign.rules import Rules
from strongsuit.datasets import read_pool
from strongsuit.errors import InputError, InvalidLabel

_ = fake, lab  # fixtures


def over(frame: pd.DataFrame, target: Any = "y", **settings: Any) -> Any:
    pool = read_pool(frame, target="y", key="id" if "id" in frame else None)
    given = {"proposer": RandomProposer(), "by": "olga", "versions": {}, **settings}
    return create_campaign("alloys", pool, target, store=MemoryStore(), **given)


def test_columns_stand_where_they_are_read_best() -> None:
    frame = pd.DataFrame({"id": ["a", "b"], "1st text": ["x", "y"], "1st_text": ["u", None], "page": ["<b>", "<i>"],
                          "scan": ["a.PNG", "b.jpg"], "u": [1.5, None], "ok": [True, False]})  # fmt: skip
    one = over(frame, show={"columns": {"page": {"as": "html"}, "u": {"unit": "%"}}})
    assert fields_of(one) == {
        "1st text": ("Text", "column_1st_text"), "1st_text": ("Text", "column_1st_text_2"),
        "page": ("HyperText", "page"), "scan": ("Image", "scan"),
    }  # fmt: skip
    first, second = tasks_of(one, [0, 1], media="https://host/all pictures/")
    assert first["strongsuit_table"] == {"id": "a", "u (%)": 1.5, "ok": True}
    assert second["strongsuit_table"]["u (%)"] is None and second["column_1st_text_2"] == ""
    assert first["scan"] == "https://host/all pictures/a.PNG" and json.dumps([first, second], allow_nan=False)
    with pytest.raises(InputError, match=r"'scan' has names of files, such as 'a.PNG'.*--media"):
        tasks_of(one, [0])
    fields = {tag.get("value", "")[1:] for tag in ET.fromstring(label_config(one)) if tag.get("name")} - {""}
    assert fields <= set(first), "a form names no field that a task lacks"
    with pytest.raises(InputError, match="with its pool"):
        fields_of(replace(one, pool=None))


def test_a_form_asks_for_what_the_target_is() -> None:
    frame = pd.DataFrame({"u": [1.0, 2.0]})
    both = {"name": ["a", "b"], "kind": "numbers", "low": [0, None], "high": 7, "unit": ["m", "s"]}
    form = ET.fromstring(label_config(over(frame, target=both)))
    numbers = [dict(tag.attrib) for tag in form.iter("Number")]
    assert [(one["name"], one.get("min"), one["max"], one["required"]) for one in numbers] == [
        ("target_0", "0", "7", "false"), ("target_1", None, "7", "false"),
    ]  # fmt: skip
    assert [tag.get("value") for tag in form.iter("Header")] == ["a (m, 0–7)", "b (s, to 7)"]
    classes = {"name": "y", "kind": "class", "classes": [f"c{i}" for i in range(12)]}
    choices = list(ET.fromstring(label_config(over(frame, target=classes))).iter("Choice"))
    assert [one.get("hotkey") for one in choices] == [*"1234567890", None, None]


def said(**values: Any) -> list[dict[str, Any]]:
    return [{"from_name": name, "value": value} for name, value in values.items()]


def test_values_are_read_and_what_is_none_is_refused() -> None:
    assert value_of(said(target_0={"number": 3}), Rules(names=("y",))) == 3
    two = Rules(kind="numbers", names=("a", "b"))
    assert value_of(said(target_1={"number": 3}), two) == (None, 3)
    animal = Rules(kind="class", names=("y",), classes=("cat", "dog"))
    assert value_of(said(target_0={"choices": ["cat"]}), animal) == "cat"
    for wrong in ({"choices": ["cat", "dog"]}, {"choices": []}, {"choices": 3}, {}, [], "cat", None):
        with pytest.raises(InvalidLabel, match="one class is wanted"):
            value_of(said(target_0=wrong), animal)
    for result in (None, {}, ["x"], []):
        with pytest.raises(InvalidLabel, match="it has nothing"):
            value_of(result, animal)
    with pytest.raises(InvalidLabel, match="none of target_0; it has other"):
        value_of(said(other={"number": 1}), Rules(names=("y",)))


def test_a_mark_is_of_one_campaign_and_row() -> None:
    one, two = campaign(), campaign()
    task = tasks_of(one, [7], media="https://host")[0]
    assert row_of(one, task) == 7
    for data in (
        task,
        {},
        {"strongsuit_row": "r7"},
        {"strongsuit_row": f"r{'9' * 5_000}-abcde"},
        {"strongsuit_row": task["strongsuit_row"].replace("r7", "r8")},
    ):
        with pytest.raises(InputError, match=r"was made for another|not made for"):
            row_of(two if data is task else one, data)


def test_scores_begin_at_nought_and_end_at_one() -> None:
    assert scores_of([5]) == {5: 0.0} and scores_of([]) == {}
    assert scores_of([7, 3, 9]) == {7: 0.0, 3: 0.5, 9: 1.0}


def test_the_commands_set_up_push_and_pull(lab: Lab, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.create("--low", -9, "--high", 9)
    monkeypatch.setenv("LABEL_STUDIO_URL", fake.url)
    assert "LABEL_STUDIO_API_KEY" in lab.run("labelstudio", "setup", code=3)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", LEGACY)
    assert "labelstudio setup" in lab.run("labelstudio", "push", "alloys", code=3)
    said = lab.run("labelstudio", "setup", "alloys", "--title", "Alloys")
    assert f"Made {fake.url}/projects/" in said and "Next: strongsuit campaign labelstudio push alloys" in said
    project = lab.json("labelstudio", "setup")["project"]
    assert "4 tasks wait, 4 new" in lab.run("labelstudio", "push", "alloys")
    assert lab.json("labelstudio", "push", "--project", project)["new"] == 0
    site = Site(fake.url, fake)
    first, second, *_ = fake.tasks
    site.annotate(first, 1.5)
    site.annotate(second, 99)
    assert "EMAIL=NAME" in lab.run("labelstudio", "pull", "--who", "anna", code=3)
    done = lab.json("labelstudio", "pull", "--who", "owner@example.org=anna")
    assert done["told"] == 1 and "out of range" in done["refused"][0]["message"]
    assert "0 told, 1 refused · journal position" in lab.run("labelstudio", "pull", "alloys")
    assert lab.json("status")["annotators"].keys() == {"anna"}
    lab.run("close")
    for task in fake.tasks:
        site.annotate(task, 2)
    lab.run("labelstudio", "pull")
    assert "closed" in lab.run("labelstudio", "push", code=4)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "x")
    assert "does not know the key" in lab.run("labelstudio", "pull", code=6)


def test_the_loop_ends_when_nothing_is_left_to_ask(lab: Lab, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.create("--budget", 3)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", LEGACY)
    lab.run("labelstudio", "setup", "--url", fake.url)

    def people(seconds: float) -> None:
        for task in fake.tasks:
            Site(fake.url, fake).annotate(task, 0.5)

    whole = labelstudio_pull.loop
    monkeypatch.setattr(labelstudio_pull, "loop", lambda *given, **more: whole(*given, sleep=people, **more))
    said = lab.run("labelstudio", "loop", "alloys", "--url", fake.url)
    assert "3 told" in said and "3 of 3 labels are spent" in said


@pytest.mark.parametrize("verb", ["setup", "push", "pull", "loop"])
def test_every_command_explains_itself_by_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    from strongsuit import cli

    assert cli.main(["campaign", "labelstudio", verb, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"strongsuit campaign labelstudio {verb}" in shown and "--json" in shown and "--store" in shown
