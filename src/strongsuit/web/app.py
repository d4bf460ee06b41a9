"""The application: routes, guards, and errors as pages for people and as problem+json for programs."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from strongsuit import __version__
from strongsuit.campaign.campaigns import open_store
from strongsuit.errors import StrongsuitError
from strongsuit.web import api, api_reading, ml_backend, owner_pages, pages
from strongsuit.web.auth import Door
from strongsuit.web.guards import Guard
from strongsuit.web.jobs import Jobs
from strongsuit.web.limits import Limiter
from strongsuit.web.map import Maps
from strongsuit.web.opened import Opened
from strongsuit.web.options import Options
from strongsuit.web.people import open_people
from strongsuit.web.problems import Problem, Refused, problem_of
from strongsuit.web.rendering import HERE, STATIC, asset, rendered

log = logging.getLogger(__name__)
PROBLEM = "application/problem+json"
HEADINGS = {401: "Log in first", 403: "Not allowed", 404: "Not here", 413: "Too large", 429: "Not so fast"}


def create_app(store: Any, options: Options | None = None, *, people: Any = None) -> FastAPI:
    """The application over a store or its URL; `people` are those of the store unless given."""
    options, place = options or Options(), open_store(store)
    app = FastAPI(title="Strongsuit", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.door = Door(people or open_people(place, options.clock), options, Limiter(options.clock))
    app.state.opened, app.state.jobs, app.state.maps = Opened(place, options), Jobs(), Maps()
    for router in (api.router, api_reading.router, pages.router, owner_pages.router, ml_backend.router):
        app.include_router(router)
    app.add_api_route(f"{api.API}/health", health, methods=["GET"])
    app.add_api_route(f"{api.API}/openapi.json", lambda: JSONResponse(described(app)), include_in_schema=False)
    app.add_api_route("/static/{mark}/{name}", static, include_in_schema=False)
    for kind in (StrongsuitError, Refused, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, trouble)
    app.add_middleware(Guard, options=options)
    return app


def described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI page: all but `health` needs a bearer token, and errors come as the type that they are sent with."""
    page = app.openapi()
    page["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    page["security"] = [{"bearer": []}]
    page["paths"][f"{api.API}/health"]["get"]["security"] = []
    for route in page["paths"].values():
        for operation in route.values():
            for status, response in operation["responses"].items():
                if status[0] in "45" and "application/json" in response.get("content", ()):
                    response["content"] = {PROBLEM: response["content"]["application/json"]}
    return page


def health() -> dict[str, str]:
    """That the server answers."""
    return {"status": "ok", "version": __version__}


def static(mark: str, name: str) -> Response:
    """A file of ours; the mark in its address changes with its content."""
    kinds = {**STATIC, "icon.svg": "image/svg+xml"}
    if name not in kinds or asset(name) != f"/static/{mark}/{name}":
        raise Refused(404, "NotFound", "There is no such file.")
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response((HERE / "static" / name).read_bytes(), media_type=kinds[name], headers=headers)


def trouble(request: Request, error: Exception) -> Response:
    """An error as its client can read it, without paths or SQL."""
    problem = _problem(error)
    if problem.status >= 500:
        log.error("%s %s: %s", request.method, request.url.path, error, exc_info=error)
    headers = {"retry-after": f"{problem.wait:.0f}"} if problem.wait else {}
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    if problem.status == 408:  # half a request is left on the line: nothing behind it can be told from its rest
        headers["connection"] = "close"
    if request.url.path.startswith(("/api/", "/ml/")) or "application/json" in request.headers.get("accept", ""):
        body = {"type": problem.name, "title": problem.name, "status": problem.status, "detail": problem.text}
        return JSONResponse(body, problem.status, headers, media_type=PROBLEM)
    heading = HEADINGS.get(problem.status, "This did not work")
    page = rendered(request, "error.html", None, status=problem.status, code=problem.status, heading=heading,
                    text=problem.text)  # fmt: skip
    page.headers.update(headers)
    return page


def _problem(error: Exception) -> Problem:
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return Problem(422, "InputError", f"{where}: {first['msg']}")
    if isinstance(error, HTTPException):
        return Problem(error.status_code, "HTTPError", str(error.detail))
    return problem_of(error)
