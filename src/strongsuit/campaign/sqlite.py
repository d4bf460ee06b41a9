"""What SQLite needs to be a good store: settings of a connection, transactions that say what they are, fair turns."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from strongsuit.errors import StoreBusy, StoreError

WRITES = "strongsuit_writes"  # execution option of a connection that is going to write
BUSY_SECONDS = 30
TRY_SECONDS = (0.001, 0.005)  # between two tries for a turn
# Up to 3.51.2 two connections that checkpoint and commit at one moment can corrupt a write-ahead log (fixed 2026-03).
SAFE_VERSION = (3, 51, 3)


def prepare(engine: Engine) -> None:
    """Makes connections of the engine durable, and its transactions begin as reads or as writes.

    The driver's own transactions are off: a transaction that reads first and writes later fails at once if somebody
    wrote in between, however long it is willing to wait, so a write must say so when it begins.
    """

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        mode = cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise no_shared_memory(str(engine.url.database), mode)
        cursor.execute("PRAGMA synchronous=FULL")  # a label may have cost a day
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def no_shared_memory(path: str, mode: str) -> StoreError:
    """The error for a drive on which SQLite cannot share memory between processes."""
    return StoreError(
        f"{path} lies on a drive without shared memory (journal mode {mode!r} instead of 'wal'), most likely a network "
        "drive: keep the store on a local disk and share it by `strongsuit campaign export`, or use PostgreSQL"
    )


def not_writable(path: str, why: Any) -> StoreError:
    """The error for a store that this user may not write to."""
    return StoreError(
        f"{path} cannot be written to ({why}); nothing was written: a store needs the right to write to its file and "
        "to the folder around it; ask its owner for it, or work on a copy of the folder"
    )


class Turns:
    """One writer at a time among the threads and processes that use a file, in about the order they came.

    SQLite lets waiting writers sleep and gamble. An advisory lock on a file beside the database is held over
    read, decide and append instead. It is for fairness; where it cannot be had in time the database still keeps
    writers apart, but for versions in which two of them at once could do harm.
    """

    def __init__(self, database: str) -> None:
        self.path = Path(f"{database}.turn")
        self._mutex = threading.RLock()
        self._depth = 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """The turn; taken again inside, it is the same one. StoreBusy if it is not to be had and is needed."""
        if not self._mutex.acquire(timeout=BUSY_SECONDS):
            raise self._busy()
        try:
            if self._depth:
                yield
                return
            handle = self._lock()
            self._depth = 1
            try:
                yield
            finally:
                self._depth = 0
                if handle is not None:
                    os.close(handle)  # which also unlocks
        finally:
            self._mutex.release()

    def _lock(self) -> int | None:
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            raise not_writable(str(self.path), error.strerror) from error
        give_up = time.monotonic() + BUSY_SECONDS
        while not _try_lock(handle):
            if time.monotonic() > give_up:
                os.close(handle)
                if sqlite3.sqlite_version_info < SAFE_VERSION:
                    raise self._busy()
                return None
            time.sleep(random.uniform(*TRY_SECONDS))
        return handle

    def _busy(self) -> StoreBusy:
        return StoreBusy(
            f"others have kept {self.path.name.removesuffix('.turn')} for {BUSY_SECONDS} s: try again, and look for a "
            f"process that hangs if it stays so (whoever has {self.path} open)"
        )


def _try_lock(handle: int) -> bool:
    """Whether the lock on the open file could be had without waiting."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
