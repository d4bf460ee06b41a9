"""Labels from a command: an argument list without a shell, a folder a ticket, killed with all it started at the limit.

The folder outlives the runner. Who finds it again takes a finished result, and waits for a command that still runs.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strongsuit.campaign.child import end
from strongsuit.campaign.oracles import LAST_WORDS, Answer, Failed, Job, Running, folder_at, read_answer, write_whole
from strongsuit.errors import InputError

GRACE_SECONDS = 10.0  # between asking a command to end and ending it
PASSING = {75, 124, 137, 143, -9, -15}  # exit codes of trouble that may be over next time
VISIBLE = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "TEMP", "SYSTEMROOT", "OMP_NUM_THREADS")
OWN = ("key", "ticket", "dir", "row")
RESULT, WORKER, OUT, ERRORS = "result.json", "process.json", "stdout.txt", "stderr.txt"
_PLACE = re.compile(r"\{([^{}]+)\}")


@dataclass
class Handle:
    """A command at work, or one that an earlier runner started (`found`, its process id and when it began)."""

    folder: Path
    job: Job
    process: subprocess.Popen[bytes] | None = None
    found: tuple[int, str] | None = None


@dataclass(frozen=True)
class CommandOracle:
    """Runs a template whose {column}, {key}, {ticket}, {row} and {dir} are filled in for each job."""

    template: tuple[str, ...]
    folder: Path
    shell: bool = False
    variables: tuple[str, ...] = ()
    _ending: list[threading.Thread] = field(default_factory=list)

    def submit(self, job: Job) -> Handle:
        """The command started in the ticket's folder, unless it has run or still runs there."""
        folder = folder_at(self.folder / job.ticket).resolve()
        if _result(folder) is not None:
            return Handle(folder, job)
        found = _worker(folder)
        if found is not None and _began(found[0]) == found[1]:
            return Handle(folder, job, found=found)
        return self._started(folder, job)

    def poll(self, handle: Handle) -> Answer:
        """How it is: by its result, its exit code, its last words."""
        if handle.process is None:
            if handle.found and _began(handle.found[0]) == handle.found[1]:
                return Running()
            found = _result(handle.folder)
            if found is None:  # its exit code went to a runner that is gone
                handle.process, handle.found = self._started(handle.folder, handle.job).process, None
                return Running()
            return read_answer(found)
        code = handle.process.poll()
        return Running() if code is None else _ended(handle.folder, code)

    def cancel(self, handle: Handle) -> None:
        """Asks the command and all that it started to end, and ends them ten seconds later."""
        if handle.process is not None:
            thread = threading.Thread(target=end, args=(handle.process, GRACE_SECONDS))
            thread.start()
            self._ending.append(thread)
        elif handle.found and _began(handle.found[0]) == handle.found[1]:
            _kill(handle.found[0])

    def close(self) -> None:
        """Waits until what was cancelled has ended."""
        for thread in self._ending:
            thread.join()

    def _started(self, folder: Path, job: Job) -> Handle:
        text = json.dumps(job.form, default=str)
        write_whole(folder / "row.json", text)
        command: Any = _filled(self.template, job, folder, quoted=self.shell)
        allowed = {name: os.environ[name] for name in (*VISIBLE, *self.variables) if name in os.environ}
        with (
            (folder / "row.json").open("rb") as given, (folder / OUT).open("wb") as out,
            (folder / ERRORS).open("wb") as words,
        ):  # fmt: skip
            try:
                process = subprocess.Popen(
                    command[0] if self.shell else command, shell=self.shell, cwd=folder, env=allowed, stdin=given,
                    stdout=out, stderr=words, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise InputError(f"--oracle: {command[0]!r} cannot be run: {error.strerror or error}") from error
        write_whole(folder / WORKER, json.dumps([process.pid, _began(process.pid)]))
        return Handle(folder, job, process)


def command_oracle(
    spec: str, folder: Path, columns: Sequence[str], *, shell: bool, variables: Sequence[str]
) -> CommandOracle:
    """The oracle of a command template; InputError for an empty one and for places that no row fills."""
    try:
        template = (spec,) if shell else tuple(shlex.split(spec))
    except ValueError as error:
        raise InputError(f"--oracle {spec!r} is no command: {error}") from error
    known = {*OWN, *columns}
    lost = [name for part in template for name in _PLACE.findall(part) if name not in known]
    if not template or lost:
        said = f"{{{lost[0]}}} is no column" if lost else "it is empty"
        raise InputError(f"--oracle {spec!r}: {said}; there are {', '.join(sorted(known))}")
    return CommandOracle(template, folder, shell, tuple(variables))


def _filled(template: Sequence[str], job: Job, folder: Path, *, quoted: bool) -> list[str]:
    values: Mapping[str, Any] = {**job.features, "key": job.key, "ticket": job.ticket, "row": job.row, "dir": folder}

    def value(found: re.Match[str]) -> str:
        text = str(values[found.group(1)])
        return shlex.quote(text) if quoted else text

    return [_PLACE.sub(value, part) for part in template]


def _ended(folder: Path, code: int) -> Answer:
    """What a command that has ended said."""
    if code != 0:
        words = (folder / ERRORS).read_bytes()[-LAST_WORDS:].decode("utf-8", "replace").strip()
        return Failed(f"exit code {code}: {words}" if words else f"exit code {code}", code not in PASSING)
    found = _result(folder)
    if found is not None:
        return read_answer(found)
    lines = (folder / OUT).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return read_answer(lines[-1]) if lines else Failed("exit code 0 and no result", final=True)


def _result(folder: Path) -> str | None:
    """The text of a result that is whole."""
    try:
        text = (folder / RESULT).read_text(encoding="utf-8")
        json.loads(text)
    except (OSError, ValueError):
        return None
    return text


def _worker(folder: Path) -> tuple[int, str] | None:
    try:
        number, began = json.loads((folder / WORKER).read_text(encoding="utf-8"))
        return int(number), str(began)
    except (OSError, ValueError, TypeError):
        return None


def _began(number: int) -> str:
    """When a process began, as this system counts; "" where it is gone or the system does not tell."""
    try:
        about = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if about[0] == "Z" else about[19]


def _kill(number: int) -> None:
    import signal

    try:
        os.killpg(number, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
