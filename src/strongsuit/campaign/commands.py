"""What is asked of a campaign: one frozen dataclass a verb, with who asks (`by`) and the request id, if any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from strongsuit.campaign.view import Proposal, View

MAX_REPEATS = 2  # a failed row is tried again this often, unless told otherwise


@dataclass(frozen=True)
class Given:
    """One answer as it came in."""

    row: int
    value: Any
    cost: float | None = None
    seconds: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Ready:
    """A proposal with the position and round it was made for, how many rows were wanted, which of the slate it left in
    front, and how often this was tried before."""

    proposal: Proposal
    basis: int
    round: int
    repeats: int = 0
    b: int = 0
    kept: tuple[int, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What `ask` says if it needs a proposal first: of b rows, for this view, at this position; `kept` rows of the
    slate stay in front of it."""

    view: View
    b: int
    basis: int
    repeats: int = 0
    kept: tuple[int, ...] = ()


def _one(rows: Sequence[int]) -> Sequence[float]:
    return [1.0] * len(rows)


@dataclass(frozen=True)
class Ask:
    """Hand out n rows (None: a batch); `costs` gives the expected costs of rows."""

    by: str
    n: int | None = None
    request: str | None = None
    more: bool = False
    ready: Ready | None = None
    can_propose: bool = True
    costs: Callable[[Sequence[int]], Sequence[float]] = _one


@dataclass(frozen=True)
class Prepare:
    """Write a proposal before anybody waits for it, once half the slate is handed out."""

    by: str
    request: str | None = None
    ready: Ready | None = None


@dataclass(frozen=True)
class Tell:
    """Answers of one annotator; with `partial` the good ones are written and the bad ones come back."""

    by: str
    answers: tuple[Given, ...]
    request: str | None = None
    partial: bool = False
    costs: Callable[[Sequence[int]], Sequence[float]] = _one


@dataclass(frozen=True)
class Skip:
    """This annotator cannot answer these rows."""

    by: str
    rows: tuple[int, ...]
    reason: str = ""
    request: str | None = None


@dataclass(frozen=True)
class Fail:
    """A run gave no label; after `retries` repeats, or with `final`, for good."""

    by: str
    row: int
    reason: str
    final: bool = False
    cost: float | None = None
    retries: int = MAX_REPEATS
    request: str | None = None
    costs: Callable[[Sequence[int]], Sequence[float]] = _one


@dataclass(frozen=True)
class Revise:
    """Another value for an answer, or None to withdraw it; `of` names the annotator if it is not `by`."""

    by: str
    row: int
    value: Any
    note: str = ""
    of: str | None = None
    request: str | None = None


@dataclass(frozen=True)
class Exclude:
    """Rows never to be used, or with `back` usable again."""

    by: str
    rows: tuple[int, ...]
    reason: str = ""
    back: bool = False
    request: str | None = None


@dataclass(frozen=True)
class Queue:
    """Rows to hand out before the slate."""

    by: str
    rows: tuple[int, ...]
    note: str = ""
    request: str | None = None


@dataclass(frozen=True)
class Renew:
    """The worker is alive: its leases, or those of some rows, end later."""

    by: str
    rows: tuple[int, ...] | None = None
    request: str | None = None


@dataclass(frozen=True)
class Release:
    """Leases of a person that end now: of some rows, or of all."""

    by: str
    to: str
    rows: tuple[int, ...] | None = None
    request: str | None = None


@dataclass(frozen=True)
class Amend:
    """Other settings from now on. A pool needs `proof`: the chunk digests of its first rows, as many as there were."""

    by: str
    set: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    proof: tuple[str, ...] | None = None
    changed: bool = False
    request: str | None = None


@dataclass(frozen=True)
class Close:
    """No further asking, or with `open` asking again."""

    by: str
    reason: str = ""
    open: bool = False
    request: str | None = None


Command = Ask | Prepare | Tell | Skip | Fail | Revise | Exclude | Queue | Renew | Release | Amend | Close
