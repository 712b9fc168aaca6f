"""A wafer as lists show it."""

from __future__ import annotations

from tests.service.conftest import add_person
from tests.service.made import add_wafer
from waferscope.service.parts import Parts
from waferscope.service.selection.shown import WaferShown
from waferscope.service.tables import Wafer


def test_a_row_is_shown_by_its_fields(house: Parts) -> None:
    user = add_person(house, "annotator").id
    ids = [add_wafer(house, user, name="W1", slot=3), add_wafer(house, user, dies=0, fails=0)]
    with house.records.reading() as session:
        rows = [session.get_one(Wafer, wafer_id) for wafer_id in ids]
    whole, empty = (WaferShown.model_validate(row) for row in rows)
    assert (whole.id, whole.name, whole.slot, whole.lot) == (ids[0], "W1", 3, "L1")
    assert (whole.wafer_yield, empty.wafer_yield) == (0.9, None)
    assert (whole.severity, whole.deleted_at) == (None, None)
