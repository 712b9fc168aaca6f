"""The SQL of what is to be drawn: wafers by their blobs, with those of their predictions."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from waferscope.errors import NotFoundError
from waferscope.service.selection.filters import Origin
from waferscope.service.selection.store import narrow
from waferscope.service.tables import Prediction, Wafer


@dataclass(frozen=True)
class Stored:
    """A wafer and its last prediction, if it has one; `content` says what was measured."""

    wafer_id: str
    content: str
    blob: str
    prediction_id: str | None = None
    prediction_blob: str | None = None

    @property
    def version(self) -> str:
        """What changes whenever the wafer looks different."""
        return f"{self.content} {self.prediction_id or ''}"


_COLUMNS = (Wafer.id, Wafer.content, Wafer.blob, Prediction.id, Prediction.blob)
_STORED = select(*_COLUMNS).join(Prediction, Prediction.id == Wafer.prediction_id, isouter=True)


def stored_wafer(session: Session, wafer_id: str) -> Stored:
    """Return a wafer that is not deleted. Raises NotFoundError."""
    there = _STORED.where(Wafer.id == wafer_id, Wafer.deleted_at.is_(None))
    row = session.execute(there).one_or_none()
    if row is None:
        raise NotFoundError(
            f"Expected the id of a wafer, got {wafer_id!r:.60}. Look into the list."
        )
    return Stored(*row)


def newest_of(session: Session, wanted: Origin, most: int) -> list[Stored]:
    """Return up to ``most`` wafers that are wanted, those of the newest date."""
    query = narrow(_STORED, wanted).order_by(Wafer.dated.desc(), Wafer.id.desc())
    return [Stored(*row) for row in session.execute(query.limit(most))]


def all_of_lot(session: Session, lot_id: str, most: int) -> list[Stored]:
    """Return up to ``most`` wafers of a lot, by slot where they have one."""
    there = _STORED.where(Wafer.lot_id == lot_id, Wafer.deleted_at.is_(None))
    rows = session.execute(there.order_by(Wafer.slot.is_(None), Wafer.slot, Wafer.id).limit(most))
    return [Stored(*row) for row in rows]
