"""The wafers of a batch go in together, in their order, however many they are."""

from __future__ import annotations

from sqlalchemy import func, select

from tests.service.conftest import add_person
from waferscope.service.ordered import store
from waferscope.service.parts import Parts
from waferscope.service.tables import Batch, BatchItem


def test_more_wafers_than_fit_into_a_statement(house: Parts) -> None:
    user, count = add_person(house, "annotator").id, store.AT_A_TIME + 3
    batch = Batch(id="bat_1", user_id=user, request={}, results={}, total=count)
    with house.records.writing() as session:
        store.add_batch(session, batch, [f"waf_{number}" for number in range(count)])
    last = select(BatchItem.wafer_id).where(BatchItem.position == count - 1)
    with house.records.reading() as session:
        assert session.scalar(select(func.count()).select_from(BatchItem)) == count
        assert session.scalar(last) == f"waf_{count - 1}"
