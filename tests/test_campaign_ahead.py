"""Rounds proposed ahead of need, and how many rows a round was asked for: what the journal keeps of both."""

from __future__ import annotations

from tests.campaign_examples import campaign

from strongsuit.campaign import load_campaign


def test_a_round_proposed_ahead_leaves_the_rest_of_the_slate_in_front_and_none_of_it_is_chosen_again() -> None:
    one = campaign(batch=4)
    one.prepare(by="server")
    slate = list(one.state.slate)
    first = one.ask(2, by="anna").rows
    assert first == tuple(slate[:2])
    one.tell(dict.fromkeys(first, 1.0), by="anna")
    assert one.prepare(by="server")
    view, wanted, _ = one.proposer.calls[-1]
    assert set(slate[2:]) <= set(view.pending) and wanted == 4
    later = one.ask(6, by="anna")
    assert later.rows[:2] == tuple(slate[2:]) and len({*first, *later.rows}) == 8
    proposed = [event.body for event in one.journal() if event.kind == "Proposed"]
    assert [(body.b, body.kept, body.dropped) for body in proposed] == [(4, (), ()), (4, tuple(slate[2:]), ())]
    assert {(event.body.round, event.body.rows) for event in one.journal() if event.kind == "Asked"} == {
        (1, first), (1, later.rows[:2]), (2, later.rows[2:])
    }  # fmt: skip
    assert {verdict.verdict for verdict in one.verify()} == {"equal"}
    again = load_campaign("alloys", store=one.desk.store)
    assert again.state == one.state


def test_verify_asks_for_as_many_rows_as_were_wanted_then() -> None:
    one = campaign(batch=4)
    one.ask(1, by="anna")
    one.ask(9, by="bob")
    one.verify()
    assert [b for _, b, _ in one.proposer.calls] == [4, 6, 4, 6]
