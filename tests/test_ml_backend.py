"""The routes that Label Studio calls of an ML backend: who may, what they answer, and that nothing is fitted."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("fastapi")

from tests.campaign_examples import RandomProposer
from tests.web_examples import Client, House, frame, house

from strongsuit.campaign import Proposal, View
from strongsuit.campaign.sheets import mark_of
from strongsuit.web.people import API, LABELLER

ML = "/ml/alloys"


@dataclass
class Named(RandomProposer):
    """Rows under the keys of the pool, in three clusters."""

    def propose(self, view: View, b: int, round: int) -> Proposal:
        from dataclasses import replace

        found = super().propose(view, b, round)
        rows = tuple(replace(one, key=f"A-{one.row:03d}", cluster=one.rank % 3) for one in found.rows)
        return replace(found, rows=rows)


def made(**settings: Any) -> tuple[House, Client]:
    """A page with a campaign whose first slate is handed out, and Label Studio as its caller."""
    one = house(proposer=Named(), **settings)
    one.campaign.ask(5, by="label-studio")
    one.people.add("robot", LABELLER)
    return one, Client(one.app, basic("robot", one.people.issue("robot", API, None)))


def basic(name: str, token: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()}


def task(row: int) -> dict[str, Any]:
    return {"id": row + 100, "data": {"strongsuit_row": mark_of("alloys", row, f"A-{row:03d}")}, "annotations": []}


def test_tasks_are_scored_by_the_recorded_slate_in_their_order_without_a_fit() -> None:
    one, studio = made()
    fits, slate = len(one.proposer.calls), list(one.campaign.state.slate.values())
    free = [row for row in range(40) if row not in one.campaign.state.slate]
    tasks = [task(free[0]), *(task(said.row) for said in reversed(slate)), {"id": 1, "data": {}}, {"id": 2}]
    said = studio.post(f"{ML}/predict", json={"tasks": tasks, "project": "2.1764", "label_config": "<View/>"}).json()
    assert said["model_version"] == "ss-alloys-1" and len(said["results"]) == len(tasks)
    scores = [result["score"] for result in said["results"]]
    assert scores == [1.0, *(pytest.approx(i / 7) for i in reversed(range(8))), 1.0, 1.0]
    assert [result["cluster"] for result in said["results"]][1:9] == [said.cluster for said in reversed(slate)]
    assert all(result["result"] == [] and result["model_version"] == "ss-alloys-1" for result in said["results"])
    assert len(one.proposer.calls) == fits
    first = slate[0].row
    one.campaign.tell({first: 5}, by="anna", by_row=True)
    again = studio.post(f"{ML}/predict", json={"tasks": [task(first), task(slate[1].row)]}).json()["results"]
    assert [result["score"] for result in again] == [1.0, 0.0]


def test_it_is_up_and_sets_itself_up_without_keeping_what_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    one, studio = made()
    for path in ("/", "/health"):
        assert studio.get(ML + path).json() == {"status": "UP", "model_class": "Strongsuit"}
    body = {"project": "2.1764", "schema": "<View/>", "hostname": "http://localhost", "access_token": "s3cret"}
    assert studio.post(f"{ML}/setup", json=body).json() == {"model_version": "ss-alloys-1"}
    assert studio.get(f"{ML}/versions").json() == {"versions": ["ss-alloys-1"]}
    for path in ("validate", "duplicate_model", "delete", "job_status"):
        assert studio.post(f"{ML}/{path}", json={"project": "2.1764"}).json() == {"status": "ok"}
    assert "s3cret" not in caplog.text and "s3cret" not in repr(vars(one.app.state))


def test_start_training_begins_a_round_after_the_answer_and_annotations_are_left_to_the_pull() -> None:
    one, studio = made()
    said = studio.post(f"{ML}/webhook", json={"action": "ANNOTATION_CREATED", "annotation": {"result": []}})
    assert (said.status_code, said.json()) == (201, {"status": "ok"}) and len(one.proposer.calls) == 1
    assert studio.post(f"{ML}/webhook", json={"action": "START_TRAINING", "project": {"id": 2}}).status_code == 201
    job = next(iter(one.app.state.jobs._all.values()))
    assert job.over.wait(10) and one.campaign.state.round == 2
    studio.post(f"{ML}/webhook", json={"action": "START_TRAINING"})
    assert one.campaign.state.round == 2, "more than half of the new slate is there"


def test_only_programs_with_a_token_are_answered() -> None:
    one, studio = made()
    token = base64.b64decode(studio.headers["authorization"].split()[1]).decode().partition(":")[2]
    assert Client(one.app, {"authorization": f"Bearer {token}"}).get(f"{ML}/health").status_code == 200
    wrong = [{}, basic("anna", token), basic("robot", "x"), {"authorization": "Basic ???"}, {"authorization": "Basic"}]
    for headers in wrong:
        answer = Client(one.app, headers).get(f"{ML}/health")
        assert answer.status_code == 401 and answer.json()["type"] == "NotLoggedIn"
    assert one.browser("labeller").get(f"{ML}/health").status_code == 401, "no cookie is looked at"
    one.people.add("half", LABELLER, ["other"])
    half = Client(one.app, basic("half", one.people.issue("half", API, None)))
    assert half.get(f"{ML}/health").status_code == 404
    assert studio.post("/ml/nothing/setup", json={}).status_code == 404


def test_large_bodies_are_taken_and_wrong_ones_refused() -> None:
    _, studio = made()
    large = [{**task(1), "meta": {"text": "x" * 2_000}} for _ in range(1_000)]
    assert len(studio.post(f"{ML}/predict", json={"tasks": large}).json()["results"]) == 1_000
    for body in ({}, {"tasks": 3}, {"tasks": [3]}, []):
        assert studio.post(f"{ML}/predict", json=body).status_code == 422
    assert len(frame()) == 40
