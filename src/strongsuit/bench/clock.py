"""The clock of the benchmarks."""

from __future__ import annotations

import time

from strongsuit.core.compile import first_call_seconds


def cpu_clock() -> float:
    """CPU seconds of this process less those spent on compiling, which is measured apart."""
    return time.process_time() - first_call_seconds()
