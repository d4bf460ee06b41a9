"""Journals in a database, by SQLAlchemy Core: a SQLite file by default, PostgreSQL by its URL."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    bindparam,
    create_engine,
    delete,
    func,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from strongsuit.campaign import postgres
from strongsuit.campaign.chain import Event, stamp, stored
from strongsuit.campaign.postgres import Queue, postgres_engine
from strongsuit.campaign.schema import (
    campaigns,
    check_newer,
    check_version,
    claims,
    events,
    latest,
    links,
    migrate,
    snapshots,
    version_of,
)
from strongsuit.campaign.snapshot import Snapshot
from strongsuit.campaign.sqlite import BUSY_SECONDS, WRITES, Turns, no_shared_memory, not_writable, prepare
from strongsuit.campaign.store import Listed, check_order, unknown
from strongsuit.errors import Conflict, InputError, StoreBusy, StoreError, StoreFull

PAGE = 5_000  # events read in one short transaction
_FULL = {
    "SQLITE_FULL",
    "SQLITE_IOERR_WRITE",
    "SQLITE_IOERR_SHMSIZE",
}  # a size limit of the process is an error of writing
_BUSY = {"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_BUSY_TIMEOUT", "SQLITE_LOCKED"}
_NO_RIGHT = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH", "25006", "42501")
_NO_WAL = {"SQLITE_IOERR_SHMMAP", "SQLITE_IOERR_SHMOPEN", "SQLITE_PROTOCOL"}

_E = events.c
# One row of nothing for a campaign without such events, no row for one that is not there.
_PAGE = (
    select(_E.position, _E.part, _E.kind, _E.v, _E.at, _E.by, _E.request, _E.body, _E.digest)
    .select_from(campaigns.outerjoin(events, (_E.campaign == campaigns.c.id) & (_E.position > bindparam("after_"))))
    .where(campaigns.c.name == bindparam("name_"))
    .order_by(_E.position)
    .limit(bindparam("size_"))
)
# The same in a turn, with the campaign's entry, so that whoever goes on to write need not read it again.
_PAGE_OF_TURN = _PAGE.add_columns(campaigns.c.id, campaigns.c.name, campaigns.c.position, campaigns.c.digest)
_LOCKED = select(campaigns.c.id).where(campaigns.c.name == bindparam("name_")).with_for_update()
_LAST = _LOCKED.add_columns(campaigns.c.name, campaigns.c.position, campaigns.c.digest)
_GO_ON = (
    update(campaigns)
    .where(campaigns.c.id == bindparam("id_"), campaigns.c.position == bindparam("after_"))
    .values(position=bindparam("position_"), digest=bindparam("digest_"))
)
_WRITE = insert(events)
_KEPT_AT = select(snapshots.c.position).join(campaigns).where(campaigns.c.name == bindparam("name_"))


class Entry(NamedTuple):
    """What a campaign's line in the table of campaigns says of it."""

    id: str
    name: str
    position: int
    digest: str


