"""The SQL of keeping predictions, each statement for itself."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from tests.service.conftest import Person, add_person
from tests.service.stored import make_wafer, store_wafers
from waferscope.service.parts import Parts
from waferscope.service.predicted import store
from waferscope.service.predicted.draft import Choices, Draft
from waferscope.service.tables import Embedding, Prediction, Wafer, WaferLabel
from waferscope.service.tables.row import now


@pytest.fixture
def person(house: Parts) -> Person:
    return add_person(house, "annotator")


@pytest.fixture
def ids(house: Parts, person: Person) -> list[str]:
    return store_wafers(house, person.id, [make_wafer(seed, 6) for seed in range(3)])


def make(wafer_id: str, user_id: str, model: str = "1", threshold: float | None = None) -> Draft:
    """A draft without a blob."""
    return Draft(
        wafer_id=wafer_id,
        user_id=user_id,
        choices=Choices(threshold),
        blob="predictions/aa/aa",
        model_version=model,
        labels=("Loc",),
        patterns={"Loc": 0.75},
        metrics={"affected": 3},
        severity=41.5,
        severity_level="medium",
        found=(),
        embedding=bytes(8),
    )


def test_wafers_that_are_there_are_held(house: Parts, ids: list[str]) -> None:
    with house.records.writing() as session:
        session.execute(update(Wafer).where(Wafer.id == ids[0]).values(deleted_at=now()))
        session.execute(update(Wafer).where(Wafer.id == ids[1]).values(severity_level="low"))
        held = store.hold_wafers(session, [*ids, "waf_none"])
    assert held == {ids[1]: "low", ids[2]: ""}


def test_what_is_kept_is_known_by_wafer_model_and_choices(
    house: Parts, person: Person, ids: list[str]
) -> None:
    kept = make(ids[0], person.id)
    others = [
        make(ids[1], person.id),
        make(ids[0], person.id, model="2"),
        make(ids[0], person.id, threshold=0.5),
    ]
    with house.records.writing() as session:
        store.add_predictions(session, [kept])
        store.add_predictions(session, [])
        found = store.kept_already(session, [make(ids[0], person.id), *others])
    assert found == {(ids[0], "1", Choices().sha256): kept.id}
    with house.records.reading() as session:
        row = session.scalars(select(Prediction)).one()
    assert (row.severity, row.labels, row.options) == (41.5, ["Loc"], {"threshold": None})


def test_an_embedding_is_added_once_per_model(house: Parts, person: Person, ids: list[str]) -> None:
    drafts = [make(ids[0], person.id), make(ids[0], person.id, model="2")]
    with house.records.writing() as session:
        store.add_embeddings(session, drafts[:1])
        store.add_embeddings(session, drafts)
        store.add_embeddings(session, drafts)
    with house.records.reading() as session:
        rows = session.scalars(select(Embedding).order_by(Embedding.number)).all()
    assert [(row.model_version, row.size) for row in rows] == [("1", 2), ("2", 2)]


def test_a_wafer_shows_the_last_prediction_alone(
    house: Parts, person: Person, ids: list[str]
) -> None:
    one = make(ids[0], person.id)
    with house.records.writing() as session:
        session.add(WaferLabel(wafer_id=ids[0], label="Donut", kind="pattern"))
        session.flush()
        store.show_on_wafers(session, [one], ["pred_7"])
    with house.records.reading() as session:
        row = session.get_one(Wafer, ids[0])
        left = session.scalars(select(WaferLabel)).all()
        other = session.get_one(Wafer, ids[1])
    assert (row.prediction_id, row.label, row.severity_level) == ("pred_7", "Loc", "medium")
    assert left == []
    assert other.prediction_id is None
