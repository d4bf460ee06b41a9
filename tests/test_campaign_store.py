"""Stores: the contract, SQLite's traps, other versions of the tables, and the database of every release."""

from __future__ import annotations

import itertools
import multiprocessing
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.campaign_examples import campaign, lines

from strongsuit.campaign import MemoryStore, SqlStore, list_campaigns, load_campaign
from strongsuit.campaign import sqlite as sqlite_room
from strongsuit.campaign.schema import MIGRATIONS
from strongsuit.campaign.sqlite import Turns
from strongsuit.campaign.upkeep import backup, check, upgrade
from strongsuit.errors import (
    InputError,
    JournalBroken,
    MissingDependency,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreNew,
    StoreOld,
)
from strongsuit.testing import CrashingStore
from strongsuit.testing.stores import NAME, PROMISES, Crash, example_events

RELEASES = Path(__file__).parent / "stores"


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def sqlite_store(tmp_path: Path) -> SqlStore:
    return SqlStore(url_of(tmp_path / "lab.db"))


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[SqlStore]:
    store = SqlStore(postgres_url)
    yield store
    store.close()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: one.__name__)
def test_memory_keeps_the_promises(promise: Callable[[Any], None]) -> None:
    promise(MemoryStore())


@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: one.__name__)
def test_sqlite_keeps_the_promises(promise: Callable[[Any], None], sqlite_store: SqlStore) -> None:
    promise(sqlite_store)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: one.__name__)
def test_postgres_keeps_the_promises(promise: Callable[[Any], None], postgres_store: SqlStore) -> None:
    promise(postgres_store)


def test_connections_are_durable_and_say_what_they_are_for(sqlite_store: SqlStore) -> None:
    seen: list[str] = []
    with sqlite_store.engine.connect() as connection:
        wanted = {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 30_000, "foreign_keys": 1, "mmap_size": 0}
        for name, value in wanted.items():
            assert connection.exec_driver_sql(f"PRAGMA {name}").scalar() == value, name
        connection.connection.driver_connection.set_trace_callback(seen.append)  # type: ignore[union-attr]
    seen.clear()
    sqlite_store.campaigns()
    assert seen[0] == "BEGIN"
    seen.clear()
    sqlite_store.append(NAME, example_events(1), after=0)
    assert seen[0] == "BEGIN IMMEDIATE" and seen[-1] == "COMMIT"


def test_the_body_is_kept_as_text(sqlite_store: SqlStore, tmp_path: Path) -> None:
    events = example_events(3)
    sqlite_store.append(NAME, events, after=0)
    with sqlite3.connect(tmp_path / "lab.db") as connection:
        assert [text for (text,) in connection.execute("SELECT body FROM events ORDER BY position")] == [
            event.text for event in events
        ]
    connection.close()


def test_reading_goes_on_while_somebody_writes(sqlite_store: SqlStore, tmp_path: Path) -> None:
    sqlite_store.append(NAME, example_events(3), after=0)
    with sqlite_store.writing() as connection:
        connection.exec_driver_sql("UPDATE campaigns SET archived = 1")
        assert len(list(SqlStore.read(sqlite_store, NAME))) == 3


def test_a_turn_that_is_not_to_be_had_is_store_busy_where_sqlite_needs_it(
    sqlite_store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_room, "BUSY_SECONDS", 0.05)
    with Turns(str(tmp_path / "lab.db")).taken():  # as another process would hold it
        monkeypatch.setattr(sqlite_room, "SAFE_VERSION", (99, 0, 0))
        with pytest.raises(StoreBusy, match=r"others have kept lab\.db"):
            sqlite_store.append(NAME, example_events(1), after=0)
        monkeypatch.setattr(sqlite_room, "SAFE_VERSION", (3, 0, 0))
        sqlite_store.append(NAME, example_events(1), after=0)  # it is for fairness only


def test_a_turn_taken_again_inside_is_the_same_one(sqlite_store: SqlStore) -> None:
    with sqlite_store.turn("a"), sqlite_store.turn("b"):
        sqlite_store.append(NAME, example_events(1), after=0)
    assert sqlite_store.campaigns()[0].position == 1


