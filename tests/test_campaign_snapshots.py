"""Snapshots: opening from them, those that do not fit, and who of many writers keeps them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.campaign_examples import campaign

from strongsuit.campaign import SqlStore, load_campaign
from strongsuit.campaign.snapshot import snapshot_of


@pytest.fixture
def sqlite_store(tmp_path: Path) -> SqlStore:
    return SqlStore(f"sqlite:///{tmp_path / 'lab.db'}")


def test_opening_reads_from_the_snapshot_and_not_from_the_start(
    sqlite_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strongsuit.campaign.desk.SNAPSHOT_EVENTS", 5)
    one = campaign(store=sqlite_store)
    for row in range(20):
        one.tell({row: float(row)}, by="anna")
    read: list[int] = []
    counted = SqlStore.read
    monkeypatch.setattr(SqlStore, "read", lambda self, name, after=0, limit=None: (
        read.append(after), counted(self, name, after, limit))[1])  # fmt: skip
    loaded = load_campaign("alloys", store=sqlite_store)
    assert loaded.desk.state == one.desk.state and min(read) > 5
    one.verify()


def test_a_snapshot_that_does_not_fit_is_not_used(sqlite_store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strongsuit.campaign.desk.SNAPSHOT_EVENTS", 5)
    one = campaign(store=sqlite_store)
    for row in range(20):
        one.tell({row: float(row)}, by="anna")
    snapshot = sqlite_store.snapshot("alloys")
    assert snapshot
    for wrong in (snapshot._replace(digest="f" * 64), snapshot._replace(text="{}"), snapshot._replace(position=5000)):
        sqlite_store.keep("alloys", wrong)
        assert load_campaign("alloys", store=sqlite_store).state == one.state


def kept_and_linked_at_once(store: SqlStore) -> None:
    """Snapshots and links that many write together replace one another, and none is refused."""
    one = campaign(store=store)
    snapshot, refused = snapshot_of(one.state), []

    def work() -> None:
        try:
            for _ in range(20):
                store.keep("alloys", snapshot)
                store.link("alloys", "elsewhere", {1: "a", 2: "b"})
        except Exception as error:
            refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not refused and store.snapshot("alloys") == snapshot
    assert store.links("alloys", "elsewhere") == {1: "a", 2: "b"}


def test_sqlite_keeps_what_many_write_at_once(sqlite_store: SqlStore) -> None:
    kept_and_linked_at_once(sqlite_store)


def test_postgres_keeps_what_many_write_at_once(postgres_url: str) -> None:
    store = SqlStore(postgres_url)
    kept_and_linked_at_once(store)
    store.close()


def test_of_several_writers_one_keeps_each_snapshot(sqlite_store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strongsuit.campaign.desk.SNAPSHOT_EVENTS", 5)
    monkeypatch.setattr("strongsuit.campaign.desk.SNAPSHOT_SHARE", 0.0)
    kept: list[int] = []
    keep = SqlStore.keep
    monkeypatch.setattr(SqlStore, "keep", lambda self, name, snapshot: (
        kept.append(snapshot.position), keep(self, name, snapshot))[1])  # fmt: skip
    campaign(store=sqlite_store)
    writers = [load_campaign("alloys", store=sqlite_store) for _ in range(3)]
    for row in range(36):
        writers[row % 3].tell({row: float(row)}, by="anna")
    assert 5 <= len(kept) <= 7 and kept == sorted(kept)


def test_a_snapshot_that_its_writer_never_kept_is_kept_by_others(
    sqlite_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strongsuit.campaign.desk.SNAPSHOT_EVENTS", 6)
    one = campaign(store=sqlite_store)
    other = load_campaign("alloys", store=sqlite_store)
    monkeypatch.setattr("strongsuit.campaign.desk.keep_snapshot", lambda *given: None)  # it dies just before
    for row in range(10):
        one.tell({row: float(row)}, by="anna")
    monkeypatch.undo()
    monkeypatch.setattr("strongsuit.campaign.desk.SNAPSHOT_EVENTS", 6)
    assert sqlite_store.kept_at("alloys") == 0
    other.tell({20: 1.0}, by="bob")
    assert sqlite_store.kept_at("alloys") == other.state.position
