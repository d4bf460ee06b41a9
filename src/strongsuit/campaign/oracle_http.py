"""Labels from a service: the job is posted with its ticket as Idempotency-Key; the answer comes at once or later."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any
from urllib.parse import urljoin

from strongsuit.campaign.oracles import LAST_WORDS, Answer, Failed, Job, Running, read_answer

TOKEN = "STRONGSUIT_ORACLE_TOKEN"  # of the environment: sent as a bearer token
FIRST_WAIT, LONGEST_WAIT, ANSWER_SECONDS = 1.0, 60.0, 60.0
_BUSY, _FINAL = 429, 422


@dataclass(frozen=True)
class Call:
    """A call under way, and what ends its waiting."""

    future: Future[Answer]
    over: Event


@dataclass
class HttpOracle:
    """Posts to an address: 200 with {value, cost}, 202 with a Location to look at, 422 if it is no use."""

    url: str
    workers: int
    pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self.pool = ThreadPoolExecutor(self.workers)

    def submit(self, job: Job) -> Call:
        """The call, made in a thread."""
        over = Event()
        return Call(self.pool.submit(_asked, self.url, job, over), over)

    def poll(self, call: Call) -> Answer:
        """What came of it."""
        return call.future.result() if call.future.done() else Running()

    def cancel(self, call: Call) -> None:
        """Stops asking."""
        call.over.set()
        call.future.cancel()

    def close(self) -> None:
        """Waits for calls under way, a minute at most."""
        self.pool.shutdown(cancel_futures=True)


def _asked(url: str, job: Job, over: Event) -> Answer:
    """The answer, after as many tries as a busy service needs."""
    wait = FIRST_WAIT
    address, body = url, json.dumps(job.form, default=str).encode()
    given: bytes | None = body
    while not over.is_set():
        try:
            status, head, text = _sent(address, given, job.ticket)
        except OSError as error:
            status, head, text = 503, {}, str(error)
        if status == 200:
            return read_answer(text)
        if status == 202:
            address, given = urljoin(address, head.get("Location") or ""), None
        elif status == _FINAL or (status < 500 and status != _BUSY):
            return Failed(f"{status}: {text[-LAST_WORDS:]}", final=True)
        over.wait(_seconds(head.get("Retry-After"), wait))
        wait = min(2.0 * wait, LONGEST_WAIT) if status != 202 else FIRST_WAIT
    return Failed("it was stopped")


def _sent(url: str, body: bytes | None, ticket: str) -> tuple[int, Any, str]:
    headers = {"Content-Type": "application/json", "Idempotency-Key": ticket}
    if os.environ.get(TOKEN):
        headers["Authorization"] = f"Bearer {os.environ[TOKEN]}"
    request = urllib.request.Request(url, data=body, headers=headers, method="GET" if body is None else "POST")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as reply:
            return reply.status, reply.headers, reply.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode("utf-8", "replace")


def _seconds(said: str | None, otherwise: float) -> float:
    return min(float(said), LONGEST_WAIT) if said and said.strip().isdigit() else otherwise
