"""The SQL of workers: alive, gone, and whose jobs are to be taken over."""

from __future__ import annotations

from datetime import timedelta

from waferscope.service.db import Records
from waferscope.service.jobs import store
from waferscope.service.tables import Worker
from waferscope.service.tables.row import now


def check_in(records: Records, name: str, seconds_ago: float = 0, host: str = "here") -> None:
    with records.writing() as session:
        store.check_in(session, name, host, 1, now())
        session.flush()
        session.get_one(Worker, name).seen_at = now() - timedelta(seconds=seconds_ago)


def test_the_lost_are_the_silent_and_the_stopped(records: Records) -> None:
    for name, ago in (("own", 99), ("alive", 29), ("silent", 31), ("stopped", 0)):
        check_in(records, name, ago)
    with records.writing() as session:
        store.check_out(session, "stopped")
        store.check_out(session, "none")
        session.flush()
        assert set(store.lost_workers(session, "own")) == {"silent", "stopped"}


def test_those_at_work_were_heard_of_lately_and_did_not_stop(records: Records) -> None:
    for name, ago in (("own", 0), ("alive", 29), ("silent", 31), ("stopped", 0)):
        check_in(records, name, ago)
    with records.writing() as session:
        store.check_out(session, "stopped")
        session.flush()
        assert store.others_at_work(session, "own") == ["alive"]


def test_who_comes_back_is_not_lost(records: Records) -> None:
    check_in(records, "one", 99)
    check_in(records, "one")
    with records.reading() as session:
        assert store.lost_workers(session, "") == []


def test_workers_of_a_machine_are_told_apart(records: Records) -> None:
    check_in(records, "one")
    check_in(records, "two", host="there")
    with records.reading() as session:
        assert [worker.name for worker in store.workers_here(session, "here")] == ["one"]


def test_those_taken_over_are_forgotten(records: Records) -> None:
    check_in(records, "one", 99)
    check_in(records, "two", 99)
    with records.writing() as session:
        store.forget_workers(session, ["one"])
    with records.reading() as session:
        assert store.lost_workers(session, "") == ["two"]
