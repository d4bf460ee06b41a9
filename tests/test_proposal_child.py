"""Proposing in a process of its own: the same rows, errors of ours as they are, a death in plain words."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.proposal_examples import campaign, frame, pool, slates, tell

from strongsuit import recipes
from strongsuit.campaign import create_campaign
from strongsuit.campaign.child import ChildProposer, end, proposal_from
from strongsuit.datasets import read_pool
from strongsuit.errors import InputError, PoolMismatch, ProposalFailed


def scripted(code: str, **more: object) -> ChildProposer:
    return ChildProposer((sys.executable, "-c", f"import json, os, sys, time\n{code}"), **more)  # type: ignore[arg-type]


def test_a_child_proposes_what_this_process_would(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "pool.csv", index=False)
    rows = read_pool(tmp_path / "pool.csv", key="id", target="y")
    heard: list[str] = []
    child = recipes.proposer({"pool": rows.description}, progress=lambda stage, share: heard.append(stage))
    one = create_campaign("alloys", rows, {"name": "y", "kind": "number"}, batch=8, recipe={"learner": "ridge"},
                          versions={}, by="anna", store=campaign().desk.store.__class__(), proposer=child)  # fmt: skip
    other = campaign()
    for mine in (one, other):
        tell(mine, mine.ask(by="anna").rows)
        mine.ask(by="anna")
    assert slates(one) == slates(other)
    assert any(stage.startswith("the learning curve") and stage.endswith(" MB") for stage in heard)


def test_a_frame_is_handed_over_and_errors_come_back_as_they_are() -> None:
    rows = pool()
    with pytest.raises(InputError, match="frame"):
        recipes.proposer({"pool": rows.description})
    settings = campaign(recipe={"strategy": "lcdm"}).state.settings
    with pytest.raises(InputError, match="lcmd"):
        recipes.proposer(settings, pool=rows).check(settings)


def test_the_pool_of_a_campaign_is_found_again_or_refused(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "pool.csv", index=False)
    rows = read_pool(tmp_path / "pool.csv", key="id", target="y")
    settings = {"pool": rows.description, "target": {"name": "y", "kind": "number"}}
    assert recipes.campaign_pool(settings).description == rows.description
    (tmp_path / "pool.csv").rename(tmp_path / "moved.csv")
    with pytest.raises(InputError, match="--pool"):
        recipes.campaign_pool(settings)
    assert len(recipes.campaign_pool(settings, tmp_path / "moved.csv")) == 90
    frame().iloc[:-1].to_csv(tmp_path / "pool.csv", index=False)
    with pytest.raises(PoolMismatch, match="89 rows instead of 90"):
        recipes.campaign_pool(settings)


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("os.kill(os.getpid(), 9)", "signal SIGKILL .the system may have run out of memory"),
        ("print(json.dumps({'mb': 512}), flush=True); sys.exit('no room')", "exit code 1.*512 MB.*no room"),
        ("sys.exit(0)", "exit code 0 and no answer"),
        ("open(sys.argv[1] + '/answer.json', 'w').write('{\"proposal\": {\"rows\": 3}}')", "something else"),
        ('open(sys.argv[1] + \'/answer.json\', \'w\').write(\'{"error": {"kind": "Odd", "message": "hm"}}\')', "hm"),
    ],
)
def test_a_death_is_said_in_words_and_the_journal_stays(code: str, part: str) -> None:
    one = campaign(proposer=scripted(code))
    with pytest.raises(ProposalFailed, match=f"(?s){part}"):
        one.ask(by="anna")
    assert [event.kind for event in one.journal()] == ["Created"]


def test_a_child_that_is_stopped_or_interrupted_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = f"open({str(mark)!r}, 'w').write(str(os.getpid())); print('{{}}', flush=True); time.sleep(600)"
    with pytest.raises(ProposalFailed, match="stopped"):
        campaign(proposer=scripted(code, stopped=lambda: True)).ask(by="anna")
    _gone(int(mark.read_text()))

    def interrupt() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        campaign(proposer=scripted(code, stopped=interrupt)).ask(by="anna")
    _gone(int(mark.read_text()))


def _gone(pid: int) -> None:
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.01)
    pytest.skip("this system does not tell") if not Path("/proc").exists() else pytest.fail("it lives on")


def test_ending_asks_before_it_kills() -> None:
    polite = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    end(polite, grace=30.0)
    assert polite.returncode == -15


def test_proposals_are_read_back_strictly() -> None:
    with pytest.raises(ProposalFailed):
        proposal_from({"rows": [{"row": 1}], "assessed": None})
