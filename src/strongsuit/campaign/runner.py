"""Asks, runs, renews, tells and fails until the advice, the budget or the rounds end it.

Rows that this runner's name holds already are taken up first: oracles that keep results find their tickets again.
A proposal is made in a thread beside, so that running jobs are told and renewed while a fit takes its minutes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from strongsuit.campaign.asking import Query
from strongsuit.campaign.chain import moment
from strongsuit.campaign.claims import claimed
from strongsuit.campaign.commands import MAX_REPEATS
from strongsuit.campaign.oracles import Done, Failed, Job, Oracle, Running
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.state import State
from strongsuit.campaign.view import Proposal, Proposer, View
from strongsuit.errors import (
    AlreadyTold,
    BudgetSpent,
    CampaignClosed,
    InputError,
    InvalidLabel,
    NothingToAsk,
    PoolExhausted,
)

log = logging.getLogger(__name__)
POLL_SECONDS = 0.1
RENEWS = 8  # looks at leases in the time of one


@dataclass(frozen=True)
class Limits:
    """How many jobs at once, how many seconds each, how often a failed row is tried again, how many rounds, and whether
    advice to stop ends the run."""

    workers: int = 1
    timeout: float | None = None
    retries: int = MAX_REPEATS
    rounds: int | None = None
    heed: bool = True


@dataclass
class Tally:
    """What a run has done so far, and why it ended."""

    told: int = 0
    failed: int = 0
    adopted: int = 0
    rounds: int = 0
    ended: str = ""


@dataclass
class _Work:
    """A job under way."""

    job: Job
    handle: Any
    since: float


class _RoundsDone(PoolExhausted):
    """As many rounds as were wanted have been proposed."""


@dataclass
class _Counted:
    """A proposer for so many rounds."""

    proposer: Proposer
    most: int | None
    seen: set[int] = field(default_factory=set)

    def propose(self, view: View, b: int, round: int) -> Proposal:
        """The proposal, unless the rounds are done."""
        if self.most is not None and round not in self.seen and len(self.seen) >= self.most:
            raise _RoundsDone(f"as many rounds as wanted: {self.most}")
        found = self.proposer.propose(view, b, round)
        self.seen.add(round)
        return found


def run_campaign(
    campaign: Campaign,
    oracle: Oracle,
    limits: Limits,
    *,
    by: str,
    progress: Callable[[Tally, int], None] = lambda tally, running: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Tally:
    """What was done once nothing is left to ask or the run was to end; the campaign needs its pool and a proposer.

    Whatever ends it, running jobs are ended too and their rows stay leased to `by`, for the next run of that name.
    InputError if one of that name is at work already.
    """
    if campaign.pool is None or campaign.proposer is None:
        raise InputError("run needs a campaign with its pool and a proposer")
    counted = _Counted(campaign.proposer, limits.rounds)
    campaign = replace(campaign, proposer=counted)
    with claimed(campaign.desk.store, campaign.name, f"run by {by}", campaign.desk.clock) as ours:
        if not ours:
            raise InputError(f"a runner called {by} is at work on {campaign.name}: end it, or take another name (--by)")
        runner = _Runner(campaign, oracle, limits, by, clock, counted)
        try:
            return runner.run(progress, sleep)
        finally:
            runner.stop()


class _Runner:
    """The state of one run."""

    def __init__(
        self, campaign: Campaign, oracle: Oracle, limits: Limits, by: str, clock: Callable[[], float], counted: _Counted
    ) -> None:
        self.campaign, self.oracle, self.limits, self.by, self.clock = campaign, oracle, limits, by, clock
        self.tally, self.counted = Tally(), counted
        self.work: dict[int, _Work] = {}
        self.waiting: list[Job] = []
        self.asking: Future[Query] | None = None
        self.until: datetime | None = None  # when a failed row is due again
        self.blocked = False  # nothing is left to ask until a job has ended
        self.thread, self.renewed = ThreadPoolExecutor(1), clock()

    def run(self, progress: Callable[[Tally, int], None], sleep: Callable[[float], None]) -> Tally:
        """The loop: what has ended is told, free workers get rows, leases are kept."""
        self._adopt()
        while True:
            moved = self._collect()
            moved = self._refill() or moved
            self._renew()
            self.tally.rounds = len(self.counted.seen)
            progress(self.tally, len(self.work))
            if self.tally.ended and not self.work and not self.waiting and self.asking is None:
                return self.tally
            if not moved:
                sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Ends what is running."""
        for one in self.work.values():
            self.oracle.cancel(one.handle)
        self.oracle.close()
        self.thread.shutdown(wait=False, cancel_futures=True)

    def _adopt(self) -> None:
        """Takes up the rows that this name holds: of a runner that was killed."""
        held = sorted(row for row, holders in self.campaign.state.leases.items() if self.by in holders)
        self.waiting = self._jobs(held)
        self.tally.adopted = len(held)

    def _jobs(self, rows: Any) -> list[Job]:
        pool, state = self.campaign.pool, self.campaign.state
        assert pool is not None
        frame, keys = pool.features(rows), pool.keys_of(rows)
        records = frame.astype(object).where(frame.notna(), None).to_dict("records") if len(rows) else []
        return [
            Job(_ticket(self.campaign.name, state, row), row, key, {str(name): one for name, one in record.items()})
            for row, key, record in zip(rows, keys, records, strict=True)
        ]

    def _collect(self) -> bool:
        """Whether a job has ended; what it said is written."""
        moved = False
        for row, one in list(self.work.items()):
            answer = self.oracle.poll(one.handle)
            if isinstance(answer, Running):
                if self.limits.timeout is None or self.clock() - one.since < self.limits.timeout:
                    continue
                self.oracle.cancel(one.handle)
                answer = Failed(f"no result after {self.limits.timeout:g} s")
            del self.work[row]
            moved, self.blocked = True, False
            self._write(row, answer, self.clock() - one.since)
        return moved

    def _write(self, row: int, answer: Done | Failed, seconds: float) -> None:
        if isinstance(answer, Done):
            try:
                self.campaign.tell(
                    {row: answer.value}, by=self.by, by_row=True, cost=answer.cost, seconds=round(seconds, 3),
                    note=answer.note,
                )  # fmt: skip
                self.tally.told += 1
                return
            except AlreadyTold as error:
                log.warning("%s: the first answer stays", error)
                return
            except InvalidLabel as error:
                answer = Failed(str(error), final=True)
        self.tally.failed += 1
        self.campaign.fail(
            row, reason=answer.reason, final=answer.final, retries=self.limits.retries, by=self.by, by_row=True
        )

    def _refill(self) -> bool:
        """Whether a free worker was given a row, or rows came."""
        moved = self._hear()
        while self.waiting and self._free() > 0:
            job = self.waiting.pop(0)
            self.work[job.row] = _Work(job, self.oracle.submit(job), self.clock())
            moved = True
        if self.waiting or self.asking or self.tally.ended or self._free() <= 0:
            return moved
        if self._advised():
            self.tally.ended = "the advice is to stop"
        elif not self.blocked and (self.until is None or self.campaign.desk.clock() >= self.until):
            self.until = None
            self.asking = self.thread.submit(self.campaign.ask, 1, by=self.by, more=True)
        return moved

    def _free(self) -> int:
        return self.limits.workers - len(self.work)

    def _hear(self) -> bool:
        """Whether the rows that were asked for have come, or there are none."""
        if self.asking is None or not self.asking.done():
            return False
        asking, self.asking = self.asking, None
        try:
            self.waiting = self._jobs(asking.result().rows)
        except NothingToAsk as nothing:
            self._wait(nothing)
        return True

    def _wait(self, nothing: NothingToAsk) -> None:
        """Waits for a failed row to be due or for a job to end, if either may bring rows; else the run is over."""
        due = None if isinstance(nothing, CampaignClosed | BudgetSpent) else self._due()
        if isinstance(nothing, CampaignClosed) or (due is None and not self.work):
            self.tally.ended = str(nothing)
        self.until, self.blocked = due, due is None

    def _due(self) -> datetime | None:
        """When the next failed row is due again."""
        state, now = self.campaign.state, self.campaign.desk.clock()
        times = [one.retry_at for row, one in state.failures.items() if not one.final and row not in state.labels]
        return min((at for at in map(moment, filter(None, times)) if at > now), default=None)

    def _advised(self) -> bool:
        curve = self.campaign.state.curve
        return self.limits.heed and bool(curve) and (curve[-1]["advice"] or {}).get("stop") is True

    def _renew(self) -> None:
        if self.clock() - self.renewed > self.campaign.desk.state.rules.lease_s / RENEWS:
            self.renewed = self.clock()
            self.campaign.renew(by=self.by)


def _ticket(name: str, state: State, row: int) -> str:
    """The name of a job for good: of the row, since when it is asked for, and of the attempt."""
    failure = state.failures.get(row)
    return f"{name}-r{row}-{state.begun.get(row, 0)}-{failure.attempt + 1 if failure else 1}"
