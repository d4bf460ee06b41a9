"""Rows out to Label Studio: a project for a campaign, tasks for the rows that are wanted, scores in their order.

Only rows that are asked for leave the pool. They are leased to one holder, and more are asked for when half of them are
answered. Tasks are looked up before they are made, so that a push that died makes none twice; scores get a version of
their own, which the project is switched to once the server has all of them, so that it never shows half an order.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from strongsuit.campaign.chain import canonical
from strongsuit.campaign.claims import claimed
from strongsuit.campaign.labelstudio_client import PAGE, Project, Server, new_project, project_of, projects_of
from strongsuit.campaign.labelstudio_form import MARK, controls_of, label_config, row_of, tasks_of
from strongsuit.campaign.service import Campaign
from strongsuit.campaign.state import State, lacking, proposal_of, usable
from strongsuit.errors import InputError, NothingToAsk, StoreBusy

HOLDER = "label-studio"  # who holds the rows that are tasks there
SAMPLING = "Uncertainty sampling"  # lowest score first; the page does not offer it, the server does it
KNOWN = re.compile(r"^\[strongsuit (\S+)\]$", re.MULTILINE)  # how a project's description names its campaign


@dataclass(frozen=True)
class Pushed:
    """What stands in Label Studio after a push: tasks that wait, those made now, rows with more than one task.

    `version` is that of the scores. `ended` says why no more rows were asked for, '' if there may be more.
    """

    open: int
    new: int
    doubled: int
    version: str
    ended: str
    position: int


def identity_of(campaign: Campaign) -> str:
    """What a project's description knows the campaign by: its name, and the digest of its first event."""
    first = next(islice(campaign.desk.store.read(campaign.name, limit=1), 1))
    return f"{campaign.name}:{first.digest[:16]}"


def find_project(campaign: Campaign, server: Server) -> Project:
    """The project of a campaign; InputError if there is none, or more than one."""
    found = _projects(campaign, server)
    if not found:
        raise InputError(
            f"{server.url} has no project of campaign {campaign.name!r}: `strongsuit campaign labelstudio setup` makes "
            "one, --project names another"
        )
    if len(found) > 1:
        ids = ", ".join(str(one.id) for one in found)
        raise InputError(f"{server.url} has several projects of campaign {campaign.name!r} ({ids}): say --project")
    return found[0]


def _projects(campaign: Campaign, server: Server) -> list[Project]:
    mark = identity_of(campaign)
    described = ((one, KNOWN.search(str(one.get("description") or ""))) for one in projects_of(server))
    return [project_of(server, one) for one, known in described if known and known[1] == mark]


def setup(campaign: Campaign, server: Server, *, title: str = "") -> tuple[Project, bool]:
    """The campaign's project, and whether it was made now.

    It has the form, lowest scores first, predictions that labellers do not see, and room for as many annotations as a
    dispute may need: rows that have enough lose their score, and so come last.
    """
    found = _projects(campaign, server)
    if found:
        project = find_project(campaign, server)
        check_form(campaign, project)
        return project, False
    settings = campaign.state.settings
    title = title or str(settings["name"])
    made = {
        "title": title if len(title) >= 3 else f"Campaign {title}",  # three characters at least
        "description": f"Rows of a strongsuit campaign.\n[strongsuit {identity_of(campaign)}]",
        "label_config": label_config(campaign), "sampling": SAMPLING,
        "maximum_annotations": campaign.state.rules.overlap_max, "show_collab_predictions": False,
    }  # fmt: skip
    return new_project(server, made), True


def check_form(campaign: Campaign, project: Project) -> None:
    """InputError unless the project's form has the fields that a campaign reads; a project without one gets it."""
    about = project.about()
    form = str(about.get("label_config") or "")
    lost = [name for name in controls_of(campaign.state.rules) if f'name="{name}"' not in form]
    if not lost:
        return
    if form.strip() not in ("", "<View></View>", "<View/>"):
        raise InputError(
            f"the labelling form of {project.address} has no field called {', '.join(lost)}: add it there, or let "
            "`strongsuit campaign labelstudio setup` make a project"
        )
    project.change(
        label_config=label_config(campaign), sampling=SAMPLING, show_collab_predictions=False,
        maximum_annotations=campaign.state.rules.overlap_max,
    )  # fmt: skip


@contextmanager
def alone(campaign: Campaign, project: Project) -> Iterator[None]:
    """One at a time for a project of a campaign; StoreBusy if somebody else is at it."""
    with claimed(campaign.desk.store, campaign.name, system_of(project), campaign.desk.clock) as ours:
        if not ours:
            raise StoreBusy(f"another command is at work between {campaign.name} and {project.address}: try again")
        yield


def system_of(project: Project, what: str = "tasks") -> str:
    """The name under which the store keeps links to the project."""
    return f"label studio {what} {project.identity}"


def push(campaign: Campaign, project: Project, *, n: int | None = None, by: str = HOLDER, media: str = "") -> Pushed:
    """What stands there after the push; the same push again changes nothing.

    `n` rows (default: a batch) are leased to `by`, asked for when half of the last ones or fewer are open; leases of
    open rows are renewed. Raises ServiceError, after which a push goes on where this one ended.
    """
    with alone(campaign, project):
        ended = _topped_up(campaign, campaign.state.rules.batch if n is None else n, by)
        rows = open_rows(campaign.state, by)
        tasks, doubled = _tasks_there(campaign, project)
        new = [row for row in rows if row not in tasks]
        tasks |= _tasks_made(campaign, project, new, media)
        version = _scored(campaign, project, rows, tasks)
        return Pushed(len(rows), len(new), doubled, version, ended, campaign.state.position)


