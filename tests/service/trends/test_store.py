"""The SQL of trends: where a day begins, and what stands for a test date."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from tests.service.conftest import add_person
from tests.service.made import insert_wafer
from waferscope.service.parts import Parts
from waferscope.service.selection.filters import Origin
from waferscope.service.tables.row import now
from waferscope.service.trends import store
from waferscope.service.trends.schemas import Charting

DAYS = Charting(by="day")
TAIPEI = timezone(timedelta(hours=8))


def test_a_day_is_one_of_utc(house: Parts) -> None:
    user = add_person(house, "annotator").id
    with house.records.writing() as session:
        for at in (
            datetime(2026, 3, 2, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2026, 3, 3, 7, 59, tzinfo=TAIPEI),
            datetime(2026, 3, 3, 8, 0, tzinfo=TAIPEI),
        ):
            insert_wafer(session, user, tested_at=at, labels={"Loc": "pattern"})
        groups = store.newest_groups(session, Origin(), DAYS)
        assert [(one.key, one.wafers) for one in groups] == [("2026-03-02", 2), ("2026-03-03", 1)]
        assert groups[0].at == datetime(2026, 3, 2, 23, 59, tzinfo=UTC)
        counts = store.count_labels(session, Origin(), DAYS, groups)
        assert counts == {"Loc": {"2026-03-02": 2, "2026-03-03": 1}}


def test_without_a_test_date_the_day_of_arrival_counts(house: Parts) -> None:
    user = add_person(house, "annotator").id
    with house.records.writing() as session:
        insert_wafer(session, user, tested_at=None, labels={})
        (group,) = store.newest_groups(session, Origin(), DAYS)
        assert abs(date.fromisoformat(group.key) - now().date()) <= timedelta(days=1)
        assert store.count_labels(session, Origin(), DAYS, [group]) == {}
