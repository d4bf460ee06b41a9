"""Connections that never say what they want are closed, so that nobody can hold the server's sockets by saying nothing.

Browsers open connections ahead, and slow ones take their time: only what has sent no whole request for long is closed.
How long a body may take is the business of the guards.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

QUIET = 20.0  # seconds without a whole request
Scope = MutableMapping[str, Any]
Peer = tuple[str, int]


@dataclass
class Patience:
    """An application, and which of its connections have asked for something."""

    app: Callable[..., Awaitable[None]]
    quiet: float = QUIET
    _begun: Counter[Peer] = field(default_factory=Counter)
    _open: Counter[Peer] = field(default_factory=Counter)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """One request, which is counted for its connection."""
        peer = _peer(scope.get("client"))
        self._begun[peer] += 1
        self._open[peer] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._open[peer] -= 1

    def watched(self, make: Callable[..., Any]) -> Callable[..., Any]:
        """The maker of a connection's protocol, whose connections are watched from then on."""

        def made(**given: Any) -> Any:
            protocol = make(**given)
            asyncio.get_running_loop().call_later(self.quiet, self._look, protocol, 0)
            return protocol

        return made

    def _look(self, protocol: Any, seen: int) -> None:
        """Closes a connection that has begun no request since the last look and has none under way."""
        transport = getattr(protocol, "transport", None)
        if transport is None:
            return
        peer = _peer(transport.get_extra_info("peername"))
        if transport.is_closing() or (self._begun[peer] == seen and not self._open[peer]):
            transport.abort()
            del self._begun[peer], self._open[peer]
            return
        asyncio.get_running_loop().call_later(self.quiet, self._look, protocol, self._begun[peer])


def _peer(address: Any) -> Peer:
    return (str(address[0]), int(address[1])) if address else ("", 0)
