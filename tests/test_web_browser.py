"""The labeller's page in a real browser: by keyboard, two people at once, reloaded, offline and back."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("playwright")

import uvicorn
from playwright.sync_api import sync_playwright
from tests.web_examples import ANIMAL, House, house

from strongsuit.campaign.desk import utc_now
from strongsuit.web.options import Rates
from strongsuit.web.people import LABELLER, LOGIN, OWNER

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the path")


@dataclass
class Served:
    """A house behind a port of this machine, and a browser that visits it."""

    house: House
    url: str
    browser: Any

    def visit(self, name: str, role: str = LABELLER, path: str = "/", **more: Any) -> Any:
        """A page of somebody who has just logged in by a link."""
        self.house.people.add(name, role)
        page = self.browser.new_context(**more).new_page()
        page.set_default_timeout(60_000)
        page.goto(
            f"{self.url}/login?token={self.house.people.issue(name, LOGIN, self.house.app.state.door.options.link)}"
        )
        if path != "/":
            page.goto(self.url + path)
        return page


@contextmanager
def served(**settings: Any) -> Iterator[Served]:
    """See `Served`."""
    made = house(clock=utc_now, options={"rates": Rates(1000, 1000, 1000, 1000)}, **settings)
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(made.app, access_log=False, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            try:
                yield Served(made, f"http://127.0.0.1:{bound.getsockname()[1]}", browser)
            finally:
                browser.close()
    finally:
        server.should_exit = True
        thread.join(20)
        with suppress(OSError):
            bound.close()


def until(done: Callable[[], bool], page: Any) -> None:
    """Waits until it is so; the page's policy allows no `eval`, so that the browser cannot be asked to wait."""
    for _ in range(300):
        if done():
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"it never came; the page says: {page.inner_text('main')}")


def row_in(page: Any) -> str:
    """The number of the row that is shown."""
    return page.locator(".turn").get_attribute("data-row")


def typed(page: Any, *keys: str) -> str:
    """The row that was shown before the keys; returns once another is shown."""
    row = row_in(page)
    for key in keys:
        page.keyboard.press(key)
    until(lambda: row_in(page) not in ("", row), page)
    return row


def settled(page: Any) -> None:
    """Waits until nothing is held back in the browser."""
    until(lambda: not page.evaluate("Object.keys(localStorage).some((key) => key.startsWith('strongsuit'))"), page)


def test_thirty_rows_by_keyboard_with_a_reload_and_two_people_at_once() -> None:
    with served(target=ANIMAL, batch=10) as one:
        anna, bob = one.visit("anna"), one.visit("bob")
        seen = []
        for turn in range(30):
            seen.append(typed(anna, str(1 + turn % 3), "Enter"))
            if turn == 12:
                settled(anna)
                shown = row_in(anna)
                anna.reload()
                assert row_in(anna) == shown, "a page that is loaded again has the same row"
            if turn % 6 == 0:
                seen.append(typed(bob, "2", "Enter"))
        settled(anna)
        settled(bob)
        state = one.house.campaign.state
        assert len(set(seen)) == 35 == len(state.labels)
        said = [state.answers[int(row)] for row in seen]
        assert all(len(held) == 1 for held in said)
        events = [event.kind for event in one.house.campaign.journal()]
        assert events.count("Told") == 35 and "Revised" not in events


def test_offline_answers_wait_in_the_browser_survive_a_reload_and_are_written_once() -> None:
    with served() as one:
        anna = one.visit("anna")
        typed(anna, "1", "Enter")
        settled(anna)
        anna.wait_for_timeout(700)  # the next row is fetched
        anna.context.set_offline(True)
        first = typed(anna, "2", "Enter")
        second = row_in(anna)
        until(lambda: "Offline" in anna.inner_text("#live"), anna)
        anna.keyboard.type("3")
        anna.keyboard.press("Enter")
        anna.wait_for_selector("text=Your answers are kept in this browser")
        assert len(one.house.campaign.state.labels) == 1
        anna.context.set_offline(False)
        until(lambda: len(one.house.campaign.state.labels) == 3, anna)
        settled(anna)
        labels = one.house.campaign.state.labels
        assert (labels[int(first)].value, labels[int(second)].value) == (2.0, 3.0)
        until(lambda: row_in(anna) != "", anna)
        assert row_in(anna) not in (first, second)


