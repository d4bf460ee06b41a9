"""The page about campaigns: its example runs, and every kind of event, state and verb stands on it."""

from __future__ import annotations

import doctest
from pathlib import Path

from strongsuit.campaign import Campaign, delete_campaign
from strongsuit.campaign.events import KINDS
from strongsuit.campaign.state import STATES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "campaigns.md"
VERBS = ("ask", "tell", "skip", "fail", "revise", "exclude", "restore", "queue", "renew", "amend", "close", "reopen")


def test_the_example_runs() -> None:
    try:
        found = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    finally:
        delete_campaign("alloys")
    assert found.attempted > 10 and found.failed == 0


def test_every_kind_state_and_verb_is_documented() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert not [kind for kind in KINDS if f"`{kind}`" not in text]
    assert not [state for state in STATES if f"| {state} |" not in text]
    assert not [verb for verb in VERBS if f"`{verb}" not in text or not hasattr(Campaign, verb)]
