"""Events with their place in a journal: canonical bytes, and the chain of digests that finds a cut or an edit.

Canonical bytes are UTF-8 JSON with sorted keys, without spaces, floats by their shortest round trip. The digest of an
event is SHA-256 over the digest before it (32 bytes, zeros at the start) and the canonical bytes of the event without
its digest. The campaign's name is no part of it, so that a copy keeps its digests.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from strongsuit.campaign.events import VERSIONS, body_of, json_of
from strongsuit.errors import InputError, JournalBroken

ZERO = "0" * 64
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_FIELDS = {"position", "part", "kind", "v", "at", "by", "request", "body", "digest"}
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Event:
    """A body at its position: `part` numbers the events of one append, which share `request`.

    `text` is the body's JSON as it was written, whatever release wrote it; `body` is what this release reads in it.
    """

    position: int
    part: int
    v: int
    at: str
    by: str
    request: str
    body: Any
    text: str
    digest: str

    @property
    def kind(self) -> str:
        """The name of the body's kind."""
        return type(self.body).__name__


def canonical(value: Any) -> str:
    """The canonical JSON text; InputError for NaN, infinity, lone surrogates and what JSON cannot hold."""
    try:
        text = _encode(value)
        text.encode("utf-8")
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"this cannot be written to a journal: {error}") from error
    return text


def stamp(now: datetime) -> str:
    """The time as the journal has it: UTC to the millisecond. Its order as text is its order in time."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"


def moment(text: str) -> datetime:
    """The time that a stamp stands for."""
    return datetime.fromisoformat(text)


def digest_of(before: str, event: Event) -> str:
    """The digest of an event that follows the digest `before`, both as hexadecimal text."""
    # The keys in their sorted order; the body's text is canonical already.
    text = (
        f'{{"at":{_encode(event.at)},"body":{event.text},"by":{_encode(event.by)},"kind":"{event.kind}",'
        f'"part":{event.part},"position":{event.position},"request":{_encode(event.request)},"v":{event.v}}}'
    )
    return hashlib.sha256(bytes.fromhex(before) + text.encode("utf-8")).hexdigest()


def sealed(bodies: Sequence[Any], *, after: int, before: str, at: str, by: str, request: str | None) -> list[Event]:
    """The bodies as one append behind position `after` and its digest `before`.

    Without a request id the append is named by its first position, which no other append of the campaign has: the same
    steps then give the same journal. InputError for what a journal cannot hold.
    """
    request = request if request is not None else f"@{after + 1}"
    events = []
    for part, body in enumerate(bodies):
        text = canonical(json_of(body))
        # Read back from its text: everybody folds what a later reader will fold.
        read = body_of(type(body).__name__, VERSIONS[type(body).__name__], json.loads(text))
        event = Event(after + 1 + part, part, VERSIONS[type(body).__name__], at, by, request, read, text, "")
        before = digest_of(before, event)
        events.append(_with_digest(event, before))
    return events


def stored(
    position: int, part: int, kind: str, v: int, at: str, by: str, request: str, text: str, digest: str
) -> Event:
    """The event that a store kept; StoreNew for an unknown kind, JournalBroken for a body that is not one."""
    try:
        body = json.loads(text)
    except ValueError as error:
        raise JournalBroken(f"position {position}: the body is no JSON ({error})") from error
    return Event(position, part, v, at, by, request, body_of(kind, v, body), text, digest)


def line_of(event: Event) -> str:
    """The event as one line of a journal file, canonical, with its digest."""
    return (
        f'{{"at":{_encode(event.at)},"body":{event.text},"by":{_encode(event.by)},"digest":"{event.digest}",'
        f'"kind":"{event.kind}","part":{event.part},"position":{event.position},'
        f'"request":{_encode(event.request)},"v":{event.v}}}'
    )


def event_of(line: str) -> Event:
    """The event of a line; JournalBroken for a line that is not one, StoreNew for one of a newer release."""
    try:
        given = json.loads(line)
        if not isinstance(given, dict) or set(given) != _FIELDS or not isinstance(given["body"], dict):
            raise JournalBroken(f"an event has the fields {', '.join(sorted(_FIELDS))}: {line[:80]!r}")
        text = _encode(given["body"])
        _encode(given).encode("utf-8")  # half a character cannot be hashed
    except ValueError as error:
        raise JournalBroken(f"a line is no JSON object ({error}): {line[:80]!r}") from error
    numbers, texts = ("position", "part", "v"), ("kind", "at", "by", "request", "digest")
    if any(type(given[name]) is not int for name in numbers) or any(type(given[name]) is not str for name in texts):
        raise JournalBroken(f"position, part and v are whole numbers, the rest is text: {line[:80]!r}")
    if not _STAMP.fullmatch(given["at"]):
        raise JournalBroken(f"'at' is a time in UTC like 2026-11-21T09:14:03.120Z, got {given['at']!r}")
    position, part, v, at, by = (given[name] for name in ("position", "part", "v", "at", "by"))
    return stored(position, part, given["kind"], v, at, by, given["request"], text, given["digest"])


def linked(events: Iterable[Event], *, after: int = 0, before: str = ZERO) -> Iterator[Event]:
    """The events, each checked to follow its forerunner; JournalBroken at the first that does not."""
    for event in events:
        if event.position != after + 1:
            raise JournalBroken(f"position {after + 1} is missing: position {event.position} follows {after}")
        if event.digest != digest_of(before, event):
            raise JournalBroken(f"position {event.position} or one before it was changed: its digest does not fit")
        yield event
        after, before = event.position, event.digest


def _with_digest(event: Event, digest: str) -> Event:
    # dataclasses.replace would check nothing more and cost three times as much.
    return Event(event.position, event.part, event.v, event.at, event.by, event.request, event.body, event.text, digest)
