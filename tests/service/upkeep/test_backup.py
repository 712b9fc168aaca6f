"""Backup and restore: all of it comes back, into either database, while others write and delete."""

from __future__ import annotations

import itertools
import tarfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.service.conftest import add_person
from tests.service.made import insert_wafer
from waferscope.errors import ConflictError, FormatError, UnavailableError
from waferscope.service.auth.identity import SYSTEM
from waferscope.service.batches.store import delete_batch, end
from waferscope.service.parts import Parts, open_parts
from waferscope.service.queue import Job
from waferscope.service.retention.store import purge
from waferscope.service.settings import Settings
from waferscope.service.storage import export_name
from waferscope.service.store import record
from waferscope.service.tables import AuditEntry, Batch, Row, Wafer
from waferscope.service.tables.row import now
from waferscope.service.upkeep import backup
from waferscope.service.upkeep.backup import back_up, restore
from waferscope.service.upkeep.check import check

OLD = timedelta(0)
RESTORED = "upkeep.restore"


def add(house: Parts, user_id: str, number: int) -> str:
    """A wafer with its blob: the blob first, as an upload does. Its blob's name is returned."""
    with house.records.writing() as session:
        key = insert_wafer(session, user_id, name=f"W{number}")
        session.flush()
        wafer = session.get_one(Wafer, key)
        house.blobs.put(wafer.blob, f"dies of {wafer.id}".encode())
        record(session, SYSTEM, "wafers.add", key, number=number, when={"$at": "x"})
        return wafer.blob


def purge_wafer(house: Parts, blob: str) -> None:
    """Remove a wafer as the rules of retention do: its row, then its blob."""
    with house.records.writing() as session:
        session.scalars(select(Wafer).where(Wafer.blob == blob)).one().deleted_at = now()
        session.flush()
        gone = purge(session, now() + timedelta(days=1), 0)
    for name in gone:
        house.blobs.delete(name)


def add_batch(house: Parts, user_id: str, key: str, *, state: str = "done") -> str:
    """A batch and its file of results, whose name is returned; running, it does not name it yet."""
    name = export_name(key, "csv")
    house.blobs.put(name, b"position")
    with house.records.writing() as session:
        batch = Batch(id=key, user_id=user_id, state="running", request={"formats": ["csv"]})
        batch.results = {"csv": name} if state == "done" else {}
        session.add(batch)
        if state != "running":
            end(session, batch, state)
    return name


def drop_batch(house: Parts, key: str) -> None:
    """Delete a batch as its route does: its row, then its file."""
    with house.records.writing() as session:
        delete_batch(session, session.get_one(Batch, key))
    house.blobs.delete(export_name(key, "csv"))


def before_reading(
    house: Parts, monkeypatch: pytest.MonkeyPatch, act: Callable[[str], None]
) -> list[str]:
    """Call ``act`` with each name before it is read; return the names that were read."""
    read, get = [], house.blobs.get

    def act_and_get(name: str) -> bytes:
        read.append(name)
        act(name)
        return get(name)

    monkeypatch.setattr(house.blobs, "get", act_and_get)
    return read


def kept(house: Parts) -> set[str]:
    with house.records.reading() as session:
        return set(session.scalars(select(Wafer.blob)))


@pytest.fixture
def full(house: Parts) -> Parts:
    person = add_person(house, "admin")
    for number in range(5):
        add(house, person.id, number)
    with house.records.writing() as session:
        house.queue.ask(session, Job("deliver_webhook", ("dlv_none", 1), id="job_1"))
    return house


@pytest.fixture
def empty(tmp_path: Path) -> Parts:
    """Another house: SQLite and files, without anything, not even tables."""
    return open_parts(Settings(home=tmp_path / "other"))


def rows(house: Parts) -> dict[str, list[Any]]:
    with house.records.engine.connect() as connection:
        return {
            table.name: sorted(
                repr(row) for row in connection.execute(select(table)) if RESTORED not in row
            )
            for table in Row.metadata.sorted_tables
        }


