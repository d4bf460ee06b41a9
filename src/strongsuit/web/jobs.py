"""Fits in the background: while a round is being chosen, every labeller goes on.

One fit a campaign at a time. A stopped fit may run to its end, where nobody can end it, but nothing of it is written.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from strongsuit.campaign.asking import Query, running_low
from strongsuit.campaign.chain import stamp
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.view import Proposal, View
from strongsuit.errors import PoolExhausted, StrongsuitError
from strongsuit.web.problems import Refused, problem_of

log = logging.getLogger(__name__)
RUNNING, DONE, FAILED, STOPPED = "running", "done", "failed", "stopped"
ASK, AHEAD = "ask", "ahead"
PATIENCE = 0.5  # seconds that a quick fit is waited for before somebody is told to come back
MANY = 200  # jobs remembered


class _Stopped(Exception):
    pass


@dataclass
class Job:
    """One fit: what for, for whom, and how it went."""

    campaign: str
    kind: str
    by: str
    position: int
    started_at: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    status: str = RUNNING
    error: Exception | None = None
    over: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)

    def about(self) -> dict[str, Any]:
        """What its owner may read."""
        problem = problem_of(self.error) if self.error is not None else None
        return {
            "id": self.id, "campaign": self.campaign, "kind": self.kind, "by": self.by, "status": self.status,
            "started_at": self.started_at, "error": problem and {"type": problem.name, "detail": problem.text},
        }  # fmt: skip


@dataclass(frozen=True)
class _Stoppable:
    """A proposer whose proposal is dropped if its job was stopped meanwhile."""

    proposer: Any
    job: Job

    def propose(self, view: View, b: int, round: int) -> Proposal:
        proposal = self.proposer.propose(view, b, round)
        if self.job.stop.is_set():
            raise _Stopped
        return proposal


@dataclass
class Jobs:
    """The fits of this process."""

    _all: dict[str, Job] = field(default_factory=dict)
    _running: dict[str, tuple[Job, Any]] = field(default_factory=dict)
    _ahead: dict[str, int] = field(default_factory=dict)  # campaign -> round after which a fit ahead was tried
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def get(self, id_: str) -> Job:
        """A job; Refused if there is none."""
        job = self._all.get(id_)
        if job is None:
            raise Refused(404, "UnknownJob", "There is no such job on this server.")
        return job

    def running(self, campaign: str) -> Job | None:
        """The fit that runs for a campaign."""
        with self._lock:
            job, _ = self._running.get(campaign, (None, None))
            return job

    def stop(self, job: Job) -> None:
        """Ends a job: its proposal is not written, and a proposer that can be stopped is."""
        with self._lock:
            _, proposer = self._running.get(job.campaign, (None, None))
            if job.status != RUNNING:
                return
            job.stop.set()
            if proposer is not None and hasattr(proposer, "stop"):
                proposer.stop()

    def handed(self, campaign: Campaign, by: str, n: int, *, more: bool, request: str | None = None) -> Query | Job:
        """Rows leased at once, or the fit to wait for where there are none; raises what `ask` does if none will come.

        What a proposer said when it failed is raised once; the next call tries again.
        """
        for patience in (PATIENCE, 0.0):
            try:
                query = replace(campaign, proposer=None).ask(n, by=by, request=request, more=more)
            except PoolExhausted:
                if campaign.proposer is None:
                    raise
                job = self._needed(campaign, by, n, more, request)
                if not job.over.wait(patience):
                    return job
                if job.error is not None and job.kind == ASK:
                    self._forget(job)
                    raise job.error if isinstance(job.error, StrongsuitError) else _unfit() from job.error
                more = more and (job.kind, job.by) != (ASK, by)  # what was wanted has been leased with the round
            else:
                self.ahead(campaign, by)
                return query
        return job

    def ahead(self, campaign: Campaign, by: str) -> None:
        """Begins the next round once at most half a batch is left to hand out, so that nobody waits for it."""
        if campaign.proposer is None:
            return
        with campaign.desk.lock:
            state = campaign.desk.state
            due, round_ = not state.closed and bool(state.slate) and running_low(state), state.round
        with self._lock:
            if due and self._ahead.get(campaign.name) != round_ and campaign.name not in self._running:
                self._ahead[campaign.name] = round_
                self._start(campaign, by, AHEAD, lambda one: one.prepare(by=by))

    def _needed(self, campaign: Campaign, by: str, n: int, more: bool, request: str | None) -> Job:
        with self._lock:
            if campaign.name in self._running:
                return self._running[campaign.name][0]
            known = [job for job in self._all.values() if (job.campaign, job.by, job.kind) == (campaign.name, by, ASK)]
            if (
                known
                and isinstance(known[-1].error, PoolExhausted)
                and known[-1].position == campaign.desk.state.position
            ):
                raise known[-1].error  # nothing has changed since
            if known and known[-1].error is not None and not isinstance(known[-1].error, PoolExhausted):
                return known[-1]
            return self._start(campaign, by, ASK, lambda one: one.ask(n, by=by, request=request, more=more))

    def _forget(self, job: Job) -> None:
        if not isinstance(job.error, PoolExhausted):
            self._all.pop(job.id, None)

    def _start(self, campaign: Campaign, by: str, kind: str, work: Callable[[Campaign], Any]) -> Job:
        job = Job(campaign.name, kind, by, campaign.desk.state.position, stamp(campaign.desk.clock()))
        while len(self._all) >= MANY:
            self._all.pop(next(iter(self._all)))
        self._all[job.id] = job
        self._running[campaign.name] = (job, campaign.proposer)
        fitting = replace(campaign, proposer=_Stoppable(campaign.proposer, job))
        threading.Thread(target=self._run, args=(job, fitting, work), name=f"fit-{campaign.name}", daemon=True).start()
        return job

    def _run(self, job: Job, campaign: Campaign, work: Callable[[Campaign], Any]) -> None:
        try:
            work(campaign)
            job.status = DONE
        except Exception as error:
            stopped = job.stop.is_set()
            job.status, job.error = (STOPPED, None) if stopped else (FAILED, error)
            if not stopped and not isinstance(error, PoolExhausted):
                log.exception("the fit for campaign %s failed", job.campaign)
        finally:
            job.position = campaign.desk.state.position
            with self._lock:
                self._running.pop(job.campaign, None)
            job.over.set()


def _unfit() -> Refused:
    return Refused(503, "FitFailed", "No new rows could be chosen; the server's log says why. Tell the owner.", 5.0)
