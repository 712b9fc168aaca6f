"""The job that keeps to the rules of retention, asked for once a day by the first worker."""

from __future__ import annotations

from datetime import date
from typing import Final

import structlog

from waferscope.service.auth.identity import SYSTEM
from waferscope.service.jobs.steps import house, run_step
from waferscope.service.parts import Parts
from waferscope.service.queue import Job
from waferscope.service.retention import store
from waferscope.service.store import record
from waferscope.service.tables.row import now

RETAIN: Final = "retain"
"""Name of the job; its word is the day."""
_log = structlog.get_logger()


def ask_for(parts: Parts, day: date) -> str:
    """Ask for the job of a day; however often it is asked for, it is done once."""
    with parts.records.writing() as session:
        job = Job(RETAIN, (day.isoformat(),), id=f"{RETAIN}-{day.isoformat()}")
        return parts.queue.ask(session, job)


def retain(_day: str) -> int:
    """Delete what is due and purge what was deleted long ago; return how many wafers were due."""
    count = step = 0
    while some := run_step(f"retire {step}", retire_some):
        count, step = count + some, step + 1
    step = 0
    while blobs := run_step(f"purge {step}", purge_some):
        run_step(f"drop blobs {step}", drop_blobs, blobs)
        step += 1
    return count


def retire_some() -> int:
    """Delete some of the wafers that are due; return how many."""
    with house().records.writing() as session:
        retired = store.retire(session, now())
        if retired:
            record(session, SYSTEM, "retention.retire", wafers=len(retired), first=retired[0])
    return len(retired)


def purge_some() -> list[str]:
    """Remove some of the wafers that were deleted long ago; return the blobs left over."""
    with house().records.writing() as session:
        blobs = store.purge(session, now(), house().settings.deleted_days)
        if blobs:
            record(session, SYSTEM, "retention.purge", blobs=len(blobs))
    return blobs


def drop_blobs(names: list[str]) -> None:
    """Delete blobs that no row names any more; those that are gone already do not matter."""
    for name in names:
        house().blobs.delete(name)
    _log.info("purged", blobs=len(names))
