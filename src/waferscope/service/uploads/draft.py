"""From the wafer of a file to its row: names that can be kept, figures, a content to know it by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from waferscope.domain.wafermap import WaferMap
from waferscope.service.ids import new_id
from waferscope.service.storage import blob_name
from waferscope.service.wafer_file import content_of

LONGEST: Final = 200
LONGEST_NOTE: Final = 500
MOST_NOTES: Final = 50
MOST_SLOTS: Final = 1 << 31


@dataclass(frozen=True)
class Fill:
    """What a wafer is said to be where its file does not say."""

    lot: str = ""
    product: str = ""
    step: str = ""
    tester: str = ""


@dataclass(frozen=True)
class Draft:
    """A wafer on its way into the records; ``row`` lacks only its lot, its upload and its user."""

    wafer: WaferMap
    content: str
    row: dict[str, Any]

    @property
    def id(self) -> str:
        """The id that the wafer will have if it is new."""
        return str(self.row["id"])

    @property
    def lot(self) -> tuple[str, str]:
        """Name and product of its lot."""
        return str(self.row["lot"]), str(self.row["product"])


def build_drafts(wafers: Iterable[WaferMap], fill: Fill, at: datetime) -> list[Draft]:
    """Return the drafts of a file's wafers, with ids that sort in their order."""
    known = list(wafers)
    ids = sorted(new_id("waf") for _ in known)
    return [_draft(_filled(wafer, fill), id_, at) for wafer, id_ in zip(known, ids, strict=True)]


def clean(text: str | None, longest: int = LONGEST) -> str:
    r"""Return the text without what cannot be printed or kept, cut where it is too long.

    >>> clean("LOT\0 7\n"), clean(None), len(clean("x" * 999))
    ('LOT 7', '', 200)
    """
    return "".join(sign for sign in text or "" if sign.isprintable())[:longest].strip()


def clean_notes(notes: Iterable[str]) -> list[str]:
    """Return different notes, each as `clean` leaves it; the last says how many are not shown."""
    found = list(dict.fromkeys(clean(note, LONGEST_NOTE) for note in notes))
    if len(found) > MOST_NOTES:
        left = len(found) - MOST_NOTES
        return [*found[:MOST_NOTES], f"{left:,} further notes left out"]
    return found


def _filled(wafer: WaferMap, fill: Fill) -> WaferMap:
    return replace(
        wafer,
        lot_id=wafer.lot_id or fill.lot or None,
        product=wafer.product or fill.product or None,
        step=wafer.step or fill.step or None,
        tester=wafer.tester or fill.tester or None,
    )


def _draft(wafer: WaferMap, id_: str, at: datetime) -> Draft:
    names = {
        "name": clean(wafer.wafer_id),
        "lot": clean(wafer.lot_id),
        "product": clean(wafer.product),
        "step": clean(wafer.step),
        "tester": clean(wafer.tester),
    }
    tested_at, dies, fails = _utc(wafer.tested_at), wafer.die_count, wafer.fail_count
    content = content_of(wafer)
    row = {
        **names,
        "id": id_,
        "content": content,
        "blob": blob_name("wafers", id_),
        "slot": wafer.slot if 0 <= (wafer.slot or 0) < MOST_SLOTS else None,
        "tested_at": tested_at,
        "format": wafer.source.format if wafer.source else "",
        "rows": wafer.shape[0],
        "cols": wafer.shape[1],
        "dies": dies,
        "fails": fails,
        "yield_share": 1 - fails / dies if dies else 0.0,
        "notes": clean_notes(wafer.notes),
        "text": " ".join(filter(None, names.values())).lower(),
        "dated": tested_at or at,
        "arrived_at": at,
        "created_at": at,
    }
    return Draft(wafer, content, row)


def _utc(moment: datetime | None) -> datetime | None:
    """Return the moment in UTC; None where it would leave the calendar."""
    try:
        return None if moment is None else moment.astimezone(UTC)
    except OverflowError:
        return None
