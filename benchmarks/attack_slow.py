"""Connections that are held: half a request, nothing, a body by drops. Others must be served meanwhile."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

from attacked import Aim, Found, held

from strongsuit.web.guards import PIECE
from strongsuit.web.patience import QUIET
from strongsuit.web.people import LABELLER, OWNER

MANY = 300


def slow(aim: Aim) -> Iterator[Found]:
    """See the module; takes as long as the server's patience, about a minute."""
    host = f"Host: 127.0.0.1:{aim.port}\r\n"
    starts = {
        "nothing": b"",
        "half a request": f"GET /login HTTP/1.1\r\n{host}X-A: b".encode(),
        "half a second request": f"GET /login HTTP/1.1\r\n{host}\r\nGET /login HTTP/1.1\r\n".encode(),
        "half a body": (
            f"POST /api/v1/campaigns/alloys/tell HTTP/1.1\r\n{host}Authorization: Bearer {aim.bearer[LABELLER]}\r\n"
            "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        ).encode(),
    }  # fmt: skip
    for what, text in starts.items():
        held_open = [socket.create_connection(("127.0.0.1", aim.port), timeout=10) for _ in range(MANY)]
        for one in held_open:
            one.sendall(text)
        begun = time.monotonic()
        answer = aim.send("GET", "/api/v1/campaigns/alloys", role=OWNER)
        took = time.monotonic() - begun
        got = f"{answer.status} after {took:.1f} s"
        yield held(f"{MANY} connections with {what}: others", "200 in 5 s", answer.status == 200 and took < 5, got)
        most = 2 * QUIET + 5 if what != "half a body" else PIECE + 5
        left = _left(held_open, begun + most, drip=b"a" if what == "half a request" else b"")
        yield held(f"{MANY} connections with {what}: themselves", f"closed in {most:.0f} s", not left,
                   f"{left} open after "
                   f"{time.monotonic() - begun:.0f} s")  # fmt: skip
        for one in held_open:
            one.close()


def _left(connections: list[socket.socket], end: float, drip: bytes) -> int:
    """How many are open still at the end; with a drop more of their request every few seconds."""
    left = list(connections)
    while left and time.monotonic() < end:
        left = [one for one in left if not _closed(one, drip)]
        time.sleep(2.0)
    return len(left)


def _closed(one: socket.socket, drip: bytes) -> bool:
    """Whether the other side has closed it, which an answer to what was whole does not mean."""
    one.settimeout(0.01)
    try:
        if drip:
            one.sendall(drip)
        while one.recv(65_536):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True
