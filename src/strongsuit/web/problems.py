"""Errors as clients see them: a status, the error's name, and a text without paths or SQL."""

from __future__ import annotations

import re
from typing import NamedTuple

from strongsuit import errors as er

# Two parts or more behind a root or a drive: a path. Ours never reach a client, whatever an error says.
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[/\\][^/\\\s:;,'\"()]+){2,}[/\\]?|\b\w+:///?[^\s'\"]+")

# The first that fits.
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (er.UnknownCampaign, 404),
    (er.UnknownRow, 404),
    (er.CampaignExists, 409),
    (er.AlreadyTold, 409),
    (er.RequestMismatch, 409),
    (er.PoolMismatch, 409),
    (er.NothingToAsk, 409),
    (er.InputError, 422),
    (er.StoreBusy, 503),
    (er.Conflict, 503),
    (er.StoreFull, 507),
    (er.MissingDependency, 501),
    (er.StoreError, 500),
)
# What these say is about the server's disks.
_TEXTS: tuple[tuple[type[Exception], str], ...] = (
    (er.StoreBusy, "The store is busy; nothing was written: try again."),
    (er.Conflict, "Somebody else wrote at the same time; nothing was written: try again."),
    (er.StoreFull, "The disk of the server is full; nothing was written. Tell the owner."),
    (er.PoolMismatch, "The pool on the server is not the one of this campaign. Tell the owner."),
    (er.StoreError, "The store could not be read or written. Tell the owner: the server's log says more."),
)


class Refused(Exception):
    """A request that is not allowed, with its status; `wait` says in how many seconds it might be."""

    def __init__(self, status: int, name: str, text: str, wait: float = 0.0) -> None:
        super().__init__(text)
        self.status, self.name, self.text, self.wait = status, name, text, wait


class Problem(NamedTuple):
    """A status, the name of an error and what a client may read of it."""

    status: int
    name: str
    text: str
    wait: float = 0.0


def problem_of(error: Exception) -> Problem:
    """What a client is told of an error; one that nobody raised on purpose says nothing of itself."""
    if isinstance(error, Refused):
        return Problem(error.status, error.name, error.text, error.wait)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if not isinstance(error, er.StrongsuitError):
        return Problem(500, "Defect", "Something went wrong on the server. The server's log says more.")
    text = next((text for kind, text in _TEXTS if isinstance(error, kind)), None)
    return Problem(status, type(error).__name__, text or _PATH.sub("…", str(error)), 1.0 if status == 503 else 0.0)
