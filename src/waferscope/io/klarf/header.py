"""The names, sizes and orientation of a wafer, from its fields in a KLARF file."""

from __future__ import annotations

from typing import Any, Final

from waferscope.domain.wafermap import Notch
from waferscope.io.klarf.records import Fields
from waferscope.io.klarf.tokens import moment, number, text

_NOTCH: Final[dict[str, Notch]] = {
    "DOWN": "down", "BOTTOM": "down", "LEFT": "left", "UP": "up", "TOP": "up", "RIGHT": "right",
}  # fmt: skip
_BY_ANGLE: Final[dict[float, Notch]] = {0: "down", 90: "left", 180: "up", 270: "right"}


def read_name(fields: Fields, key: str) -> str:
    """Return the first value of a field as text, "" where there is none."""
    return text((fields.get(key) or [b""])[0])


def read_word(fields: Fields, key: str) -> str:
    """Return the first value of a field in capitals."""
    return read_name(fields, key).upper()


def read_names(fields: Fields, notes: list[str]) -> dict[str, Any]:
    """Return lot, product, step, tester, slot and time."""
    found: dict[str, Any] = {
        role: read_name(fields, key) or None
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


def read_pair(fields: Fields, key: str) -> tuple[float, float] | None:
    """Return the first two values of a field, None unless both are numbers."""
    values = [number(value) for value in fields.get(key, [])[:2]]
    if len(values) < 2 or values[0] is None or values[1] is None:
        return None
    return values[0], values[1]


def read_sizes(fields: Fields, per_mm: float, notes: list[str]) -> dict[str, Any]:
    """Return die size and diameter in mm, None where the file does not say."""
    pitch = read_pair(fields, "diepitch")
    found: dict[str, Any] = {"diameter_mm": None}
    for i, side in enumerate(("die_width_mm", "die_height_mm")):
        size = 0.0 if pitch is None else round(pitch[i] / per_mm, 9)
        found[side] = size if size > 0 else None
    if fields.get("diepitch") and None in (found["die_width_mm"], found["die_height_mm"]):
        said = " ".join(map(text, fields["diepitch"]))
        notes.append(f"DiePitch {said[:40]!r} is no size of a die: it and the centre are left out")
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


def read_notch(fields: Fields, notes: list[str]) -> Notch:
    """Return where notch or flat lies; a number is an angle, clockwise from below."""
    word = read_word(fields, "orientationmarklocation")
    angle = number(word.encode("utf-8", "replace"))
    notch = _NOTCH.get(word) if angle is None else _BY_ANGLE.get(angle % 360)
    if notch is None:
        notes.append(f"OrientationMarkLocation {word or 'missing'!r}: the notch taken as down")
    elif angle:
        notes.append(f"OrientationMarkLocation {angle:g} taken as degrees clockwise from below")
    if "FLAT" in read_word(fields, "sampleorientationmarktype"):
        notes.append("the wafer has a flat: kept as its notch")
    return notch or "down"
