"""Wafers as rows of named columns: what Parquet files hold, and npz files a part of.

Always there: ``wafer_id``, ``lot_group`` (an int) or ``lot_id`` (text), ``rows``, ``cols``,
``dies`` (uint8 ``[rows, cols]``, row-major bytes) and ``patterns`` (list of labels, null when
unlabelled). The other columns are there when a wafer has something to put into them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from waferscope.domain.wafermap import MAX_SIDE, Bins, Frame, Reticle, Source, WaferMap
from waferscope.errors import FormatError, WaferError

PLAIN: Final = ("slot", "product", "step", "tester", "tested_at")
SIZES: Final = ("die_width_mm", "die_height_mm", "diameter_mm")
REQUIRED: Final = ("rows", "cols", "dies")
_AS_IS: Final = (*PLAIN, *SIZES, "notch")
_BYTE: Final = np.dtype(np.uint8)
FRAME: Final = ("x0", "y0", "dx", "dy", "swapped")
RETICLE: Final = ("rows", "cols", "row_offset", "col_offset")
OPTIONAL: Final = (
    *PLAIN,
    *SIZES,
    "notch",
    "centre",
    "frame",
    "reticle",
    "bins_hard",
    "bins_soft",
    "bin_names",
)
KNOWN: Final = ("wafer_id", "lot_group", "lot_id", *REQUIRED, "patterns", *OPTIONAL)


def row_of(wafer: WaferMap) -> dict[str, Any]:
    """Return one wafer as plain values; `wafer_of` reads them back. Notes and source stay out."""
    rows, cols = wafer.shape
    row: dict[str, Any] = {
        "wafer_id": wafer.wafer_id,
        "lot_id": wafer.lot_id,
        "rows": rows,
        "cols": cols,
        "dies": wafer.dies.tobytes(),
        "patterns": None if wafer.patterns is None else list(wafer.patterns),
    }
    row |= {name: getattr(wafer, name) for name in (*PLAIN, *SIZES)}
    row["notch"] = None if wafer.notch == "down" else wafer.notch
    row["centre"] = None if wafer.centre is None else list(wafer.centre)
    if wafer.frame != Frame():
        row["frame"] = [int(getattr(wafer.frame, name)) for name in FRAME]
    if wafer.reticle is not None:
        row["reticle"] = [getattr(wafer.reticle, name) for name in RETICLE]
    if wafer.bins is not None:
        for name in ("hard", "soft"):
            grid = getattr(wafer.bins, name)
            row[f"bins_{name}"] = None if grid is None else grid.astype("<u2").tobytes()
        names = {"hard": dict(wafer.bins.hard_names), "soft": dict(wafer.bins.soft_names)}
        row["bin_names"] = json.dumps(names, ensure_ascii=False)
    return {name: value for name, value in row.items() if value is not None}


def wafer_of(
    row: Mapping[str, Any], number: int, source: Source, notes: tuple[str, ...] = ()
) -> WaferMap:
    """Return the wafer of one row; raise FormatError, naming the row, where it is not one."""
    try:
        return _build(row, number, source, notes)
    except (WaferError, TypeError, ValueError, KeyError, OverflowError, AttributeError) as error:
        raise FormatError(
            f"Expected a wafer in row {number} of {source.name}, got one that is not "
            f"({type(error).__name__}: {error}). Compare it with docs/formats.md."
        ) from error


def _build(row: Mapping[str, Any], number: int, source: Source, notes: tuple[str, ...]) -> WaferMap:
    shape = int(row["rows"]), int(row["cols"])
    if row["dies"] is None:
        raise ValueError("its dies are null")
    lot = row.get("lot_id")
    if lot is None:
        lot = row.get("lot_group")
    patterns, frame, reticle = (row.get(name) for name in ("patterns", "frame", "reticle"))
    given = {name: row[name] for name in (*_AS_IS, "centre") if row.get(name) is not None}
    return WaferMap(
        _grid(row["dies"], shape, _BYTE, "dies"),
        wafer_id=str(row.get("wafer_id") or f"wafer-{number}"),
        lot_id=None if lot is None else str(lot),
        patterns=None if patterns is None else tuple(str(label) for label in patterns),
        frame=Frame() if frame is None else _frame(frame),
        reticle=None if reticle is None else Reticle(*reticle),
        bins=_bins(row, shape),
        source=source,
        notes=notes,
        **given,
    )


def _frame(values: Any) -> Frame:
    x0, y0, dx, dy, swapped = (int(value) for value in values)
    return Frame(x0, y0, dx, dy, bool(swapped))


def _bins(row: Mapping[str, Any], shape: tuple[int, int]) -> Bins | None:
    if row.get("bin_names") is None:
        return None
    grids, names = [], json.loads(row["bin_names"])
    for name in ("bins_hard", "bins_soft"):
        data = row.get(name)
        grids.append(None if data is None else _grid(data, shape, np.dtype("<u2"), name))
    tables = [{int(k): str(v) for k, v in names[name].items()} for name in ("hard", "soft")]
    return Bins(grids[0], grids[1], tables[0], tables[1])


def _grid(data: Any, shape: tuple[int, int], kind: np.dtype[Any], name: str) -> Any:
    rows, cols = shape
    if not (1 <= rows <= MAX_SIDE and 1 <= cols <= MAX_SIDE):
        raise WaferError(f"Expected 1 to {MAX_SIDE} rows and cols, got {rows}x{cols}.")
    values = np.frombuffer(data, kind)
    if values.size != rows * cols:
        raise WaferError(f"Expected {rows}x{cols} values in {name}, got {values.size}.")
    return values.reshape(shape)
