"""Wafer maps as one STDF V4 file, little endian: the records a map needs, nothing between them.

Kept: names of lot, wafer, product, step and tester, times to the second, sizes, notch, frame,
bins with their names, pass and fail. Lost: patterns, reticle, slot, notes and an empty border. A
map without hard bins gets bin 1 for pass and 2 for fail, since STDF has no part without a bin.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import FAIL, BinGrid, WaferMap
from waferscope.errors import FormatError
from waferscope.io.stdf.records import (
    FAR,
    HBR,
    MIR,
    MISSING_XY,
    MRR,
    PIR,
    PRR,
    SBR,
    WCR,
    WIR,
    WRR,
)

_HEAD, _SITE, _ALL = 1, 1, 255
_NO_BIN: Final = 0xFFFF
_MAX_BIN: Final = 32767
_LETTER: Final = {"up": b"U", "down": b"D", "left": b"L", "right": b"R"}
_OF_LOT: Final = ("lot_id", "product", "tester", "step")
_OF_GEOMETRY: Final = ("diameter_mm", "die_height_mm", "die_width_mm", "notch")


def stdf_row(wafer: WaferMap) -> WaferMap:
    """Return the wafer with x along its columns, as STDF has it; refuse one without a die."""
    if not wafer.die_count:
        raise FormatError(
            f"Expected a wafer with a tested die, got {wafer.wafer_id!r} without one. Leave it out."
        )
    return wafer.turn() if wafer.frame.swapped else wafer


def stdf_bytes(wafers: Sequence[WaferMap]) -> bytes:
    """Return one STDF V4 file of wafers of one lot and one geometry.

    Raises FormatError for wafers of several lots or geometries, and for names, times, bins or
    coordinates that the format cannot hold.
    """
    if not wafers:
        raise FormatError("Expected at least one wafer for an STDF file, got none. Give some.")
    first = wafers[0]
    for wafer in wafers[1:]:
        _check_alike(first, wafer)
    hard, soft = (_bin_names(wafers, side) for side in ("hard_names", "soft_names"))
    times = [_seconds(wafer.tested_at) for wafer in wafers]
    started = min((t for t in times if t), default=0)
    parts = [
        _record(FAR, struct.pack("<BB", 2, 4)),
        _record(MIR, _mir_body(first, started)),
        _record(WCR, _wcr_body(first)),
        *(_wafer_records(wafer) for wafer in wafers),
        *_bin_records(HBR, [_hard_bins(wafer) for wafer in wafers], wafers, hard),
        *_bin_records(SBR, [_soft_bins(wafer) for wafer in wafers], wafers, soft),
        _record(MRR, struct.pack("<I", max(times))),
    ]
    return b"".join(parts)


def _record(kind: tuple[int, int], body: bytes) -> bytes:
    return struct.pack("<HBB", len(body), *kind) + body


def _text(value: str | None) -> bytes:
    raw = (value or "").encode()
    if len(raw) > 255:
        raise FormatError(
            f"Expected names of at most 255 bytes for STDF, got {value!r:.40} of {len(raw)}. "
            "Shorten it."
        )
    return bytes([len(raw)]) + raw


def _seconds(when: datetime | None) -> int:
    seconds = 0 if when is None else int(when.timestamp())
    if not 0 <= seconds < 1 << 32:
        raise FormatError(f"Expected a time from 1970 to 2106 for STDF, got {when}. Correct it.")
    return seconds


def _mir_body(wafer: WaferMap, started: int) -> bytes:
    fixed = struct.pack("<IIBcccHc", started, started, 1, b"P", b" ", b" ", 0xFFFF, b" ")
    names = (wafer.lot_id, wafer.product, wafer.tester, "", "", "", "", "", "WaferScope", "")
    return fixed + b"".join(_text(name) for name in (*names, wafer.step))


def _wcr_body(wafer: WaferMap) -> bytes:
    sizes = [wafer.diameter_mm, wafer.die_height_mm, wafer.die_width_mm]
    units = 3 if any(sizes) else 0
    x_grows = b"R" if wafer.frame.dx == 1 else b"L"
    y_grows = b"D" if wafer.frame.dy == 1 else b"U"
    return (
        struct.pack("<fffB", *(size or 0.0 for size in sizes), units)
        + _LETTER[wafer.notch]
        + struct.pack("<hh", MISSING_XY, MISSING_XY)
        + x_grows
        + y_grows
    )


def _wafer_records(wafer: WaferMap) -> bytes:
    """Return WIR, a PIR and a PRR per die, and WRR."""
    started, name = _seconds(wafer.tested_at), _text(wafer.wafer_id)
    passed = wafer.die_count - wafer.fail_count
    counts = struct.pack("<5I", wafer.die_count, 0, 0, passed, 0xFFFFFFFF)
    return (
        _record(WIR, struct.pack("<BBI", _HEAD, _ALL, started) + name)
        + _part_records(wafer).tobytes()
        + _record(WRR, struct.pack("<BBI", _HEAD, _ALL, started) + counts + name)
    )


def _part_records(wafer: WaferMap) -> npt.NDArray[np.void]:
    """Return a PIR and a PRR per tested die, row by row, as one packed array."""
    rows, cols = np.nonzero(wafer.dies)
    ids = np.arange(1, len(rows) + 1).astype(f"S{len(str(len(rows)))}")
    body = 13 + 4 + 1 + ids.dtype.itemsize
    layout: list[tuple[str, Any]] = [("pir", "V6"), ("length", "<u2"), ("kind", "V2")]
    layout += [("head", "u1"), ("site", "u1"), ("flag", "u1"), ("tests", "<u2")]
    layout += [("hard", "<u2"), ("soft", "<u2"), ("x", "<i2"), ("y", "<i2"), ("time", "<u4")]
    layout += [("id_length", "u1"), ("id", ids.dtype)]
    out = np.zeros(len(rows), np.dtype(layout))
    out["pir"] = np.void(_record(PIR, bytes([_HEAD, _SITE])))
    out["length"], out["kind"] = body, np.void(bytes(PRR))
    out["head"], out["site"] = _HEAD, _SITE
    out["flag"] = np.where(wafer.dies[rows, cols] == FAIL, 0x08, 0)
    out["hard"], soft = _hard_bins(wafer)[rows, cols], _soft_bins(wafer)
    out["soft"] = _NO_BIN if soft is None else soft[rows, cols]
    for axis, values in zip("xy", _coordinates(wafer, rows, cols), strict=True):
        if np.abs(values).max() > -MISSING_XY - 1:
            raise FormatError(
                f"Expected die coordinates from -32767 to 32767 for STDF, got {axis} from "
                f"{values.min()} to {values.max()}. Shift the wafer's frame."
            )
        out[axis] = values
    out["id"], out["id_length"] = np.char.zfill(ids, ids.dtype.itemsize), ids.dtype.itemsize
    return out


def _coordinates(
    wafer: WaferMap, rows: npt.NDArray[np.intp], cols: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    frame = wafer.frame
    return frame.x0 + frame.dx * cols, frame.y0 + frame.dy * rows


def _hard_bins(wafer: WaferMap) -> BinGrid:
    grid = None if wafer.bins is None else wafer.bins.hard
    return wafer.dies.astype(np.uint16) if grid is None else grid


def _soft_bins(wafer: WaferMap) -> BinGrid | None:
    return None if wafer.bins is None else wafer.bins.soft


def _bin_names(wafers: Sequence[WaferMap], side: str) -> dict[int, str]:
    names: dict[int, str] = {}
    for wafer in wafers:
        own: Mapping[int, str] = getattr(wafer.bins, side, None) or {}
        for number, name in own.items():
            if names.setdefault(number, name) != name:
                raise FormatError(
                    f"Expected one name per bin in an STDF file, got {names[number]!r} and "
                    f"{name!r} for bin {number}. Write these wafers into files of their own."
                )
    return names


def _bin_records(
    kind: tuple[int, int],
    grids: Sequence[BinGrid | None],
    wafers: Sequence[WaferMap],
    names: Mapping[int, str],
) -> list[bytes]:
    """Return one summary record per bin that is used or named, over all wafers."""
    counts = np.zeros((3, 1 << 16), np.int64)  # by die state
    for grid, wafer in zip(grids, wafers, strict=True):
        if grid is not None:
            np.add.at(counts, (wafer.dies, grid), 1)
    counts[0] = 0
    used = sorted({*np.flatnonzero(counts.any(axis=0)).tolist(), *names})
    if used and not 0 <= used[0] <= used[-1] <= _MAX_BIN:
        raise FormatError(
            f"Expected bins from 0 to {_MAX_BIN} for STDF, got {used[0]} to {used[-1]}. "
            "Renumber them."
        )
    records = []
    for number in used:
        passed, failed = (int(n) for n in counts[1:, number])
        verdict = b" " if bool(passed) == bool(failed) else b"P" if passed else b"F"
        body = struct.pack("<BBHI", _ALL, 0, number, passed + failed) + verdict
        records.append(_record(kind, body + _text(names.get(number))))
    return records


def _check_alike(first: WaferMap, other: WaferMap) -> None:
    for name in (*_OF_LOT, *_OF_GEOMETRY):
        one, two = getattr(first, name), getattr(other, name)
        if one != two:
            raise FormatError(
                f"Expected wafers of one {name} in an STDF file, got {one!r} and {two!r}. "
                "Write these wafers into files of their own."
            )
    if (first.frame.dx, first.frame.dy) != (other.frame.dx, other.frame.dy):
        raise FormatError(
            "Expected wafers whose x and y grow the same way in an STDF file, got several. "
            "Write these wafers into files of their own."
        )
