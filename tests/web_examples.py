"""What the tests of the page share: a client within the process, campaigns behind it, people with their tokens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pandas as pd
from tests.campaign_examples import ANIMAL, NUMBER, Clock, RandomProposer

from strongsuit.campaign import MemoryStore, create_campaign
from strongsuit.datasets import read_pool
from strongsuit.web.app import create_app
from strongsuit.web.options import Options
from strongsuit.web.people import API, LABELLER, LOGIN, OWNER, VIEWER, People, open_people
from strongsuit.web.server import pool_of_uri

BASE = "http://localhost"
NAMES = {OWNER: "olga", LABELLER: "anna", VIEWER: "vera"}


@dataclass
class Client:
    """One browser or program: it keeps its cookies and follows no redirect by itself."""

    app: Any
    headers: dict[str, str] = field(default_factory=dict)
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    base: str = BASE

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=self.base, cookies=self.cookies) as client:
                headers = {**self.headers, **more.pop("headers", {})}
                answer = await client.request(method, path, headers=headers, **more)
                self.cookies = client.cookies
                return answer

        return asyncio.run(once())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.send("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.send("POST", path, **more)

    def form(self, page: str, path: str, **fields: Any) -> httpx.Response:
        """The form of a page sent, with its hidden fields."""
        return self.post(path, data={**hidden(page), **fields})


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the first form for answers in a page, or of the first form there is."""
    main = page.partition('<form id="answer"')[2].partition("</form>")[0] or page
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', main))


@dataclass
class House:
    """An application with a campaign of 40 rows, and somebody of each role."""

    app: Any
    store: Any
    people: People
    clock: Clock
    proposer: RandomProposer

    def browser(self, role: str, name: str | None = None) -> Client:
        """Somebody who has logged in by a link."""
        who = name or NAMES[role]
        self.people.add(who, role)
        client = Client(self.app)
        answer = client.get(f"/login?token={self.people.issue(who, LOGIN, self.app.state.door.options.link)}")
        assert answer.status_code == 303
        return client

    def program(self, role: str, name: str | None = None) -> Client:
        """The same with a bearer token."""
        who = name or NAMES[role]
        self.people.add(who, role)
        return Client(self.app, {"authorization": f"Bearer {self.people.issue(who, API, None)}"})

    @property
    def campaign(self) -> Any:
        """The campaign as the application holds it."""
        return self.app.state.opened.get("alloys")


def frame(rows: int = 40) -> pd.DataFrame:
    """A pool with a key, a number, text and the name of a picture."""
    numbers = range(rows)
    return pd.DataFrame(
        {
            "id": [f"A-{i:03d}" for i in numbers],
            "copper": [i / 8 for i in numbers],
            "remark": ["first line\nsecond <b>line</b>" if i % 2 else "=1+1" for i in numbers],
            "photo": [f"{i}.png" for i in numbers],
        }
    )


def house(
    *, target: Any = None, store: Any = None, rows: int = 40, media: str | None = None, proposer: Any = None,
    clock: Callable[[], Any] | None = None, options: dict[str, Any] | None = None, **settings: Any,
) -> House:  # fmt: skip
    """See `House`."""
    clock, store, proposer = clock or Clock(), store or MemoryStore(), proposer or RandomProposer()
    pool = read_pool(frame(rows), key="id", media=media)
    given = {"batch": 8, "versions": {}, "by": "olga", "clock": clock, **settings}
    create_campaign("alloys", pool, target or NUMBER, store=store, title="Alloys of copper", **given)
    people = open_people(store, clock)

    def pools(name: str, about: Any) -> Any:
        return pool if name == "alloys" else pool_of_uri(name, about)

    chosen = Options(pools=pools, proposers=lambda settings: proposer, clock=clock, **options or {})
    return House(create_app(store, chosen, people=people), store, people, clock, proposer)


__all__ = ["ANIMAL", "NUMBER", "Client", "House", "frame", "hidden", "house"]
