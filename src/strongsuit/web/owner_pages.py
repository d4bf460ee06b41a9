"""The pages of owners and viewers: where a campaign stands, one row, the journal, and what only owners do."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from strongsuit.campaign.events import json_of
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.state import State
from strongsuit.errors import InputError
from strongsuit.web import showing
from strongsuit.web.auth import ALL, OWNS, READS, Visitor, allowed, form_of
from strongsuit.web.chart import curve_svg
from strongsuit.web.entry import label_of, number_of
from strongsuit.web.files import FORMATS, handed_in, journal_file, labels_file, uploaded, words
from strongsuit.web.map import map_of, shape
from strongsuit.web.people import LABELLER
from strongsuit.web.problems import Refused, problem_of
from strongsuit.web.rendering import rendered

router = APIRouter(include_in_schema=False)
Fields = Annotated[Mapping[str, Any], Depends(form_of)]
Anybody = Annotated[Visitor, Depends(allowed(ALL))]
Reader = Annotated[Visitor, Depends(allowed(READS))]
Owner = Annotated[Visitor, Depends(allowed(OWNS))]
Exporter = Annotated[Visitor, Depends(allowed(READS, "files"))]
Uploader = Annotated[Visitor, Depends(allowed(OWNS, "files"))]
SHOWN = 50  # entries of a list on a page


@router.get("/campaigns/{campaign}")
def progress(request: Request, campaign: str, visitor: Anybody, problem: str = "") -> Response:
    """Where the campaign stands; labellers are taken to their row."""
    if visitor.person.role == LABELLER:
        return RedirectResponse(f"/campaigns/{campaign}/label", status_code=303)
    return _progress(request, request.app.state.opened.get(campaign), visitor)


@router.get("/campaigns/{campaign}/rows/{row}")
def one_row(request: Request, campaign: str, row: int, visitor: Reader) -> Response:
    """Everything the journal knows of a row."""
    opened = request.app.state.opened.get(campaign)
    with opened.desk.lock:
        about = opened.why(row, by_row=True)
    cells = showing.cells_of(opened, row, request.app.state.door.options.image_hosts)
    settings = opened.state.settings
    return rendered(
        request, "row.html", visitor, name=campaign, title=settings["name"], about=about, cells=cells,
        key=showing.key_of(opened, row), target=settings["target"], request_id=uuid.uuid4().hex,
    )  # fmt: skip


@router.get("/campaigns/{campaign}/journal")
def journal(request: Request, campaign: str, visitor: Reader, before: int = 0) -> Response:
    """Entries of the journal, the newest first."""
    opened = request.app.state.opened.get(campaign)
    end = min(before - 1, opened.state.position) if before > 0 else opened.state.position
    events = list(opened.desk.store.read(campaign, after=max(0, end - SHOWN), limit=min(end, SHOWN))) if end > 0 else []
    entries = [{"position": one.position, "at": one.at, "by": one.by, "kind": one.kind, "said": _said(one.body)}
               for one in reversed(events)]  # fmt: skip
    return rendered(
        request, "journal.html", visitor, name=campaign, title=opened.state.settings["name"], entries=entries
    )


@router.get("/campaigns/{campaign}/export/{kind}")
def export(request: Request, campaign: str, kind: str, visitor: Exporter) -> Response:
    """The labels as a file, or the journal."""
    opened = request.app.state.opened.get(campaign)
    if kind == "journal":
        return _download(journal_file(opened), "application/gzip", f"{campaign}.jsonl.gz")
    if kind not in FORMATS:
        raise Refused(404, "UnknownFormat", f"Labels come as {', '.join(FORMATS)}, and there is the journal.")
    return _download(labels_file(opened, kind), FORMATS[kind], f"{campaign}.{kind}")


@router.post("/campaigns/{campaign}/upload")
def upload(request: Request, campaign: str, visitor: Uploader, form: Fields) -> Response:
    """The answers of a filled table; with a tick, the good lines of it."""
    opened = request.app.state.opened.get(campaign)
    file = form.get("file")
    if file is None or not getattr(file, "filename", ""):
        return _progress(request, opened, visitor, problem="Choose a file first.", status=422)
    try:
        filled = uploaded(opened, file.file, file.filename, by=visitor.name, revise=bool(form.get("revise")))
        done = handed_in(
            opened, filled, partial=bool(form.get("partial")), request=str(form.get("request") or "") or None
        )
    except InputError as error:
        return _progress(request, opened, visitor, problem=problem_of(error).text, status=problem_of(error).status)
    parts = [f"{done.told} answers written, {done.repeated} were there already"]
    parts += [f"{count} {what}" for what, count in (("revised", done.revised), ("skipped", done.skipped),
              ("failed", done.failed), ("lines blank", filled.blank)) if count]  # fmt: skip
    rejected = [words(one.text) for one in filled.problems]
    return _progress(request, opened, visitor, said=f"{', '.join(parts)}.", rejected=rejected)


@router.post("/campaigns/{campaign}/do/{verb}")
def do(request: Request, campaign: str, verb: str, visitor: Owner, form: Fields) -> Response:
    """One of an owner's verbs; then the page it came from."""
    opened = request.app.state.opened.get(campaign)
    if verb not in VERBS:
        raise Refused(404, "UnknownVerb", f"There is no {verb!r} here.")
    try:
        VERBS[verb](opened, visitor, form)
    except InputError as error:
        return _progress(request, opened, visitor, problem=problem_of(error).text, status=problem_of(error).status)
    row = str(form.get("row", ""))
    back = (
        f"/campaigns/{campaign}/rows/{row}" if form.get("back") == "row" and row.isdigit() else f"/campaigns/{campaign}"
    )
    return RedirectResponse(back, status_code=303)


