"""One wafer of a KLARF file as a wafer map: its names and sizes, its dies, what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import FAIL, MAX_SIDE, PASS, WaferMap
from waferscope.errors import FormatError
from waferscope.io.formats import ReadOptions
from waferscope.io.klarf.defects import Floats, Spans, locate, numbers
from waferscope.io.klarf.header import (
    read_name,
    read_names,
    read_notch,
    read_pair,
    read_sizes,
    read_word,
)
from waferscope.io.klarf.layout import lay_out
from waferscope.io.klarf.records import Records, Table, WaferRecord, line_of
from waferscope.io.sites import find_sites

Cells = npt.NDArray[np.int64]
_INDEX: Final = ("XINDEX", "YINDEX")
_LARGEST_INDEX: Final = 1 << 30
_OFF_CENTRE: Final = 0.75
"""In dies; a layout that fits the wafer is within half a die."""


def build_wafer(
    data: bytes, records: Records, record: WaferRecord, options: ReadOptions
) -> WaferMap:
    """Return the map of one wafer; raise FormatError for lists that cannot be its."""
    fields, notes = record.fields, list[str]()
    name = read_name(fields, "waferid")
    if not record.tables:
        raise FormatError(
            f"Expected a DefectList or a list of inspected dies for wafer {name!r}, got neither. "
            "Check that the file is whole, and that its WaferID statements belong there."
        )
    found = read_names(fields, notes) | read_sizes(fields, records.per_mm, notes)
    found["notch"] = read_notch(fields, notes)
    failing, listed = _failing(data, record, records.per_mm, options, notes)
    _check_summary(data, record, listed, notes)
    cells = _existing(data, records, record, failing, notes)
    if not len(cells):
        raise FormatError(
            f"Expected dies on wafer {name!r}, got neither inspected dies, defects nor die pitch "
            "and diameter to lay them out. Such a file cannot make a map."
        )
    mirrored = read_word(fields, "coordinatesmirrored") in ("YES", "TRUE", "1")
    if mirrored:
        notes.append("coordinates mirrored: x taken as growing left")
    centre = _centre(cells, record, records.per_mm, notes)
    sites = find_sites(cells[:, 0], cells[:, 1], right=not mirrored, up=True)
    states = np.where(_among(cells, failing), FAIL, PASS)
    return WaferMap(
        sites.dies(states, np.arange(len(cells))),
        wafer_id=name,
        frame=sites.frame,
        centre=centre and sites.frame.to_cell(*centre),
        notes=tuple(notes),
        **found,
    )


def _centre(
    cells: Cells, record: WaferRecord, per_mm: float, notes: list[str]
) -> tuple[float, float] | None:
    """Return the wafer's centre in die indices, whole numbers being the centres of dies.

    SampleCenterLocation counts from the lower left corner of die (0, 0). One that the pitch puts
    far from all dies is left out, and so is one beside a DieOrigin that is no corner.
    """
    pitch, centre, origin = (
        read_pair(record.fields, key) for key in ("diepitch", "samplecenterlocation", "dieorigin")
    )
    if pitch is None or centre is None or min(pitch) <= 0:
        return None
    if origin is not None and any(origin):
        notes.append(f"DieOrigin {origin[0]:g} {origin[1]:g}: SampleCenterLocation not used")
        return None
    middle = (cells.min(axis=0) + cells.max(axis=0)) / 2
    found = np.array(centre) / pitch - 0.5
    off = (middle - found) * pitch
    if (np.abs(off) > _OFF_CENTRE * np.array(pitch)).any():
        x, y = (off / per_mm).tolist()
        notes.append(f"the middle of the dies lies {x:.4g}, {y:.4g} mm from the wafer's centre")
    return (float(found[0]), float(found[1])) if np.abs(middle - found).max() < MAX_SIDE else None


def whole_cells(data: bytes, spans: Spans, name: str) -> tuple[Cells, npt.NDArray[np.bool_]]:
    """Return (x, y) of each row, and where both are numbers; refuse what is no die index."""
    values = np.column_stack([numbers(data, spans[:, i]) for i in (0, 1)])
    good = np.asarray(np.isfinite(values).all(axis=1), dtype=np.bool_)
    wrong = good & np.any((values % 1 != 0) | (np.abs(values) > _LARGEST_INDEX), axis=1)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        shown = " ".join(f"{value:.12g}" for value in values[at])
        raise FormatError(
            f"Expected whole numbers as XINDEX and YINDEX in the {name}, got {shown} on line "
            f"{line_of(data, int(spans[at, 0, 0]))}. Check the list against its columns."
        )
    return np.where(good[:, None], values, 0).astype(np.int64), good


def _need_index(table: Table, name: str) -> None:
    if not set(_INDEX) <= set(table.columns):
        raise FormatError(
            f"Expected XINDEX and YINDEX among the columns of the {name}, got "
            f"{', '.join(table.columns)[:120]}. Without them no die is named."
        )


def _failing(
    data: bytes, record: WaferRecord, per_mm: float, options: ReadOptions, notes: list[str]
) -> tuple[Cells, int]:
    """Return the dies with a defect that counts, each once, and how many defects are listed."""
    kept, listed, small, other, lost = [np.zeros((0, 2), np.int64)], 0, 0, 0, 0
    for table in record.defects:
        _need_index(table, "defect list")
        sized = [c for c in ("DSIZE", "XSIZE", "YSIZE") if c in table.columns]
        sized = sized[:1] if sized[:1] == ["DSIZE"] else sized
        classed = ["CLASSNUMBER"] if "CLASSNUMBER" in table.columns else []
        spans = locate(data, table, (*_INDEX, *classed, *sized))
        table.check(len(spans), "defect list", notes)
        cells, counts = whole_cells(data, spans, "defect list")
        listed, lost = listed + len(cells), lost + int(np.count_nonzero(~counts))
        if options.klarf_classes is not None and classed:
            wanted = np.isin(numbers(data, spans[:, 2]), options.klarf_classes)
            other += int(np.count_nonzero(counts & ~wanted))
            counts &= wanted
        if options.min_defect_um > 0 and sized:
            sizes = _largest(data, spans[:, 2 + len(classed) :]) * (1000.0 / per_mm)
            large = sizes >= options.min_defect_um  # False for NaN: a size that is not known
            small += int(np.count_nonzero(counts & ~large))
            counts &= large
        kept.append(cells[counts])
    _note_filters(record, options, notes)
    _note_counts(np.concatenate(kept), (listed, small, other, lost), notes)
    return _distinct(np.concatenate(kept))[0], listed


def _largest(data: bytes, spans: Spans) -> Floats:
    return np.max([numbers(data, spans[:, i]) for i in range(spans.shape[1])], axis=0)  # type: ignore[no-any-return]


def _note_filters(record: WaferRecord, options: ReadOptions, notes: list[str]) -> None:
    """Say which columns that a filter or the way back needs are missing."""
    columns = {name for table in record.defects for name in table.columns}
    if not record.defects:
        return
    for name in ("CLASSNUMBER", "CLUSTERNUMBER"):
        if name not in columns:
            notes.append(f"the defect list has no {name}: none can be written back into it")
    if options.klarf_classes is not None and "CLASSNUMBER" not in columns:
        notes.append("defects carry no class: all count")
    if options.min_defect_um > 0 and not columns & {"DSIZE", "XSIZE", "YSIZE"}:
        notes.append("defects carry no size: all count")


def _note_counts(cells: Cells, counts: tuple[int, int, int, int], notes: list[str]) -> None:
    listed, small, other, lost = counts
    per_die = _distinct(cells)[1]
    most = f", at most {per_die.max():,} on one die" if len(per_die) else ""
    notes.append(f"{listed:,} defects listed, {len(cells):,} count on {len(per_die):,} dies{most}")
    for count, why in (
        (small, "smaller than asked for"),
        (other, "of classes not asked for"),
        (lost, "without a die index"),
    ):
        if count:
            notes.append(f"{count:,} defects {why} left out")


def _dies(data: bytes, tables: Sequence[Table], name: str, notes: list[str]) -> Cells:
    """Return the dies that lists name, each once."""
    found = [np.zeros((0, 2), np.int64)]
    for table in tables:
        _need_index(table, name)
        spans = locate(data, table, _INDEX)
        table.check(len(spans), name, notes)
        cells, good = whole_cells(data, spans, name)
        found.append(cells[good])
    return _distinct(np.concatenate(found))[0]


def _existing(
    data: bytes, records: Records, record: WaferRecord, failing: Cells, notes: list[str]
) -> Cells:
    """Return the dies of the map: those listed as inspected, or laid out, and the failing ones."""
    listed = _dies(data, record.plans, "list of inspected dies", notes)
    if not len(listed):
        return _laid_out(data, records, record, failing, notes)
    removed = _dies(data, record.removed, "list of removed dies", notes)
    gone = _among(listed, removed) & ~_among(listed, failing)
    if gone.any():
        notes.append(f"{int(np.count_nonzero(gone)):,} dies removed from the inspected ones")
    missing = failing[~_among(failing, listed)]
    if len(missing):
        notes.append(f"{len(missing):,} dies with defects are not in the list of inspected dies")
    return np.concatenate((listed[~gone], missing))


def _laid_out(
    data: bytes, records: Records, record: WaferRecord, failing: Cells, notes: list[str]
) -> Cells:
    counted = _summary(data, record, "NDIE")
    sizes = read_sizes(record.fields, records.per_mm, [])
    pitch, centre = (
        read_pair(record.fields, "diepitch"),
        read_pair(record.fields, "samplecenterlocation"),
    )
    dies = None
    if len(failing) and counted == len(failing):
        notes.append("as many dies inspected as have defects: the map holds these alone")
        return failing
    if pitch and min(pitch) > 0 and centre and sizes["diameter_mm"]:
        inspected = None if counted is None else int(counted)
        diameter = sizes["diameter_mm"] * records.per_mm
        dies = lay_out(pitch, centre, diameter, failing, inspected)
    if dies is None:
        notes.append("no list of inspected dies: the map holds the dies with defects alone")
        return failing
    told = f"; the file counts {counted:,.0f} inspected" if counted else ""
    notes.append(
        f"no list of inspected dies: {len(dies):,} laid out from pitch, centre and diameter{told}"
    )
    return dies


def _summary(data: bytes, record: WaferRecord, column: str) -> float | None:
    """Return the largest of a column of the summary (one row per test), None when there is none."""
    found = [
        numbers(data, locate(data, table, [column])[:, 0])
        for table in record.summaries
        if column in table.columns and not table.cut
    ]
    values = np.concatenate([*found, np.zeros(0)])
    values = values[(values >= 0) & (values < _LARGEST_INDEX)]
    return float(values.max()) if len(values) else None


def _check_summary(data: bytes, record: WaferRecord, listed: int, notes: list[str]) -> None:
    counted = [
        numbers(data, locate(data, table, ["NDEFECT"])[:, 0])
        for table in record.summaries
        if "NDEFECT" in table.columns and not table.cut
    ]
    total = np.nansum(np.concatenate([*counted, np.zeros(0)]))
    if counted and total != listed:
        notes.append(f"the summary counts {total:,.0f} defects, the list holds {listed:,}")


def _keys(cells: Cells) -> Cells:
    """Return one number per (x, y)."""
    keys: Cells = (cells[:, 0] << 32) + cells[:, 1]
    return keys


def _distinct(cells: Cells) -> tuple[Cells, Cells]:
    """Return each die once, and how often it stands there."""
    _, first, counts = np.unique(_keys(cells), return_index=True, return_counts=True)
    return cells[first], counts.astype(np.int64)


def _among(cells: Cells, others: Cells) -> npt.NDArray[np.bool_]:
    """Return for each (x, y) whether it is one of the others."""
    return np.isin(_keys(cells), _keys(others))
