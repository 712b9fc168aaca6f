"""Lots: ``/api/v1/lots``, for everybody."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from waferscope.service.auth.identity import Viewer
from waferscope.service.db import Reads
from waferscope.service.lots import store
from waferscope.service.lots.schemas import LotShown
from waferscope.service.paging import Paging, page_of
from waferscope.service.parts import House, Parts
from waferscope.service.pictures import draw
from waferscope.service.pictures.answer import Drawing, answer_drawing
from waferscope.service.pictures.report import CONTENT, MOST_WAFERS, check_size, write_report
from waferscope.service.pictures.schemas import PICTURE, Side, StackShown
from waferscope.service.pictures.store import Stored, all_of_lot
from waferscope.service.schema import Page
from waferscope.service.selection.shown import WaferShown
from waferscope.service.tables.row import now

router = APIRouter(prefix="/lots", tags=["lots"])
MOST_STACKED: Final = 1000


@router.get("")
def list_lots(
    who: Viewer,
    session: Reads,
    page: Paging,
    product: Annotated[str | None, Query(max_length=200)] = None,
    text: Annotated[str | None, Query(max_length=200, description="part of the name")] = None,
) -> Page[LotShown]:
    """List lots that have wafers, newest first, with yield and counts."""
    rows = store.list_lots(session, page, product, text)
    counted = store.count_lots(session, rows)
    return page_of(counted, page, lambda row: [row.id], LotShown.model_validate)


@router.get("/{lot_id}")
def get_lot(lot_id: str, who: Viewer, session: Reads) -> LotShown:
    """Show a lot: yield, severities, and how many wafers have each pattern and class."""
    (counted,) = store.count_lots(session, [store.get_lot(session, lot_id)])
    return LotShown.model_validate(counted)


@router.get("/{lot_id}/wafers")
def list_wafers(lot_id: str, who: Viewer, session: Reads, page: Paging) -> Page[WaferShown]:
    """List the wafers of a lot, in the order in which they came."""
    store.get_lot(session, lot_id)
    rows = store.list_wafers(session, lot_id, page)
    return page_of(rows, page, lambda row: [row.id], WaferShown.model_validate)


@router.get("/{lot_id}/stack", response_model=StackShown)
async def get_stack(lot_id: str, request: Request, who: Viewer, house: House) -> Response:
    """Lay the wafers of a lot over each other: how often each position fails."""
    stored = await run_in_threadpool(_stored, house, lot_id, MOST_STACKED)
    drawing = Drawing(
        "stack",
        [one.content for one in stored],
        lambda: draw.stack_json(draw.stack_stored(house.blobs, stored)),
        media="application/json",
    )
    return await answer_drawing(house, request, drawing)


@router.get("/{lot_id}/stack.png", response_class=Response, responses=PICTURE)
async def draw_stack(
    lot_id: str, request: Request, who: Viewer, house: House, side: Side = 640
) -> Response:
    """Draw the wafers of a lot laid over each other, as rates of fails."""
    stored = await run_in_threadpool(_stored, house, lot_id, MOST_STACKED)
    drawing = Drawing(
        "stack.png",
        [str(side), *(one.content for one in stored)],
        lambda: draw.stack_png(draw.stack_stored(house.blobs, stored), side),
    )
    return await answer_drawing(house, request, drawing)


@router.get("/{lot_id}/report", response_class=HTMLResponse)
async def get_report(lot_id: str, request: Request, who: Viewer, house: House) -> Response:
    """Fetch the report of a lot: one page that needs nothing from anywhere else.

    Wafers without a stored prediction are predicted for it, and nothing is kept of that.
    """
    stored = await run_in_threadpool(_stored, house, lot_id, MOST_WAFERS + 1)
    check_size(stored)
    drawing = Drawing(
        "report",
        [one.version for one in stored],
        partial(write_report, house, stored, now()),
        media="text/html; charset=utf-8",
        headers={"Content-Security-Policy": CONTENT},
    )
    return await answer_drawing(house, request, drawing)


def _stored(house: Parts, lot_id: str, most: int) -> list[Stored]:
    with house.records.reading() as session:
        store.get_lot(session, lot_id)
        return all_of_lot(session, lot_id, most)
