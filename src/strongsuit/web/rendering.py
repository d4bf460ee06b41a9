"""Templates -> pages. Everything that is put into them is escaped; what a page may load is said by the guards."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from strongsuit.web.auth import Visitor
from strongsuit.web.showing import predicted, rounded, shown_value

HERE = Path(__file__).parent
STATIC = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}


@cache
def templates() -> Environment:
    """The templates of this package; a name that is not given is an error, not an empty place."""
    made = Environment(
        loader=PackageLoader("strongsuit.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"shown": shown_value, "rounded": rounded, "predicted": predicted, "clock": clock, "count": count}
    made.globals["asset"] = asset
    return made


def rendered(
    request: Request, template: str, visitor: Visitor | None, /, *, status: int = 200, **values: Any
) -> Response:
    """The page of a template for somebody, or for nobody yet."""
    csrf = visitor.csrf if visitor else ""
    return HTMLResponse(templates().get_template(template).render(visitor=visitor, csrf=csrf, **values), status)


@cache
def asset(name: str) -> str:
    """The address of a file of ours, which changes with its content so that it may be kept for long."""
    return f"/static/{sha256((HERE / 'static' / name).read_bytes()).hexdigest()[:12]}/{name}"


def clock(text: str) -> str:
    """A stamp as the time of day, for browsers without the script; others show it in their own zone."""
    return datetime.fromisoformat(text).strftime("%H:%M UTC") if text else ""


def count(number: float) -> str:
    """A count with thin spaces between thousands."""
    return f"{number:,}".replace(",", " ")