def test_turns_of_threads_do_not_overlap(sqlite_store: SqlStore) -> None:
    inside, most = [0], [0]

    def work() -> None:
        for _ in range(20):
            with sqlite_store.turn(NAME):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_a_database_that_others_lock_is_store_busy_and_never_locked(sqlite_store: SqlStore, tmp_path: Path) -> None:
    with sqlite_store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=10")
    other = sqlite3.connect(tmp_path / "lab.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="nothing was written") as caught:
        sqlite_store.append(NAME, example_events(1), after=0)
    assert "locked" not in str(caught.value)
    other.execute("ROLLBACK")
    other.close()
    assert sqlite_store.append(NAME, example_events(1), after=0) == 1


def test_a_full_disk_leaves_the_journal_as_it_was_and_work_goes_on_with_room(sqlite_store: SqlStore) -> None:
    events = example_events(400)
    sqlite_store.append(NAME, events[:1], after=0)
    with sqlite_store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreFull, match="make room"):
        sqlite_store.append(NAME, events[1:], after=1)
    assert [event.position for event in sqlite_store.read(NAME)] == [1]
    with sqlite_store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    assert sqlite_store.append(NAME, events[1:], after=1) == 400


LIMITED = """
import resource, signal, sys
from strongsuit.campaign import SqlStore
from strongsuit.errors import StoreFull
from strongsuit.testing.stores import NAME, example_events
store, events = SqlStore(sys.argv[1]), example_events(2000)
store.append(NAME, events[:1], after=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    store.append(NAME, events[1:], after=1)
except StoreFull:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert len(list(store.read(NAME))) == 1
    assert store.append(NAME, events[1:3], after=1) == 3
    print("full")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file sizes are POSIX")
def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, url_of(tmp_path / "lab.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "full", done.stderr


@pytest.mark.parametrize("when", ["before", "inside", "after"])
@pytest.mark.parametrize("statement", [1, 2, 3, 4])
def test_a_crash_at_any_statement_leaves_the_journal_as_before_or_as_after(
    when: str, statement: int, sqlite_store: SqlStore
) -> None:
    events = example_events(6)
    sqlite_store.append(NAME, events[:3], after=0)
    crashing = CrashingStore(sqlite_store, at=0, when=when, statement=statement)
    with pytest.raises(Crash):
        crashing.append(NAME, events[3:], after=3)
    found = list(sqlite_store.read(NAME))
    assert found == (events if when == "after" else events[:3])
    sqlite_store.append(NAME, events[len(found) :] or example_events(7)[6:], after=len(found))


@pytest.mark.skipif(sys.platform == "win32", reason="fork is POSIX")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_after_a_fork_makes_its_own_engine(sqlite_store: SqlStore) -> None:
    sqlite_store.append(NAME, example_events(2), after=0)
    before = sqlite_store.engine
    context = multiprocessing.get_context("fork")
    process = context.Process(target=sqlite_store.append, args=("child", example_events(3), 0))
    process.start()
    process.join()
    assert process.exitcode == 0 and sqlite_store.engine is before
    assert [one.name for one in sqlite_store.campaigns()] == [NAME, "child"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite://", "needs a file"),
        ("mysql://x/y", "not served"),
        ("no url", "no URL"),
        ("sqlite:///:memory:", "file"),
    ],
)
def test_urls_that_cannot_be_stores_are_refused(url: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        SqlStore(url)


def test_passwords_are_masked_and_folders_must_exist(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"folder .* does not exist"):
        SqlStore(url_of(tmp_path / "nowhere" / "lab.db"))
    store = SqlStore.__new__(SqlStore)
    from sqlalchemy import make_url

    store._url = make_url("postgresql+psycopg://me:secret@host/db")
    assert "secret" not in repr(store) and "me:***@host" in repr(store)


def test_postgres_without_its_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependency, match=r"strongsuit\[postgres\]"):
        SqlStore("postgresql+psycopg://me@localhost/db")


def test_what_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "lab.db").write_text("no database " * 100)
    with pytest.raises(StoreError, match="not a database"):
        SqlStore(url_of(tmp_path / "lab.db"))


def test_tables_of_other_releases_are_refused_and_upgraded_with_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = url_of(tmp_path / "lab.db")
    SqlStore(url).append(NAME, example_events(3), after=0)

    def second(connection: Any) -> None:
        connection.exec_driver_sql("ALTER TABLE campaigns ADD COLUMN colour TEXT")

    monkeypatch.setattr("strongsuit.campaign.schema.MIGRATIONS", (*MIGRATIONS, second))
    with pytest.raises(StoreOld, match="store upgrade"):
        SqlStore(url)
    copy = upgrade(url)
    assert copy is not None and copy.exists()
    assert len(list(SqlStore(url).read(NAME))) == 3
    monkeypatch.setattr("strongsuit.campaign.schema.MIGRATIONS", MIGRATIONS)
    with pytest.raises(StoreNew, match="install a newer"):
        SqlStore(url)
    assert len(list(SqlStore(url_of(copy)).read(NAME))) == 3, "the backup is as it was"
    assert upgrade(url_of(copy)) is None, "nothing to do"


@pytest.mark.parametrize("dump", sorted(RELEASES.glob("*.sql")), ids=lambda path: path.stem)
def test_databases_of_every_release_still_load(dump: Path, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
    connection.close()
    url = url_of(tmp_path / "old.db")
    upgrade(url)
    for one in list_campaigns(url):
        loaded = load_campaign(one.name, store=url)
        assert loaded.verify() == [] and loaded.state.position == one.position > 5
    check(SqlStore(url))


def test_check_looks_at_the_database_and_at_every_chain(sqlite_store: SqlStore, tmp_path: Path) -> None:
    sqlite_store.append(NAME, example_events(4), after=0)
    about = check(sqlite_store)
    assert about["integrity"] == "ok" and about["sqlite"] == sqlite3.sqlite_version
    assert about["campaigns"] == {NAME: 4}
    copy = backup(sqlite_store, tmp_path / "copy.db")
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE events SET body = replace(body, 'false', 'true') WHERE position = 3")
    connection.close()
    with pytest.raises(JournalBroken, match="position 3"):
        check(SqlStore(url_of(copy)))


def written(store: Any) -> list[str]:
    """The journal of one campaign after some asking and telling."""
    one = campaign(store=store)
    for by, request in itertools.product(("anna", "bob"), ("r1", None)):
        query = one.ask(3, by=by, request=request and f"{request}-{by}")
        one.tell(dict.fromkeys(query.rows, 0.1), by=by)
    return lines(one)


def test_sqlite_writes_the_same_journal_as_memory(sqlite_store: SqlStore) -> None:
    assert written(sqlite_store) == written(MemoryStore())


def test_postgres_writes_the_same_journal_as_memory(postgres_store: SqlStore) -> None:
    assert written(postgres_store) == written(MemoryStore())
    check(postgres_store)


def test_processes_that_begin_an_empty_postgres_together_make_its_tables_once(postgres_url: str) -> None:
    code = "import sys; from strongsuit.campaign import SqlStore; SqlStore(sys.argv[1]).close()"
    running = [
        subprocess.Popen([sys.executable, "-c", code, postgres_url], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [one.communicate()[1] for one in running] == [""] * 4


def test_a_postgres_session_that_the_server_ended_is_replaced(postgres_store: SqlStore, postgres_url: str) -> None:
    one = campaign(store=postgres_store)
    with postgres_store.reading() as connection:
        kept = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    other = SqlStore(postgres_url)
    with other.reading() as connection:
        assert connection.exec_driver_sql(f"SELECT pg_terminate_backend({kept})").scalar_one()
    other.close()
    one.tell({1: 0.5}, by="anna")
    assert load_campaign("alloys", store=postgres_store).state == one.state
