"""What can be read over HTTP, under /api/v1, and campaigns made and changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from strongsuit.campaign.campaigns import create_campaign
from strongsuit.campaign.chain import line_of
from strongsuit.errors import InputError
from strongsuit.web import bodies
from strongsuit.web.api import API, TROUBLES, Name, Owner, known, row_tag
from strongsuit.web.auth import ALL, READS, Visitor, allowed
from strongsuit.web.files import FORMATS, labels_file
from strongsuit.web.problems import Refused

router = APIRouter(prefix=API, responses=TROUBLES, dependencies=[Depends(known)])
PAGE = 1_000
TABLES = (".csv", ".tsv", ".parquet")
Anybody = Annotated[Visitor, Depends(allowed(ALL))]
Reader = Annotated[Visitor, Depends(allowed(READS))]
Exporter = Annotated[Visitor, Depends(allowed(READS, "files"))]
After = Annotated[int, Query(ge=0, le=2**53)]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=100)]


@router.get("/campaigns")
def campaigns(request: Request, visitor: Anybody) -> list[dict[str, Any]]:
    """The campaigns that the caller may see."""
    names = [one for one in request.app.state.opened.names() if visitor.person.sees(one.name)]
    return [{"name": one.name, "position": one.position, "created_at": one.created_at} for one in names]


@router.get("/campaigns/{campaign}", responses={304: {"description": "as it was"}})
def status(request: Request, campaign: Name, visitor: Anybody, if_none_match: IfNoneMatch = None) -> Response:
    """Where a campaign stands; its ETag is the position of its journal."""
    opened = request.app.state.opened.get(campaign)
    with opened.desk.lock:
        about = opened.status()
    tag = f'"{about["position"]}"'
    if if_none_match == tag:
        return Response(status_code=304, headers={"etag": tag})
    return JSONResponse(json.loads(json.dumps(about)), headers={"etag": tag})


@router.get("/campaigns/{campaign}/rows/{row}")
def row(request: Request, campaign: Name, row: int, visitor: Reader) -> Response:
    """Everything the journal knows of a row; its ETag is the position of the last change to its answers."""
    opened = request.app.state.opened.get(campaign)
    with opened.desk.lock:
        about, tag = opened.why(row, by_row=True), row_tag(opened, row)
    return JSONResponse(json.loads(json.dumps(about)), headers={"etag": tag})


@router.get("/campaigns/{campaign}/curve")
def curve(request: Request, campaign: Name, visitor: Reader) -> list[dict[str, Any]]:
    """The learning curve, a point a round, each with its interval and advice."""
    opened = request.app.state.opened.get(campaign)
    with opened.desk.lock:
        return list(opened.state.curve)


@router.get("/campaigns/{campaign}/labels", response_class=Response)
def labels(request: Request, campaign: Name, visitor: Exporter, format: str = "json", after: After = 0) -> Response:
    """The labels: as JSON by pages of 1,000 behind `after` labels, or whole as csv or parquet."""
    opened = request.app.state.opened.get(campaign)
    if format not in FORMATS:
        raise Refused(422, "InputError", f"format must be one of {', '.join(FORMATS)}.")
    if format != "json":
        return Response(labels_file(opened, format), media_type=FORMATS[format])
    with opened.desk.lock:
        found = opened.labels()
    more = after + PAGE if after + PAGE < len(found) else None
    return JSONResponse({"labels": found[after : after + PAGE], "total": len(found), "next": more})


@router.get("/campaigns/{campaign}/journal")
def journal(request: Request, campaign: Name, visitor: Reader, after: After = 0) -> dict[str, Any]:
    """At most 1,000 events behind a position, as the journal's file has them; `next` is where to go on."""
    opened = request.app.state.opened.get(campaign)
    events = list(opened.desk.store.read(campaign, after=after, limit=PAGE))
    more = events[-1].position if len(events) == PAGE else None
    return {"events": [json.loads(line_of(one)) for one in events], "next": more}


@router.post("/campaigns", status_code=201)
def create(request: Request, body: bodies.Create, visitor: Owner) -> Response:
    """A new campaign over a table of one of the folders that were listed when the server began."""
    from strongsuit.datasets.pools import read_pool  # pandas and Arrow: not before somebody makes a campaign

    if visitor.person.campaigns is not None:
        raise Refused(403, "NotAllowed", "You may see some campaigns only; who sees all of them makes new ones.")
    options = request.app.state.door.options
    # The name is looked up among files that are there: no path is made of what came.
    path = _tables(options.folders).get(body.pool)
    if path is None:
        raise InputError(f"pool {body.pool[:100]!r} is no table of the folders that this server lists")
    target = body.target.model_dump(exclude_none=True)
    try:
        pool = read_pool(str(path), key=body.key, target=body.target.name, ignore=body.ignore)
    except InputError as error:
        raise InputError(str(error).replace(str(path), path.name)) from error
    made = create_campaign(
        body.name, pool, target, store=request.app.state.opened.store, recipe=body.recipe, title=body.title,
        seed=body.seed, batch=body.batch, lease_s=body.lease_s, cost=body.cost, budget=body.budget,
        annotation=body.annotation, stopping=body.stopping, show=body.show, by=visitor.name, clock=options.clock,
    )  # fmt: skip
    return JSONResponse({"name": made.name, "position": made.state.position}, 201,
                        {"location": f"{API}/campaigns/{made.name}"})  # fmt: skip


def _tables(folders: Sequence[Path]) -> dict[str, Path]:
    """The tables of the folders by name; no link leads out of its folder."""
    found: dict[str, Path] = {}
    for folder in (one.resolve() for one in folders):
        for path in sorted(folder.iterdir()):
            real = path.resolve()
            if path.suffix.lower() in TABLES and real.is_file() and real.is_relative_to(folder):
                found.setdefault(path.name, real)
    return found


@router.patch("/campaigns/{campaign}")
def amend(request: Request, campaign: Name, body: bodies.Change, visitor: Owner) -> dict[str, int]:
    """Other settings from now on; `budget` null takes the limit away."""
    changes = body.model_dump(exclude_unset=True, exclude={"reason"})
    lost = [name for name, value in changes.items() if value is None and name != "budget"]
    if lost:
        raise InputError(f"{lost[0]} must not be null")
    opened = request.app.state.opened.get(campaign)
    return {"position": opened.amend(changes, reason=body.reason, by=visitor.name).position}


@router.post("/campaigns/{campaign}/close")
def close(request: Request, campaign: Name, body: bodies.Reason, visitor: Owner) -> dict[str, int]:
    """No further asking; answers are still taken."""
    opened = request.app.state.opened.get(campaign)
    return {"position": opened.close(reason=body.reason, by=visitor.name).position}


@router.post("/campaigns/{campaign}/reopen")
def reopen(request: Request, campaign: Name, body: bodies.Reason, visitor: Owner) -> dict[str, int]:
    """Asking again."""
    opened = request.app.state.opened.get(campaign)
    return {"position": opened.reopen(reason=body.reason, by=visitor.name).position}
