"""`tell` and the other verbs: what is taken, what is refused, what repeats change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.campaign_examples import ANIMAL, NUMBER, campaign, description, kinds

from strongsuit.campaign import Given
from strongsuit.campaign.commands import Close
from strongsuit.campaign.steering import decide_close
from strongsuit.errors import AlreadyTold, InputError, InvalidLabel, PoolMismatch, RequestMismatch, UnknownRow


def test_any_order_any_part_and_rows_never_asked_for() -> None:
    one = campaign()
    rows = one.ask(4, by="anna").rows
    free = next(row for row in range(40) if row not in rows)
    one.tell({rows[2]: 3.0, free: 1.0}, by="anna")
    bodies = {event.body.row: event.body for event in one.journal(after=3)}
    assert bodies[rows[2]].asked and not bodies[free].asked
    assert len(one.state.leases) == 3


def test_the_same_answers_again_change_nothing_they_need_not() -> None:
    one = campaign()
    one.tell({1: 1.0, 2: 2.0}, by="anna")
    receipt = one.tell({1: 1.0, 2: 2.0, 3: 3.0}, by="anna")
    assert receipt.rows == (3,) and receipt.repeated == (1, 2)
    assert kinds(one) == ["Created", "Told", "Told", "Told"]
    assert one.tell({}, by="anna").position == 4


def test_another_value_of_the_same_annotator_is_already_told() -> None:
    one = campaign()
    one.tell({1: 1.0}, by="anna")
    with pytest.raises(AlreadyTold, match=r"anna said 1\.0 before and says 2\.0 now; `revise`"):
        one.tell({2: 5.0, 1: 2.0}, by="anna")
    assert 2 not in one.state.labels, "all or nothing"
    one.tell({1: 2.0}, by="bob")
    assert one.state.labels[1].value == 2.0


def test_partial_writes_the_good_ones_and_returns_the_bad_ones_with_reasons() -> None:
    one = campaign()
    receipt = one.tell({1: 1.0, 99: 1.0, 2: -5.0, 3: float("nan"), 4: 4.0}, by="anna", partial=True)
    assert receipt.rows == (1, 4)
    assert [(bad.row, bad.error) for bad in receipt.rejected] == [
        (99, "UnknownRow"), (2, "InvalidLabel"), (3, "InvalidLabel"),
    ]  # fmt: skip


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, 2501, "12", None, True, [1.0]], ids=str)
def test_numbers_are_checked(value: Any) -> None:
    one = campaign()
    with pytest.raises(InvalidLabel, match="row 1"):
        one.tell({1: value}, by="anna")
    assert kinds(one) == ["Created"]


def test_numbers_of_numpy_and_whole_ones_are_kept_as_floats() -> None:
    one = campaign()
    one.tell({1: np.float32(1.5), np.int64(2): np.int64(3), 3: 4, 4: -0.0}, by="anna")
    assert {row: repr(label.value) for row, label in one.state.labels.items()} == {
        1: "1.5",
        2: "3.0",
        3: "4.0",
        4: "0.0",
    }


def test_classes_are_kept_as_their_text_and_unknown_ones_get_a_suggestion() -> None:
    one = campaign(target=ANIMAL)
    one.tell({1: "cat"}, by="anna")
    with pytest.raises(InvalidLabel, match="'dgo' is no class; did you mean 'dog'"):
        one.tell({2: "dgo"}, by="anna")
    coded = campaign(target={"name": "y", "kind": "class", "classes": ["0", "1"]})
    coded.tell({1: 1}, by="anna")
    assert coded.state.labels[1].value == "1"


def test_several_outputs_may_be_missing_but_not_all() -> None:
    one = campaign(target={"name": ["a", "b"], "kind": "numbers", "low": [0, None], "high": [1, None]})
    one.tell({1: (0.5, None), 2: np.array([0.1, 7.0])}, by="anna")
    assert one.state.labels[1].value == (0.5, None) and one.state.labels[2].value == (0.1, 7.0)
    for bad in ((None, None), (2.0, 1.0), (1.0,), 0.5):
        with pytest.raises(InvalidLabel):
            one.tell({3: bad}, by="anna")


def test_a_row_twice_with_two_values_is_refused() -> None:
    one = campaign()
    with pytest.raises(InvalidLabel, match="came twice"):
        one.tell([Given(1, 1.0), Given(1, 2.0)], by="anna")
    assert one.tell([Given(1, 1.0), Given(1, 1.0)], by="anna").rows == (1,)


def test_a_request_id_makes_a_repeat_harmless_and_another_payload_a_mismatch() -> None:
    one = campaign()
    first = one.tell({1: 1.0, 2: 2.0}, by="anna", request="r1")
    one.revise(1, 9.0, by="anna")
    again = one.tell({1: 1.0, 2: 2.0}, by="anna", request="r1")
    assert again.position == first.position and kinds(one) == ["Created", "Told", "Told", "Revised"]
    for payload in ({1: 1.0}, {1: 1.0, 2: 3.0}, {1: 1.0, 2: 2.0, 3: 3.0}):
        with pytest.raises(RequestMismatch):
            one.tell(payload, by="anna", request="r1")
    with pytest.raises(RequestMismatch):
        one.skip([1, 2], by="anna", request="r1")
    with pytest.raises(InputError, match="begin with '@'"):
        one.tell({5: 1.0}, by="anna", request="@2")


def test_every_verb_with_a_request_id_writes_once() -> None:
    one = campaign()
    one.tell({1: 1.0}, by="anna")
    calls = (
        lambda: one.skip(2, by="anna", request="a"),
        lambda: one.fail(3, reason="x", by="anna", request="b"),
        lambda: one.revise(1, 2.0, by="anna", request="c"),
        lambda: one.exclude([4, 5], by="anna", request="d"),
        lambda: one.restore([4], by="anna", request="e"),
        lambda: one.queue([6], by="anna", request="f"),
    )
    for call in calls:
        first, position = call(), one.state.position
        assert call().position == first.position == position == one.state.position


def test_revising_replaces_ones_own_answer_and_none_withdraws_it() -> None:
    one = campaign(annotation={"roles": {"olga": "owner"}})
    one.tell({1: 1.0}, by="anna", cost=3.0)
    one.revise(1, 2.0, by="anna")
    assert one.state.labels[1].value == 2.0 and one.status()["revised"] == 1
    assert one.revise(1, 2.0, by="anna").position == 3, "the same value writes nothing"
    with pytest.raises(InputError, match="only an owner"):
        one.revise(1, 3.0, by="bob", of="anna")
    with pytest.raises(InputError, match="no answer of bob"):
        one.revise(1, 3.0, by="bob")
    one.revise(1, 4.0, by="olga", of="anna")
    assert one.state.answers[1]["anna"].value == 4.0
    one.revise(1, None, by="anna")
    assert not one.state.labels and one.status()["states"]["unlabelled"] == 40
    assert one.status()["cost"]["spent"] == 3.0, "revising costs and returns nothing"
    one.tell({1: 8.0}, by="anna")
    assert one.state.labels[1].value == 8.0


def test_skip_and_fail_mind_what_is_labelled() -> None:
    one = campaign()
    one.tell({1: 1.0}, by="anna")
    with pytest.raises(InputError, match="anna has answered it"):
        one.skip(1, by="anna")
    with pytest.raises(InputError, match="row 1 is labelled"):
        one.fail(1, reason="x", by="bob")


def test_excluded_rows_keep_their_answers_and_take_late_ones() -> None:
    one = campaign()
    one.tell({1: 1.0}, by="anna")
    one.exclude([1, 2], reason="broken", by="anna")
    one.tell({2: 2.0}, by="anna")
    assert one.status()["states"]["excluded"] == 2 and one.labels() == []
    assert one.exclude([1, 2], by="anna").repeated == (1, 2)
    one.restore([1, 2], by="anna")
    assert [line["value"] for line in one.labels()] == [1.0, 2.0]


def test_queue_refuses_rows_that_cannot_be_asked_for() -> None:
    one = campaign()
    one.tell({1: 1.0}, by="anna")
    one.exclude([2], by="anna")
    for row, why in ((1, "has the answers it needs"), (2, "excluded: `restore`"), (40, "rows 0 to 39")):
        with pytest.raises(InputError, match=why):
            one.queue([3, row], by="anna")
    assert one.state.queued == {}


def test_amending_later_events_obey_it() -> None:
    one = campaign()
    one.amend({"batch": 7, "budget": {"limit": 5, "unit": "labels"}}, reason="less time", by="anna")
    query = one.ask(by="bob")
    assert len(query) == 5 and query.short == "budget"
    assert one.amend({"batch": 7}, by="anna").position == one.state.position, "no change is no event"
    for name in ("seed", "task", "colour"):
        with pytest.raises(InputError, match="cannot be amended"):
            one.amend({name: 1}, by="anna")
    for wrong in ({"batch": 0}, {"batch": "x"}, {"lease_s": 5}, {"target": {**NUMBER, "kind": "class"}}):
        with pytest.raises(InputError):
            one.amend(wrong, by="anna")


def test_classes_can_be_added_but_not_taken_from_labelled_rows() -> None:
    one = campaign(target=ANIMAL)
    one.tell({1: "cat"}, by="anna")
    with pytest.raises(InputError, match="lacks 'cat'"):
        one.amend({"target": {**ANIMAL, "classes": ["dog", "owl"]}}, by="anna")
    one.amend({"target": {**ANIMAL, "classes": ["cat", "dog", "owl", "bee"]}}, by="anna")
    one.tell({2: "bee"}, by="anna")


def test_a_pool_grows_at_its_end_with_a_reason_and_a_proof() -> None:
    one = campaign(pool=description(chunks=["c1"]))

    class Grown:
        description = description(60, chunks=["c2"])

        def proof(self, n: int) -> tuple[str, ...]:
            return ("c1",) if n == 40 else ()

    class Other(Grown):
        def proof(self, n: int) -> tuple[str, ...]:
            return ("c9",)

    with pytest.raises(PoolMismatch, match="60 rows instead of 40: another pool needs a reason"):
        one.amend({"pool": Grown()}, by="anna")
    with pytest.raises(PoolMismatch, match="changed=True"):
        one.amend({"pool": Other()}, reason="new batch", by="anna")
    with pytest.raises(PoolMismatch, match="never removed"):
        one.amend({"pool": description(30)}, reason="fewer", by="anna")
    one.amend({"pool": Grown()}, reason="new batch", by="anna")
    one.tell({59: 1.0}, by="anna")
    assert one.status()["states"]["unlabelled"] == 59
    one.amend({"pool": description(60, fingerprint="f" * 64, chunks=["c3"])}, reason="a typo", changed=True, by="anna")


def test_frames_are_told_by_key_and_blank_cells_are_not_yet() -> None:
    one = campaign(pool=description(key="id"))
    query = one.ask(3, by="anna")
    frame = pd.DataFrame({"id": query.keys, "strength": [1.0, None, 3.0], "note": ["", "", "odd"]})
    receipt = one.tell(frame, by="anna")
    assert receipt.rows == (query.rows[0], query.rows[2])
    assert one.journal()[-1].body.note == "odd"
    with pytest.raises(InputError, match="load the campaign with its pool"):
        one.tell({"Z9": 1.0}, by="anna")
    one.tell({0: 1.0}, by="anna", by_row=True)
    with pytest.raises(InputError, match="lacks the column 'strength'"):
        one.tell(frame[["id"]], by="anna")


@pytest.mark.parametrize("by", ["", "a" * 201, "a\0b", 5], ids=repr)
def test_people_have_names(by: Any) -> None:
    with pytest.raises(InputError):
        campaign().desk.commit(Close(by), decide_close)


def test_half_a_character_is_refused_before_it_reaches_the_journal() -> None:
    one = campaign()
    with pytest.raises(InputError, match="cannot be written"):
        one.tell([Given(1, 1.0, note="\ud800")], by="anna")
    assert kinds(one) == ["Created"]


def test_why_tells_all_the_journal_knows() -> None:
    one = campaign()
    row = one.ask(1, by="anna").rows[0]
    one.tell({row: 1.0}, by="anna")
    one.revise(row, 2.0, by="anna", note="misread")
    told = one.why(row)
    assert [entry["kind"] for entry in told["history"]] == ["Proposed", "Asked", "Told", "Revised"]
    assert told["state"] == "labelled" and told["revised"] and told["why"] == "they differ"
    with pytest.raises(UnknownRow):
        one.why(40)


def test_gold_rows_measure_annotators() -> None:
    roles = {"roles": {"olga": "owner"}, "overlap": 2, "aggregate": "majority"}
    one = campaign(target=ANIMAL, annotation=roles)
    one.tell({1: "cat", 2: "dog", 3: "owl"}, by="olga")
    one.tell({1: "cat", 2: "owl", 4: "cat"}, by="anna")
    about = one.status()["annotators"]["anna"]
    assert about == {"answers": 3, "gold": 2, "agreement": 0.5, "error": None}
    assert one.status()["disputed"] == []
