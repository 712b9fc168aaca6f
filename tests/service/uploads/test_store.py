"""The SQL of uploads: each content once, whoever adds it; lots by name and product."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sqlalchemy import func, select

from tests.service.conftest import add_person
from waferscope.domain.wafermap import WaferMap
from waferscope.service.ids import new_id
from waferscope.service.parts import Parts
from waferscope.service.tables import Lot, Wafer
from waferscope.service.tables.row import now
from waferscope.service.uploads import store
from waferscope.service.uploads.draft import Draft, Fill, build_drafts

DIES = np.array([[1, 2]])


def drafts(count: int, lot: str = "L1") -> list[Draft]:
    wafers = [WaferMap(DIES, wafer_id=f"W{n}", lot_id=lot, product="P1") for n in range(count)]
    return build_drafts(wafers, Fill(), now())


def add(house: Parts, user: str, some: list[Draft]) -> set[str]:
    with house.records.writing() as session:
        lots = store.add_lots(session, {draft.lot for draft in some}, now())
        rows = [{**d.row, "user_id": user, "lot_id": lots[d.lot]} for d in some]
        return store.add_wafers(session, rows)


def test_a_content_is_added_once_and_held_by_content(house: Parts) -> None:
    user, first, second = add_person(house, "annotator").id, drafts(3), drafts(5)
    assert add(house, user, first) == {draft.content for draft in first}
    assert add(house, user, second) == {draft.content for draft in second[3:]}
    with house.records.writing() as session:
        held = store.hold_wafers(session, [draft.content for draft in second])
        assert held == store.known_wafers(session, [draft.content for draft in second])
    assert [held[d.content].id for d in second[:3]] == [d.id for d in first]
    assert not any(known.deleted or known.predicted for known in held.values())


def test_many_who_add_the_same_add_it_once(house: Parts) -> None:
    """In orders that cross, which would lock each other out without one order for all."""
    user = add_person(house, "annotator").id
    some = [drafts(30)[:: 1 if number % 2 else -1] for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        added = list(pool.map(lambda one: add(house, user, one), some))
    assert sum(map(len, added)) == 30
    with house.records.reading() as session:
        assert session.scalar(select(func.count()).select_from(Wafer)) == 30
        assert session.scalar(select(func.count()).select_from(Lot)) == 1


def test_lots_are_told_apart_by_product(house: Parts) -> None:
    names = {("L1", "P1"), ("L1", "P2"), ("", "")}
    with house.records.writing() as session:
        first = store.add_lots(session, names, now())
    with house.records.writing() as session:
        assert store.add_lots(session, {*names, ("L2", "P1")}, now()).items() >= first.items()
    assert set(first) == names
    assert len(set(first.values())) == 3


def test_more_than_fits_into_a_statement(house: Parts) -> None:
    user, many = add_person(house, "annotator").id, drafts(store.AT_A_TIME + 7)
    assert len(add(house, user, many)) == len(many)
    with house.records.reading() as session:
        assert len(store.known_wafers(session, [d.content for d in many])) == len(many)
        ids = [draft.id for draft in many]
        assert store.unpredicted(session, [*ids, new_id("waf")]) == ids
