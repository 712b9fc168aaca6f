"""Batches: ``/api/v1/predict/batch``, for annotators their own, for admins all."""

from __future__ import annotations

from typing import Any, Final, Literal

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from waferscope.errors import ConflictError, NotFoundError, SizeError
from waferscope.service.auth.identity import Annotator, Identity
from waferscope.service.auth.roles import Role
from waferscope.service.batches import store
from waferscope.service.batches.schemas import (
    MOST_WAFERS,
    BatchShown,
    Format,
    ItemShown,
    NewBatch,
)
from waferscope.service.db import Reads, Writes
from waferscope.service.idempotency import CallOnce
from waferscope.service.ordered.order import Order, place
from waferscope.service.paging import Paging, page_of
from waferscope.service.parts import House
from waferscope.service.schema import Page
from waferscope.service.storage import FAILURES
from waferscope.service.store import record
from waferscope.service.tables import Batch

router = APIRouter(prefix="/predict/batch", tags=["batches"])
MEDIA: Final[dict[str, tuple[str, str]]] = {
    "csv": ("csv", "text/csv; charset=utf-8"),
    "parquet": ("parquet", "application/vnd.apache.parquet"),
    "json": ("json", "application/json"),
    "coco": ("coco.json", "application/json"),
    "zip": ("zip", "application/zip"),
    FAILURES: ("failures.csv", "text/csv; charset=utf-8"),
}
"""Suffix and media type of each file of results."""
FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {media.partition(";")[0]: {} for _, media in MEDIA.values()}}
}
"""What the document says of the route that answers with one."""


def _whose(who: Identity) -> str | None:
    return None if who.role is Role.ADMIN else who.user_id


@router.post("", status_code=202)
def create_batch(
    body: NewBatch, who: Annotator, house: House, session: Writes, once: CallOnce
) -> BatchShown:
    """Ask for the prediction of many wafers; the predictions are kept. A worker does it."""
    wafer_ids = body.wafer_map_ids or _wafers_of(session, body.lot_ids or [])
    order = Order(
        user_id=who.user_id,
        wafer_ids=wafer_ids,
        threshold=body.threshold,
        model=body.model,
        formats=body.formats,
        priority=body.priority,
    )
    batch = place(session, house.queue, order)
    record(session, who, "batches.create", batch.id, wafers=len(wafer_ids))
    return once.keep(BatchShown.of(batch), status=202)


def _wafers_of(session: Session, lot_ids: list[str]) -> list[str]:
    if empty := store.lots_without_wafers(session, lot_ids):
        raise NotFoundError(
            f"Expected lots with wafers, got {', '.join(empty[:5])}"
            f"{' and others' if len(empty) > 5 else ''} without. Look into the list of lots."
        )
    found = store.wafers_of_lots(session, lot_ids, MOST_WAFERS + 1)
    if len(found) > MOST_WAFERS:
        raise SizeError(
            f"Expected at most {MOST_WAFERS:,} wafers in a batch, got more. Name fewer lots."
        )
    return found


@router.get("")
def list_batches(who: Annotator, session: Reads, page: Paging) -> Page[BatchShown]:
    """List batches, newest first."""
    rows = store.list_batches(session, page, _whose(who))
    return page_of(rows, page, lambda row: [row.id], BatchShown.of)


@router.get("/{batch_id}")
def get_batch(batch_id: str, who: Annotator, session: Reads) -> BatchShown:
    """Show how far a batch is."""
    return BatchShown.of(store.get_batch(session, batch_id, _whose(who)))


@router.get("/{batch_id}/wafers")
def list_wafers(
    batch_id: str,
    who: Annotator,
    session: Reads,
    page: Paging,
    state: Literal["waiting", "done", "failed"] | None = None,
) -> Page[ItemShown]:
    """List the wafers of a batch in their order, and what became of each."""
    store.get_batch(session, batch_id, _whose(who))
    rows = store.list_items(session, batch_id, page, state)
    return page_of(rows, page, lambda row: [row.position], ItemShown.model_validate)


@router.post("/{batch_id}/cancel")
def cancel_batch(batch_id: str, who: Annotator, house: House) -> BatchShown:
    """Stop a batch at its next step. What is predicted by then stays."""
    with house.records.writing() as session:
        batch = store.get_batch(session, batch_id, _whose(who), hold=True)
        _refuse_unless(batch.state in store.OPEN, "a batch that has not ended", batch)
        waits = batch.state == store.QUEUED
        store.end(session, batch, store.CANCELLED)
        record(session, who, "batches.cancel", batch_id)
    # A job that runs sees the state at its next step, and removes files that it has put: cancelled
    # itself, it could not. This keeps one that waits from beginning.
    if waits:
        house.queue.cancel(batch_id)
    return BatchShown.of(batch)


@router.delete("/{batch_id}", status_code=204)
def delete_batch(batch_id: str, who: Annotator, house: House) -> None:
    """Forget a batch that has ended and the files of its results. Predictions stay."""
    with house.records.writing() as session:
        batch = store.get_batch(session, batch_id, _whose(who), hold=True)
        _refuse_unless(batch.state not in store.OPEN, "a batch that has ended", batch)
        store.delete_batch(session, batch)
        record(session, who, "batches.delete", batch_id)
    for name in batch.results.values():
        house.blobs.delete(name)


def _refuse_unless(right: bool, expected: str, batch: Batch) -> None:
    if not right:
        raise ConflictError(
            f"Expected {expected}, got one that is {batch.state}. Look at it again."
        )


@router.get(
    "/{batch_id}/results/{format}",
    response_class=StreamingResponse,
    responses=FILES,
)
def get_results(
    batch_id: str, format: Format | Literal["failures"], who: Annotator, house: House
) -> StreamingResponse:
    """Fetch a file of results, or the list of the wafers that failed."""
    with house.records.reading() as session:
        batch = store.get_batch(session, batch_id, _whose(who))
    name = batch.results.get(format)
    if name is None:
        raise NotFoundError(
            f"Expected one of {', '.join(sorted(batch.results)) or 'no files yet'}, "
            f"got {format!r}. Ask for it when the batch is done."
        )
    suffix, media = MEDIA[format]
    headers = {"Content-Disposition": f'attachment; filename="{batch_id}.{suffix}"'}
    return StreamingResponse(house.blobs.stream(name), headers=headers, media_type=media)
