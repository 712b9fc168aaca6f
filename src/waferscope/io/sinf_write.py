"""Wafer maps as SINF files, one after another.

Kept: names of product, lot and wafer, die sizes, notch, hard bins, pass and fail; the frame in a
COMMENT. Lost: everything else. A map without hard bins gets bin 1 for pass and 2 for fail; one that
is swapped is turned by a quarter. Bins from 253 need rows of three digits, those from 1000 do not
fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from waferscope.domain.wafermap import Frame, WaferMap
from waferscope.errors import FormatError
from waferscope.io.bin_map import build_bin_map, highest_bin
from waferscope.io.sinf import DEGREES

_SPECIAL: Final = 0xFD
"""From here on codes of two digits are edge and reference dies."""


def sinf_row(wafer: WaferMap) -> str:
    """Return the lines of one wafer; refuse one without a die, which no reader would take."""
    if not wafer.die_count:
        raise FormatError(
            f"Expected a wafer with a tested die, got {wafer.wafer_id!r} without one. Leave it out."
        )
    wafer = wafer.turn() if wafer.frame.swapped else wafer
    digits, base = (2, 16) if highest_bin(wafer) < _SPECIAL else (3, 10)
    bin_map = build_bin_map(wafer, digits, base=base, null="_" * digits)
    passing = [one.code for one in bin_map.bins if one.passes and one.count]
    codes = {one.code for one in bin_map.bins}
    # A reader takes an empty list for bin 1: name a bin that no die has.
    nobody = (f"{number:0{digits}}" for number in (1, *range(10, 100)))
    good = passing or [next(code for code in nobody if code not in codes)]
    frame = wafer.frame
    headers = {
        "DEVICE": wafer.product,
        "LOT": wafer.lot_id,
        "WAFER": wafer.wafer_id,
        "FNLOC": DEGREES[wafer.notch],
        "ROWCT": wafer.shape[0],
        "COLCT": wafer.shape[1],
        "BCEQU": ",".join(good),
        "REFPX": None,
        "REFPY": None,
        "DUTMS": "mm",
        "XDIES": wafer.die_width_mm,
        "YDIES": wafer.die_height_mm,
    }
    if frame != Frame():
        where = f"frame x0={frame.x0} y0={frame.y0} dx={frame.dx} dy={frame.dy}"
        headers["COMMENT"] = where
    lines = [f"{name}:{_plain(value)}" for name, value in headers.items()]
    for row in bin_map.rows:
        cells = [row[at : at + digits] for at in range(0, len(row), digits)]
        lines.append(f"RowData:{' '.join(cells)}")
    return "\n".join([*lines, ""])


def sinf_bytes(rows: Sequence[str]) -> bytes:
    """Return a SINF file of the wafers; raise FormatError for none."""
    if not rows:
        raise FormatError("Expected at least one wafer for a SINF file, got none. Give some.")
    return "".join(rows).encode()


def _plain(value: object) -> str:
    text = "" if value is None else str(value)
    if not text.isprintable():
        raise FormatError(
            f"Expected names without line breaks and control signs for SINF, got {text[:40]!r}. "
            "Rename it."
        )
    return text
