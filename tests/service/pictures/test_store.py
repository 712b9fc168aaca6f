"""Which wafers are drawn, and with which prediction."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.service.conftest import add_person
from tests.service.made import NOON, add_wafer
from waferscope.errors import NotFoundError
from waferscope.service.parts import Parts
from waferscope.service.pictures import store
from waferscope.service.selection.filters import Origin
from waferscope.service.tables import Wafer
from waferscope.service.tables.row import now


def test_the_newest_of_a_filter(house: Parts) -> None:
    user = add_person(house, "annotator").id
    ids = [add_wafer(house, user, tested_at=NOON - timedelta(days=n)) for n in range(4)]
    add_wafer(house, user, product="P2")
    add_wafer(house, user, deleted_at=now())
    with house.records.reading() as session:
        found = store.newest_of(session, Origin(product="P1"), 3)
    assert [one.wafer_id for one in found] == ids[:3]


def test_the_wafers_of_a_lot_by_slot(house: Parts) -> None:
    user = add_person(house, "annotator").id
    ids = {slot: add_wafer(house, user, slot=slot) for slot in (3, None, 1)}
    with house.records.reading() as session:
        lot_id = session.get_one(Wafer, ids[3]).lot_id
        found = store.all_of_lot(session, lot_id, 9)
    assert [one.wafer_id for one in found] == [ids[1], ids[3], ids[None]]


def test_another_prediction_is_another_version(house: Parts) -> None:
    user = add_person(house, "annotator").id
    bare, seen = add_wafer(house, user), add_wafer(house, user, labels={"Loc": "pattern"})
    gone = add_wafer(house, user, deleted_at=now())
    with house.records.reading() as session:
        first, second = (store.stored_wafer(session, one) for one in (bare, seen))
        with pytest.raises(NotFoundError):
            store.stored_wafer(session, gone)
    assert first.prediction_id is None
    assert second.prediction_id is not None
    assert second.version.endswith(second.prediction_id)
