"""What the tests of `strongsuit campaign` share: a pool in a file, a stand-in for the process that chooses rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.proposal_examples import ROWS, frame, truth

from strongsuit import cli, recipes
from strongsuit.campaign import Chosen, Proposal, View

Run = Callable[..., Any]


class InOrder:
    """The free rows from the first on."""

    def propose(self, view: View, b: int, round: int) -> Proposal:
        closed = {*view.labelled, *view.pending, *view.unavailable, *view.queued}
        free = [row for row in range(ROWS) if row not in closed]
        rows = tuple(Chosen(row, i, "model", key=f"A{row}", why="next in line") for i, row in enumerate(free[:b]))
        return Proposal(rows, model="none", strategy="in order")

    def check(self, settings: Any) -> None:
        pass


class Lab:
    """A folder with a pool and a store, and the command line over them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        frame().to_csv(folder / "pool.csv", index=False)
        self.url = f"sqlite:///{folder / 'lab.db'}"

    def run(self, *words: object, code: int = 0) -> str:
        """What a command prints, after its exit code was checked; what it complains of, if it fails."""
        came = cli.main(["campaign", *map(str, words), "--store", self.url])
        out, err = self.capsys.readouterr()
        assert came == code, f"exit code {came}: {out}{err}"
        assert "Traceback" not in err
        return out if code == 0 else err

    def json(self, *words: object) -> Any:
        """The same as JSON."""
        return json.loads(self.run(*words, "--json"))

    def create(self, *more: object, target: str = "y") -> None:
        """A campaign of the pool with batches of 4."""
        pool = ("--pool", self.folder / "pool.csv", "--key", "id")
        self.run("create", "alloys", *pool, "--target", target, "--batch", 4, *more)

    def sheet(self, *more: object) -> Path:
        """The path of a suggested table."""
        self.run("ask", "alloys", "--out", self.folder / "suggested.csv", *more)
        return self.folder / "suggested.csv"


@pytest.fixture
def lab(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab whose rows are chosen in order, without a model."""
    monkeypatch.setattr(recipes, "proposer", lambda *_, **__: InOrder())
    monkeypatch.setenv("LOGNAME", "anna")
    monkeypatch.chdir(tmp_path)
    return Lab(tmp_path, capsys)


def fill(path: Path, **more: Any) -> list[str]:
    """The keys of a suggested table after its target column y was filled in."""
    import pandas as pd

    table = pd.read_csv(path, dtype=object)
    table["y"] = [f"{truth(int(key[1:]))!r}" for key in table["id"]]
    for name, value in more.items():
        table[name] = value
    table.to_csv(path, index=False)
    return list(table["id"])


__all__ = ["InOrder", "Lab", "fill", "lab", "truth"]