def trail(house: Parts, action: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Who did it, by which way, and what is told of it."""
    with house.records.reading() as session:
        found = session.scalars(select(AuditEntry).where(AuditEntry.action == action))
        return [(entry.actor, entry.via, entry.detail) for entry in found]


def test_everything_comes_back(full: Parts, empty: Parts, tmp_path: Path) -> None:
    path = tmp_path / "backup.tar"
    counts = back_up(full, path)
    assert restore(empty, path) == counts
    assert counts["blobs"] == 5
    assert rows(empty) == rows(full)
    assert {name: empty.blobs.get(name) for name in empty.blobs.names()} == {
        name: full.blobs.get(name) for name in full.blobs.names()
    }
    assert empty.queue.state("job_1") == "ENQUEUED"
    assert check(empty).is_sound
    with empty.records.writing() as session:
        record(session, SYSTEM, "after.restore")  # numbered after those that came back


def test_both_are_in_the_audit_trail(full: Parts, empty: Parts, tmp_path: Path) -> None:
    path = tmp_path / "backup.tar"
    counts = back_up(full, path)
    restore(empty, path)
    made = ("system", "system", {"file": str(path)})
    assert trail(full, "upkeep.backup") == trail(empty, "upkeep.backup") == [made]
    assert trail(full, RESTORED) == []
    assert trail(empty, RESTORED) == [("system", "system", {"file": str(path), **counts})]


def test_it_comes_back_into_the_same_kind_of_database(
    full: Parts, tmp_path: Path, settings: Settings, request: pytest.FixtureRequest, backend: str
) -> None:
    path = tmp_path / "backup.tar"
    back_up(full, path)
    if backend == "servers":
        from tests.service.conftest import run_sql

        server = str(request.getfixturevalue("postgresql_server"))
        run_sql(server, "DROP DATABASE IF EXISTS restored")
        run_sql(server, "CREATE DATABASE restored")
        url = f"{server}restored"
    else:
        url = f"sqlite:///{tmp_path / 'restored.db'}"
    blobs = (tmp_path / "restored").as_uri()
    target = open_parts(Settings(home=tmp_path / "x", records_url=url, blobs_url=blobs))
    restore(target, path)
    assert rows(target) == rows(full)
    with target.records.writing() as session:
        record(session, SYSTEM, "after.restore")
    target.records.close()


@contextmanager
def running(act: Callable[[], object]) -> Iterator[None]:
    """Do something over and over in a thread; what goes wrong there is raised at the end."""
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            act()

    with ThreadPoolExecutor(1) as pool:
        thread = pool.submit(go_on)
        try:
            yield
        finally:
            stop.set()
        thread.result()


def test_a_backup_made_while_writing_goes_on_is_whole(
    house: Parts, empty: Parts, tmp_path: Path
) -> None:
    person, numbers = add_person(house, "admin"), itertools.count()
    with running(lambda: add(house, person.id, next(numbers))):
        for number in range(3):
            back_up(house, tmp_path / f"{number}.tar")
    restore(empty, tmp_path / "2.tar")
    assert check(empty).missing == ()


def test_a_backup_made_while_wafers_and_batches_are_deleted_is_whole(
    house: Parts, empty: Parts, tmp_path: Path
) -> None:
    person, stay, numbers = add_person(house, "admin").id, 5, itertools.count()
    wafers, batches = [], []

    def add_both() -> None:
        number = next(numbers)
        wafers.append(add(house, person, number))
        batches.append(f"bat_{number}")
        add_batch(house, person, batches[-1])

    def replace_the_oldest() -> None:
        add_both()
        purge_wafer(house, wafers.pop(stay))
        drop_batch(house, batches.pop(stay))

    for _ in range(20):
        add_both()
    with running(replace_the_oldest):
        for number in range(3):
            back_up(house, tmp_path / f"{number}.tar")
    assert next(numbers) > 20
    restore(empty, tmp_path / "2.tar")
    found = check(empty, young=OLD)
    assert found.is_sound
    assert found.blobs >= 2 * stay
    assert set(wafers[:stay]) <= kept(empty)


def test_what_is_deleted_between_listing_and_reading_is_in_no_part_of_it(
    full: Parts, empty: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_, last = sorted(kept(full))
    deleted: list[str] = []

    def delete_two(name: str) -> None:
        if name == last and not deleted:  # ``first`` is in the file already, ``last`` is not
            deleted.extend((first, last))
            purge_wafer(full, first)
            purge_wafer(full, last)

    read = before_reading(full, monkeypatch, delete_two)
    counts = back_up(full, tmp_path / "backup.tar")
    assert read == sorted(read)
    assert {first, last} <= set(read)
    assert restore(empty, tmp_path / "backup.tar") == counts
    assert counts["blobs"] == 3
    assert check(empty, young=OLD).is_sound
    assert rows(empty) == rows(full)


def test_what_the_snapshot_speaks_of_is_in_it_or_another_one_is_taken(
    full: Parts, empty: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = add_person(full, "engineer").id
    late: list[str] = []

    def act(name: str) -> None:
        if not late:  # new since the first look, so it is to be copied at the snapshot
            late.append(add(full, person, 100))
            add_batch(full, person, "bat_late")
        elif name == late[0]:
            purge_wafer(full, name)
        elif name == export_name("bat_late", "csv"):
            drop_batch(full, "bat_late")

    read = before_reading(full, monkeypatch, act)
    back_up(full, tmp_path / "backup.tar")
    assert {late[0], export_name("bat_late", "csv")} <= set(read)
    restore(empty, tmp_path / "backup.tar")
    assert check(empty, young=OLD).is_sound
    assert kept(empty) == kept(full)
    assert len(kept(empty)) == 5


def test_a_blob_that_nobody_names_is_left_out(full: Parts, empty: Parts, tmp_path: Path) -> None:
    full.blobs.put("wafers/ab/abc", b"of an upload that failed")
    assert back_up(full, tmp_path / "backup.tar")["blobs"] == 5
    restore(empty, tmp_path / "backup.tar")
    assert not empty.blobs.has("wafers/ab/abc")


def test_a_blob_that_was_lost_before_stops_no_backup(
    full: Parts, empty: Parts, tmp_path: Path
) -> None:
    lost = min(kept(full))
    full.blobs.delete(lost)
    assert back_up(full, tmp_path / "backup.tar")["blobs"] == 4
    restore(empty, tmp_path / "backup.tar")
    assert check(empty, young=OLD).missing == (lost,)


def test_files_of_a_batch_that_still_runs_come_along(
    full: Parts, empty: Parts, tmp_path: Path
) -> None:
    name = add_batch(full, add_person(full, "engineer").id, "bat_1", state="running")
    back_up(full, tmp_path / "backup.tar")
    restore(empty, tmp_path / "backup.tar")
    assert empty.blobs.get(name) == b"position"
    assert check(empty, young=OLD).is_sound


def test_where_no_instant_can_be_caught_no_file_is_left(
    full: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = add_person(full, "engineer").id
    made = [add(full, person, 100)]

    def always_delete(name: str) -> None:
        if name == made[-1]:
            made.append(add(full, person, 100 + len(made)))
            purge_wafer(full, name)

    monkeypatch.setattr(backup, "LOOKS", 3)
    before_reading(full, monkeypatch, always_delete)
    with pytest.raises(UnavailableError, match="3 looks"):
        back_up(full, tmp_path / "backup.tar")
    assert list(tmp_path.glob("backup*")) == []


def test_nothing_is_written_over(full: Parts, tmp_path: Path) -> None:
    path = tmp_path / "backup.tar"
    back_up(full, path)
    with pytest.raises(ConflictError, match="new file"):
        back_up(full, path)
    with pytest.raises(ConflictError, match="empty installation"):
        restore(full, path)
    assert [one.name for one in tmp_path.glob("*.part")] == []
    assert len(trail(full, "upkeep.backup")) == 1
    assert trail(full, RESTORED) == []


def test_other_files_are_refused(empty: Parts, tmp_path: Path) -> None:
    text, other = tmp_path / "text.tar", tmp_path / "other.tar"
    text.write_text("not a tar file")
    with tarfile.open(other, "w") as archive:
        archive.add(text, "x")
    for path in (text, other):
        with pytest.raises(FormatError, match="admin backup"):
            restore(empty, path)
