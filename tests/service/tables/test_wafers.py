"""Wafers' tables: what goes with a wafer, and what may be there once."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, exc, func, select

from tests.service.conftest import add_person
from tests.service.made import add_wafer
from waferscope.service.parts import Parts
from waferscope.service.tables import Cause, Embedding, Flag, Lot, Prediction, Wafer, WaferLabel


def test_what_was_seen_on_a_wafer_goes_with_it(house: Parts) -> None:
    person = add_person(house, "annotator")
    key = add_wafer(house, person.id, labels={"edge": "class"}, embedding=[1.0, 0.0])
    with house.records.writing() as session:
        session.add(Cause(id="cause_1", wafer_id=key, user_id=person.id, cause="chuck"))
        session.add(Flag(id="flag_1", wafer_id=key, user_id=person.id, note="no"))
    with house.records.writing() as session:
        session.execute(delete(Wafer))
        for table in (Cause, Embedding, Flag, Prediction, WaferLabel):
            assert session.scalar(select(func.count()).select_from(table)) == 0


@pytest.mark.parametrize("other", ["P1", "P2"])
def test_a_lot_is_there_once_in_its_product(house: Parts, other: str) -> None:
    def add() -> None:
        with house.records.writing() as session:
            session.add(Lot(id="lot_1", name="L", product="P1"))
            session.add(Lot(id="lot_2", name="L", product=other))

    if other == "P2":
        add()
        return
    with pytest.raises(exc.IntegrityError):
        add()
