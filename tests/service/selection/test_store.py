"""Choosing wafers: each filter against a loop over the wafers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy import text as sql_text

from tests.service.conftest import add_person
from tests.service.made import NOON, add_wafer, insert_wafer
from waferscope.errors import NotFoundError
from waferscope.service.paging import Place
from waferscope.service.parts import Parts
from waferscope.service.selection import store
from waferscope.service.selection.filters import EVERYTHING, Origin, Wanted
from waferscope.service.tables import Wafer
from waferscope.service.tables.row import now
from waferscope.service.wafers.store import list_wafers

WAFERS: list[dict[str, Any]] = [
    {"lot": "L1", "product": "P1", "step": "CP1", "tester": "T1"},
    {"lot": "L1", "product": "P1", "step": "CP2", "tester": "T2", "labels": {"Loc": "pattern"}},
    {"lot": "L2", "product": "P1", "tested_at": NOON + timedelta(days=1), "text": "50%_a"},
    {"lot": "L3", "product": "P2", "tested_at": None, "labels": {"particle": "class"}},
    {"lot": "L3", "product": "P2", "severity_level": "critical", "text": "wafer 50x"},
]
Check = Callable[[dict[str, Any]], bool]


def measured(wafer: dict[str, Any]) -> Any:
    return wafer.get("tested_at", NOON) or now()


@pytest.mark.parametrize(
    ("wanted", "check"),
    [
        (EVERYTHING, lambda w: True),
        (Origin(product="P1"), lambda w: w["product"] == "P1"),
        (Wanted(lot="L3", product="P2"), lambda w: w["lot"] == "L3"),
        (Wanted(step="CP2"), lambda w: w.get("step") == "CP2"),
        (Origin(tester="T1"), lambda w: w.get("tester") == "T1"),
        (Wanted(label="Loc"), lambda w: "Loc" in w.get("labels", {})),
        (Wanted(label="particle"), lambda w: "particle" in w.get("labels", {})),
        (Wanted(severity="critical"), lambda w: w.get("severity_level") == "critical"),
        (Origin(since=NOON + timedelta(hours=1)), lambda w: measured(w) > NOON),
        (Origin(until=NOON + timedelta(hours=1)), lambda w: measured(w) <= NOON),
        (Origin(text="50%_"), lambda w: "50%_" in w.get("text", "")),
        (Origin(text="WAFER"), lambda w: "wafer" in w.get("text", "")),
        (Wanted(product="P2", label="Loc"), lambda w: False),
    ],
    ids=lambda value: repr(value)[:60] if isinstance(value, Origin) else "",
)
def test_wafers_agree_with_all_that_is_wanted(house: Parts, wanted: Origin, check: Check) -> None:
    user = add_person(house, "annotator").id
    with house.records.writing() as session:
        ids = [insert_wafer(session, user, **wafer) for wafer in WAFERS]
        session.get_one(Wafer, insert_wafer(session, user)).deleted_at = now()
        found = set(session.scalars(store.narrow(select(Wafer.id), wanted)))
    assert found == {id_ for id_, wafer in zip(ids, WAFERS, strict=True) if check(wafer)}


def test_a_deleted_wafer_is_not_found(house: Parts) -> None:
    user = add_person(house, "annotator").id
    with house.records.writing() as session:
        wafer = insert_wafer(session, user)
        assert store.get_wafer(session, wafer).id == wafer
        session.get_one(Wafer, wafer).deleted_at = now()
        for unknown in (wafer, "waf_0"):
            with pytest.raises(NotFoundError, match="id of a wafer"):
                store.get_wafer(session, unknown)


@pytest.mark.parametrize("common", [1, 2, store.COMMON])
@pytest.mark.parametrize("text", ["RED", "red_", "%", "re", "yellow"])
def test_a_part_finds_the_same_by_every_way(
    house: Parts, monkeypatch: pytest.MonkeyPatch, text: str, common: int
) -> None:
    user = add_person(house, "annotator").id
    ids = {name: add_wafer(house, user) for name in ("red_one", "redone", "blue")}
    with house.records.writing() as session:
        for name, wafer_id in ids.items():
            session.get_one(Wafer, wafer_id).text = name
    monkeypatch.setattr(store, "COMMON", common)
    with house.records.reading() as session:
        found = list_wafers(session, Wanted(text=text), "-dated", Place(50))
        few = store.is_among_few(session, text)
        if session.get_bind().dialect.name == "postgresql":
            assert session.scalar(sql_text("SHOW enable_seqscan")) == "on"
    right = {wafer_id for name, wafer_id in ids.items() if text.lower() in name}
    assert {wafer.id for wafer in found} == right
    if len(text) < 3 or len(right) > common:
        assert few is None
