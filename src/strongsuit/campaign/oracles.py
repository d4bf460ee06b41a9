"""Oracles: labels from programs. What one is, what it answers, and which there are by their names on a command line.

An oracle is given jobs, one a row and attempt. It starts them without waiting, says of each whether it is running, done
or failed, and can end one. A ticket names a job for good: an oracle that keeps results knows them again after a crash.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from strongsuit.errors import InputError

LAST_WORDS = 4_000  # of a program's errors that the journal keeps, in characters


@dataclass(frozen=True)
class Job:
    """What is to be labelled: a ticket that is the same after a crash, the row, its key and its columns."""

    ticket: str
    row: int
    key: Any
    features: Mapping[str, Any]

    @property
    def form(self) -> dict[str, Any]:
        """The job as JSON has it."""
        return {"ticket": self.ticket, "row": self.row, "key": self.key, "features": dict(self.features)}


@dataclass(frozen=True)
class Running:
    """Not yet."""


@dataclass(frozen=True)
class Done:
    """A label, what it cost if that is known, a remark."""

    value: Any
    cost: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Failed:
    """No label, and whether it is no use to try again."""

    reason: str
    final: bool = False


Answer = Running | Done | Failed


class Oracle(Protocol):
    """Starts jobs and says how they are. None of its methods waits."""

    def submit(self, job: Job) -> Any:
        """A handle of the job, started or found again."""
        ...

    def poll(self, handle: Any) -> Answer:
        """How it is."""
        ...

    def cancel(self, handle: Any) -> None:
        """Ends it."""
        ...

    def close(self) -> None:
        """Ends all that is left."""
        ...


def oracle_of(
    spec: str,
    *,
    workers: int,
    folder: Path,
    columns: Sequence[str],
    shell: bool = False,
    variables: Sequence[str] = (),
) -> Oracle:
    """The oracle behind a name: `python:module:function`, `drop:FOLDER`, an address, else a command template.

    `folder` is where commands keep a folder a ticket, `columns` what they may name, `variables` what they may see of
    the environment besides the usual. Raises InputError for a name that means nothing.
    """
    if spec.startswith(("http://", "https://")):
        from strongsuit.campaign.oracle_http import HttpOracle

        return HttpOracle(spec, workers)
    if spec.startswith("drop:"):
        from strongsuit.campaign.oracle_drop import DropOracle

        return DropOracle(Path(spec.removeprefix("drop:")))
    if spec.startswith("python:"):
        from strongsuit.campaign.oracle_python import PythonOracle

        return PythonOracle(spec.removeprefix("python:"))
    from strongsuit.campaign.oracle_command import command_oracle

    return command_oracle(spec, folder, columns, shell=shell, variables=variables)


def answer_of(said: Any) -> Done | Failed:
    """What a program said -> the answer: a number, a class, a list, {"value", "cost", "note"} or {"failed", "final"}.

    What is not finite is a failure.
    """
    if isinstance(said, Mapping) and "failed" in said:
        return Failed(str(said["failed"])[-LAST_WORDS:], said.get("final") is True)
    cost, note = None, ""
    if isinstance(said, Mapping):
        if "value" not in said:
            return Failed(f"the answer has no value: {str(said)[:200]}", final=True)
        said, cost, note = said["value"], said.get("cost"), str(said.get("note") or "")
    if cost is not None and not (isinstance(cost, int | float) and math.isfinite(cost) and cost >= 0):
        return Failed(f"the cost must be a number of 0 or more, got {cost!r}", final=True)
    parts = said if isinstance(said, list | tuple) else [said]
    if not parts or all(part is None for part in parts) or any(isinstance(part, dict | list) for part in parts):
        return Failed(f"the answer is no label: {str(said)[:200]}", final=True)
    bad = [part for part in parts if isinstance(part, float) and not math.isfinite(part)]
    if bad:
        return Failed(f"the value is {bad[0]}")
    return Done(tuple(said) if isinstance(said, list | tuple) else said, None if cost is None else float(cost), note)


def read_answer(text: str) -> Done | Failed:
    """The same of text: JSON, or else words, which are a class."""
    try:
        return answer_of(json.loads(text))
    except ValueError:
        word = text.strip()
        return Done(word) if word else Failed("it said nothing", final=True)


def write_whole(path: Path, text: str) -> None:
    """Writes a file beside its name and renames it, so that nobody reads half of it."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def folder_at(path: Path) -> Path:
    """The folder, made if it is not there; InputError where it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be made a folder: {error.strerror or error}") from error
    return path
