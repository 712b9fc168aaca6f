"""The files of a batch: written in one pass, written again without harm, without what is gone."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from tests.service.conftest import add_person
from tests.service.stored import make_wafer, store_wafers
from waferscope.errors import FullError
from waferscope.service.batches import store
from waferscope.service.jobs import results
from waferscope.service.jobs.predict_batch import predict_wafers, start_batch
from waferscope.service.ordered.order import Order, place
from waferscope.service.parts import Parts
from waferscope.service.tables import Prediction

Predicted = Callable[..., str]


@pytest.fixture
def predicted(moved_in: Parts) -> Predicted:
    """Call it with formats for the id of a batch whose three wafers are predicted."""

    def predict(*formats: str) -> str:
        person = add_person(moved_in, "annotator")
        ids = store_wafers(moved_in, person.id, [make_wafer(seed, 12) for seed in range(3)])
        with moved_in.records.writing() as session:
            order = Order(user_id=person.id, wafer_ids=ids, formats=formats)
            batch_id = place(session, moved_in.queue, order).id
        start_batch(batch_id)
        predict_wafers(batch_id, 0)
        return batch_id

    return predict


def test_writing_twice_leaves_one_of_each(moved_in: Parts, predicted: Predicted) -> None:
    batch_id = predicted("csv", "json")
    first = results.write_results(batch_id)
    content = {name: moved_in.blobs.get(blob) for name, blob in first.items()}
    assert results.write_results(batch_id) == first
    assert {name: moved_in.blobs.get(blob) for name, blob in first.items()} == content
    assert set(moved_in.blobs.names("exports")) == set(first.values())
    assert set(first) == {"csv", "json"}


def test_what_cannot_be_read_any_more_is_listed(moved_in: Parts, predicted: Predicted) -> None:
    batch_id = predicted("csv")
    with moved_in.records.writing() as session:
        rows = session.scalars(select(Prediction).order_by(Prediction.wafer_id)).all()
        moved_in.blobs.delete(rows[0].blob)
        session.delete(rows[1])
    written = results.write_results(batch_id)
    table = moved_in.blobs.get(written["csv"]).decode().splitlines()
    listed = moved_in.blobs.get(written["failures"]).decode().splitlines()
    assert len(table) == 1 + 1
    assert len(listed) == 1 + 2
    assert any("deleted before" in line for line in listed)


def test_without_a_prediction_there_is_only_the_list(moved_in: Parts, predicted: Predicted) -> None:
    batch_id = predicted("csv", "coco", "zip")
    for name in list(moved_in.blobs.names("predictions")):
        moved_in.blobs.delete(name)
    assert set(results.write_results(batch_id)) == {"failures"}


def test_a_cancelled_batch_is_not_written_on(moved_in: Parts, predicted: Predicted) -> None:
    batch_id = predicted("csv")
    with moved_in.records.writing() as session:
        store.end(session, store.get_batch(session, batch_id, None), store.CANCELLED)
    assert results.write_results(batch_id) == {}


def test_a_batch_cancelled_while_it_is_written_puts_nothing_away(
    moved_in: Parts, predicted: Predicted, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = predicted("csv", "json")
    monkeypatch.setattr(results, "AT_A_TIME", 1)
    read = results._prediction

    def cancel(item: store.Settled) -> Any:
        with moved_in.records.writing() as session:
            store.end(session, store.get_batch(session, batch_id, None), store.CANCELLED)
        return read(item)

    monkeypatch.setattr(results, "_prediction", cancel)
    assert results.write_results(batch_id) == {}
    assert list(moved_in.blobs.names("exports")) == []


def test_a_full_disk_is_named(
    moved_in: Parts, predicted: Predicted, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = predicted("json")

    def fail(code: int) -> Callable[..., bytes]:
        def raising(*_: object) -> bytes:
            raise OSError(code, "no")

        return raising

    monkeypatch.setattr("waferscope.service.jobs.sinks.json_row", fail(errno.ENOSPC))
    with pytest.raises(FullError, match="room for results"):
        results.write_results(batch_id)
    monkeypatch.setattr("waferscope.service.jobs.sinks.json_row", fail(errno.EACCES))
    with pytest.raises(PermissionError):
        results.write_results(batch_id)
