"""Campaigns among processes: killed by signal 9 at every step, many writers at once, and none of it shows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.campaign_examples import lines
from tests.campaign_worker import script

from strongsuit.campaign import MemoryStore, SqlStore
from strongsuit.testing import CrashingStore
from strongsuit.testing.stores import Crash

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signal 9 is POSIX")


def appends() -> int:
    """How many appends the whole script makes."""
    store = CrashingStore(MemoryStore(), at=-1)
    script(store)
    return store.appends


@pytest.mark.parametrize("when", ["before", "inside", "after"])
def test_a_crash_at_every_append_and_a_new_start_give_the_unbroken_journal(when: str, tmp_path: Path) -> None:
    expected = lines(script(MemoryStore()))
    for at in range(appends()):
        store = SqlStore(f"sqlite:///{tmp_path}/{at}.db")
        with pytest.raises(Crash):
            script(CrashingStore(store, at=at, when=when, statement=1 + at % 4))
        assert lines(script(store)) == expected, f"append {at}"
        store.close()


def test_processes_killed_by_signal_9_and_resumed_write_the_unbroken_journal(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/lab.db"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    for kill in range(10):
        when, statement = ("after", "inside", "before")[kill % 3], str(1 + kill % 4)
        at = "0" if kill == 0 else "1" if when == "after" else "0"
        words = [sys.executable, str(ROOT / "tests" / "campaign_worker.py"), url, at, when, statement]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in (-signal.SIGKILL, 0), done.stderr
    assert lines(script(SqlStore(url))) == lines(script(MemoryStore()))


@pytest.mark.parametrize(
    ("part", "sizes"),
    [
        ("kills", ["--kills", "10", "--rows-killed", "80"]),
        ("writers", ["--writers", "4", "--seconds", "2"]),
        ("opening", ["--rows", "1000000", "--labelled", "3000"]),
    ],
)
def test_the_load_benchmark_holds_at_a_small_size(part: str, sizes: list[str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = [sys.executable, str(ROOT / "benchmarks" / "campaign.py"), "--parts", part, *sizes, "--json", str(report)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert part in json.loads(report.read_text())
