"""The SQL of batches: whose they are, what waits, what was settled."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from tests.service.conftest import Person, add_person
from tests.service.made import add_wafer
from waferscope.errors import InputError, NotFoundError
from waferscope.service.batches import store
from waferscope.service.ordered.order import Order, place
from waferscope.service.paging import Place
from waferscope.service.parts import Parts
from waferscope.service.tables import Batch, BatchItem, Wafer
from waferscope.service.tables.row import now


@pytest.fixture
def person(house: Parts) -> Person:
    return add_person(house, "annotator")


@pytest.fixture
def ids(house: Parts, person: Person) -> list[str]:
    return [add_wafer(house, person.id, labels={"Loc": "pattern"}) for _ in range(4)]


@pytest.fixture
def batch_id(house: Parts, person: Person, ids: list[str]) -> str:
    with house.records.writing() as session:
        return place(session, house.queue, Order(user_id=person.id, wafer_ids=ids)).id


def settle(house: Parts, batch_id: str, done: dict[int, str], failed: dict[int, str]) -> Batch:
    with house.records.writing() as session:
        batch = store.get_batch(session, batch_id, None, hold=True)
        store.settle(session, batch, done, failed)
    return batch


def test_a_batch_is_its_owners(house: Parts, person: Person, batch_id: str) -> None:
    other = add_person(house, "annotator")
    with house.records.reading() as session:
        assert store.get_batch(session, batch_id, person.id).id == batch_id
        assert store.get_batch(session, batch_id, None).id == batch_id
        for wrong in ((batch_id, other.id), ("bat_none", None)):
            with pytest.raises(NotFoundError):
                store.get_batch(session, *wrong)
        listed = [store.list_batches(session, Place(9), one) for one in (None, person.id, other.id)]
    assert [len(rows) for rows in listed] == [1, 1, 0]


def test_wafers_of_lots_come_without_deleted_ones(house: Parts, ids: list[str]) -> None:
    with house.records.writing() as session:
        lot_id = session.get_one(Wafer, ids[0]).lot_id
        session.execute(update(Wafer).where(Wafer.id == ids[1]).values(deleted_at=now()))
        left = [ids[0], *ids[2:]]
        assert store.wafers_of_lots(session, [lot_id], 9) == sorted(left)
        assert store.wafers_of_lots(session, [lot_id], 2) == sorted(left)[:2]
        assert store.wafers_of_lots(session, ["lot_none"], 9) == []
        asked = ["lot_b", lot_id, "lot_a", "lot_b"]
        assert store.lots_without_wafers(session, asked) == ["lot_b", "lot_a"]


def test_those_of_a_range_that_wait_are_found(house: Parts, batch_id: str, ids: list[str]) -> None:
    settle(house, batch_id, {1: "pred_1"}, {})
    with house.records.writing() as session:
        session.execute(update(Wafer).where(Wafer.id == ids[2]).values(deleted_at=now()))
        found = store.waiting_items(session, batch_id, 0, 3)
        rest = store.waiting_items(session, batch_id, 3, 64)
    assert [(one.position, one.wafer_id) for one in found] == [(0, ids[0]), (2, ids[2])]
    assert found[0].blob is not None
    assert found[1].blob is None
    assert [one.position for one in rest] == [3]


def test_what_is_settled_stays_and_counts_once(house: Parts, batch_id: str) -> None:
    assert (settle(house, batch_id, {0: "pred_0"}, {1: "x" * 900}).done) == 1
    batch = settle(house, batch_id, {0: "pred_9", 1: "pred_9", 2: "pred_2"}, {3: "no"})
    assert (batch.done, batch.failed) == (2, 2)
    with house.records.reading() as session:
        rows = session.scalars(select(BatchItem).order_by(BatchItem.position)).all()
    assert [row.prediction_id for row in rows] == ["pred_0", None, "pred_2", None]
    assert rows[1].error == "x" * store.ERROR_LENGTH
    batch = settle(house, batch_id, {}, {})
    assert (batch.done, batch.failed) == (2, 2)


def test_settled_wafers_come_in_parts(house: Parts, batch_id: str, ids: list[str]) -> None:
    with house.records.reading() as session:
        kept = session.get_one(Wafer, ids[0]).prediction_id
    assert kept is not None
    settle(house, batch_id, {0: kept, 1: "pred_purged"}, {2: "damaged"})
    with house.records.reading() as session:
        first = store.settled_items(session, batch_id, -1, 3)
        rest = store.settled_items(session, batch_id, 2, 3)
    assert [one.position for one in [*first, *rest]] == [0, 1, 2, 3]
    assert first[0].wafer_blob is not None
    assert (first[0].prediction_id, first[2].prediction_id) == (kept, None)
    assert (first[1].wafer_blob, first[1].prediction_blob) == (None, None)
    assert first[2].error == "damaged"


def test_the_wafers_are_listed_by_state_and_place(house: Parts, batch_id: str) -> None:
    settle(house, batch_id, {1: "pred_1"}, {2: "no"})

    def positions(place: Place, state: str | None = None) -> list[int]:
        with house.records.reading() as session:
            return [row.position for row in store.list_items(session, batch_id, place, state)]

    assert positions(Place(9)) == [0, 1, 2, 3]
    assert positions(Place(1, (1,))) == [2, 3]
    assert positions(Place(9), "waiting") == [0, 3]
    assert positions(Place(9), "failed") == [2]
    with pytest.raises(InputError):
        positions(Place(9, ("waf_1",)))


def test_a_batch_ends_once(house: Parts, batch_id: str) -> None:
    with house.records.writing() as session:
        batch = store.get_batch(session, batch_id, None)
        store.end(session, batch, store.FAILED, "why")
        store.end(session, batch, store.DONE)
    assert (batch.state, batch.error) == (store.FAILED, "why")
    assert batch.finished_at is not None


def test_a_job_goes_on_with_an_open_batch_alone(house: Parts, batch_id: str) -> None:
    with house.records.writing() as session:
        assert store.open_batch(session, batch_id, hold=True) is not None
        store.end(session, store.get_batch(session, batch_id, None), store.CANCELLED)
        assert store.open_batch(session, batch_id) is None
        assert store.find_batch(session, batch_id) is not None
        assert store.find_batch(session, "bat_none") is None
        assert store.open_batch(session, "bat_none") is None


def test_a_deleted_batch_takes_its_list_along(house: Parts, batch_id: str) -> None:
    with house.records.writing() as session:
        store.delete_batch(session, store.get_batch(session, batch_id, None))
    with house.records.reading() as session:
        assert session.scalars(select(BatchItem)).all() == []
