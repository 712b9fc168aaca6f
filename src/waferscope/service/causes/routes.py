"""What patterns turned out to be: ``/api/v1/causes``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from waferscope.errors import RightsError
from waferscope.service.auth.identity import Annotator, Identity, Viewer
from waferscope.service.auth.roles import Role
from waferscope.service.causes import store
from waferscope.service.causes.schemas import CauseChange, CauseShown, NewCause, Sought
from waferscope.service.db import Reads, Writes
from waferscope.service.idempotency import CallOnce
from waferscope.service.paging import Paging, page_of
from waferscope.service.schema import Page
from waferscope.service.selection.store import get_wafer
from waferscope.service.store import record
from waferscope.service.tables import Cause
from waferscope.service.tables.row import now

router = APIRouter(prefix="/causes", tags=["causes"])


@router.post("", status_code=201)
def create_cause(body: NewCause, who: Annotator, session: Writes, once: CallOnce) -> CauseShown:
    """Write down what a pattern turned out to be."""
    get_wafer(session, body.wafer_id)
    cause = store.add_cause(session, Cause(user_id=who.user_id, **body.model_dump()))
    record(session, who, "causes.create", cause.id, wafer=cause.wafer_id, cause=cause.cause)
    return once.keep(CauseShown.model_validate(cause))


@router.get("")
def list_causes(
    who: Viewer, session: Reads, page: Paging, sought: Annotated[Sought, Query()]
) -> Page[CauseShown]:
    """List the causes of wafers that are not deleted, newest first."""
    rows = store.list_causes(session, page, sought)
    return page_of(rows, page, lambda cause: [cause.id], CauseShown.model_validate)


@router.get("/{cause_id}")
def get_cause(cause_id: str, who: Viewer, session: Reads) -> CauseShown:
    """Show a cause."""
    return CauseShown.model_validate(store.get_cause(session, cause_id))


@router.patch("/{cause_id}")
def change_cause(cause_id: str, body: CauseChange, who: Annotator, session: Writes) -> CauseShown:
    """Change a cause of one's own."""
    cause = store.get_cause(session, cause_id)
    _require_own(cause, who)
    given = body.model_dump(exclude_none=True)
    before = {name: getattr(cause, name) for name in given}
    for name, value in given.items():
        setattr(cause, name, value)
    cause.updated_at = now()
    record(session, who, "causes.change", cause.id, before=before, after=given)
    return CauseShown.model_validate(cause)


@router.delete("/{cause_id}", status_code=204)
def delete_cause(cause_id: str, who: Annotator, session: Writes) -> None:
    """Remove a cause of one's own; an admin may remove any."""
    cause = store.get_cause(session, cause_id)
    if who.role != Role.ADMIN:
        _require_own(cause, who)
    record(session, who, "causes.delete", cause.id, wafer=cause.wafer_id, cause=cause.cause)
    store.delete_cause(session, cause)


def _require_own(cause: Cause, who: Identity) -> None:
    if cause.user_id != who.user_id:
        raise RightsError(
            f"Expected a cause of your own, got one that {cause.user_id} wrote. Write another one."
        )
