"""A store that may not be written to: a sentence that says so, and a journal as it was."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.campaign_examples import campaign, lines

from strongsuit.campaign import SqlStore, load_campaign

pytestmark = pytest.mark.skipif(
    os.name != "posix" or (os.geteuid() == 0 and shutil.which("setpriv") is None),
    reason="rights are those of POSIX, and a superuser needs setpriv to be without",
)
MAIN = "import sys; from strongsuit.cli import main; sys.exit(main(sys.argv[1:]))"
# A superuser may write anywhere unless these are taken away.
MIGHTY = "-dac_override,-dac_read_search"
POWERLESS = ["setpriv", f"--bounding-set={MIGHTY}", f"--inh-caps={MIGHTY}"] if os.geteuid() == 0 else []


@pytest.mark.parametrize(("database", "folder"), [(0o444, 0o755), (0o444, 0o555), (0o644, 0o555)])
@pytest.mark.parametrize("verb", [["tell", "2=0.5"], ["status"]])
def test_a_store_without_the_right_to_write_says_so(
    database: int, folder: int, verb: list[str], tmp_path: Path
) -> None:
    place = tmp_path / "lab"
    place.mkdir()
    url = f"sqlite:///{place / 'lab.db'}"
    store = SqlStore(url)
    before = lines(campaign(store=store))
    store.close()
    for file in place.iterdir():
        file.chmod(database)
    place.chmod(folder)
    try:
        words = ["campaign", verb[0], "alloys", *verb[1:], "--store", url]
        done = subprocess.run([*POWERLESS, sys.executable, "-c", MAIN, *words], capture_output=True, text=True)
    finally:
        place.chmod(0o755)
        for file in place.iterdir():
            file.chmod(0o644)
    assert done.returncode == 6, done.stderr
    assert "cannot be written to" in done.stderr and "ask its owner" in done.stderr and "Traceback" not in done.stderr
    assert lines(load_campaign("alloys", store=SqlStore(url))) == before
