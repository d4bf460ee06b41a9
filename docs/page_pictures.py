"""Pictures of the labelling page for the documentation: python docs/page_pictures.py, which needs Chromium."""

from __future__ import annotations

import math
import random
import shutil
import socket
import threading
from datetime import timedelta
from pathlib import Path

import pandas as pd
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from strongsuit.campaign import Chosen, MemoryStore, Proposal, View, create_campaign
from strongsuit.campaign.events import Assessed
from strongsuit.datasets import read_pool
from strongsuit.web import Options, create_app, open_people
from strongsuit.web.people import LABELLER, LOGIN, OWNER

IMAGES = Path(__file__).parent / "images"
ROWS = 12_400
TARGET = {"name": "strength", "kind": "number", "low": 0, "high": 2500, "unit": "MPa"}
COLUMNS = {
    "copper": {"unit": "wt%"},
    "magnesium": {"unit": "wt%"},
    "ageing": {"unit": "h"},
    "temperature": {"unit": "°C"},
}


class Drawn:
    """Rows drawn at random, with what a model might say of them."""

    def propose(self, view: View, b: int, round: int) -> Proposal:
        """A slate with two rows for the guard, and a point of a learning curve."""
        draw = random.Random(round)
        closed = {*view.labelled, *view.pending, *view.unavailable, *view.queued}
        rows = [row for row in draw.sample(range(ROWS), b + len(closed)) if row not in closed][:b]
        sources = ["random" if i % 8 == 6 else "test" if i % 8 == 7 else "model" for i in range(b)]
        chosen = tuple(
            Chosen(
                row, i, source, why="the models disagree", stands_for=draw.randint(40, 300), mean=1310.0, spread=84.0
            )
            for i, (row, source) in enumerate(zip(rows, sources, strict=True))
        )
        return Proposal(
            chosen, "mlp-ensemble", "lcmd", guard={"verdict": "ahead of random", "p": 0.03}, assessed=_point(view)
        )


def _point(view: View) -> Assessed | None:
    n = len(view.labelled)
    if n < 8:
        return None
    error = 30 + 220 / math.sqrt(n)
    advice = {
        "stop": False,
        "rules": [],
        "text": "Go on. The next 24 labels should lower the error by about 2.4 [0.2, 5.1].",
    }
    return Assessed(0, n, "RMSE", error, error * 0.86, error * 1.17, 0.95, n // 8, "running test", advice)


def main() -> None:
    """Writes the pictures."""
    draw = random.Random(1)
    table = pd.DataFrame(
        {
            "alloy": [f"A-{i:05d}" for i in range(ROWS)],
            "copper": [round(draw.uniform(0.5, 6.0), 2) for _ in range(ROWS)],
            "magnesium": [round(draw.uniform(0.2, 2.5), 2) for _ in range(ROWS)],
            "ageing": [draw.choice([4, 8, 12, 24, 48]) for _ in range(ROWS)],
            "temperature": [draw.choice([120, 150, 175, 190]) for _ in range(ROWS)],
            "remark": [
                f"Sheet {i % 40 + 1}, rolled to 2 mm.\nMeasure along the rolling direction." for i in range(ROWS)
            ],
        }
    )
    pool, store = read_pool(table, key="alloy", target="strength"), MemoryStore()
    campaign = create_campaign(
        "alloys", pool, TARGET, store=store, proposer=Drawn(), batch=24, title="Strength of aged alloys", by="olga",
        budget={"limit": 300, "unit": "h"}, show={"columns": COLUMNS},
    )  # fmt: skip
    for turn in range(152):
        who = ("anna", "bob", "carla")[turn % 3]
        row = campaign.ask(1, by=who, request=f"ask {turn}").rows[0]
        campaign.tell({row: round(draw.gauss(1300, 160), 1)}, by=who, by_row=True)
    lost = campaign.ask(2, by="bob", request="lost").rows
    campaign.fail(lost[0], reason="the specimen slipped in the grip", final=True, by="bob", by_row=True)
    options = Options(pools=lambda name, about: pool, proposers=lambda settings: Drawn(), link=timedelta(hours=1))
    people = open_people(store)
    app = create_app(store, options, people=people)
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning", ws="none"))
    threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True).start()
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    links = {}
    for who, role in (("anna", LABELLER), ("olga", OWNER)):
        people.add(who, role)
        links[who] = [f"{url}/login?token={people.issue(who, LOGIN, options.link)}" for _ in range(3)]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        _take(browser, links["anna"][0], "labelling.png", 900, 760)
        _take(browser, links["olga"][0], "campaign.png", 1100, 1000, full=True)
        _take(browser, links["anna"][1], "labelling-telephone-dark.png", 390, 844, dark=True)
        browser.close()
    server.should_exit = True


def _take(
    browser: Browser, link: str, name: str, width: int, height: int, *, dark: bool = False, full: bool = False
) -> None:
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", has_touch=dark,
        is_mobile=dark,
    )  # fmt: skip
    page.goto(link)
    page.wait_for_timeout(800)
    page.screenshot(path=IMAGES / name, full_page=full)


if __name__ == "__main__":
    main()
