"""Uploads that are too large, bombs, malformed, or no table at all."""

from __future__ import annotations

import gzip
import io
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from attacked import DENIED, Aim, Found, held, judged, multipart, raw

from strongsuit.web.people import OWNER

UPLOAD = "/api/v1/campaigns/alloys/upload"
GOOD = b"id,strength\nK9,5\n"
MOST = 30.0  # seconds that the worst of them may keep the server busy


def uploads(aim: Aim) -> Iterator[Found]:
    """See the module."""
    names = ["../../x.csv", "/etc/cron.d/x.csv", "C:\\x.csv", "x.csv\0.exe", "x" * 5_000 + ".csv", "x.php", "x.csv.gz",
             "",
             ".csv", "con.csv", "\u202evsc.csv", "a/b\\c.csv"]  # fmt: skip
    for name in names:
        answer = aim.upload(name, GOOD)
        yield judged(f"a file called {name[:40]!r}", answer, (*DENIED, 200), aim=aim)
    strays = {path.name for path in aim.folder.rglob("*")} - {"server.log"}
    yield held(
        "a file written by one of them", "none", not any("x.csv" in one or one.endswith(".php") for one in strays)
    )
    for what, (name, content) in _tables().items():
        begun = time.monotonic()
        answer = aim.upload(name, content)
        taken = time.monotonic() - begun
        yield judged(f"{what} ({len(content) / 1e6:.1f} MB)", answer, DENIED, aim=aim, also=taken < MOST)
    for what, (name, content) in _odd().items():
        yield judged(what, aim.upload(name, content), (*DENIED, 200), aim=aim)
    yield from _oversize(aim)
    body, kind = multipart("file", "x.csv", GOOD)
    many = b"".join(b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' for _ in range(20_000)) + body
    forms = {
        "20,000 fields": (many, kind), "no boundary": (body, "multipart/form-data"),
        "a wrong boundary": (body, kind + "1"),
        "a form that breaks off": (body[:-30], kind), "an unknown character set": (
            body.replace(b"\r\n\r\n", b"\r\nContent-Type: text/csv; charset=rot13\r\n\r\n", 1), kind),
        "a boundary of 60,000": (body, f"multipart/form-data; boundary={'x' * 60_000}"),
        "a URL-encoded file": (b"file=x", "application/x-www-form-urlencoded"),
    }  # fmt: skip
    for what, (content, type_) in forms.items():
        answer = aim.send("POST", UPLOAD, content, {"Content-Type": type_}, role=OWNER)
        yield judged(f"a form: {what}", answer, (*DENIED, 0, 200), aim=aim)
    half = b'--xyz\r\nContent-Disposition: form-data; name="row"\r\nContent-Type: text/plain'
    half += b"; charset=unicode_escape\r\n\r\n"
    body = half + b"\\ud800\r\n" + half.replace(b"row", b"note") + b"\\ud800\r\n--xyz--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=xyz", "Origin": "null", "X-CSRF-Token": aim.csrf(OWNER)}
    answer = aim.send("POST", "/campaigns/alloys/label", body, kind, cookie=aim.cookies[OWNER])
    yield judged("half a character by a form's own character set", answer, aim=aim)
    yield judged("a good table afterwards", aim.upload("good.csv", GOOD), (200,), aim=aim)


def _oversize(aim: Aim) -> Iterator[Found]:
    big = b"id,strength\n" + b"K1,1\n" * 10_600_000
    yield judged("53 MB with its length", aim.upload("big.csv", big), (413, 0), aim=aim)
    body, kind = multipart("file", "big.csv", big)
    head = (
        f"POST {UPLOAD} HTTP/1.1\r\nHost: 127.0.0.1:{aim.port}\r\nAuthorization: Bearer {aim.bearer[OWNER]}\r\n"
        f"Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    pieces = b"".join(
        b"%x\r\n%b\r\n" % (len(one), one) for one in (body[i : i + 2**20] for i in range(0, len(body), 2**20))
    )
    yield judged("53 MB in chunks", raw(aim.port, head + pieces + b"0\r\n\r\n", 60), (413, 0), aim=aim)
    answer = aim.send("POST", "/api/v1/campaigns/alloys/tell", b" " * 2_000_000, role=OWNER)
    yield judged("2 MB of answers as JSON", answer, (413, 0), aim=aim)


