"""Random sequences of commands: what holds whatever people, programs and clocks do."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.campaign_examples import Clock, RandomProposer, campaign, description, lines

from strongsuit.campaign import Campaign, Chosen, MemoryStore, Proposal, View, fork_campaign, load_campaign
from strongsuit.campaign.chain import linked
from strongsuit.campaign.snapshot import snapshot_of, state_from
from strongsuit.campaign.state import State, counts, replay, state_of
from strongsuit.errors import StrongsuitError

PEOPLE = st.sampled_from(["anna", "bob", "olga"])
ROW = st.integers(0, 11)
STEPS = st.one_of(
    st.tuples(st.just("ask"), PEOPLE, st.integers(1, 5), st.booleans()),
    st.tuples(st.just("tell"), PEOPLE, st.dictionaries(ROW, st.sampled_from(["cat", "dog"]), max_size=4)),
    st.tuples(st.just("tell_held"), PEOPLE, st.sampled_from(["cat", "dog"])),
    st.tuples(st.just("skip"), PEOPLE, ROW),
    st.tuples(st.just("fail"), PEOPLE, ROW, st.booleans()),
    st.tuples(st.just("revise"), PEOPLE, ROW, st.sampled_from(["cat", "dog", None])),
    st.tuples(st.just("exclude"), PEOPLE, ROW),
    st.tuples(st.just("restore"), PEOPLE, ROW),
    st.tuples(st.just("queue"), PEOPLE, ROW),
    st.tuples(st.just("renew"), PEOPLE),
    st.tuples(st.just("close"), PEOPLE),
    st.tuples(st.just("reopen"), PEOPLE),
    st.tuples(st.just("amend"), PEOPLE, st.integers(1, 6)),
    st.tuples(st.just("wait"), st.sampled_from([1, 20, 40, -600, 100_000])),
)


def step(one: Campaign, clock: Clock, action: tuple[Any, ...]) -> None:
    """One command; refusals are answers too."""
    verb, *given_ = action
    if verb == "wait":
        clock.move(minutes=given_[0])
        return
    by, *rest = given_
    calls = {
        "ask": lambda n, more: one.ask(n, by=by, more=more),
        "tell": lambda answers: one.tell(answers, by=by),
        "tell_held": lambda value: one.tell(
            {row: value for row, held in one.state.leases.items() if by in held}, by=by
        ),
        "skip": lambda row: one.skip(row, by=by),
        "fail": lambda row, final: one.fail(row, reason="x", final=final, by=by),
        "revise": lambda row, value: one.revise(row, value, by=by),
        "exclude": lambda row: one.exclude([row], by=by),
        "restore": lambda row: one.restore([row], by=by),
        "queue": lambda row: one.queue([row], by=by),
        "renew": lambda: one.renew(by=by),
        "close": lambda: one.close(by=by),
        "reopen": lambda: one.reopen(by=by),
        "amend": lambda n: one.amend({"batch": n}, by=by),
    }
    try:
        calls[verb](*rest)
    except StrongsuitError:
        pass


def played(steps: list[tuple[Any, ...]], overlap: int, limit: float | None) -> tuple[Campaign, Clock]:
    """A campaign of twelve rows after the steps."""
    clock = Clock()
    one = campaign(
        clock=clock, pool=description(12), batch=3, target={"name": "a", "kind": "class", "classes": ["cat", "dog"]},
        annotation={
            "overlap": overlap, "overlap_max": 3, "aggregate": "majority" if overlap > 1 else "latest",
            "roles": {"olga": "owner"},
        },
        budget=None if limit is None else {"limit": limit},
    )  # fmt: skip
    for action in steps:
        step(one, clock, action)
    return one, clock


PLAYS = {"steps": st.lists(STEPS, max_size=25), "overlap": st.integers(1, 2), "limit": st.sampled_from([None, 6.0])}


@settings(max_examples=60)
@given(**PLAYS)
def test_no_sequence_of_commands_breaks_an_invariant(steps: list, overlap: int, limit: float | None) -> None:
    one, _ = played(steps, overlap, limit)
    events = list(linked(one.journal()))
    state = State()
    for event in events:
        check_event(state, event, overlap)
        state = replay([event], state)
        check_state(state)
    assert state == one.state
    assert one.status()["position"] == len(events)


def check_event(state: State, event: Any, overlap: int) -> None:
    """What a verb may write in this state."""
    body = event.body
    if event.kind == "Asked":
        assert not state.closed and len(set(body.rows)) == len(body.rows) > 0
        for row in body.rows:
            assert state_of(state, row) not in ("excluded", "skipped", "failed")
            assert body.to not in state.answers.get(row, {}) and body.to not in state.skips.get(row, ())
            busy = len(state.leases.get(row, {})) + len(state.answers.get(row, {}))
            assert busy < max(overlap, 3 if row in state.answers and row not in state.labels else 0)
    if event.kind == "Proposed":
        assert body.round == state.round + 1 and body.basis < event.position
        assert not {one.row for one in body.rows} & set(body.dropped)
        assert all(state_of(state, one.row) == "unlabelled" for one in body.rows)
    if event.kind == "Told":
        assert event.by not in state.answers.get(body.row, {})
    if event.kind == "Revised":
        assert body.of in {answer.position for answer in state.answers[body.row].values()}


def check_state(state: State) -> None:
    """What holds in every state."""
    found = counts(state)
    assert sum(found.values()) == state.rules.rows and min(found.values()) >= 0
    assert set(state.labels) <= set(state.answers)
    assert all(state.answers.values()) and all(state.leases.values())
    assert state.spent >= 0


@settings(max_examples=40)
@given(**PLAYS, cut=st.integers(0, 100))
def test_halves_forks_and_snapshots_equal_the_whole(steps: list, overlap: int, limit: float | None, cut: int) -> None:
    one, _ = played(steps, overlap, limit)
    events = one.journal()
    at = 1 + cut % len(events)
    half = replay(events[:at])
    assert replay(events[at:], half) == one.state
    read = state_from(snapshot_of(half))
    assert read == half and replay(events[at:], read) == one.state
    other = fork_campaign("alloys", "fork", at=at, store=one.desk.store)
    assert lines(other) == lines(one)[:at] and other.state == half


@settings(max_examples=40)
@given(**PLAYS)
def test_a_campaign_loaded_anew_after_every_step_writes_the_same_journal(
    steps: list, overlap: int, limit: float | None
) -> None:
    unbroken, _ = played(steps, overlap, limit)
    resumed, clock = played([], overlap, limit)
    for action in steps:
        resumed = load_campaign("alloys", store=resumed.desk.store, proposer=RandomProposer(), clock=clock)
        step(resumed, clock, action)
    assert lines(resumed) == lines(unbroken)


@settings(max_examples=40)
@given(**PLAYS)
def test_every_proposal_comes_out_again(steps: list, overlap: int, limit: float | None) -> None:
    one, _ = played(steps, overlap, limit)
    assert all(verdict.verdict == "equal" for verdict in one.verify())


@settings(max_examples=40)
@given(
    order=st.permutations(range(6)),
    cuts=st.sets(st.integers(1, 5)),
    named=st.booleans(),
)
def test_any_order_of_tells_in_any_split_gives_the_same_next_slate(order: list, cuts: set, named: bool) -> None:
    def next_slate(order: list[int], cuts: set[int]) -> tuple[tuple[int, ...], str]:
        one = campaign(batch=6)
        rows = one.ask(6, by="anna").rows
        ends = [0, *sorted(cuts), 6]
        for i, (start, end) in enumerate(itertools.pairwise(ends)):
            answers = {rows[k]: 0.1 * k for k in order[start:end]}
            one.tell(answers, by="anna", request=f"file{i}" if named else None)
        return one.ask(6, by="anna").rows, one.proposer.calls[-1][0].text()

    assert next_slate(order, cuts) == next_slate(list(range(6)), set())


@dataclass
class Interrupted(RandomProposer):
    """A proposer that is told what happens while it works."""

    during: list[Any] = field(default_factory=list)

    def propose(self, view: View, b: int, round: int) -> Proposal:
        proposal = super().propose(view, b, round)
        for act in self.during:
            act()
        self.during = []
        return proposal


@settings(max_examples=40)
@given(told=st.lists(st.integers(0, 11), max_size=12, unique=True))
def test_proposed_and_dropped_rows_together_are_the_proposal(told: list[int]) -> None:
    one = campaign(pool=description(12), batch=4)
    during = [lambda row=row: one.tell({row: 1.0}, by="carl") for row in told]
    busy = replace(one, proposer=Interrupted(during=during))
    try:
        busy.ask(4, by="anna")
    except StrongsuitError:
        assert len(told) == 12
    for event in one.journal():
        if event.kind == "Proposed":
            assert not {chosen.row for chosen in event.body.rows} & set(told)
    assert all(verdict.verdict == "equal" for verdict in one.verify())


def test_verify_tells_apart_equal_different_and_impossible() -> None:
    class Other(RandomProposer):
        def propose(self, view: View, b: int, round: int) -> Proposal:
            return Proposal(tuple(Chosen(row, row, "model") for row in range(b)), "none", "first")

    class Gone(RandomProposer):
        def propose(self, view: View, b: int, round: int) -> Proposal:
            raise ImportError("no torch here")

    one = campaign(store=MemoryStore())
    one.ask(4, by="anna")
    found = [replace(one, proposer=proposer).verify()[0] for proposer in (RandomProposer(), Other(), Gone())]
    assert [verdict.verdict for verdict in found] == ["equal", "differs", "impossible"]
    assert "no torch here" in found[2].detail
