"""What the scripted attacks are aimed at: a real server on this machine, with hostile rows, names and files."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pandas as pd

from strongsuit.campaign import create_campaign
from strongsuit.datasets import read_pool
from strongsuit.web import add_person, open_people
from strongsuit.web.people import LABELLER, LOGIN, OWNER, VIEWER
from strongsuit.web.server import LINK

MARK = "\"'><xss onxss=1>{{7*7}}"  # a tag or an attribute of this name in a page is an injection
ROLES = (OWNER, LABELLER, VIEWER)
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
OUTSIDE = "secret.png"  # a picture beside the folder of media
SECRET = "the content of a file that nobody may read"
DENIED = (400, 401, 403, 404, 405, 409, 413, 415, 421, 422)
LEAKS = ("Traceback", 'File "', "site-packages", "sqlite", "SELECT ", "INSERT ", "sqlalchemy", SECRET)
SERVER = """
import resource
import sys
from strongsuit.campaign import Chosen, Proposal
from strongsuit.web.server import serve
from strongsuit.web.options import Rates
from pathlib import Path

class InOrder:
    def propose(self, view, b, round):
        closed = {*view.labelled, *view.pending, *view.unavailable, *view.queued}
        rows = [row for row in range(view.settings["pool"]["n"]) if row not in closed][:b]
        return Proposal(tuple(Chosen(row, i, "model", why=WHY) for i, row in enumerate(rows)), "none", "in order")

store, port, folder, rate, WHY = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))  # a bomb that goes off ends the server, not the machine
rates = None if rate == "usual" else Rates(10**6, 10**6, 10**6, 10**6)
serve(store, port=int(port), folders=[Path(folder) / "pools"], proposers=lambda settings: InOrder(), rates=rates,
      tell=lambda link: print("ready", flush=True))
"""


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 is a connection that was closed without a word."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def cookie(self) -> str:
        """The session that was handed out."""
        return self.headers.get("set-cookie", "").split(";")[0]


@dataclass
class Aim:
    """A server, the folder it works in, and tokens and cookies of somebody of each role."""

    port: int
    folder: Path
    store: str
    process: Any
    bearer: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    def send(
        self, method: str, path: str, body: bytes | str | None = None, headers: Mapping[str, str] | None = None,
        *, role: str = "", cookie: str = "", data: Any = None, form: Mapping[str, Any] | None = None,
    ) -> Answer:  # fmt: skip
        """A request as it is written here: no path is tidied, no header added but those that are named."""
        sent = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        if role:
            sent["Authorization"] = f"Bearer {self.bearer[role]}"
        if cookie:
            sent["Cookie"] = cookie
        if data is not None:
            body, sent["Content-Type"] = json.dumps(data), sent.get("Content-Type", "application/json")
        if form is not None:
            body = urlencode(form, errors="surrogatepass")  # halves of characters are attacks too
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        return exchanged(self.port, method, path, body, sent)

    def link(self, role: str = LABELLER, name: str | None = None) -> str:
        """A fresh one-time address."""
        people = open_people(_store(self.store))
        people.add(name or role, role)
        return f"/login?token={people.issue(name or role, LOGIN, LINK)}"

    def page(self, path: str, role: str) -> Answer:
        """A page as somebody sees it who has logged in."""
        return self.send("GET", path, cookie=self.cookies[role])

    def csrf(self, role: str, path: str = "/campaigns/alloys/label") -> str:
        """The token in that person's forms."""
        return self.page(path, role).text.partition('name="csrf" value="')[2].partition('"')[0]

    def upload(self, name: str, content: bytes, role: str = OWNER, **more: Any) -> Answer:
        """A file sent as an upload of answers."""
        body, kind = multipart("file", name, content)
        return self.send("POST", "/api/v1/campaigns/alloys/upload", body, {"Content-Type": kind}, role=role, **more)


def exchanged(port: int, method: str, path: str, body: bytes | str | None, headers: Mapping[str, str]) -> Answer:
    """The answer to one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        data = body.encode() if isinstance(body, str) else body
        if data is not None and "Content-Length" not in headers:
            connection.putheader("Content-Length", str(len(data)))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        if data is not None:
            try:
                connection.send(data)
            except OSError:
                pass  # refused before it was all sent: the answer is there
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    except (OSError, http.client.HTTPException):
        return Answer(0, {}, b"")
    finally:
        connection.close()


def raw(port: int, request: bytes, seconds: float = 20.0) -> Answer:
    """The answer to bytes that need not be HTTP."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.settimeout(seconds)
        try:
            connection.sendall(request)
            data = connection.recv(65_536)
        except OSError:
            data = b""
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/1.") else 0
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    return Answer(status, {k.decode("latin-1").lower(): v.decode("latin-1").strip() for k, _, v in lines}, body)


