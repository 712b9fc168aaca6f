"""Counts over the wafers of lots, against a plain loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from tests.service.conftest import add_person
from tests.service.made import add_wafer
from waferscope.errors import NotFoundError
from waferscope.service.lots import store
from waferscope.service.paging import Place
from waferscope.service.parts import Parts
from waferscope.service.tables import Lot
from waferscope.service.tables.row import now


def test_counts_are_those_of_a_plain_loop(house: Parts, rng: np.random.Generator) -> None:
    user = add_person(house, "annotator").id
    wafers: list[dict[str, Any]] = [
        {
            "lot": f"L{rng.integers(3)}",
            "dies": int(rng.integers(0, 3)) * 40,
            "fails": int(rng.integers(0, 20)),
            "yield_share": float(rng.random()),
            "deleted_at": now() if rng.random() < 0.2 else None,
        }
        for _ in range(40)
    ]
    for wafer in wafers:
        add_wafer(house, user, **wafer)
    with house.records.reading() as session:
        counted = store.count_lots(session, list(session.scalars(select(Lot))))
    assert {lot.name for lot in counted} == {"L0", "L1", "L2"}
    for lot in counted:
        mine = [w for w in wafers if w["lot"] == lot.name and w["deleted_at"] is None]
        assert (lot.wafers, lot.predicted) == (len(mine), 0)
        assert lot.dies == sum(w["dies"] for w in mine)
        assert lot.fails == sum(w["fails"] for w in mine)
        yields = [w["yield_share"] for w in mine if w["dies"]]
        assert lot.mean_yield == pytest.approx(np.mean(yields))


def test_signs_of_a_search_stand_for_themselves(house: Parts) -> None:
    user = add_person(house, "annotator").id
    for name in ("A_1", "AB1", "A%1"):
        add_wafer(house, user, lot=name)
    with house.records.reading() as session:
        for text in ("a_1", "a%1"):
            (found,) = store.list_lots(session, Place(5), None, text)
            assert found.name.lower() == text
        with pytest.raises(NotFoundError):
            store.get_lot(session, "lot_x")


@pytest.mark.parametrize("text", ["ÄLOT", "älot", "Älot-1", "T-1", "t-1"])
@pytest.mark.parametrize("name", ["ÄLOT-1", "älot-1", "ÄloT-1"])
def test_letters_are_found_in_any_case(house: Parts, name: str, text: str) -> None:
    user = add_person(house, "annotator").id
    for lot in (name, "ALOT-2", "ß 3"):
        add_wafer(house, user, lot=lot)
    with house.records.reading() as session:
        (found,) = store.list_lots(session, Place(5), None, text)
        assert found.name == name


def test_every_sign_stands_for_itself(house: Parts) -> None:
    user, signs = add_person(house, "annotator").id, "".join(map(chr, range(32, 127))) + "ß µ 晶 İ"
    add_wafer(house, user, lot=signs)
    add_wafer(house, user, lot="A1")
    with house.records.reading() as session:
        for text in (signs, *signs):
            found = store.list_lots(session, Place(5), None, text)
            right = {signs} | ({"A1"} if text in "Aa1" else set())
            assert {one.name for one in found} == right, text
