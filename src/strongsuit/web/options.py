"""What the application may be told when it is made: all of it by the one who starts the server, none by a client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from strongsuit.campaign.desk import utc_now

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Rates:
    """How many requests of a kind a person at an address may send in a minute."""

    login: int = 5
    tell: int = 120
    ask: int = 60
    files: int = 6  # uploads and exports


@dataclass(frozen=True)
class Options:
    """Settings of the application.

    Parameters
    ----------
    hosts : tuple of str
        Names by which clients may address the server, without port: others are refused (DNS rebinding).
    secure : bool
        Served under https: the cookie is then sent nowhere else.
    cookie : str
        Name of the cookie: two servers on one machine need two, since cookies know no ports.
    pools : callable
        (name, description of the pool in the journal) -> the pool, or None where it is not at hand.
    proposers : callable
        Settings of a campaign -> its proposer, or None.
    folders : tuple of Path
        Folders whose tables may become pools of new campaigns.
    image_hosts : tuple of str
        Hosts whose images pages may show, as `https://images.example.org`; the server itself fetches nothing.
    """

    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    secure: bool = False
    cookie: str = "strongsuit"
    pools: Callable[[str, Mapping[str, Any]], Any] = lambda name, description: None
    proposers: Callable[[Mapping[str, Any]], Any] = lambda settings: None
    folders: tuple[Path, ...] = ()
    image_hosts: tuple[str, ...] = ()
    rates: Rates = field(default_factory=Rates)
    clock: Callable[[], datetime] = utc_now
    session: timedelta = timedelta(hours=12)
    link: timedelta = timedelta(minutes=15)
    max_body: int = MEGABYTE
    max_upload: int = 50 * MEGABYTE
    max_media: int = 20 * MEGABYTE
