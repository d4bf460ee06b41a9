"""`strongsuit campaign serve` and `strongsuit campaign people`, and the server as a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

import httpx
from tests.campaign_examples import NUMBER
from tests.web_examples import frame

from strongsuit import cli
from strongsuit.campaign import create_campaign
from strongsuit.datasets import read_pool
from strongsuit.errors import InputError
from strongsuit.web.server import pool_of_uri, serve


def people(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = cli.main(["campaign", "people", *words])
    return code, capsys.readouterr().out


def test_people_are_added_listed_revoked_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--store", f"sqlite:///{tmp_path / 'lab.db'}"]
    code, said = people(
        capsys, "add", "anna", "--role", "labeller", "--campaign", "alloys", "--token", "--json", *store
    )
    added = json.loads(said)
    assert code == 0 and "/login?token=" in added["link"] and "." in added["token"]
    listed = json.loads(people(capsys, "list", "--json", *store)[1])
    assert listed[0]["campaigns"] == ["alloys"] and {one["kind"] for one in listed[0]["tokens"]} == {"login", "api"}
    assert added["token"].split(".")[1] not in json.dumps(listed)
    assert people(capsys, "revoke", added["token"].split(".")[0], *store)[0] == 0
    assert people(capsys, "add", "bob", "--role", "king", *store)[0] == 3
    assert people(capsys, "remove", "anna", *store)[0] == 0
    assert people(capsys, "remove", "anna", *store)[0] == 3
    assert people(capsys, "list", *store) == (0, "")


def test_a_pool_is_read_again_from_where_the_journal_says(tmp_path: Path) -> None:
    frame(6).to_csv(tmp_path / "pool.csv", index=False)
    pool = read_pool(tmp_path / "pool.csv", key="id", ignore=["remark"])
    again = pool_of_uri("alloys", pool.description)
    assert again.description == pool.description and pool_of_uri("alloys", {"format": "frame"}) is None


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="give another by --port"):
            serve(f"sqlite:///{tmp_path / 'lab.db'}", port=taken.getsockname()[1])


def test_the_server_prints_a_link_serves_and_loads_no_jax(tmp_path: Path) -> None:
    frame(6).to_csv(tmp_path / "pool.csv", index=False)
    url = f"sqlite:///{tmp_path / 'lab.db'}"
    create_campaign("alloys", read_pool(tmp_path / "pool.csv", key="id"), NUMBER, store=url, by="olga").queue(["A-003"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "import sys; from strongsuit.web import serve\n"
        f"serve({url!r}, port={port}, tell=lambda text: print(text, flush=True))\n"
        "print('jax' in sys.modules, flush=True)"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        assert server.stdout is not None
        link = server.stdout.readline().strip()
        assert re.fullmatch(rf"http://127\.0\.0\.1:{port}/login\?token=[0-9a-f]{{16}}\.[\w-]{{43}}", link)
        with httpx.Client(follow_redirects=True, timeout=30, transport=httpx.HTTPTransport(retries=5)) as client:
            page = client.get(link)
            assert page.status_code == 200 and str(page.url) == f"http://127.0.0.1:{port}/campaigns/alloys"
            assert "A-003" in client.get(f"http://127.0.0.1:{port}/campaigns/alloys/label").text
        server.send_signal(signal.SIGINT)
        assert server.stdout.read().strip() in ("False", "")
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