def multipart(field: str, name: str, content: bytes) -> tuple[bytes, str]:
    """A form with one file, and its content type."""
    head = f'--xyz\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return head.encode("utf-8", "surrogatepass") + content + b"\r\n--xyz--\r\n", "multipart/form-data; boundary=xyz"


class Found(NamedTuple):
    """One line of the table."""

    attack: str
    expected: str
    got: str
    held: bool


def judged(attack: str, answer: Answer, statuses: Iterable[int] = DENIED, *, aim: Aim, also: bool = True) -> Found:
    """The line of an attack: one of the statuses, nothing told, and what else must hold."""
    wanted = tuple(statuses)
    shown = answer.text.replace(str(aim.folder / OUTSIDE), "")  # a cell of the table, whose readers may see it
    told = [text for text in (*LEAKS, str(aim.folder)) if text in shown]
    got = f"{answer.status}{f', tells {told[0]!r}' if told else ''}{'' if also else ', and it worked'}"
    expected = "/".join(map(str, wanted)) if len(wanted) < 5 else "refused"
    return Found(attack, expected, got, answer.status in wanted and not told and also)


def held(attack: str, expected: str, so: bool, got: str = "") -> Found:
    """The line of an attack whose outcome is no status."""
    return Found(attack, expected, got or (expected if so else "not so"), so)


@contextmanager
def aimed(folder: Path, rate: str = "open") -> Iterator[Aim]:
    """A server over a fresh store in the folder, with everybody logged in; ended afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{folder / 'lab.db'}"
    _furnish(folder, url)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-c", SERVER, url, str(port), str(folder), rate, MARK]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, env=dict(os.environ))
        try:
            if process.stdout is None or process.stdout.readline().strip() != "ready":
                raise RuntimeError(f"the server did not start: {(folder / 'server.log').read_text()[-2000:]}")
            aim = Aim(port, folder, url, process)
            _let_in(aim)
            yield aim
        finally:
            process.terminate()
            process.wait(20)


def _let_in(aim: Aim) -> None:
    for role in ROLES:
        aim.bearer[role] = add_person(aim.store, role, role, token=True).token or ""
        aim.cookies[role] = aim.send("GET", aim.link(role)).cookie


def _furnish(folder: Path, url: str) -> None:
    """Campaigns over hostile tables: text that would be script, formula or path, media that lead elsewhere."""
    media, pools, outside = folder / "media", folder / "pools", folder / OUTSIDE
    media.mkdir()
    pools.mkdir()
    outside.write_bytes(PNG + SECRET.encode())
    (folder / "secret.csv").write_text(f"id,x\n{SECRET},1\n")
    (media / "good.png").write_bytes(PNG)
    (media / "script.png").write_bytes(f"<html>{MARK}<script>1</script>".encode())
    (media / "drawing.svg").write_bytes(b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>')
    (media / "link.png").symlink_to(outside)
    (media / "folder").symlink_to(folder)
    (pools / "steel.csv").write_text("id,x\nS1,1\nS2,2\n")
    (pools / "link.csv").symlink_to(folder / "secret.csv")
    (pools / "broken.csv").write_bytes(b"id,id\n\0\xff")
    pictures = ["good.png", "script.png", "link.png", "folder/secret.png", "../secret.png", str(outside), "drawing.svg"]
    texts = [MARK, "=1+1", "@SUM(A1)", "http://[", "javascript:alert(1)", 'https://x/"onxss=1', "\u202egnp.exe", "a\0b"]
    frame = pd.DataFrame(
        {
            "id": ["=cmd|' /C calc'!A0", MARK, "'; DROP TABLE events; --", *[f"K{i}" for i in range(57)]],
            "copper": [i / 4 for i in range(60)],
            MARK: [texts[i % len(texts)] for i in range(60)],
            "photo": [pictures[i % len(pictures)] for i in range(60)],
        }
    )
    number = {"name": "strength", "kind": "number", "low": 0, "high": 2500, "unit": MARK}
    classes = {"name": MARK, "kind": "class", "classes": [MARK, "=1+1", "javascript:x", "</option><xss>"]}
    shown = {"columns": {"copper": {"unit": MARK}}}
    given = {"store": url, "by": "owner", "show": shown, "batch": 20}
    frame.to_parquet(folder / "pool.parquet", index=False)
    pool = read_pool(str(folder / "pool.parquet"), key="id", media=str(media))
    create_campaign("alloys", pool, number, title=MARK, **given)
    create_campaign("zoo", pool, classes, title=f"=1+1 {MARK}", **given)


def _store(url: str) -> Any:
    from strongsuit.campaign.campaigns import open_store

    return open_store(url)
