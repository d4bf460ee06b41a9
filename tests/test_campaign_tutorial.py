"""The first campaign on the page, as it stands there, with the process that chooses rows: the commands print what it
says they print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from strongsuit import cli

PAGE = Path(__file__).resolve().parent.parent / "docs" / "campaigns.md"
_CLOCK = re.compile(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d")  # with its date over midnight


def session() -> list[tuple[list[str], str]]:
    """The commands of the section with what it says they print."""
    text = PAGE.read_text(encoding="utf-8").split("## A first campaign")[1].split("\n##")[0]
    found = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in block.split("$ strongsuit ")[1:]:
            line, _, printed = part.partition("\n")
            found.append((shlex.split(line), printed))
    return found


def test_the_first_campaign_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "anna")
    monkeypatch.delenv("STRONGSUIT_STORE", raising=False)
    X = np.random.default_rng(0).uniform(0, 1, (120, 2))
    pool = pd.DataFrame({"id": [f"A{i}" for i in range(120)], "copper": X[:, 0], "zinc": X[:, 1]})
    pool.to_csv("pool.csv", index=False)
    commands = session()
    assert len(commands) == 7
    for words, printed in commands:
        assert cli.main(words) == 0
        said = capsys.readouterr().out
        assert _CLOCK.sub("14:20", said) == _CLOCK.sub("14:20", printed)
        if words[1] == "ask":
            sheet = pd.read_csv("suggested.csv")
            sheet.assign(strength=1000 + 500 * sheet["copper"] * sheet["zinc"]).to_csv("suggested.csv", index=False)
