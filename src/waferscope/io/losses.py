"""What a format cannot hold of some wafers, found by writing a few and reading them back.

No table of promises: what a writer and the reader of the same name do is the measure, so a new
format is told about without a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from waferscope.domain.wafermap import Frame, WaferMap
from waferscope.errors import WaferScopeError
from waferscope.io.archive import open_blobs
from waferscope.io.formats import Reader, ReadOptions, WriteOptions, Writer

_SAMPLE: Final = 20
_PICTURES: Final = 2
_ROUNDED: Final = 1e-4
"""Relative difference of sizes that counts as the same: formats round mm to their own digits."""
_OFF_CENTRE: Final = 1e-3
"""In dies: a centre in um to four digits is far nearer."""


def _bins(part: str) -> Callable[[WaferMap], Any]:
    return lambda wafer: getattr(wafer.bins, part, None)


_PARTS: Final[dict[str, Callable[[WaferMap], Any]]] = {
    "map": lambda wafer: wafer.dies,
    "wafer name": lambda wafer: wafer.wafer_id or None,
    "lot": lambda wafer: wafer.lot_id,
    "slot": lambda wafer: wafer.slot,
    "product": lambda wafer: wafer.product,
    "step": lambda wafer: wafer.step,
    "tester": lambda wafer: wafer.tester,
    "test time": lambda wafer: wafer.tested_at,
    "die width": lambda wafer: wafer.die_width_mm,
    "die height": lambda wafer: wafer.die_height_mm,
    "diameter": lambda wafer: wafer.diameter_mm,
    "wafer centre": lambda wafer: wafer.centre,
    "notch": lambda wafer: None if wafer.notch == "down" else wafer.notch,
    "tester's coordinates": lambda wafer: None if wafer.frame == Frame() else wafer.frame,
    "reticle": lambda wafer: wafer.reticle,
    "hard bins": _bins("hard"),
    "soft bins": _bins("soft"),
    "names of hard bins": _bins("hard_names"),
    "names of soft bins": _bins("soft_names"),
    "labels": lambda wafer: wafer.patterns,
}
"""What a wafer may have, in the words of the command line; None, or nothing, where it has not."""


def find_losses(
    wafers: Sequence[WaferMap], writer: Writer, readers: Mapping[str, Reader]
) -> dict[str, int]:
    """Return what a format of wafers loses, and how many of the wafers have it.

    A sample is written and read back: the first wafers, and the first that has each part. A
    format without a reader of its name or suffix, and a picture that cannot be read back, lose
    all but the map.
    """
    having = {part: [w for w in wafers if _is_there(get(w))] for part, get in _PARTS.items()}
    few = _SAMPLE if writer.join is not None else _PICTURES
    chosen = [*wafers[:few], *(found[0] for found in having.values() if found)]
    sample = {id(wafer): wafer for wafer in chosen}.values()
    reader = readers.get(writer.name) or next(
        (row for row in readers.values() if writer.extensions[0].endswith(row.extensions)), None
    )
    lost: set[str] = set()
    for wafer in sample:
        back = None if reader is None else _back(wafer, writer, reader)
        lost |= set(_PARTS) - {"map"} if back is None else _differences(wafer, back)
    return {part: len(found) for part, found in having.items() if part in lost and found}


def _is_there(value: Any) -> bool:
    return value is not None and (isinstance(value, np.ndarray | tuple) or bool(value))


def _back(wafer: WaferMap, writer: Writer, reader: Reader) -> WaferMap | None:
    """Return the wafer as it comes out of a file of its own; None when it does not."""
    data = writer.data_of([writer.row_of(wafer, WriteOptions())])
    try:
        found = [reader.read(blob, ReadOptions()) for blob in open_blobs(data, lambda head: True)]
    except WaferScopeError:
        return None
    return found[0][0] if len(found) == len(found[0]) == 1 else None


def _differences(one: WaferMap, back: WaferMap) -> set[str]:
    """Return the parts that differ, in this array or with both notches down: the lesser list."""
    as_is = {part for part, get in _PARTS.items() if _differ(get(one), get(back))}
    if not as_is:
        return as_is
    down, back_down = one.notch_down(), back.notch_down()
    turned = {part for part, get in _PARTS.items() if _differ(get(down), get(back_down))}
    return min(as_is, turned, key=len)


def _differ(value: Any, back: Any) -> bool:
    if not _is_there(value):
        return False
    if isinstance(value, np.ndarray):
        return not np.array_equal(value, back)
    if isinstance(value, float) and isinstance(back, float):
        return abs(value - back) > _ROUNDED * max(abs(value), 1e-9)
    centre = isinstance(value, tuple) and value and isinstance(value[0], float)
    if centre and back is not None:
        return float(np.abs(np.subtract(value, back)).max()) > _OFF_CENTRE
    return bool(value != back)
