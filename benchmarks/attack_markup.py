"""Text that would be script, formula, query or template, written into every field and looked for on every page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from html.parser import HTMLParser

from attacked import MARK, Aim, Found, held, judged

from strongsuit.campaign.sheets import FORMULA
from strongsuit.web.people import LABELLER, OWNER, VIEWER

ADDRESSES = ("/", "data:image", "#", "?", "http://", "https://")


class _Look(HTMLParser):
    """Finds the tags, attributes and addresses of a page that are not its own."""

    def __init__(self) -> None:
        super().__init__()
        self.strange: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            leads = name in ("href", "src", "action", "formaction") and not (value or "/").startswith(ADDRESSES)
            if name.startswith("on") or name == "style" or leads:
                self.strange.append(f"{tag} {name}={(value or '')[:30]}")
        if tag in ("xss", "iframe", "object", "embed", "style", "base") or (
            tag == "script" and not dict(attrs).get("src")
        ):
            self.strange.append(tag)


def strange(page: str) -> list[str]:
    """What stands in a page as markup that was given as text."""
    look = _Look()
    look.feed(page)
    return look.strange


def markup(aim: Aim) -> Iterator[Found]:
    """See the module."""
    yield from _written(aim)
    pages = {
        OWNER: ["/", *[f"/campaigns/{name}{more}" for name in ("alloys", "zoo") for more in (
            "", "/label", "/journal", "/rows/0", "/rows/1", "/rows/2", "/rows/3", "/rows/5", "/label?row=3")]],
        VIEWER: ["/campaigns/alloys", "/campaigns/alloys/rows/1"],
        LABELLER: ["/", "/campaigns/alloys/label", "/campaigns/zoo/label", "/campaigns/alloys/label?part=true",
                   f"/campaigns/{MARK[:5]}", "/login?token=%3Cxss%3E", "/campaigns/alloys?problem=%3Cxss%3E"],
    }  # fmt: skip
    for role, paths in pages.items():
        for path in paths:
            answer = aim.page(path.replace(" ", "%20"), role)
            found = strange(answer.text)
            computed = "49" in answer.text and "{{7*7}}" not in answer.text
            yield judged(f"{role}: markup in {path}", answer, (200, 303, 400, 403, 404, 422), aim=aim,
                         also=not found and not computed)  # fmt: skip
    for name in ("alloys", "zoo"):
        table = aim.send("GET", f"/api/v1/campaigns/{name}/labels?format=csv", role=OWNER).text
        cells = [cell for line in csv.reader(io.StringIO(table)) for cell in line]
        live = [cell for cell in cells if cell.startswith(FORMULA) and not _is_number(cell)]
        yield held(f"formulas in the labels of {name} as CSV", "none", not live, f"{live[:1]}" if live else "none")
    kinds = {path: aim.page(path, OWNER).headers.get("content-type", "") for path in (
        "/campaigns/alloys/export/json", "/campaigns/alloys/export/csv", "/api/v1/campaigns/alloys/rows/1",
    )}  # fmt: skip
    yield held("data sent as a page", "none", not any("html" in kind for kind in kinds.values()))
    yield judged("the store afterwards", aim.send("GET", "/api/v1/campaigns", role=OWNER), (200,), aim=aim)


def _written(aim: Aim) -> Iterator[Found]:
    """Hostile text in notes, reasons, names, titles, answers, request ids and rows, by form and by program."""
    texts = [MARK, "=HYPERLINK(1)", "'; DROP TABLE events; --", "\u202e\u200b\ufeff", "a\0b", "\r\nSet-Cookie: x=1",
             "${7*7}",
             "%s%n", "\ud83d\ude00" * 300]  # fmt: skip
    for i, text in enumerate(texts):
        aim.send("POST", "/api/v1/campaigns/alloys/ask", data={"n": 2, "more": True}, role=OWNER)
        row, api = 20 + i, "/api/v1/campaigns/alloys"
        sent = {
            "tell": {"answers": [{"row": row, "value": 1, "note": text}]},
            "fail": {"row": row + 20, "reason": text, "final": True},
            "exclude": {"rows": [59]}, "restore": {"rows": [59], "reason": text},
            "queue": {"rows": [58], "reason": text},
            "revise": {"row": row, "value": 2, "note": text},
        }  # fmt: skip
        for verb, body in sent.items():
            answer = aim.send("POST", f"{api}/{verb}", data=body, role=OWNER)
            yield judged(f"{verb} with {text[:20]!r}", answer, (200, 404, 409, 422), aim=aim)
        answer = aim.send("PATCH", api, data={"name": text, "reason": text}, role=OWNER)
        yield judged(f"a title {text[:20]!r}", answer, (200, 422), aim=aim)
        csrf = aim.csrf(OWNER)
        form = {"csrf": csrf, "row": row, "value": text, "note": text, "request": text, "rows": text, "to": text,
                "title": text, "reason": text, "batch": text, "lease": text, "limit": text}  # fmt: skip
        for path in ("label", *[f"do/{verb}" for verb in ("queue", "release", "settle", "amend", "exclude")]):
            answer = aim.send("POST", f"/campaigns/alloys/{path}", headers={"Origin": "null"},
                              cookie=aim.cookies[OWNER], form=form)  # fmt: skip
            yield judged(f"a form to {path} with {text[:20]!r}", answer, (200, 303, 404, 409, 422), aim=aim,
                         also=not strange(answer.text))  # fmt: skip
        key = {"Idempotency-Key": "".join(c for c in text if 31 < ord(c) < 127) or "x"}
        answer = aim.send("POST", f"{api}/tell", data={"answers": [{"key": text, "value": 1}]}, headers=key, role=OWNER)
        yield judged(f"a key {text[:20]!r}", answer, (404, 200, 409, 422), aim=aim)
    aim.send("PATCH", "/api/v1/campaigns/alloys", data={"name": MARK}, role=OWNER)
    for value in (MARK, "=1+1", "javascript:x"):
        rows = json.loads(aim.send("POST", "/api/v1/campaigns/zoo/ask", data={"n": 1, "more": True}, role=OWNER).text)
        body = {"answers": [{"row": rows["rows"][0], "value": value, "note": MARK}]}
        yield judged(
            f"a class {value[:20]!r}",
            aim.send("POST", "/api/v1/campaigns/zoo/tell", data=body, role=OWNER),
            (200,),
            aim=aim,
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
