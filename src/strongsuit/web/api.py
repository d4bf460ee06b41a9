"""The verbs of a campaign over HTTP, under /api/v1: for programs, with a bearer token."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, UploadFile
from fastapi.responses import JSONResponse

from strongsuit.campaign.commands import Given
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.store import turn
from strongsuit.campaign.telling import Receipt
from strongsuit.errors import InputError, UnknownRow
from strongsuit.web import bodies
from strongsuit.web.auth import LABELS, OWNS, Visitor, allowed
from strongsuit.web.bodies import NAME
from strongsuit.web.files import handed_in, uploaded, words
from strongsuit.web.jobs import Job
from strongsuit.web.labelling import check_own
from strongsuit.web.problems import Refused

API = "/api/v1"
MOST_REJECTED = 1_000  # lines of an upload that an answer names
TROUBLES: dict[int | str, dict[str, Any]] = {
    status: {"model": bodies.Trouble, "description": text}
    for status, text in (
        (400, "not understood"), (401, "not logged in"), (403, "not allowed"), (404, "not there, or not for you"),
        (409, "not as things are"), (413, "too large"), (421, "the server does not go by this name"),
        (422, "not right"), (429, "too many, see Retry-After"), (500, "a defect; the server's log says more"),
        (503, "busy, see Retry-After"), (507, "the disk is full"),
    )
}  # fmt: skip


def known(request: Request) -> None:
    """Refuses parameters of the address that the route does not have: a misspelt one is told, as in bodies."""
    have = {one.alias for one in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in have:
            raise InputError(
                f"there is no parameter {name[:100]!r} here; there are: {', '.join(sorted(have)) or 'none'}"
            )


router = APIRouter(prefix=API, responses=TROUBLES, dependencies=[Depends(known)])
Name = Annotated[str, Path(pattern=NAME)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]
IfMatch = Annotated[str | None, Header(alias="If-Match", max_length=100)]
Labeller = Annotated[Visitor, Depends(allowed(LABELS))]
Asker = Annotated[Visitor, Depends(allowed(LABELS, "ask"))]
Teller = Annotated[Visitor, Depends(allowed(LABELS, "tell"))]
Owner = Annotated[Visitor, Depends(allowed(OWNS))]
Uploader = Annotated[Visitor, Depends(allowed(OWNS, "files"))]


@router.post("/campaigns/{campaign}/ask", response_model=bodies.Handed, responses={202: {"description": "a round is "
             "being chosen: look at Location, then ask again with the same Idempotency-Key"}})  # fmt: skip
def ask(request: Request, campaign: Name, body: bodies.Ask, visitor: Asker, key: Key = None) -> Any:
    """Rows to label, leased to the caller: at once where there are some, else 202 while a round is being chosen."""
    opened = _opened(request, campaign)
    n = body.n or opened.state.rules.batch
    found = request.app.state.jobs.handed(opened, visitor.name, n, more=body.more, request=key)
    if isinstance(found, Job):
        headers = {"location": f"{API}/jobs/{found.id}", "retry-after": "2"}
        return JSONResponse({"job": found.id, "status": found.status}, 202, headers)
    return bodies.Handed(
        rows=list(found.rows), keys=list(found.keys), rank=list(found.rank), source=list(found.source),
        why=list(found.why), until=found.until, short=found.short,
        features=None if found.features is None else json.loads(found.features.to_json(orient="records")),
    )  # fmt: skip


@router.post("/campaigns/{campaign}/tell")
def tell(request: Request, campaign: Name, body: bodies.Tell, visitor: Teller, key: Key = None) -> bodies.Written:
    """Answers, asked for or not; the same again changes nothing."""
    opened = _opened(request, campaign)
    given = [Given(_row_of(opened, one), _value(one.value), one.cost, one.seconds, one.note) for one in body.answers]
    receipt = opened.tell(given, by=visitor.name, request=key, partial=body.partial, by_row=True)
    request.app.state.jobs.ahead(opened, visitor.name)
    return _written(receipt)


@router.post("/campaigns/{campaign}/skip")
def skip(request: Request, campaign: Name, body: bodies.Rows, visitor: Teller, key: Key = None) -> bodies.Written:
    """Rows that the caller cannot answer."""
    opened = _opened(request, campaign)
    check_own(opened, visitor, body.rows)
    return _written(opened.skip(body.rows, reason=body.reason, by=visitor.name, request=key, by_row=True))


@router.post("/campaigns/{campaign}/fail")
def fail(request: Request, campaign: Name, body: bodies.Fail, visitor: Teller, key: Key = None) -> bodies.Written:
    """A run that gave no value."""
    opened = _opened(request, campaign)
    check_own(opened, visitor, [body.row])
    return _written(
        opened.fail(body.row, reason=body.reason, final=body.final, cost=body.cost, by=visitor.name, request=key,
                    by_row=True)
    )  # fmt: skip


@router.post("/campaigns/{campaign}/revise", responses={412: {"model": bodies.Trouble, "description": "changed since"}})
def revise(
    request: Request, campaign: Name, body: bodies.Revise, visitor: Teller, key: Key = None, if_match: IfMatch = None
) -> bodies.Written:
    """Another value for an answer: one's own, or an owner's change of anybody's.

    `If-Match` is the ETag of the row: the answer is left alone if somebody has changed it since.
    """
    if body.of is not None and body.of != visitor.name and not visitor.owns:
        raise Refused(403, "NotYours", "Only an owner revises the answers of others.")
    opened = _opened(request, campaign)
    with opened.desk.lock, turn(opened.desk.store, opened.name):
        state = opened.state
        known = key is not None and key in state.requests
        if if_match not in (None, "*") and not known and if_match != row_tag(opened, body.row):
            raise Refused(412, "Changed", "Somebody has changed this row since: read it again.")
        receipt = opened.revise(
            body.row, _value(body.value), note=body.note, of=body.of, by=visitor.name, request=key, by_row=True
        )
    return _written(receipt)


@router.post("/campaigns/{campaign}/renew")
def renew(request: Request, campaign: Name, body: bodies.Renew, visitor: Labeller) -> bodies.Written:
    """Leases of the caller that end later."""
    return _written(_opened(request, campaign).renew(body.rows, by=visitor.name, by_row=True))


@router.post("/campaigns/{campaign}/exclude")
def exclude(request: Request, campaign: Name, body: bodies.Rows, visitor: Owner, key: Key = None) -> bodies.Written:
    """Rows never to be used."""
    opened = _opened(request, campaign)
    return _written(opened.exclude(body.rows, reason=body.reason, by=visitor.name, request=key, by_row=True))


@router.post("/campaigns/{campaign}/restore")
def restore(request: Request, campaign: Name, body: bodies.Rows, visitor: Owner, key: Key = None) -> bodies.Written:
    """Rows usable again."""
    opened = _opened(request, campaign)
    return _written(opened.restore(body.rows, reason=body.reason, by=visitor.name, request=key, by_row=True))


@router.post("/campaigns/{campaign}/queue")
def queue(request: Request, campaign: Name, body: bodies.Rows, visitor: Owner, key: Key = None) -> bodies.Written:
    """Rows to hand out next."""
    opened = _opened(request, campaign)
    return _written(opened.queue(body.rows, note=body.reason, by=visitor.name, request=key, by_row=True))


@router.post("/campaigns/{campaign}/upload", responses={415: {"model": bodies.Trouble, "description": "no table"}})
def upload(
    request: Request, campaign: Name, file: UploadFile, visitor: Uploader, partial: bool = False, revise: bool = False,
    key: Key = None,
) -> bodies.HandedIn:  # fmt: skip
    """A filled table as `ask --out` writes it, .csv, .tsv or .parquet: with marks, the pool's key or `row`, and the
    target. All of it is written or nothing, unless `partial`; with `revise` changed values replace older ones."""
    opened = _opened(request, campaign)
    filled = uploaded(opened, file.file, file.filename or "", by=visitor.name, revise=revise)
    done = handed_in(opened, filled, partial=partial, request=key)
    return bodies.HandedIn(
        **asdict(done), blank=filled.blank, rejected=[words(one.text) for one in filled.problems[:MOST_REJECTED]]
    )


@router.get("/jobs/{job}")
def job(request: Request, job: str, visitor: Labeller) -> dict[str, Any]:
    """How a fit is going: an owner's to see, and whose wait it is."""
    return _job(request, job, visitor).about()


