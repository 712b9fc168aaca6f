"""KLARF out: the file that was read with classes and clusters in it, or a new one.

Predictions of wafers that came from a KLARF file go back into that file: CLASSNUMBER and
CLUSTERNUMBER of the defects on marked dies change, every other byte stays. Wafers from elsewhere
make a new file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError
from waferscope.io.klarf.defects import locate
from waferscope.io.klarf.fresh import fresh_bytes
from waferscope.io.klarf.marks import Marks, build_marks
from waferscope.io.klarf.read import parse_klarf
from waferscope.io.klarf.records import KlarfFile, Table
from waferscope.io.klarf.wafer import whole_cells

if TYPE_CHECKING:
    from waferscope.domain.prediction import Prediction

_NUMBERS = ("CLASSNUMBER", "CLUSTERNUMBER")
Edit = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True, eq=False)
class KlarfRow:
    """One wafer to be written, with what a prediction says of its dies."""

    wafer: WaferMap
    marks: Marks | None = None

    @property
    def file(self) -> KlarfFile | None:
        """The KLARF file that the wafer came from."""
        source = self.wafer.source
        file = None if source is None else source.extra.get("klarf")
        return file if isinstance(file, KlarfFile) else None

    @property
    def number(self) -> int:
        """The number of the wafer in its file."""
        return int(self.wafer.source.extra["wafer"]) if self.wafer.source else 0


def klarf_row(wafer: WaferMap) -> KlarfRow:
    """Return what a file needs of a wafer; refuse one without a die."""
    if not wafer.die_count:
        raise FormatError(
            f"Expected a wafer with a tested die, got {wafer.wafer_id!r} without one. Leave it out."
        )
    return KlarfRow(wafer)


def klarf_marked_row(prediction: Prediction) -> KlarfRow:
    """Return what a file needs of a prediction."""
    return KlarfRow(klarf_row(prediction.wafer).wafer, build_marks(prediction))


def klarf_bytes(rows: Sequence[KlarfRow]) -> bytes:
    """Return one KLARF file of wafers or of predictions.

    Predictions of wafers of one KLARF file give that file with their numbers in it, whether or
    not all of its wafers are among them. All wafers of one file, unchanged, give the file as it
    was. Anything else becomes a new file (1.2). Raises FormatError for predictions of several
    files, two of one wafer, a file that cannot hold the numbers, and names that KLARF cannot.
    """
    if not rows:
        raise FormatError("Expected at least one wafer for a KLARF file, got none. Give some.")
    file = rows[0].file
    alike = file is not None and all(_same(row.file, file) for row in rows)
    if rows[0].marks is None:
        whole = file is not None and alike and _is_whole(rows, file)
        return file.data if file is not None and whole else fresh_bytes(rows)
    if file is not None and alike:
        return _give_back(file.data, rows)
    if any(row.file is not None for row in rows):
        raise FormatError(
            "Expected predictions of wafers of one KLARF file, got several files or other sources. "
            "Write those of each file into a file of their own."
        )
    return fresh_bytes(rows)


def _same(one: KlarfFile | None, other: KlarfFile) -> bool:
    return one is other or (one is not None and one.data == other.data)


def _is_whole(rows: Sequence[KlarfRow], file: KlarfFile) -> bool:
    """Tell whether these are all wafers of the file, in their order and as they were read."""
    if [row.number for row in rows] != list(range(len(parse_klarf(file.data).wafers))):
        return False
    extras = [row.wafer.source.extra for row in rows if row.wafer.source is not None]
    return all(
        row.wafer.fingerprint == extra.get("fingerprint")
        for row, extra in zip(rows, extras, strict=True)
    )


def _give_back(data: bytes, rows: Sequence[KlarfRow]) -> bytes:
    """Return the file with the numbers of all rows in it."""
    numbers = [row.number for row in rows]
    if len(set(numbers)) != len(numbers):
        raise FormatError(
            "Expected one prediction per wafer of a KLARF file, got two of one. Leave one out."
        )
    wafers = parse_klarf(data).wafers
    edits = [
        edit for row in rows for table in wafers[row.number].defects
        for edit in _edits(data, table, row)
    ]  # fmt: skip
    pieces, place = [], 0
    for start, end, said in sorted(edits):
        pieces += [data[place:start], said]
        place = end
    return b"".join((*pieces, data[place:]))


def _edits(data: bytes, table: Table, row: KlarfRow) -> Iterator[Edit]:
    """Yield what changes in one list of defects: first and last byte, and what stands there now."""
    marks, frame = row.marks, row.wafer.frame
    if marks is None or not marks.classes.any():
        return
    present = [name for name in _NUMBERS if name in table.columns]
    if not present:
        raise FormatError(
            f"Expected a defect list with {' or '.join(_NUMBERS)} to write into, got "
            f"{', '.join(table.columns)[:120]}. Write the prediction in another format."
        )
    spans = locate(data, table, ("XINDEX", "YINDEX", *present))
    cells, good = whole_cells(data, spans, "defect list")
    along_x, along_y = (cells[:, 0] - frame.x0) * frame.dx, (cells[:, 1] - frame.y0) * frame.dy
    rows, cols = (along_x, along_y) if frame.swapped else (along_y, along_x)
    height, width = row.wafer.shape
    good &= (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    rows, cols = np.where(good, rows, 0), np.where(good, cols, 0)
    for i, name in enumerate(present, 2):
        grid = marks.classes if name == "CLASSNUMBER" else marks.clusters
        said = np.where(good, grid[rows, cols], 0)
        chosen = np.flatnonzero(said)
        for (start, end), value in zip(
            spans[chosen, i].tolist(), said[chosen].tolist(), strict=True
        ):
            yield start, end, b"%d" % value
