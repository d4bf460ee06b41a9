"""How long somebody new needs to label digits, by the commands of the README: a robot at the page, slowed down.

    python benchmarks/newcomer.py [--digits 60] [--pause 1.5] [--json FILE] [--pictures FOLDER]

Needs Chromium. From `strongsuit campaign demo` in an empty folder to the learning curve; the installation is not in it.
`--pause` is how many seconds the robot looks at each picture before it presses the key that is right.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from sklearn.datasets import load_digits

PATIENCE = 180.0  # seconds for the next picture; a round with its fits takes far less


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def row_in(page: Page) -> str:
    """The number of the row that is shown, '' while rows are being chosen."""
    return page.locator(".turn").get_attribute("data-row") or ""


def another(page: Page, than: str) -> float:
    """Seconds until another picture is there."""
    begun = time.monotonic()
    while row_in(page) in ("", than):
        if time.monotonic() - begun > PATIENCE:
            raise SystemExit(f"no further picture came in {PATIENCE:.0f} s; the page says: {page.inner_text('main')}")
        page.wait_for_timeout(25)
    return time.monotonic() - begun


def labelled(page: Page, digits: int, pause: float) -> list[float]:
    """Labels that many digits rightly; the seconds waited for each next picture."""
    truth, waits, row = load_digits().target, [], ""
    for _ in range(digits):
        waits.append(another(page, row))
        row = row_in(page)
        page.wait_for_timeout(1000 * pause)
        page.keyboard.press(str(truth[int(row)]))
        page.keyboard.press("Enter")
    another(page, row)
    return waits


def visited(folder: Path, digits: int, pause: float, pictures: Path | None) -> dict[str, Any]:
    """One newcomer's time, part by part."""
    begun, command = time.monotonic(), [str(Path(sys.executable).with_name("strongsuit")), "campaign"]
    subprocess.run([*command, "demo"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    made, port = time.monotonic(), free_port()
    server = subprocess.Popen([*command, "serve", "--port", str(port)], cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        link = server.stdout.readline().strip()
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 900, "height": 820})
            page.set_default_timeout(1000 * PATIENCE)
            page.goto(link)
            page.goto(f"http://127.0.0.1:{port}/campaigns/digits/label")
            another(page, "")
            seen = time.monotonic()
            waits = labelled(page, digits, pause)
            done = time.monotonic()
            if pictures is not None:
                page.screenshot(path=pictures / "digits.png")
                page.set_viewport_size({"width": 1100, "height": 1000})
                page.goto(f"http://127.0.0.1:{port}/campaigns/digits")
                page.wait_for_timeout(500)
                page.screenshot(path=pictures / "digits-progress.png", full_page=True)
            browser.close()
        said = subprocess.run([*command, "status", "--json"], cwd=folder, check=True, capture_output=True, text=True)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)
    last = [
        {name: one[name] for name in ("labels", "value", "low", "high", "n_test")}
        for one in json.loads(said.stdout)["curve"]
    ]
    return {
        "digits": digits, "pause": pause, "demo": made - begun, "server and first picture": seen - made,
        "labelling": done - seen, "longest wait": max(waits), "whole": done - begun,
        "error rate": last[-1] if last else None,
    }  # fmt: skip


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=int, default=60)
    parser.add_argument("--pause", type=float, default=1.5, help="seconds looked at each picture")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--pictures", type=Path, help="folder for two pictures of the pages")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = visited(Path(folder), given.digits, given.pause, given.pictures and given.pictures.resolve())
    for name, value in found.items():
        if isinstance(value, float):
            print(f"{name:>24}  {value:6.1f} s")
    if (last := found["error rate"]) is not None:
        print(f"error rate {last['value']:.3f} [{last['low']:.3f}, {last['high']:.3f}] at {last['labels']} labels")
    if given.json:
        machine = {"processor": platform.processor() or platform.machine(), "python": platform.python_version()}
        given.json.write_text(json.dumps({"machine": machine, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
