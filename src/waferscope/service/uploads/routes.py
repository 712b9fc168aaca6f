"""Uploads: ``/api/v1/uploads``, for annotators to send and for everybody to see."""

from __future__ import annotations

from typing import Annotated, Any, Final

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from waferscope.service.auth.identity import Annotator, Viewer
from waferscope.service.db import Reads
from waferscope.service.disposition import attachment
from waferscope.service.paging import Paging, page_of
from waferscope.service.parts import House
from waferscope.service.received import FIELD, FORM, received
from waferscope.service.schema import Page
from waferscope.service.uploads import store
from waferscope.service.uploads.intake import arrive, take_in
from waferscope.service.uploads.schemas import (
    UploadMade,
    UploadParameters,
    UploadShown,
    WaferTaken,
)

router = APIRouter(prefix="/uploads", tags=["uploads"])
AT_ONCE: Final = 4
"""Files that a process reads at a time; others wait. It bounds what a rush takes of memory."""
_readers: Final[RunVar[CapacityLimiter]] = RunVar("waferscope-uploads")
_FILE: Final = {"type": "string", "format": "binary"}
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {"schema": {"type": "object", "properties": {FIELD: _FILE}, "required": [FIELD]}},
            "application/octet-stream": {"schema": _FILE},
        },
    }
}
"""A form with the file, or the file itself."""


def _limit() -> CapacityLimiter:
    """Return the limit of this event loop."""
    limit = _readers.get(None)
    if limit is None:
        limit = CapacityLimiter(AT_ONCE)
        _readers.set(limit)
    return limit


@router.post(
    "",
    status_code=201,
    openapi_extra=BODY,
    responses={200: {"model": UploadMade, "description": "The same file was taken in before"}},
)
async def create_upload(
    request: Request,
    response: Response,
    asked: Annotated[UploadParameters, Query()],
    who: Annotator,
    house: House,
    key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            max_length=200,
            description="any text; a repeated call under it gets the first answer, for a day",
        ),
    ] = "",
) -> UploadMade:
    """Take in a file of any format that is read: all of its wafers, or nothing.

    The file is the body, or the field ``file`` of a form. An archive may hold many files; those
    that cannot be read are named in ``failures``. Wafers that are here already are not added again.
    """
    async with received(request, asked.file_name) as path:
        arrival = await to_thread.run_sync(arrive, path, who, asked, key)
        made = await to_thread.run_sync(take_in, house, arrival, limiter=_limit())
    response.status_code = 200 if made.repeated else 201
    return made


@router.get("")
def list_uploads(
    who: Viewer,
    session: Reads,
    page: Paging,
    user_id: Annotated[str | None, Query(max_length=40, description="sent by this user")] = None,
) -> Page[UploadShown]:
    """List the files that arrived, newest first."""
    rows = store.list_uploads(session, page, user_id)
    return page_of(rows, page, lambda row: [row.id], UploadShown.model_validate)


@router.get("/{upload_id}")
def get_upload(upload_id: str, who: Viewer, session: Reads) -> UploadShown:
    """Show what became of a file."""
    return UploadShown.model_validate(store.get_upload(session, upload_id))


@router.get("/{upload_id}/wafers")
def list_wafers(upload_id: str, who: Viewer, session: Reads, page: Paging) -> Page[WaferTaken]:
    """List the wafers of a file in its order, but deleted ones."""
    store.get_upload(session, upload_id)
    rows = store.wafers_of(session, upload_id, page)
    return page_of(rows, page, lambda row: [row.position], WaferTaken.model_validate)


@router.get(
    "/{upload_id}/file",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def get_file(upload_id: str, who: Viewer, house: House) -> StreamingResponse:
    """Fetch a file as it arrived, byte by byte."""
    with house.records.reading() as session:
        upload = store.get_upload(session, upload_id)
    return attachment(house.blobs.stream(upload.blob), upload.file_name, upload.size)
