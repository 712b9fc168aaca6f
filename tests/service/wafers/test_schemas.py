"""A wafer with all that is known of it."""

from __future__ import annotations

from tests.service.conftest import add_person
from tests.service.made import add_wafer
from tests.service.stored import make_wafer
from waferscope.service.parts import Parts
from waferscope.service.tables import Wafer
from waferscope.service.wafers.schemas import WaferFull
from waferscope.service.wafers.store import labels_of


def test_row_labels_and_map_come_together(house: Parts) -> None:
    user = add_person(house, "annotator").id
    wafer_id = add_wafer(house, user, labels={"Loc": "pattern", "particle": "class"})
    with house.records.reading() as session:
        wafer, labels = session.get_one(Wafer, wafer_id), labels_of(session, wafer_id)
    known = make_wafer(1, notch="left", die_width_mm=2.5)
    full = WaferFull.build(wafer, labels, known)
    assert [(one.label, one.kind) for one in full.labels] == [
        ("particle", "class"),
        ("Loc", "pattern"),
    ]
    assert (full.map["notch"], full.map["die_width_mm"]) == ("left", 2.5)
    assert "dies" not in full.map
    assert full.content == wafer.content
