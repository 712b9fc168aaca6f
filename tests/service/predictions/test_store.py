"""Finding stored wafers to predict, and predictions that are kept."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.service.conftest import Person, add_person
from tests.service.made import MODEL, add_wafer
from waferscope.errors import NotFoundError
from waferscope.service.paging import Place
from waferscope.service.parts import Parts
from waferscope.service.predicted.draft import Choices
from waferscope.service.predictions import store
from waferscope.service.tables import Prediction, Wafer
from waferscope.service.tables.row import now


@pytest.fixture
def person(house: Parts) -> Person:
    return add_person(house, "annotator")


def delete_wafer(house: Parts, wafer_id: str) -> None:
    with house.records.writing() as session:
        session.execute(update(Wafer).where(Wafer.id == wafer_id).values(deleted_at=now()))


def prediction_of(house: Parts, wafer_id: str) -> str:
    with house.records.reading() as session:
        return str(session.get_one(Wafer, wafer_id).prediction_id)


def test_wafers_are_found_in_the_order_asked_for(house: Parts, person: Person) -> None:
    ids = [add_wafer(house, person.id) for _ in range(4)]
    wanted = [ids[2], ids[0], ids[3], ids[0]]
    with house.records.reading() as session:
        found = store.stored_wafers(session, wanted, MODEL, Choices())
    assert [one.wafer_id for one in found] == wanted
    assert {one.prediction_id for one in found} == {None}


def test_a_kept_prediction_comes_along_if_it_is_the_same(house: Parts, person: Person) -> None:
    wafer_id = add_wafer(house, person.id, labels={"Loc": "pattern"})
    with house.records.writing() as session:
        session.execute(
            update(Prediction).values(options_sha=Choices(0.5).sha256, blob="predictions/aa/aa")
        )
    for model, choices, is_found in (
        (MODEL, Choices(0.5), True),
        (MODEL, Choices(), False),
        ("other", Choices(0.5), False),
    ):
        with house.records.reading() as session:
            (one,) = store.stored_wafers(session, [wafer_id], model, choices)
        assert one.prediction_blob == ("predictions/aa/aa" if is_found else None)
        assert (one.prediction_id is not None) == is_found


def test_wafers_that_are_not_there_are_named(house: Parts, person: Person) -> None:
    there, gone = add_wafer(house, person.id), add_wafer(house, person.id)
    delete_wafer(house, gone)
    with (
        house.records.reading() as session,
        pytest.raises(NotFoundError, match=f"got {gone}, waf_x") as refused,
    ):
        store.stored_wafers(session, [there, gone, "waf_x"], MODEL, Choices())
    assert there not in str(refused.value)


def test_predictions_are_listed_by_what_they_say(house: Parts, person: Person) -> None:
    ids = [add_wafer(house, person.id, labels={"Loc": "pattern"}) for _ in range(3)]
    kept = [prediction_of(house, one) for one in ids]
    gone = add_wafer(house, person.id, labels={"Loc": "pattern"})
    delete_wafer(house, gone)

    def listed(limit: int = 50, after: tuple[str, ...] = (), **wanted: str | None) -> list[str]:
        with house.records.reading() as session:
            rows = store.list_predictions(session, Place(limit, after), wanted)
        return [row.id for row in rows]

    assert listed() == kept[::-1]
    assert listed(wafer_id=ids[1]) == [kept[1]]
    assert listed(wafer_id=None, severity_level="medium") == kept[::-1]
    assert listed(severity_level="low") == listed(model_version="none") == []
    assert listed(1) == kept[:0:-1]
    assert listed(50, (kept[1],)) == [kept[0]]


def test_a_prediction_of_a_deleted_wafer_is_gone(house: Parts, person: Person) -> None:
    wafer_id = add_wafer(house, person.id, labels={"Loc": "pattern"})
    prediction_id = prediction_of(house, wafer_id)
    with house.records.reading() as session:
        assert store.kept_prediction(session, prediction_id).wafer_id == wafer_id
    delete_wafer(house, wafer_id)
    for one in (prediction_id, "pred_none"):
        with house.records.reading() as session, pytest.raises(NotFoundError, match=one):
            store.kept_prediction(session, one)
