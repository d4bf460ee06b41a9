"""Who comes in and what is refused: every route by role, links, tokens, forms of other sites, hosts, rates, paths."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fastapi.routing import APIRoute
from tests.campaign_examples import Clock
from tests.web_examples import Client, house

from strongsuit.campaign.sql import SqlStore
from strongsuit.errors import InputError, PoolMismatch, StoreBusy, StoreError, StoreFull
from strongsuit.web.auth import ALL, LABELS, OWNS, READS
from strongsuit.web.media import read_inside
from strongsuit.web.options import Options, Rates
from strongsuit.web.people import API, LABELLER, LOGIN, OWNER, ROLES, SESSION, VIEWER, open_people
from strongsuit.web.problems import Refused, problem_of
from strongsuit.web.server import address, allowed_hosts

MANY = {"rates": Rates(1000, 1000, 1000, 1000)}
V1 = "/api/v1/campaigns/alloys"
# (method, path, body) -> the roles that may; None is everybody, also who has not logged in
ROUTES: dict[tuple[str, str], frozenset[str] | None] = {
    ("GET", "/login"): None,
    ("POST", "/logout"): ALL,
    ("GET", "/"): ALL,
    ("GET", "/campaigns/{campaign}"): ALL,
    ("GET", "/campaigns/{campaign}/label"): LABELS,
    ("POST", "/campaigns/{campaign}/label"): LABELS,
    ("POST", "/campaigns/{campaign}/renew"): LABELS,
    ("GET", "/media/{campaign}/{row}/{column}"): ALL,
    ("GET", "/campaigns/{campaign}/rows/{row}"): READS,
    ("GET", "/campaigns/{campaign}/journal"): READS,
    ("GET", "/campaigns/{campaign}/export/{kind}"): READS,
    ("POST", "/campaigns/{campaign}/upload"): OWNS,
    ("POST", "/campaigns/{campaign}/do/{verb}"): OWNS,
    ("GET", "/api/v1/health"): None,
    ("GET", "/api/v1/openapi.json"): None,
    ("GET", "/static/{mark}/{name}"): None,
    ("GET", "/api/v1/campaigns"): ALL,
    ("POST", "/api/v1/campaigns"): OWNS,
    ("GET", "/api/v1/campaigns/{campaign}"): ALL,
    ("PATCH", "/api/v1/campaigns/{campaign}"): OWNS,
    ("POST", "/api/v1/campaigns/{campaign}/close"): OWNS,
    ("POST", "/api/v1/campaigns/{campaign}/reopen"): OWNS,
    ("POST", "/api/v1/campaigns/{campaign}/ask"): LABELS,
    ("POST", "/api/v1/campaigns/{campaign}/tell"): LABELS,
    ("POST", "/api/v1/campaigns/{campaign}/skip"): LABELS,
    ("POST", "/api/v1/campaigns/{campaign}/fail"): LABELS,
    ("POST", "/api/v1/campaigns/{campaign}/revise"): LABELS,
    ("POST", "/api/v1/campaigns/{campaign}/renew"): LABELS,
    ("POST", "/api/v1/campaigns/{campaign}/exclude"): OWNS,
    ("POST", "/api/v1/campaigns/{campaign}/restore"): OWNS,
    ("POST", "/api/v1/campaigns/{campaign}/queue"): OWNS,
    ("POST", "/api/v1/campaigns/{campaign}/upload"): OWNS,
    ("GET", "/api/v1/campaigns/{campaign}/rows/{row}"): READS,
    ("GET", "/api/v1/campaigns/{campaign}/curve"): READS,
    ("GET", "/api/v1/campaigns/{campaign}/labels"): READS,
    ("GET", "/api/v1/campaigns/{campaign}/journal"): READS,
    ("GET", "/api/v1/jobs/{job}"): LABELS,
    ("DELETE", "/api/v1/jobs/{job}"): OWNS,
    ("GET", "/ml/{campaign}/"): LABELS,
    ("GET", "/ml/{campaign}/health"): LABELS,
    ("POST", "/ml/{campaign}/setup"): LABELS,
    ("POST", "/ml/{campaign}/predict"): LABELS,
    ("POST", "/ml/{campaign}/webhook"): LABELS,
    ("GET", "/ml/{campaign}/versions"): LABELS,
    ("POST", "/ml/{campaign}/validate"): LABELS,
    ("POST", "/ml/{campaign}/duplicate_model"): LABELS,
    ("POST", "/ml/{campaign}/delete"): LABELS,
    ("POST", "/ml/{campaign}/job_status"): LABELS,
}
BODIES: dict[str, Any] = {
    "ask": {"n": 1}, "tell": {"answers": [{"row": 3, "value": 1}]}, "skip": {"rows": [4]},
    "fail": {"row": 5, "reason": "x"}, "revise": {"row": 3, "value": 2}, "renew": {}, "exclude": {"rows": [6]},
    "restore": {"rows": [6]}, "queue": {"rows": [7]}, "close": {}, "reopen": {},
}  # fmt: skip


def routes_of(routes: Any) -> set[tuple[str, str]]:
    """Method and path of every route, those of routers included."""
    found: set[tuple[str, str]] = set()
    for one in routes:
        if isinstance(one, APIRoute):
            found |= {(method, one.path) for method in one.methods}
        else:
            inner = getattr(one, "original_router", None) or getattr(one, "router", None)
            found |= routes_of(inner.routes if inner is not None else getattr(one, "routes", ()))
    return found


def test_every_route_is_in_the_table_of_roles() -> None:
    assert routes_of(house().app.routes) == set(ROUTES)


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda part: part)
def test_routes_let_in_their_roles_and_nobody_else(method: str, path: str) -> None:
    allowed = ROUTES[method, path]
    made = house(options=MANY)
    filled = path.format(
        campaign="alloys", row="3", column="photo", kind="csv", verb="close", job="x", mark="x", name="page.css"
    )
    hidden = filled.replace("alloys", "other")
    word = filled.rsplit("/", 1)[-1]
    body = {} if method in ("GET", "DELETE") or not path.startswith("/api") else {"json": BODIES.get(word, {})}
    nobody = Client(made.app).send(method, filled, **body)
    assert (nobody.status_code == 401) == (allowed is not None), nobody.text
    for role in ROLES:
        program = made.program(role)
        answer = program.send(method, filled, **body)
        refused = (
            answer.status_code == 403 and answer.json().get("type") == "NotAllowed"
            if path.startswith(("/api", "/ml"))
            else (answer.status_code == 403 and "Not allowed" in answer.text)
        )
        assert refused == (allowed is not None and role not in allowed), (role, answer.text)
        assert answer.status_code != 500, answer.text
        if "{campaign}" in path:
            made.people.add(f"half {role}", role, ["alloys"])
            other = Client(made.app, {"authorization": f"Bearer {made.people.issue(f'half {role}', API, None)}"})
            assert other.send(method, hidden, **body).status_code == 404, "what one may not see is not there"


def test_a_link_works_once_for_a_quarter_of_an_hour_and_leaves_no_token_in_the_address() -> None:
    made = house()
    made.people.add("anna", LABELLER)
    link = f"/login?token={made.people.issue('anna', LOGIN, Options().link)}"
    client = Client(made.app)
    answer = client.get(link)
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "max-age=43200" in cookie and "secure" not in cookie
    assert Client(made.app).get(link).status_code == 403
    late = made.people.issue("anna", LOGIN, Options().link)
    made.clock.move(minutes=15)
    assert Client(made.app).get(f"/login?token={late}").status_code == 403
    assert client.get("/").status_code == 303
    made.clock.move(hours=12)
    assert client.get("/").status_code == 401


def test_https_makes_the_cookie_secure_and_of_this_host() -> None:
    made = house(options={"secure": True})
    made.people.add("anna", LABELLER)
    answer = Client(made.app, base="https://localhost").get(
        f"/login?token={made.people.issue('anna', LOGIN, Options().link)}"
    )
    assert answer.headers["set-cookie"].startswith("__Host-strongsuit=") and "Secure" in answer.headers["set-cookie"]


def test_logging_out_ends_the_session_in_the_store() -> None:
    made = house()
    anna = made.browser(LABELLER)
    stolen = Client(made.app, cookies=anna.cookies)
    page = anna.get("/campaigns/alloys/label").text
    assert anna.form(page, "/logout").status_code == 303
    assert stolen.get("/").status_code == 401


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_tokens_are_kept_as_hashes_revoked_and_of_their_kind(kind: str, tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'lab.db'}") if kind == "sqlite" else object()
    people = open_people(store, Clock())
    people.add("anna", LABELLER, ["alloys"])
    token = people.issue("anna", API, None, "my script")
    assert people.holder(token, API) == ("anna", LABELLER, ("alloys",))
    id_, _, secret = token.partition(".")
    wrong = [
        f"{id_}.{secret[:-1]}",
        f"{id_}.",
        id_,
        "",
        ".",
        f".{secret}",
        f"x.{secret}",
        f"{id_}.{secret}\0",
        "\ud800.x",
    ]
    assert [people.holder(text, API) for text in wrong] == [None] * len(wrong)
    assert people.holder(token, SESSION) is None and people.redeem(token, Options().session) is None
    if isinstance(store, SqlStore):
        store.close()
        data = b"".join(path.read_bytes() for path in tmp_path.glob("lab.db*"))
        assert secret.encode() not in data and hashlib.sha256(secret.encode()).hexdigest().encode() in data
    people.revoke(id_)
    assert people.holder(token, API) is None
    with pytest.raises(InputError, match="no token"):
        people.revoke(id_)
    with pytest.raises(InputError, match="role must be one of"):
        people.add("bob", "king")
    with pytest.raises(InputError, match="there is no 'zoe'"):
        people.issue("zoe", API, None)
    other = people.issue("anna", SESSION, None)
    people.remove("anna")
    assert people.holder(other, SESSION) is None and people.all() == []


def test_a_role_that_is_taken_away_is_gone_at_once() -> None:
    made = house()
    olga = made.browser(OWNER)
    assert olga.get("/campaigns/alloys/journal").status_code == 200
    made.people.add("olga", LABELLER)
    assert olga.get("/campaigns/alloys/journal").status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:81"},
        {"origin": "http://localhost.evil.example", "sec-fetch-site": "cross-site"},
    ],
)
def test_forms_of_other_sites_are_refused_even_with_the_right_token(headers: dict[str, str]) -> None:
    made = house()
    anna = made.browser(LABELLER)
    page = anna.get("/campaigns/alloys/label").text
    position = made.campaign.state.position
    anna.headers.update(headers)
    assert anna.form(page, "/campaigns/alloys/label", value="1").status_code == 403
    assert made.campaign.state.position == position


@pytest.mark.parametrize(
    "headers", [{}, {"sec-fetch-site": "same-origin", "origin": "null"}, {"origin": "http://localhost"}]
)
def test_forms_need_the_token_of_their_session(headers: dict[str, str]) -> None:
    made = house(options=MANY, batch=20)  # no round is chosen meanwhile
    anna, bob = made.browser(LABELLER), made.browser(LABELLER, "bob")
    anna.headers.update(headers)
    page, other = anna.get("/campaigns/alloys/label").text, bob.get("/campaigns/alloys/label").text
    position = made.campaign.state.position
    for token in ("", "x", other.partition('data-csrf="')[2].partition('"')[0]):
        answer = anna.form(page, "/campaigns/alloys/label", value="1", csrf=token)
        assert answer.status_code == 403 and "load the page again" in answer.text
        assert anna.post(f"{V1}/tell", json=BODIES["tell"], headers={"x-csrf-token": token}).status_code == 403
    assert anna.post(f"{V1}/tell", json=BODIES["tell"]).status_code == 403, "JSON with a cookie needs it too"
    assert made.campaign.state.position == position
    assert anna.form(page, "/campaigns/alloys/label", value="1").status_code == 303


def test_programs_need_no_form_token_and_a_wrong_bearer_is_not_made_up_for_by_a_cookie() -> None:
    made = house()
    assert made.program(LABELLER).post(f"{V1}/tell", json=BODIES["tell"]).status_code == 200
    anna = made.browser(LABELLER)
    anna.headers["authorization"] = "Bearer nonsense"
    assert anna.get("/").status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.nip.io:80"])
def test_other_names_of_the_server_are_refused(host: str) -> None:
    made = house()
    assert Client(made.app).get("/api/v1/health", headers={"host": host}).status_code == 421
    assert Client(made.app).get("/api/v1/health", headers={"host": "LOCALHOST:8321"}).status_code == 200
    assert Client(made.app).get("/api/v1/health", headers={"host": "[::1]:8321"}).status_code == 200


def test_every_answer_carries_its_headers() -> None:
    made = house()
    paths = ("/", "/login", "/api/v1/health", "/nothing", "/campaigns/alloys/label")
    for answer in [made.browser(LABELLER).get(path) for path in paths] + [
        Client(made.app).get("/", headers={"host": "x"})
    ]:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer" and answer.headers["cache-control"] == "no-store"


def test_pages_hold_no_script_or_style_of_their_own() -> None:
    made = house()
    olga = made.browser(OWNER)
    for path in (
        "/campaigns/alloys/label",
        "/campaigns/alloys",
        "/campaigns/alloys/rows/1",
        "/campaigns/alloys/journal",
    ):
        page = olga.get(path).text
        assert "<style" not in page and " style=" not in page and " onclick" not in page and "javascript:" not in page
        assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page
        for script in page.split("<script")[1:]:
            assert script.startswith(' src="/static/') and script.partition(">")[2].startswith("</script>")


def test_rates_are_limited_by_person_and_address_and_say_when_to_come_back() -> None:
    made = house(options={"rates": Rates(login=2, tell=3, ask=2, files=1)})
    anna, bob = made.program(LABELLER), made.program(LABELLER, "bob")
    told = [anna.post(f"{V1}/tell", json=BODIES["tell"]) for _ in range(4)]
    assert [one.status_code for one in told] == [200, 200, 200, 429]
    assert told[-1].headers["retry-after"] == "60" and told[-1].json()["type"] == "TooMany"
    assert bob.post(f"{V1}/tell", json=BODIES["tell"]).status_code == 200
    made.clock.move(seconds=61)
    assert anna.post(f"{V1}/tell", json=BODIES["tell"]).status_code == 200
    stranger = Client(made.app)
    assert [stranger.get("/login?token=a.b").status_code for _ in range(3)] == [403, 403, 429]
    assert [anna.post(f"{V1}/ask", json={}).status_code for _ in range(3)][-1] == 429
    vera = made.program(VIEWER)
    assert [vera.get(f"{V1}/labels").status_code for _ in range(2)] == [200, 429]


def test_bodies_have_a_size_said_or_not() -> None:
    made = house(options={"max_body": 2_000, "max_upload": 3_000})
    anna, olga = made.program(LABELLER), made.program(OWNER)
    long = b'{"answers": [' + b" " * 4_000 + b"]}"
    typed = {"content-type": "application/json"}
    assert anna.post(f"{V1}/tell", content=long, headers=typed).status_code == 413

    async def pieces() -> Any:
        for start in range(0, len(long), 500):
            yield long[start : start + 500]

    assert anna.post(f"{V1}/tell", content=pieces(), headers=typed).status_code == 413
    file = {"file": ("x.csv", io.BytesIO(b"row,strength\n1,2\n" + b" " * 3_000))}
    assert olga.post(f"{V1}/upload", files=file).status_code == 413
    file = {"file": ("x.csv", io.BytesIO(b"row,strength\n1,2\n"))}
    assert olga.post(f"{V1}/upload", files=file).json()["told"] == 1


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


def test_pictures_come_through_the_pool_and_from_its_folder_only(tmp_path: Path) -> None:
    folder, outside = tmp_path / "media", tmp_path / "secret.png"
    folder.mkdir()
    outside.write_bytes(PNG)
    (folder / "0.png").write_bytes(PNG)
    (folder / "1.png").symlink_to(outside)
    (folder / "2.png").write_bytes(b"<html><script>")
    (folder / "3.png").write_bytes(b"<?xml version='1.0'?><svg xmlns='x'/>")
    (folder / "4.png").write_bytes(PNG * 10)
    (folder / "5.png").mkdir()
    os.mkfifo(folder / "6.png")
    made = house(media=str(folder), options={"max_media": 200})
    anna = made.browser(LABELLER)
    good = anna.get("/media/alloys/0/photo")
    assert good.content == PNG and good.headers["content-type"] == "image/png"
    assert "sandbox" in good.headers["content-security-policy"] and good.headers["content-disposition"] == "inline"
    drawing = anna.get("/media/alloys/3/photo")
    assert drawing.headers["content-disposition"] == "attachment"
    got = {row: anna.get(f"/media/alloys/{row}/photo").status_code for row in (1, 2, 4, 5, 6, 7, 40)}
    assert got == {1: 404, 2: 415, 4: 413, 5: 404, 6: 404, 7: 404, 40: 404}
    media = ("-1/photo", "0/remark", "0/none", "0/..%2F..%2Fx", "../0/photo")
    for path in (*(f"/media/alloys/{one}" for one in media), "/static/x/../app.py", "/static/x/..%2Fapp.py"):
        assert anna.get(path).status_code in (404, 422), path
    for name in ("../secret.png", str(outside), "x/../../secret.png", ".", "", "a\0b"):
        with pytest.raises(Refused):
            read_inside(folder, name, 1_000)


def test_errors_tell_no_paths_and_no_sql(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = f"SqlStore('sqlite:///{tmp_path}/lab.db'): SELECT * FROM events"
    for error in (StoreError(secret), StoreBusy(secret), StoreFull(secret), PoolMismatch(secret), RuntimeError(secret)):
        said = problem_of(error).text
        assert str(tmp_path) not in said and "SELECT" not in said and said
    assert problem_of(InputError(f"{tmp_path}/pool.csv has no rows")).text == "… has no rows"
    assert problem_of(InputError(r"C:\Users\x\pool.csv has no rows")).text == "… has no rows"
    made = house()
    olga = made.program(OWNER)

    def broken(*_: Any) -> Any:
        raise RuntimeError(secret)

    made.app.state.opened.names = broken
    with caplog.at_level(logging.CRITICAL):
        answer = olga.get("/api/v1/campaigns")
    assert answer.status_code == 500 and answer.json()["type"] == "Defect" and str(tmp_path) not in answer.text


def test_no_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    made = house()
    with caplog.at_level(logging.DEBUG):
        made.people.add("anna", LABELLER)
        token = made.people.issue("anna", LOGIN, Options().link)
        client = Client(made.app)
        session = client.get(f"/login?token={token}").headers["set-cookie"].split("=", 1)[1].split(";")[0]
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("strongsuit"))
    assert token not in ours and session not in ours


def test_names_and_addresses_of_a_server() -> None:
    assert allowed_hosts("192.0.2.7", ["Lab.example"])[-2:] == ("192.0.2.7", "lab.example")
    assert address("::1", 8321, False) == "http://[::1]:8321" and address("lab.example", 443, True).startswith("https")
