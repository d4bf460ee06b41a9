"""The interface for programs: what is asked, told and read over HTTP, and its page in OpenAPI."""

from __future__ import annotations

import io
import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("fastapi")

import fastapi
from tests.campaign_examples import RandomProposer, kinds
from tests.web_examples import Client, House, frame, house

from strongsuit.campaign import Proposal, View
from strongsuit.web.options import Rates
from strongsuit.web.people import LABELLER, OWNER, VIEWER

V1 = "/api/v1/campaigns/alloys"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"
MANY = {"rates": Rates(1000, 1000, 1000, 1000)}


@dataclass
class Slow:
    """A proposer that waits to be let go."""

    go: threading.Event = field(default_factory=threading.Event)
    stopped: bool = False
    inner: RandomProposer = field(default_factory=RandomProposer)

    def propose(self, view: View, b: int, round: int) -> Proposal:
        self.go.wait(20)
        return self.inner.propose(view, b, round)

    def stop(self) -> None:
        self.stopped = True
        self.go.set()


class Broken:
    """A proposer whose fit dies."""

    def propose(self, view: View, b: int, round: int) -> Proposal:
        raise RuntimeError("no memory at /home/olga/pool")


def asked(client: Client, **more: Any) -> list[int]:
    answer = client.post(f"{V1}/ask", json=more)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def over(made: House, job: str) -> None:
    for _ in range(200):
        if made.app.state.jobs.get(job).over.is_set():
            return
        time.sleep(0.05)
    raise AssertionError("the job never ended")


def test_ask_gives_rows_with_their_cells_and_again_the_same_rows() -> None:
    made = house()
    anna = made.program(LABELLER)
    first = anna.post(f"{V1}/ask", json={"n": 3}).json()
    assert len(first["rows"]) == 3 and first["keys"] == [f"A-{row:03d}" for row in first["rows"]]
    assert first["features"][0]["copper"] == first["rows"][0] / 8 and first["why"][0] == "they differ"
    assert asked(anna, n=3) == first["rows"] and made.campaign.status()["states"]["pending"] == 3
    assert not set(asked(anna, n=2, more=True)) & set(first["rows"])


def test_tell_is_harmless_when_repeated_and_says_what_it_refused() -> None:
    made = house()
    anna = made.program(LABELLER)
    body = {"answers": [{"key": "A-001", "value": 12.5, "cost": 2, "seconds": 3, "note": "x"}, {"row": 2, "value": 7}]}
    answers = [anna.post(f"{V1}/tell", json=body, headers={"idempotency-key": "one"}).json() for _ in range(2)]
    assert [one["position"] for one in answers] == [3, 3] and answers[0]["rows"] == [1, 2]
    assert anna.post(f"{V1}/tell", json=body).json()["repeated"] == [1, 2]
    wrong = {"answers": [{"row": 3, "value": 1}, {"row": 4, "value": -1}]}
    refused = anna.post(f"{V1}/tell", json=wrong)
    assert refused.status_code == 422 and refused.json()["type"] == "InvalidLabel"
    assert refused.headers["content-type"] == "application/problem+json"
    partly = anna.post(f"{V1}/tell", json={**wrong, "partial": True}).json()
    assert partly["rows"] == [3] and partly["rejected"][0]["type"] == "InvalidLabel"
    other = anna.post(f"{V1}/tell", json={"answers": [{"row": 9, "value": 1}]}, headers={"idempotency-key": "one"})
    assert (other.status_code, other.json()["type"]) == (409, "RequestMismatch")
    again = anna.post(f"{V1}/tell", json={"answers": [{"row": 2, "value": 8}]})
    assert (again.status_code, again.json()["type"]) == (409, "AlreadyTold")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"answers": []}, {"answers": [{"value": 1}]}, {"answers": [{"row": 1, "key": "A-001", "value": 1}]},
        {"answers": [{"row": -1, "value": 1}]}, {"answers": [{"row": 1, "value": True}]}, {"answers": [{"row": 1}]},
        {"answers": [{"row": 1, "value": 1, "colour": 2}]}, {"answers": [{"row": 1, "value": 1, "cost": -1}]},
        {"answers": [{"row": 1, "value": {"a": 1}}]}, {"answers": [{"row": 1, "value": [1, 2]}]},
    ],
)  # fmt: skip
def test_what_is_not_right_is_told_and_nothing_written(body: Any) -> None:
    made = house()
    answer = made.program(LABELLER).post(f"{V1}/tell", json=body)
    assert answer.status_code == 422 and answer.json()["detail"], answer.text
    assert made.campaign.state.position == 1