class SqlStore:
    """A store at a URL; see `Store` for what its methods promise.

    `sqlite:///lab.db` or `postgresql+psycopg://user@host/database`, the password from the environment or the service
    file. Tables are made in an empty database; StoreOld and StoreNew are raised for those of another release.
    """

    def __init__(self, url: str) -> None:
        self._url = _checked(url)
        self._process, self._begun = -1, threading.Lock()
        self._engine: Engine | None = None
        self._turns: Turns | None = None
        self._queue = Queue()
        with self.turn(""), _troubles(self):
            with self.engine.begin() as connection:
                found = version_of(connection)
            check_version(found)
            if found == 0:
                upgraded(self.engine)

    @property
    def url(self) -> str:
        """The URL, a password in it as `***`."""
        return self._url.render_as_string(hide_password=True)

    def __repr__(self) -> str:
        return f"SqlStore({self.url!r})"

    @property
    def engine(self) -> Engine:
        """The engine of this process: one that was made before a fork is never used after it."""
        with self._begun:
            if self._process != os.getpid() or self._engine is None:
                if self._engine is not None:
                    self._engine.dispose(close=False)
                self._engine, self._process = _engine(self._url), os.getpid()
                self._turns = Turns(str(self._url.database)) if self._is_sqlite else None
            return self._engine

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @contextmanager
    def turn(self, campaign: str) -> Iterator[None]:
        """One writer at a time, in about the order they came: for a SQLite file, or for a campaign on a server."""
        _ = self.engine
        if self._is_sqlite:
            with self._turns.taken() if self._turns else nullcontext():
                yield
        elif campaign and self._queue.held is None:
            with self._queue.taken(self.engine, campaign, lambda: _troubles(self)):
                yield
        else:
            yield

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A short transaction that reads."""
        held = self._queue.held
        with _troubles(self):
            if held is not None:  # within the transaction of the turn
                yield held
                return
            with self.engine.begin() as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A short transaction that writes, in its turn: commits and the checkpoints they bring never meet."""
        if not self._is_sqlite:
            with self.reading() as connection:
                yield connection
                self._queue.commit(connection)
            return
        with self.turn(""), _troubles(self), self.engine.connect().execution_options(**{WRITES: True}) as connection:
            with connection.begin():
                yield connection

    def append(self, campaign: str, events: Sequence[Event], after: int) -> int:
        """See `Store`."""
        try:
            with self.writing() as connection:
                last = self._queue.entry(campaign) or connection.execute(_LAST, {"name_": campaign}).one_or_none()
                return _append(connection, campaign, events, after, last)
        except IntegrityError as error:
            raise Conflict(
                f"campaign {campaign!r}: this was written already, by request {events[0].request!r}"
            ) from error

    def read(self, campaign: str, after: int = 0, limit: int | None = None) -> Iterator[Event]:
        """See `Store`; read in pages, so that no transaction stays open while events are looked at."""
        size = PAGE if limit is None else min(PAGE, limit)
        page = self._page(campaign, after, max(1, size))[:size]  # LIMIT 0 would find no campaign either
        return chain.from_iterable(self._pages(campaign, page, size, limit))

    def _pages(self, campaign: str, page: list[Event], size: int, limit: int | None) -> Iterator[list[Event]]:
        """The page and those that follow it."""
        while True:
            yield page
            limit = None if limit is None else limit - size
            if len(page) < size or limit == 0:
                return
            size = PAGE if limit is None else min(PAGE, limit)
            page = self._page(campaign, page[-1].position, size)

    def _page(self, campaign: str, after: int, size: int) -> list[Event]:
        query = _PAGE if self._queue.held is None else _PAGE_OF_TURN
        with self.reading() as connection:
            rows = connection.execute(query, {"name_": campaign, "after_": after, "size_": size}).all()
        if not rows:
            raise unknown(campaign)
        if query is _PAGE_OF_TURN:
            self._queue.found(Entry(*rows[0][len(_PAGE.selected_columns) :]))
        return [stored(*row[: len(_PAGE.selected_columns)]) for row in rows if row[0] is not None]

    def campaigns(self) -> list[Listed]:
        """See `Store`."""
        c = campaigns.c
        with self.reading() as connection:
            rows = connection.execute(select(c.name, c.position, c.digest, c.created_at).order_by(c.name)).all()
        return [Listed(*row) for row in rows]

    def delete(self, campaign: str) -> None:
        """Deletes a campaign and all that hangs on it; UnknownCampaign if it is not there."""
        with self.writing() as connection:
            connection.execute(delete(campaigns).where(campaigns.c.id == _id(connection, campaign)))

    def snapshot(self, campaign: str) -> Snapshot | None:
        """The last snapshot, or None."""
        c = snapshots.c
        with self.reading() as connection:
            query = select(c.position, c.digest, c.check, c.body).where(c.campaign == _id(connection, campaign))
            row = connection.execute(query).one_or_none()
        return Snapshot(*row) if row else None

    def kept_at(self, campaign: str) -> int:
        """The position of the last snapshot, 0 without one."""
        with self.reading() as connection:
            return connection.execute(_KEPT_AT, {"name_": campaign}).scalar_one_or_none() or 0

    def keep(self, campaign: str, snapshot: Snapshot) -> None:
        """Keeps the snapshot in place of the last."""
        with self.writing() as connection:
            id_ = _locked(connection, campaign)  # of two that delete and insert at once one would fail
            connection.execute(delete(snapshots).where(snapshots.c.campaign == id_))
            position, digest, check, body = snapshot
            new = {"campaign": id_, "position": position, "digest": digest, "check": check, "body": body}
            connection.execute(insert(snapshots), new)

    def claim(self, campaign: str, task: str, owner: str, now: str, until: str, gone: Callable[[str], bool]) -> bool:
        """Whether the task is now the owner's until then: it was nobody's, its own, run out, or its owner is gone."""
        with self.writing() as connection:
            id_ = _locked(connection, campaign)
            mine = (claims.c.campaign == id_) & (claims.c.task == task)
            held = connection.execute(select(claims.c.owner, claims.c.until).where(mine)).one_or_none()
            if held and held.owner != owner and held.until > now and not gone(held.owner):
                return False
            connection.execute(delete(claims).where(mine))
            connection.execute(insert(claims), {"campaign": id_, "task": task, "owner": owner, "until": until})
            return True

    def release(self, campaign: str, task: str, owner: str) -> None:
        """Gives the task back if it is the owner's."""
        with self.writing() as connection:
            c, id_ = claims.c, _id(connection, campaign)
            connection.execute(delete(claims).where(c.campaign == id_, c.task == task, c.owner == owner))

    def links(self, campaign: str, system: str) -> dict[int, str]:
        """The identifiers of rows in another system."""
        c = links.c
        with self.reading() as connection:
            id_ = _id(connection, campaign)
            rows = connection.execute(select(c.row, c.other).where(c.campaign == id_, c.system == system)).all()
        return {row: other for row, other in rows}

    def link(self, campaign: str, system: str, pairs: Mapping[int, str]) -> None:
        """Remembers identifiers of rows in another system; an identifier replaces an earlier one."""
        if not pairs:
            return
        with self.writing() as connection:
            c, id_ = links.c, _locked(connection, campaign)
            connection.execute(delete(links).where(c.campaign == id_, c.system == system, c.row.in_(list(pairs))))
            new = [{"campaign": id_, "system": system, "row": row, "other": other} for row, other in pairs.items()]
            connection.execute(insert(links), new)

    def close(self) -> None:
        """Closes the connections of this process; the next call opens new ones."""
        with self._begun:
            if self._engine is not None and self._process == os.getpid():
                self._engine.dispose()


