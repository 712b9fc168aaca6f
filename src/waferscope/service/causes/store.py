"""The SQL of causes."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from waferscope.errors import NotFoundError
from waferscope.service.causes.schemas import Sought
from waferscope.service.ids import new_id
from waferscope.service.paging import Place
from waferscope.service.selection.store import is_live
from waferscope.service.store import newest_first
from waferscope.service.tables import Cause


def add_cause(session: Session, cause: Cause) -> Cause:
    """Add a cause."""
    cause.id = new_id("cause")
    session.add(cause)
    session.flush()
    return cause


def get_cause(session: Session, cause_id: str) -> Cause:
    """Return a cause. Raises NotFoundError; also for a cause of a deleted wafer."""
    found = session.scalar(select(Cause).where(Cause.id == cause_id, is_live(Cause.wafer_id)))
    if found is None:
        raise NotFoundError(f"Expected the id of a cause, got {cause_id!r}. Look into the list.")
    return found


def list_causes(session: Session, place: Place, sought: Sought) -> list[Cause]:
    """Return one cause more than the page has room for, newest first."""
    query = select(Cause).where(is_live(Cause.wafer_id))
    for column, value in (
        (Cause.wafer_id, sought.wafer_id),
        (Cause.label, sought.label),
        (Cause.user_id, sought.user_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if sought.text is not None:
        query = query.where(Cause.cause.icontains(sought.text, autoescape=True))
    return list(session.scalars(newest_first(query, Cause.id, place)))


def delete_cause(session: Session, cause: Cause) -> None:
    """Remove a cause."""
    session.delete(cause)
    session.flush()
