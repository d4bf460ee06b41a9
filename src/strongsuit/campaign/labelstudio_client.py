"""Label Studio over HTTP: who we are to it, one call, and the calls on a project that a campaign needs.

Observed on Label Studio Community 1.23. Its replies do not say what was left out: what must hold is read back and
compared. Posts are never repeated by themselves, for a post that timed out may have been carried out.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from strongsuit.errors import InputError, ServiceError

ANSWER_SECONDS, TRIES, WAIT_SECONDS = 120.0, 3, 1.0
PAGE = 500  # tasks a page, and a post
_BUSY = (429, 502, 503, 504)
_WORDS = 400  # characters of a refusal that are shown


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing: the key is for the server that was named and for no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass
class Server:
    """A server at an address, and the key by which we come in: a legacy token, or a personal one (with two dots)."""

    url: str
    key: str = field(repr=False)
    sleep: Callable[[float], None] = time.sleep
    _access: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
            raise InputError(f"url {self.url!r}: write http://HOST:PORT or https://HOST, without a name or password")
        if not self.key.strip():
            raise InputError("the key is missing: set LABEL_STUDIO_API_KEY to a token of your account in Label Studio")
        self.url, self.key = self.url.rstrip("/"), self.key.strip()

    def get(self, path: str, **query: Any) -> Any:
        """What stands at a path; tried again while the server is busy or away."""
        for last in [False] * (TRIES - 1) + [True]:
            try:
                return self.call("GET", path, query=query)
            except ServiceError as error:
                if last or error.status not in (0, *_BUSY):
                    raise
                self.sleep(WAIT_SECONDS)
        raise AssertionError  # the last try returned or raised

    def call(self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None) -> Any:
        """The reply as JSON, None where there is none; ServiceError with the status for a refusal, 0 for silence."""
        status, text = self._sent(method, path, body, query)
        if status == 401 and self._is_personal:
            self._access = ""
            status, text = self._sent(method, path, body, query)
        if not 200 <= status < 300:
            raise ServiceError(_refusal(self.url, method, path, status, text), status=status)
        try:
            return json.loads(text) if text.strip() else None
        except ValueError as error:
            message = f"{self.url}{path} answers no JSON: is this the address of a Label Studio?"
            raise ServiceError(message, status=status) from error

    @property
    def _is_personal(self) -> bool:
        return self.key.count(".") == 2

    def _sent(self, method: str, path: str, body: Any, query: Mapping[str, Any] | None) -> tuple[int, str]:
        more = f"?{urlencode(query, doseq=True)}" if query else ""
        return self._posted(method, f"{self.url}{path}{more}", body, self._credentials())

    def _credentials(self) -> str:
        """What stands in the header; a personal token only refreshes one that lives for minutes."""
        if not self._is_personal:
            return f"Token {self.key}"
        if not self._access:
            path = "/api/token/refresh/"
            status, text = self._posted("POST", self.url + path, {"refresh": self.key}, "")
            if status != 200:
                raise ServiceError(_refusal(self.url, "POST", path, status, text), status=status)
            self._access = str(json.loads(text)["access"])
        return f"Bearer {self._access}"

    def _posted(self, method: str, address: str, body: Any, credentials: str) -> tuple[int, str]:
        headers = {"Accept": "application/json", **({"Authorization": credentials} if credentials else {})}
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(address, data=data, headers=headers, method=method)
        try:
            with urllib.request.build_opener(_Stay).open(request, timeout=ANSWER_SECONDS) as reply:
                return reply.status, reply.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode("utf-8", "replace")
        except OSError as error:
            reason = getattr(error, "reason", None) or error
            raise ServiceError(f"{self.url} does not answer ({reason}): is Label Studio running there?") from error


def _refusal(url: str, method: str, path: str, status: int, text: str) -> str:
    if status == 401:
        return (
            f"{url} does not know the key (401): take a personal access token of your account there, or have its "
            "legacy tokens switched on; put it into LABEL_STUDIO_API_KEY"
        )
    if 300 <= status < 400:
        return f"{url}{path} leads elsewhere ({status}): give the address that it leads to as the url"
    return f"{url}: {method} {path} was answered by {status}: {' '.join(text.split())[:_WORDS]}"


@dataclass(frozen=True)
class Project:
    """A project of a server: its number there, and when it was made, by which it is known under any address."""

    server: Server
    id: int
    born: str

    @property
    def identity(self) -> str:
        """What tells it from every other project, wherever the server is reached."""
        return f"{self.id}.{self.born}"

    @property
    def address(self) -> str:
        """Where people find it."""
        return f"{self.server.url}/projects/{self.id}"

    def task_address(self, task: int) -> str:
        """Where people find one of its tasks."""
        return f"{self.address}/data?task={task}"

    def about(self) -> dict[str, Any]:
        """Its settings."""
        return self.server.get(f"/api/projects/{self.id}/")

    def change(self, **settings: Any) -> None:
        """Other settings; ServiceError for a model version without predictions."""
        self.server.call("PATCH", f"/api/projects/{self.id}/", settings)

    def tasks(self) -> Iterator[dict[str, Any]]:
        """All its tasks with their data; a page past the end is a 404, so what was seen is counted."""
        seen, page = 0, 1
        while True:
            found = self.server.get("/api/tasks", project=self.id, page=page, page_size=PAGE, fields="all")
            yield from found["tasks"]
            seen, page = seen + len(found["tasks"]), page + 1
            if seen >= found["total"] or not found["tasks"]:
                return

    def add_tasks(self, data: Sequence[Mapping[str, Any]]) -> list[int]:
        """The numbers of new tasks, in order. The same data again makes other tasks: look first."""
        body = [{"data": dict(one)} for one in data]
        path = f"/api/projects/{self.id}/import"
        made = self.server.call("POST", path, body, query={"return_task_ids": "true"})
        ids = [int(one) for one in (made or {}).get("task_ids", ())]
        if len(ids) != len(body):
            raise ServiceError(f"{self.address}: {len(body)} tasks were sent and {len(ids)} made; push again")
        return ids

    def score(self, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Adds predictions `{task, score, model_version}`; ServiceError unless the server has taken all."""
        for start in range(0, len(predictions), PAGE):
            part = [{"result": [], **one} for one in predictions[start : start + PAGE]]
            made = self.server.call("POST", f"/api/projects/{self.id}/import/predictions", part)
            if (made or {}).get("created") != len(part):
                raise ServiceError(f"{self.address}: {len(part)} scores were sent, the server says {made}; push again")

    def score_one(self, prediction: Mapping[str, Any]) -> None:
        """Adds one prediction, whose cluster is kept, which those added together lose."""
        self.server.call("POST", "/api/predictions/", {"result": [], "project": self.id, **prediction})

    def versions(self) -> list[str]:
        """The model versions that have predictions."""
        found = self.server.get(f"/api/projects/{self.id}/model-versions/")
        return [str(name) for name in found]

    def drop_version(self, version: str) -> None:
        """Removes the predictions of a version; nothing if there are none."""
        try:
            self.server.call("DELETE", f"/api/projects/{self.id}/model-versions/", {"model_version": version})
        except ServiceError as error:
            if error.status != 404:
                raise

    def annotated(self) -> list[dict[str, Any]]:
        """The tasks that somebody has annotated or skipped, with their annotations."""
        path = f"/api/projects/{self.id}/export"
        return self.server.get(path, exportType="JSON", download_all_tasks="false") or []

    def has_annotation(self, annotation: int) -> bool:
        """Whether an annotation is still there."""
        return self._has(f"/api/annotations/{annotation}/")

    def has_task(self, task: int) -> bool:
        """Whether a task is still there."""
        return self._has(f"/api/tasks/{task}/")

    def _has(self, path: str) -> bool:
        try:
            self.server.get(path)
        except ServiceError as error:
            if error.status == 404:
                return False
            raise
        return True


