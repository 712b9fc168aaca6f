"""Wafers: ``/api/v1/wafers``, for everybody to find and to look at, for admins to delete."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from waferscope.errors import RightsError
from waferscope.service.auth.identity import Admin, Viewer
from waferscope.service.auth.roles import Role
from waferscope.service.db import Reads, Writes
from waferscope.service.disposition import attachment
from waferscope.service.etag import KEPT, is_known, tag_of, unchanged
from waferscope.service.paging import Paging, page_of
from waferscope.service.parts import House, Parts
from waferscope.service.pictures import draw
from waferscope.service.pictures.answer import Drawing, answer_drawing
from waferscope.service.pictures.schemas import PICTURE, Side, SmallSide, StackShown
from waferscope.service.pictures.store import Stored, newest_of, stored_wafer
from waferscope.service.schema import Page
from waferscope.service.selection.filters import Filters, Wanted
from waferscope.service.selection.shown import WaferShown
from waferscope.service.selection.store import get_wafer
from waferscope.service.store import record
from waferscope.service.wafer_file import unpack_wafer
from waferscope.service.wafers import store
from waferscope.service.wafers.schemas import Sort, WaferFull

router = APIRouter(prefix="/wafers", tags=["wafers"])
MOST_STACKED: Final = 1000
Most = Annotated[
    int, Query(ge=1, le=MOST_STACKED, description="most wafers to stack, the newest ones")
]
BYTES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {"application/octet-stream": {}},
        "headers": {
            "X-Rows": {"schema": {"type": "integer"}},
            "X-Cols": {"schema": {"type": "integer"}},
            "X-Dtype": {"schema": {"type": "string"}},
        },
        "description": "uint8 by rows: 0 no die, 1 pass, 2 fail",
    },
    304: {"description": "The client has them already"},
}


@router.get("")
def list_wafers(
    who: Viewer,
    session: Reads,
    wanted: Filters,
    page: Paging,
    sort: Sort = "-dated",
    deleted: Annotated[bool, Query(description="deleted ones instead; for admins")] = False,
) -> Page[WaferShown]:
    """List wafers, those of the newest date first."""
    if deleted and not who.role.covers(Role.ADMIN):
        raise RightsError("Expected the role admin to see deleted wafers. Leave `deleted` out.")
    rows = store.list_wafers(session, wanted, sort, page, deleted=deleted)
    return page_of(rows, page, partial(store.cursor_of, sort), WaferShown.model_validate)


@router.get("/stack", response_model=StackShown)
async def get_stack(
    request: Request, who: Viewer, house: House, wanted: Filters, most: Most = MOST_STACKED
) -> Response:
    """Lay the wafers of a filter over each other: how often each position fails."""
    stored = await run_in_threadpool(_newest, house, wanted, most)
    drawing = Drawing(
        "stack",
        [one.content for one in stored],
        lambda: draw.stack_json(draw.stack_stored(house.blobs, stored)),
        media="application/json",
    )
    return await answer_drawing(house, request, drawing)


@router.get("/stack.png", response_class=Response, responses=PICTURE)
async def draw_stack(
    request: Request,
    who: Viewer,
    house: House,
    wanted: Filters,
    most: Most = MOST_STACKED,
    side: Side = 640,
) -> Response:
    """Draw the wafers of a filter laid over each other, as rates of fails."""
    stored = await run_in_threadpool(_newest, house, wanted, most)
    drawing = Drawing(
        "stack.png",
        [str(side), *(one.content for one in stored)],
        lambda: draw.stack_png(draw.stack_stored(house.blobs, stored), side),
    )
    return await answer_drawing(house, request, drawing)


@router.get(
    "/{wafer_id}",
    response_model=WaferFull,
    responses={304: {"description": "The client has it already"}},
)
def show_wafer(wafer_id: str, request: Request, who: Viewer, house: House) -> Response:
    """Show all that is known of a wafer but its dies."""
    with house.records.reading() as session:
        wafer = get_wafer(session, wafer_id)
        labels = store.labels_of(session, wafer_id)
    tag = tag_of(wafer.content, wafer.prediction_id or "", wafer.created_at.isoformat())
    if is_known(request, tag):
        return unchanged(tag)
    shown = WaferFull.build(wafer, labels, unpack_wafer(house.blobs.get(wafer.blob)))
    headers = {"ETag": tag, "Cache-Control": KEPT}
    return Response(shown.model_dump_json(), media_type="application/json", headers=headers)


@router.get("/{wafer_id}/dies", response_class=Response, responses=BYTES)
def get_dies(wafer_id: str, request: Request, who: Viewer, house: House) -> Response:
    """Fetch the dies of a wafer as they are: one byte each, by rows from the top."""
    stored = _stored(house, wafer_id)
    tag = tag_of(stored.content)
    if is_known(request, tag):
        return unchanged(tag)
    dies = draw.open_wafer(house.blobs, stored).dies
    rows, cols = dies.shape
    headers = {"X-Rows": str(rows), "X-Cols": str(cols), "X-Dtype": "uint8"}
    headers |= {"ETag": tag, "Cache-Control": KEPT}
    return Response(dies.tobytes(), media_type="application/octet-stream", headers=headers)


@router.get("/{wafer_id}/image.png", response_class=Response, responses=PICTURE)
async def draw_wafer(
    wafer_id: str,
    request: Request,
    who: Viewer,
    house: House,
    overlay: Annotated[bool, Query(description="with what was found, where it is known")] = True,
) -> Response:
    """Draw a page about a wafer: its map, its figures, and what was found on it."""
    stored = await run_in_threadpool(_stored, house, wafer_id)
    drawn = partial(draw.draw_wafer, house.blobs, stored, overlay=overlay)
    drawing = Drawing("image", [stored.version, str(overlay)], drawn)
    return await answer_drawing(house, request, drawing)


@router.get("/{wafer_id}/thumbnail.png", response_class=Response, responses=PICTURE)
async def draw_thumbnail(
    wafer_id: str, request: Request, who: Viewer, house: House, side: SmallSide = 96
) -> Response:
    """Draw a wafer small, its dies in the colours of the classes found."""
    stored = await run_in_threadpool(_stored, house, wafer_id)
    drawn = partial(draw.draw_thumbnail, house.blobs, stored, side)
    return await answer_drawing(
        house, request, Drawing("thumbnail", [stored.version, str(side)], drawn)
    )


@router.get(
    "/{wafer_id}/file",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def get_file(wafer_id: str, who: Viewer, house: House) -> StreamingResponse:
    """Fetch the file that a wafer came with, byte by byte."""
    with house.records.reading() as session:
        upload = store.get_upload(session, get_wafer(session, wafer_id).upload_id)
    return attachment(house.blobs.stream(upload.blob), upload.file_name, upload.size)


@router.delete("/{wafer_id}", status_code=204)
def delete_wafer(wafer_id: str, who: Admin, session: Writes) -> None:
    """Delete a wafer: nobody sees it any more, and for some weeks it can be restored."""
    wafer = store.set_deleted(session, wafer_id, deleted=True)
    record(session, who, "wafers.delete", wafer_id, name=wafer.name, lot=wafer.lot)


@router.post("/{wafer_id}/restore")
def restore_wafer(wafer_id: str, who: Admin, session: Writes) -> WaferShown:
    """Restore a deleted wafer."""
    wafer = store.set_deleted(session, wafer_id, deleted=False)
    record(session, who, "wafers.restore", wafer_id, name=wafer.name, lot=wafer.lot)
    return WaferShown.model_validate(wafer)


def _newest(house: Parts, wanted: Wanted, most: int) -> list[Stored]:
    with house.records.reading() as session:
        return newest_of(session, wanted, most)


def _stored(house: Parts, wafer_id: str) -> Stored:
    with house.records.reading() as session:
        return stored_wafer(session, wafer_id)
