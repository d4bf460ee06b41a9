"""Every page for everybody: axe-core finds nothing serious, light and dark, on a telephone and on a desk.

axe-core comes with the package axe-playwright-python (`pip install axe-playwright-python`), or as the file that
`STRONGSUIT_AXE` names.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("playwright")

from PIL import Image
from tests.campaign_examples import RandomProposer
from tests.test_web_browser import CHROMIUM, served
from tests.web_examples import ANIMAL, House

from strongsuit.web.people import LABELLER, OWNER


def axe_file() -> Path | None:
    """Where axe-core lies, if it does."""
    if given := os.environ.get("STRONGSUIT_AXE"):
        return Path(given)
    found = find_spec("axe_playwright_python")
    return Path(found.origin).parent / "axe.min.js" if found and found.origin else None


AXE = axe_file()
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the path"),
    pytest.mark.skipif(AXE is None or not AXE.is_file(), reason="axe-core is not there: see the head of this file"),
]
PAGES = {
    OWNER: ["/campaigns/alloys", "/campaigns/alloys/journal", "/campaigns/alloys/rows/1", "/campaigns/alloys/label",
            "/nothing"],
    LABELLER: ["/campaigns/alloys/label", "/login", "/login?token=used", "/campaigns/alloys/journal"],
}  # fmt: skip


def complaints(page: Any, script: str) -> list[str]:
    """What axe-core holds against a page: rule, weight, and the first elements."""
    # The page's policy forbids scripts that are not ours; what the debugger evaluates is no script of the page.
    page.evaluate(script)
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then((all) => all.violations)")
    return [
        f"{one['id']} ({one['impact']}): {[node['html'][:160] for node in one['nodes'][:2]]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def furnish(made: House, value: Any) -> None:
    """Answers, a dispute, a failure, a skip and leases: every list of the owner's page has a line."""
    made.campaign.amend({"annotation": {**made.campaign.state.settings["annotation"], "overlap": 2, "aggregate":
                         "majority" if isinstance(value, str) else "mean"}}, by="olga")  # fmt: skip
    rows = made.campaign.ask(5, by="vera").rows
    for row in rows[:2]:
        made.campaign.tell({row: value}, by="vera", by_row=True)
        made.campaign.tell({row: value}, by="olga", by_row=True)
    made.campaign.fail(rows[2], reason="it broke", final=True, by="vera", by_row=True)
    made.campaign.skip(rows[3], reason="blurred", by="vera", by_row=True)


@pytest.mark.parametrize("kind", ["number", "class"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_no_page_has_a_serious_fault(kind: str, scheme: str, width: int, tmp_path: Path) -> None:
    assert AXE is not None
    for row in range(40):
        Image.new("RGB", (48, 32), (5 * row, 90, 120)).save(tmp_path / f"{row}.png")
    script = AXE.read_text(encoding="utf-8")
    proposer = RandomProposer(advice={"stop": False, "text": "Go on.", "rules": []})
    with served(proposer=proposer, **({"target": ANIMAL, "media": str(tmp_path)} if kind == "class" else {})) as one:
        furnish(one.house, "cat" if kind == "class" else 5.0)
        faults = []
        for role, paths in PAGES.items():
            page = one.visit({OWNER: "olga", LABELLER: "anna"}[role], role, color_scheme=scheme,
                             viewport={"width": width, "height": 900})  # fmt: skip
            for path in paths:
                page.goto(one.url + path)
                page.wait_for_timeout(200)
                page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
                faults += [f"{role} {path}: {fault}" for fault in complaints(page, script)]
            page.context.close()
        assert not faults, "\n".join(faults)
