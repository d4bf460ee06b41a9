"""Looking after a database of journals: is it whole, a copy of it, tables of an older release made new."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from strongsuit.campaign import schema
from strongsuit.campaign.sql import SqlStore, opened_engine, upgraded
from strongsuit.campaign.sqlite import SAFE_VERSION
from strongsuit.campaign.verify import verify_journal
from strongsuit.errors import InputError, StoreError


def check(store: SqlStore) -> dict[str, Any]:
    """The version of the database, what its own check says, and of each campaign the length of its journal.

    Raises JournalBroken for a chain that is broken or a snapshot that says something else, StoreError for a damaged
    database.
    """
    about: dict[str, Any] = {"store": repr(store), "database": store.engine.dialect.name}
    if store.engine.dialect.name == "sqlite":
        with store.reading() as connection:
            about["integrity"] = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
        about["sqlite"] = sqlite3.sqlite_version
        about["safe"] = sqlite3.sqlite_version_info >= SAFE_VERSION
        if about["integrity"] != "ok":
            raise StoreError(f"{store}: the database is damaged ({about['integrity']}): go back to a backup")
    about["campaigns"] = {one.name: verify_journal(store, one.name).position for one in store.campaigns()}
    return about


def backup(store: SqlStore, path: str | Path) -> Path:
    """The path of a copy of a SQLite store, made while others read and write; InputError where it cannot be made."""
    path = Path(path)
    if store.engine.dialect.name != "sqlite":
        raise InputError("a PostgreSQL server is backed up by its own tools (pg_dump)")
    if path.exists():
        raise InputError(f"{path} is there already: name another file")
    with store.turn(""):
        _copy(Path(str(store.engine.url.database)), path)
    return path


def upgrade(url: str) -> Path | None:
    """The backup beside a SQLite file that was made before its tables were upgraded; None if there was nothing to do.

    A PostgreSQL server is upgraded without a backup. StoreNew for tables of a newer release.
    """
    engine = opened_engine(url)
    with engine.begin() as connection:
        found = schema.version_of(connection)
    if found in (0, len(schema.MIGRATIONS)):
        engine.dispose()
        return None
    copy = None
    if engine.dialect.name == "sqlite":
        path = Path(str(engine.url.database))
        copy = path.with_name(f"{path.name}.v{found}.backup")
        _copy(path, copy)
    upgraded(engine)
    engine.dispose()
    return copy


def _copy(path: Path, copy: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
