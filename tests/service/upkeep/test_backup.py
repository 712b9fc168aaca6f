"""Backup and restore: all of it comes back, into either database, while writing goes on."""

from __future__ import annotations

import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.service.conftest import add_person
from tests.service.made import insert_wafer
from waferscope.errors import ConflictError, FormatError
from waferscope.service.auth.identity import SYSTEM
from waferscope.service.parts import Parts, open_parts
from waferscope.service.queue import Job
from waferscope.service.settings import Settings
from waferscope.service.store import record
from waferscope.service.tables import AuditEntry, Row, Wafer
from waferscope.service.upkeep.backup import back_up, restore
from waferscope.service.upkeep.check import check

RESTORED = "upkeep.restore"


def add(house: Parts, user_id: str, number: int) -> None:
    """A wafer with its blob: the blob first, as an upload does."""
    with house.records.writing() as session:
        key = insert_wafer(session, user_id, name=f"W{number}")
        session.flush()
        wafer = session.get_one(Wafer, key)
        house.blobs.put(wafer.blob, f"dies of {wafer.id}".encode())
        record(session, SYSTEM, "wafers.add", key, number=number, when={"$at": "x"})


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


def test_a_backup_made_while_writing_goes_on_is_whole(
    house: Parts, empty: Parts, tmp_path: Path
) -> None:
    person, stop = add_person(house, "admin"), threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            add(house, person.id, number)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            back_up(house, tmp_path / f"{number}.tar")
    finally:
        stop.set()
        writer.join()
    restore(empty, tmp_path / "2.tar")
    assert check(empty).missing == ()


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