def _topped_up(campaign: Campaign, n: int, by: str) -> str:
    """Why there were no more rows, '' if there were or none were needed yet."""
    release_done(campaign, by)
    campaign.renew(by=by)
    held = len(open_rows(campaign.state, by))
    if 2 * held > n:
        return ""
    try:
        campaign.ask(n - held, by=by, more=True)
    except NothingToAsk as nothing:
        return str(nothing)
    return ""


def release_done(campaign: Campaign, by: str) -> None:
    """Ends the leases of rows that need no more answers: people answer under their own names."""
    state = campaign.state
    done = [row for row, held in state.leases.items() if by in held and not _is_open(state, row)]
    if done:
        campaign.release(by, done, by=by, by_row=True)


def open_rows(state: State, by: str) -> list[int]:
    """The rows that somebody holds and that want answers still, most wanted first."""
    held = [row for row, holders in state.leases.items() if by in holders and _is_open(state, row)]
    return sorted(held, key=lambda row: wanted_order(state, row))


def wanted_rows(state: State) -> list[int]:
    """All rows that somebody should answer, held or not, most wanted first."""
    rows = {*state.queued, *state.begun, *state.slate}
    return sorted((row for row in rows if _is_open(state, row)), key=lambda row: wanted_order(state, row))


def wanted_order(state: State, row: int) -> tuple[int, int, int]:
    """What rows are sorted by: queued ones lead, then those begun first, then the rank in their slate."""
    since = 0 if row in state.queued else state.begun.get(row, state.position + 1)
    said = proposal_of(state, row)
    return since, said.rank if said else -1, row


def _is_open(state: State, row: int) -> bool:
    """Whether the row wants an answer still; one that was skipped is pending while it is leased, and does not."""
    return usable(state, row) and lacking(state, row) > 0 and len(state.skips.get(row, ())) < state.rules.skip_limit


def scores_of(rows: Sequence[int]) -> dict[int, float]:
    """A score a row, from 0 for the first to 1: Label Studio shows the lowest first and drops what is outside."""
    return {row: i / max(1, len(rows) - 1) for i, row in enumerate(rows)}


def _tasks_there(campaign: Campaign, project: Project) -> tuple[dict[int, int], int]:
    """The oldest task of each row that has one, and how many are there besides; tasks of others are left alone."""
    found: dict[int, int] = {}
    doubled = 0
    for task in project.tasks():
        if MARK not in task["data"]:
            continue
        try:
            row = row_of(campaign, task["data"])
        except InputError:
            continue  # of another campaign: `pull` says so if somebody answers it
        doubled += row in found
        found[row] = min(found.get(row, task["id"]), task["id"])
    remember(campaign, system_of(project), found)
    return found, doubled


def _tasks_made(campaign: Campaign, project: Project, rows: Sequence[int], media: str) -> dict[int, int]:
    """New tasks of the rows."""
    made: dict[int, int] = {}
    data = tasks_of(campaign, rows, media) if rows else []
    for start in range(0, len(rows), PAGE):
        part = rows[start : start + PAGE]
        ids = dict(zip(part, project.add_tasks(data[start : start + PAGE]), strict=True))
        remember(campaign, system_of(project), ids)
        made |= ids
    return made


def remember(campaign: Campaign, system: str, pairs: Mapping[int, object]) -> None:
    """Keeps links where the store can; they only save looking things up."""
    if pairs and hasattr(campaign.desk.store, "link"):
        campaign.desk.store.link(campaign.name, system, {one: str(other) for one, other in pairs.items()})


def remembered(campaign: Campaign, system: str) -> dict[int, str]:
    """The links that were kept."""
    store = campaign.desk.store
    return store.links(campaign.name, system) if hasattr(store, "links") else {}


def _scored(campaign: Campaign, project: Project, rows: Sequence[int], tasks: Mapping[int, int]) -> str:
    """The version of the scores, which the project has now; nothing is sent if it had them already."""
    if not rows:
        return ""
    wanted = _predictions(campaign.state, rows, tasks)
    content = hashlib.sha256(canonical(wanted).encode()).hexdigest()[:6]
    version = f"ss-{campaign.name}-{campaign.state.round}-{content}"
    if project.about().get("model_version") == version:
        return version
    project.drop_version(version)  # what a push left that died here
    named = [{**one, "model_version": version} for one in wanted]
    project.score([one for one in named if "cluster" not in one])
    for one in named:
        if "cluster" in one:
            project.score_one(one)
    project.change(model_version=version)
    _drop_older(campaign, project, version)
    return version


def _predictions(state: State, rows: Sequence[int], tasks: Mapping[int, int]) -> list[dict[str, Any]]:
    """A prediction a row: its score, and its cluster where the proposal named one."""
    scores, said = scores_of(rows), {row: proposal_of(state, row) for row in rows}
    clusters = {row: one.cluster for row, one in said.items() if one and one.cluster is not None}
    return [
        {"task": tasks[row], "score": scores[row], **({"cluster": clusters[row]} if row in clusters else {})}
        for row in rows
    ]


def _drop_older(campaign: Campaign, project: Project, version: str) -> None:
    ours = re.compile(rf"ss-{re.escape(campaign.name)}-\d+-[0-9a-f]{{6}}")
    for other in project.versions():
        if other != version and ours.fullmatch(other):
            project.drop_version(other)
