"""The fold: states of a row, what ends a lease, copies, snapshots, and what a proposer sees."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import pytest
from tests.campaign_examples import NUMBER, START, description

from strongsuit.campaign import events as ev
from strongsuit.campaign.chain import ZERO, Event, sealed, stamp
from strongsuit.campaign.events import Chosen
from strongsuit.campaign.snapshot import snapshot_of, state_from
from strongsuit.campaign.state import (
    EXCLUDED,
    FAILED,
    LABELLED,
    PENDING,
    SKIPPED,
    UNLABELLED,
    State,
    advance,
    apply,
    counts,
    disputed,
    replay,
    state_of,
    wanted,
)
from strongsuit.campaign.view import view_of

AT, LATER = stamp(START), stamp(START.replace(hour=10))


def created(**more: Any) -> ev.Created:
    given = {
        "name": "a", "task": "regression", "pool": description(), "target": NUMBER, "recipe": {}, "seed": 3,
        "batch": 4, "lease_s": 1800.0, "cost": {"row": 1.0}, "budget": None, "annotation": {}, "stopping": {},
        "show": {}, "versions": {}, **more,
    }  # fmt: skip
    return ev.Created(**given)


def journal(*steps: tuple[str, Any], first: ev.Created | None = None) -> list[Event]:
    events = sealed([first or created()], after=0, before=ZERO, at=AT, by="owner", request=None)
    for by, body in steps:
        events += sealed([body], after=len(events), before=events[-1].digest, at=AT, by=by, request=None)
    return events


def told(row: int, value: Any = 1.0) -> ev.Told:
    return ev.Told(row, value, False, 1.0, None, "")


def asked(*rows: int, to: str = "anna", round_: int | None = 1) -> ev.Asked:
    return ev.Asked(round_, rows, to, LATER, (1.0,) * len(rows))


def failed(row: int, *, final: bool = False) -> ev.Failed:
    return ev.Failed(row, "diverged", final, 1, 0.5, None if final else LATER)


def proposed(*rows: int, round_: int = 1) -> ev.Proposed:
    slate = tuple(Chosen(row, i, "model") for i, row in enumerate(rows))
    return ev.Proposed(round_, 1, "none", slate, (), "random", False, {}, 0.0)


CASES = {
    "nothing": ([], UNLABELLED),
    "asked": ([("anna", asked(5))], PENDING),
    "expired": ([("anna", asked(5)), ("otto", ev.Expired((5,), "anna"))], UNLABELLED),
    "told": ([("anna", asked(5)), ("anna", told(5))], LABELLED),
    "told by nobody asked": ([("anna", told(5))], LABELLED),
    "late answer": ([("anna", asked(5)), ("otto", ev.Expired((5,), "anna")), ("anna", told(5))], LABELLED),
    "withdrawn": ([("anna", told(5)), ("anna", ev.Revised(5, 2, None, ""))], UNLABELLED),
    "withdrawn while leased": (
        [("anna", told(5)), ("b", asked(5, to="b")), ("anna", ev.Revised(5, 2, None, ""))],
        PENDING,
    ),
    "revised": ([("anna", told(5)), ("anna", ev.Revised(5, 2, 7.0, ""))], LABELLED),
    "skipped": ([("anna", asked(5)), ("anna", ev.Skipped(5, ""))], SKIPPED),
    "failed once": ([("anna", asked(5)), ("anna", failed(5))], UNLABELLED),
    "failed for good": ([("anna", asked(5)), ("anna", failed(5, final=True))], FAILED),
    "told after failure": ([("anna", failed(5, final=True)), ("otto", told(5))], LABELLED),
    "excluded": ([("anna", ev.Excluded((5,), "", False))], EXCLUDED),
    "excluded with an answer": ([("anna", told(5)), ("anna", ev.Excluded((5,), "", False))], EXCLUDED),
    "told while excluded": ([("anna", ev.Excluded((5,), "", False)), ("anna", told(5))], EXCLUDED),
    "back with its answer": (
        [("a", told(5)), ("a", ev.Excluded((5,), "", False)), ("a", ev.Excluded((5,), "", True))],
        LABELLED,
    ),
    "skipped and brought back": ([("anna", ev.Skipped(5, "")), ("o", ev.Excluded((5,), "", True))], UNLABELLED),
    "failed and brought back": ([("anna", failed(5, final=True)), ("o", ev.Excluded((5,), "", True))], UNLABELLED),
    "asked beats skipped": ([("anna", ev.Skipped(5, "")), ("b", asked(5, to="b"))], PENDING),
    "failed beats pending": ([("b", asked(5, to="b")), ("anna", failed(5, final=True))], FAILED),
    "closed": ([("anna", told(5)), ("o", ev.Closed("", False))], LABELLED),
}


@pytest.mark.parametrize("name", CASES)
def test_the_state_of_a_row_follows_from_its_facts(name: str) -> None:
    steps, expected = CASES[name]
    state = replay(journal(*steps))
    assert state_of(state, 5) == expected
    assert counts(state)[expected] == (40 if expected == UNLABELLED else 1)
    assert sum(counts(state).values()) == 40


def test_skips_hide_a_row_from_all_once_there_are_enough() -> None:
    first = created(annotation={"skip_limit": 2})
    steps = [("a", ev.Skipped(5, "")), ("a", ev.Skipped(5, "")), ("b", ev.Skipped(5, ""))]
    states = [state_of(replay(journal(*steps[:n], first=first)), 5) for n in range(4)]
    assert states == [UNLABELLED, UNLABELLED, UNLABELLED, SKIPPED]


def test_apply_changes_nothing_that_it_was_given() -> None:
    steps = [step for case, _ in CASES.values() for step in case]
    state = State()
    for event in journal(("a", proposed(5, 6)), *steps):
        before, held = state.copy(), repr(state)
        later = apply(state, event)
        assert state == before and repr(state) == held
        assert later.position == event.position and later.digest == event.digest
        state = later


def test_replay_of_halves_equals_replay_of_the_whole() -> None:
    events = journal(("a", proposed(5, 6)), *(step for case, _ in CASES.values() for step in case))
    whole = replay(events)
    for cut in range(len(events) + 1):
        assert replay(events[cut:], replay(events[:cut])) == whole


def test_a_snapshot_reads_back_to_the_same_state() -> None:
    events = journal(("a", proposed(5, 6)), *(step for case, _ in CASES.values() for step in case))
    for cut in range(1, len(events) + 1):
        state = replay(events[:cut])
        snapshot = snapshot_of(state)
        read = state_from(snapshot)
        assert read == state
        assert advance(read, events[cut:]) == replay(events), "folding goes on from a snapshot"
    assert state_from(snapshot._replace(text=snapshot.text.replace("5", "6", 1))) is None


def test_the_fold_is_total_over_every_order_of_events() -> None:
    bodies = [told(5), asked(5), ev.Skipped(5, ""), failed(5), ev.Excluded((5,), "", True), ev.Revised(5, 2, 3.0, "")]
    bodies += [ev.Renewed((5, 99), "x", LATER), ev.Expired((5,), "x"), ev.Queued((5,), ""), proposed(5, 77)]
    odd = ev.Amended({"annotation": 3, "target": {"name": 4, "kind": []}, "budget": "x", "lease_s": None}, "")
    for pair in itertools.permutations([*bodies, odd, told(5, "text"), told(5, None), created()], 3):
        state = replay(journal(*[("anna", body) for body in pair]))
        assert state_of(state, 5)


def test_spent_is_exact_whatever_the_order() -> None:
    costs = (0.1, 1e15, 0.3, 1e-9)
    found = set()
    for order in itertools.permutations(range(4)):
        steps = [("a", ev.Told(row, 1.0, False, costs[row], None, "")) for row in order]
        found.add(replay(journal(*steps)).spent)
    assert found == {sum(map(Fraction, costs))}


def test_a_tie_is_disputed_and_wants_one_more_answer_until_the_owner_settles_it() -> None:
    first = created(
        target={"name": "animal", "kind": "class", "classes": ["cat", "dog"]},
        annotation={"overlap": 2, "overlap_max": 3, "aggregate": "majority", "roles": {"owner": "owner"}},
    )
    steps = [("a", told(5, "cat")), ("b", told(5, "dog")), ("owner", told(5, "dog"))]
    one, tie, settled = (replay(journal(*steps[:n], first=first)) for n in (1, 2, 3))
    assert state_of(one, 5) == LABELLED and wanted(one, 5) == 2
    assert disputed(tie, 5) and state_of(tie, 5) == UNLABELLED and wanted(tie, 5) == 3
    assert not disputed(settled, 5) and settled.labels[5].value == "dog"
    assert 5 in view_of(tie).unavailable and 5 not in view_of(tie).labelled, "a tie is not trained on"


def test_amending_the_aggregate_derives_all_labels_anew() -> None:
    steps = [("a", told(5, 1.0)), ("b", told(5, 2.0))]
    amended = ev.Amended({"annotation": {"overlap": 2, "aggregate": "mean"}}, "")
    assert replay(journal(*steps)).labels[5].value == 2.0
    assert replay(journal(*steps, ("o", amended))).labels[5].value == 1.5


def test_the_view_is_canonical_and_sees_no_order_times_or_names() -> None:
    steps = [("a", told(7, 1.0)), ("b", told(3, 2.0)), ("c", asked(9, to="c")), ("d", ev.Skipped(1, ""))]
    views = {view_of(replay(journal(*order))).text() for order in itertools.permutations(steps)}
    assert len(views) == 1
    text = views.pop()
    assert '"labelled":[3,7]' in text and '"pending":[9]' in text and '"unavailable":[1]' in text
    assert AT not in text


def test_a_failed_row_that_is_due_again_counts_as_pending_for_the_proposer() -> None:
    view = view_of(replay(journal(("anna", asked(5)), ("anna", failed(5)))))
    assert view.pending == (5,)


def test_a_new_slate_takes_the_place_of_the_old_one() -> None:
    state = replay(journal(("a", proposed(1, 3, 2)), ("a", asked(1)), ("a", proposed(4, 2, round_=2))))
    assert list(state.slate) == [4, 2] and list(state.chosen) == [1]
    assert [row for row, _, _ in view_of(state).sources] == [1, 2, 3, 4]
    assert state.sources == {1: ("model", 1), 2: ("model", 2), 3: ("model", 1), 4: ("model", 2)}


def test_untouched_rows_cost_nothing() -> None:
    state = replay(journal(("anna", told(5)), first=created(pool=description(10**9))))
    assert counts(state)[UNLABELLED] == 10**9 - 1
