"""What PostgreSQL needs: sessions that wait so long and no longer, and a queue of the writers of a campaign."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, String, bindparam, create_engine, func, select
from sqlalchemy.event import listen
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from strongsuit._optional import require
from strongsuit.campaign.sqlite import BUSY_SECONDS

FULL, BUSY = {"53100"}, {"40001", "40P01", "55P03", "57014"}  # SQLSTATE
UPGRADE = 0x5354524F4E47  # the advisory lock of whoever makes or changes the tables
_KEY = func.hashtextextended(func.concat(func.current_schema(), "/", bindparam("campaign_", type_=String)), 0)
_LOCK = select(func.pg_advisory_xact_lock(_KEY))
SESSIONS, MORE = 5, 35  # kept open, and those that a server's threads may open beside them


def postgres_engine(url: URL) -> Engine:
    """An engine of the URL; MissingDependency without the extra `postgres`."""
    require("psycopg", extra="postgres")
    engine = create_engine(
        url, isolation_level="READ COMMITTED", pool_pre_ping=True, pool_size=SESSIONS, max_overflow=MORE
    )
    listen(engine, "connect", _patient)
    return engine


class Queue:
    """Writers of a campaign, first come, first served, over all processes and machines.

    Without it each would decide on what it has read, find that another was quicker, and begin again: eight writers and
    more starve each other. A turn is an advisory lock (a lock of the campaign's entry would let some wait much longer
    than others), in the transaction in which the writer reads, decides and writes: it ends with that, so also if the
    process dies. What is read in it must be what the last writer left, hence READ COMMITTED: its statements see what
    was written while the lock was waited for.
    """

    def __init__(self) -> None:
        self._own = threading.local()

    @property
    def held(self) -> Connection | None:
        """The connection of this thread's turn: what is read and written in it goes over that."""
        return getattr(self._own, "connection", None)

    def entry(self, campaign: str) -> Any:
        """What was read of the campaign's entry in this thread's turn; None without one, and once it is committed."""
        entry = getattr(self._own, "entry", None)
        return entry if entry is not None and entry.name == campaign else None

    def found(self, entry: Any) -> None:
        """Remembers an entry that was read in the turn."""
        self._own.entry = entry

    def commit(self, connection: Connection) -> None:
        """Ends the transaction of a turn, if the connection is held for one: who goes on knows that it is written."""
        if connection is self.held:
            self._own.entry = None
            connection.commit()

    @contextmanager
    def taken(self, engine: Engine, campaign: str, troubles: Callable[[], AbstractContextManager]) -> Iterator[None]:
        """A turn."""
        with troubles():
            connection = engine.connect()
        try:
            with troubles():
                connection.execute(_LOCK, {"campaign_": campaign})
            self._own.connection = connection
            yield
        finally:
            self._own.connection = self._own.entry = None
            _give_back(connection)


def _give_back(connection: Connection) -> None:
    try:
        connection.close()
    except (DBAPIError, InvalidRequestError):
        connection.invalidate()  # the server forgets the lock with the session


def _patient(connection: Any, _: Any) -> None:
    """Sets how long a session waits for others."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
    connection.commit()
