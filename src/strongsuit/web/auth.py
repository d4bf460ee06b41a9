"""Who asks: a session in a cookie or a bearer token, the roles of a route, and the token that every form carries."""

from __future__ import annotations

import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from strongsuit.web.bodies import NAME
from strongsuit.web.limits import Limiter
from strongsuit.web.options import Options
from strongsuit.web.people import API, LABELLER, LOGIN, OWNER, SESSION, VIEWER, People, Person
from strongsuit.web.problems import Refused

ALL = frozenset({VIEWER, LABELLER, OWNER})
READS = frozenset({VIEWER, OWNER})  # not labellers: what the model expects of a row would lead them
LABELS = frozenset({LABELLER, OWNER})
OWNS = frozenset({OWNER})
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
SAFE = ("GET", "HEAD", "OPTIONS")
_NAME = re.compile(NAME)
FORM: dict[str, Any] = {"max_files": 1, "max_fields": 200}


@dataclass(frozen=True)
class Visitor:
    """Somebody who has come in: who it is, and the token that their forms must carry ('' for a program)."""

    person: Person
    csrf: str = ""

    @property
    def name(self) -> str:
        """The name that the journal keeps."""
        return self.person.name

    @property
    def owns(self) -> bool:
        """Whether an owner's verbs are allowed."""
        return self.person.role == OWNER


@dataclass(frozen=True)
class Door:
    """Recognises visitors and counts their requests."""

    people: People
    options: Options
    limiter: Limiter

    @property
    def cookie(self) -> str:
        """The name of the cookie; under https browsers bind one of this prefix to the host."""
        return f"__Host-{self.options.cookie}" if self.options.secure else self.options.cookie

    def visitor(self, request: Request) -> Visitor | None:
        """Who sent the request, or None; a bearer token that is none is not made up for by a cookie."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            person = self.people.holder(token.strip(), API)
            return Visitor(person) if person else None
        session = request.cookies.get(self.cookie, "")
        person = self.people.holder(session, SESSION) if session else None
        return Visitor(person, csrf_of(session)) if person else None

    def let_in(self, token: str) -> tuple[Person, str] | None:
        """The person of a one-time token and their session."""
        return self.people.redeem(token, self.options.session)

    def is_for(self, token: str, visitor: Visitor) -> bool:
        """Whether a one-time token is of somebody who is inside already; it is not used up."""
        person = self.people.holder(token, LOGIN)
        return person is not None and person.name == visitor.name

    def give_cookie(self, response: Response, session: str) -> None:
        """Puts the session into the browser's cookie: no script reads it, no other site's form sends it."""
        response.set_cookie(
            self.cookie, session, max_age=int(self.options.session.total_seconds()), path="/",
            httponly=True, samesite="lax", secure=self.options.secure,
        )  # fmt: skip

    def count(self, kind: str, request: Request, who: str = "") -> None:
        """Refused if this person at this address has sent too many requests of the kind."""
        address = request.client.host if request.client else ""
        wait = self.limiter.wait(getattr(self.options.rates, kind), kind, who, address)
        if wait:
            raise Refused(429, "TooMany", f"Too many requests: try again in {wait:.0f} s.", wait)


def csrf_of(session: str) -> str:
    """The token of a session's forms: nobody can make it who cannot read the cookie."""
    return hmac.new(session.encode(), b"csrf", sha256).hexdigest()


def allowed(roles: frozenset[str], rate: str = "") -> Callable[[Request], Awaitable[Visitor]]:
    """The dependency of a route: who asks, if one of these roles and within the rate; Refused otherwise.

    A campaign that somebody may not see is not there for them. What changes something needs the form's token, unless a
    program sent it.
    """

    async def visitor(request: Request) -> Visitor:
        door: Door = request.app.state.door
        found = await run_in_threadpool(door.visitor, request)
        if found is None:
            raise Refused(401, "NotLoggedIn", "Log in first: ask the owner for a link or a token.")
        check_role(request, found, roles)
        if rate:
            door.count(rate, request, found.name)
        if request.method not in SAFE and found.csrf:
            await _check_csrf(request, found.csrf)
        return found

    visitor.roles = roles  # type: ignore[attr-defined]
    return visitor


def check_role(request: Request, visitor: Visitor, roles: frozenset[str]) -> Visitor:
    """The visitor, if they may see the route's campaign and have one of the roles; Refused otherwise."""
    name = request.path_params.get("campaign")
    if name is not None and not (_NAME.fullmatch(name) and visitor.person.sees(name)):
        raise Refused(404, "UnknownCampaign", f"There is no campaign {name!r} here.")
    if visitor.person.role not in roles:
        raise Refused(403, "NotAllowed", f"This is for {' and '.join(sorted(roles))}s; you are {_an(visitor)}.")
    return visitor


async def _check_csrf(request: Request, wanted: str) -> None:
    given: Any = request.headers.get(CSRF_HEADER)
    if given is None and not request.url.path.startswith("/api/"):
        given = (await request.form(**FORM)).get(CSRF_FIELD, "")
    if not hmac.compare_digest(str(given or "").encode(), wanted.encode()):
        raise Refused(403, "StaleForm", "This form is not of your session any more: load the page again and repeat.")


async def form_of(request: Request) -> AsyncIterator[Mapping[str, Any]]:
    """The fields of a form, read once however often it is asked for; its file is gone after the answer."""
    form = await request.form(**FORM)
    try:
        yield form
    finally:
        await form.close()


def _an(visitor: Visitor) -> str:
    return f"{'an' if visitor.person.role == OWNER else 'a'} {visitor.person.role}"