def test_an_answer_whose_receipt_was_lost_is_sent_again_after_a_reload_and_counts_once() -> None:
    with served() as one:
        anna = one.visit("anna")
        lost = []

        def drop(route: Any) -> None:
            if route.request.method == "POST" and not lost:
                lost.append(route.fetch().status)  # it is written, and nobody hears of it
                route.abort()
            else:
                route.continue_()

        anna.route("**/label", drop)
        row = row_in(anna)
        anna.keyboard.type("7")
        anna.keyboard.press("Enter")
        until(lambda: bool(lost), anna)
        anna.reload()
        settled(anna)
        kinds = [event.kind for event in one.house.campaign.journal()]
        assert lost == [200] and kinds.count("Told") == 1
        assert one.house.campaign.state.labels[int(row)].value == 7.0
        until(lambda: row_in(anna) not in ("", row), anna)


def test_keys_skip_fail_undo_note_and_what_is_refused_comes_back() -> None:
    with served() as one:
        anna = one.visit("anna")
        row = row_in(anna)
        anna.keyboard.type("9999")
        anna.keyboard.press("Enter")
        anna.locator("#wrong").wait_for(state="visible")
        assert row_in(anna) == row and anna.locator("#value").input_value() == "9999"
        assert anna.evaluate("document.activeElement.id") == "value"
        anna.locator("#value").fill("")
        anna.keyboard.press("n")
        anna.keyboard.type("by s and f")
        anna.keyboard.press("Escape")
        typed(anna, "5", "Enter")
        settled(anna)
        told = [event.body for event in one.house.campaign.journal() if event.kind == "Told"][-1]
        assert (told.value, told.note) == (5.0, "by s and f")
        anna.keyboard.press("s")
        anna.keyboard.type("blurred")
        typed(anna, "Enter")
        settled(anna)
        assert "blurred" in [getattr(event.body, "reason", "") for event in one.house.campaign.journal()]
        anna.keyboard.press("f")
        anna.keyboard.type("broke")
        typed(anna, "Enter")
        settled(anna)
        assert [event.kind for event in one.house.campaign.journal()].count("Failed") == 1
        anna.keyboard.press("?")
        assert anna.locator("#keys").is_visible()
        anna.keyboard.press("Escape")
        anna.keyboard.press("u")
        anna.wait_for_url(re.compile(r"row=\d+"))
        assert row_in(anna) == row and anna.locator("#value").input_value() == "5"
        anna.keyboard.type("6")
        anna.keyboard.press("Enter")
        until(lambda: one.house.campaign.state.labels[int(row)].value == 6.0, anna)


def test_the_page_works_without_javascript_and_breaks_no_rule_of_its_policy() -> None:
    with served(target=ANIMAL) as one:
        plain = one.visit("bob", java_script_enabled=False)
        row = plain.locator(".turn").get_attribute("data-row")
        plain.locator(".classes label").nth(1).click()
        plain.locator("button[value=save]").click()
        assert one.house.campaign.state.labels[int(row)].value == "dog"
        assert plain.locator(".turn").get_attribute("data-row") != row
        olga = one.visit("olga", OWNER)
        complaints: list[str] = []
        olga.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        olga.on("pageerror", lambda error: complaints.append(str(error)))
        for path in ("/campaigns/alloys", "/campaigns/alloys/label", f"/campaigns/alloys/rows/{row}"):
            olga.goto(one.url + path)
            olga.wait_for_timeout(300)
        assert [text for text in complaints if "photo" not in text] == []
        assert olga.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        for width in (320, 390):
            olga.set_viewport_size({"width": width, "height": 800})
            for path in ("/campaigns/alloys", "/campaigns/alloys/label"):
                olga.goto(one.url + path)
                assert olga.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (width, path)
