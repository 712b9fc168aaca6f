"""The SQL of workers: who is alive, and whose jobs are to be taken over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from waferscope.service.tables import Worker
from waferscope.service.tables.row import now

SILENT: Final = timedelta(seconds=30)
"""A worker that was not heard of for so long is dead."""


def check_in(session: Session, name: str, host: str, pid: int, since: datetime) -> None:
    """Write that a worker is alive."""
    worker = session.get(Worker, name)
    if worker is None:
        worker = Worker(name=name, host=host, pid=pid, started_at=since, seen_at=now())
        session.add(worker)
    worker.host, worker.pid, worker.started_at = host, pid, since
    worker.seen_at, worker.stopped_at = now(), None


def check_out(session: Session, name: str) -> None:
    """Write that a worker has stopped of its own will."""
    worker = session.get(Worker, name)
    if worker is not None:
        worker.stopped_at = now()


def workers_here(session: Session, host: str) -> list[Worker]:
    """Return the workers of this machine that have not said goodbye."""
    query = select(Worker).where(Worker.host == host, Worker.stopped_at.is_(None))
    return list(session.scalars(query))


def others_at_work(session: Session, but: str) -> list[str]:
    """Return the names of the workers, but one, that were heard of lately and did not stop."""
    alive = (Worker.seen_at >= now() - SILENT, Worker.stopped_at.is_(None), Worker.name != but)
    return list(session.scalars(select(Worker.name).where(*alive)))


def lost_workers(session: Session, but: str) -> list[str]:
    """Return the names of the workers, but one, whose jobs nobody does any more."""
    silent = or_(Worker.seen_at < now() - SILENT, Worker.stopped_at.is_not(None))
    return list(session.scalars(select(Worker.name).where(silent, Worker.name != but)))


def forget_workers(session: Session, names: list[str]) -> None:
    """Forget workers whose jobs were taken over."""
    session.execute(delete(Worker).where(Worker.name.in_(names)))
