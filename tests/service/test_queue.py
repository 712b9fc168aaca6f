"""Jobs that are asked for: with the transaction or not at all, once, in order, until cancelled."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from waferscope.errors import UnavailableError
from waferscope.service.db import Records
from waferscope.service.parts import Parts
from waferscope.service.queue import Job, JobQueue


def test_a_job_is_asked_for_with_the_transaction(house: Parts) -> None:
    with house.records.writing() as session:
        kept = house.queue.ask(session, Job("deliver_webhook", ("dlv_1", 1)))
        assert house.queue.state(kept) is None
    assert house.queue.state(kept) == "ENQUEUED"

    def fail() -> str:
        with house.records.writing() as session:
            undone.append(house.queue.ask(session, Job("deliver_webhook", ("dlv_2", 1))))
            raise KeyError

    undone: list[str] = []
    with pytest.raises(KeyError):
        fail()
    assert house.queue.state(undone[0]) is None


def test_words_are_kept_as_json(house: Parts, backend: str) -> None:
    with house.records.writing() as session:
        house.queue.ask(session, Job("deliver_webhook", ("ä", 1, 2.5, None, True), priority=3))
    table = "dbos.workflow_status" if backend == "servers" else "workflow_status"
    with house.records.reading() as session:
        columns = "serialization, priority, queue_name"
        row = session.execute(text(f"SELECT {columns} FROM {table}")).one()
    assert tuple(row) == ("portable_json", 3, "errands")  # never pickle


def test_a_fixed_id_is_asked_for_once(house: Parts) -> None:
    for _ in range(2):
        with house.records.writing() as session:
            assert house.queue.ask(session, Job("deliver_webhook", id="job_1")) == "job_1"
    assert house.queue.state("job_1") == "ENQUEUED"


def test_a_job_waits_and_is_cancelled(house: Parts) -> None:
    with house.records.writing() as session:
        job = Job("predict_batch", line="batches", delay_seconds=60)
        key = house.queue.ask(session, job)
    assert house.queue.state(key) == "DELAYED"
    house.queue.cancel(key)
    assert house.queue.state(key) == "CANCELLED"


def test_a_database_out_of_reach_is_said() -> None:
    queue = JobQueue(Records("postgresql+psycopg://nobody@127.0.0.1:9/none"))
    with pytest.raises(UnavailableError):
        queue.state("job_1")
    queue.close()
