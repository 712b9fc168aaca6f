"""The tables of work beside requests: items go with their batch, deliveries with their webhook."""

from __future__ import annotations

from sqlalchemy import delete, func, select

from tests.service.conftest import add_person
from waferscope.service.parts import Parts
from waferscope.service.tables import Batch, BatchItem, Delivery, Webhook


def test_what_belongs_to_it_goes_with_it(house: Parts) -> None:
    person = add_person(house, "engineer")
    with house.records.writing() as session:
        session.add(Batch(id="bat_1", user_id=person.id, request={}, results={}))
        session.add(Webhook(id="hook_1", user_id=person.id, url="http://x/", events=[], salt="s"))
        session.flush()
        session.add_all(BatchItem(batch_id="bat_1", position=n, wafer_id="w") for n in range(3))
        session.add(Delivery(id="dlv_1", webhook_id="hook_1", event="ping", payload={}))
    with house.records.writing() as session:
        session.execute(delete(Batch))
        session.execute(delete(Webhook))
        for table in (BatchItem, Delivery):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_a_new_batch_waits(house: Parts) -> None:
    person = add_person(house, "engineer")
    with house.records.writing() as session:
        session.add(Batch(id="bat_1", user_id=person.id, request={"a": [1]}, results={}))
    with house.records.reading() as session:
        batch = session.get_one(Batch, "bat_1")
    assert (batch.state, batch.done, batch.request) == ("queued", 0, {"a": [1]})
