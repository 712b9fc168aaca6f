"""Batches as jobs: nothing twice, nothing lost, none dropped, whatever happens to the worker."""

from __future__ import annotations

import csv
import functools
import io
import shutil
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, make_url, select, update

from tests.service.conftest import Person, add_person
from tests.service.disks import filled, house_on
from tests.service.gateway import gateway
from tests.service.jobs.conftest import eventually, program, working
from tests.service.stored import make_wafer, store_wafers
from waferscope.errors import ModelError, UnavailableError
from waferscope.service.batches import store
from waferscope.service.jobs import predict_batch as job
from waferscope.service.jobs.results import write_results
from waferscope.service.ordered.order import Order, place
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings
from waferscope.service.tables import Batch, BatchItem, Delivery, Prediction, Wafer, Webhook
from waferscope.service.tables.row import now
from waferscope.service.upkeep.check import check

MANY = 2_000
OUTAGE_S = 10


@pytest.fixture
def person(house: Parts) -> Person:
    return add_person(house, "engineer")


def order(house: Parts, person: Person, wafer_ids: Sequence[str], **more: Any) -> str:
    with house.records.writing() as session:
        wanted = Order(user_id=person.id, wafer_ids=wafer_ids, **more)
        return place(session, house.queue, wanted).id


def batch_of(house: Parts, batch_id: str) -> Batch:
    with house.records.reading() as session:
        return store.get_batch(session, batch_id, None)


def has_done(house: Parts, batch_id: str, wafers: int) -> bool:
    return batch_of(house, batch_id).done >= wafers


def items(house: Parts, batch_id: str) -> list[BatchItem]:
    query = select(BatchItem).where(BatchItem.batch_id == batch_id).order_by(BatchItem.position)
    with house.records.reading() as session:
        return list(session.scalars(query))


def add_webhook(house: Parts, person: Person, event: str) -> None:
    with house.records.writing() as session:
        session.add(
            Webhook(
                id="hook_1",
                user_id=person.id,
                url="https://example.com",
                events=[event],
                salt="s",
                created_at=now(),
            )
        )


def count(house: Parts, column: Any) -> int:
    with house.records.reading() as session:
        return session.scalar(select(func.count(column.distinct()))) or 0


def test_a_killed_worker_leaves_nothing_out_and_nothing_double(
    house: Parts, settings: Settings, person: Person
) -> None:
    ids = store_wafers(house, person.id, [make_wafer(seed, 12) for seed in range(MANY)])
    add_webhook(house, person, "batch.done")
    batch_id = order(house, person, ids, formats=["csv"])
    for share in (0.1, 0.4):
        enough = functools.partial(has_done, house, batch_id, int(share * MANY))
        with program(settings, "work", "--name", f"victim-{share}") as worker:
            eventually(enough, 300)
            worker.kill()
            worker.wait()
        assert batch_of(house, batch_id).state == store.RUNNING
        assert batch_of(house, batch_id).done < MANY
    with program(settings, "work", "--name", "heir"):
        eventually(lambda: batch_of(house, batch_id).state not in store.OPEN, 600)
    batch = batch_of(house, batch_id)
    assert (batch.state, batch.done, batch.failed) == (store.DONE, MANY, 0), batch.error
    assert count(house, Prediction.id) == count(house, Prediction.wafer_id) == MANY
    assert len(list(house.blobs.names("predictions"))) == MANY
    assert all(item.state == "done" and item.prediction_id for item in items(house, batch_id))
    table = house.blobs.get(batch.results["csv"]).decode()
    names = [row["wafer_id"] for row in csv.DictReader(io.StringIO(table))]
    assert names == [f"W{seed:04d}" for seed in range(MANY)]
    assert count(house, Delivery.id) == 1


