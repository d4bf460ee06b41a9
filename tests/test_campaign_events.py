"""Events: types, JSON form, versions, and the chain of digests."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.campaign_examples import START

from strongsuit.campaign import events as ev
from strongsuit.campaign.chain import ZERO, canonical, event_of, line_of, linked, moment, sealed, stamp, stored
from strongsuit.errors import InputError, JournalBroken, StoreNew
from strongsuit.testing.stores import AT, example_events

BODIES = (
    ev.Amended({"batch": 3}, "slow"),
    ev.Proposed(4, 389, "mlp", (ev.Chosen(5121, 0, "model", "A-5121", 0.83),), (7,), "lcmd", False, {"test": 1}, 21.4),
    ev.Assessed(389, 152, "rmse", 41.2, 35.9, None, 0.95, 19, "cv", {"stop": False}),
    ev.Asked(None, (5121, 77), "anna", AT, (1.0, 2.5)),
    ev.Renewed((1,), "anna", AT),
    ev.Expired((1,), "anna"),
    ev.Told(5121, 1287.5, True, 1.0, 42.0, ""),
    ev.Told(1, (1.0, None), False, 1.0, None, "two outputs"),
    ev.Told(2, "cat", False, 1.0, None, ""),
    ev.Revised(5121, 17, None, ""),
    ev.Skipped(3, "blurred"),
    ev.Failed(77, "diverged", False, 1, 0.3, AT),
    ev.Excluded((1, 2), "broken", False),
    ev.Queued((1,), ""),
    ev.Closed("done", False),
)


def test_there_are_fourteen_kinds_and_each_has_a_version() -> None:
    assert len(ev.KINDS) == 14 == len(ev.VERSIONS)
    assert {type(body) for body in BODIES} | {ev.Created} == set(ev.KINDS.values())


@pytest.mark.parametrize("body", BODIES, ids=lambda body: canonical(ev.json_of(body))[:50])
def test_bodies_survive_their_json_form(body: object) -> None:
    form = json.loads(canonical(ev.json_of(body)))
    assert ev.body_of(type(body).__name__, 1, form) == body
    assert set(form) == set(type(body).__slots__)


WRONG = (
    (ev.Told, ("1", 1.0, False, 1.0, None, "")),
    (ev.Told, (True, 1.0, False, 1.0, None, "")),
    (ev.Told, (1, float("nan"), False, 1.0, None, "")),
    (ev.Told, (1, [1.0], False, 1.0, None, "")),
    (ev.Told, (1, 1.0, False, float("inf"), None, "")),
    (ev.Asked, (1, [1, 2], "anna", AT)),
    (ev.Asked, (1, (1.0,), "anna", AT)),
    (ev.Amended, ([], "")),
    (ev.Closed, ("", 1)),
    (ev.Chosen, (1, 0, None)),
)


@pytest.mark.parametrize(("cls", "fields"), WRONG, ids=lambda value: getattr(value, "__name__", str(value)))
def test_construction_checks_types(cls: type, fields: tuple) -> None:
    with pytest.raises(TypeError, match=r"must be .* got"):
        cls(*fields)


def test_construction_checks_nothing_but_types() -> None:
    ev.Told(-5, "anything", False, -1.0, None, "")  # whether it is allowed is for the verbs


def test_canonical_bytes_are_sorted_short_and_exact() -> None:
    assert canonical({"b": 0.1, "a": [1, None, "ä"], "c": 1e22}) == '{"a":[1,null,"ä"],"b":0.1,"c":1e+22}'
    for bad in (float("nan"), float("inf"), "\ud800", {1, 2}):
        with pytest.raises(InputError, match="cannot be written to a journal"):
            canonical({"x": bad})


def test_the_digest_is_sha256_of_the_digest_before_and_the_bytes_without_it() -> None:
    before = bytes(32)
    for event in example_events(4):
        whole = json.loads(line_of(event))
        assert line_of(event) == json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert whole.pop("digest") == event.digest
        text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        before = hashlib.sha256(before + text.encode()).digest()
        assert before.hex() == event.digest


def test_the_chain_finds_a_cut_an_edit_and_a_swap() -> None:
    events = example_events(5)
    assert list(linked(events)) == events
    assert list(linked(events[2:], after=2, before=events[1].digest)) == events[2:]
    edited = [*events[:2], event_of(line_of(events[2]).replace('"by":"anna"', '"by":"otto"')), *events[3:]]
    for broken in ([*events[:2], *events[3:]], events[1:], edited, [events[0], events[2], events[1]]):
        with pytest.raises(JournalBroken):
            list(linked(broken))


def test_an_append_shares_its_request_and_numbers_its_parts() -> None:
    events = sealed(BODIES[:3], after=0, before=ZERO, at=AT, by="anna", request="r")
    assert [(event.position, event.part, event.request) for event in events] == [(1, 0, "r"), (2, 1, "r"), (3, 2, "r")]
    named = sealed(BODIES[:2], after=16, before=ZERO, at=AT, by="anna", request=None)
    assert {event.request for event in named} == {"@17"}, "an append without an id is named by its position"


@given(st.floats(allow_nan=False, allow_infinity=False), st.text(st.characters(exclude_categories=["Cs"])))
def test_any_number_and_text_survive_a_line(value: float, note: str) -> None:
    event = sealed([ev.Told(0, value, False, 1.0, None, note)], after=0, before=ZERO, at=AT, by="x", request=None)[0]
    assert event_of(line_of(event)) == event
    assert "\n" not in line_of(event)
    assert event.body.value == value and event.body.note == note


def test_unknown_fields_survive_export_and_unknown_kinds_raise() -> None:
    text = '{"new_field":[1],"open":false,"reason":"done"}'
    event = stored(1, 0, "Closed", 1, AT, "anna", "@1", text, "")
    assert event.body == ev.Closed("done", False)
    assert '"new_field":[1]' in line_of(event)
    for kind, v in (("Weighed", 1), ("Closed", 2)):
        with pytest.raises(StoreNew, match="install a newer strongsuit"):
            stored(1, 0, kind, v, AT, "anna", "@1", text, "")


def test_upcasts_lift_old_bodies_one_version_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ev.VERSIONS, "Closed", 3)
    monkeypatch.setitem(ev.UPCASTS, ("Closed", 1), lambda body: {"reason": body["why"]})
    monkeypatch.setitem(ev.UPCASTS, ("Closed", 2), lambda body: {**body, "open": False})
    event = stored(1, 0, "Closed", 1, AT, "anna", "@1", '{"why":"done"}', "")
    assert event.body == ev.Closed("done", False)
    assert event.text == '{"why":"done"}' and event.v == 1, "what is stored is never rewritten"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{}",
        line_of(example_events(1)[0]).replace('"v":1', '"v":"1"'),
        line_of(example_events(1)[0]).replace('"seed":0', '"seed":NaN'),
        line_of(example_events(1)[0]).replace('"seed":0', '"seed":null'),
        line_of(example_events(1)[0]).replace(AT, "yesterday"),
        line_of(example_events(1)[0]).replace('"by":"anna"', r'"by":"\ud800"'),
    ],
)
def test_lines_that_are_no_event_are_journal_broken(line: str) -> None:
    with pytest.raises(JournalBroken):
        list(linked([event_of(line)]))


def test_stamps_are_utc_to_the_millisecond_and_sort_as_text() -> None:
    assert stamp(START) == "2026-11-21T09:00:00.000Z"
    assert moment(stamp(START)) == START
