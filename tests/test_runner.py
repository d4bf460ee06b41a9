"""Labels from programs: the four kinds of oracle, the limits, and a runner that is killed and followed by another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.campaign_examples import Clock
from tests.command_examples import InOrder, Lab, lab
from tests.proposal_examples import campaign, frame

from strongsuit.campaign import Campaign, load_campaign
from strongsuit.campaign.chain import moment
from strongsuit.campaign.oracle_command import command_oracle
from strongsuit.campaign.oracle_drop import DropOracle
from strongsuit.campaign.oracle_http import HttpOracle
from strongsuit.campaign.oracle_python import PythonOracle
from strongsuit.campaign.oracles import Done, Failed, Job, Running, answer_of, oracle_of, read_answer
from strongsuit.campaign.runner import Limits, run_campaign
from strongsuit.errors import InputError

_ = lab  # a fixture
COLUMNS = ("id", "u", "v")
JOB = Job("alloys-r7-2-1", 7, "A7", {"id": "A7", "u": 0.5, "v": -2.0})
PRINT_U = f"{sys.executable} -c 'import sys; print(sys.argv[1])' {{u}}"


class Table:
    """An oracle that answers from a function, after so many looks; it counts what is alive."""

    def __init__(self, say: Callable[[Job], Any], looks: int = 0) -> None:
        self.say, self.looks, self.alive, self.most = say, looks, 0, 0
        self.jobs: list[Job] = []

    def submit(self, job: Job) -> list[Any]:
        self.jobs.append(job)
        self.alive += 1
        self.most = max(self.most, self.alive)
        return [job, 0]

    def poll(self, handle: list[Any]) -> Any:
        handle[1] += 1
        if handle[1] <= self.looks:
            return Running()
        self.alive -= 1
        return self.say(handle[0])

    def cancel(self, handle: list[Any]) -> None:
        self.alive -= 1

    def close(self) -> None:
        pass


def one(**settings: Any) -> Campaign:
    return campaign(proposer=InOrder(), batch=4, **settings)


def nap(seconds: float) -> None:
    time.sleep(0.002)


def waited(poll: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while isinstance(found := poll(), Running):
        assert time.monotonic() < end, "no answer"
        time.sleep(0.02)
    return found


def test_rounds_are_run_with_so_many_workers_and_no_more() -> None:
    mine, oracle = one(), Table(lambda job: Done(job.features["u"], 0.5), looks=50)
    tally = run_campaign(mine, oracle, Limits(workers=3, rounds=2), by="runner", sleep=nap)
    assert (tally.told, tally.failed, tally.rounds) == (8, 0, 2) and "as many rounds as wanted: 2" in tally.ended
    assert oracle.most == 3 and oracle.alive == 0
    labels = {row["key"]: row["value"] for row in mine.labels()}
    assert labels == dict(zip(frame()["id"][:8], frame()["u"][:8], strict=True))
    assert mine.status()["cost"]["spent"] == 4.0 and not mine.state.leases


def test_failures_are_tried_again_when_due_and_then_given_up() -> None:
    clock = Clock()
    mine = campaign(proposer=InOrder(), batch=2, clock=clock)
    seen: list[str] = []

    def say(job: Job) -> Any:
        seen.append(job.ticket)
        if job.row == 0:
            return Failed("diverged")
        return Failed("no such row", final=True) if job.row == 1 else Done(1.0)

    def later(seconds: float) -> None:
        clock.move(seconds=30)

    tally = run_campaign(mine, Table(say), Limits(retries=1, rounds=1), by="runner", sleep=later)
    assert (tally.told, tally.failed) == (0, 3)
    assert mine.status()["states"]["failed"] == 2 and mine.state.failures[0].attempt == 2
    assert sorted(set(seen)) == sorted(seen) and {one[-2:] for one in seen if "-r0-" in one} == {"-1", "-2"}


def test_a_job_over_its_time_is_ended_and_an_impossible_label_is_final() -> None:
    now = [0.0]
    target = {"name": "y", "kind": "number", "high": 10}
    mine = one(target=target)
    slow = Table(lambda job: Done(99.0))

    def tick() -> float:
        now[0] += 3.0
        return now[0]

    limits = Limits(timeout=10.0, retries=0, rounds=1)
    tally = run_campaign(mine, slow, limits, by="runner", sleep=nap, clock=tick)
    assert tally.failed == 4 and all("99.0 is out of range" in f.reason for f in mine.state.failures.values())
    never = Table(lambda job: Done(1.0), looks=10**9)
    mine = one()
    tally = run_campaign(mine, never, limits, by="runner", sleep=nap, clock=tick)
    assert tally.failed == 4 and never.alive == 0
    assert {f.reason for f in mine.state.failures.values()} == {"no result after 10 s"}


def test_the_budget_the_advice_and_closing_end_a_run() -> None:
    mine = one(budget={"limit": 3, "unit": "labels"})
    tally = run_campaign(mine, Table(lambda job: Done(1.0)), Limits(2), by="runner", sleep=nap)
    assert tally.told == 3 and "3 of 3 labels are spent" in tally.ended
    mine = one()
    mine.close(by="anna")
    tally = run_campaign(mine, Table(lambda job: Done(1.0)), Limits(2), by="runner", sleep=nap)
    assert tally.told == 0 and "closed" in tally.ended


def test_leases_are_renewed_while_a_job_runs() -> None:
    clock, now = Clock(), [0.0]
    mine = campaign(proposer=InOrder(), batch=1, clock=clock, lease_s=60.0)

    def later(seconds: float) -> None:
        clock.move(seconds=10)
        now[0] += 10.0

    run_campaign(mine, Table(lambda job: Done(1.0), looks=20), Limits(rounds=1), by="runner", sleep=later,
                 clock=lambda: now[0])  # fmt: skip
    times = [moment(event.at) for event in mine.journal() if event.kind == "Renewed"]
    assert len(times) >= 2 and all((b - a).total_seconds() >= 30 for a, b in pairwise(times))
    assert "Expired" not in [event.kind for event in mine.journal()]


def test_rows_that_a_dead_runner_held_are_taken_up_under_the_same_tickets() -> None:
    mine = one()
    mine.ask(2, by="runner")
    oracle = Table(lambda job: Done(1.0))
    tally = run_campaign(mine, oracle, Limits(2, rounds=1), by="runner", sleep=nap)
    assert tally.adopted == 2 and [job.row for job in oracle.jobs] == list(range(8))
    assert oracle.jobs[0].ticket == "alloys-r0-3-1"


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (1.5, Done(1.5)), ("cat", Done("cat")), ([1, None], Done((1, None))),
        ({"value": 2, "cost": 3, "note": "n"}, Done(2, 3.0, "n")),
        ({"failed": "no", "final": True}, Failed("no", True)),
        (float("nan"), Failed("the value is nan")), ([1.0, float("inf")], Failed("the value is inf")),
        ({"cost": 3}, "has no value"), ({"value": 1, "cost": -1}, "cost must be"), (None, "no label"), ([], "no label"),
    ],
)  # fmt: skip
def test_what_programs_say(said: Any, wanted: Any) -> None:
    found = answer_of(said)
    assert found == wanted if not isinstance(wanted, str) else wanted in found.reason  # type: ignore[union-attr]


def test_words_are_classes_and_silence_is_a_failure() -> None:
    assert read_answer("owl\n") == Done("owl") and read_answer("2.5") == Done(2.5)
    assert read_answer("  ") == Failed("it said nothing", final=True)


def test_a_python_function_is_called_in_processes_that_are_kept() -> None:
    oracle = PythonOracle("tests.runner_examples:product")
    first = oracle.submit(JOB)
    assert waited(lambda: oracle.poll(first)) == Done(-1.0)
    assert oracle.submit(JOB) is first and waited(lambda: oracle.poll(first)) == Done(-1.0)
    oracle.close()
    assert first.process.returncode is not None
    with pytest.raises(InputError, match="module:function"):
        PythonOracle("product")
    lost = PythonOracle("tests.runner_examples:nothing")
    handle = lost.submit(JOB)
    with pytest.raises(InputError, match="nothing"):
        waited(lambda: lost.poll(handle))


def test_a_function_may_fail_in_any_way_and_takes_only_its_row_along() -> None:
    mine = campaign(proposer=InOrder(), batch=8, target={"name": "y", "kind": "number", "high": 10})
    oracle = PythonOracle("tests.runner_examples:odd")
    tally = run_campaign(mine, oracle, Limits(workers=4, timeout=20.0, retries=0, rounds=1), by="runner")
    assert (tally.told, tally.failed) == (2, 6)
    reasons = [mine.state.failures[row].reason for row in range(6)]
    assert reasons[:3] == ["no such alloy", "ZeroDivisionError: dividing", "the value is nan"]
    assert "exit code 7" in reasons[3] and "no result after 20 s" in reasons[4] and "out of range" in reasons[5]


def test_a_command_is_an_argument_list_with_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    code = "import os, json, sys; print(len(sys.argv), sys.argv[1], os.environ.get('SECRET'));"
    code += "print(json.load(sys.stdin)['row'])"
    oracle = command_oracle(
        f'{sys.executable} -c "{code}" "{{id}} ; echo {{v}}"', tmp_path, COLUMNS, shell=False, variables=()
    )
    handle = oracle.submit(JOB)
    assert waited(lambda: oracle.poll(handle)) == Done(7)
    assert (handle.folder / "stdout.txt").read_text().splitlines()[0] == "2 A7 ; echo -2.0 None"
    assert handle.folder == tmp_path / JOB.ticket and json.loads((handle.folder / "row.json").read_text()) == JOB.form
    with pytest.raises(InputError, match=r"\{w\} is no column"):
        command_oracle("simulate {w}", tmp_path, COLUMNS, shell=False, variables=())
    with pytest.raises(InputError, match="cannot be run"):
        command_oracle("/no/such/program", tmp_path, COLUMNS, shell=False, variables=()).submit(JOB)


@pytest.mark.parametrize(
    ("code", "final"), [(75, False), (124, False), (137, False), (143, False), (1, True), (2, True)]
)
def test_exit_codes_say_whether_it_is_worth_another_try(tmp_path: Path, code: int, final: bool) -> None:
    shell = f"echo oh no >&2; exit {code}"
    oracle = command_oracle(shell, tmp_path, COLUMNS, shell=True, variables=())
    handle = oracle.submit(JOB)
    assert waited(lambda: oracle.poll(handle)) == Failed(f"exit code {code}: oh no", final)


def test_values_are_quoted_for_a_shell(tmp_path: Path) -> None:
    oracle = command_oracle("echo {id}", tmp_path, COLUMNS, shell=True, variables=())
    job = Job("t", 1, "k", {**JOB.features, "id": "$(touch hacked); `id`"})
    handle = oracle.submit(job)
    assert waited(lambda: oracle.poll(handle)) == Done("$(touch hacked); `id`")
    assert not (handle.folder / "hacked").exists()


def test_a_command_over_its_time_is_ended_with_all_it_started(tmp_path: Path) -> None:
    oracle = command_oracle("sleep 600 & echo $! > child; wait", tmp_path, COLUMNS, shell=True, variables=())
    handle = oracle.submit(JOB)
    child = handle.folder / "child"
    waited(lambda: None if child.exists() and child.read_text().strip() else Running())
    oracle.cancel(handle)
    oracle.close()
    assert handle.process is not None and handle.process.returncode is not None
    waited(lambda: Running() if _alive(int(child.read_text())) else None)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc").exists(), reason="this system does not tell when a process began")
def test_finished_tickets_are_adopted_and_running_ones_waited_for(tmp_path: Path) -> None:
    count = tmp_path / "count"
    shell = f"echo once >> {count}; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo '4.5' > r; mv r result.json"
    first = command_oracle(shell, tmp_path / "runs", COLUMNS, shell=True, variables=())
    begun = first.submit(JOB)
    second = command_oracle(shell, tmp_path / "runs", COLUMNS, shell=True, variables=())
    handle = second.submit(JOB)
    assert handle.found is not None and isinstance(second.poll(handle), Running)
    (tmp_path / "go").touch()
    assert waited(lambda: second.poll(handle)) == Done(4.5)
    third = command_oracle(shell, tmp_path / "runs", COLUMNS, shell=True, variables=())
    assert waited(lambda: third.poll(third.submit(JOB))) == Done(4.5)
    assert count.read_text() == "once\n" and begun.process is not None and begun.process.wait() == 0


def test_files_are_dropped_and_picked_up(tmp_path: Path) -> None:
    oracle = DropOracle(tmp_path)
    ticket = oracle.submit(JOB)
    asked = tmp_path / "jobs" / f"{ticket}.json"
    assert json.loads(asked.read_text()) == JOB.form and isinstance(oracle.poll(ticket), Running)
    result = tmp_path / "results" / f"{ticket}.json"
    result.write_text('{"value": 12')
    assert isinstance(oracle.poll(ticket), Running)
    result.write_text('{"value": 1287.5, "cost": 3}')
    assert oracle.poll(ticket) == Done(1287.5, 3.0) and not asked.exists()
    assert oracle.submit(JOB) == ticket and not asked.exists()
    result.rename(result.with_suffix(".csv"))
    result.with_suffix(".csv").write_text("value,cost,note\n12,2,ok\n")
    assert isinstance(oracle.poll(ticket), Running)
    result.with_suffix(".done").touch()
    assert oracle.poll(ticket) == Done(12, 2.0, "ok")
    result.with_suffix(".csv").write_text("a,b\n1,2\n")
    assert "column value" in oracle.poll(ticket).reason  # type: ignore[union-attr]


@pytest.fixture
def service() -> Any:
    """A service that is busy once, then promises, then answers; what it heard stands in `heard`."""
    heard: list[tuple[str, str | None, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append(("POST", self.headers["Idempotency-Key"], self.headers["Authorization"]))
            if body["key"] == "bad":
                self._say(422, "no such thing")
            elif len(heard) == 1:
                self._say(503, "busy", ("Retry-After", "0"))
            else:
                self._say(202, "", ("Location", "/later/1"), ("Retry-After", "0"))

        def do_GET(self) -> None:
            heard.append(("GET", self.path, None))
            self._say(200, '{"value": 2.5, "cost": 1}')

        def _say(self, code: int, text: str, *heads: tuple[str, str]) -> None:
            self.send_response(code)
            for name, value in heads:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/label", heard
    server.shutdown()
    server.server_close()


def test_a_service_is_asked_again_while_busy_and_looked_at_later(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url, heard = service
    monkeypatch.setenv("STRONGSUIT_ORACLE_TOKEN", "secret")
    oracle = HttpOracle(url, 2)
    call = oracle.submit(JOB)
    assert waited(lambda: oracle.poll(call)) == Done(2.5, 1.0)
    assert heard == [("POST", JOB.ticket, "Bearer secret")] * 2 + [("GET", "/later/1", None)]
    bad = oracle.submit(Job("t", 1, "bad", {}))
    assert waited(lambda: oracle.poll(bad)) == Failed("422: no such thing", final=True)
    oracle.close()


def test_names_lead_to_oracles(tmp_path: Path) -> None:
    kinds = {"python:a:b": PythonOracle, "drop:x": DropOracle, "https://a.example/": HttpOracle}
    for spec, kind in kinds.items():
        assert isinstance(oracle_of(spec, workers=1, folder=tmp_path, columns=COLUMNS), kind)
    with pytest.raises(InputError, match="no command"):
        oracle_of("simulate 'x", workers=1, folder=tmp_path, columns=COLUMNS)


def test_run_from_the_command_line(lab: Lab) -> None:
    lab.create()
    said = lab.run("run", "alloys", "--oracle", PRINT_U, "--workers", 2, "--rounds", 1)
    assert "4 told, 0 failed, 1 round · as many rounds as wanted: 1 · journal position" in said
    found = load_campaign("alloys", store=lab.url).state
    assert {row: label.value for row, label in found.labels.items()} == dict(enumerate(frame()["u"][:4]))
    assert "is no column" in lab.run("run", "--oracle", "echo {w}", code=3)


def test_a_runner_that_is_killed_is_followed_by_one_that_goes_on(lab: Lab) -> None:
    lab.create()
    shell = "test -e ../../go || { echo {u} > r; mv r result.json; sleep 600; }; echo {u}"
    script = (
        "import sys\nfrom tests.command_examples import InOrder\nfrom strongsuit import cli, recipes\n"
        "recipes.proposer = lambda *_, **__: InOrder()\nsys.exit(cli.main(sys.argv[1:]))\n"
    )
    words = ["campaign", "run", "alloys", "--oracle", shell, "--shell", "--workers", "2", "--rounds", "1"]
    root = str(Path(__file__).resolve().parent.parent)
    paths = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    call = [sys.executable, "-c", script, *words, "--store", lab.url]
    victim = subprocess.Popen(call, env={**os.environ, "PYTHONPATH": paths})
    waited(lambda: None if len(list(Path("runs").glob("alloys/*/result.json"))) == 2 else Running())
    victim.kill()
    victim.wait()
    for path in Path("runs").glob("alloys/*/process.json"):
        os.killpg(json.loads(path.read_text())[0], 9)
    Path("runs/go").touch()
    tally = lab.json(*words[1:])
    assert tally["adopted"] == 2 and tally["told"] == 8  # what was left of the first round, and another
    events = [event.body.row for event in load_campaign("alloys", store=lab.url).journal() if event.kind == "Told"]
    assert sorted(events) == list(range(8))
