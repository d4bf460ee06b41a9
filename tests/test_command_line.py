"""The command line: files whole or not at all, one sentence and the right exit code for every failure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from strongsuit import cli
from strongsuit.datasets import GENERATORS, PUBLIC_SETS, generate, read_table
from strongsuit.errors import InputError, MissingDependency, StoreError, StrongsuitError


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = cli.main([str(one) for one in arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_generate_writes_the_table(capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    code, printed, _ = run(capsys, "generate", "level_laws", "--rows", 50, "--seed", 4, "--out", out, "--json")
    assert code == 0
    facts = json.loads(printed)
    assert facts["rows"] == 50 and facts["regimes"] == 2 and facts["noise_floor"] == 0.01
    expected = generate("level_laws", rows=50, seed=4).to_frame()
    assert read_table(out, target="y").fingerprint == read_table(expected, target="y").fingerprint
    assert list(tmp_path.iterdir()) == [out]


def test_lists_of_laws_and_sets(capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["name"] for row in json.loads(run(capsys, "generate", "--json")[1])] == list(GENERATORS)
    assert [row["name"] for row in json.loads(run(capsys, "datasets", "--json")[1])] == list(PUBLIC_SETS)
    code, printed, _ = run(capsys, "datasets", "list")
    assert code == 0 and "yacht_hydrodynamics" in printed


def test_get_writes_a_copy(capsys: pytest.CaptureFixture[str], tmp_path: Path, data_folder: Path) -> None:
    code, _, _ = run(capsys, "datasets", "get", "servo", "--out", tmp_path / "s.csv")
    assert code == 0 and len(pd.read_csv(tmp_path / "s.csv")) == 167


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["nonsense"], 2, "nonsense"),
        (["generate", "wave_climb"], 2, "--out"),
        (["generate", "wave_climb", "--rows", "0", "--out", "t.csv"], 2, "--rows"),
        (["generate", "wave_climb", "--rows", "many", "--out", "t.csv"], 2, "--rows"),
        (["generate", "wave", "--out", "t.csv"], 3, "wave_climb"),
        (["generate", "wave_climb", "--out", "t.docx"], 3, ".parquet"),
        (["generate", "wave_climb", "--out", "no/such/folder/t.csv"], 6, "cannot be written"),
        (["datasets", "get", "nothing", "--out", "t.csv"], 3, "nothing"),
        (["datasets", "get", "servo", "--out", "t.csv"], 6, "STRONGSUIT_DATA"),
    ],
)
def test_failures_are_a_sentence_and_a_code(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    part: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STRONGSUIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STRONGSUIT_DATA", raising=False)
    came, printed, complaint = run(capsys, *arguments)
    assert came == code and printed == "" and part in complaint and "Traceback" not in complaint
    came, printed, _ = run(capsys, *arguments, "--json")
    error = json.loads(printed)["error"]
    assert came == code and error["exit_code"] == code and part in error["message"]
    assert not list(tmp_path.glob("t.*"))


def with_command(monkeypatch: pytest.MonkeyPatch, raised: BaseException) -> None:
    """Puts a command `boom` on the command line that raises."""

    def boom() -> None:
        """Fails."""
        raise raised

    module = ModuleType("strongsuit.cli.boom")
    module.boom = boom  # type: ignore[attr-defined]
    module.__spec__ = cli.__spec__
    monkeypatch.setitem(sys.modules, "strongsuit.cli.boom", module)
    monkeypatch.setitem(cli.COMMANDS, "boom", ("strongsuit.cli.boom", "boom"))


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (InputError("bad column"), 3),
        (StoreError("disk full"), 6),
        (MissingDependency("needs ray"), 2),
        (StrongsuitError("other"), 1),
        (ZeroDivisionError("division by zero"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_exception_has_its_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int
) -> None:
    with_command(monkeypatch, raised)
    came, _, complaint = run(capsys, "boom")
    assert came == code and "Traceback" not in complaint and complaint.startswith("Error:")


SWALLOWED = """
import gc, sys, time
from types import ModuleType
from strongsuit import cli

left = [KeyboardInterrupt()] * int(sys.argv[1])

def callback(phase, info):
    if phase == "stop" and left:
        raise left.pop()

def busy():
    "Runs until it is interrupted."
    gc.callbacks.append(callback)
    give_up = time.monotonic() + 30.0
    while time.monotonic() < give_up:
        gc.collect()

module = ModuleType("strongsuit.cli.busy")
module.busy, module.__spec__ = busy, cli.__spec__
sys.modules["strongsuit.cli.busy"] = module
cli.COMMANDS["busy"] = ("strongsuit.cli.busy", "busy")
sys.exit(cli.main(["busy"]))
"""


@pytest.mark.parametrize("swallowed", ["1", "3"])
def test_an_interrupt_swallowed_by_the_garbage_collector_is_raised_after_all(swallowed: str) -> None:
    # A process of its own: where tests run on several workers these ignore interrupts.
    run = subprocess.run([sys.executable, "-c", SWALLOWED, swallowed], capture_output=True, text=True, timeout=60)
    assert run.returncode == 130 and run.stderr.startswith("Error: Interrupted"), run.stderr


def test_a_defect_asks_for_a_report_and_shows_its_traceback_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_command(monkeypatch, RuntimeError("[bold]odd[/bold]"))
    assert "[bold]odd[/bold]; please report it" in run(capsys, "boom")[2]
    monkeypatch.setenv("STRONGSUIT_DEBUG", "1")
    assert "Traceback" in run(capsys, "boom")[2]


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed, _ = run(capsys)
    assert code == 0 and "generate" in printed and "datasets" in printed
    assert run(capsys, "--version")[1].startswith("strongsuit 0.")
    for command in (("generate",), ("datasets",), ("datasets", "get")):
        code, printed, _ = run(capsys, *command, "--help")
        assert code == 0 and ("strongsuit" in printed)
    assert "Example: strongsuit generate" in run(capsys, "generate", "--help")[1]


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "strongsuit", "partition", str(tmp_path / "none.csv"), "--target", "y"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 3 and "does not exist" in ended.stderr
