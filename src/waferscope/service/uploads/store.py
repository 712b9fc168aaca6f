"""The SQL of uploads: a file's wafers go in together, each known by its content."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Select, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from waferscope.errors import NotFoundError
from waferscope.service.ids import new_id
from waferscope.service.paging import Place
from waferscope.service.store import newest_first, sole
from waferscope.service.tables import Lot, Row, Upload, UploadWafer, Wafer

AT_A_TIME: Final = 500
"""Values of one statement: both databases have a limit."""
T = TypeVar("T")
LotName = tuple[str, str]


@dataclass(frozen=True)
class Known:
    """A wafer that is in the records, deleted or not, predicted or not."""

    id: str
    deleted: bool
    predicted: bool


def known_wafers(session: Session, contents: Collection[str]) -> dict[str, Known]:
    """Return the wafers of those contents that are here, by content."""
    known: dict[str, Known] = {}
    for some in _parts(sorted(contents)):
        rows = session.execute(_known.where(Wafer.content.in_(some)))
        known |= {row.content: _as_known(row) for row in rows}
    return known


def hold_wafers(session: Session, contents: Collection[str]) -> dict[str, Known]:
    """Return the same, each held until the end, in an order that all uploads share."""
    held: dict[str, Known] = {}
    for some in _parts(sorted(contents)):
        query = _known.where(Wafer.content.in_(some)).order_by(Wafer.content).with_for_update()
        held |= {row.content: _as_known(row) for row in session.execute(query)}
    return held


def add_lots(session: Session, lots: Collection[LotName], at: datetime) -> dict[LotName, str]:
    """Return the ids of lots by name and product; make those that are not here."""
    found: dict[LotName, str] = {}
    for some in _parts(sorted(lots)):
        rows = [
            {"id": new_id("lot"), "name": name, "product": product, "created_at": at}
            | {"updated_at": at}
            for name, product in some
        ]
        session.execute(_insert_new(session, Lot), rows)
        query = select(Lot.id, Lot.name, Lot.product)
        query = query.where(tuple_(Lot.name, Lot.product).in_(some))
        held = session.execute(query.order_by(Lot.id).with_for_update())
        mine = {(row.name, row.product): row.id for row in held}
        touched = update(Lot).where(Lot.id.in_(mine.values()))
        session.execute(touched.values(updated_at=at))
        found |= mine
    return found


def add_wafers(session: Session, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Add wafers whose content is not here; return the contents of those that were added.

    Whoever adds the same content at the same moment is waited for.
    """
    added: set[str] = set()
    for some in _parts(sorted(rows, key=lambda row: str(row["content"]))):
        statement = _insert_new(session, Wafer).returning(Wafer.content)
        added.update(session.scalars(statement, some))
    return added


def bring_back(session: Session, ids: Collection[str], at: datetime) -> None:
    """Note that wafers have come again; what was deleted of them is not any more."""
    for some in _parts(sorted(ids)):
        again = update(Wafer).where(Wafer.id.in_(some))
        session.execute(again.values(arrived_at=at, deleted_at=None))


def add_upload(session: Session, upload: Upload) -> None:
    """Add the record of a file; what became of its wafers is still to be written into it."""
    session.add(upload)
    session.flush()


def add_positions(
    session: Session, upload: Upload, wafers: Sequence[str], new: Collection[str]
) -> None:
    """Write which wafers a file held, in its order; ``new`` are the ids that it brought."""
    left = set(new)
    rows = []
    for position, wafer_id in enumerate(wafers):
        rows.append(
            {"upload_id": upload.id, "position": position, "wafer_id": wafer_id}
            | {"known": wafer_id not in left}
        )
        left.discard(wafer_id)
    for some in _parts(rows):
        session.execute(insert(UploadWafer), some)
    upload.wafers_new = len(new)
    upload.wafers_known = len(wafers) - len(new)


def same_upload(session: Session, sha256: str, options: Mapping[str, Any]) -> Upload | None:
    """Return an upload of the same file, read the same way, whose wafers are all still here."""
    gone = (
        select(UploadWafer.wafer_id)
        .join(Wafer, Wafer.id == UploadWafer.wafer_id)
        .where(UploadWafer.upload_id == Upload.id, Wafer.deleted_at.is_not(None))
    )
    same = select(Upload).where(Upload.sha256 == sha256, ~gone.exists()).order_by(Upload.id)
    for upload in session.scalars(same):
        count = upload.wafers_new + upload.wafers_known
        if upload.options == options and len(positions(session, upload.id)) == count:
            return upload
    return None


def positions(session: Session, upload_id: str) -> list[str]:
    """Return the ids of a file's wafers, in its order; once purged they are not among them."""
    query = select(UploadWafer.wafer_id).where(UploadWafer.upload_id == upload_id)
    return list(session.scalars(query.order_by(UploadWafer.position)))


def unpredicted(session: Session, ids: Sequence[str]) -> list[str]:
    """Return those wafers that have no prediction, in their order."""
    without: set[str] = set()
    for some in _parts(ids):
        query = select(Wafer.id).where(Wafer.id.in_(some), Wafer.prediction_id.is_(None))
        without.update(session.scalars(query))
    return [wafer_id for wafer_id in dict.fromkeys(ids) if wafer_id in without]


@dataclass(frozen=True)
class Taken:
    """One wafer of a file, in its place."""

    position: int
    id: str
    name: str
    lot: str
    slot: int | None
    known: bool


def wafers_of(session: Session, upload_id: str, place: Place | None = None) -> list[Taken]:
    """Return the wafers of a file in its order; with a place, one more than the page has room."""
    query = (
        select(UploadWafer.position, Wafer.id, Wafer.name, Wafer.lot, Wafer.slot, UploadWafer.known)
        .join(Wafer, Wafer.id == UploadWafer.wafer_id)
        .where(UploadWafer.upload_id == upload_id)
        .order_by(UploadWafer.position)
    )
    if place is not None:
        query = query.where(Wafer.deleted_at.is_(None)).limit(place.limit + 1)
        if place.after:
            query = query.where(UploadWafer.position > sole(place.after, int))
    return [Taken(*row) for row in session.execute(query)]


def get_upload(session: Session, upload_id: str) -> Upload:
    """Return an upload. Raises NotFoundError."""
    found = session.get(Upload, upload_id)
    if found is None:
        raise NotFoundError(
            f"Expected the id of an upload, got {upload_id!r:.60}. Look into the list."
        )
    return found


def list_uploads(session: Session, place: Place, user_id: str | None) -> list[Upload]:
    """Return one upload more than the page has room for, newest first; of one user if named."""
    query: Select[tuple[Upload]] = select(Upload)
    if user_id is not None:
        query = query.where(Upload.user_id == user_id)
    return list(session.scalars(newest_first(query, Upload.id, place)))


_known = select(Wafer.content, Wafer.id, Wafer.deleted_at, Wafer.prediction_id)


def _as_known(row: Any) -> Known:
    return Known(row.id, row.deleted_at is not None, row.prediction_id is not None)


def _insert_new(session: Session, table: type[Row]) -> Any:
    """Return an insert that passes over rows that are here already."""
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    return (postgresql if is_postgresql else sqlite).insert(table).on_conflict_do_nothing()


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), AT_A_TIME):
        yield values[start : start + AT_A_TIME]
