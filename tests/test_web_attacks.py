"""What the scripted attacks found once, each at its root: settings, uploads, addresses, headers, links, patience."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("fastapi")

from tests.campaign_examples import campaign
from tests.web_examples import Client, frame, house

from strongsuit.campaign.cells import SENT, Limits, read_cells
from strongsuit.errors import InputError
from strongsuit.web import guards
from strongsuit.web.options import Options, Rates
from strongsuit.web.patience import Patience
from strongsuit.web.people import LABELLER, LOGIN, OWNER
from strongsuit.web.showing import LINK, TEXT, _cell

V1 = "/api/v1/campaigns/alloys"
MANY = {"rates": Rates(1000, 1000, 1000, 1000)}
HUGE = 10**400
DEEP: list[Any] = []
for _ in range(100):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"budget": {"limit": HUGE}}, "budget.limit"),
        ({"cost": {"row": HUGE}}, "cost.row"),
        ({"annotation": {"overlap": HUGE}}, "annotation.overlap"),
        ({"target": {"name": "strength", "kind": "number", "low": [1]}}, "target.low must be"),
        ({"target": {"name": "strength", "kind": "number", "high": "much"}}, "target.high must be"),
        ({"target": {"name": "strength", "kind": "number", "unit": [1]}}, "target.unit must be"),
        ({"show": {"columns": [1]}}, "show.columns"),
        ({"show": {"columns": {"copper": 5}}}, "show.columns"),
        ({"stopping": {"rules": DEEP}}, "nested more than"),
    ],
)
def test_no_amendment_breaks_a_campaign(change: dict[str, Any], part: str) -> None:
    one = campaign()
    with pytest.raises(InputError, match=part):
        one.amend(change, by="olga")
    assert one.state.position == 1


def test_a_recipe_that_no_proposer_takes_leaves_the_pages_open() -> None:
    def proposers(settings: Any) -> Any:
        raise TypeError("this recipe is a list")

    made = house()
    made.app.state.opened.options = replace(made.app.state.opened.options, proposers=proposers)
    page = made.browser(OWNER).get("/campaigns/alloys")
    assert page.status_code == 200 and "Nothing new can be proposed" in page.text


def test_rows_with_broken_addresses_are_shown_as_text() -> None:
    kinds = [_cell("a", 0, "x", text, {}, False, ()).kind for text in ("http://[", "https://", "https://x.example")]
    assert kinds == [TEXT, TEXT, LINK]


def test_an_origin_that_is_no_address_is_refused() -> None:
    headers = {"host": "localhost", "origin": "http://["}
    assert guards.refused("POST", headers, Options()) is not None


def test_names_of_campaigns_that_no_campaign_can_have_are_not_looked_up() -> None:
    olga = house().browser(OWNER)
    for name in ("a%00b", "%FF", "A", "..%5c"):
        assert olga.get(f"/campaigns/{name}").status_code == 404


def test_another_site_cannot_log_somebody_in_under_another_name() -> None:
    made = house()
    olga = made.browser(OWNER)
    made.people.add("mallory", LABELLER)
    link = f"/login?token={made.people.issue('mallory', LOGIN, Options().link)}"
    crossed = olga.get(link, headers={"sec-fetch-site": "cross-site"})
    assert crossed.status_code == 403 and "olga" in crossed.text and "set-cookie" not in crossed.headers
    own = f"/login?token={made.people.issue('olga', LOGIN, Options().link)}"
    assert olga.get(own, headers={"sec-fetch-site": "cross-site"}).status_code == 303
    assert Client(made.app).get(link, headers={"sec-fetch-site": "cross-site"}).status_code == 303, "it was not used up"


def test_tables_that_lead_out_of_their_folder_are_not_listed_and_errors_name_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "my pools"
    folder.mkdir()
    frame(3).to_csv(tmp_path / "secret.csv", index=False)
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "broken.parquet").write_bytes(b"PAR1")
    olga = house(options={"folders": (folder,)}).program(OWNER)
    for name, part in (("link.csv", "no table of the folders"), ("broken.parquet", "broken.parquet")):
        answer = olga.post("/api/v1/campaigns", json={"name": "new", "pool": name, "target": {"name": "y"}})
        assert answer.status_code == 422 and part in answer.text and "my pools" not in answer.text


def parquet(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_a_parquet_file_is_read_to_its_limits_and_no_further(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 20_000]))
    assert parquet(path, {"id": text}).stat().st_size < 100_000
    with pytest.raises(InputError, match="unpacks to more than 1024 MB"):
        read_cells(path, SENT)
    for limits, part in ((Limits(rows=2), "lines"), (Limits(columns=1), "columns"), (Limits(cells=5), "cells"),
                         (Limits(cell=1), "longer than 1 ")):  # fmt: skip
        with pytest.raises(InputError, match=part):
            read_cells(parquet(path, {"id": ["ab", "cd", "ef"], "y": [1.0, 2.5, None]}), limits)
    made = read_cells(
        parquet(path, {"id": ["ab", None], "y": [1.0, 2.5], "list": [[1], [2]], "raw": [b"a", b"b"]}), SENT
    )
    assert made.names == ["id", "y"] and made.lines == [["ab", "1"], ["", "2.5"]]
    assert made.lines == read_cells(path).lines


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        (b"id,y," + b"c" * 2_000_000 + b"\nA,1\n", "longer than 1000000"),
        (b"id,y\nA," + b"1" * 2_000_000, "longer than 1000000"),
        (b"id,y" + b",c" * 5_000 + b"\nA,1\n", "5002 columns"),
        (b"\xff\xfei\0d\0,\0s", "lacks"),
    ],
)
def test_a_delimited_file_is_read_to_its_limits_and_no_further(raw: bytes, part: str) -> None:
    olga = house(options=MANY).program(OWNER)
    answer = olga.post(f"{V1}/upload", files={"file": ("x.csv", io.BytesIO(raw))})
    assert answer.status_code == 422 and part in answer.json()["detail"], answer.text


def test_an_upload_is_read_as_the_command_line_reads_it() -> None:
    made = house(options=MANY)
    olga = made.program(OWNER)

    def sent(text: str, query: str = "") -> dict[str, Any]:
        return olga.post(f"{V1}/upload{query}", files={"file": ("x.csv", io.BytesIO(text.encode()))}).json()

    said = sent("row,strength,status,annotator,note\n1,5,,ben,dry\n2,,skip,,wet\n3,,fail,,broke\n4,,,,\n")
    assert (said["told"], said["skipped"], said["failed"], said["blank"]) == (1, 1, 1, 1)
    assert made.campaign.state.answers[1]["ben"].value == 5.0
    assert "replace older answers" in sent("row,strength,annotator\n1,6,ben\n")["detail"]
    assert sent("row,strength,annotator\n1,6,ben\n", "?revise=1")["revised"] == 1
    assert "rows are 0 to 39" in sent("row,strength\n40,1\n")["detail"]
    assert "by must be a text" in sent(f"row,strength,annotator\n5,1,{'x' * 5_000}\n")["detail"]
    key = {"idempotency-key": "once"}
    file = "row,strength,annotator\n6,1,ben\n7,2,eva\n"
    both = [olga.post(f"{V1}/upload", files={"file": ("x.csv", io.BytesIO(file.encode()))}, headers=key) for _ in "12"]
    assert [one.status_code for one in both] == [200, 200] and both[0].json()["told"] == 2
    assert both[0].json()["position"] == both[1].json()["position"]


def test_exports_disarm_formulas_of_every_width() -> None:
    made = house()
    for row, by in enumerate(("\uff1dcmd()", "\n=1", "-1")):
        made.campaign.tell({row: 5.0}, by=by, by_row=True)
    table = pd.read_csv(io.StringIO(made.program(OWNER).get(f"{V1}/labels?format=csv").text))
    assert all(text.startswith("'") for text in table["answers"])


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "PIECE", 0.05)
    anna = house().program(LABELLER)

    async def drops() -> Any:
        yield b'{"answers": ['
        await asyncio.sleep(0.5)
        yield b"]}"

    answer = anna.post(f"{V1}/tell", content=drops(), headers={"content-type": "application/json"})
    assert answer.status_code == 408 and "in time" in answer.text and answer.headers["connection"] == "close"


class _Transport:
    """A connection of somebody who says nothing."""

    aborted = False

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return "192.0.2.1", 5

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class _Protocol:
    def __init__(self) -> None:
        self.transport = _Transport()


def test_connections_without_a_whole_request_are_closed_and_busy_ones_are_not() -> None:
    async def waited(served: bool) -> bool:
        going = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await going.wait()

        patience = Patience(app, quiet=0.05)
        protocol = patience.watched(_Protocol)()
        task = asyncio.ensure_future(patience({"client": ("192.0.2.1", 5)}, None, None)) if served else None
        await asyncio.sleep(0.3)
        closed = protocol.transport.aborted
        going.set()
        if task is not None:
            await task
            await asyncio.sleep(0.3)
            assert protocol.transport.aborted, "afterwards it is as any other"
        return closed

    assert asyncio.run(waited(False)) and not asyncio.run(waited(True))
