"""A new KLARF 1.2 file of wafers from anywhere: one defect, at its centre, per failing die.

Kept: names of lot, wafer, product, step and tester, slot, times to the second in UTC, sizes,
notch, pass and fail, classes and clusters of a prediction. Lost: bins, patterns, reticle, notes.
KLARF counts dies to the right and up: coordinates that grow other ways change their sign.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from waferscope.domain.millimetres import middle_of
from waferscope.domain.wafermap import FAIL, WaferMap
from waferscope.errors import FormatError
from waferscope.io.klarf.marks import Marks
from waferscope.io.klarf.tokens import LONGEST_NAME

_SPEC: Final = (
    "DEFECTID XREL YREL XINDEX YINDEX XSIZE YSIZE DEFECTAREA DSIZE CLASSNUMBER TEST "
    "CLUSTERNUMBER IMAGECOUNT"
)
_ROW: Final = " %d %.4f %.4f %d %d 0 0 0 0 %d 1 %d 0"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Ints = npt.NDArray[np.int64]


class Row(Protocol):
    """A wafer, with marks where it was predicted."""

    @property
    def wafer(self) -> WaferMap:
        """The wafer."""

    @property
    def marks(self) -> Marks | None:
        """What is said of its dies."""


def fresh_bytes(rows: Sequence[Row]) -> bytes:
    """Return a new file; raise FormatError for names that KLARF cannot hold."""
    file = _File()
    times = [row.wafer.tested_at for row in rows if row.wafer.tested_at is not None]
    file.say("FileVersion", "1 2")
    file.say("FileTimestamp", _clock(max(times, default=_EPOCH)))
    file.say("SampleType", "WAFER")
    names = {n: name for row in rows if row.marks for n, name in row.marks.names.items()}
    listed = "".join(f"\n {number} {_quote(name)}" for number, name in sorted(names.items()))
    for row in rows:
        file.add_header(row.wafer)
        if row is rows[0]:
            file.say("ClassLookup", f'{len(names) + 1}\n 0 "Unclassified"{listed}')
        file.add_dies(row.wafer, row.marks)
    file.say("EndOfFile", "")
    return "".join(file.parts).encode()


class _File:
    """The statements written so far."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.said: set[str] = set()

    def say(self, keyword: str, values: str | None) -> None:
        """Add a statement; of a value that is not known only that an earlier one is over."""
        if values is not None or keyword in self.said:
            gap = "" if not values or values.startswith("\n") else " "
            self.parts.append(f"{keyword}{gap}{values or ''};\n")
            self.said.add(keyword)

    def add_header(self, wafer: WaferMap) -> None:
        """Add names and sizes."""
        turned = _as_klarf(wafer)
        sizes = turned.die_width_mm, turned.die_height_mm
        when = wafer.tested_at
        self.say("InspectionStationID", f'"" "" {_quote(wafer.tester or "")}')
        self.say("ResultTimestamp", None if when is None else _clock(when))
        self.say("LotID", _quote(wafer.lot_id or ""))
        size = None if wafer.diameter_mm is None else f"1 {wafer.diameter_mm!r}"
        self.say("SampleSize", size)
        self.say("DeviceID", _quote(wafer.product or ""))
        self.say("SetupID", f'"" {_clock(when or _EPOCH)}')
        self.say("StepID", _quote(wafer.step or ""))
        self.say("SampleOrientationMarkType", "NOTCH")
        self.say("OrientationMarkLocation", turned.notch.upper())
        pitch = " ".join(repr(round((size or 0.0) * 1000, 6)) for size in sizes)
        self.say("DiePitch", pitch if any(sizes) else None)
        self.say("DieOrigin", "0.0 0.0")
        self.say("WaferID", _quote(wafer.wafer_id))
        self.parts.append("" if wafer.slot is None else f"Slot {wafer.slot};\n")

    def add_dies(self, wafer: WaferMap, marks: Marks | None) -> None:
        """Add the inspected dies, a defect on each failing one, and the counts."""
        turned = _as_klarf(wafer)
        grid = [turned.dies] if marks is None else [turned.dies, *_turned(wafer, marks)]
        rows, cols = np.nonzero(turned.dies)
        frame = turned.frame
        x, y = frame.dx * frame.x0 + cols, -frame.dy * frame.y0 - rows
        pitch = [(turned.die_width_mm or 0.0) * 1000, (turned.die_height_mm or 0.0) * 1000]
        row, col = turned.centre or middle_of(turned)
        middle = frame.dx * frame.x0 + col + 0.5, -frame.dy * frame.y0 - row + 0.5
        centre = f"{middle[0] * pitch[0]:.4f} {middle[1] * pitch[1]:.4f}"
        self.say("SampleCenterLocation", centre if all(pitch) else None)
        self.say("InspectionTest", "1")
        plan = _table(" %d %d", [x, y])
        self.say("SampleTestPlan", f"{len(x)}\n{plan}")
        area = len(x) * pitch[0] * pitch[1]
        self.say("AreaPerTest", f"{area:.10e}")
        self.say("DefectRecordSpec", f"{len(_SPEC.split())} {_SPEC} ")
        bad = turned.dies[rows, cols] == FAIL
        count = int(np.count_nonzero(bad))
        said = [g[rows[bad], cols[bad]] for g in grid[1:]] or [np.zeros(count), np.zeros(count)]
        half = [np.full(count, p / 2) for p in pitch]
        defects = _table(_ROW, [np.arange(1, count + 1), *half, x[bad], y[bad], *said])
        self.say("DefectList", f"\n{defects}" if count else "")
        self.say("SummarySpec", "5 TESTNO NDEFECT DEFDENSITY NDIE NDEFDIE ")
        density = count / (area / 1e8) if area else 0.0  # per cm2
        self.say("SummaryList", f"\n 1 {count} {density:.6e} {len(x)} {count}")


def _as_klarf(wafer: WaferMap) -> WaferMap:
    """Return the wafer with x along its columns."""
    return wafer.turn() if wafer.frame.swapped else wafer


def _turned(wafer: WaferMap, marks: Marks) -> list[npt.NDArray[Any]]:
    grids = [marks.classes, marks.clusters]
    return [np.rot90(grid) for grid in grids] if wafer.frame.swapped else [*grids]


def _table(form: str, columns: Sequence[npt.NDArray[Any]]) -> str:
    text = io.StringIO()
    np.savetxt(text, np.column_stack(columns), form, newline="\n")
    return text.getvalue().removesuffix("\n")


def _clock(when: datetime) -> str:
    utc = when.astimezone(UTC)
    return f"{utc.month:02}-{utc.day:02}-{utc.year:04} {utc:%H:%M:%S}"


def _quote(name: str) -> str:
    if '"' in name or not name.isprintable() or len(name) > LONGEST_NAME:
        raise FormatError(
            f"Expected names of at most {LONGEST_NAME} printable signs without quotes for KLARF, "
            f"got {name!r:.60}. Rename it."
        )
    return f'"{name}"'