def _release(campaign: Campaign, visitor: Visitor, form: Mapping[str, Any]) -> None:
    campaign.release(str(form.get("to", "")), _rows(campaign, form) or None, by=visitor.name, by_row=True)


def _restore(campaign: Campaign, visitor: Visitor, form: Mapping[str, Any]) -> None:
    campaign.restore(_rows(campaign, form), by=visitor.name, reason=_text(form, "reason"), by_row=True)


def _exclude(campaign: Campaign, visitor: Visitor, form: Mapping[str, Any]) -> None:
    campaign.exclude(_rows(campaign, form), by=visitor.name, reason=_text(form, "reason"), by_row=True)


def _queue(campaign: Campaign, visitor: Visitor, form: Mapping[str, Any]) -> None:
    rows = _rows(campaign, form)
    if not rows:
        raise InputError("name at least one row to queue")
    campaign.queue(rows, by=visitor.name, note=_text(form, "note"), by_row=True)


def _settle(campaign: Campaign, visitor: Visitor, form: Mapping[str, Any]) -> None:
    row, value = _rows(campaign, form)[0], label_of(campaign.state.settings["target"], form)
    mine = visitor.name in campaign.state.answers.get(row, {})
    id_, note = str(form.get("request") or uuid.uuid4().hex), _text(form, "note")
    if mine and id_ not in campaign.state.requests:
        campaign.revise(row, value, by=visitor.name, request=id_, note=note, by_row=True)
    else:
        campaign.tell({row: value}, by=visitor.name, request=id_, note=note, by_row=True)


def _amend(campaign: Campaign, visitor: Visitor, form: Mapping[str, Any]) -> None:
    settings = campaign.state.settings
    changes: dict[str, Any] = {}
    batch, lease, limit = (_text(form, name) for name in ("batch", "lease", "limit"))
    if batch:
        changes["batch"] = _whole("batch", batch)
    if lease:
        changes["lease_s"] = 60.0 * number_of(lease)
    if limit:
        changes["budget"] = {**(settings["budget"] or {"unit": settings["cost"].get("unit", "labels")}),
                             "limit": number_of(limit)}  # fmt: skip
    elif settings["budget"] is not None and "limit" in form:
        changes["budget"] = None
    title = _text(form, "title")
    if title:
        changes["name"] = title
    campaign.amend(changes, reason=_text(form, "reason"), by=visitor.name)


def _close(campaign: Campaign, visitor: Visitor, form: Mapping[str, Any]) -> None:
    campaign.close(reason=_text(form, "reason"), by=visitor.name)


