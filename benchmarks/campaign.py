"""Campaigns under load: processes killed, many writers, the delay of a tell, opening a million rows, replay.

    python benchmarks/campaign.py [--parts kills,resumed,writers,paced,opening,replay,hashing] [--store URL]

The defaults are the full sizes: 200 kills of 4 processes that ask and tell, 16 writers for 60 s, 200 tells a second for
30 s, 1,000,000 rows, 100,000 events. What must hold is asserted: every tell exactly once, none refused, no gap, the
chain and the database whole. Seconds are only reported. Without --store every part has a SQLite file of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from strongsuit.campaign import Chosen, Proposal, View, create_campaign, delete_campaign, load_campaign
from strongsuit.campaign.chain import ZERO, linked, sealed
from strongsuit.campaign.events import Told
from strongsuit.campaign.sql import SqlStore
from strongsuit.campaign.state import State, replay
from strongsuit.campaign.upkeep import check
from strongsuit.errors import PoolExhausted, StoreBusy

NAME = "load"
TARGET = {"name": "y", "kind": "number"}
AT = "2026-11-21T09:00:00.000Z"


class Shuffled:
    """A proposer without a model: free rows, drawn at random."""

    def propose(self, view: View, b: int, round: int) -> Proposal:
        """See `Proposer`."""
        closed = {*view.labelled, *view.pending, *view.unavailable, *view.queued}
        rows, rng = view.settings["pool"]["n"], random.Random(f"{view.seed} {round}")
        chosen: dict[int, None] = {}
        while len(chosen) < min(b, rows - len(closed)):  # no list of a billion rows
            row = rng.randrange(rows)
            if row not in closed:
                chosen[row] = None
        return Proposal(tuple(Chosen(row, i, "model") for i, row in enumerate(chosen)), "none", "random")


def begun(url: str, rows: int, **settings: Any) -> Any:
    """A new campaign of that many rows."""
    pool = {"n": rows, "fingerprint": "0" * 64, "key": None, "columns": []}
    return create_campaign(NAME, pool, TARGET, store=url, proposer=Shuffled(), by="owner", **settings)


def label_all(url: str, by: str, batch: int) -> None:
    """Asks and tells until no row is left; what a killed process holds is waited for."""
    one = load_campaign(NAME, store=url, proposer=Shuffled())
    while True:
        try:
            query = one.ask(batch, by=by)
        except PoolExhausted:
            if not one.status()["states"]["pending"]:
                return
            time.sleep(0.05)
            continue
        for row in query.rows:
            one.tell({row: row / 2}, by=by)


def tell_on(url: str, by: str, first: int, seconds: float, pause: float) -> None:
    """Tells rows from `first` on without a stop, or one every `pause` seconds; prints its delays as JSON.

    It begins at a word from whoever started it, when the others are there as well, and not at their very instant.
    """
    one, delays = load_campaign(NAME, store=url), []
    one.tell({first - 1: 1.0}, by=by)  # statements are compiled by the first
    print("ready", flush=True)
    sys.stdin.readline()
    time.sleep(random.random() * pause)
    end = time.monotonic() + seconds
    while (due := time.monotonic()) < end:
        one.tell({first + len(delays): 1.0}, by=by)
        delays.append(time.monotonic() - due)
        time.sleep(max(0.0, pause - delays[-1]) if pause else 0.0)
    print(json.dumps(delays))


def started(call: Callable[..., None], *values: Any) -> subprocess.Popen:
    """A process of its own that makes the call."""
    words = [sys.executable, __file__, "--worker", call.__name__, json.dumps(values)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def together(url: str, processes: int, seconds: float, pause: float) -> list[subprocess.Popen]:
    """Processes that tell, of which none begins before all are there."""
    running = [started(tell_on, url, f"w{i}", (i + 1) * 10**6, seconds, pause) for i in range(processes)]
    for process in running:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return running


def kills(url: str, *, kills: int, processes: int, rows: int, pause: float = 0.3) -> dict[str, Any]:
    """Processes that ask and tell, killed by signal 9 at random moments and started again."""
    begun(url, rows, batch=3 * processes)
    names = [f"worker{i}" for i in range(processes)]
    running = {by: started(label_all, url, by, 3) for by in names}
    rng, done = random.Random(0), 0
    try:
        while done < kills:
            time.sleep(rng.uniform(0.2, 1.8) * pause)
            by = rng.choice(names)
            done += running[by].poll() is None
            running[by].kill()
            running[by].wait()
            running[by] = started(label_all, url, by, 3)
        codes = [process.wait() for process in running.values()]
    finally:
        for process in running.values():
            process.kill()
    assert codes == [0] * processes, codes
    events = whole(url)
    told = Counter(event.body.row for event in events if event.kind == "Told")
    assert told == Counter(range(rows)), "every row is told exactly once"
    again = load_campaign(NAME, store=url, proposer=Shuffled()).verify()
    assert {verdict.verdict for verdict in again} == {"equal"}, "every round comes out again"
    return {"kills": kills, "processes": processes, "rows": rows, "events": len(events)}


def resumed(url: str, *, kills: int, pause: float = 0.3) -> dict[str, Any]:
    """One process, killed again and again: what it asks for is what a process asks for that nobody kills."""
    one = begun(url, 10**6, batch=7)
    rng = random.Random(1)
    for _ in range(kills):
        known, running = one.status()["position"], started(label_all, url, "worker", 1)
        try:
            while one.status()["position"] == known and running.poll() is None:
                time.sleep(0.05)
            time.sleep(rng.uniform(0.0, 2.0) * pause)
            assert running.poll() is None, "it ended by itself"
        finally:
            running.kill()
            running.wait()
    events = whole(url)
    asked, unbroken = _asked_rows(events), begun("memory://", 10**6, batch=7)
    for _ in asked:
        unbroken.tell({row: row / 2 for row in unbroken.ask(1, by="worker").rows}, by="worker")
    assert asked == _asked_rows(unbroken.journal()), "the same rows in the same order"
    told = Counter(event.body.row for event in events if event.kind == "Told")
    assert max(told.values()) == 1 and set(asked[:-1]) <= set(told), "what was asked for is told once"
    return {"kills": kills, "rows": len(asked)}


def _asked_rows(events: Iterable[Any]) -> list[int]:
    """Rows in the order in which they were asked for first."""
    return list(dict.fromkeys(row for event in events if event.kind == "Asked" for row in event.body.rows))


def writers(url: str, *, processes: int, seconds: float) -> dict[str, Any]:
    """Writers without a pause, beside a reader and a proposer."""
    begun(url, 10**9, batch=5)
    running = together(url, processes, seconds, 0.0)
    reader, looks, asks = load_campaign(NAME, store=url, proposer=Shuffled()), 0, 0
    while any(process.poll() is None for process in running):
        looks += reader.status()["position"] > 0
        if looks % 5 == 0:
            try:
                reader.ask(1, by=f"asker{asks}")
            except StoreBusy:
                continue
            asks += 1
        time.sleep(0.1)
    delays = _delays(running)
    events = whole(url)
    assert sum(event.kind == "Told" for event in events) == processes + len(delays), "every tell exactly once"
    assert sum(event.kind == "Asked" for event in events) == asks
    return {
        "processes": processes,
        "seconds": seconds,
        "tells": len(delays),
        "looks": looks,
        "asks": asks,
        **_times(delays),
    }


def paced(url: str, *, rate: int, seconds: float, processes: int = 8) -> dict[str, Any]:
    """The delay of tells at a steady rate, from several processes."""
    begun(url, 10**9)
    delays = _delays(together(url, processes, seconds, processes / rate))
    events = whole(url)
    assert sum(event.kind == "Told" for event in events) == processes + len(delays)
    return {"wanted a second": rate, "tells a second": len(delays) / seconds, **_times(delays)}


def opening(url: str, *, rows: int, labelled: int) -> dict[str, Any]:
    """The time to open a campaign of many rows, with labels, in this process, and what status costs."""
    one = begun(url, rows, batch=1000)
    for start in range(0, labelled, 1000):
        one.tell({row: 0.5 for row in range(start, min(labelled, start + 1000))}, by="owner")
    began, cpu = time.perf_counter(), time.process_time()
    loaded = load_campaign(NAME, store=url)
    opened, opened_cpu = time.perf_counter() - began, time.process_time() - cpu
    status = loaded.status()
    assert status["states"]["labelled"] == labelled and status["states"]["unlabelled"] == rows - labelled
    return {"rows": rows, "labelled": labelled, "open s": opened, "open CPU s": opened_cpu,
            "status s": time.perf_counter() - began - opened}  # fmt: skip


def replaying(url: str, *, events: int) -> dict[str, Any]:
    """CPU seconds to read, check and fold a journal from its start."""
    one, store = begun(url, events), SqlStore(url)
    first = one.journal()[0]
    bodies = [Told(row, row / 7, False, 1.0, None, "") for row in range(events - 1)]
    journal = sealed(bodies, after=1, before=first.digest, at=AT, by="anna", request=None)
    store.append(NAME, journal, after=1)
    began = time.process_time()
    state = replay(linked(store.read(NAME)), State())
    assert state.position == events and len(state.labels) == events - 1
    return {"events": events, "CPU s": time.process_time() - began}


def hashing(url: str, *, rows: int) -> dict[str, Any]:
    """Megabytes of columns hashed a CPU second."""
    import numpy as np
    import pyarrow as pa

    from strongsuit.datasets.fingerprint import fingerprint_table

    rng = np.random.default_rng(0)
    columns = {f"x{i}": pa.chunked_array([rng.normal(size=rows)]) for i in range(8)}
    columns["name"] = pa.chunked_array([pa.array([f"row number {i}" for i in range(rows)])])
    began = time.process_time()
    fingerprint_table(columns)
    seconds = time.process_time() - began
    size = sum(column.nbytes for column in columns.values()) / 1e6
    return {"rows": rows, "MB": size, "MB a CPU s": size / seconds}


def whole(url: str) -> list[Any]:
    """The journal's events; AssertionError or JournalBroken unless all is whole."""
    store = SqlStore(url)
    about = check(store)
    assert about.get("integrity", "ok") == "ok"
    events = list(linked(store.read(NAME), before=ZERO))
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    return events