@pytest.mark.parametrize("text", [b"{", b"\xff", b'{"answers": [{"row": 1, "value": NaN}]}', b"[" * 5_000])
def test_what_is_no_json_is_told(text: bytes) -> None:
    made = house()
    answer = made.program(LABELLER).post(f"{V1}/tell", content=text, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422) and answer.json()["type"]


def test_rows_and_campaigns_that_are_not_there() -> None:
    made = house(options=MANY)
    anna = made.program(LABELLER)
    for body in ({"row": 40, "value": 1}, {"key": "B-1", "value": 1}):
        answer = anna.post(f"{V1}/tell", json={"answers": [body]})
        assert (answer.status_code, answer.json()["type"]) == (404, "UnknownRow")
    assert anna.get("/api/v1/campaigns/other").json()["type"] == "UnknownCampaign"
    assert anna.get("/api/v1/campaigns/No-Name!").status_code == 404
    assert anna.get("/api/v1/nothing").json()["status"] == 404
    assert anna.send("PUT", V1).status_code == 405


def test_a_fit_is_waited_for_by_202_and_blocks_nobody() -> None:
    slow = Slow()
    made = house(proposer=slow)
    anna, bob = made.program(LABELLER), made.program(LABELLER, "bob")
    waits = anna.post(f"{V1}/ask", json={"n": 2}, headers={"idempotency-key": "first"})
    assert waits.status_code == 202
    job = waits.headers["location"].rsplit("/", 1)[-1]
    assert bob.post(f"{V1}/ask", json={"n": 2}).headers["location"] == waits.headers["location"], "one fit at a time"
    assert bob.post(f"{V1}/tell", json={"answers": [{"row": 5, "value": 1}]}).status_code == 200
    assert anna.get(f"/api/v1/jobs/{job}").json()["status"] == "running"
    assert bob.get(f"/api/v1/jobs/{job}").status_code == 404, "a job is its asker's and the owner's to see"
    slow.go.set()
    over(made, job)
    assert made.program(OWNER).get(f"/api/v1/jobs/{job}").json()["status"] == "done"
    same = anna.post(f"{V1}/ask", json={"n": 2}, headers={"idempotency-key": "first"}).json()["rows"]
    assert len(same) == 2 and made.campaign.status()["states"]["pending"] == 2
    assert not set(asked(bob, n=2)) & set(same)


def test_a_stopped_fit_writes_nothing() -> None:
    slow = Slow()
    made = house(proposer=slow)
    job = made.program(LABELLER).post(f"{V1}/ask", json={}).headers["location"].rsplit("/", 1)[-1]
    assert made.program(OWNER).send("DELETE", f"/api/v1/jobs/{job}").status_code == 202
    over(made, job)
    assert slow.stopped and made.program(OWNER).get(f"/api/v1/jobs/{job}").json()["status"] == "stopped"
    assert kinds(made.campaign) == ["Created"]


def test_a_fit_that_dies_is_told_once_without_paths_and_tried_again() -> None:
    made = house(proposer=Broken())
    anna = made.program(LABELLER)
    for _ in range(2):
        answer = anna.post(f"{V1}/ask", json={})
        assert (answer.status_code, answer.json()["type"]) == (503, "FitFailed") and "/home" not in answer.text
    page = made.browser(LABELLER).get("/campaigns/alloys/label")
    assert page.status_code == 200 and "No new rows could be chosen" in page.text


def test_a_round_is_chosen_ahead_once_half_of_the_last_is_handed_out() -> None:
    made = house()
    anna = made.program(LABELLER)
    asked(anna, n=3)
    assert kinds(made.campaign).count("Proposed") == 1
    asked(anna, n=1, more=True)
    for _ in range(100):
        if kinds(made.campaign).count("Proposed") == 2:
            break
        time.sleep(0.05)
    assert kinds(made.campaign).count("Proposed") == 2