def opened_engine(url: str) -> Engine:
    """An engine of a URL, whatever tables are there."""
    return _engine(_checked(url))


def upgraded(engine: Engine) -> None:
    """Applies the migrations that lack with their records, all in one transaction: nobody sees half of them."""
    from strongsuit import __version__

    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":  # SQLite's writers take turns; here two would make the same tables
            connection.execute(select(func.pg_advisory_xact_lock(postgres.UPGRADE)))
        while (found := version_of(connection)) != latest():
            check_newer(found)
            migrate(connection, found, at=stamp(datetime.now(UTC)), package=__version__)


def _append(connection: Connection, campaign: str, given: Sequence[Event], after: int, row: Any) -> int:
    """The position of the last event, behind what the campaign's entry says; None begins a campaign."""
    check_order(campaign, given, after, (row.position, row.digest) if row else None)
    last = given[-1]
    if row is None:
        id_ = uuid.uuid4().hex
        new = {"id": id_, "name": campaign, "created_at": given[0].at, "archived": 0}
        connection.execute(insert(campaigns), {**new, "position": last.position, "digest": last.digest})
    else:
        id_ = row.id
        place = {"id_": id_, "after_": after, "position_": last.position, "digest_": last.digest}
        if connection.execute(_GO_ON, place).rowcount != 1:
            raise Conflict(f"campaign {campaign!r} went on behind position {after}: read and decide again")
    connection.execute(_WRITE, [_row(id_, event) for event in given])
    return given[-1].position


def _row(id_: str, event: Event) -> dict[str, Any]:
    return {
        "campaign": id_, "position": event.position, "part": event.part, "request": event.request, "kind": event.kind,
        "v": event.v, "at": event.at, "by": event.by, "body": event.text, "digest": event.digest,
    }  # fmt: skip


def _id(connection: Connection, campaign: str) -> str:
    found = connection.execute(select(campaigns.c.id).where(campaigns.c.name == campaign)).scalar_one_or_none()
    if found is None:
        raise unknown(campaign)
    return found


def _locked(connection: Connection, campaign: str) -> str:
    """The campaign's id; others who ask for it so wait for the end of the transaction."""
    found = connection.execute(_LOCKED, {"name_": campaign}).scalar_one_or_none()
    if found is None:
        raise unknown(campaign)
    return found


def _checked(url: str) -> URL:
    """The URL; InputError for one that is none, for SQLite in memory, and for a database that is not served."""
    try:
        made = make_url(url)
    except ArgumentError as error:
        raise InputError(
            f"store {url!r} is no URL: take sqlite:///lab.db, memory:// or postgresql+psycopg://..."
        ) from error
    if made.get_backend_name() not in ("sqlite", "postgresql"):
        raise InputError(f"store: {made.get_backend_name()!r} is not served; take sqlite:/// or postgresql+psycopg://")
    if made.get_backend_name() == "sqlite" and made.database in (None, "", ":memory:"):
        raise InputError("store: SQLite needs a file, like sqlite:///lab.db; memory:// keeps a campaign in memory")
    return made


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return postgres_engine(url)
    folder = Path(str(url.database)).absolute().parent
    if not folder.is_dir():
        raise StoreError(f"store: the folder {folder} does not exist: make it first")
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    prepare(engine)
    return engine


@contextmanager
def _troubles(store: SqlStore) -> Iterator[None]:
    """Turns what the driver says into what can be done about it; what breaks a unique constraint goes through."""
    try:
        yield
    except IntegrityError:
        raise
    except PoolTimeout as error:
        raise StoreBusy(f"{store}: all connections are in use; nothing was written: try again") from error
    except DBAPIError as error:
        raise _trouble(store, error) from error


def _trouble(store: SqlStore, error: DBAPIError) -> StoreError:
    name = getattr(error.orig, "sqlite_errorname", "") or getattr(error.orig, "sqlstate", "") or ""
    if name in _FULL | postgres.FULL:
        return StoreFull(f"{store}: the disk took no more ({error.orig}); nothing was written: make room and repeat")
    if name in _BUSY | postgres.BUSY:
        return StoreBusy(f"{store}: others kept the store for {BUSY_SECONDS} s; nothing was written: try again")
    if name in _NO_WAL:
        return no_shared_memory(str(store), name)
    if name.startswith(_NO_RIGHT):
        return not_writable(str(store), error.orig)
    return StoreError(f"{store}: {error.orig} ({name or type(error.orig).__name__})")
