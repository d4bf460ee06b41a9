"""Labels from a Python function, in processes of their own that are kept from job to job and ended at the limit."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

from strongsuit.campaign.child import end
from strongsuit.campaign.oracles import Answer, Failed, Job, Running, answer_of
from strongsuit.errors import InputError


@dataclass(eq=False)
class Worker:
    """A process that answers one job after the other, a line each."""

    process: subprocess.Popen[bytes]
    said: queue.Queue[bytes] = field(default_factory=queue.Queue)


@dataclass
class PythonOracle:
    """Calls `module:function` with a row's columns as a dictionary."""

    name: str
    idle: list[Worker] = field(default_factory=list)
    busy: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Raises InputError for a name that is not module:function."""
        module, _, function = self.name.partition(":")
        if not module or not function.isidentifier():
            raise InputError(f"--oracle python:{self.name}: write python:module:function")

    def submit(self, job: Job) -> Worker:
        """The worker that has begun with the job."""
        worker = self.idle.pop() if self.idle else self._started()
        self.busy.append(worker)
        assert worker.process.stdin is not None
        try:
            worker.process.stdin.write(json.dumps(job.form, default=str).encode() + b"\n")
            worker.process.stdin.flush()
        except BrokenPipeError:
            pass  # poll says how it died
        return worker

    def poll(self, worker: Worker) -> Answer:
        """How the job is; a worker that died takes only its own job with it."""
        try:
            line = worker.said.get_nowait()
        except queue.Empty:
            return Running()
        if line:
            self.busy.remove(worker)
            self.idle.append(worker)
            said = json.loads(line)
            if isinstance(said, dict) and "broken" in said:
                self.close()
                raise InputError(f"--oracle python:{self.name}: {said['broken']}")
            return answer_of(said)
        code = worker.process.wait()
        self.cancel(worker)
        return Failed(f"the process of {self.name} ended with exit code {code}")

    def cancel(self, worker: Worker) -> None:
        """Ends the worker with its job."""
        if worker in self.busy:
            self.busy.remove(worker)
        end(worker.process)

    def close(self) -> None:
        """Ends all workers."""
        for worker in (*self.idle, *self.busy):
            end(worker.process)
        self.idle, self.busy = [], []

    def _started(self) -> Worker:
        command = [sys.executable, "-m", "strongsuit.campaign.callee", self.name]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )  # fmt: skip
        worker = Worker(process)
        threading.Thread(target=_listen, args=(process.stdout, worker.said), daemon=True).start()
        return worker


def _listen(stream: Any, said: queue.Queue[bytes]) -> None:
    """Passes on lines, and an empty one at the end."""
    try:
        for line in stream:
            said.put(line)
    except ValueError:  # it was closed
        pass
    said.put(b"")