def test_nothing_left_says_why() -> None:
    made = house(rows=3)
    anna = made.program(LABELLER)
    asked(anna, n=8)
    left = made.program(LABELLER, "bob").post(f"{V1}/ask", json={})
    assert (left.status_code, left.json()["type"]) == (409, "PoolExhausted")
    made.campaign.close(by="olga")
    closed = anna.post(f"{V1}/ask", json={"more": True})
    assert (closed.status_code, closed.json()["type"]) == (409, "CampaignClosed")


def test_skip_fail_and_renew_are_for_own_rows_also_late() -> None:
    made = house()
    anna, bob, olga = made.program(LABELLER), made.program(LABELLER, "bob"), made.program(OWNER)
    first, second, third = asked(anna, n=3)
    assert bob.post(f"{V1}/skip", json={"rows": [first]}).json()["type"] == "NotYours"
    assert anna.post(f"{V1}/skip", json={"rows": [first]}).status_code == 200
    assert bob.post(f"{V1}/fail", json={"row": second, "reason": "x"}).status_code == 403
    made.clock.move(minutes=31)
    asked(bob, n=1)
    assert "Expired" in kinds(made.campaign)
    assert anna.post(f"{V1}/fail", json={"row": second, "reason": "late", "final": True}).status_code == 200
    assert olga.post(f"{V1}/fail", json={"row": third, "reason": "by the owner"}).status_code == 200
    made.clock.move(minutes=20)
    assert len(bob.post(f"{V1}/renew", json={}).json()["rows"]) == 1


def test_revise_minds_what_others_changed() -> None:
    made = house()
    anna, olga = made.program(LABELLER), made.program(OWNER)
    anna.post(f"{V1}/tell", json={"answers": [{"row": 1, "value": 1}]})
    tag = olga.get(f"{V1}/rows/1").headers["etag"]
    assert anna.post(f"{V1}/revise", json={"row": 1, "value": 2}, headers={"if-match": tag}).status_code == 200
    late = olga.post(f"{V1}/revise", json={"row": 1, "value": 3, "of": "anna"}, headers={"if-match": tag})
    assert (late.status_code, late.json()["type"]) == (412, "Changed")
    assert olga.post(f"{V1}/revise", json={"row": 1, "value": 3, "of": "anna"}).status_code == 200
    assert anna.post(f"{V1}/revise", json={"row": 1, "value": 4, "of": "olga"}).status_code == 403
    headers = {"if-match": olga.get(f"{V1}/rows/1").headers["etag"], "idempotency-key": "again"}
    for _ in range(2):
        assert anna.post(f"{V1}/revise", json={"row": 1, "value": None}, headers=headers).status_code == 200
    assert kinds(made.campaign).count("Revised") == 3


def test_what_can_be_read() -> None:
    made = house(options=MANY, proposer=RandomProposer(advice={"stop": False, "text": "Go on."}))
    anna, vera = made.program(LABELLER), made.program(VIEWER)
    for row in asked(anna, n=3):
        anna.post(f"{V1}/tell", json={"answers": [{"row": row, "value": row}]})
    about = vera.get(V1)
    assert about.json()["states"]["labelled"] == 3 and about.headers["etag"] == f'"{about.json()["position"]}"'
    assert vera.get(V1, headers={"if-none-match": about.headers["etag"]}).status_code == 304
    assert vera.get("/api/v1/campaigns").json()[0]["name"] == "alloys"
    assert vera.get(f"{V1}/curve").json()[0]["metric"] == "rmse"
    labels = vera.get(f"{V1}/labels").json()
    assert labels["total"] == 3 and labels["next"] is None and labels["labels"][0]["key"].startswith("A-")
    assert len(vera.get(f"{V1}/labels?after=2").json()["labels"]) == 1
    table = pd.read_parquet(io.BytesIO(vera.get(f"{V1}/labels?format=parquet").content))
    assert len(table) == 3 and vera.get(f"{V1}/labels?format=csv").text.startswith("key,row,value")
    journal = vera.get(f"{V1}/journal?after=2").json()
    assert journal["events"][0]["position"] == 3 and journal["next"] is None


