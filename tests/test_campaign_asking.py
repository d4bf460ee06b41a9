"""`ask`: who gets which rows, when a proposal is made, what leases, budgets and clocks do."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.campaign_examples import Clock, RandomProposer, campaign, description, kinds

from strongsuit.campaign import Chosen, Proposal, load_campaign
from strongsuit.campaign.chain import stamp
from strongsuit.errors import BudgetSpent, CampaignClosed, InputError, PoolExhausted, RequestMismatch


def test_a_first_ask_writes_proposal_and_leases_together() -> None:
    one = campaign()
    query = one.ask(3, by="anna")
    assert kinds(one) == ["Created", "Proposed", "Asked"]
    proposed, asked = (event.body for event in one.journal(after=1))
    assert len({event.request for event in one.journal(after=1)}) == 1
    assert len(proposed.rows) == 4 and proposed.basis == 1 and proposed.round == 1
    assert asked.rows == query.rows == tuple(one_.row for one_ in proposed.rows[:3])
    assert query.rank == (0, 1, 2) and query.source == ("model",) * 3 and query.why == ("they differ",) * 3
    assert query.keys == tuple(f"K{row}" for row in query.rows) and query.short is None
    assert query.until == "2026-11-21T09:30:00.000Z", "half an hour"


def test_whoever_holds_rows_gets_these_again() -> None:
    one = campaign()
    rows = one.ask(3, by="anna").rows
    position = one.state.position
    assert one.ask(2, by="anna").rows == rows and one.ask(by="anna").rows == rows
    assert one.state.position == position, "a reloaded page writes nothing"
    assert not set(one.ask(1, by="anna", more=True).rows) & set(rows)
    assert not set(one.ask(1, by="anna", request="new").rows) & set(rows)


def test_a_known_request_id_gives_the_recorded_rows_whatever_happened_since() -> None:
    one = campaign()
    first = one.ask(3, by="anna", request="r1")
    one.tell(dict.fromkeys(first.rows, 1.0), by="anna")
    one.ask(4, by="bob")
    one.ask(4, by="carl")
    one.close()
    again = one.ask(3, by="anna", request="r1")
    assert (again.rows, again.rank, again.source, again.why) == (first.rows, first.rank, first.source, first.why)
    with pytest.raises(RequestMismatch, match="take a new request id"):
        one.ask(3, by="bob", request="r1")
    with pytest.raises(RequestMismatch):
        one.tell({first.rows[0]: 1.0}, by="anna", request="r1")


def test_two_askers_never_share_a_row() -> None:
    one = campaign()
    rows = [row for name in "abcdefgh" for row in one.ask(3, by=name).rows]
    assert len(rows) == 24 == len(set(rows))


def test_overlap_gives_a_row_to_that_many_people_and_never_twice_to_one() -> None:
    one = campaign(annotation={"overlap": 2, "aggregate": "mean"})
    anna, bob, carl = (one.ask(4, by=name).rows for name in ("anna", "bob", "carl"))
    assert anna == bob and not set(carl) & set(anna)
    one.tell(dict.fromkeys(anna, 1.0), by="anna")
    assert not set(one.ask(4, by="anna").rows) & set(anna)


def test_rows_that_still_want_an_answer_lead_the_slate() -> None:
    one = campaign(annotation={"overlap": 2, "aggregate": "mean"})
    rows = one.ask(4, by="anna").rows
    one.tell(dict.fromkeys(rows, 1.0), by="anna")
    one.ask(4, by="anna")
    assert one.ask(2, by="bob").rows == rows[:2]


def test_queued_rows_come_first_and_belong_to_no_round() -> None:
    one = campaign()
    one.queue([30, 7], by="anna")
    query = one.ask(4, by="bob")
    assert query.rows[:2] == (30, 7) and query.source[:2] == ("queued", "queued")
    assert one.state.queued == {}, "handed out once"
    assert [event.body.round for event in one.journal() if event.kind == "Asked"] == [None, 1]
    assert not {30, 7} & {row for event in one.journal() if event.kind == "Proposed" for row in event.body.dropped}


def test_free_rows_of_an_older_slate_go_back_to_the_pool() -> None:
    one = campaign()
    one.ask(3, by="anna")
    left = next(row for row in one.state.slate if row not in one.state.leases)
    one.ask(4, by="bob")
    assert one.state.round == 2
    view, _, _ = one.proposer.calls[1]
    assert left not in view.pending + view.unavailable + view.labelled


def test_a_lease_that_ran_out_is_noticed_by_the_next_asker_and_leads_the_slate() -> None:
    clock = Clock()
    one = campaign(clock=clock)
    rows = one.ask(3, by="anna").rows
    clock.move(minutes=30)  # a lease ends at its time, not after it
    assert one.ask(2, by="bob").rows == rows[:2]
    assert kinds(one, after=3) == ["Expired", "Asked"]
    assert len({event.request for event in one.journal(after=3)}) == 1, "in the same append as what follows"
    one.tell({rows[0]: 1.0}, by="anna")
    assert one.state.labels[rows[0]].value == 1.0, "late answers are never lost"


def test_the_fold_knows_no_clock() -> None:
    clock = Clock()
    one = campaign(clock=clock)
    one.ask(3, by="anna")
    clock.move(days=400)
    assert one.status()["states"]["pending"] == 3 and one.status()["leases"][0]["over"]


def test_renewing_keeps_rows_at_most_one_event_a_half_lease() -> None:
    clock = Clock()
    one = campaign(clock=clock)
    rows = one.ask(3, by="anna").rows
    assert one.renew(by="anna").rows == () and kinds(one)[-1] == "Asked"
    clock.move(minutes=16)
    assert set(one.renew(by="anna").rows) == set(rows)
    clock.move(minutes=20)
    assert not set(one.ask(3, by="bob").rows) & set(rows)
    with pytest.raises(InputError, match="not leased to carl"):
        one.renew([rows[0]], by="carl")


def test_a_clock_that_was_a_year_ahead_cannot_pin_rows_for_a_year() -> None:
    clock = Clock()
    one = campaign(clock=clock)
    clock.move(days=365)
    rows = one.ask(3, by="anna").rows
    clock.move(days=-365)
    one.ask(3, by="bob")
    renewed = [event.body for event in one.journal() if event.kind == "Renewed"]
    assert [set(body.rows) for body in renewed] == [set(rows)]
    assert renewed[0].until == "2026-11-21T09:30:00.000Z"
    one.ask(3, by="carl")
    assert kinds(one).count("Renewed") == 1, "once"
    clock.move(minutes=31)
    assert set(one.ask(3, by="dora").rows) <= set(rows) | set(one.state.begun)


def test_a_clock_set_forward_ends_leases_early_and_loses_no_answer() -> None:
    clock = Clock()
    one = campaign(clock=clock)
    rows = one.ask(3, by="anna").rows
    clock.move(days=365)
    assert set(one.ask(3, by="bob").rows) == set(rows)
    one.tell(dict.fromkeys(rows, 2.0), by="anna")
    assert set(one.state.labels) == set(rows)


def test_a_clock_that_stands_still_changes_nothing() -> None:
    one = campaign()
    for _ in range(5):
        query = one.ask(by="anna")
        one.tell(dict.fromkeys(query.rows, 1.0), by="anna")
    assert len(one.state.labels) == 20 and one.status()["states"]["pending"] == 0


def test_failed_rows_come_back_after_their_wait_and_not_before() -> None:
    clock = Clock()
    one = campaign(clock=clock, lease_s=86_400)
    row = one.ask(1, by="sim").rows[0]
    for attempt, wait in ((1, 60), (2, 120)):
        one.fail(row, reason="diverged", by="sim")
        failure = one.state.failures[row]
        assert (failure.attempt, failure.final) == (attempt, False)
        assert failure.retry_at == stamp(clock.now.replace(minute=clock.now.minute + wait // 60))
        assert row not in one.ask(1, by=f"early{attempt}").rows
        clock.move(seconds=wait)
        assert one.ask(1, by="sim", more=True).rows == (row,)
    one.fail(row, reason="diverged", by="sim")
    assert one.state.failures[row].final and one.status()["states"]["failed"] == 1
    clock.move(days=2)
    assert row not in one.ask(30, by="otto").rows
    one.tell({row: 1.0}, by="late")
    assert one.status()["states"]["failed"] == 0, "a label afterwards wins"


def test_waits_double_up_to_an_hour() -> None:
    one = campaign()
    for _ in range(9):
        one.fail(5, reason="x", by="sim", retries=100)
    body = one.journal()[-1].body
    assert body.attempt == 9 and body.retry_at == "2026-11-21T10:00:00.000Z"


def test_skipped_rows_go_to_others_and_vanish_when_enough_have_skipped() -> None:
    one = campaign(annotation={"skip_limit": 2})
    row = one.ask(1, by="anna").rows[0]
    one.skip(row, by="anna", reason="blurred")
    assert row not in one.ask(4, by="anna").rows
    assert one.ask(1, by="bob").rows == (row,)
    one.skip(row, by="bob")
    assert one.status()["states"]["skipped"] == 1
    one.restore(row, by="owner")
    assert one.status()["states"]["skipped"] == 0


def test_ask_stays_within_the_budget() -> None:
    one = campaign(cost={"unit": "h", "row": 2.0}, budget={"limit": 9, "unit": "h"}, batch=8)
    query = one.ask(8, by="anna")
    assert len(query) == 4 and query.short == "budget"
    assert one.status()["cost"] == {"unit": "h", "spent": 0.0, "committed": 8.0, "limit": 9.0, "left": 1.0}
    with pytest.raises(BudgetSpent, match="0 of 9 h"):
        one.ask(1, by="bob")
    one.tell({query.rows[0]: 1.0}, by="anna", cost=0.5)
    assert one.status()["cost"]["spent"] == 0.5 and len(one.ask(2, by="bob")) == 1
    fits = len(one.proposer.calls)
    with pytest.raises(BudgetSpent):
        one.ask(1, by="carl")
    assert len(one.proposer.calls) == fits, "nothing is fitted that nobody can pay"


def test_failures_cost_the_expected_unless_settings_say_none() -> None:
    for fail, spent in (("full", 2.0), ("none", 0.0)):
        one = campaign(cost={"unit": "h", "row": 2.0, "fail": fail})
        one.fail(3, reason="x", by="sim")
        one.fail(4, reason="x", by="sim", cost=0.25)
        assert one.status()["cost"]["spent"] == spent + 0.25


def test_fewer_rows_say_why() -> None:
    one = campaign(pool=description(6), batch=4)
    query = one.ask(10, by="anna")
    assert len(query) == 6 and query.short == "pool"
    with pytest.raises(PoolExhausted, match="6 leased"):
        one.ask(1, by="bob")
    bare = load_campaign("alloys", store=one.desk.store, clock=one.desk.clock)
    with pytest.raises(PoolExhausted, match="no proposer"):
        bare.ask(1, by="bob")


def test_without_a_proposer_the_slate_is_still_handed_out() -> None:
    one = campaign()
    one.ask(1, by="anna")
    bare = load_campaign("alloys", store=one.desk.store, clock=one.desk.clock)
    query = bare.ask(10, by="bob")
    assert len(query) == 3 and query.short == "slate"


def test_a_closed_campaign_hands_out_nothing_and_still_takes_answers() -> None:
    one = campaign()
    rows = one.ask(3, by="anna").rows
    one.close(by="owner", reason="enough")
    with pytest.raises(CampaignClosed, match="reopen"):
        one.ask(1, by="bob")
    one.tell({rows[0]: 1.0}, by="anna")
    one.revise(rows[0], 2.0, by="anna")
    one.fail(rows[1], reason="x", by="anna")
    assert one.close(by="owner").position == one.state.position, "closing twice writes nothing"
    one.reopen(by="owner")
    assert len(one.ask(1, by="bob")) == 1


def test_advice_closes_only_where_the_settings_say_so() -> None:
    advice = {"stop": True, "text": "plateau"}
    one = campaign(proposer=RandomProposer(advice=advice))
    assert len(one.ask(2, by="anna")) == 2 and kinds(one) == ["Created", "Proposed", "Assessed", "Asked"]
    closing = campaign(proposer=RandomProposer(advice=advice), stopping={"auto_close": True})
    with pytest.raises(CampaignClosed, match="plateau"):
        closing.ask(2, by="anna")
    assert kinds(closing) == ["Created", "Proposed", "Assessed", "Closed"]
    assert closing.status()["curve"][0]["basis"] == 1


@dataclass
class Meddling(RandomProposer):
    """A proposer during whose fits others label what it is about to propose."""

    meddle: Any = None

    def propose(self, view, b, round) -> Proposal:  # type: ignore[no-untyped-def]
        proposal = super().propose(view, b, round)
        self.meddle([one.row for one in proposal.rows], len(self.calls))
        return proposal


def test_answers_during_a_fit_are_taken_and_their_rows_dropped() -> None:
    one = campaign()
    meddling = Meddling(meddle=lambda rows, call: one.tell({rows[0]: 5.0}, by="carl"))
    query = replace(one, proposer=meddling).ask(4, by="anna")
    body = next(event.body for event in one.journal() if event.kind == "Proposed")
    assert len(body.dropped) == 1 and len(body.rows) == 3 and body.basis == 1
    assert set(query.rows) == {chosen.row for chosen in body.rows}
    assert len(meddling.calls) == 1
    assert replace(one, proposer=RandomProposer()).verify()[0].verdict == "equal"


def test_a_proposal_that_lost_most_of_its_rows_is_made_once_more() -> None:
    one = campaign()
    meddling = Meddling(meddle=lambda rows, call: one.tell(dict.fromkeys(rows[:3], 5.0), by="carl"))
    query = replace(one, proposer=meddling).ask(4, by="anna")
    assert len(meddling.calls) == 2 and len(query) == 1
    assert [event.kind for event in one.journal()].count("Proposed") == 1


def test_a_second_proposer_of_a_round_takes_the_winners_slate() -> None:
    one = campaign(batch=8)
    other = load_campaign(
        "alloys", store=_WithoutClaims(one.desk.store), proposer=RandomProposer(), clock=one.desk.clock
    )
    meddling = Meddling(meddle=lambda rows, call: other.ask(2, by="bob"))
    rows = replace(one, proposer=meddling).ask(4, by="anna").rows
    assert one.state.round == 1 and kinds(one).count("Proposed") == 1
    assert rows == tuple(list(one.state.slate)[2:6])


class _WithoutClaims:
    """A store of the three methods alone."""

    def __init__(self, store: Any) -> None:
        self.append, self.read, self.campaigns = store.append, store.read, store.campaigns


def test_a_claim_keeps_a_second_process_from_fitting_the_same_round() -> None:
    one = campaign(batch=8)
    other = load_campaign("alloys", store=one.desk.store, proposer=RandomProposer(), clock=one.desk.clock)
    slept: list[float] = []
    other = replace(other, sleep=slept.append)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(other.ask(2, by="bob")))

    def meddle(rows: list[int], call: int) -> None:
        thread.start()
        while not slept:  # the other one has found the claim taken
            pass

    rows = replace(one, proposer=Meddling(meddle=meddle)).ask(4, by="anna").rows
    thread.join()
    assert other.proposer.calls == [] and one.state.round == 1
    assert not set(found[0].rows) & set(rows)


def test_preparing_ahead_writes_a_slate_before_anybody_waits() -> None:
    one = campaign(batch=4)
    assert one.prepare(by="server")
    assert kinds(one) == ["Created", "Proposed"]
    assert not one.prepare(by="server"), "half the slate is still there"
    one.ask(3, by="anna")
    assert one.prepare(by="server") and one.state.round == 2


def test_proposers_that_choose_rows_twice_or_outside_the_pool_are_refused() -> None:
    for rows in ((1, 1), (40,), (-1,)):

        class Wrong:
            def propose(self, view, b, round, rows=rows):  # type: ignore[no-untyped-def]
                return Proposal(tuple(Chosen(row, i, "model") for i, row in enumerate(rows)), "none", "wrong")

        with pytest.raises(InputError, match="different rows from 0 to 39"):
            campaign(proposer=Wrong()).ask(1, by="anna")


@pytest.mark.parametrize("n", [0, -1, 1.5, True])
def test_n_must_be_a_whole_number_of_rows(n: Any) -> None:
    with pytest.raises(InputError, match="n must be a whole number"):
        campaign().ask(n, by="anna")


def test_released_rows_go_to_the_next_who_asks_and_late_answers_count() -> None:
    one = campaign()
    rows = one.ask(3, by="anna").rows
    assert one.release("anna", [rows[1]], by="olga").rows == (rows[1],)
    assert one.ask(1, by="bob").rows == (rows[1],)
    assert sorted(one.release("anna", by="olga").rows) == sorted((rows[0], rows[2]))
    assert one.release("anna", by="olga").rows == () and one.release("zoe", [rows[0]], by="olga").rows == ()
    assert one.tell({rows[0]: 1.0}, by="anna").rows == (rows[0],)
