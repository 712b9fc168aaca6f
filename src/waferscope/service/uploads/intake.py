"""Taking a file in: read it, put its blobs, then add all its records in one transaction.

A crash before the commit leaves blobs that nobody names, which `waferscope admin check` finds;
after it everything is there. Half an upload is to be seen at no moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session

from waferscope.errors import UnavailableError
from waferscope.service.auth.identity import Identity
from waferscope.service.idempotency import AnsweredBefore, Once
from waferscope.service.ids import new_id
from waferscope.service.ordered.order import Order, place
from waferscope.service.parts import Parts
from waferscope.service.storage import blob_name
from waferscope.service.store import claim_answer, fingerprint, record
from waferscope.service.strangers import Found, read_stranger
from waferscope.service.tables import Upload
from waferscope.service.tables.row import now
from waferscope.service.uploads import store
from waferscope.service.uploads.draft import Draft, build_drafts, clean, clean_notes
from waferscope.service.uploads.placed import Placed
from waferscope.service.uploads.schemas import (
    UploadMade,
    UploadParameters,
    UploadShown,
    WaferTaken,
)
from waferscope.service.wafer_file import pack_wafer

FIRST: Final = 2
"""Priority of predicting what has just arrived: before most batches that somebody asked for."""
LONGEST_FORMAT: Final = 30
LONGEST_DETAIL: Final = 1000


@dataclass(frozen=True)
class Arrival:
    """A file that has arrived whole, who sent it, and how it is to be taken in.

    ``key`` is the caller's Idempotency-Key, or empty.
    """

    path: Path
    who: Identity
    asked: UploadParameters
    key: str
    size: int
    sha256: str

    @property
    def reading(self) -> dict[str, Any]:
        """How the file is read: the same file read in another way holds other wafers."""
        return self.asked.model_dump(mode="json", exclude={"predict", "file_name"})


def arrive(path: Path, who: Identity, asked: UploadParameters, key: str = "") -> Arrival:
    """Return what is known of a file before it is read."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Arrival(path, who, asked, key, path.stat().st_size, sha256)


def take_in(house: Parts, arrival: Arrival) -> UploadMade:
    """Take a file in and return what became of it; the same file again adds nothing.

    Raises FormatError for a file that cannot be read, SizeError for one of too many wafers.
    """
    with house.records.reading() as session:
        before = store.same_upload(session, arrival.sha256, arrival.reading)
    if before is not None:
        with house.records.writing() as session:
            again = store.same_upload(session, arrival.sha256, arrival.reading)
            if again is not None:
                return _take_again(house, session, arrival, again)
    return _take_new(house, arrival)


def _take_again(house: Parts, session: Session, arrival: Arrival, upload: Upload) -> UploadMade:
    once = _claim(session, arrival)
    ids = store.positions(session, upload.id)
    store.bring_back(session, ids, now())
    batch_id = _order(house, session, arrival, ids)
    if batch_id is not None:
        upload.predicts, upload.batch_id = True, batch_id
    record(session, arrival.who, "uploads.repeat", upload.id, file=arrival.path.name)
    return once.keep(_made(session, upload, repeated=True), status=200)


def _take_new(house: Parts, arrival: Arrival) -> UploadMade:
    asked, limit = arrival.asked, house.settings.max_upload_wafers
    found = read_stranger(arrival.path, limit, asked.format, asked.options)
    upload = _upload(arrival, found)
    drafts = build_drafts(found.wafers, asked.fill, upload.created_at)
    different = {draft.content: draft for draft in reversed(drafts)}
    with house.records.reading() as session:
        known = store.known_wafers(session, different)
    new = {content: draft for content, draft in different.items() if content not in known}
    with Placed(house.blobs) as placed:
        placed.put_file(upload.blob, arrival.path)
        placed.put_all({d.row["blob"]: partial(pack_wafer, d.wafer) for d in new.values()})
        with house.records.writing() as session:
            once = _claim(session, arrival)
            store.add_upload(session, upload)
            added = _add_wafers(session, upload, new)
            ids = _settle(session, upload, drafts, added)
            upload.batch_id = _order(house, session, arrival, ids)
            record(
                session,
                arrival.who,
                "uploads.create",
                upload.id,
                file=upload.file_name,
                new=upload.wafers_new,
                known=upload.wafers_known,
            )
            made = once.keep(_made(session, upload, repeated=False))
        placed.keep([upload.blob, *(new[content].row["blob"] for content in added)])
    return made


def _upload(arrival: Arrival, found: Found) -> Upload:
    upload_id = new_id("upl")
    failures = [
        {"name": clean(one.name), "detail": clean(one.detail, LONGEST_DETAIL)}
        for one in found.failures
    ]
    return Upload(
        id=upload_id,
        user_id=arrival.who.user_id,
        file_name=clean(arrival.path.name),
        format="+".join(found.formats)[:LONGEST_FORMAT],
        size=arrival.size,
        sha256=arrival.sha256,
        blob=blob_name("uploads", upload_id),
        predicts=arrival.asked.predict,
        options=arrival.reading,
        failures=[
            {name: clean(text, LONGEST_DETAIL) for name, text in f.items()} for f in failures
        ],
        notes=clean_notes(note for wafer in found.wafers for note in wafer.notes),
        created_at=now(),
    )


def _add_wafers(session: Session, upload: Upload, new: Mapping[str, Draft]) -> set[str]:
    """Add wafers and their lots; return the contents that nobody else added meanwhile."""
    lots = store.add_lots(session, {draft.lot for draft in new.values()}, upload.created_at)
    own = {"upload_id": upload.id, "user_id": upload.user_id}
    rows = [{**draft.row, **own, "lot_id": lots[draft.lot]} for draft in new.values()]
    return store.add_wafers(session, rows)


def _settle(
    session: Session, upload: Upload, drafts: Sequence[Draft], added: set[str]
) -> list[str]:
    """Write which wafers the file held; return their ids in its order."""
    held = store.hold_wafers(session, {draft.content for draft in drafts})
    if any(draft.content not in held for draft in drafts):
        raise UnavailableError("A wafer of this file was purged this moment. Send it again.")
    ids = [held[draft.content].id for draft in drafts]
    store.bring_back(session, {held[c].id for c in held.keys() - added}, upload.created_at)
    store.add_positions(session, upload, ids, {held[content].id for content in added})
    return ids


def _order(house: Parts, session: Session, arrival: Arrival, ids: Sequence[str]) -> str | None:
    """Order predictions for those wafers that have none; return the batch, if there are any."""
    if not arrival.asked.predict:
        return None
    waiting = store.unpredicted(session, ids)
    if not waiting:
        return None
    order = Order(arrival.who.user_id, waiting, priority=FIRST)
    return place(session, house.queue, order).id


def _claim(session: Session, arrival: Arrival) -> Once:
    who, asked = arrival.who.user_id, arrival.asked.model_dump_json()
    if arrival.key:
        given = fingerprint(b"uploads", arrival.sha256.encode(), asked.encode())
        found = claim_answer(session, who, arrival.key, given)
        if found is not None:
            raise AnsweredBefore(found.status, found.body)
    return Once(session, who, arrival.key)


def _made(session: Session, upload: Upload, *, repeated: bool) -> UploadMade:
    wafers = store.wafers_of(session, upload.id)
    return UploadMade(
        **UploadShown.model_validate(upload).model_dump(),
        repeated=repeated,
        wafers=[WaferTaken.model_validate(wafer) for wafer in wafers],
    )
