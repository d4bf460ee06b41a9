"""How often somebody may ask for something: a window of a minute a person, address and kind of request."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

WINDOW = 60.0  # seconds
MANY = 10_000  # windows kept before old ones are thrown away


@dataclass
class Limiter:
    """Counts requests of the last minute; `clock` gives the time."""

    clock: Callable[[], datetime]
    _seen: dict[tuple[str, ...], deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, most: int, *key: str) -> float:
        """Seconds to wait before another request of this key, 0 if it is counted now."""
        now = self.clock().timestamp()
        with self._lock:
            if len(self._seen) > MANY:
                self._seen = {name: times for name, times in self._seen.items() if times and times[-1] > now - WINDOW}
            times = self._seen.setdefault(key, deque())
            while times and times[0] <= now - WINDOW:
                times.popleft()
            if len(times) >= most:
                return max(1.0, times[0] + WINDOW - now)
            times.append(now)
            return 0.0