def _tables() -> dict[str, tuple[str, bytes]]:
    """Files that must be refused, with the names that they come under."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.csv", b"0" * 50_000_000)
    texts = pa.array(["x" * 1_000_000], pa.string())
    bomb = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), texts)
    lists = pa.array([[1.0] * 30_000_000])
    good = _parquet({"id": ["K1"], "strength": [1.0]})
    return {
        "a zip bomb": ("x.csv", zipped.getvalue()),
        "a gzip bomb": ("x.csv", gzip.compress(b"1,1\n" * 10_000_000)),
        "a spreadsheet": ("x.csv", b"PK\x03\x04" + b"\0" * 100),
        "a zip called Parquet": ("x.parquet", zipped.getvalue()),
        "1 TB of text in a Parquet dictionary": ("x.parquet", _parquet({"id": bomb, "strength": bomb})),
        "1 TB of text in the key alone": ("x.parquet", _parquet({"id": bomb, "strength": [1.0] * 10**6})),
        "30,000,000 numbers in one cell": ("x.parquet", _parquet({"id": ["K1"], "strength": lists})),
        "2,000,000 lines": (
            "x.parquet",
            _parquet({"id": pa.nulls(2_000_000, pa.string()), "strength": [0.0] * 2_000_000}),
        ),
        "5,000 columns": ("x.csv", b"id,strength," + b",".join(b"c%d" % i for i in range(5_000)) + b"\nK1,1\n"),
        "2,000,000 columns": ("x.csv", b"id,strength" + b",c" * 2_000_000 + b"\nK1,1\n"),
        "2,000,000 lines of text": ("x.csv", b"id,strength\n" + b"K1,\n" * 2_000_000),
        "a cell of 2 MB": ("x.csv", b"id,strength\nK1," + b"1" * 2_000_000 + b"\n"),
        "a column's name of 2 MB": ("x.csv", b"id,strength," + b"c" * 2_000_000 + b"\nK1,1\n"),
        "a quote that never ends": ("x.csv", b'id,strength\n"K1' + b",1\n" * 3_000_000),
        "a Parquet file cut in half": ("x.parquet", good[: len(good) // 2]),
        "a Parquet file of nothing": ("x.parquet", b"PAR1" * 3),
        "a Parquet file with a broken foot": ("x.parquet", good[:-20] + b"\xff" * 12 + good[-8:]),
        "binary": ("x.csv", bytes(range(256)) * 1_000),
        "no bytes": ("x.csv", b""),
        "half a character of UTF-16": ("x.csv", b"\xff\xfei\0d\0,\0s"),
        "half a pair of UTF-16": ("x.csv", "\ufeffid,strength\nK1,".encode("utf-16-le") + b"\x00\xd8"),
        "a script": ("x.csv", b"<script>alert(1)</script>"),
        "an unknown key": ("x.csv", b"id,strength\n../../etc/passwd,1\n"),
        "a number that is none": ("x.csv", b"id,strength\nK1,1e999\n"),
        "hexadecimal": ("x.csv", b"id,strength\nK1,0x10\n"),
        "a formula": ("x.csv", b"id,strength\nK1,=1+1\n"),
        "two columns of a name": ("x.csv", b"id,strength,strength\nK1,1,2\n"),
    }


def _odd() -> dict[str, tuple[str, bytes]]:
    """Files that may be taken or not, but must do no harm."""
    return {
        "numbers in other scripts": ("x.csv", "id,strength\nK10,\u0661\u0662\n".encode()),
        "a note with a script": ("x.csv", b"id,strength,note\nK11,1,<xss onxss=1>\n"),
        "somebody else's name": ("x.csv", b"id,strength,annotator\nK12,1,<xss>\n"),
        "a name of 10,000 letters": ("x.csv", b"id,strength,annotator\nK13,1," + b"a" * 10_000 + b"\n"),
        "old line ends": ("x.csv", b"id,strength\rK14,1\r"),
    }


def _parquet(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, compression="zstd", use_dictionary=True)
    return out.getvalue()
