"""What an STDF file says of all its wafers: lot, product, geometry, axes, bins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from waferscope.domain.wafermap import Notch
from waferscope.io.stdf.records import HBR, MIR, MISSING_XY, SBR, VUR, WCR, Fields, Scan

_MM: Final[dict[int, float]] = {1: 25.4, 2: 10.0, 3: 1.0, 4: 0.0254}
_NOTCH: Final[dict[str, Notch]] = {"U": "up", "D": "down", "L": "left", "R": "right"}


@dataclass(slots=True)
class Lot:
    """``fields`` of `WaferMap` that hold for all wafers, the axes, bin names and verdicts.

    ``right`` and ``up`` say where x and y grow, ``centre`` is the (x, y) of the die that the WCR
    has at the wafer's centre. ``hard_pass`` and ``soft_pass`` say of a bin whether it passes, where
    the file tells.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    right: bool = True
    up: bool = False
    centre: tuple[int, int] | None = None
    hard_names: dict[int, str] = field(default_factory=dict)
    soft_names: dict[int, str] = field(default_factory=dict)
    hard_pass: dict[int, bool] = field(default_factory=dict)
    soft_pass: dict[int, bool] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_lot(scan: Scan) -> Lot:
    """Return what the MIR, WCR, HBR and SBR records say; of repeated ones the first that does."""
    lot, versions = Lot(), list[str]()
    kinds = [kind for kind, _, _ in scan.events]
    for kind, _, body in scan.events:
        fields = Fields(body, scan.endian)
        if kind == MIR and not lot.fields:
            lot.fields = _mir_fields(fields)
        elif kind == VUR:
            versions += _read_versions(fields, body)
        elif kind == HBR:
            _read_bin(fields, lot.hard_names, lot.hard_pass)
        elif kind == SBR:
            _read_bin(fields, lot.soft_names, lot.soft_pass)
    if versions:
        lot.notes.append(f"STDF V4 with the extensions {', '.join(dict.fromkeys(versions))[:80]}")
    if kinds.count(MIR) > 1:
        lot.notes.append(f"{kinds.count(MIR)} MIR records: lot and product are those of the first")
    if WCR in kinds:
        body = next(body for kind, _, body in scan.events if kind == WCR)
        _read_wcr(lot, Fields(body, scan.endian))
    else:
        lot.notes.append("no WCR record: x taken as growing right, y down, the notch as down")
    return lot


def _read_versions(vur: Fields, body: bytes) -> list[str]:
    """Return the names of extensions in a VUR: one text by the standard, a counted list in some."""
    count = 1
    if body[0] != len(body) - 1:
        count = int(vur.number("B"))
    return [name for _ in range(count) if (name := vur.text())]


def _mir_fields(mir: Fields) -> dict[str, Any]:
    mir.skip(15)
    lot_id, product, node, _tester_type = (mir.text() for _ in range(4))
    _job = [mir.text() for _ in range(6)]  # JOB_NAM, JOB_REV, SBLOT_ID, OPER_NAM, EXEC_TYP, _VER
    found = {"lot_id": lot_id, "product": product, "tester": node, "step": mir.text()}
    return {name: text for name, text in found.items() if text}


def _read_bin(record: Fields, names: dict[int, str], passes: dict[int, bool]) -> None:
    """Take a bin's name and verdict from an HBR or SBR, which are laid out alike."""
    record.skip(2)
    number = int(record.number("H"))
    record.skip(4)
    verdict, name = record.char(), record.text()
    if name:
        names.setdefault(number, name)
    if verdict in ("P", "F"):
        passes.setdefault(number, verdict == "P")


def _read_wcr(lot: Lot, wcr: Fields) -> None:
    sizes = {name: wcr.number("f") for name in ("diameter_mm", "die_height_mm", "die_width_mm")}
    unit = int(wcr.number("B"))
    flat = wcr.char()
    centre = [int(wcr.number("h", MISSING_XY)) for _ in "xy"]
    lot.centre = None if MISSING_XY in centre else (centre[0], centre[1])
    x_grows, y_grows = wcr.char(), wcr.char()
    known = {name: size for name, size in sizes.items() if np.isfinite(size) and size > 0}
    if known and unit not in _MM:
        lot.notes.append(f"WCR sizes in unknown units ({unit}) left out")
    elif known:
        lot.fields |= {name: _in_mm(size, unit) for name, size in known.items()}
    lot.right, lot.up = x_grows != "L", y_grows == "U"
    guessed = [
        *(["x taken as growing right"] if x_grows not in ("L", "R") else []),
        *(["y taken as growing down"] if y_grows not in ("U", "D") else []),
        *(["the notch taken as down"] if flat not in _NOTCH else []),
    ]
    if guessed:
        lot.notes.append(f"the WCR record does not say: {', '.join(guessed)}")
    lot.fields["notch"] = _NOTCH.get(flat, "down")


def _in_mm(size: float, unit: int) -> float:
    """Return a 4-byte real in mm, as its shortest decimal: 5.1, not 5.0999999."""
    return round(float(str(np.float32(size))) * _MM[unit], 9)
