"""The SQL of readiness and figures: who was heard of lately, and which jobs wait."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import BigInteger, String, TableClause, column, func, select, table
from sqlalchemy.orm import Session

from waferscope.service.tables import Worker
from waferscope.service.tables.row import now

RECENT: Final = timedelta(seconds=30)
WAITING: Final = ("ENQUEUED", "DELAYED")


@dataclass(frozen=True)
class Tally:
    """How many jobs wait, for how many seconds the oldest has, and how many are in each state."""

    waiting: int
    oldest_s: float
    states: dict[str, int]


def count_workers(session: Session) -> int:
    """Return how many workers are alive."""
    alive = (Worker.stopped_at.is_(None), Worker.seen_at > now() - RECENT)
    return session.scalar(select(func.count()).select_from(Worker).where(*alive)) or 0


def tally_jobs(session: Session) -> Tally:
    """Count the jobs, in the table where DBOS keeps them."""
    jobs = _jobs(session)
    states = session.execute(select(jobs.c.status, func.count()).group_by(jobs.c.status)).all()
    waiting = jobs.c.status.in_(WAITING)
    oldest_ms = session.scalar(select(func.min(jobs.c.created_at)).where(waiting))
    counts = {str(state): int(count) for state, count in states}
    return Tally(
        waiting=sum(counts.get(state, 0) for state in WAITING),
        oldest_s=max(0.0, time.time() - oldest_ms / 1000) if oldest_ms else 0.0,
        states=counts,
    )


def _jobs(session: Session) -> TableClause:
    schema = "dbos" if session.get_bind().dialect.name == "postgresql" else None
    columns = (column("status", String), column("created_at", BigInteger))
    return table("workflow_status", *columns, schema=schema)
