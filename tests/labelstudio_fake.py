"""A small server on loopback that answers as Label Studio 1.23 was seen to answer, traps and all."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

LEGACY, PERSONAL = "0123456789abcdef" * 2 + "01234567", "head.body.sign"
PEOPLE = {1: "owner@example.org", 2: "ben@example.org"}
USES = 5  # calls after which a token that was refreshed has run out


class Answer(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, body: Any = None) -> None:
        super().__init__(status)
        self.status, self.body = status, body


@dataclass
class Fake:
    """What the server holds; `who` is the person that the next calls are of."""

    url: str = ""
    who: int = 1
    projects: dict[int, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[int, dict[str, Any]] = field(default_factory=dict)
    predictions: dict[int, dict[str, Any]] = field(default_factory=dict)
    annotations: dict[int, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    uses: int = USES
    count: int = 0

    def number(self) -> int:
        self.count += 1
        return self.count

    def now(self) -> str:
        return (datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=self.number())).isoformat()

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, key: str) -> Any:
        """The answer to a call."""
        self.calls.append((method, path))
        if path == "/api/token/refresh/":
            if body != {"refresh": PERSONAL}:
                raise Answer(401, {"detail": "Token is invalid"})
            self.uses = 0
            return {"access": "fresh"}
        self.uses += key == "Bearer fresh"
        if key != f"Token {LEGACY}" and not (key == "Bearer fresh" and self.uses < USES):
            raise Answer(401, {"detail": "Authentication credentials were not provided."})
        for verb, pattern, act in ROUTES:
            found = re.fullmatch(pattern, path)
            if verb == method and found:
                return act(self, *map(int, found.groups()), query=query, body=body)
        raise Answer(404, {"detail": "Not found."})

    def of(self, held: dict[int, Any], id_: int) -> Any:
        if id_ not in held:
            raise Answer(404, {"detail": "Not found."})
        return held[id_]

    def tasks_of(self, project: int) -> list[dict[str, Any]]:
        return [one for one in self.tasks.values() if one["project"] == project]

    def scored(self, task: int, version: str) -> list[dict[str, Any]]:
        """The predictions of a task in a version; the same version twice makes two sets."""
        return [one for one in self.predictions.values() if (one["task"], one["model_version"]) == (task, version)]


def list_projects(fake: Fake, *, query: dict[str, str], body: Any) -> Any:
    return {"count": len(fake.projects), "results": list(fake.projects.values())}


def make_project(fake: Fake, *, query: dict[str, str], body: Any) -> Any:
    if len(body["title"]) < 3:
        raise Answer(400, {"title": ["Ensure this field has at least 3 characters."]})
    made = {"id": fake.number(), "model_version": "", "description": "", "created_at": fake.now(), **body}
    fake.projects[made["id"]] = made
    return {name: value for name, value in made.items() if name != "sampling"}


def show_project(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    return fake.of(fake.projects, id_)


def change_project(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    version = body.get("model_version")
    if version and not any(fake.scored(one["id"], version) for one in fake.tasks_of(id_)):
        raise Answer(400, {"model_version": ["Model version doesn't exist in the project"]})
    fake.of(fake.projects, id_).update(body)
    return fake.projects[id_]


def add_tasks(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    fields = set(re.findall(r'value="\$(\w+)"', fake.of(fake.projects, id_).get("label_config", "")))
    if any(not fields <= set(one["data"]) for one in body):  # a task without a field of the form fails all
        raise Answer(400, {"validation_errors": {"non_field_errors": ["Error at item 0"]}})
    ids = []
    for one in body:
        task = {"id": fake.number(), "data": one["data"], "project": id_}
        fake.tasks[task["id"]] = task
        ids.append(task["id"])
    return {"task_count": len(ids), **({"task_ids": ids} if query.get("return_task_ids") == "true" else {})}


def add_predictions(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    if any(fake.tasks.get(one["task"], {}).get("project") != id_ for one in body):
        raise Answer(400, {"detail": "Some tasks are not in the project"})
    right = [one for one in body if 0.0 <= one["score"] <= 1.0]  # the others are dropped, with 201
    for one in right:
        _predict(fake, {**one, "cluster": None})  # clusters are dropped too
    return {"created": len(right)}


def add_prediction(fake: Fake, *, query: dict[str, str], body: Any) -> Any:
    fake.of(fake.tasks, body["task"])
    return _predict(fake, {"cluster": None, **body})


def _predict(fake: Fake, one: dict[str, Any]) -> Any:
    made = {**one, "id": fake.number()}
    fake.predictions[made["id"]] = made
    return made


def versions(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    ours = {one["id"] for one in fake.tasks_of(id_)}
    return dict(Counter(one["model_version"] for one in fake.predictions.values() if one["task"] in ours))


def drop_version(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    ours = {one["id"] for one in fake.tasks_of(id_)}
    gone = [
        i
        for i, one in fake.predictions.items()
        if one["task"] in ours and one["model_version"] == body["model_version"]
    ]
    for i in gone:
        del fake.predictions[i]
    return {"deleted_predictions": len(gone)}


def list_tasks(fake: Fake, *, query: dict[str, str], body: Any) -> Any:
    all_, page, size = fake.tasks_of(int(query["project"])), int(query["page"]), int(query["page_size"])
    part = all_[(page - 1) * size : page * size]
    if not part and page > 1:
        raise Answer(404, {"detail": "Invalid page."})
    predictions = {one["id"]: [p for p in fake.predictions.values() if p["task"] == one["id"]] for one in part}
    return {"total": len(all_), "tasks": [{**one, "predictions": predictions[one["id"]]} for one in part]}


def show_task(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    return fake.of(fake.tasks, id_)


def delete_task(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    fake.of(fake.tasks, id_)
    del fake.tasks[id_]
    fake.annotations = {i: one for i, one in fake.annotations.items() if one["task"] != id_}
    fake.predictions = {i: one for i, one in fake.predictions.items() if one["task"] != id_}


def annotate(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    """Nothing of it is checked, and the same person may do so again."""
    fake.of(fake.tasks, id_)
    made = {"was_cancelled": False, "lead_time": None, **body, "id": fake.number(), "task": id_}
    fake.annotations[made["id"]] = {**made, "completed_by": fake.who, "updated_at": fake.now()}
    return fake.annotations[made["id"]]


def show_annotation(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    return fake.of(fake.annotations, id_)


def change_annotation(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    fake.of(fake.annotations, id_).update({**body, "updated_at": fake.now()})
    return fake.annotations[id_]


def delete_annotation(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    fake.of(fake.annotations, id_)
    del fake.annotations[id_]


def export(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    assert query == {"exportType": "JSON", "download_all_tasks": "false"}
    held = {one["id"]: [a for a in fake.annotations.values() if a["task"] == one["id"]] for one in fake.tasks_of(id_)}
    return [{**fake.tasks[i], "annotations": found} for i, found in held.items() if found]


def next_task(fake: Fake, id_: int, *, query: dict[str, str], body: Any) -> Any:
    version = fake.of(fake.projects, id_)["model_version"]
    done = {one["task"] for one in fake.annotations.values()}
    open_ = [one for one in fake.tasks_of(id_) if one["id"] not in done]
    if not open_:
        raise Answer(404, {"detail": "There are no tasks remaining to be annotated by the current user"})
    return min(open_, key=lambda one: min([p["score"] for p in fake.scored(one["id"], version)] or [2.0]))


def people(fake: Fake, *, query: dict[str, str], body: Any) -> Any:
    return [{"id": id_, "email": address} for id_, address in PEOPLE.items()]


Act = Callable[..., Any]
ROUTES: list[tuple[str, str, Act]] = [
    ("GET", "/api/projects/", list_projects),
    ("POST", "/api/projects/", make_project),
    ("GET", r"/api/projects/(\d+)/", show_project),
    ("PATCH", r"/api/projects/(\d+)/", change_project),
    ("POST", r"/api/projects/(\d+)/import", add_tasks),
    ("POST", r"/api/projects/(\d+)/import/predictions", add_predictions),
    ("POST", "/api/predictions/", add_prediction),
    ("GET", r"/api/projects/(\d+)/model-versions/", versions),
    ("DELETE", r"/api/projects/(\d+)/model-versions/", drop_version),
    ("GET", "/api/tasks", list_tasks),
    ("GET", r"/api/tasks/(\d+)/", show_task),
    ("DELETE", r"/api/tasks/(\d+)/", delete_task),
    ("POST", r"/api/tasks/(\d+)/annotations/", annotate),
    ("GET", r"/api/annotations/(\d+)/", show_annotation),
    ("PATCH", r"/api/annotations/(\d+)/", change_annotation),
    ("DELETE", r"/api/annotations/(\d+)/", delete_annotation),
    ("GET", r"/api/projects/(\d+)/export", export),
    ("GET", r"/api/projects/(\d+)/next/", next_task),
    ("GET", "/api/users/", people),
]


@contextmanager
def served() -> Iterator[Fake]:
    """The server while the context lasts."""
    fake, lock = Fake(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            try:
                with lock:
                    said = fake.answer(self.command, parts.path, query, body, self.headers.get("Authorization", ""))
                status = 200
            except Answer as other:
                status, said = other.status, other.body
            text = b"" if said is None else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_one

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
