"""The SQL of reading the audit trail."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from waferscope.service.audit.schemas import Wanted
from waferscope.service.paging import Place
from waferscope.service.store import newest_first
from waferscope.service.tables import AuditEntry


def list_entries(session: Session, place: Place, wanted: Wanted) -> list[AuditEntry]:
    """Return one entry more than the page has room for, newest first."""
    query = select(AuditEntry)
    for column, value in (
        (AuditEntry.actor_id, wanted.actor_id),
        (AuditEntry.action, wanted.action),
        (AuditEntry.target, wanted.target),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.at < wanted.until)
    return list(session.scalars(newest_first(query, AuditEntry.id, place)))
