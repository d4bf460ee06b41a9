"""A benchmark that is killed again and again ends with the records of an unbroken one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from strongsuit.bench.records import FILE, read_records

KILLS = int(os.environ.get("STRONGSUIT_KILLS", "2"))
COMMAND = (
    "bench", "run", "dal", "--problems", "BESS", "--strategies", "gsx,qbc", "--gammas", "2,4", "--repeats", "2",
    "--steps", "2", "--jobs", "2", "--json",
)  # fmt: skip
KEPT = ("task", "repeat", "strategy", "gamma", "labels", "error", "diversity")


def start(out: Path) -> subprocess.Popen:
    program = "import sys; from strongsuit.cli import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", program, *COMMAND, "--out", str(out)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def told(folder: Path) -> list[tuple]:
    return sorted(tuple(str(record[name]) for name in KEPT) for record in read_records(folder))


def wait_for_records(folder: Path, more_than: int, process: subprocess.Popen) -> None:
    """Until the run has written something new, or has ended."""
    limit = time.monotonic() + 120
    while time.monotonic() < limit and process.poll() is None:
        path = folder / FILE
        if path.is_file() and path.stat().st_size > more_than:
            return
        time.sleep(0.02)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_a_killed_benchmark_goes_on_where_it_stopped(tmp_path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(whole).wait(300) == 0
    rng = np.random.default_rng()
    for kill in range(KILLS):
        process = start(broken)
        path = broken / FILE
        # Every other kill comes before the first record, at any moment of the start.
        if kill % 2 == 0:
            wait_for_records(broken, path.stat().st_size if path.is_file() else 0, process)
        time.sleep(float(rng.uniform(0, 2.0)))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    assert start(broken).wait(300) == 0
    assert told(broken) == told(whole) and len(told(whole)) == 10
