"""The tables of a store, and the migrations that make them: a list of functions, each applied once, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    inspect,
    select,
)

from strongsuit.errors import StoreNew, StoreOld

metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("applied_at", String(24), nullable=False),
    Column("package", Text, nullable=False),
)
campaigns = Table(
    "campaigns",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("position", Integer, CheckConstraint("position >= 0"), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", String(24), nullable=False),
    Column("archived", Integer, nullable=False, default=0),
)


def _owner() -> Column:
    return Column("campaign", String(32), ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True)


events = Table(
    "events",
    metadata,
    _owner(),
    Column("position", Integer, primary_key=True),
    Column("part", Integer, nullable=False),
    Column("request", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("v", Integer, nullable=False),
    Column("at", String(24), nullable=False),
    Column("by", Text, nullable=False),
    Column("body", Text, nullable=False),  # text: a JSON type would reorder keys and rewrite numbers
    Column("digest", String(64), nullable=False),
    UniqueConstraint("campaign", "request", "part"),
)
# What follows can be rebuilt and is never in a journal.
snapshots = Table(
    "snapshots",
    metadata,
    _owner(),
    Column("position", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("check", String(64), nullable=False),
    Column("body", Text, nullable=False),
)
claims = Table(
    "claims",
    metadata,
    _owner(),
    Column("task", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", String(24), nullable=False),
)
links = Table(
    "links",
    metadata,
    _owner(),
    Column("system", Text, primary_key=True),
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("other", Text, nullable=False),
)
# Who may use the page and the interface over HTTP; never exported. Of a token only its hash is kept.
people = Table(
    "people",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", String(16), nullable=False),
    Column("campaigns", Text),  # a JSON list of names; null means all
    Column("created_at", String(24), nullable=False),
)
tokens = Table(
    "tokens",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("person", Text, ForeignKey("people.name", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", String(24), nullable=False),
    Column("until", String(24)),
)
_SECOND = (people, tokens)


def _first(connection: Connection) -> None:
    metadata.create_all(connection, [table for table in metadata.sorted_tables if table not in _SECOND])


def _second(connection: Connection) -> None:
    metadata.create_all(connection, _SECOND)


MIGRATIONS: Sequence[Callable[[Connection], None]] = (_first, _second)


def version_of(connection: Connection) -> int:
    """The version of the tables that are there, 0 for none."""
    if not inspect(connection).has_table(schema_version.name):
        return 0
    return max(connection.scalars(select(schema_version.c.version)), default=0)


def latest() -> int:
    """The version of the tables that this release makes."""
    return len(MIGRATIONS)


def check_version(found: int) -> None:
    """StoreOld or StoreNew unless the tables are those of this release, or there are none yet."""
    check_newer(found)
    if 0 < found < latest():
        raise StoreOld(
            f"the store has tables of version {found}, this release needs {latest()}: "
            "run `strongsuit store upgrade`, which makes a backup first"
        )


def check_newer(found: int) -> None:
    """StoreNew for tables of a newer release."""
    if found > latest():
        raise StoreNew(
            f"the store has tables of version {found}, this release knows up to {latest()}: install a newer strongsuit"
        )


def migrate(connection: Connection, found: int, *, at: str, package: str) -> None:
    """Applies the next migration after version `found`, with its record; the caller commits both together."""
    MIGRATIONS[found](connection)
    connection.execute(insert(schema_version).values(version=found + 1, applied_at=at, package=package))
