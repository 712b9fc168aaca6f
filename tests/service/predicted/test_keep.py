"""Kept predictions: once per wafer, model and choices, shown on the wafer, told when critical."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import delete, func, select, update

from tests.service.conftest import Person, add_person
from tests.service.stored import make_wafer, store_wafers
from waferscope.infer import Predictor, load_predictor
from waferscope.service.parts import Parts
from waferscope.service.predicted.draft import Choices, Draft, draft
from waferscope.service.predicted.keep import keep
from waferscope.service.tables import (
    Delivery,
    Embedding,
    Prediction,
    Wafer,
    WaferLabel,
    Webhook,
)
from waferscope.service.tables.row import now

Made = tuple[list[str], list[Draft]]


@pytest.fixture
def person(house: Parts) -> Person:
    return add_person(house, "engineer")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load_predictor(threads=1)


@pytest.fixture
def made(house: Parts, person: Person, predictor: Predictor) -> Made:
    """Three stored wafers and the drafts of their predictions."""
    wafers = [make_wafer(seed) for seed in range(3)]
    ids = store_wafers(house, person.id, wafers)
    found = predictor.predict(wafers)
    drafts = [
        draft(house.blobs, wafer_id, person.id, prediction)
        for wafer_id, prediction in zip(ids, found, strict=True)
    ]
    return ids, drafts


def keep_all(house: Parts, drafts: Sequence[Draft]) -> dict[str, str]:
    with house.records.writing() as session:
        return keep(session, house.queue, drafts)


def count(house: Parts, table: type) -> int:
    with house.records.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def wafer(house: Parts, wafer_id: str) -> Wafer:
    with house.records.reading() as session:
        return session.get_one(Wafer, wafer_id)


def labels(house: Parts, wafer_id: str) -> set[tuple[str, str, int]]:
    with house.records.reading() as session:
        rows = session.scalars(select(WaferLabel).where(WaferLabel.wafer_id == wafer_id))
        return {(row.kind, row.label, row.dies) for row in rows}


def test_every_wafer_shows_its_prediction(house: Parts, made: Made) -> None:
    _, drafts = made
    kept = keep_all(house, drafts)
    assert kept == {one.wafer_id: one.id for one in drafts}
    for one in drafts:
        row = wafer(house, one.wafer_id)
        assert row.prediction_id == one.id
        assert row.label == (one.labels[0] if one.labels else "")
        assert (row.severity, row.severity_level) == (one.severity, one.severity_level)
        assert labels(house, one.wafer_id) == {(f.kind, f.label, f.dies) for f in one.found}
    with house.records.reading() as session:
        row_of = {row.wafer_id: row for row in session.scalars(select(Prediction))}
        vectors = {row.wafer_id: row for row in session.scalars(select(Embedding))}
    for one in drafts:
        assert row_of[one.wafer_id].metrics == one.metrics
        assert row_of[one.wafer_id].patterns == pytest.approx(one.patterns)
        vector = np.frombuffer(vectors[one.wafer_id].vector, "<f4")
        assert vector.size == vectors[one.wafer_id].size == len(one.embedding) // 4
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)


def test_keeping_twice_keeps_once(house: Parts, made: Made) -> None:
    _, drafts = made
    first = keep_all(house, drafts)
    assert keep_all(house, drafts) == first
    again = keep_all(house, [replace(one, id=f"{one.id}x") for one in drafts])
    assert again == first
    assert count(house, Prediction) == count(house, Embedding) == 3


def test_other_choices_are_another_prediction(house: Parts, made: Made) -> None:
    ids, drafts = made
    keep_all(house, drafts)
    found = replace(drafts[0], id="pred_new", choices=Choices(0.9), found=(), labels=())
    assert keep_all(house, [found]) == {ids[0]: "pred_new"}
    assert count(house, Prediction) == 4
    assert count(house, Embedding) == 3  # the place among all does not hang on a threshold
    row = wafer(house, ids[0])
    assert (row.prediction_id, row.label) == ("pred_new", "")
    assert labels(house, ids[0]) == set()
    keep_all(house, drafts)  # asked for again, the first one is the last one
    assert wafer(house, ids[0]).prediction_id == drafts[0].id


def test_what_was_deleted_meanwhile_is_left_out(house: Parts, made: Made) -> None:
    ids, drafts = made
    with house.records.writing() as session:
        session.execute(update(Wafer).where(Wafer.id == ids[0]).values(deleted_at=now()))
        session.execute(delete(Wafer).where(Wafer.id == ids[1]))
    assert set(keep_all(house, drafts)) == {ids[2]}
    assert keep_all(house, drafts[:2]) == {}
    assert count(house, Prediction) == 1


def test_two_who_keep_the_same_do_not_clash(house: Parts, made: Made) -> None:
    _, drafts = made
    found: list[dict[str, str]] = []

    def run(number: int) -> None:
        mine = [replace(one, id=f"pred_{number}_{i}") for i, one in enumerate(drafts)]
        found.append(keep_all(house, mine[:: 1 if number % 2 else -1]))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(one == found[0] for one in found)
    assert count(house, Prediction) == 3


def test_webhooks_hear_of_a_wafer_once_it_becomes_critical(
    house: Parts, person: Person, made: Made
) -> None:
    ids, drafts = made
    with house.records.writing() as session:
        session.add(
            Webhook(
                id="hook_1",
                user_id=person.id,
                url="https://example.com",
                events=["severity.alert"],
                salt="s",
                created_at=now(),
            )
        )
    severe = replace(drafts[0], severity=93.0, severity_level="critical")
    mild = replace(drafts[1], severity=12.0, severity_level="low")
    keep_all(house, [severe, mild])
    keep_all(house, [severe])
    with house.records.reading() as session:
        sent = session.scalars(select(Delivery)).all()
    assert [one.payload["wafer_map_id"] for one in sent] == [ids[0]]
    assert sent[0].payload["severity"] == 93.0
