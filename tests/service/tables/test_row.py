"""What tables share: instants keep their moment, whatever the zone and the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import exc, select

from waferscope.service.db import Records
from waferscope.service.tables import Milestone
from waferscope.service.tables.row import now

TOKYO = timezone(timedelta(hours=9))


def test_an_instant_comes_back_in_utc(records: Records) -> None:
    at = datetime(2026, 3, 1, 8, 30, 15, 123456, tzinfo=TOKYO)
    with records.writing() as session:
        session.add(Milestone(name="a", at=at))
    with records.reading() as session:
        kept = session.get_one(Milestone, "a").at
        assert session.scalar(select(Milestone.name).where(Milestone.at == at)) == "a"
    assert kept == at
    assert kept.utcoffset() == timedelta(0)


def test_an_instant_without_a_zone_is_refused(records: Records) -> None:
    def add() -> None:
        with records.writing() as session:
            session.add(Milestone(name="a", at=datetime(2026, 3, 1)))

    with pytest.raises(exc.StatementError, match="time zone"):
        add()


def test_now_is_in_utc() -> None:
    assert now().tzinfo is UTC
