"""What every request passes before it is looked at, and what every answer carries."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from strongsuit.web.options import Options

log = logging.getLogger(__name__)
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SAFE = ("GET", "HEAD", "OPTIONS")
UPLOAD, ML_BACKEND = "/upload", "/ml/"
PIECE, WHOLE = 30.0, 600.0  # seconds for the next piece of a body, and for all of it


def policy(image_hosts: Iterable[str]) -> str:
    """The content security policy: scripts, styles and requests are our own, images also those of listed hosts."""
    images = " ".join(("'self'", *image_hosts))
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


@dataclass(frozen=True)
class Guard:
    """The application behind its guards: known hosts, own pages only, bodies of a size, headers on every answer."""

    app: App
    options: Options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        sent = _with_headers(send, policy(self.options.image_hosts))
        refusal = refused(scope["method"], headers, self.options) or self._too_large(scope["path"], headers)
        if refusal is not None:
            await _refuse(sent, *refusal)
            return
        counted = _Counted(receive, self._most(scope["path"]))
        await self.app(scope, counted, sent)

    def _most(self, path: str) -> int:
        large = path.endswith(UPLOAD) or path.startswith(ML_BACKEND)  # the latter are sent whole tasks
        return self.options.max_upload if large else self.options.max_body

    def _too_large(self, path: str, headers: dict[str, str]) -> tuple[int, str, str] | None:
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return 400, "BadRequest", "Content-Length must be a number."
        if int(length) <= self._most(path):
            return None
        return 413, "TooLarge", f"At most {self._most(path)} bytes are taken here."


def refused(method: str, headers: dict[str, str], options: Options) -> tuple[int, str, str] | None:
    """Why a request is refused by its headers alone, or None."""
    host = headers.get("host", "")
    if host.rsplit(":", 1)[0].lower() not in options.hosts and host.lower() not in options.hosts:
        return 421, "UnknownHost", "This server does not go by that name; its owner lists the names it has."
    if method in SAFE or headers.get("authorization", "").lower().startswith("bearer "):
        return None
    site, origin = headers.get("sec-fetch-site"), headers.get("origin", "null")
    # Our pages send no referrer, for which browsers write the origin as null; what they say of the site decides then,
    # and where they say nothing (plain http on a network) the token in every form does.
    if site not in (None, "same-origin") or (site is None and origin != "null" and _host_of(origin) != host):
        return 403, "CrossSite", "This came from another site's page."
    return None


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # [ without ]
        return None


@dataclass
class _Counted:
    """A body that is counted while it comes, for those that did not say how long it is, and not waited for for ever."""

    receive: Receive
    most: int
    seen: int = 0
    ends: float | None = None
    whole: bool = False

    async def __call__(self) -> Message:
        if self.whole:  # behind the body there is only word that the client has gone
            return await self.receive()
        now = asyncio.get_running_loop().time()
        self.ends = now + WHOLE if self.ends is None else self.ends
        try:
            async with asyncio.timeout(min(PIECE, self.ends - now)):
                message = await self.receive()
        except TimeoutError as error:
            raise HTTPException(408, "The rest of the request did not come in time.") from error
        self.whole = not message.get("more_body", False)
        self.seen += len(message.get("body", b""))
        if self.seen > self.most:
            raise HTTPException(413, f"At most {self.most} bytes are taken here.")
        return message


def _with_headers(send: Send, csp: str) -> Send:
    """A `send` that adds what every answer carries, unless it is there."""
    always = {
        "content-security-policy": csp,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=()",
        "cache-control": "no-store",
    }

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            there = {name.lower() for name, _ in headers}
            more = [(name.encode(), text.encode()) for name, text in always.items() if name.encode() not in there]
            message = {**message, "headers": [*headers, *more]}
        await send(message)

    return sent


async def _refuse(send: Send, status: int, name: str, text: str) -> None:
    body = json.dumps({"type": name, "title": name, "status": status, "detail": text}).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
