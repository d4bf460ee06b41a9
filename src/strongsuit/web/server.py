"""What `strongsuit campaign serve` and `campaign people` do: the server, and who may come in."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from strongsuit._optional import require
from strongsuit.campaign.campaigns import open_store
from strongsuit.campaign.service import login
from strongsuit.errors import InputError
from strongsuit.web.options import Options, Rates
from strongsuit.web.people import API, LOGIN, OWNER, open_people

log = logging.getLogger(__name__)
LINK = timedelta(minutes=15)
BACKLOG = 2048  # calls that wait; what uvicorn asks for as well


@dataclass(frozen=True)
class Added:
    """Somebody who may come in: by a link that works once, and with `token` as a program."""

    name: str
    role: str
    link: str
    token: str | None = None


def serve(
    store: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8321,
    names: Sequence[str] = (),
    proposers: Callable[[Mapping[str, Any]], Any] | None = None,
    pools: Callable[[str, Mapping[str, Any]], Any] | None = None,
    folders: Sequence[Path] = (),
    image_hosts: Sequence[str] = (),
    certificate: Path | None = None,
    private_key: Path | None = None,
    rates: Rates | None = None,
    tell: Callable[[str], None] = log.info,
    warn: Callable[[str], None] = log.warning,
) -> None:
    """Serves the campaigns of a store until it is interrupted.

    `tell` is given the one-time link of whoever started it (an owner), `warn` a sentence where the address is not of
    this machine and there is no `certificate`. `names` are further names of the server. `proposers` turns the settings
    of a campaign into its proposer: without it rows that are queued or proposed already are handed out and no more.
    Raises InputError if the port is taken, MissingDependency without the extra `web`.
    """
    uvicorn = require("uvicorn", extra="web")
    require("python_multipart", extra="web")
    require("fastapi", extra="web")
    from strongsuit.web.app import create_app
    from strongsuit.web.patience import Patience

    place, secure = open_store(store), certificate is not None
    options = Options(
        hosts=allowed_hosts(host, names), secure=secure, cookie=f"strongsuit-{port}",
        pools=pools or pool_of_uri, proposers=proposers or (lambda settings: None),
        folders=tuple(Path(folder).resolve() for folder in folders), image_hosts=tuple(image_hosts),
        rates=rates or Rates(),
    )  # fmt: skip
    people, who = open_people(place), login()
    people.add(who, OWNER)
    url = address(host, port, secure)
    app = Patience(create_app(place, options, people=people))
    with _bound(host, port) as bound:
        tell(f"{url}/login?token={people.issue(who, LOGIN, LINK)}")
        if not secure and not _is_loopback(host):
            warn("this address is open to the network and without https: anybody on the way can read along")
        config = uvicorn.Config(
            app, access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=5,
            ssl_certfile=certificate, ssl_keyfile=private_key, log_level="warning",
        )  # fmt: skip
        config.load()
        config.http_protocol_class = app.watched(config.http_protocol_class)
        uvicorn.Server(config).run(sockets=[bound])


def add_person(
    store: Any, name: str, role: str, *, campaigns: Sequence[str] | None = None, base: str = "http://127.0.0.1:8321",
    token: bool = False, note: str = "", days: int | None = None,
) -> Added:  # fmt: skip
    """Somebody added, or given another role, with a fresh one-time link, and a program's token if that is wanted."""
    people = open_people(open_store(store))
    people.add(name, role, campaigns)
    link = f"{base.rstrip('/')}/login?token={people.issue(name, LOGIN, LINK)}"
    lasts = None if days is None else timedelta(days=days)
    return Added(name, role, link, people.issue(name, API, lasts, note) if token else None)


def pool_of_uri(name: str, description: Mapping[str, Any]) -> Any:
    """The pool where the journal says it lies; None for one that was never a file."""
    from strongsuit.datasets.pools import read_pool

    if description.get("format") not in ("text", "parquet", "folder"):
        return None
    roles: dict[str, list[str]] = {"target": [], "ignore": []}
    for column in description.get("columns", ()):
        roles.setdefault(column["role"], []).append(column["name"])
    return read_pool(
        description["uri"], key=description.get("key"), target=roles["target"], ignore=roles["ignore"],
        media=description.get("media"), known=description,
    )  # fmt: skip


def allowed_hosts(host: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names by which the server may be addressed."""
    own = ("localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host, *names)
    return tuple(dict.fromkeys(one.lower() for one in own))


def address(host: str, port: int, secure: bool) -> str:
    """What to type into a browser."""
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{shown}:{port}"


def _bound(host: str, port: int) -> socket.socket:
    """A socket on the address that takes calls before a link to it is shown: who is quick waits and is not refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise InputError(f"port {port} of {host} cannot be had ({error.strerror}): give another by --port") from error
    return bound


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