def project_at(server: Server, id_: int) -> Project:
    """The project of a number; ServiceError if there is none."""
    return project_of(server, server.get(f"/api/projects/{id_}/"))


def project_of(server: Server, about: Mapping[str, Any]) -> Project:
    """The project that the server describes so."""
    return Project(server, int(about["id"]), str(about["created_at"]))


def people_of(server: Server) -> dict[int, str]:
    """The address of each person, by their number there."""
    found = server.get("/api/users/")
    listed = found.get("results", ()) if isinstance(found, Mapping) else found
    return {int(one["id"]): str(one.get("email") or one.get("username") or one["id"]) for one in listed}


def projects_of(server: Server) -> Iterator[dict[str, Any]]:
    """All projects that the key may see."""
    seen, page = 0, 1
    while True:
        found = server.get("/api/projects/", page=page, page_size=100)
        yield from found["results"]
        seen, page = seen + len(found["results"]), page + 1
        if seen >= found["count"] or not found["results"]:
            return


def new_project(server: Server, settings: Mapping[str, Any]) -> Project:
    """A project of these settings; ServiceError if the server has not taken all of them."""
    made = project_at(server, int(server.call("POST", "/api/projects/", dict(settings))["id"]))
    about = made.about()  # the reply to the post leaves some out
    lost = [name for name, value in settings.items() if name != "label_config" and about.get(name) != value]
    if lost:
        raise ServiceError(f"{made.address} was made, but without its {', '.join(lost)}: set them there")
    return made
