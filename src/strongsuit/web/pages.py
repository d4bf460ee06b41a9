"""The pages of labellers: the list of campaigns, logging in, the row in hand, and pictures."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from strongsuit.campaign.service import Campaign
from strongsuit.errors import AlreadyTold, InputError, InvalidLabel, RequestMismatch
from strongsuit.web import showing
from strongsuit.web.auth import ALL, LABELS, Door, Visitor, allowed, form_of
from strongsuit.web.entry import label_of
from strongsuit.web.labelling import Turn, check_own, last_answer, progress_of, turn_of
from strongsuit.web.media import media_of
from strongsuit.web.problems import Refused, problem_of
from strongsuit.web.rendering import rendered

router = APIRouter(include_in_schema=False)
Fields = Annotated[Mapping[str, Any], Depends(form_of)]
Anybody = Annotated[Visitor, Depends(allowed(ALL))]
Labeller = Annotated[Visitor, Depends(allowed(LABELS))]
Asker = Annotated[Visitor, Depends(allowed(LABELS, "ask"))]
Teller = Annotated[Visitor, Depends(allowed(LABELS, "tell"))]
SENT = 20  # rows that a browser may name as under way


@router.get("/login")
def login(request: Request, token: str = "") -> Response:
    """The exchange of a one-time link for a cookie; without a token, how to get one."""
    door: Door = request.app.state.door
    if not token:
        return rendered(request, "login.html", None, status=200)
    door.count("login", request)
    inside = door.visitor(request)
    if inside and request.headers.get("sec-fetch-site") == "cross-site" and not door.is_for(token, inside):
        # Another site could make somebody work under a name that is not theirs.
        raise Refused(403, "LoggedIn", f"You are logged in as {inside.name}: log out, then open the link again.")
    found = door.let_in(token)
    if found is None:
        return rendered(request, "login.html", None, status=403, stale=True)
    response = RedirectResponse("/", status_code=303)
    door.give_cookie(response, found[1])
    return response


@router.post("/logout")
def logout(request: Request, visitor: Anybody) -> Response:
    """The session ended, here and in the store."""
    door: Door = request.app.state.door
    session = request.cookies.get(door.cookie, "")
    if session:
        door.people.revoke(session.partition(".")[0])
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(door.cookie, path="/", httponly=True, secure=door.options.secure)
    return response


@router.get("/")
def home(request: Request, visitor: Anybody) -> Response:
    """The campaigns that this person sees; straight to it, if it is one."""
    opened = request.app.state.opened
    names = [one.name for one in opened.names() if visitor.person.sees(one.name)]
    if len(names) == 1:
        return RedirectResponse(f"/campaigns/{names[0]}", status_code=303)
    listed = [(name, opened.get(name)) for name in names]
    about = [{"name": name, **progress_of(one.state, visitor.name), "open": not one.state.closed,
              "title": one.state.settings["name"]} for name, one in listed]  # fmt: skip
    return rendered(request, "home.html", visitor, campaigns=about)


@router.get("/campaigns/{campaign}/label")
def label(
    request: Request,
    campaign: str,
    visitor: Asker,
    row: int | None = None,
    sent: Annotated[list[int] | None, Query(max_length=SENT)] = None,
    part: bool = False,
) -> Response:
    """The row in hand, or with `row` one's own answer to change; `part` without what surrounds it, for the script."""
    opened = request.app.state.opened.get(campaign)
    if row is not None:
        return _shown(request, opened, visitor, row, part=part, edit=_own_answer(opened, visitor, row))
    turn = turn_of(opened, request.app.state.jobs, visitor.name, sent or ())
    return _shown(request, opened, visitor, turn.row, turn=turn, part=part)


@router.post("/campaigns/{campaign}/label")
def save(request: Request, campaign: str, visitor: Teller, form: Fields) -> Response:
    """An answer, a skip or a failure written; then the next row. The same form again writes nothing more."""
    opened = request.app.state.opened.get(campaign)
    row = _row_of(form)
    try:
        said = _written(opened, visitor, row, form)
    except (AlreadyTold, RequestMismatch) as error:
        answer = opened.state.answers.get(row, {}).get(visitor.name)
        if answer is None:
            raise
        text = f"You answered this row before, with {showing.shown_value(answer.value)}. Save again to replace that."
        return _again(request, opened, visitor, row, form, error, text, edit=answer.value)
    except InputError as error:
        edit = _own_answer(opened, visitor, row) if form.get("edit") else None
        return _again(request, opened, visitor, row, form, error, problem_of(error).text, edit=edit)
    request.app.state.jobs.ahead(opened, visitor.name)
    if _scripted(request):
        return JSONResponse({"said": said, "row": row})
    response = RedirectResponse(f"/campaigns/{campaign}/label", status_code=303)
    return response


@router.post("/campaigns/{campaign}/renew")
def renew(request: Request, campaign: str, visitor: Labeller) -> Response:
    """The leases of somebody who is still at work end later."""
    opened = request.app.state.opened.get(campaign)
    opened.renew(by=visitor.name)
    leases = opened.state.leases.values()
    return JSONResponse(
        {"until": min((held[visitor.name].until for held in leases if visitor.name in held), default="")}
    )


@router.get("/media/{campaign}/{row}/{column}")
def media(request: Request, campaign: str, row: int, column: str, visitor: Anybody) -> Response:
    """The picture that a cell names."""
    found = media_of(request.app.state.opened.get(campaign), row, column, request.app.state.door.options.max_media)
    headers = {
        "content-security-policy": "default-src 'none'; sandbox",
        "content-disposition": "inline" if found.inline else "attachment",
        "cache-control": "private, max-age=3600",
    }
    return Response(found.data, media_type=found.type, headers=headers)


