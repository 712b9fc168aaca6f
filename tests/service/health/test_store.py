"""The SQL of readiness and figures."""

from __future__ import annotations

from datetime import timedelta

from waferscope.service.health import store
from waferscope.service.jobs.store import check_in, check_out
from waferscope.service.parts import Parts
from waferscope.service.queue import Job
from waferscope.service.tables import Worker
from waferscope.service.tables.row import now


def test_workers_alive_are_counted(house: Parts) -> None:
    with house.records.writing() as session:
        for name in ("a", "b", "c"):
            check_in(session, name, "here", 1, now())
        session.flush()
        check_out(session, "b")
        session.get_one(Worker, "c").seen_at = now() - timedelta(minutes=1)
    with house.records.reading() as session:
        assert store.count_workers(session) == 1


def test_jobs_are_counted_by_state(house: Parts) -> None:
    with house.records.reading() as session:
        assert store.tally_jobs(session) == store.Tally(0, 0.0, {})
    with house.records.writing() as session:
        house.queue.ask(session, Job("a"))
        house.queue.ask(session, Job("a", delay_seconds=60))
        stopped = house.queue.ask(session, Job("a"))
    house.queue.cancel(stopped)
    with house.records.reading() as session:
        tally = store.tally_jobs(session)
    assert tally.waiting == 2
    assert tally.states == {"ENQUEUED": 1, "DELAYED": 1, "CANCELLED": 1}
    assert 0 <= tally.oldest_s < 60
