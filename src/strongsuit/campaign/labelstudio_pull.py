"""Answers back from Label Studio: what people annotated, changed, skipped and deleted there, into the journal.

An annotation and the time of its last change make the request id, so that pulling again, or after a pull that died,
writes nothing twice. What an annotation says counts once: a later correction in the campaign itself stands until
somebody changes the annotation there.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from strongsuit.campaign.chain import moment
from strongsuit.campaign.commands import Given
from strongsuit.campaign.labels import checked_label
from strongsuit.campaign.labelstudio import (
    HOLDER,
    Pushed,
    alone,
    open_rows,
    push,
    release_done,
    remember,
    remembered,
    system_of,
)
from strongsuit.campaign.labelstudio_client import Project, people_of
from strongsuit.campaign.labelstudio_form import row_of, value_of
from strongsuit.campaign.service import Campaign
from strongsuit.errors import InputError, ServiceError, StoreBusy

log = logging.getLogger(__name__)
EVERY_SECONDS = 15.0
PUSHES = 20  # turns of the loop after which tasks and leases are looked at even if no answer came
SKIPPED = "skipped in Label Studio"
DELETED = "deleted in Label Studio"
_GONE = "gone with its task"


@dataclass(frozen=True)
class Refused:
    """An annotation that is no answer: where it is, and why."""

    address: str
    message: str


@dataclass
class Pulled:
    """What a pull wrote: answers told, revised, withdrawn, rows skipped; annotations that are no answers; answers kept
    although their tasks are gone."""

    told: int = 0
    revised: int = 0
    withdrawn: int = 0
    skipped: int = 0
    kept: int = 0
    refused: list[Refused] = field(default_factory=list)
    position: int = 0

    @property
    def wrote(self) -> int:
        """How many events."""
        return self.told + self.revised + self.withdrawn + self.skipped


@dataclass(frozen=True)
class _Said:
    """The last annotation of somebody for a row."""

    id: int
    changed: str
    row: int
    by: str
    task: int
    value: Any
    cancelled: bool
    seconds: float | None

    @property
    def order(self) -> tuple[datetime, int]:
        return moment(self.changed), self.id


def pull(campaign: Campaign, project: Project, *, by: str = HOLDER, names: Mapping[str, str] | None = None) -> Pulled:
    """What was written. `names` says who people are in the journal, by their address there; else it is the address.

    `by` is the holder of the rows, who also answers for annotations of nobody. Leases of rows that need no more answers
    end.
    """
    with alone(campaign, project):
        people = {id_: (names or {}).get(address, address) for id_, address in people_of(project.server).items()}
        tasks = project.annotated()
        pulled = Pulled()
        said = _last_of(campaign, project, tasks, people, by, pulled)
        there = {int(one["id"]) for task in tasks for one in task.get("annotations", ())}
        _withdraw(campaign, project, said, there, pulled)
        seen = remembered(campaign, system_of(project, "annotations"))
        for one in said.values():
            if seen.get(one.id) != one.changed:
                _written(campaign, project, one, pulled)
        release_done(campaign, by)
        pulled.position = campaign.state.position
        return pulled


def _last_of(
    campaign: Campaign, project: Project, tasks: list[dict[str, Any]], people: Mapping[int, str], holder: str,
    pulled: Pulled,
) -> dict[tuple[int, str], _Said]:  # fmt: skip
    """The last right annotation of each person for each row; those that are wrong are refused."""
    last: dict[tuple[int, str], _Said] = {}
    for task in tasks:
        address = project.task_address(int(task["id"]))
        try:
            row = row_of(campaign, task.get("data") or {})
        except InputError as error:
            pulled.refused.append(Refused(address, str(error)))
            continue
        for annotation in task.get("annotations", ()):
            try:
                one = _said(campaign, annotation, row, int(task["id"]), people, holder)
            except InputError as error:
                pulled.refused.append(Refused(address, str(error)))
                continue
            before = last.get((row, one.by))
            last[row, one.by] = one if before is None else max(before, one, key=lambda said: said.order)
    return last


def _said(
    campaign: Campaign, annotation: Mapping[str, Any], row: int, task: int, people: Mapping[int, str], holder: str
) -> _Said:
    who = annotation.get("completed_by")
    who = who.get("id") if isinstance(who, Mapping) else who
    name = holder if who is None else people.get(int(who), f"{HOLDER}:{who}")
    cancelled = bool(annotation.get("was_cancelled"))
    rules = campaign.desk.state.rules
    value = None if cancelled else checked_label(rules, value_of(annotation.get("result") or [], rules), row)
    took = annotation.get("lead_time")
    seconds = float(took) if isinstance(took, int | float) and took >= 0 else None
    changed = str(annotation.get("updated_at") or annotation.get("created_at"))
    return _Said(int(annotation["id"]), changed, row, name, task, value, cancelled, seconds)


def _written(campaign: Campaign, project: Project, one: _Said, pulled: Pulled) -> None:
    """The annotation in the journal; one that is there by its request id stays as it was then."""
    request = f"{_prefix(project)}{one.id}:{one.changed}"
    if request not in campaign.state.requests:
        if one.cancelled:
            _skip(campaign, one, request, pulled)
        else:
            _answer(campaign, one, request, pulled)
    remember(campaign, system_of(project, "annotations"), {one.id: one.changed})  # after the journal, never before


def _answer(campaign: Campaign, one: _Said, request: str, pulled: Pulled) -> None:
    before = campaign.state.answers.get(one.row, {}).get(one.by)
    if before is None:
        given = Given(one.row, one.value, seconds=one.seconds)
        pulled.told += len(campaign.tell([given], by=one.by, request=request, by_row=True).rows)
    elif before.value != one.value:
        done = campaign.revise(one.row, one.value, by=one.by, request=request, by_row=True)
        pulled.revised += len(done.rows)


def _skip(campaign: Campaign, one: _Said, request: str, pulled: Pulled) -> None:
    if one.by in campaign.state.answers.get(one.row, {}):  # answered before, and then thought better of it
        done = campaign.revise(one.row, None, note=SKIPPED, by=one.by, request=f"{request}:withdrawn", by_row=True)
        pulled.withdrawn += len(done.rows)
    pulled.skipped += len(campaign.skip(one.row, reason=SKIPPED, by=one.by, request=request, by_row=True).rows)


def _withdraw(
    campaign: Campaign, project: Project, said: Mapping[tuple[int, str], _Said], there: set[int], pulled: Pulled
) -> None:
    """Answers whose annotation was deleted are withdrawn, or go back to an older annotation of the same person.

    Only answers that stand in the journal as the annotation wrote them: whatever was corrected since is not ours. Where
    the task itself is gone the answer is kept: tidying up there takes no label away.
    """
    seen, tasks = remembered(campaign, system_of(project, "annotations")), remembered(campaign, system_of(project))
    for row, by, annotation in _sources(campaign, project):
        if annotation in there or seen.get(annotation) == _GONE or project.has_annotation(annotation):
            continue
        older, task = said.get((row, by)), tasks.get(row)
        if older is None and task is not None and not project.has_task(int(task)):
            pulled.kept += 1
            remember(campaign, system_of(project, "annotations"), {annotation: _GONE})
            continue
        value = None if older is None or older.cancelled else older.value
        source = annotation if older is None or value is None else older.id  # whose deletion would count next
        request = f"{_prefix(project)}{source}:after {annotation}"
        done = campaign.revise(row, value, note=DELETED, by=by, request=request, by_row=True)
        if value is None:
            pulled.withdrawn += len(done.rows)
        else:
            pulled.revised += len(done.rows)


def _sources(campaign: Campaign, project: Project) -> list[tuple[int, str, int]]:
    """Row, person and annotation of each answer that an annotation of the project wrote and nobody has changed."""
    state, prefix = campaign.state, _prefix(project)
    wrote = {place.last: name for name, place in state.requests.items() if name.startswith(prefix)}
    return [
        (row, by, int(wrote[answer.position].removeprefix(prefix).split(":")[0]))
        for row, held in state.answers.items()
        for by, answer in held.items()
        if answer.position in wrote
    ]


def _prefix(project: Project) -> str:
    """What the request ids of a project begin with."""
    return f"ls:{hashlib.sha256(project.identity.encode()).hexdigest()[:8]}:"


def loop(
    campaign: Campaign,
    project: Project,
    *,
    n: int | None = None,
    by: str = HOLDER,
    media: str = "",
    names: Mapping[str, str] | None = None,
    every: float = EVERY_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    progress: Callable[[Pulled, Pushed | None], None] = lambda pulled, pushed: None,
) -> str:
    """Why there is nothing more to ask, once every open row is answered; pulls and pushes until then.

    A server or store that is away for a while is a warning: the next turn goes on.
    """
    turn, due = 0, True
    while True:
        try:
            campaign.renew(by=by)
            pulled = pull(campaign, project, by=by, names=names)
            due = due or pulled.wrote > 0 or turn % PUSHES == 0
            pushed = push(campaign, project, n=n, by=by, media=media) if due else None
        except (ServiceError, StoreBusy) as error:
            log.warning("%s; trying again in %g s", error, every)
        else:
            due, turn = False, turn + 1
            progress(pulled, pushed)
            if pushed is not None and pushed.ended and not open_rows(campaign.state, by):
                return pushed.ended
        sleep(every)
