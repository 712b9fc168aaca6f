"""The SQL of wafers: lists in any order, one of them, deleted and restored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, literal_column, select, tuple_
from sqlalchemy.orm import Session

from waferscope.errors import ConflictError, InputError, NotFoundError
from waferscope.service.paging import Place
from waferscope.service.selection.filters import Wanted
from waferscope.service.selection.store import is_among_few, narrow
from waferscope.service.tables import Upload, Wafer, WaferLabel
from waferscope.service.tables.row import now
from waferscope.service.tables.wafers import WORST

_UNKNOWN: Final = -1.0
"""Severity of a wafer without a prediction, as the index of WORST has it."""


@dataclass(frozen=True)
class Order:
    """What a list is ordered by, before the id; how its value is written and read in a cursor."""

    column: ColumnElement[Any]
    value: Callable[[Wafer], str | float]
    read: Callable[[Any], Any]


ORDERS: Final = {
    "dated": Order(
        Wafer.dated.expression, lambda wafer: wafer.dated.isoformat(), datetime.fromisoformat
    ),
    "arrived": Order(Wafer.id.expression, lambda wafer: wafer.id, str),
    "severity": Order(
        literal_column(WORST),
        lambda wafer: _UNKNOWN if wafer.severity is None else wafer.severity,
        float,
    ),
    "yield": Order(Wafer.yield_share.expression, lambda wafer: wafer.yield_share, float),
}
"""Every order has an index that begins with it."""


def list_wafers(
    session: Session, wanted: Wanted, sort: str, place: Place, *, deleted: bool = False
) -> list[Wafer]:
    """Return one wafer more than the page has room for, in an order of ORDERS, `-` for falling."""
    order, falling = ORDERS[sort.removeprefix("-")], sort.startswith("-")
    keys = (order.column, Wafer.id.expression)
    query = select(Wafer)
    few = None if wanted.text is None else is_among_few(session, wanted.text)
    if few is not None:
        query, wanted = query.where(few), wanted.model_copy(update={"text": None})
    query = narrow(query, wanted, deleted=deleted)
    if place.after:
        last = tuple_(*_read(sort, place.after))
        seen = tuple_(*keys)
        query = query.where(seen < last if falling else seen > last)
    ordered = [key.desc() if falling else key.asc() for key in keys]
    return list(session.scalars(query.order_by(*ordered).limit(place.limit + 1)))


def cursor_of(sort: str, wafer: Wafer) -> Sequence[str | float]:
    """Return where a list goes on behind a wafer."""
    return [sort, ORDERS[sort.removeprefix("-")].value(wafer), wafer.id]


def _read(sort: str, after: Sequence[Any]) -> tuple[Any, str]:
    order = ORDERS[sort.removeprefix("-")]
    try:
        name, value, wafer_id = after
        if name != sort or not isinstance(wafer_id, str):
            raise ValueError(name)
        return order.read(value), wafer_id
    except (ValueError, TypeError) as error:
        raise InputError(
            f"Expected a cursor of the list sorted by {sort}, got one of another. Start anew."
        ) from error


def labels_of(session: Session, wafer_id: str) -> list[WaferLabel]:
    """Return what was found on a wafer, patterns last, by name."""
    found = select(WaferLabel).where(WaferLabel.wafer_id == wafer_id)
    return list(session.scalars(found.order_by(WaferLabel.kind, WaferLabel.label)))


def get_upload(session: Session, upload_id: str | None) -> Upload:
    """Return the file that a wafer came with. Raises NotFoundError."""
    found = None if upload_id is None else session.get(Upload, upload_id)
    if found is None:
        raise NotFoundError("Expected a wafer whose file is kept, got one without. Ask its sender.")
    return found


def set_deleted(session: Session, wafer_id: str, *, deleted: bool) -> Wafer:
    """Delete a wafer or restore it. Raises NotFoundError, and ConflictError if it is so already."""
    found = session.get(Wafer, wafer_id, with_for_update=True)
    if found is None:
        raise NotFoundError(
            f"Expected the id of a wafer, got {wafer_id!r:.60}. Look into the list."
        )
    if (found.deleted_at is not None) == deleted:
        state = "one that is deleted" if deleted else "one that is not"
        raise ConflictError(
            f"Expected a wafer to {'delete' if deleted else 'restore'}, got {state}. "
            "Look into the list."
        )
    found.deleted_at = now() if deleted else None
    if not deleted:
        found.arrived_at = now()  # or retention would take it again at once
    return found
