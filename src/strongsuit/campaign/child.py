"""A proposer in a process of its own: what a fit takes (memory, JAX, a crash) never touches who asks.

The child is given a folder with `request.json`, says how far it is by JSON lines on its output, and leaves
`answer.json` there: a proposal, or the error that it met. It ends when its input is closed, so it never outlives us.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from strongsuit import errors
from strongsuit.campaign.chain import canonical
from strongsuit.campaign.events import Assessed, Chosen, json_of
from strongsuit.campaign.view import Proposal, View
from strongsuit.errors import ProposalFailed

REQUEST, ANSWER = "request.json", "answer.json"
WORDS = 4_000  # of the child's last words, in characters
GRACE_SECONDS = 5.0


def _silent(stage: str, share: float) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True)
class ChildProposer:
    """Proposes by a command that is started anew for every proposal; the folder of its request is its last argument.

    `extra` goes into the request, and `handout` may put files into that folder. `progress` hears of stages with the
    memory in use; `stopped` is asked about every second, and if it says so the child is killed.
    """

    command: Sequence[str]
    extra: Mapping[str, Any] = field(default_factory=dict)
    handout: Callable[[Path], None] | None = None
    progress: Callable[[str, float], None] = _silent
    stopped: Callable[[], bool] = _never

    def propose(self, view: View, b: int, round: int) -> Proposal:
        """The child's proposal; its own errors are raised here, ProposalFailed if it died."""
        given = {one.name: getattr(view, one.name) for one in fields(View)}
        return proposal_from(self._answer({"view": given, "b": b, "round": round})["proposal"])

    def check(self, settings: Mapping[str, Any]) -> None:
        """Nothing, or the error that a proposal with these settings of a campaign would meet."""
        self._answer({"check": settings})

    def _answer(self, request: Mapping[str, Any]) -> Any:
        with tempfile.TemporaryDirectory(prefix="strongsuit-") as name:
            folder = Path(name)
            (folder / REQUEST).write_text(canonical({**self.extra, **request}), encoding="utf-8")
            if self.handout is not None:
                self.handout(folder)
            code, used = self._run(folder)
            answer = _read(folder / ANSWER)
            if code != 0 or answer is None:
                raise ProposalFailed(_death(code, used, folder / "errors.txt"))
        if "error" in answer:
            raise _error_of(answer["error"])
        return answer

    def _run(self, folder: Path) -> tuple[int, float]:
        """The child's exit code and the most memory it said it used, in MB."""
        with (folder / "errors.txt").open("wb") as words:
            child = subprocess.Popen(
                [*self.command, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words,
                start_new_session=True,  # Ctrl-C comes to us, and we end it
            )  # fmt: skip
        try:
            return self._followed(child)
        finally:
            end(child)

    def _followed(self, child: subprocess.Popen[bytes]) -> tuple[int, float]:
        assert child.stdout is not None
        most = 0.0
        for line in child.stdout:
            said = _said(line)
            most = max(most, float(said.get("mb", 0.0)))
            if "stage" in said:
                self.progress(f"{said['stage']}, {most:,.0f} MB", float(said.get("share", 0.0)))
            if self.stopped():
                raise ProposalFailed("the proposal was stopped; the journal is as before")
        return child.wait(), most


def end(child: subprocess.Popen[bytes], grace: float = 0.0) -> None:
    """Ends a child with all that it started: asks first if there is `grace`, then kills."""
    if child.poll() is None and grace:
        _signal(child, signal.SIGTERM)
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            pass
    _signal(child, getattr(signal, "SIGKILL", signal.SIGTERM))
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            stream.close()
    child.wait()


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    try:
        if hasattr(os, "killpg"):
            os.killpg(child.pid, number)  # it leads a group of its own
        elif child.poll() is None:
            child.send_signal(number)
    except (ProcessLookupError, PermissionError):
        pass  # nobody is left


def answer_of(proposal: Proposal) -> dict[str, Any]:
    """The proposal as the child writes it."""
    form = {one.name: getattr(proposal, one.name) for one in fields(Proposal)}
    rows = [json_of(one) for one in proposal.rows]
    point = None if proposal.assessed is None else json_of(proposal.assessed)
    return {"proposal": {**form, "rows": rows, "assessed": point}}


def proposal_from(form: Mapping[str, Any]) -> Proposal:
    """The proposal that a child wrote; ProposalFailed for something else."""
    try:
        rows = tuple(Chosen(**one) for one in form["rows"])
        point = None if form["assessed"] is None else Assessed(**form["assessed"])
        return Proposal(**{**form, "rows": rows, "assessed": point})
    except (TypeError, KeyError) as error:
        raise ProposalFailed(f"the process that chooses rows answered something else: {error}") from error


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _said(line: bytes) -> dict[str, Any]:
    """What a line of the child's output says; nothing if something else was printed."""
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _error_of(said: Mapping[str, Any]) -> Exception:
    kind, message = getattr(errors, str(said.get("kind")), None), str(said.get("message"))
    if isinstance(kind, type) and issubclass(kind, errors.StrongsuitError):
        return kind(message)
    return ProposalFailed(message)


def _death(code: int, used: float, words: Path) -> str:
    """How the child died, in words."""
    if code < 0:
        how = f"was ended by signal {signal.Signals(-code).name}"
        how += " (the system may have run out of memory)" if code == -9 else ""
    else:
        how = f"ended with exit code {code} and no answer"
    last = words.read_bytes()[-WORDS:].decode("utf-8", "replace").strip() if words.exists() else ""
    said = f"; its last words: {last}" if last else ""
    return f"the process that chooses rows {how}, having used {used:,.0f} MB; nothing was written: try again{said}"
