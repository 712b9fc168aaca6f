"""A worker: a process that does jobs until it is told to stop, and takes over from dead ones."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer
from sqlalchemy.orm import Session

from waferscope.errors import ConfigError, UnavailableError
from waferscope.service.jobs import store
from waferscope.service.jobs.catalogue import JOBS
from waferscope.service.jobs.figures import showing
from waferscope.service.jobs.retain import ask_for
from waferscope.service.jobs.steps import GATE, move_in
from waferscope.service.migrate import require_newest
from waferscope.service.parts import Parts
from waferscope.service.queue import APPLICATION, VERSION
from waferscope.service.tables.row import now

BEAT_S: Final = 5
ERRANDS_AT_ONCE: Final = 8
POLL_S: Final = 0.5
_log = structlog.get_logger()


@dataclass(frozen=True)
class Badge:
    """Who a worker is."""

    name: str
    host: str
    pid: int


def new_badge(name: str = "") -> Badge:
    """Return the badge of this process, named after its host and process unless it has a name."""
    host, pid = socket.gethostname(), os.getpid()
    return Badge(name or f"{host}-{pid}", host, pid)


def work(house: Parts, badge: Badge, stop: threading.Event) -> bool:
    """Do jobs until ``stop`` is set; return whether every step that was begun came to its end.

    Raises ConfigError when the database is not that of this version, when the port of its figures
    is taken, and for a second worker on SQLite in production.
    """
    require_newest(house.records.engine)
    _require_alone(house, badge)
    with showing(house):
        return _work(house, badge, stop)


def _require_alone(house: Parts, badge: Badge) -> None:
    """Refuse a second worker where all would write to one SQLite file in production."""
    if not (house.settings.is_production and house.settings.uses_sqlite):
        return
    with house.records.writing() as session:
        _dismiss_dead(session, badge)
        others = store.others_at_work(session, badge.name)
    if others:
        raise ConfigError(
            f"Expected one worker on SQLite in production, got {badge.name} beside {others[0]}. "
            "Give WAFERSCOPE_RECORDS_URL a PostgreSQL database to run several."
        )


def _work(house: Parts, badge: Badge, stop: threading.Event) -> bool:
    move_in(house)
    GATE.open()
    _launch(house, badge)
    _log.info("worker started", worker=badge.name)
    since = now()
    day: date | None = None
    while True:
        _beat(house, badge, since)
        day = _daily(house, day)
        if stop.wait(BEAT_S):
            break
    calm = GATE.close(house.settings.shutdown_seconds)
    with house.records.writing() as session:
        store.check_out(session, badge.name)
    DBOS.destroy()
    _log.info("worker stopped", worker=badge.name, steps_ended=calm)
    return calm


def _launch(house: Parts, badge: Badge) -> None:
    config: DBOSConfig = {
        "name": APPLICATION,
        "system_database_url": house.records.engine.url.render_as_string(hide_password=False),
        "system_database_engine": house.records.write_engine,
        "serializer": DBOSPortableJSONSerializer(),
        "application_version": VERSION,
        "executor_id": badge.name,
        "run_migrations": False,
        "enable_otlp": False,
        "use_listen_notify": False,
        "log_level": "WARNING",
    }
    DBOS(config=config)
    for name, job in JOBS.items():
        DBOS.workflow(name=name)(job)
    DBOS.launch()
    long_ones = house.settings.job_concurrency
    DBOS.register_queue("batches", worker_concurrency=long_ones, polling_interval_sec=POLL_S)
    DBOS.register_queue("errands", worker_concurrency=ERRANDS_AT_ONCE, polling_interval_sec=POLL_S)


def _beat(house: Parts, badge: Badge, since: datetime) -> None:
    try:
        with house.records.writing() as session:
            store.check_in(session, badge.name, badge.host, badge.pid, since)
            _dismiss_dead(session, badge)
            lost = store.lost_workers(session, badge.name)
    except UnavailableError as error:
        _log.warning("the database is out of reach", worker=badge.name, cause=str(error))
        return
    if lost:
        # Recovery puts jobs back into their queue; whoever takes them goes on at the last step.
        DBOS._recover_pending_workflows(lost)
        with house.records.writing() as session:
            store.forget_workers(session, lost)


def _dismiss_dead(session: Session, badge: Badge) -> None:
    """Check out the workers of this machine whose processes are gone."""
    for worker in store.workers_here(session, badge.host):
        if worker.name != badge.name and not _lives(worker.pid):
            store.check_out(session, worker.name)


def _daily(house: Parts, last: date | None) -> date | None:
    """Ask for what is done once a day; return the day for which it has been asked."""
    today = now().date()
    if today == last:
        return last
    try:
        ask_for(house, today)
    except UnavailableError as error:
        _log.warning("the database is out of reach", cause=str(error))
        return last
    return today


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
