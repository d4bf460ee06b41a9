"""One fit at a time: a task that a process has claimed in the store is left to it, while it lives.

A claim keeps two machines from computing the same proposal; nothing else depends on it. It is renewed while the work
goes on, ends by itself if its owner falls silent, and at once if its owner is a process of this machine that is gone.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from strongsuit.campaign.chain import stamp
from strongsuit.errors import StoreError

log = logging.getLogger(__name__)
HELD = timedelta(seconds=120)  # how long a silent owner keeps a claim
BEAT_SECONDS = 40.0
_ours: set[str] = set()  # owners of claims that this process holds


@contextmanager
def claimed(store: Any, campaign: str, task: str, clock: Callable[[], datetime]) -> Iterator[bool]:
    """Whether the task is ours while the context lasts; always, where the store knows no claims."""
    if not hasattr(store, "claim"):
        yield True
        return
    owner = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex}"
    _ours.add(owner)

    def claim() -> bool:
        now = clock()
        return store.claim(campaign, task, owner, stamp(now), stamp(now + HELD), gone)

    mine, done = False, threading.Event()
    try:
        mine = claim()
        if mine:
            threading.Thread(target=_beat, args=(claim, done), daemon=True).start()
        yield mine
    finally:
        done.set()
        _ours.discard(owner)
        if mine:
            store.release(campaign, task, owner)


def gone(owner: str) -> bool:
    """Whether the owner of a claim is known to be no more: a process of this machine that has ended."""
    host, process, _ = owner.split("/")
    if host != socket.gethostname() or os.name == "nt":
        return False
    if int(process) == os.getpid():
        return owner not in _ours
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _beat(claim: Callable[[], bool], done: threading.Event) -> None:
    while not done.wait(BEAT_SECONDS):
        try:
            claim()
        except StoreError as error:  # the claim runs out; the worst is one fit too many
            log.warning("the claim of a proposal could not be renewed: %s", error)
