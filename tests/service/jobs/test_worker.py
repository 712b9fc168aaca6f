"""Workers: killed ones lose nothing, stopped ones say so, misplaced ones do not start."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import pytest

from tests.service.jobs.conftest import eventually, program, working
from tests.service.jobs.test_deliver import delivery, send
from tests.service.receiver import receiving
from waferscope.errors import ConfigError
from waferscope.service.jobs.store import check_in, check_out
from waferscope.service.jobs.worker import _lives, new_badge, work
from waferscope.service.migrate import downgrade
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings
from waferscope.service.tables import Worker
from waferscope.service.tables.row import now


def test_a_killed_worker_loses_nothing(house: Parts, settings: Settings) -> None:
    arrived, answering = threading.Event(), threading.Event()

    def answer(number: int) -> int:
        if number == 0:
            arrived.set()
            answering.wait(60)
        return 204

    with receiving(answer) as receiver:
        open_to = settings.model_copy(update={"webhook_hosts": (receiver.host,)})
        key, _ = send(house, receiver.url)
        with program(open_to, "work", "--name", "victim") as worker:
            assert arrived.wait(60)
            worker.kill()
            worker.wait()
        answering.set()
        assert delivery(house, key).state == "waiting"
        with program(open_to, "work", "--name", "heir"):
            eventually(lambda: delivery(house, key).state == "delivered", 60)
    assert len(receiver.got) == 2
    with house.records.reading() as session:
        assert session.get(Worker, "victim") is None


def test_a_worker_that_stops_says_so(house: Parts) -> None:
    with house.records.writing() as session:
        check_in(session, "old", "elsewhere", 1, now())
    with working(house, "w2"):
        pass
    with house.records.reading() as session:
        assert session.get_one(Worker, "w2").stopped_at is not None
        assert session.get_one(Worker, "old").stopped_at is None


def test_an_older_database_is_refused(house: Parts) -> None:
    downgrade(house.records.engine, "-1")
    with pytest.raises(ConfigError, match="waferscope serve"):
        work(house, new_badge(), threading.Event())


def test_sqlite_in_production_has_one_worker(house: Parts) -> None:
    badge, other = new_badge("second"), threading.Event()
    other.set()
    production = replace(house, settings=house.settings.model_copy(update={"mode": "production"}))
    with house.records.writing() as session:
        check_in(session, "dead", badge.host, 2**22 + 1, now())
        check_in(session, "first", "elsewhere", 1, now())
    if house.settings.uses_sqlite:
        with pytest.raises(ConfigError, match="second beside first"):
            work(production, badge, other)
        with house.records.writing() as session:
            check_out(session, "first")
    assert work(production, badge, other)


def test_a_badge_names_host_and_process() -> None:
    badge = new_badge()
    assert badge.name == f"{badge.host}-{os.getpid()}"
    assert new_badge("night").name == "night"


def test_a_process_lives_or_does_not() -> None:
    assert _lives(os.getpid())
    assert _lives(1)
    assert not _lives(2**22 + 1)
