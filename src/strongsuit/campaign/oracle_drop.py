"""Labels by files in a folder: jobs appear in `jobs`, results in `results`. For instruments, queues, people between."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strongsuit.campaign.oracles import (
    Answer,
    Done,
    Failed,
    Job,
    Running,
    answer_of,
    folder_at,
    read_answer,
    write_whole,
)

SETTLED_SECONDS = 2.0  # a file that did not change for so long was written whole, where no `.done` says so


@dataclass(frozen=True)
class DropOracle:
    """`jobs/TICKET.json` out; `results/TICKET.json` or `.csv` in, renamed into place, or `TICKET.done` beside it."""

    folder: Path

    def submit(self, job: Job) -> str:
        """The ticket, its job in the folder unless a result is there already."""
        jobs = folder_at(self.folder / "jobs")
        folder_at(self.folder / "results")
        if self._found(job.ticket) is None:
            write_whole(jobs / f"{job.ticket}.json", json.dumps(job.form, default=str))
        return job.ticket

    def poll(self, ticket: str) -> Answer:
        """The result once it is there; the job is then taken away."""
        found = self._found(ticket)
        if found is None:
            return Running()
        answer = _read(found)
        self.cancel(ticket)
        return answer

    def cancel(self, ticket: str) -> None:
        """Takes the job away."""
        (self.folder / "jobs" / f"{ticket}.json").unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing: jobs wait for whoever does them."""

    def _found(self, ticket: str) -> Path | None:
        results = self.folder / "results"
        for path in (results / f"{ticket}.json", results / f"{ticket}.csv"):
            if path.exists():
                whole = (results / f"{ticket}.done").exists() or (path.suffix == ".json" and _is_json(path))
                return path if whole or time.time() - path.stat().st_mtime > SETTLED_SECONDS else None
        return None


def _is_json(path: Path) -> bool:
    """Whether a file holds an object that is whole; a number alone may lack its last digits."""
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8-sig")), dict)
    except (OSError, ValueError):
        return False


def _read(path: Path) -> Done | Failed:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if path.suffix == ".json":
        try:
            return answer_of(json.loads(text))
        except ValueError:
            return Failed(f"{path.name} is no JSON: {text[:200]!r}", final=True)
    lines = list(csv.DictReader(text.splitlines()))
    if len(lines) != 1 or "value" not in lines[0]:
        return Failed(f"{path.name} must have a column value and one line", final=True)
    return _line(lines[0])


def _line(line: dict[str, Any]) -> Done | Failed:
    found = read_answer(line["value"] or "")
    if isinstance(found, Failed) or not line.get("cost"):
        return found
    try:
        return answer_of({"value": found.value, "cost": float(line["cost"]), "note": line.get("note")})
    except ValueError:
        return Failed(f"the cost must be a number, got {line['cost']!r}", final=True)
