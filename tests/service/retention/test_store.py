"""What the rules delete, what is purged for good, and what stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.service.conftest import People, add_person
from tests.service.made import add_wafer
from tests.service.uploads.files import lot_wafers, stdf
from waferscope.domain.retention import is_due
from waferscope.service.parts import Parts
from waferscope.service.retention import store
from waferscope.service.tables import Prediction, Upload, Wafer
from waferscope.service.tables.row import now


@pytest.mark.parametrize("rules", [{"": 30}, {"P1": 30}, {"": 10, "P1": 60}, {}])
def test_the_database_decides_as_the_rule_does(house: Parts, rules: dict[str, int]) -> None:
    user, at = add_person(house, "admin").id, now()
    wafers = {
        add_wafer(house, user, product=product, arrived_at=at - timedelta(days=age)): (product, age)
        for product in ("P1", "P2")
        for age in (5, 20, 40, 90)
    }
    with house.records.writing() as session:
        for product, days in rules.items():
            store.set_rule(session, user, product, days)
    with house.records.writing() as session:
        retired = store.retire(session, at)
    assert set(retired) == {
        wafer_id
        for wafer_id, (product, age) in wafers.items()
        if is_due(product, at - timedelta(days=age), rules, at)
    }
    with house.records.writing() as session:
        assert store.retire(session, at) == []


def test_no_more_than_one_transaction_bears(house: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "AT_A_TIME", 3)
    user, at = add_person(house, "admin").id, now()
    for product in ("P1", "P2"):
        for _ in range(4):
            add_wafer(house, user, product=product, arrived_at=at - timedelta(days=9))
    with house.records.writing() as session:
        store.set_rule(session, user, "", 1)
        store.set_rule(session, user, "P1", 1)
    counts = []
    for _ in range(4):
        with house.records.writing() as session:
            counts.append(len(store.retire(session, at)))
    assert counts == [3, 3, 2, 0]


def test_what_is_purged_takes_all_that_hung_on_it(people: People, house: Parts) -> None:
    user, at = add_person(house, "admin").id, now()
    old = add_wafer(house, user, labels={"Loc": "pattern"}, deleted_at=at - timedelta(days=31))
    fresh = add_wafer(house, user, labels={"Loc": "pattern"}, deleted_at=at - timedelta(days=29))
    with house.records.reading() as session:
        blob = session.get_one(Wafer, old).blob
    with house.records.writing() as session:
        assert store.purge(session, at, 30) == [blob]
    with house.records.reading() as session:
        assert list(session.scalars(select(Wafer.id))) == [fresh]
        assert list(session.scalars(select(Prediction.wafer_id))) == [fresh]


def test_a_file_goes_with_the_last_of_its_wafers(people: People, house: Parts) -> None:
    sender, admin = people("annotator"), people("admin")
    asked = {"file_name": "lot.stdf", "predict": "false"}
    sent = sender.post("/uploads", content=stdf(lot_wafers(2)), params=asked).json()
    first, second = (wafer["id"] for wafer in sent["wafers"])
    for wafer_id, left in ((first, 1), (second, 0)):
        admin.delete(f"/wafers/{wafer_id}")
        with house.records.writing() as session:
            blobs = store.purge(session, now() + timedelta(seconds=1), 0)
        for name in blobs:
            house.blobs.delete(name)
        with house.records.reading() as session:
            assert session.scalar(select(func.count()).select_from(Upload)) == min(left, 1)
        assert len(list(house.blobs.names("wafers"))) == left
        assert len(list(house.blobs.names("uploads"))) == min(left, 1)
    again = sender.post("/uploads", content=stdf(lot_wafers(2)), params=asked)
    assert again.status_code == 201
    assert again.json()["wafers_new"] == 2
