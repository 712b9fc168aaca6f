"""The check: what has come loose is named, and mended where it can be."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.service.conftest import add_person
from tests.service.made import add_wafer
from waferscope.errors import ConfigError
from waferscope.service.batches.store import end
from waferscope.service.migrate import downgrade
from waferscope.service.parts import Parts
from waferscope.service.storage import export_name
from waferscope.service.tables import AuditEntry, Batch, Wafer
from waferscope.service.upkeep.check import MOST_NAMED, check

OLD = timedelta(0)


def wafer_blob(house: Parts) -> str:
    """The name of the blob of a new wafer, which is not there."""
    key = add_wafer(house, add_person(house, "admin").id)
    with house.records.reading() as session:
        return session.get_one(Wafer, key).blob


def test_a_sound_house_is_sound(house: Parts) -> None:
    house.blobs.put(wafer_blob(house), b"dies")
    found = check(house, young=OLD)
    assert found.is_sound
    assert (found.rows, found.blobs) == (1, 1)


def test_a_record_without_its_blob_is_missing_it(house: Parts) -> None:
    name = wafer_blob(house)
    found = check(house, mend=True, young=OLD)
    assert (found.missing, found.orphans, found.is_sound) == ((name,), (), False)


def test_a_blob_without_a_record_is_an_orphan_once_it_is_old(house: Parts) -> None:
    house.blobs.put("wafers/ab/abc", b"dies")
    assert check(house).is_sound
    assert check(house, young=OLD).orphans == ("wafers/ab/abc",)
    assert house.blobs.has("wafers/ab/abc")
    assert check(house, mend=True, young=OLD).orphans == ("wafers/ab/abc",)
    assert not house.blobs.has("wafers/ab/abc")
    assert check(house, young=OLD).is_sound


def test_mending_is_in_the_audit_trail_and_looking_is_not(house: Parts) -> None:
    for number in range(MOST_NAMED + 1):
        house.blobs.put(f"wafers/ab/abc{number:03}", b"dies")
    check(house, young=OLD)
    found = check(house, mend=True, young=OLD)
    with house.records.reading() as session:
        (entry,) = session.scalars(select(AuditEntry))
    assert (entry.action, entry.actor) == ("upkeep.mend", "system")
    assert entry.detail == {"deleted": 101, "blobs": list(found.orphans[:MOST_NAMED])}


def test_files_of_a_batch_that_still_runs_are_no_orphans(house: Parts) -> None:
    person, name = add_person(house, "engineer"), export_name("bat_1", "csv")
    house.blobs.put(name, b"position")
    with house.records.writing() as session:
        more = {"request": {"formats": ["csv"]}, "results": {}}
        session.add(Batch(id="bat_1", user_id=person.id, state="running", **more))
    assert check(house, mend=True, young=OLD).is_sound
    with house.records.writing() as session:
        end(session, session.get_one(Batch, "bat_1"), "failed")
    assert check(house, young=OLD).orphans == (name,)


def test_tables_of_another_version_are_not_judged(house: Parts) -> None:
    downgrade(house.records.engine, "-1")
    with pytest.raises(ConfigError):
        check(house)
