"""An order and its job are there together after a commit, or not at all."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import select

from tests.service.conftest import add_person
from waferscope.errors import ConflictError
from waferscope.service.ordered.order import Order, place
from waferscope.service.parts import Parts
from waferscope.service.tables import Batch, BatchItem


def test_an_order_makes_a_batch_and_its_job(house: Parts) -> None:
    user = add_person(house, "annotator").id
    order = Order(user, ["waf_b", "waf_a"], threshold=0.4, formats=("csv",), priority=3)
    with house.records.writing() as session:
        batch_id = place(session, house.queue, order).id
    with house.records.reading() as session:
        batch = session.get_one(Batch, batch_id)
        items = session.execute(select(BatchItem.position, BatchItem.wafer_id, BatchItem.state))
        assert sorted(items.tuples()) == [(0, "waf_b", "waiting"), (1, "waf_a", "waiting")]
    assert (batch.state, batch.total, batch.priority, batch.model_version) == ("queued", 2, 3, "")
    assert batch.request == {"threshold": 0.4, "model": None, "formats": ["csv"]}
    assert house.queue.state(batch_id) == "ENQUEUED"


def test_what_is_undone_was_not_ordered(house: Parts) -> None:
    user = add_person(house, "annotator").id
    with suppress(ConflictError), house.records.writing() as session:
        batch_id = place(session, house.queue, Order(user, ["waf_a"])).id
        raise ConflictError("undo it")
    assert house.queue.state(batch_id) is None
    with house.records.reading() as session:
        assert session.get(Batch, batch_id) is None
