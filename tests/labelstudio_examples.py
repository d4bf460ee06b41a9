"""What the tests of Label Studio share: a site to talk to, the fake one or a real one, and a campaign for it.

A real one is started once, on a free port with a folder of its own, where STRONGSUIT_LABEL_STUDIO names its program
(`python -m venv .ls-venv && .ls-venv/bin/pip install label-studio`, then `.ls-venv/bin/label-studio`).
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.campaign_examples import RandomProposer
from tests.labelstudio_fake import LEGACY, Fake, served
from tests.web_examples import frame

from strongsuit.campaign import Campaign, MemoryStore, Proposal, View, create_campaign
from strongsuit.campaign.labelstudio_client import Project, Server
from strongsuit.datasets import read_pool

VARIABLE = "STRONGSUIT_LABEL_STUDIO"
START_SECONDS = 420
OWNER = "owner@example.org"
MEDIA = "https://pictures.example.org/alloys"


@dataclass(frozen=True)
class Site:
    """A Label Studio: its address, and what holds its data if it is the fake one."""

    url: str
    fake: Fake | None = None

    @property
    def server(self) -> Server:
        return Server(self.url, LEGACY, sleep=lambda seconds: None)

    def annotate(self, task: int, value: Any, **more: Any) -> int:
        """The number of a new annotation: what a labeller's click does. None skips the task."""
        body = {"result": result(value), "was_cancelled": value is None, **more}
        return self.server.call("POST", f"/api/tasks/{task}/annotations/", body)["id"]

    def change(self, annotation: int, value: Any) -> None:
        self.server.call("PATCH", f"/api/annotations/{annotation}/", {"result": result(value)})

    def delete(self, what: str, id_: int) -> None:
        """Deletes one of the `annotations` or `tasks`."""
        self.server.call("DELETE", f"/api/{what}/{id_}/")


def result(value: Any) -> list[dict[str, Any]]:
    """What the form says: a number, a class, or nothing."""
    if value is None:
        return []
    kind, said = ("choices", [value]) if isinstance(value, str) else ("number", value)
    return [{"from_name": "target_0", "to_name": "row", "type": kind, "value": {kind: said}}]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    program = os.environ.get(VARIABLE)
    if not program:
        pytest.skip(f"no real Label Studio: {VARIABLE} names none")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("label-studio")
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            _command(program, folder, port), stdout=log, stderr=log, env=_environment(folder), start_new_session=True
        )
        try:
            _wait(url, process, folder)
            yield Site(url)
        finally:
            _end(process)


def _command(program: str, folder: Path, port: int) -> list[str]:
    return [
        program, "start", "--no-browser", "--init", "--internal-host", "127.0.0.1", "--port", str(port), "--data-dir",
        str(folder), "--username", OWNER, "--password", secrets.token_hex(12), "--user-token", LEGACY,
        "--enable-legacy-api-token",
    ]  # fmt: skip


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder), "DJANGO_DB": "sqlite", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": "",
        "COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false", "SSRF_PROTECTION_ENABLED": "false",
        "ML_BLOCK_LOCAL_IP": "false",
    }  # fmt: skip


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process with all that it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(30)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _wait(url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        time.sleep(1)
    pytest.fail(f"Label Studio did not start: {(folder / 'log').read_text()[-2000:]}")


@pytest.fixture
def fake() -> Iterator[Fake]:
    with served() as one:
        yield one


@pytest.fixture(params=["fake", "real"])
def site(request: pytest.FixtureRequest) -> Site:
    """The fake one, and a real one where there is one."""
    if request.param == "real":
        return request.getfixturevalue("real")
    one = request.getfixturevalue("fake")
    return Site(one.url, one)


@dataclass
class Clustered(RandomProposer):
    """Rows in two clusters."""

    def propose(self, view: View, b: int, round: int) -> Proposal:
        found = super().propose(view, b, round)
        return replace(found, rows=tuple(replace(one, cluster=one.rank % 2) for one in found.rows))


def campaign(store: Any = None, **settings: Any) -> Campaign:
    """A campaign of 40 rows with batches of 4 and a name that no other has."""
    pool = read_pool(frame(), key="id", target="strength")
    target = {"name": "strength", "kind": "number", "low": 0, "high": 2500, "unit": "MPa"}
    given = {"target": target, "batch": 4, "proposer": RandomProposer(), "by": "olga", "versions": {}, **settings}
    name = f"alloys-{secrets.token_hex(4)}"
    return create_campaign(name, pool, store=MemoryStore() if store is None else store, **given)


def orders(project: Project) -> dict[str, float]:
    """The score of each task's mark in the version that the project shows."""
    version = project.about()["model_version"]
    found: dict[str, float] = {}
    for task in project.tasks():
        scores = [one["score"] for one in task["predictions"] if one["model_version"] == version]
        assert len(scores) <= 1, "one score a task"
        found |= {task["data"]["strongsuit_row"]: scores[0]} if scores else {}
    return found