def _delays(running: Sequence[subprocess.Popen]) -> list[float]:
    found: list[float] = []
    for process in running:
        text, _ = process.communicate()
        assert process.returncode == 0, "a tell was refused"
        found += json.loads(text)
    return sorted(found)


def _times(delays: Sequence[float]) -> dict[str, float]:
    return {f"p{share} ms": 1e3 * delays[int(len(delays) * share / 100)] for share in (50, 99)} | {
        "longest ms": 1e3 * delays[-1]
    }


def parts(given: argparse.Namespace) -> dict[str, Callable[[str], dict[str, Any]]]:
    """What can be run, by name, in the given sizes."""
    return {
        "kills": lambda url: kills(url, kills=given.kills, processes=4, rows=given.rows_killed),
        "resumed": lambda url: resumed(url, kills=given.kills),
        "writers": lambda url: writers(url, processes=given.writers, seconds=given.seconds),
        "paced": lambda url: paced(url, rate=given.rate, seconds=given.seconds / 2),
        "opening": lambda url: opening(url, rows=given.rows, labelled=given.labelled),
        "replay": lambda url: replaying(url, events=given.events),
        "hashing": lambda url: hashing(url, rows=given.rows),
    }


def main() -> None:
    """Runs the parts and prints what was found, a line a part."""
    if sys.argv[1:2] == ["--worker"]:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        call = {"label_all": label_all, "tell_on": tell_on}[sys.argv[2]]
        return call(*json.loads(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="kills,resumed,writers,paced,opening,replay,hashing")
    parser.add_argument("--store", help="URL of a server; its campaign 'load' is deleted")
    parser.add_argument("--json", help="file for the result; other parts in it are kept")
    sizes = {"kills": 200, "rows-killed": 4000, "writers": 16, "rate": 200, "rows": 10**6, "labelled": 20_000}
    for name, value in {**sizes, "events": 100_000}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in given.parts.split(","):
            url = given.store or f"sqlite:///{folder}/{name}.db"
            if any(one.name == NAME for one in SqlStore(url).campaigns()):
                delete_campaign(NAME, store=url)
            found[name] = parts(given)[name](url)
            print(name, *(f"{key}: {value:.4g}" for key, value in found[name].items()), sep="  ", flush=True)
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()}
    if given.json:
        path = Path(given.json)
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        report = {**before, "machine": {**machine, "sqlite": sqlite3.sqlite_version}, **found}
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
