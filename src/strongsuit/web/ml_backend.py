"""What Label Studio expects of an ML backend, under /ml/{campaign}: the order of the recorded slate, never a fit.

For those who want its buttons to work; pushed scores do the same without it. A caller is a program with a token, sent
as the password of basic authentication (which Label Studio can) or as a bearer. Nothing that Label Studio sends is
kept, least of all the token of its owner; answers come by `strongsuit campaign labelstudio pull`.
"""

from __future__ import annotations

import base64
import logging
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Body, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool

from strongsuit.campaign.labelstudio import scores_of, wanted_rows
from strongsuit.campaign.labelstudio_form import row_of
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.state import proposal_of
from strongsuit.errors import InputError, StrongsuitError
from strongsuit.web.auth import LABELS, Door, Visitor, check_role
from strongsuit.web.bodies import NAME
from strongsuit.web.people import API
from strongsuit.web.problems import Refused

log = logging.getLogger(__name__)
PREFIX = "/ml"
TRAIN = "START_TRAINING"
LAST = 1.0  # the score of a task that is not wanted now: Label Studio shows the lowest first
OK = {"status": "ok"}


async def caller(request: Request) -> Visitor:
    """Who calls: a program that may label, by its token; Refused otherwise. No cookie is looked at."""
    door: Door = request.app.state.door
    name, token = _credentials(request.headers.get("authorization", ""))
    person = await run_in_threadpool(door.people.holder, token, API) if token else None
    if person is None or name not in (None, person.name):
        raise Refused(
            401, "NotLoggedIn", "Give a person's name and token for programs: strongsuit campaign people add --token."
        )
    return check_role(request, Visitor(person), LABELS)


def _credentials(header: str) -> tuple[str | None, str]:
    """Name and token of basic authentication, or None and a bearer token."""
    kind, _, text = header.partition(" ")
    if kind.lower() == "bearer":
        return None, text.strip()
    if kind.lower() != "basic":
        return None, ""
    try:
        name, _, token = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None, ""
    return name, token


caller.roles = LABELS  # type: ignore[attr-defined]
router = APIRouter(prefix=f"{PREFIX}/{{campaign}}", include_in_schema=False)
Name = Annotated[str, Path(pattern=NAME)]
Caller = Annotated[Visitor, Depends(caller)]
Given = Annotated[dict[str, Any], Body(default_factory=dict)]


@router.get("/")
@router.get("/health")
def health(campaign: Name, visitor: Caller) -> dict[str, str]:
    """That it is there; the journal is not looked at."""
    return {"status": "UP", "model_class": "Strongsuit"}


@router.post("/setup")
def setup(request: Request, campaign: Name, visitor: Caller, body: Given) -> dict[str, str]:
    """The version of the order; what the body says of the project is not kept."""
    return {"model_version": version_of(_opened(request, campaign))}


@router.post("/predict")
def predict(request: Request, campaign: Name, visitor: Caller, body: Given) -> dict[str, Any]:
    """A score a task, in their order: 0 for the row that is wanted most, 1 for the last and for those not wanted."""
    tasks = body.get("tasks")
    if not isinstance(tasks, list) or not all(isinstance(one, dict) for one in tasks):
        raise Refused(422, "InputError", "tasks must be a list of tasks.")
    opened = _opened(request, campaign)
    with opened.desk.lock:
        version, scores = version_of(opened), scores_of(wanted_rows(opened.state))
        return {"results": [_result(opened, one, scores, version) for one in tasks], "model_version": version}


@router.post("/webhook", status_code=201)
def webhook(request: Request, campaign: Name, visitor: Caller, body: Given, after: BackgroundTasks) -> dict[str, str]:
    """That it was heard. "Start training" begins a round once half of the last one is handed out."""
    if body.get("action") == TRAIN:
        after.add_task(_begin_round, request.app.state, campaign, visitor.name)
    return OK


@router.get("/versions")
def versions(request: Request, campaign: Name, visitor: Caller) -> dict[str, list[str]]:
    """The only version there is."""
    return {"versions": [version_of(_opened(request, campaign))]}


@router.post("/validate")
@router.post("/duplicate_model")
@router.post("/delete")
@router.post("/job_status")
def nothing(campaign: Name, visitor: Caller, body: Given) -> dict[str, str]:
    """What other backends have work for, and this one has not."""
    return OK


def version_of(campaign: Campaign) -> str:
    """The name of the order of a round."""
    return f"ss-{campaign.name}-{campaign.state.round}"


def _result(campaign: Campaign, task: dict[str, Any], scores: dict[int, float], version: str) -> dict[str, Any]:
    data = task.get("data")
    try:
        row = row_of(campaign, data if isinstance(data, dict) else {})
    except InputError:
        row = -1  # a task that is none of ours
    said = proposal_of(campaign.desk.state, row)
    cluster = said.cluster if said else None
    return {"result": [], "score": scores.get(row, LAST), "model_version": version, "cluster": cluster}


def _opened(request: Request, name: str) -> Campaign:
    return request.app.state.opened.bare(name)


def _begin_round(state: Any, name: str, by: str) -> None:
    """Runs after the answer: the caller waits a second at most, opening a pool may take longer."""
    try:
        state.jobs.ahead(state.opened.get(name), by)
    except StrongsuitError as error:
        log.warning("no round was begun for campaign %s: %s", name, error)
