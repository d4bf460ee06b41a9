"""A list of attacks on the page and its interface, against a real server: attack, what is expected, what came, verdict.

    python benchmarks/attacks.py [--only paths,forms,...] [--json FILE]

The server runs on this machine over campaigns with hostile rows. An attack fails if anything else than the expected
statuses comes back, if an answer tells a path, a query or a trace, or if something was written that must not be. The
exit code is 1 if anything gets through.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from attack_files import uploads
from attack_markup import markup
from attack_slow import slow
from attacked import DENIED, Aim, Found, aimed, held, judged, raw

from strongsuit.web.people import LABELLER, OWNER, VIEWER

V1 = "/api/v1/campaigns/alloys"
TELL = {"answers": [{"row": 3, "value": 1}]}


def deeds(aim: Aim) -> list[str]:
    """The kinds of events of the journal that somebody meant: to look at a page leases a row, no more."""
    answer = aim.send("GET", f"{V1}/journal", role=OWNER)
    if answer.status != 200:
        return [f"{answer.status} {answer.text}"]
    events = json.loads(answer.text)["events"]
    return [one["kind"] for one in events if one["kind"] not in ("Proposed", "Asked", "Expired", "Renewed")]


def paths(aim: Aim) -> Iterator[Found]:
    """Ways out of folders: media, static files, tables of pools, names of campaigns."""
    up = ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..%252f", "%c0%ae%c0%ae/", "....//", "..;/", "%00/")
    for base in ("/media/alloys/0/", "/static/x/", "/campaigns/", "/api/v1/campaigns/", "/"):
        for one in up:
            path = f"{base}{one * 4}etc/passwd"
            answer = aim.send("GET", path, cookie=aim.cookies[OWNER])
            yield judged(f"GET {path}", answer, aim=aim, also="root:" not in answer.text)
    kinds = {0: (200,), 1: (415,), 2: (404,), 3: (404,), 4: (404,), 5: (404,), 6: (200,)}
    for row, statuses in kinds.items():
        answer = aim.page(f"/media/alloys/{row}/photo", LABELLER)
        safe = "sandbox" in answer.headers.get("content-security-policy", "") or answer.status != 200
        yield judged(f"picture of row {row}: file, script, link, link to a folder, .., absolute, drawing", answer,
                     statuses, aim=aim, also=safe)  # fmt: skip
    drawing = aim.page("/media/alloys/6/photo", LABELLER).headers.get("content-disposition")
    yield held("an SVG drawing with a script", "a download", drawing == "attachment")
    names = ["../secret.csv", str(aim.folder / "secret.csv"), "link.csv", "broken.csv", "pools/../steel.csv", "", ".",
             "steel.csv\0.png", "..\\secret.csv", "file:///etc/passwd", "http://127.0.0.1/x.csv", "\\\\host\\x.csv",
    ]  # fmt: skip
    for i, name in enumerate(names):
        body = {"name": f"new{i}", "pool": name, "key": "id", "target": {"name": "y"}}
        yield judged(f"campaign over the pool {name!r}", aim.send("POST", "/api/v1/campaigns", data=body, role=OWNER),
                     (400, 422), aim=aim)  # fmt: skip


def forms(aim: Aim) -> Iterator[Found]:
    """Forms and scripts of other sites, in a browser that is logged in."""
    before, csrf, cookie = deeds(aim), aim.csrf(OWNER), aim.cookies[OWNER]
    fields = {"row": "3", "value": "1", "request": "csrf", "csrf": csrf}
    origins = ["http://evil.example", "null", f"http://127.0.0.1:{aim.port + 1}", f"https://127.0.0.1.evil:{aim.port}",
               "http://[", "file://", f"http://127.0.0.1:{aim.port}@evil.example", "\x00"]  # fmt: skip
    for origin in origins[:1] + origins[2:]:
        answer = aim.send("POST", "/campaigns/alloys/label", headers={"Origin": origin}, cookie=cookie, form=fields)
        yield judged(f"a form with Origin {origin!r} and a stolen token", answer, (400, 403), aim=aim)
    for site in ("cross-site", "same-site", "none", ""):
        answer = aim.send("POST", "/campaigns/alloys/label", headers={"Sec-Fetch-Site": site}, cookie=cookie,
                          form=fields)  # fmt: skip
        yield judged(f"a form with Sec-Fetch-Site {site!r}", answer, (403,), aim=aim)
    bare = {"row": "3", "value": "1"}
    for path in ("/campaigns/alloys/label", "/campaigns/alloys/do/close", "/campaigns/alloys/renew", "/logout"):
        for token in ("", csrf[::-1], "é", aim.csrf(LABELLER)):
            answer = aim.send("POST", path, headers={"Origin": "null"}, cookie=cookie, form={**bare, "csrf": token})
            yield judged(f"POST {path} with the form token {token[:9]!r}", answer, (403,), aim=aim)
    for kind in ("text/plain", "application/json", "application/x-www-form-urlencoded"):
        answer = aim.send("POST", f"{V1}/tell", json.dumps(TELL), {"Content-Type": kind}, cookie=cookie)
        yield judged(f"tell with a cookie alone, as {kind}", answer, (400, 403, 422), aim=aim)
    yield judged("close by GET", aim.page("/campaigns/alloys/do/close", OWNER), (405,), aim=aim)
    yield held("nothing was written by any of them", "no event", deeds(aim) == before)


def hosts(aim: Aim) -> Iterator[Found]:
    """Other names of the server (DNS rebinding)."""
    for host in ("evil.example", f"evil.example:{aim.port}", "127.0.0.1.evil.example", "localhost@evil", "", "0.0.0.0",
                 "127.1", "[::ffff:127.0.0.1]", "localhost.", "127.0.0.1/x", "127.0.0.1, evil.example"):  # fmt: skip
        answer = aim.send("GET", "/api/v1/health", headers={"Host": host})
        yield judged(f"Host {host!r}", answer, (400, 421), aim=aim)
    for name in ("X-Forwarded-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL"):
        answer = aim.send("GET", "/login", headers={name: "evil.example"})
        yield judged(f"{name}: evil.example", answer, (200,), aim=aim, also="evil" not in answer.text)
    both = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nHost: evil.example\r\n\r\n" % aim.port
    yield judged("two Host headers", raw(aim.port, both), (400, 421), aim=aim)
    yield judged("no Host header", raw(aim.port, b"GET /login HTTP/1.0\r\n\r\n"), (400, 421), aim=aim)


def sessions(aim: Aim) -> Iterator[Found]:
    """Sessions and tokens: planted, used again, guessed, of another kind, after logging out."""
    name = aim.cookies[LABELLER].partition("=")[0]
    planted = f"{name}=0123456789abcdef.{'A' * 43}"
    answer = aim.send("GET", aim.link(name="eve"), cookie=planted)
    yield judged("a session planted before login", answer, (303,), aim=aim, also=answer.cookie != planted)
    yield judged("the planted session afterwards", aim.send("GET", "/", cookie=planted), (401,), aim=aim)
    link = aim.link(name="eve")
    aim.send("GET", link)
    yield judged("a link used again", aim.send("GET", link), (403,), aim=aim)
    crossed = aim.send(
        "GET", aim.link(name="mallory"), headers={"Sec-Fetch-Site": "cross-site"}, cookie=aim.cookies[OWNER]
    )
    yield judged("another site logs an owner in as somebody else", crossed, (403,), aim=aim, also=not crossed.cookie)
    token, id_ = aim.bearer[LABELLER], aim.bearer[LABELLER].partition(".")[0]
    guesses = [f"{id_}.", id_, f"{id_}.{'A' * 43}", token[:-1], token + "A", token.upper(), f"{token}\t.",
               "' OR 1=1 --.x",
               f"{id_}' --.{token}", "%.%", ".", "..", "A" * 60_000, "null", "0.0", token.replace(".", ":"),
    ]  # fmt: skip
    for guess in guesses:
        for header in ({"Authorization": f"Bearer {guess}"}, {"Cookie": f"{name}={guess}"}):
            what = next(iter(header))
            answer = aim.send("GET", V1, headers=header)
            yield judged(f"{what} {guess[:24]!r} ({len(guess)} characters)", answer, (0, 400, 401, 431), aim=aim)
    session, login = aim.cookies[LABELLER].partition("=")[2], aim.link(name="eve").partition("=")[2]
    for what, one in (("a session", session), ("a login token", login)):
        answer = aim.send("GET", V1, headers={"Authorization": f"Bearer {one}"})
        yield judged(f"{what} as a program's token", answer, (401,), aim=aim)
    answer = aim.send("GET", "/", cookie=f"{name}={token}")
    yield judged("a program's token as a session", answer, (401,), aim=aim)
    yield judged("a program's token as a link", aim.send("GET", f"/login?token={token}"), (403,), aim=aim)
    basic = aim.send("GET", V1, headers={"Authorization": "Basic b3duZXI6b3duZXI="})
    yield judged("a user name and password", basic, (401,), aim=aim)
    gone = aim.send("GET", aim.link(name="eve")).cookie
    csrf = aim.send("GET", "/campaigns/alloys/label", cookie=gone).text.partition('name="csrf" value="')[2][:64]
    aim.send("POST", "/logout", headers={"Origin": "null"}, cookie=gone, form={"csrf": csrf})
    yield judged("a session after logging out", aim.send("GET", "/", cookie=gone), (401,), aim=aim)
    log = (aim.folder / "server.log").read_text()
    secrets = [one.partition(".")[2] for one in (*aim.bearer.values(), session, login)]
    yield held("tokens in the server's log", "none", not any(one in log for one in secrets))


def roles(aim: Aim) -> Iterator[Found]:
    """Every route as somebody whose role does not allow it, and as nobody."""
    owners = [("PATCH", V1, {"batch": 3}), *[("POST", f"{V1}/{verb}", {"rows": [5]}) for verb in
              ("exclude", "restore", "queue")], ("POST", f"{V1}/close", {}), ("POST", f"{V1}/reopen", {}),
              ("POST", "/api/v1/campaigns", {}), ("POST", f"{V1}/upload", None), ("DELETE", "/api/v1/jobs/x", None),
    ]  # fmt: skip
    labels = [("POST", f"{V1}/{verb}", body) for verb, body in (
        ("ask", {}), ("tell", TELL), ("skip", {"rows": [3]}), ("fail", {"row": 3, "reason": "x"}),
        ("revise", {"row": 3, "value": 2}), ("renew", {}))]  # fmt: skip
    reads = [("GET", f"{V1}/{what}", None) for what in ("rows/3", "curve", "labels", "journal")]
    pages = [
        ("GET", f"/campaigns/alloys/{what}", None) for what in ("rows/3", "journal", "export/csv", "export/journal")
    ]
    steps = [
        ("POST", f"/campaigns/alloys/do/{verb}", None) for verb in ("close", "amend", "release", "queue", "settle")
    ]
    steps.append(("POST", "/campaigns/alloys/upload", None))
    allowed = {OWNER: (), LABELLER: (*owners, *reads, *pages, *steps), VIEWER: (*owners, *labels, *steps),
               "": (*owners, *labels, *reads, *pages, *steps)}  # fmt: skip
    before = deeds(aim)
    for role, routes in allowed.items():
        for method, path, body in routes:
            answer = aim.send(method, path, role=role, data=body)
            yield judged(f"{role or 'nobody'}: {method} {path}", answer, (403,) if role else (401,), aim=aim)
    other = {"row": 2, "value": 1, "of": OWNER}
    yield judged(
        "labeller: revise an owner's answer",
        aim.send("POST", f"{V1}/revise", data=other, role=LABELLER),
        (403,),
        aim=aim,
    )
    for what, body in (("skip", {"rows": [40]}), ("fail", {"row": 40, "reason": "x"})):
        answer = aim.send("POST", f"{V1}/{what}", data=body, role=LABELLER)
        yield judged(f"labeller: {what} a row that was never theirs", answer, (403,), aim=aim)
    for name in ("role", "X-Role", "X-User", "X-Remote-User"):
        answer = aim.send("GET", f"{V1}/journal", headers={name: OWNER}, role=LABELLER)
        yield judged(f"labeller with {name}: owner", answer, (403,), aim=aim)
    answer = aim.send("GET", f"{V1}/journal?role=owner", role=LABELLER)
    yield judged("labeller with ?role=owner", answer, (422,), aim=aim)
    yield held("nothing was written by any of them", "no event", deeds(aim) == before)


def headers(aim: Aim) -> Iterator[Found]:
    """Requests that are no good HTTP, smuggled ones, other methods, and what answers must carry."""
    host = b"Host: 127.0.0.1:%d\r\n" % aim.port
    wrong = {
        "a line break in the path": b"GET /campaigns/a%0d%0aSet-Cookie:%20x=1/label HTTP/1.1\r\n" + host + b"\r\n",
        "two lengths": b"POST /logout HTTP/1.1\r\n" + host + b"Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc",
        "a length and chunks": b"POST /logout HTTP/1.1\r\n" + host
        + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /login HTTP/1.1\r\n" + host + b"\r\n",
        "a negative length": b"POST /logout HTTP/1.1\r\n" + host + b"Content-Length: -1\r\n\r\n",
        "a length in words": b"POST /logout HTTP/1.1\r\n" + host + b"Content-Length: 1e3\r\n\r\n",
        "a header of 1 MB": b"GET /login HTTP/1.1\r\n" + host + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n",
        "an unknown transfer": b"POST /logout HTTP/1.1\r\n" + host + b"Transfer-Encoding: gzip\r\n\r\n",
        "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        "an absolute address": b"GET http://evil.example/login HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    }  # fmt: skip
    for what, request in wrong.items():
        answer = raw(aim.port, request)
        yield judged(what, answer, (0, 400, 401, 403, 404, 413, 421, 431, 501), aim=aim, also="x" not in answer.cookie)
    for method in ("TRACE", "CONNECT", "PUT", "DELETE", "PROPFIND", "TRACK", "HEAD", "OPTIONS"):
        answer = aim.send(method, "/campaigns/alloys", cookie=aim.cookies[OWNER])
        yield judged(f"{method} /campaigns/alloys", answer, (400, 401, 403, 404, 405, 501), aim=aim)
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        answer = aim.send("GET", f"{V1}/close?_method=POST", headers={name: "POST"}, role=OWNER)
        yield judged(f"{name}: POST on GET", answer, (405,), aim=aim)
    for path in ("//evil.example", "//evil.example/%2e%2e", "/\\evil.example", "/login/?next=//evil.example",
                 "/login?next=http://evil.example&token=", "/campaigns/%5c%5cevil.example", "/campaigns//evil.example",
    ):  # fmt: skip
        answer = aim.send("GET", path, cookie=aim.cookies[LABELLER])
        leads = answer.headers.get("location", "/")
        home = leads.startswith(("/", f"http://127.0.0.1:{aim.port}/")) and not leads.startswith(("//", "/\\"))
        yield judged(f"a redirect by {path}", answer, (200, 303, 307, 400, 401, 404, 422), aim=aim, also=home)
    private = ("/", "/campaigns/alloys", "/campaigns/alloys/label", "/campaigns/alloys/journal", "/nothing", V1,
               "/campaigns/alloys/export/csv", "/campaigns/nothing", f"{V1}/rows/999999", "/campaigns/alloys/rows/x",
    )  # fmt: skip
    for path in private:
        answer = aim.page(path, OWNER)
        said = answer.headers
        policy = said.get("content-security-policy", "")
        safe = said.get("cache-control") == "no-store" and said.get("x-content-type-options") == "nosniff"
        safe = safe and "default-src 'none'" in policy and "unsafe" not in policy and "server" not in said
        yield judged(f"what {path} says of caching and scripts", answer, (200, 303, 401, 404, 422), aim=aim, also=safe)


def numbers(aim: Aim) -> Iterator[Found]:
    """JSON that is deep, huge, no number, twice there or no Unicode, in every place where something may stand."""
    before = deeds(aim)
    tell = '{"answers": [{"row": 3, "value": %s}]}'
    deep = {n: "[" * n + "]" * n for n in (500, 900, 5_000, 400_000)}
    texts = {f"lists {n} deep": tell % text for n, text in deep.items()}
    texts |= {f"a value {one[:12]}": tell % one for one in (
        "NaN", "Infinity", "-Infinity", "1e999", "1" * 400, "1" * 5_000, "-1e400", "true", '{"a": 1}', '"\\ud800"',
        '"' + "x" * 500_000 + '"', '"\\u0000"', "[1,2]", "[]")}  # fmt: skip
    texts |= {f"a row {one[:12]}": f'{{"answers": [{{"row": {one}, "value": 1}}]}}' for one in (
        "-1", "1e300", "9007199254740993", "1" * 400, "0.5", "null", '"3; DROP TABLE events"', "999999")}  # fmt: skip
    texts |= {"no object": "[]", "nothing": "", "half of it": '{"answers": [', "not UTF-8": "\udcff"}
    for what, text in texts.items():
        body = text.encode("utf-8", "surrogateescape")
        answer = aim.send("POST", f"{V1}/tell", body, {"Content-Type": "application/json"}, role=LABELLER)
        yield judged(f"tell: {what}", answer, aim=aim)
    odd = {"NaN": "NaN", "infinity": "1e999", "a huge number": "1" * 400, "a half character": '"\\ud800"',
           "deep lists": deep[900], "a null character": '"\\u0000"', "a list": "[1]"}  # fmt: skip
    places = ("budget", "cost", "stopping", "show", "recipe", "annotation", "target")
    inner = {"budget": "limit", "cost": "row", "stopping": "rules", "show": "columns", "recipe": "strategy",
             "annotation": "overlap", "target": "low"}  # fmt: skip
    for place in places:
        for what, text in odd.items():
            body = f'{{"{place}": {{"{inner[place]}": {text}, "name": "strength", "kind": "number"}}}}'
            answer = aim.send("PATCH", V1, body, {"Content-Type": "application/json"}, role=OWNER)
            yield judged(f"amend {place}.{inner[place]}: {what}", answer, (*DENIED, 200), aim=aim)
    for what in ("cost", "seconds"):
        for text in ("-1", "NaN", "1e999", "1" * 400, '"x"'):
            body = f'{{"answers": [{{"row": 3, "value": 1, "{what}": {text}}}]}}'
            answer = aim.send("POST", f"{V1}/tell", body, {"Content-Type": "application/json"}, role=LABELLER)
            yield judged(f"tell: {what} {text[:12]}", answer, aim=aim)
    for path in ("/campaigns/alloys/rows/" + "9" * 30, "/campaigns/alloys/rows/" + "9" * 5_000,
                 "/campaigns/alloys/journal?before=" + "9" * 30, f"{V1}/journal?after=1e5", f"{V1}/labels?after=-1",
                 "/campaigns/alloys/label?row=" + "9" * 25, "/campaigns/alloys/label?sent=" + "9" * 25,
                 "/media/alloys/" + "9" * 25 + "/photo", "/campaigns/a%00b", "/campaigns/%ff", f"{V1}%00"):  # fmt: skip
        answer = aim.page(path, OWNER)
        yield judged(f"GET {path[:60]}", answer, (*DENIED, 200), aim=aim)
    yield held("answers written by any of them", "none", deeds(aim).count("Told") == before.count("Told"))
    yield judged("the page afterwards", aim.page("/campaigns/alloys", OWNER), (200,), aim=aim)


def rates(aim: Aim) -> Iterator[Found]:
    """Too many requests, at a server with the usual rates: so many links, answers and files a minute."""
    tries = [aim.send("GET", f"/login?token={'0' * 16}.{i}").status for i in range(8)]
    yield held("eight guesses of a link in a minute", "429 at last", tries[-1] == 429, str(tries))
    spoofed = aim.send(
        "GET", "/login?token=a.b", headers={"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.2"}
    )
    yield judged("another address, says the client", spoofed, (429,), aim=aim)
    tells = [aim.send("POST", f"{V1}/tell", data=TELL, role=LABELLER).status for _ in range(130)]
    yield held("130 answers in a minute", "429 at last", tells[-1] == 429, f"{tells.count(429)} refused")
    files = [aim.send("GET", f"{V1}/labels", role=VIEWER) for _ in range(8)]
    waits = files[-1].headers.get("retry-after", "")
    yield held("eight exports in a minute", "429 and when to come back", files[-1].status == 429 and waits.isdigit())


GROUPS: dict[str, Callable[[Aim], Iterator[Found]]] = {
    "paths": paths, "forms": forms, "hosts": hosts, "sessions": sessions, "roles": roles, "headers": headers,
    "uploads": uploads, "numbers": numbers, "markup": markup, "slow": slow, "rates": rates,
}  # fmt: skip


def main() -> int:
    """Prints the table; 1 if anything got through."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default=",".join(GROUPS))
    parser.add_argument("--json", type=Path)
    words = parser.parse_args()
    lines = [(group, one) for group in words.only.split(",") for one in _run(group)]
    through = [one for _, one in lines if not one.held]
    print(f"\n{len(lines)} attacks, {len(through)} got through")
    if words.json:
        words.json.write_text(json.dumps([{"group": group, **one._asdict()} for group, one in lines], indent=1) + "\n")
    return 1 if through else 0


def _run(group: str) -> list[Found]:
    with tempfile.TemporaryDirectory(prefix="strongsuit-attacks-") as name:
        with aimed(Path(name) / "lab", "usual" if group == "rates" else "open") as aim:
            lines = []
            for one in GROUPS[group](aim):
                lines.append(one)
                verdict = "held" if one.held else "GOT THROUGH"
                print(f"{group:9}{one.attack[:70]:72}{one.expected[:26]:28}{one.got[:40]:42}{verdict}", flush=True)
            return lines


if __name__ == "__main__":
    sys.exit(main())
