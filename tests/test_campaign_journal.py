"""Journals as files, and the campaigns of a store: create, load, list, fork, delete, export, import."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.campaign_examples import ANIMAL, NUMBER, Clock, RandomProposer, campaign, description, kinds, lines

from strongsuit.campaign import (
    MemoryStore,
    SqlStore,
    create_campaign,
    delete_campaign,
    export_journal,
    fork_campaign,
    import_journal,
    list_campaigns,
    load_campaign,
)
from strongsuit.errors import (
    CampaignExists,
    InputError,
    JournalBroken,
    PoolMismatch,
    StoreError,
    StoreNew,
    UnknownCampaign,
)


def played(store: Any = None) -> Any:
    """A campaign with several kinds of events."""
    clock = Clock()
    one = campaign(store=store, clock=clock)
    query = one.ask(4, by="anna", request="r1")
    one.tell(dict.fromkeys(query.rows[:2], 0.1), by="anna", note="ä\n")
    one.revise(query.rows[0], 2.0, by="anna")
    one.queue([39], by="olga")
    clock.move(hours=2)
    one.ask(3, by="bob")
    return one


@pytest.mark.parametrize("name", ["journal.jsonl", "journal.jsonl.gz"])
def test_export_import_export_is_the_same_byte_for_byte(name: str, tmp_path: Path) -> None:
    one = played()
    first = one.export(tmp_path / name)
    other = SqlStore(f"sqlite:///{tmp_path}/lab.db")
    assert import_journal(other, first) == "alloys"
    second = export_journal(other, "alloys", tmp_path / f"again.{name}")
    assert first.read_bytes() == second.read_bytes()
    assert load_campaign("alloys", store=other).state == one.state


def test_the_file_is_a_head_and_an_event_a_line(tmp_path: Path) -> None:
    one = played()
    text = one.export(tmp_path / "a.jsonl").read_text(encoding="utf-8")
    head, *rest = text.splitlines()
    assert json.loads(head) == {
        "strongsuit_journal": 1, "campaign": one.journal()[0].digest, "name": "alloys", "events": len(rest),
        "digest": one.state.digest,
    }  # fmt: skip
    assert rest == lines(one) and text.endswith("\n")


def test_an_import_goes_on_with_a_beginning_and_refuses_anything_else(tmp_path: Path) -> None:
    one, store = played(), MemoryStore()
    path = one.export(tmp_path / "a.jsonl")
    fork_campaign("alloys", "begun", at=3, store=one.desk.store)
    begun = export_journal(one.desk.store, "begun", tmp_path / "begun.jsonl")
    assert import_journal(store, begun, name="alloys") == "alloys"
    import_journal(store, path)
    import_journal(store, path)
    assert lines(load_campaign("alloys", store=store)) == lines(one), "and again changes nothing"
    load_campaign("alloys", store=store).tell({20: 1.0}, by="carl")
    with pytest.raises(CampaignExists, match="under another name"):
        import_journal(store, path)
    assert import_journal(store, path, name="copy") == "copy"


def _cut(text: str) -> str:
    return "\n".join(text.splitlines()[:-1]) + "\n"


BROKEN = {
    "the last line is gone": _cut,
    "a line in the middle is gone": lambda text: "\n".join([*text.splitlines()[:3], *text.splitlines()[4:]]),
    "a value was edited": lambda text: text.replace('"value":0.1', '"value":0.2', 1),
    "half a line": lambda text: text[:-40],
    "no head": lambda text: text.split("\n", 1)[1],
    "not a journal": lambda text: "a,b\n1,2\n",
    "empty": lambda text: "",
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_journal_that_is_cut_or_edited_is_found_before_anything_is_written(how: str, tmp_path: Path) -> None:
    path = played().export(tmp_path / "a.jsonl")
    path.write_text(BROKEN[how](path.read_text(encoding="utf-8")), encoding="utf-8")
    store = MemoryStore()
    with pytest.raises(JournalBroken):
        import_journal(store, path)
    assert store.campaigns() == []


def test_a_cut_archive_and_a_newer_form_are_told_apart(tmp_path: Path) -> None:
    packed = played().export(tmp_path / "a.jsonl.gz")
    packed.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(JournalBroken):
        import_journal(MemoryStore(), packed)
    newer = tmp_path / "b.jsonl.gz"
    newer.write_bytes(gzip.compress(b'{"strongsuit_journal":2,"name":"a","events":1,"digest":""}\n'))
    with pytest.raises(StoreNew, match="form 2"):
        import_journal(MemoryStore(), newer)
    with pytest.raises(InputError, match="cannot be read"):
        import_journal(MemoryStore(), tmp_path / "nothing.jsonl")


def test_fields_that_this_release_does_not_know_survive(tmp_path: Path) -> None:
    from strongsuit.campaign.chain import Event, digest_of, line_of

    one = played()
    events = one.journal()
    last = events[-1]
    text = last.text.replace('{"', '{"a_new_field":{"x":1},"', 1)
    new = Event(last.position, last.part, last.v, last.at, last.by, last.request, last.body, text, "")
    new = Event(*[getattr(new, name) for name in Event.__slots__[:-1]], digest_of(events[-2].digest, new))
    store = MemoryStore()
    store.append("alloys", [*events[:-1], new], after=0)
    path = export_journal(store, "alloys", tmp_path / "a.jsonl")
    other = MemoryStore()
    import_journal(other, path)
    assert line_of(list(other.read("alloys"))[-1]) == line_of(new) and '"a_new_field"' in line_of(new)


def test_a_broken_journal_in_a_store_is_found_when_it_is_opened() -> None:
    one = played()
    kept = one.desk.store._kept["alloys"].events
    kept[3], kept[4] = kept[4], kept[3]
    with pytest.raises(JournalBroken):
        load_campaign("alloys", store=one.desk.store)


def test_create_load_list_and_delete(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/lab.db"
    one = campaign(store=url)
    one.tell({1: 1.0}, by="anna")
    assert [(entry.name, entry.position) for entry in list_campaigns(url)] == [("alloys", 2)]
    assert load_campaign("alloys", store=url).state == one.state
    delete_campaign("alloys", store=url)
    assert list_campaigns(url) == []
    for attempt in (lambda: load_campaign("alloys", store=url), lambda: delete_campaign("alloys", store=url)):
        with pytest.raises(UnknownCampaign, match="campaign list"):
            attempt()


def test_a_taken_name_is_an_error_unless_the_settings_are_the_same() -> None:
    store = MemoryStore()
    one = campaign(store=store)
    one.tell({1: 1.0}, by="anna")
    with pytest.raises(CampaignExists, match="take another name"):
        campaign(store=store)
    again = campaign(store=store, exists="load", versions={"strongsuit": "9"})
    assert again.state == one.state
    with pytest.raises(CampaignExists, match="seed 0, now 1; batch 4, now 9") as caught:
        campaign(store=store, exists="load", seed=1, batch=9)
    assert "target" not in str(caught.value)
    with pytest.raises(CampaignExists, match="pool"):
        campaign(store=store, exists="load", pool=description(60))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": "Alloys"}, "lower-case"),
        ({"name": "a/b"}, "lower-case"),
        ({"name": "a" * 65}, "lower-case"),
        ({"pool": {"fingerprint": "x"}}, "pool.n"),
        ({"pool": {"n": 3}}, "fingerprint"),
        ({"target": {"name": "y", "kind": "colour"}}, "target.kind"),
        ({"target": {"name": "y", "kind": "class"}}, "target.classes"),
        ({"target": {**ANIMAL, "classes": ["a", "a"]}}, "target.classes"),
        ({"target": {**NUMBER, "low": 5, "high": 1}}, "target.low"),
        ({"target": {"name": "y", "kind": "numbers"}}, "target.name"),
        ({"batch": 0}, "batch"),
        ({"batch": 2.5}, "Created.batch must be int"),
        ({"lease_s": 10}, "lease_s"),
        ({"seed": -1}, "seed"),
        ({"cost": {"row": {"column": "price"}}}, "cost.row.column 'price'"),
        ({"cost": {"row": -1}}, "cost.row"),
        ({"cost": {"fail": "half"}}, "cost.fail"),
        ({"budget": {"unit": "h"}}, "budget.limit"),
        ({"annotation": {"overlap": 2}, "target": ANIMAL}, None),
        ({"annotation": {"overlap": 2, "aggregate": "latest"}}, "forgets all but one"),
        ({"annotation": {"aggregate": "majority"}}, "annotation.aggregate"),
        ({"annotation": {"overlap": 3, "overlap_max": 2}}, "annotation.overlap_max"),
        ({"annotation": {"skip_limit": 0}}, "annotation.skip_limit"),
        ({"exists": "maybe"}, "exists must be"),
    ],
    ids=str,
)
def test_settings_that_no_campaign_can_have_are_refused(wrong: dict[str, Any], why: str | None) -> None:
    if why is None:
        campaign(**wrong)
        return
    with pytest.raises(InputError, match=why):
        campaign(**wrong)


def test_a_fork_is_the_original_up_to_its_position_and_then_its_own() -> None:
    one = played()
    position = one.state.position
    fork = fork_campaign("alloys", "other", at=4, store=one.desk.store, proposer=RandomProposer())
    assert lines(fork) == lines(one)[:4]
    fork.tell({30: 1.0}, by="carl")
    assert one.state.position == position and fork.state.position == 5
    for at in (0, 99):
        with pytest.raises(InputError, match="position of the journal"):
            fork_campaign("alloys", "third", at=at, store=one.desk.store)
    with pytest.raises(CampaignExists):
        fork_campaign("alloys", "other", store=one.desk.store)


def test_another_pool_is_refused_on_loading() -> None:
    one = played()

    class Other:
        description = description(41)

    with pytest.raises(PoolMismatch, match="41 rows instead of 40"):
        load_campaign("alloys", store=one.desk.store, pool=Other())  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_labels_are_exported_with_everything_about_them(suffix: str, tmp_path: Path) -> None:
    one = played()
    path = one.export(tmp_path / f"labels{suffix}")
    read = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".json": pd.read_json}[suffix](path)
    assert list(read["value"]) == list(one.to_dataframe()["value"]) and len(read) == 2
    assert {"key", "row", "weight", "n", "first_at", "last_at", "cost", "source", "revised"} <= set(read.columns)
    with pytest.raises(InputError, match="cannot tell the format"):
        one.export(tmp_path / "labels.xls")
    with pytest.raises(StoreError, match="cannot be written"):
        one.export(tmp_path / "nowhere" / f"labels{suffix}")


def test_in_memory_campaigns_are_found_again_in_their_process() -> None:
    create_campaign("in-memory", description(), NUMBER, by="anna")
    try:
        assert kinds(load_campaign("in-memory")) == ["Created"]
        assert "in-memory" in [entry.name for entry in list_campaigns("memory://")]
    finally:
        delete_campaign("in-memory")


def test_every_error_of_a_campaign_has_its_exit_code() -> None:
    from strongsuit import errors
    from strongsuit.cli import _code_of

    codes = {5: ["PoolMismatch"], 4: ["PoolExhausted", "BudgetSpent", "CampaignClosed"]}
    codes[3] = ["UnknownCampaign", "CampaignExists", "UnknownRow", "InvalidLabel", "AlreadyTold", "RequestMismatch"]
    codes[6] = ["Conflict", "StoreBusy", "StoreFull", "StoreOld", "StoreNew", "JournalBroken"]
    for code, names in codes.items():
        assert {name: _code_of(getattr(errors, name)("")) for name in names} == dict.fromkeys(names, code)