def test_a_worker_told_to_stop_ends_its_step_and_another_goes_on(
    house: Parts, settings: Settings, person: Person
) -> None:
    ids = store_wafers(house, person.id, [make_wafer(seed, 12) for seed in range(MANY // 5)])
    batch_id = order(house, person, ids, formats=["csv"])
    with program(settings, "work", "--name", "tired") as worker:
        eventually(functools.partial(has_done, house, batch_id, 1), 300)
        worker.terminate()
        assert worker.wait(60) == 0
    stopped = batch_of(house, batch_id)
    assert stopped.state == store.RUNNING
    settled = [one for one in items(house, batch_id) if one.state == "done"]
    assert len(settled) == stopped.done == count(house, Prediction.id) < len(ids)
    with program(settings, "work", "--name", "rested"):
        eventually(lambda: batch_of(house, batch_id).state not in store.OPEN, 300)
    assert batch_of(house, batch_id).done == count(house, Prediction.id) == len(ids)


def test_what_fails_is_listed_and_the_rest_is_done(house: Parts, person: Person) -> None:
    ids = store_wafers(house, person.id, [make_wafer(seed, 12) for seed in range(5)])
    with house.records.writing() as session:
        session.execute(update(Wafer).where(Wafer.id == ids[1]).values(deleted_at=now()))
        blobs = dict(session.execute(select(Wafer.id, Wafer.blob)).tuples().all())
    house.blobs.delete(blobs[ids[2]])
    house.blobs.put(blobs[ids[3]], b"damaged")
    batch_id = order(house, person, [*ids, "waf_none"], formats=["csv"])
    with working(house):
        eventually(lambda: batch_of(house, batch_id).state not in store.OPEN, 120)
    batch = batch_of(house, batch_id)
    assert (batch.state, batch.done, batch.failed) == (store.DONE, 2, 4)
    found = items(house, batch_id)
    assert [one.state for one in found] == ["done", *["failed"] * 3, "done", "failed"]
    assert "deleted" in found[1].error
    assert "blob" in found[2].error
    assert "stored here" in found[3].error
    listed = house.blobs.get(batch.results["failures"]).decode().splitlines()
    assert [line.split(",")[1] for line in listed] == ["wafer_map_id", *ids[1:4], "waf_none"]


def test_a_step_done_twice_counts_once(moved_in: Parts, person: Person) -> None:
    ids = store_wafers(moved_in, person.id, [make_wafer(seed, 12) for seed in range(3)])
    batch_id = order(moved_in, person, ids)
    assert job.start_batch(batch_id) == job.start_batch(batch_id) == 3
    assert job.predict_wafers(batch_id, 0)
    assert job.predict_wafers(batch_id, 0)
    assert batch_of(moved_in, batch_id).done == 3
    assert count(moved_in, Prediction.id) == 3
    job.finish_batch(batch_id, {"csv": "exports/aa/bb"})
    job.finish_batch(batch_id, {})
    batch = batch_of(moved_in, batch_id)
    assert (batch.state, batch.results) == (store.DONE, {"csv": "exports/aa/bb"})


def test_a_cancelled_batch_stops_at_its_next_step(moved_in: Parts, person: Person) -> None:
    ids = store_wafers(moved_in, person.id, [make_wafer(seed, 12) for seed in range(3)])
    batch_id = order(moved_in, person, ids)
    job.start_batch(batch_id)
    with moved_in.records.writing() as session:
        store.end(session, store.get_batch(session, batch_id, None), store.CANCELLED)
    assert not job.predict_wafers(batch_id, 0)
    assert job.start_batch(batch_id) == 0
    job.finish_batch(batch_id, {})
    job.fail_batch(batch_id, "too late")
    batch = batch_of(moved_in, batch_id)
    assert (batch.state, batch.done, batch.error) == (store.CANCELLED, 0, "")


def test_files_of_a_batch_cancelled_at_its_end_go(moved_in: Parts, person: Person) -> None:
    ids = store_wafers(moved_in, person.id, [make_wafer(1, 12)])
    kept, gone = (order(moved_in, person, ids, formats=["csv"]) for _ in range(2))
    written = {}
    for batch_id in (kept, gone):
        job.start_batch(batch_id)
        job.predict_wafers(batch_id, 0)
        written[batch_id] = write_results(batch_id)
    with moved_in.records.writing() as session:
        store.end(session, store.get_batch(session, gone, None), store.CANCELLED)
    for batch_id in (kept, gone, kept, gone):  # a step may run again
        job.finish_batch(batch_id, written[batch_id])
    assert list(moved_in.blobs.names("exports")) == list(written[kept].values())
    assert batch_of(moved_in, kept).results == written[kept]
    assert batch_of(moved_in, gone).state == store.CANCELLED


@pytest.mark.parametrize("forget", [False, True], ids=["kept", "deleted"])
def test_what_is_predicted_when_a_batch_is_cancelled_is_kept(
    moved_in: Parts, person: Person, monkeypatch: pytest.MonkeyPatch, forget: bool
) -> None:
    ids = store_wafers(moved_in, person.id, [make_wafer(seed, 12) for seed in range(2)])
    batch_id = order(moved_in, person, ids)
    predict = moved_in.engine.predict

    def cancelled_meanwhile(*words: Any) -> Any:
        with moved_in.records.writing() as session:
            batch = store.get_batch(session, batch_id, None)
            store.end(session, batch, store.CANCELLED)
            if forget:
                store.delete_batch(session, batch)
        return predict(*words)

    monkeypatch.setattr(moved_in.engine, "predict", cancelled_meanwhile)
    job.start_batch(batch_id)
    assert not job.predict_wafers(batch_id, 0)
    assert count(moved_in, Prediction.id) == 2
    assert check(moved_in, young=timedelta(0)).is_sound
    if not forget:
        batch = batch_of(moved_in, batch_id)
        assert (batch.state, batch.done) == (store.CANCELLED, 2)


def test_steps_of_a_deleted_batch_do_nothing(moved_in: Parts) -> None:
    moved_in.blobs.put("exports/ne/bat_none/csv", b"put before it was deleted")
    assert job.start_batch("bat_none") == 0
    assert not job.predict_wafers("bat_none", 0)
    assert write_results("bat_none") == {}
    job.finish_batch("bat_none", {})
    assert list(moved_in.blobs.names("exports")) == []
    job.fail_batch("bat_none", "too late")


def test_a_batch_that_fails_at_its_files_leaves_none(
    house: Parts, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = store_wafers(house, person.id, [make_wafer(1, 12)])
    batch_id = order(house, person, ids, formats=["csv", "json"])
    put = house.blobs.put_file

    def stumble(name: str, path: Path) -> None:
        if name.endswith("/json"):
            raise ZeroDivisionError
        put(name, path)

    monkeypatch.setattr(house.blobs, "put_file", stumble)
    with working(house):
        eventually(lambda: house.queue.state(batch_id) == "ERROR", 60)
    assert batch_of(house, batch_id).state == store.FAILED
    assert list(house.blobs.names("exports")) == []


def test_a_batch_for_another_model_fails_and_says_why(house: Parts, person: Person) -> None:
    ids = store_wafers(house, person.id, [make_wafer(1, 12)])
    batch_id = order(house, person, ids, model="9.9")
    with working(house):
        eventually(lambda: batch_of(house, batch_id).state not in store.OPEN, 60)
    batch = batch_of(house, batch_id)
    assert batch.state == store.FAILED
    assert "'9.9'" in batch.error


def test_a_fault_is_told_without_its_insides(
    house: Parts, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(job, "unpack_wafer", stumble)
    ids = store_wafers(house, person.id, [make_wafer(1, 12)])
    batch_id = order(house, person, ids)
    with working(house):
        eventually(lambda: batch_of(house, batch_id).state not in store.OPEN, 60)
    batch = batch_of(house, batch_id)
    assert (batch.state, batch.error) == (store.FAILED, job.FAULT)


def test_one_bad_wafer_does_not_spoil_its_company(
    moved_in: Parts, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = store_wafers(moved_in, person.id, [make_wafer(seed, 12) for seed in range(4)])
    predict = moved_in.engine.predict

    def choosy(wafers: Sequence[Any], threshold: float | None = None) -> Any:
        if any(wafer.wafer_id == "W0002" for wafer in wafers):
            raise ModelError("Expected finite numbers, got NaN.")
        return predict(wafers, threshold)

    monkeypatch.setattr(moved_in.engine, "predict", choosy)
    batch_id = order(moved_in, person, ids)
    job.start_batch(batch_id)
    assert job.predict_wafers(batch_id, 0)
    assert [one.state for one in items(moved_in, batch_id)] == ["done", "done", "failed", "done"]


def test_a_blob_store_that_is_away_is_waited_for(
    house: Parts, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = store_wafers(house, person.id, [make_wafer(seed, 12) for seed in range(3)])
    batch_id = order(house, person, ids)
    put, failures = house.blobs.put, iter([True, True])

    def away(name: str, content: bytes) -> None:
        if next(failures, False):
            raise UnavailableError("The blob store cannot be reached.")
        put(name, content)

    monkeypatch.setattr(house.blobs, "put", away)
    with working(house):
        eventually(lambda: batch_of(house, batch_id).state not in store.OPEN, 60)
    batch = batch_of(house, batch_id)
    assert (batch.state, batch.done, batch.failed) == (store.DONE, 3, 0), batch.error


def test_priority_comes_before_age(
    house: Parts, settings: Settings, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    single = settings.model_copy(update={"job_concurrency": 1})
    (wafer,) = store_wafers(house, person.id, [make_wafer(1, 12)])
    ordered = [order(house, person, [wafer], priority=level) for level in (9, 5, 1)]
    with program(single, "work", "--name", "w1"):
        eventually(
            lambda: all(batch_of(house, one).state not in store.OPEN for one in ordered), 120
        )
    began = [batch_of(house, one).started_at for one in ordered]
    assert all(began)
    assert began[2] == min(began, key=str)


@pytest.mark.parametrize("backend", ["servers"], indirect=True)
def test_a_batch_goes_on_after_ten_seconds_without_a_database(
    house: Parts, settings: Settings, person: Person
) -> None:
    ids = store_wafers(house, person.id, [make_wafer(seed, 12) for seed in range(600)])
    batch_id = order(house, person, ids, formats=["csv"])
    url = make_url(settings.records_url)
    with gateway(url.port or 0) as way:
        roundabout = url.set(port=way.port).render_as_string(hide_password=False)
        far = settings.model_copy(update={"records_url": roundabout})
        with program(far, "work", "--name", "w1") as worker:
            eventually(functools.partial(has_done, house, batch_id, 64), 300)
            way.cut()
            done = batch_of(house, batch_id).done
            assert done < len(ids)
            time.sleep(OUTAGE_S)
            assert batch_of(house, batch_id).done <= done + job.WAFERS_PER_STEP
            assert worker.poll() is None
            way.mend()
            eventually(lambda: batch_of(house, batch_id).state not in store.OPEN, 300)
    batch = batch_of(house, batch_id)
    assert (batch.state, batch.done, batch.failed) == (store.DONE, len(ids), 0), batch.error
    assert count(house, Prediction.id) == len(ids)


@pytest.mark.parametrize("backend", ["embedded"], indirect=True)
def test_a_batch_waits_while_the_disk_is_full(
    settings: Settings, migrated_file: Path, tmp_path: Path
) -> None:
    with house_on(tmp_path / "disk", "12m", settings, migrated_file) as house:
        disk, person = house.settings.home, add_person(house, "annotator")
        ids = store_wafers(house, person.id, [make_wafer(seed, 24) for seed in range(150)])
        with program(house.settings, "work", "--name", "w1") as worker:
            batch_id = order(house, person, ids, formats=["csv"])
            with filled(disk, left=60_000):
                # Full: nothing of the batch is lost or called failed, it is only not yet done.
                eventually(lambda: shutil.disk_usage(disk).free < 16_384, 60)
                time.sleep(2)
                assert batch_of(house, batch_id).state in store.OPEN
            eventually(lambda: batch_of(house, batch_id).state not in store.OPEN, 300)
            assert worker.poll() is None
        batch = batch_of(house, batch_id)
        assert (batch.state, batch.done, batch.failed) == (store.DONE, len(ids), 0), batch.error
        assert count(house, Prediction.id) == len(ids)
        assert check(house, young=timedelta(0)).is_sound
