"""Journals as files: a head, then one event a line. What is exported and imported again is the same, byte for byte.

The head's `campaign` is the digest of the first event, which a copy shares with its original. Names in .gz are packed.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from strongsuit.campaign.chain import Event, canonical, event_of, line_of, linked
from strongsuit.campaign.rules import check_name
from strongsuit.campaign.store import Store, listed, unknown
from strongsuit.errors import CampaignExists, InputError, JournalBroken, StoreError, StoreNew

FORM = 1
HEAD = "strongsuit_journal"
PIECE = 1_000  # events a transaction when importing; what was written by then is a beginning that can be gone on with


def export_journal(store: Store, campaign: str, path: str | Path) -> Path:
    """The path of the written journal, its chain checked; whole or not at all."""
    entry, path = listed(store, campaign), Path(path)
    if entry is None:
        raise unknown(campaign)
    events = linked(store.read(campaign, limit=entry.position))
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as raw, _packed(raw, path) as stream:
                _write(stream, campaign, entry.position, entry.digest, events)
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def _write(stream: IO[bytes], campaign: str, count: int, digest: str, events: Iterator[Event]) -> None:
    for i, event in enumerate(events):
        if i == 0:
            head = {HEAD: FORM, "campaign": event.digest, "name": campaign, "events": count, "digest": digest}
            stream.write(canonical(head).encode("utf-8") + b"\n")
        stream.write(line_of(event).encode("utf-8") + b"\n")


def _packed(raw: IO[bytes], path: Path) -> IO[bytes]:
    if path.suffix != ".gz":
        return raw
    # Without a time and a name inside, the same journal packs to the same bytes.
    return cast(IO[bytes], gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0))


def import_journal(store: Store, path: str | Path, *, name: str | None = None) -> str:
    """The name of the imported campaign: that of the file, or another.

    A campaign of that name that is a beginning of the journal goes on to its end; CampaignExists if it is anything
    else. JournalBroken for a file that is cut or edited, before anything is written.
    """
    path = Path(path)
    head = _head(path)
    campaign = name if name is not None else head["name"]
    check_name(campaign)
    count, last = 0, None
    for event in linked(_events(path)):
        count, last = count + 1, event
    if last is None or count != head["events"] or last.digest != head["digest"]:
        raise JournalBroken(f"{path.name}: the head names {head['events']} events, {count} were found: the file is cut")
    known = _known(store, campaign, path)
    events = islice(_events(path), known, None)
    while piece := list(islice(events, PIECE)):
        store.append(campaign, piece, after=piece[0].position - 1)
    return campaign


def _known(store: Store, campaign: str, path: Path) -> int:
    """How many events of the file the store has already; CampaignExists if it has others."""
    entry = listed(store, campaign)
    if entry is None:
        return 0
    there = next(islice(_events(path), entry.position - 1, None), None)
    if there is None or there.digest != entry.digest:
        raise CampaignExists(
            f"campaign {campaign!r} is in the store and is no beginning of {path.name}: import it under another name"
        )
    return entry.position


def _head(path: Path) -> dict[str, Any]:
    try:
        with _opened(path) as stream:
            head = json.loads(stream.readline())
        form, right = head[HEAD], isinstance(head["name"], str) and type(head["events"]) is int
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
        raise JournalBroken(f"{path.name} is no journal: its first line must have {HEAD!r}") from error
    if type(form) is int and form > FORM:
        raise StoreNew(
            f"{path.name} is a journal of form {form}, this release knows {FORM}: install a newer strongsuit"
        )
    if form != FORM or not right or "digest" not in head:
        raise JournalBroken(f"{path.name}: the head lacks name, events or digest")
    return head


def _events(path: Path) -> Iterator[Event]:
    with _opened(path) as stream:
        stream.readline()
        try:
            for line in stream:
                yield event_of(line.rstrip("\n"))
        except (EOFError, UnicodeError, OSError) as error:
            raise JournalBroken(f"{path.name} cannot be read to its end: {error}") from error


def _opened(path: Path) -> IO[str]:
    try:
        raw = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    return io.TextIOWrapper(cast(IO[bytes], raw), encoding="utf-8", newline="\n")
