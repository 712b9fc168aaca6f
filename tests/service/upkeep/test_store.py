"""The SQL of upkeep: tables in order, a view of one instant, and what is empty."""

from __future__ import annotations

import sqlalchemy as sa

from tests.service.conftest import add_person
from waferscope.service.parts import Parts
from waferscope.service.tables import Milestone, Row
from waferscope.service.upkeep import store


def test_tables_come_after_those_that_they_refer_to(house: Parts) -> None:
    with house.records.engine.connect() as connection:
        tables = store.all_tables(connection)
    names = [table.name for table in tables]
    assert set(Row.metadata.tables) <= set(names)
    assert "workflow_status" in names
    assert set(names) & store.BORN_WITH == set()
    for place, table in enumerate(tables):
        for key in table.foreign_keys:
            assert names.index(key.column.table.name) <= place


def test_a_snapshot_does_not_see_what_comes_later(house: Parts) -> None:
    count = sa.select(sa.func.count()).select_from(Milestone)
    with store.snapshot(house.records.engine) as connection, connection.begin():
        before = connection.scalar(count)
        with house.records.writing() as session:
            session.add(Milestone(name="later"))
        assert connection.scalar(count) == before


def test_a_house_with_people_is_not_empty(house: Parts) -> None:
    with house.records.engine.connect() as connection:
        assert store.is_empty(connection)
    add_person(house, "viewer")
    with house.records.engine.connect() as connection:
        assert not store.is_empty(connection)
