"""The SQL of embeddings: what is read, in parts, and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from tests.service.conftest import add_person
from tests.service.made import MODEL, add_embedding, insert_wafer
from waferscope.errors import NotFoundError
from waferscope.service.parts import Parts
from waferscope.service.selection.filters import EVERYTHING, Wanted
from waferscope.service.similar import store
from waferscope.service.tables import Cause, Wafer, WaferLabel
from waferscope.service.tables.row import now

AXES = np.eye(4, dtype=np.float32)


def test_the_newest_embedding_of_a_wafer_or_that_of_a_model(house: Parts) -> None:
    user = add_person(house, "annotator").id
    with house.records.writing() as session:
        wafer = insert_wafer(session, user, embedding=AXES[0])
        add_embedding(session, wafer, AXES[1], model="2")
        assert store.get_embedding(session, wafer, None).model_version == "2"
        assert store.get_embedding(session, wafer, MODEL).vector == AXES[0].tobytes()
        assert store.size_of(session, "2") == 4
        with pytest.raises(NotFoundError, match="by model '3'"):
            store.get_embedding(session, wafer, "3")
        with pytest.raises(NotFoundError, match="model that wafers were predicted by"):
            store.size_of(session, "3")
        session.get_one(Wafer, wafer).deleted_at = now()
        session.flush()
        with pytest.raises(NotFoundError, match="Predict it first"):
            store.get_embedding(session, wafer, None)


def test_vectors_come_in_parts_under_their_numbers(
    house: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "STATEMENT", 2)
    monkeypatch.setattr(store, "READ_AT_ONCE", 2)
    user = add_person(house, "annotator").id
    with house.records.writing() as session:
        for i in range(5):
            insert_wafer(session, user, embedding=AXES[i % 4], product=f"P{i % 2}")
        listed = store.numbers_after(session, MODEL, 0, 10)
        numbers = [number for number, _ in listed]
        assert numbers == sorted(numbers)
        assert store.numbers_after(session, MODEL, numbers[1], 2) == listed[2:4]
        parts = list(store.vectors_of(session, MODEL, numbers))
        assert [len(given) for given, _ in parts] == [2, 2, 1]
        assert {int(n) for given, _ in parts for n in given} == set(numbers)
        for given, vectors in parts:
            for number, vector in zip(given, vectors, strict=True):
                assert vector.tolist() == AXES[numbers.index(number) % 4].tolist()
        odd = store.matching_numbers(session, MODEL, Wanted(product="P1"), None)
        assert set(odd.tolist()) == {numbers[1], numbers[3]}
        assert len(store.matching_numbers(session, MODEL, EVERYTHING, 3)) == 3
        asked = np.array([*numbers, 10**6])
        assert set(store.known_numbers(session, asked).tolist()) == set(numbers)
        found = store.candidates(session, asked, Wanted(product="P1"))
        assert {one.number for one in found} == {numbers[1], numbers[3]}
        assert all(one.wafer.product == "P1" for one in found)


def test_labels_and_causes_are_told_by_wafer(house: Parts) -> None:
    user = add_person(house, "annotator").id
    with house.records.writing() as session:
        first, second = (insert_wafer(session, user) for _ in range(2))
        for label, kind, probability, dies in (
            ("edge", "class", None, 9),
            ("Loc", "pattern", 0.6, 0),
            ("particle", "class", None, 30),
            ("Scratch", "pattern", 0.9, 0),
        ):
            session.add(
                WaferLabel(
                    wafer_id=first, label=label, kind=kind, probability=probability, dies=dies
                )
            )
        for number in range(2):
            session.add(
                Cause(id=f"cause_{number}", wafer_id=first, user_id=user, cause=str(number))
            )
        session.flush()
        labels = store.labels_of(session, [first, second])
        assert {id_: [one.label for one in rows] for id_, rows in labels.items()} == {
            first: ["Scratch", "Loc", "particle", "edge"]
        }
        causes = store.causes_of(session, [first, second])
        assert [one.cause for one in causes[first]] == ["1", "0"]
        assert set(causes) == {first}