def _reopen(campaign: Campaign, visitor: Visitor, form: Mapping[str, Any]) -> None:
    campaign.reopen(reason=_text(form, "reason"), by=visitor.name)


VERBS: Mapping[str, Callable[[Campaign, Visitor, Mapping[str, Any]], None]] = {
    "release": _release,
    "restore": _restore,
    "exclude": _exclude,
    "queue": _queue,
    "settle": _settle,
    "amend": _amend,
    "close": _close,
    "reopen": _reopen,
}


def _progress(
    request: Request, campaign: Campaign, visitor: Visitor, *, problem: str = "", said: str = "",
    rejected: list[str] | None = None, status: int = 200,
) -> Response:  # fmt: skip
    with campaign.desk.lock:
        about = campaign.status()
        state = campaign.desk.state
        settings, lists = state.settings, _lists(campaign, state)
    job = request.app.state.jobs.running(campaign.name)
    axes = request.app.state.maps.of(campaign)
    return rendered(
        request, "progress.html", visitor, status=status, name=campaign.name, about=about, settings=settings,
        curve=curve_svg(about["curve"]), map=map_of(campaign, axes) if axes else None, axes=axes, shape=shape, job=job,
        problem=problem, said=said, rejected=rejected or [],
        trouble=request.app.state.opened.trouble(campaign.name), request_id=uuid.uuid4().hex,
        **lists,
    )  # fmt: skip


def _lists(campaign: Campaign, state: State) -> dict[str, Any]:
    """What waits for an owner: rows in dispute, failed, skipped, excluded; leases by person."""

    def named(row: int) -> dict[str, Any]:
        return {"row": row, "key": showing.key_of(campaign, row)}

    rows = sorted(row for row in state.answers if row not in state.labels)[:SHOWN]
    disputed = [{**named(row), "answers": {by: one.value for by, one in state.answers[row].items()}} for row in rows]
    final = sorted(row for row, one in state.failures.items() if one.final and row not in state.labels)[:SHOWN]
    failed = [{**named(row), **state.failures[row]._asdict()} for row in final]
    leases: dict[str, dict[str, Any]] = {}
    for row, held in sorted(state.leases.items()):
        for who, lease in held.items():
            mine = leases.setdefault(who, {"rows": [], "until": lease.until})
            mine["rows"].append(named(row))
            mine["until"] = max(mine["until"], lease.until)
    left = sorted(row for row in state.skips if row not in state.labels)[:SHOWN]
    skipped = [{**named(row), "by": sorted(state.skips[row])} for row in left]
    return {"disputed": disputed, "failed": failed, "leases": leases, "skipped": skipped}


def _rows(campaign: Campaign, form: Mapping[str, Any]) -> list[int]:
    """The rows that a form names, by number or by key."""
    texts = [part for part in str(form.get("rows") or form.get("row") or "").replace(",", " ").split() if part]
    if form.get("row") or campaign.pool is None:
        return [_whole("row", text) for text in texts]
    found = campaign.pool.rows_of(
        texts if campaign.state.settings["pool"].get("key") else [_whole("row", t) for t in texts]
    )
    lost = [text for text, row in zip(texts, found, strict=True) if row is None]
    if lost:
        raise InputError(f"{lost[0][:60]!r} is not in the pool")
    return [row for row in found if row is not None]


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise InputError(f"{name} must be a whole number, got {text[:40]!r}")
    return int(text)


def _text(form: Mapping[str, Any], name: str) -> str:
    return str(form.get(name, "")).strip()[:500]


def _said(body: Any) -> str:
    """An entry of the journal in one line."""
    about = {name: value for name, value in json_of(body).items() if value not in (None, "", (), {}, [])}
    if "rows" in about and len(about["rows"]) > 12:
        about["rows"] = f"{len(about['rows'])} rows"
    if type(body).__name__ == "Proposed":
        about = {"round": body.round, "strategy": body.strategy, "rows": tuple(one.row for one in body.rows)[:12]}
    return ", ".join(f"{name} {_plain(value)}" for name, value in about.items())[:400]


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _download(data: bytes, kind: str, name: str) -> Response:
    return Response(data, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})
