"""The SQL of batches: their rows, and their wafers one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from waferscope.errors import NotFoundError
from waferscope.service.paging import Place
from waferscope.service.store import newest_first, sole
from waferscope.service.tables import Batch, BatchItem, Prediction, Wafer
from waferscope.service.tables.row import now

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
OPEN: Final = (QUEUED, RUNNING)
WAITING: Final = "waiting"
ERROR_LENGTH: Final = 500


def wafers_of_lots(session: Session, lot_ids: Sequence[str], most: int) -> list[str]:
    """Return the ids of up to ``most`` wafers of lots, lot by lot, the oldest first."""
    there = select(Wafer.id).where(Wafer.lot_id.in_(lot_ids), Wafer.deleted_at.is_(None))
    return list(session.scalars(there.order_by(Wafer.lot_id, Wafer.id).limit(most)))


def lots_without_wafers(session: Session, lot_ids: Sequence[str]) -> list[str]:
    """Return those of the lots, in their order, that hold no wafer or that there are not."""
    there = select(Wafer.lot_id).where(Wafer.lot_id.in_(lot_ids), Wafer.deleted_at.is_(None))
    found = set(session.scalars(there.distinct()))
    return [lot_id for lot_id in dict.fromkeys(lot_ids) if lot_id not in found]


def get_batch(session: Session, batch_id: str, user_id: str | None, *, hold: bool = False) -> Batch:
    """Return a batch; of one user alone if one is named. Raises NotFoundError.

    With ``hold`` nobody else changes it until the end.
    """
    found = find_batch(session, batch_id, hold=hold)
    if found is None or user_id not in (None, found.user_id):
        raise NotFoundError(
            f"Expected the id of a batch of yours, got {batch_id!r:.60}. Look into the list."
        )
    return found


def find_batch(session: Session, batch_id: str, *, hold: bool = False) -> Batch | None:
    """Return a batch for its job, None if it was deleted; held as by `get_batch`."""
    return session.get(Batch, batch_id, with_for_update=hold)


def open_batch(session: Session, batch_id: str, *, hold: bool = False) -> Batch | None:
    """Return a batch with which its job may go on, None if it has ended or was deleted."""
    found = find_batch(session, batch_id, hold=hold)
    return found if found is not None and found.state in OPEN else None


def delete_batch(session: Session, batch: Batch) -> None:
    """Delete a batch and the list of its wafers."""
    session.execute(delete(Batch).where(Batch.id == batch.id))


def list_batches(session: Session, place: Place, user_id: str | None) -> list[Batch]:
    """Return one batch more than the page has room for, newest first; of one user if named."""
    query = select(Batch)
    if user_id is not None:
        query = query.where(Batch.user_id == user_id)
    return list(session.scalars(newest_first(query, Batch.id, place)))


def list_items(session: Session, batch_id: str, place: Place, state: str | None) -> list[BatchItem]:
    """Return one wafer of a batch more than the page has room for, in their order."""
    query = select(BatchItem).where(BatchItem.batch_id == batch_id)
    if state is not None:
        query = query.where(BatchItem.state == state)
    if place.after:
        query = query.where(BatchItem.position > sole(place.after, int))
    return list(session.scalars(query.order_by(BatchItem.position).limit(place.limit + 1)))


@dataclass(frozen=True)
class Waiting:
    """A wafer of a batch that is still to be predicted; ``blob`` is None for one that is gone."""

    position: int
    wafer_id: str
    blob: str | None


def waiting_items(session: Session, batch_id: str, first: int, count: int) -> list[Waiting]:
    """Return those of ``count`` wafers, from the position ``first`` on, that still wait."""
    there = (Wafer.id == BatchItem.wafer_id) & Wafer.deleted_at.is_(None)
    rows = session.execute(
        select(BatchItem.position, BatchItem.wafer_id, Wafer.blob)
        .join(Wafer, there, isouter=True)
        .where(
            BatchItem.batch_id == batch_id,
            BatchItem.position >= first,
            BatchItem.position < first + count,
            BatchItem.state == WAITING,
        )
        .order_by(BatchItem.position)
    )
    return [Waiting(*row) for row in rows]


def settle(
    session: Session,
    batch: Batch,
    done: Mapping[int, str],
    failed: Mapping[int, str],
) -> None:
    """Write what became of wafers: ``done`` maps a position to its prediction, ``failed`` to why.

    The batch is held by the caller; what is settled already stays as it is, and counts once.
    """
    positions = [*done, *failed]
    still = select(BatchItem.position).where(
        BatchItem.batch_id == batch.id,
        BatchItem.position.in_(positions),
        BatchItem.state == WAITING,
    )
    rows = [
        {
            "batch_id": batch.id,
            "position": position,
            "state": DONE if position in done else FAILED,
            "prediction_id": done.get(position),
            "error": failed.get(position, "")[:ERROR_LENGTH],
        }
        for position in session.scalars(still)
    ]
    if rows:
        session.execute(update(BatchItem), rows)
    batch.done += sum(row["state"] == DONE for row in rows)
    batch.failed += sum(row["state"] == FAILED for row in rows)


@dataclass(frozen=True)
class Settled:
    """A wafer of a batch after all.

    The prediction is None where it failed; blobs are None where it failed or was deleted since.
    """

    position: int
    wafer_id: str
    prediction_id: str | None
    error: str
    wafer_blob: str | None
    prediction_blob: str | None


def settled_items(session: Session, batch_id: str, after: int, count: int) -> list[Settled]:
    """Return up to ``count`` wafers behind the position ``after``, in their order."""
    rows = session.execute(
        select(
            BatchItem.position,
            BatchItem.wafer_id,
            BatchItem.prediction_id,
            BatchItem.error,
            Wafer.blob,
            Prediction.blob,
        )
        .join(Prediction, Prediction.id == BatchItem.prediction_id, isouter=True)
        .join(Wafer, Wafer.id == Prediction.wafer_id, isouter=True)
        .where(BatchItem.batch_id == batch_id, BatchItem.position > after)
        .order_by(BatchItem.position)
        .limit(count)
    )
    return [Settled(*row) for row in rows]


def end(session: Session, batch: Batch, state: str, error: str = "") -> None:
    """End a batch that is open; one that has ended stays as it is."""
    if batch.state in OPEN:
        batch.state, batch.error, batch.finished_at = state, error[:ERROR_LENGTH], now()