def test_owners_make_change_and_close_campaigns_over_listed_tables_only(tmp_path: Path) -> None:
    folder = tmp_path / "pools"
    folder.mkdir()
    frame(5).to_csv(folder / "steel.csv", index=False)
    frame(5).to_csv(tmp_path / "secret.csv", index=False)
    made = house(options={"folders": (folder,)})
    olga = made.program(OWNER)
    body = {"name": "steel", "pool": "steel.csv", "key": "id", "target": {"name": "hardness", "low": 0}, "batch": 2}
    for name in ("../secret.csv", str(tmp_path / "secret.csv"), "pools", "", "steel.csv/../../secret.csv"):
        wrong = olga.post("/api/v1/campaigns", json={**body, "pool": name})
        assert wrong.status_code == 422 and str(tmp_path) not in wrong.text
    answer = olga.post("/api/v1/campaigns", json=body)
    assert answer.status_code == 201 and answer.headers["location"] == "/api/v1/campaigns/steel", answer.text
    assert olga.post("/api/v1/campaigns", json=body).json()["type"] == "CampaignExists"
    assert olga.post("/api/v1/campaigns", json={**body, "name": "A B"}).status_code == 422
    steel = "/api/v1/campaigns/steel"
    assert olga.send("PATCH", steel, json={"batch": 4, "budget": {"limit": 9}, "reason": "more"}).status_code == 200
    assert olga.send("PATCH", steel, json={"pool": {"uri": "/etc/passwd"}}).status_code == 422
    assert olga.send("PATCH", steel, json={"batch": None}).status_code == 422
    assert made.app.state.opened.get("steel").state.rules.limit == 9
    for verb, closed in (("close", True), ("reopen", False)):
        assert olga.post(f"{steel}/{verb}", json={"reason": "x"}).status_code == 200
        assert made.app.state.opened.get("steel").state.closed == closed
    for verb in ("exclude", "restore", "queue"):
        assert olga.post(f"{steel}/{verb}", json={"rows": [1]}).json()["rows"] == [1]
    table = {"file": ("filled.csv", io.BytesIO(b"id,hardness\nA-000,3\nA-002,-1\n"))}
    assert olga.post(f"{steel}/upload", files=table).status_code == 422
    table = {"file": ("filled.csv", io.BytesIO(b"id,hardness\nA-000,3\nA-002,-1\n"))}
    assert olga.post(f"{steel}/upload?partial=1", files=table).json()["told"] == 1


def test_a_campaign_that_is_gone_or_begun_anew_is_seen_as_it_is() -> None:
    made = house()
    anna = made.program(LABELLER)
    asked(anna, n=1)
    made.store.delete("alloys")
    assert anna.get(V1).status_code == 404


def test_the_openapi_page_is_the_committed_one() -> None:
    """To write it anew: python -c "from tests.test_web_api import write_page; write_page()"."""
    page = Client(house().app).get("/api/v1/openapi.json").json()
    assert page["openapi"].startswith("3.1")
    kept = json.loads(PAGE.read_text(encoding="utf-8"))
    if kept["x-fastapi"] != fastapi.__version__:
        pytest.skip(f"the page was written by FastAPI {kept['x-fastapi']}, which words it in its own way")
    assert {**page, "x-fastapi": fastapi.__version__} == kept


def write_page() -> None:
    page = Client(house().app).get("/api/v1/openapi.json").json()
    text = json.dumps({**page, "x-fastapi": fastapi.__version__}, indent=1, sort_keys=True)
    PAGE.write_text(text + "\n", encoding="utf-8")


def test_parameters_that_a_route_does_not_have_are_told_and_not_ignored() -> None:
    made = house()
    for path in (f"{V1}/labels?aftr=3", f"{V1}/labels?=true", f"{V1}?x=1"):
        answer = made.program(OWNER).get(path)
        assert answer.status_code == 422 and "there is no parameter" in answer.json()["detail"], path
    assert made.program(OWNER).get(f"{V1}/labels?after=0").status_code == 200
