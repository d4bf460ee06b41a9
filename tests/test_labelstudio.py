"""Label Studio, the fake one and a real one where there is one: rows go out once, answers come back once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from tests.campaign_examples import RandomProposer, kinds
from tests.labelstudio_examples import MEDIA, OWNER, Clustered, Site, campaign, fake, orders, real, site
from tests.labelstudio_fake import PERSONAL, Fake

from strongsuit.campaign import Campaign
from strongsuit.campaign import labelstudio_pull as pulling
from strongsuit.campaign.labelstudio import HOLDER, find_project, open_rows, push, setup
from strongsuit.campaign.labelstudio_client import Project, Server, project_at
from strongsuit.campaign.labelstudio_form import row_of
from strongsuit.campaign.labelstudio_pull import loop, pull
from strongsuit.errors import InputError, ServiceError, StoreBusy

_ = fake, real, site  # fixtures


def begun(site: Site, **settings: Any) -> tuple[Campaign, Project]:
    """A campaign with its project and the tasks of its first round."""
    one = campaign(**settings)
    project, _ = setup(one, site.server)
    push(one, project, media=MEDIA)
    return one, project


def tasks(one: Campaign, project: Project) -> dict[int, int]:
    """The task of each row; a row has one."""
    found = [(row_of(one, task["data"]), task["id"]) for task in project.tasks()]
    assert len(dict(found)) == len(found), "one task a row"
    return dict(found)


def test_setup_makes_a_project_once_with_the_settings_that_it_needs(site: Site) -> None:
    one = campaign(annotation={"overlap": 2, "aggregate": "mean"}, title="Al")
    with pytest.raises(InputError, match="labelstudio setup"):
        find_project(one, site.server)
    project, new = setup(one, site.server)
    again, newer = setup(one, site.server)
    assert (new, newer) == (True, False) and again.id == project.id == find_project(one, site.server).id
    about = project.about()
    assert about["sampling"] == "Uncertainty sampling" and about["maximum_annotations"] == 2
    assert about["show_collab_predictions"] is False and about["title"] == "Campaign Al"
    assert 'name="target_0"' in about["label_config"] and "strength (MPa, 0–2500)" in about["label_config"]


def test_only_wanted_rows_become_tasks_in_their_order_and_a_push_again_changes_nothing(site: Site) -> None:
    one, project = begun(site)
    held = open_rows(one.state, HOLDER)
    assert held == [row for row in one.state.slate if row in one.state.leases] and len(held) == 4
    there = tasks(one, project)
    assert set(there) == set(held)
    data = next(task["data"] for task in project.tasks() if task["id"] == there[held[0]])
    assert data["strongsuit_table"] == {"id": f"A-{held[0]:03d}", "copper": held[0] / 8}
    assert data["photo"] == f"{MEDIA}/{held[0]}.png" and data["remark"]
    assert sorted(orders(project).values()) == pytest.approx([0, 1 / 3, 2 / 3, 1])
    version, position = project.about()["model_version"], one.state.position
    assert version.startswith(f"ss-{one.name}-1-") and project.versions() == [version]
    assert site.server.get(f"/api/projects/{project.id}/next/")["id"] == there[held[0]]
    again = push(one, project, media=MEDIA)
    assert (again.open, again.new, again.version, again.position) == (4, 0, version, position)
    assert tasks(one, project) == there and project.versions() == [version]


def test_answers_come_back_and_the_next_round_goes_out(site: Site) -> None:
    one, project = begun(site)
    there = tasks(one, project)
    first, second, third, fourth = open_rows(one.state, HOLDER)
    site.annotate(there[first], 100.5, lead_time=12.5)
    site.annotate(there[second], 200)
    done = pull(one, project, names={OWNER: "anna"})
    assert (done.told, done.wrote, done.refused) == (2, 2, [])
    told = [event for event in one.journal() if event.kind == "Told"]
    assert [(event.by, event.body.row, event.body.value) for event in told] == [
        ("anna", first, 100.5),
        ("anna", second, 200.0),
    ]
    assert [event.body.seconds for event in told] == [12.5, None] and all(event.body.asked for event in told)
    assert open_rows(one.state, HOLDER) == [third, fourth] and set(one.state.leases) == {third, fourth}
    position = done.position
    assert pull(one, project, names={OWNER: "anna"}).position == position, "the same again changes nothing"
    more = push(one, project, media=MEDIA)  # half are answered: a new round, its rows behind those that wait
    assert (more.open, more.new) == (4, 2) and more.version.startswith(f"ss-{one.name}-2-")
    assert open_rows(one.state, HOLDER)[:2] == [third, fourth] and project.versions() == [more.version]
    scores = {row: orders(project).get(task["data"]["strongsuit_row"]) for task in project.tasks()
              for row in [row_of(one, task["data"])]}  # fmt: skip
    assert scores[third] == 0 and scores[first] is None
    assert site.server.get(f"/api/projects/{project.id}/next/")["id"] == there[third]


def test_more_rows_are_asked_for_only_when_half_of_the_last_ones_are_answered(site: Site) -> None:
    one, project = begun(site)
    row = open_rows(one.state, HOLDER)[0]
    site.annotate(tasks(one, project)[row], 7)
    pull(one, project)
    done = push(one, project, media=MEDIA)
    assert (done.open, done.new) == (3, 0) and one.state.round == 1
    assert sorted(orders(project).values()) == pytest.approx([0, 0.5, 1])


def test_what_is_changed_skipped_and_deleted_there_is_so_here(site: Site) -> None:
    one, project = begun(site)
    there = tasks(one, project)
    first, second, third, fourth = open_rows(one.state, HOLDER)
    changed, deleted = site.annotate(there[first], 1), site.annotate(there[second], 2)
    site.annotate(there[third], None)
    site.annotate(there[fourth], 4)
    done = pull(one, project)
    assert (done.told, done.skipped) == (3, 1) and not one.state.leases
    site.change(changed, 1.5)
    site.delete("annotations", deleted)
    site.delete("tasks", there[fourth])
    done = pull(one, project)
    assert (done.revised, done.withdrawn, done.kept, done.told) == (1, 1, 1, 0)
    assert {row: label.value for row, label in one.state.labels.items()} == {first: 1.5, fourth: 4.0}
    assert [event.body.note for event in one.journal() if event.kind == "Revised"] == ["deleted in Label Studio", ""]
    assert pull(one, project).position == done.position


def test_what_is_no_answer_is_refused_with_its_address_until_it_is_mended(site: Site) -> None:
    one, project = begun(site)
    there = tasks(one, project)
    first, second, *_ = open_rows(one.state, HOLDER)
    wrong = site.annotate(there[first], 1e9)
    empty = site.server.call("POST", f"/api/tasks/{there[second]}/annotations/", {"result": []})["id"]
    data = next(project.tasks())["data"]
    stray = project.add_tasks([{**data, "strongsuit_row": mark} for mark in ("r3-xxxxx", "r99-abcde")])
    for task in stray:
        site.annotate(task, 5)
    done = pull(one, project)
    assert done.wrote == 0 and len(done.refused) == 4
    assert {one.address for one in done.refused} == {
        project.task_address(task) for task in (there[first], there[second], *stray)
    }
    assert "out of range; allowed is from 0 to 2500" in next(r.message for r in done.refused if "range" in r.message)
    site.change(wrong, 9)
    site.delete("annotations", empty)
    done = pull(one, project)
    assert done.told == 1 and len(done.refused) == 2
    assert push(one, project, media=MEDIA).open == 3, "tasks of others are left alone"


def test_a_correction_in_the_campaign_stands_until_the_annotation_is_changed(site: Site) -> None:
    one, project = begun(site)
    row = open_rows(one.state, HOLDER)[0]
    annotation = site.annotate(tasks(one, project)[row], 10)
    pull(one, project)
    site.change(annotation, 10)  # the same value at another time writes nothing
    assert pull(one, project).wrote == 0
    one.revise(row, 20, of=OWNER, by="olga", by_row=True)
    assert pull(one, project).wrote == 0 and one.state.labels[row].value == 20
    site.change(annotation, 30)
    assert pull(one, project).revised == 1 and one.state.labels[row].value == 30
    one.revise(row, None, by=OWNER, by_row=True)
    one.desk.store._kept[one.name].links.clear()  # what is remembered beside the journal is only a cache
    assert pull(one, project).wrote == 0 and row not in one.state.labels
    site.delete("annotations", annotation)
    assert pull(one, project).wrote == 0


def test_the_last_annotation_of_a_person_counts_and_an_older_one_when_it_is_deleted(site: Site) -> None:
    one, project = begun(site)
    row = open_rows(one.state, HOLDER)[0]
    task = tasks(one, project)[row]
    older, newer = site.annotate(task, 1), site.annotate(task, 2)
    pull(one, project)
    assert one.state.labels[row].value == 2 and kinds(one).count("Told") == 1
    site.delete("annotations", newer)
    assert pull(one, project).revised == 1 and one.state.labels[row].value == 1
    site.delete("annotations", older)
    assert pull(one, project).withdrawn == 1 and row not in one.state.labels
    answered = site.annotate(task, 3)
    assert pull(one, project).told == 1
    site.annotate(task, None)  # answered, and then skipped after all
    done = pull(one, project)
    assert (done.withdrawn, done.skipped) == (1, 1) and row not in one.state.labels
    assert answered and pull(one, project).wrote == 0


def test_clusters_arrive_and_bulk_scores_too(site: Site) -> None:
    one, project = begun(site, proposer=Clustered())
    one.queue(["A-030"], by="olga")
    for row in open_rows(one.state, HOLDER)[:2]:
        site.annotate(tasks(one, project)[row], 3)
    pull(one, project)
    push(one, project, media=MEDIA)
    version = project.about()["model_version"]
    rows = {row_of(one, task["data"]): task["predictions"] for task in project.tasks()}
    clusters = {row: [p["cluster"] for p in said if p["model_version"] == version] for row, said in rows.items()}
    held = open_rows(one.state, HOLDER)
    said = {row: (one.state.slate | one.state.chosen).get(row) for row in held}
    assert {row: clusters[row] for row in held} == {row: [r.cluster if r else None] for row, r in said.items()}
    assert 30 in held and len(orders(project)) == 4


class Dies:
    """A server that is gone before or after so many calls that change something."""

    def __init__(self, server: Server, calls: int, *, carried_out: bool) -> None:
        self.send, self.left, self.carried_out = server.call, calls, carried_out

    def __call__(self, method: str, path: str, *rest: Any, **more: Any) -> Any:
        if method == "GET":
            return self.send(method, path, *rest, **more)
        self.left -= 1
        if self.left == 0 and self.carried_out:
            self.send(method, path, *rest, **more)
        if self.left <= 0:
            raise ServiceError("it does not answer")
        return self.send(method, path, *rest, **more)


@pytest.mark.parametrize("carried_out", [False, True], ids=["lost", "carried out"])
def test_a_push_that_dies_anywhere_is_ended_by_the_next_without_doubles(site: Site, carried_out: bool) -> None:
    died, calls = True, 0
    while died:
        calls += 1
        one = campaign(proposer=Clustered())
        one.queue(["A-030"], by="olga")
        project, _ = setup(one, site.server)
        server = site.server
        server.call = Dies(server, calls, carried_out=carried_out)  # type: ignore[method-assign]
        try:
            push(one, Project(server, project.id, project.born), media=MEDIA)
            died = False
        except ServiceError:
            pass
        done = push(one, project, media=MEDIA)
        assert set(tasks(one, project)) == set(open_rows(one.state, HOLDER)) and done.doubled == 0
        assert project.versions() == [done.version] and project.about()["model_version"] == done.version
        assert sorted(orders(project).values()) == pytest.approx([0, 1 / 3, 2 / 3, 1])
        assert kinds(one) == ["Created", "Queued", "Proposed", "Asked", "Asked"]
    assert calls > 5


def test_a_pull_that_dies_between_journal_and_store_writes_nothing_twice(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(fake.url, fake)
    one, project = begun(site)
    for row, task in tasks(one, project).items():
        site.annotate(task, row)

    def dies(*_: Any) -> None:
        raise ServiceError("it died here")

    with monkeypatch.context() as broken:
        broken.setattr(pulling, "remember", dies)
        with pytest.raises(ServiceError):
            pull(one, project)
    assert kinds(one).count("Told") == 1
    assert pull(one, project).told == 3 and kinds(one).count("Told") == 4
    assert pull(one, project).wrote == 0 and not one.state.leases


def test_two_people_answer_under_their_own_names(fake: Fake) -> None:
    site = Site(fake.url, fake)
    one, project = begun(site, annotation={"overlap": 2, "aggregate": "mean"})
    row = open_rows(one.state, HOLDER)[0]
    task = tasks(one, project)[row]
    site.annotate(task, 10)
    pull(one, project)
    assert row in open_rows(one.state, HOLDER), "one more answer is wanted"
    fake.who = 2
    site.annotate(task, 20)
    fake.annotations[fake.count - 1]["completed_by"] = {"id": 2, "email": "ben@example.org"}  # as some exports say it
    assert pull(one, project).told == 1
    assert one.state.labels[row].value == 15 and set(one.state.answers[row]) == {OWNER, "ben@example.org"}
    assert row not in open_rows(one.state, HOLDER)


def test_a_disputed_row_stays_at_the_head_for_one_more_person(fake: Fake) -> None:
    site = Site(fake.url, fake)
    one, project = begun(
        site, target={"name": "animal", "kind": "class", "classes": ["cat", "owl"]},
        annotation={"overlap": 2, "overlap_max": 3},
    )  # fmt: skip
    assert project.about()["maximum_annotations"] == 3
    first, second, *_ = open_rows(one.state, HOLDER)
    there = tasks(one, project)
    for who, said in ((1, "cat"), (2, "owl")):
        fake.who = who
        site.annotate(there[first], said)
        site.annotate(there[second], "cat")
    pull(one, project)
    assert open_rows(one.state, HOLDER)[0] == first and second not in open_rows(one.state, HOLDER)
    push(one, project, media=MEDIA)
    marks = {task["id"]: task["data"]["strongsuit_row"] for task in project.tasks()}
    assert orders(project)[marks[there[first]]] == 0 and marks[there[second]] not in orders(project)


def test_a_class_is_chosen_among_its_texts(site: Site) -> None:
    target = {"name": "animal", "kind": "class", "classes": ["cat & <dog>", "owl"]}
    one, project = begun(site, target=target)
    rows = open_rows(one.state, HOLDER)
    there = tasks(one, project)
    site.annotate(there[rows[0]], "cat & <dog>")
    site.annotate(there[rows[1]], "owls")
    done = pull(one, project)
    assert done.told == 1 and "did you mean 'owl'" in done.refused[0].message
    assert one.state.labels[rows[0]].value == "cat & <dog>"
    assert 'hotkey="2"' in project.about()["label_config"]


def test_the_loop_goes_on_through_troubles_until_every_task_is_answered(
    fake: Fake, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(fake.url, fake)
    one = campaign(budget={"limit": 6, "unit": "labels"})
    project, _ = setup(one, site.server)
    server, turns = site.server, []

    def gone(*_: Any, **__: Any) -> None:
        raise ServiceError("it does not answer")

    def people(seconds: float) -> None:
        turns.append(seconds)
        server.call = gone if len(turns) == 2 else Server.call.__get__(server)  # type: ignore[method-assign]
        done = {annotation["task"] for annotation in fake.annotations.values()}
        for task in [id_ for id_ in fake.tasks if id_ not in done]:
            site.annotate(task, 5)

    with caplog.at_level(logging.WARNING):
        ended = loop(one, Project(server, project.id, project.born), media=MEDIA, every=3, sleep=people)
    assert "6 of 6 labels are spent" in ended and kinds(one).count("Told") == 6 and not one.state.leases
    assert "trying again in 3 s" in caplog.text and set(turns) == {3}


def test_one_command_at_a_time_is_at_work(fake: Fake) -> None:
    site = Site(fake.url, fake)
    one, project = begun(site)
    with pulling.alone(one, project), pytest.raises(StoreBusy, match="another command is at work"):
        push(one, project, media=MEDIA)


def test_a_personal_token_is_refreshed_when_it_runs_out(fake: Fake) -> None:
    server = Server(fake.url, PERSONAL)
    one = campaign()
    project, _ = setup(one, server)
    push(one, project, media=MEDIA)
    assert fake.calls.count(("POST", "/api/token/refresh/")) > 1 and len(fake.tasks) == 4
    assert PERSONAL not in repr(server) and "fresh" not in repr(server)
    with pytest.raises(ServiceError, match="does not know the key"):
        Server(fake.url, "a.b.c").get("/api/projects/")


def refused(act: Callable[[], Any]) -> str:
    with pytest.raises((ServiceError, InputError)) as error:
        act()
    return str(error.value)


def test_a_server_that_is_away_or_another_is_told(fake: Fake) -> None:
    waits: list[float] = []
    away = Server("http://127.0.0.1:9", "x" * 40, sleep=waits.append)
    assert "is Label Studio running there?" in refused(lambda: away.get("/api/projects/")) and len(waits) == 2
    assert "LABEL_STUDIO_API_KEY" in refused(lambda: Server(fake.url, "x" * 40).get("/api/projects/"))
    assert "LABEL_STUDIO_API_KEY" in refused(lambda: Server(fake.url, " "))
    assert "without a name or password" in refused(lambda: Server("http://me:secret@host", "x"))
    assert "404" in refused(lambda: project_at(Site(fake.url).server, 999))


def test_a_project_of_ones_own_needs_the_fields_of_the_form(fake: Fake) -> None:
    from strongsuit.campaign.labelstudio import check_form

    site = Site(fake.url, fake)
    one = campaign()
    made = site.server.call("POST", "/api/projects/", {"title": "mine", "label_config": "<View></View>"})
    project = project_at(site.server, made["id"])
    check_form(one, project)
    assert 'name="target_0"' in project.about()["label_config"]
    project.change(label_config='<View><Text name="t" value="$t"/></View>')
    assert "has no field called target_0" in refused(lambda: check_form(one, project))


def test_scores_that_the_server_drops_in_silence_are_noticed(fake: Fake) -> None:
    one, project = begun(Site(fake.url, fake))
    task = min(fake.tasks)
    with pytest.raises(ServiceError, match="2 scores were sent"):
        project.score([{"task": task, "score": score, "model_version": "v"} for score in (0.5, 1.5)])
    assert isinstance(one.proposer, RandomProposer)
