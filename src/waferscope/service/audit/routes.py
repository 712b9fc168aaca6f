"""Reading the audit trail: ``/api/v1/audit``, for admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from waferscope.service.audit import store
from waferscope.service.audit.schemas import EntryShown, Wanted
from waferscope.service.auth.identity import Admin
from waferscope.service.db import Reads
from waferscope.service.paging import Paging, page_of
from waferscope.service.schema import Page

router = APIRouter(prefix="/audit", tags=["audit"])


@router.get("")
def list_entries(
    who: Admin, session: Reads, page: Paging, wanted: Annotated[Wanted, Query()]
) -> Page[EntryShown]:
    """List who did what, newest first."""
    rows = store.list_entries(session, page, wanted)
    return page_of(rows, page, lambda entry: [entry.id], EntryShown.model_validate)
