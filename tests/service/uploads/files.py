"""Files to upload: STDF lots, archives, and what should not be taken in."""

from __future__ import annotations

import io
import zipfile

from tests.service.stored import make_wafer
from waferscope.domain.wafermap import WaferMap
from waferscope.io.stdf import stdf_bytes, stdf_row


def lot_wafers(count: int = 3, lot: str = "L7", first: int = 0, **fields: object) -> list[WaferMap]:
    """Some different wafers of a lot."""
    given = {"lot_id": lot, "product": "P1", "step": "sort", "tester": "T1", **fields}
    return [make_wafer(first + number, 16, **given) for number in range(count)]


def stdf(wafers: list[WaferMap]) -> bytes:
    """An STDF file of wafers of one lot."""
    return stdf_bytes([stdf_row(wafer) for wafer in wafers])


def stdf_lot(count: int = 3, lot: str = "L7", first: int = 0) -> bytes:
    """An STDF file of some different wafers of a lot."""
    return stdf(lot_wafers(count, lot, first))


def archive(**members: bytes) -> bytes:
    """A zip; the underscores of names stand for points."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name.replace("_", "."), data)
    return sink.getvalue()