def _written(campaign: Campaign, visitor: Visitor, row: int, form: Mapping[str, Any]) -> str:
    """What was written, in words."""
    by, id_ = visitor.name, str(form.get("request") or uuid.uuid4().hex)
    target, what = campaign.state.settings["target"], str(form.get("action", "save"))
    key, why = showing.key_of(campaign, row), str(form.get("reason", "")).strip()[:500]
    note = str(form.get("note", "")).strip()[:2000]
    if what == "withdraw":
        campaign.revise(row, None, by=by, request=id_, note=note, by_row=True)
        return f"Your answer for {key} is withdrawn."
    if what == "skip":
        check_own(campaign, visitor, [row])
        campaign.skip(row, reason=why, by=by, request=id_, by_row=True)
        return f"Skipped {key}."
    if what == "fail":
        check_own(campaign, visitor, [row])
        final = bool(form.get("final"))
        campaign.fail(row, reason=why or "no reason given", final=final, by=by, request=id_, by_row=True)
        return f"{key} is marked as failed{'' if final else '; it will come back later'}."
    value = label_of(target, form)
    if form.get("edit"):
        campaign.revise(row, value, by=by, request=id_, note=note, by_row=True)
    else:
        campaign.tell({row: value}, by=by, request=id_, seconds=_seconds(form), note=note, by_row=True)
    with campaign.desk.lock:
        expected = showing.expected(campaign.desk.state, row)
    return f"Saved {showing.with_unit(target, value)} for {key}. {expected}".strip()


def _again(
    request: Request, campaign: Campaign, visitor: Visitor, row: int, form: Mapping[str, Any], error: Exception,
    text: str, *, edit: Any,
) -> Response:  # fmt: skip
    """The row once more, with what was typed and what is wrong with it."""
    status = problem_of(error).status
    if _scripted(request):
        return JSONResponse({"problem": text, "row": row, "edit": edit is not None}, status)
    typed = {name: str(value) for name, value in form.items()}
    return _shown(request, campaign, visitor, row, edit=edit, problem=text, typed=typed, status=status)


def _shown(
    request: Request, campaign: Campaign, visitor: Visitor, row: int | None, *, turn: Turn | None = None,
    part: bool = False, edit: Any = None, problem: str = "", typed: Mapping[str, str] | None = None, status: int = 200,
) -> Response:  # fmt: skip
    """The page of one row, or of none."""
    hosts = request.app.state.door.options.image_hosts
    cells = showing.cells_of(campaign, row, hosts) if row is not None else []
    with campaign.desk.lock:
        state = campaign.desk.state
        last = last_answer(state, visitor.name)
        lease = state.leases.get(row, {}).get(visitor.name) if row is not None else None
        values = {
            "name": campaign.name, "title": state.settings["name"], "target": state.settings["target"],
            "allowed": showing.bounds(state.settings["target"]), "progress": progress_of(state, visitor.name),
            "why": showing.reason(state, row) if row is not None else "",
            "until": lease.until if lease else "", "lease_s": state.rules.lease_s,
            "keys": showing.class_keys(state.settings["target"].get("classes", ())),
        }  # fmt: skip
        said = showing.expected(state, last[0]) if last else ""
    if last is not None:
        values["last"] = {
            "row": last[0], "key": showing.key_of(campaign, last[0]), "expected": said,
            "value": showing.with_unit(values["target"], last[1].value),
        }  # fmt: skip
    values |= {"row": row, "cells": cells, "key": showing.key_of(campaign, row) if row is not None else ""}
    values |= {"edit": edit is not None, "fields": _fields(values["target"], edit, typed), "turn": turn or Turn(row)}
    values |= {"problem": problem, "typed": typed or {}, "request_id": uuid.uuid4().hex}
    trouble = request.app.state.opened.trouble(campaign.name) if row is not None else ""
    return rendered(request, "turn.html" if part else "label.html", visitor, status=status, trouble=trouble, **values)


def _fields(target: Mapping[str, Any], edit: Any, typed: Mapping[str, str] | None) -> list[dict[str, str]]:
    """The entries of a form: name, label, unit and what stands in them."""
    several = not isinstance(target["name"], str)
    names = list(target["name"]) if several else [target["name"]]
    values = list(edit) if several and edit is not None else [edit] * len(names)
    units = target.get("unit")
    found = []
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        field = f"value_{i}" if several else "value"
        there = (typed or {}).get(field) or ("" if value is None else showing.shown_value(value))
        unit = units[i] if isinstance(units, list) else units or ""
        found.append({"field": field, "label": name, "unit": str(unit), "value": there})
    return found


def _own_answer(campaign: Campaign, visitor: Visitor, row: int) -> Any:
    answer = campaign.state.answers.get(row, {}).get(visitor.name)
    if answer is None:
        raise Refused(404, "UnknownRow", "You have not answered this row, or have withdrawn it.")
    return answer.value


def _row_of(form: Mapping[str, Any]) -> int:
    text = str(form.get("row", ""))
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise InvalidLabel("The form names no row: load the page again.")
    return int(text)


def _seconds(form: Mapping[str, Any]) -> float | None:
    try:
        seconds = float(str(form.get("seconds", "")))
    except ValueError:
        return None
    return seconds if 0 < seconds < 86_400 else None


def _scripted(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")