@router.delete("/jobs/{job}", status_code=202)
def stop(request: Request, job: str, visitor: Owner) -> dict[str, Any]:
    """A fit stopped: nothing of it is written."""
    found = _job(request, job, visitor)
    request.app.state.jobs.stop(found)
    return found.about()


def row_tag(campaign: Campaign, row: int) -> str:
    """The ETag of a row: the position of the last change to its answers."""
    with campaign.desk.lock:
        held, revised = campaign.desk.state.answers.get(row, {}), campaign.desk.state.revised.get(row, 0)
        return f'"{max([revised, *(one.position for one in held.values())])}"'


def _job(request: Request, id_: str, visitor: Visitor) -> Job:
    found: Job = request.app.state.jobs.get(id_)
    if not visitor.person.sees(found.campaign) or not (visitor.owns or found.by == visitor.name):
        raise Refused(404, "UnknownJob", "There is no such job on this server.")
    return found


def _opened(request: Request, campaign: str) -> Campaign:
    return request.app.state.opened.get(campaign)


def _row_of(campaign: Campaign, answer: bodies.Answer) -> Any:
    if (answer.row is None) == (answer.key is None):
        raise Refused(422, "InputError", "Each answer names its row by one of `row` and `key`.")
    if answer.row is not None:
        return answer.row
    if campaign.state.settings["pool"].get("key") is None:
        raise UnknownRow("the pool has no keys: name rows by `row`")
    found = campaign.pool.rows_of([answer.key])[0] if campaign.pool is not None else None
    return str(answer.key) if found is None else found


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _written(receipt: Receipt) -> bodies.Written:
    lost = [bodies.Lost(row=one.row, type=one.error, detail=one.message) for one in receipt.rejected]
    return bodies.Written(
        position=receipt.position, rows=list(receipt.rows), repeated=list(receipt.repeated), rejected=lost
    )
