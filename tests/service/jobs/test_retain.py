"""The daily job: rules are kept to, blobs go after rows, and each day is done once."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import select

from tests.service.conftest import add_person
from tests.service.jobs.conftest import eventually, working
from tests.service.made import add_wafer
from waferscope.service.jobs.retain import ask_for, drop_blobs, purge_some, retire_some
from waferscope.service.parts import Parts
from waferscope.service.retention.store import set_rule
from waferscope.service.tables import AuditEntry, Wafer
from waferscope.service.tables.row import now


def test_a_worker_does_it_by_itself(house: Parts) -> None:
    user = add_person(house, "admin").id
    old = add_wafer(house, user, arrived_at=now() - timedelta(days=40))
    add_wafer(house, user, deleted_at=now() - timedelta(days=40), blob="wafers/aa/gone")
    house.blobs.put("wafers/aa/gone", b"bytes")
    with house.records.writing() as session:
        set_rule(session, user, "", 30)

    def is_done() -> bool:
        with house.records.reading() as session:
            left = session.scalars(select(Wafer)).all()
        return [one.id for one in left if one.deleted_at] == [old] and len(left) == 1

    with working(house):
        eventually(is_done)
        eventually(lambda: not house.blobs.has("wafers/aa/gone"))
    assert is_done()
    assert not house.blobs.has("wafers/aa/gone")


def test_each_day_is_asked_for_once(house: Parts) -> None:
    ids = {ask_for(house, date(2026, 1, 2)) for _ in range(3)}
    assert ids == {"retain-2026-01-02"}


def test_steps_bear_being_done_twice(moved_in: Parts) -> None:
    user = add_person(moved_in, "admin").id
    add_wafer(moved_in, user, deleted_at=now() - timedelta(days=40), blob="wafers/aa/gone")
    moved_in.blobs.put("wafers/aa/gone", b"bytes")
    blobs = purge_some()
    assert blobs == ["wafers/aa/gone"]
    for _ in range(2):
        drop_blobs(blobs)
        assert purge_some() == []
        assert retire_some() == 0
    assert not moved_in.blobs.has("wafers/aa/gone")
    with moved_in.records.reading() as session:
        actions = list(session.scalars(select(AuditEntry.action)))
    assert actions == ["retention.purge"]
