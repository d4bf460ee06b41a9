"""Who may come in, and by which tokens: two tables beside the journals, which no export contains.

A token is `id.secret`. The id finds its row, the secret (256 random bits) is kept as SHA-256 only and compared in
constant time. A `login` token is used up by its first use, a `session` token sits in a cookie, an `api` token is a
program's. There are no passwords.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, create_engine, delete, insert, select, update
from sqlalchemy.pool import StaticPool

from strongsuit.campaign import schema
from strongsuit.campaign.chain import stamp
from strongsuit.campaign.desk import check_identity, utc_now
from strongsuit.errors import InputError

VIEWER, LABELLER, OWNER = "viewer", "labeller", "owner"
ROLES = (VIEWER, LABELLER, OWNER)
LOGIN, SESSION, API = "login", "session", "api"
_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_NOBODY = "0" * 64  # compared with when there is no such token, so that this takes as long
_P, _T = schema.people.c, schema.tokens.c


class Person(NamedTuple):
    """Somebody with a role, in all campaigns or in some."""

    name: str
    role: str
    campaigns: tuple[str, ...] | None = None

    def sees(self, campaign: str) -> bool:
        """Whether the campaign exists for this person."""
        return self.campaigns is None or campaign in self.campaigns


class Token(NamedTuple):
    """What is known of a token: all but its secret."""

    id: str
    person: str
    kind: str
    note: str
    created_at: str
    until: str | None


Context = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True)
class People:
    """The people of a store and their tokens; made by `open_people`."""

    reading: Context
    writing: Context
    clock: Callable[[], datetime] = utc_now

    def add(self, name: str, role: str, campaigns: Sequence[str] | None = None) -> Person:
        """The person, with this role from now on; InputError for a role that there is not."""
        check_identity(name, None)
        if role not in ROLES:
            raise InputError(f"role must be one of {', '.join(ROLES)}, got {role!r}")
        allowed = None if campaigns is None else json.dumps(sorted(campaigns))
        with self.writing() as connection:
            values = {"role": role, "campaigns": allowed}
            done = connection.execute(update(schema.people).where(_P.name == name).values(**values))
            if done.rowcount == 0:
                row = {"name": name, "created_at": stamp(self.clock()), **values}
                connection.execute(insert(schema.people), row)
        return Person(name, role, None if campaigns is None else tuple(sorted(campaigns)))

    def all(self) -> list[Person]:
        """Everybody, by name."""
        with self.reading() as connection:
            rows = connection.execute(select(_P.name, _P.role, _P.campaigns).order_by(_P.name)).all()
        return [_person(row) for row in rows]

    def remove(self, name: str) -> None:
        """Somebody less, and all their tokens; InputError if there is no such person."""
        with self.writing() as connection:
            connection.execute(delete(schema.tokens).where(_T.person == name))
            if connection.execute(delete(schema.people).where(_P.name == name)).rowcount == 0:
                raise InputError(f"there is no {name!r}; `strongsuit campaign people list` shows who is")

    def issue(self, name: str, kind: str, lasts: timedelta | None, note: str = "") -> str:
        """A new token of somebody; it is shown here and never again. InputError if there is no such person."""
        id_, secret, now = secrets.token_hex(8), secrets.token_urlsafe(32), self.clock()
        row = {
            "id": id_, "person": name, "kind": kind, "hash": hashed(secret), "note": note, "created_at": stamp(now),
            "until": None if lasts is None else stamp(now + lasts),
        }  # fmt: skip
        with self.writing() as connection:
            if connection.execute(select(_P.name).where(_P.name == name)).first() is None:
                raise InputError(
                    f"there is no {name!r}; add them first: strongsuit campaign people add {name} --role labeller"
                )
            connection.execute(delete(schema.tokens).where(_T.until.is_not(None), _T.until <= stamp(now)))
            connection.execute(insert(schema.tokens), row)
        return f"{id_}.{secret}"

    def holder(self, token: str, kind: str) -> Person | None:
        """Whose token of this kind it is, while it lasts; None for any other text."""
        with self.reading() as connection:
            return self._holder(connection, token, kind)

    def redeem(self, token: str, lasts: timedelta) -> tuple[Person, str] | None:
        """The person of a login token and a session in its place; None if it was used or is over."""
        with self.writing() as connection:
            person = self._holder(connection, token, LOGIN)
            if person is None:
                return None
            if connection.execute(delete(schema.tokens).where(_T.id == token.partition(".")[0])).rowcount != 1:
                return None  # somebody was quicker
        return person, self.issue(person.name, SESSION, lasts)

    def tokens(self, name: str | None = None) -> list[Token]:
        """The tokens there are, of one person or of all."""
        query = select(_T.id, _T.person, _T.kind, _T.note, _T.created_at, _T.until).order_by(_T.created_at)
        with self.reading() as connection:
            rows = connection.execute(query if name is None else query.where(_T.person == name)).all()
        return [Token(*row) for row in rows]

    def revoke(self, id_: str) -> None:
        """A token less, named by its id (what stands before the dot); InputError if there is none."""
        with self.writing() as connection:
            if connection.execute(delete(schema.tokens).where(_T.id == id_)).rowcount == 0:
                raise InputError(f"there is no token {id_!r}; `strongsuit campaign people list` shows their ids")

    def _holder(self, connection: Connection, token: str, kind: str) -> Person | None:
        id_, _, secret = token.partition(".")
        id_ = id_ if _ID.fullmatch(id_) else ""
        query = select(_T.hash, _T.kind, _T.until, _P.name, _P.role, _P.campaigns).join_from(
            schema.tokens, schema.people, _T.person == _P.name
        )
        row = connection.execute(query.where(_T.id == id_)).one_or_none()
        same = hmac.compare_digest(hashed(secret), row.hash if row else _NOBODY)
        if row is None or not same or row.kind != kind or (row.until is not None and row.until <= stamp(self.clock())):
            return None
        return _person((row.name, row.role, row.campaigns))


def open_people(store: Any, clock: Callable[[], datetime] = utc_now) -> People:
    """The people of a store: in its database, or for a store without one in this process's memory."""
    if hasattr(store, "reading") and hasattr(store, "writing"):
        return People(store.reading, store.writing, clock)
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    schema.metadata.create_all(engine, [schema.people, schema.tokens])
    one = threading.RLock()

    @contextmanager
    def using() -> Iterator[Connection]:
        with one, engine.begin() as connection:
            yield connection

    return People(using, using, clock)


def hashed(secret: str) -> str:
    """What is kept of a secret: it has 256 random bits, so that a plain hash cannot be turned back."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _person(row: Sequence[Any]) -> Person:
    name, role, campaigns = row
    return Person(name, role, None if campaigns is None else tuple(json.loads(campaigns)))
