"""One wafer of a KLARF file as a wafer map: its names and sizes, its dies, what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import FAIL, PASS, Notch, WaferMap
from waferscope.errors import FormatError
from waferscope.io.formats import ReadOptions
from waferscope.io.klarf.defects import Floats, Spans, locate, numbers
from waferscope.io.klarf.layout import lay_out
from waferscope.io.klarf.records import Fields, Records, Table, WaferRecord, line_of
from waferscope.io.klarf.tokens import moment, number, text
from waferscope.io.sites import find_sites

Cells = npt.NDArray[np.int64]
_INDEX: Final = ("XINDEX", "YINDEX")
_LARGEST_INDEX: Final = 1 << 30
_NOTCH: Final[dict[str, Notch]] = {
    "DOWN": "down", "BOTTOM": "down", "LEFT": "left", "UP": "up", "TOP": "up", "RIGHT": "right",
}  # fmt: skip
_BY_ANGLE: Final[dict[float, Notch]] = {0: "down", 90: "left", 180: "up", 270: "right"}


def build_wafer(
    data: bytes, records: Records, record: WaferRecord, options: ReadOptions
) -> WaferMap:
    """Return the map of one wafer; raise FormatError for lists that cannot be its."""
    fields, notes = record.fields, list[str]()
    name = _name(fields, "waferid")
    if not record.tables:
        raise FormatError(
            f"Expected a DefectList or a list of inspected dies for wafer {name!r}, got neither. "
            "Check that the file is whole, and that its WaferID statements belong there."
        )
    found = _names(fields, notes) | _sizes(fields, records.per_mm, notes)
    found["notch"] = _notch(fields, notes)
    failing, listed = _failing(data, record, records.per_mm, options, notes)
    _check_summary(data, record, listed, notes)
    cells = _existing(data, records, record, failing, notes)
    if not len(cells):
        raise FormatError(
            f"Expected dies on wafer {name!r}, got neither inspected dies, defects nor die pitch "
            "and diameter to lay them out. Such a file cannot make a map."
        )
    mirrored = _word(fields, "coordinatesmirrored") in ("YES", "TRUE", "1")
    if mirrored:
        notes.append("coordinates mirrored: x taken as growing left")
    sites = find_sites(cells[:, 0], cells[:, 1], right=not mirrored, up=True)
    states = np.where(_among(cells, failing), FAIL, PASS)
    return WaferMap(
        sites.dies(states, np.arange(len(cells))),
        wafer_id=name,
        frame=sites.frame,
        notes=tuple(notes),
        **found,
    )


def _name(fields: Fields, key: str) -> str:
    return text((fields.get(key) or [b""])[0])


def _word(fields: Fields, key: str) -> str:
    return _name(fields, key).upper()


def _names(fields: Fields, notes: list[str]) -> dict[str, Any]:
    """Return lot, product, step, tester, slot and time."""
    found: dict[str, Any] = {
        role: _name(fields, key) or None
        for role, key in (("lot_id", "lotid"), ("product", "deviceid"), ("step", "stepid"))
    }
    station = [text(value) for value in fields.get("inspectionstationid", [])]
    found["tester"] = " ".join(part for part in station if part) or None
    slot = number((fields.get("slot") or [b""])[0])
    found["slot"] = int(slot) if slot is not None and slot % 1 == 0 and abs(slot) < 1e6 else None
    when = fields.get("resulttimestamp", [])
    found["tested_at"] = moment(when)
    if found["tested_at"] is not None:
        notes.append("the file's times name no zone: taken as UTC")
    elif when:
        notes.append(f"ResultTimestamp not understood: {' '.join(map(text, when))[:40]!r}")
    return found


def _pair(fields: Fields, key: str) -> tuple[float, float] | None:
    values = [number(value) for value in fields.get(key, [])[:2]]
    if len(values) < 2 or values[0] is None or values[1] is None:
        return None
    return values[0], values[1]


def _sizes(fields: Fields, per_mm: float, notes: list[str]) -> dict[str, Any]:
    """Return die size and diameter in mm, None where the file does not say."""
    pitch = _pair(fields, "diepitch")
    found: dict[str, Any] = {"diameter_mm": None}
    for i, side in enumerate(("die_width_mm", "die_height_mm")):
        size = 0.0 if pitch is None else round(pitch[i] / per_mm, 9)
        found[side] = size if size > 0 else None
    values = [number(value) for value in fields.get("samplesize", [])]
    if per_mm == 1000.0 and len(values) >= 2 and values[0] == 1:  # 1: round; then mm
        size = values[1] or 0.0
    elif per_mm != 1000.0 and len(values) >= 1 and not any(values[1:]):
        size = round((values[0] or 0.0) / per_mm, 9)
    else:
        size = 0.0
    if size > 0:
        found["diameter_mm"] = size
    elif any(values):
        notes.append("SampleSize is not that of a round wafer: diameter unknown")
    return found


def _notch(fields: Fields, notes: list[str]) -> Notch:
    """Return where notch or flat lies; a number is an angle, clockwise from below."""
    word = _word(fields, "orientationmarklocation")
    angle = number(word.encode("utf-8", "replace"))
    notch = _NOTCH.get(word) if angle is None else _BY_ANGLE.get(angle % 360)
    if notch is None:
        notes.append(f"OrientationMarkLocation {word or 'missing'!r}: the notch taken as down")
    elif angle:
        notes.append(f"OrientationMarkLocation {angle:g} taken as degrees clockwise from below")
    if "FLAT" in _word(fields, "sampleorientationmarktype"):
        notes.append("the wafer has a flat: kept as its notch")
    return notch or "down"


def _whole(data: bytes, spans: Spans, name: str) -> tuple[Cells, npt.NDArray[np.bool_]]:
    """Return (x, y) of each row, and where both are numbers; refuse what is no die index."""
    values = np.column_stack([numbers(data, spans[:, i]) for i in (0, 1)])
    good = ~np.isnan(values).any(axis=1)
    wrong = good & ((values % 1 != 0) | (np.abs(values) > _LARGEST_INDEX)).any(axis=1)
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
        cells, counts = _whole(data, spans, "defect list")
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
    return np.unique(np.concatenate(kept), axis=0), listed


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
    per_die = np.unique(cells, axis=0, return_counts=True)[1]
    most = f", at most {per_die.max():,} on one die" if len(per_die) else ""
    notes.append(f"{listed:,} defects listed, {len(cells):,} count on {len(per_die):,} dies{most}")
    for count, why in (
        (small, "smaller than asked for"),
        (other, "of classes not asked for"),
        (lost, "without a die index"),
    ):
        if count:
            notes.append(f"{count:,} defects {why} left out")


def _dies(data: bytes, tables: Sequence[Table], name: str) -> Cells:
    """Return the dies that lists name, each once."""
    found = [np.zeros((0, 2), np.int64)]
    for table in tables:
        _need_index(table, name)
        cells, good = _whole(data, locate(data, table, _INDEX), name)
        found.append(cells[good])
    return np.unique(np.concatenate(found), axis=0)


def _existing(
    data: bytes, records: Records, record: WaferRecord, failing: Cells, notes: list[str]
) -> Cells:
    """Return the dies of the map: those listed as inspected, or laid out, and the failing ones."""
    listed = _dies(data, record.plans, "list of inspected dies")
    if not len(listed):
        return _laid_out(data, records, record, failing, notes)
    removed = _dies(data, record.removed, "list of removed dies")
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
    sizes = _sizes(record.fields, records.per_mm, [])
    pitch, centre = _pair(record.fields, "diepitch"), _pair(record.fields, "samplecenterlocation")
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


def _among(cells: Cells, others: Cells) -> npt.NDArray[np.bool_]:
    """Return for each (x, y) whether it is one of the others."""
    keys = [(pairs[:, 0] << 32) + pairs[:, 1] for pairs in (cells, others)]
    return np.isin(*keys)
