"""Rows of bin codes, as E142, G85 and SINF write them: every die a code of a few characters.

Shapes: grids are ``[rows, cols]``. A code is text; ``Codes.cells`` holds its place in ``names``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import MAX_SIDE, BinGrid
from waferscope.errors import FormatError

WIDEST: Final = 4
"""Characters of the longest code."""
LONGEST_ROW: Final = 16 * MAX_SIDE
"""Characters of the longest row, with what may stand between its codes."""
MISSING: Final = ""
"""Name of the code of cells that a short row lacks."""
MOST_CODES: Final = 1 << 15
_CODE: Final = np.dtype("<u4")
_ENDS: Final = "\r\n\t"


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """The codes of a map: ``names`` are the different ones, ``cells`` uint16 points into them."""

    names: tuple[str, ...]
    cells: npt.NDArray[np.uint16]
    notes: tuple[str, ...] = ()

    def look_up(self, values: Sequence[int]) -> BinGrid:
        """Return a grid in which every cell has the value of its code."""
        grid: BinGrid = np.array(values, dtype=np.uint16)[self.cells]
        return grid


def read_rows(rows: Sequence[str], width: int | None, null: str = "") -> Codes:
    """Return the codes of rows of text, in cells parted by blanks or of ``width`` characters.

    Without a width it is 1, or that of ``null``. A blank is a code of its own where ``null`` is
    one. Short rows are filled up on the right with `MISSING`. Raises FormatError for what no map
    can be.

    >>> codes = read_rows(["FF01", "01 02"], 2)
    >>> codes.names, codes.cells.tolist()
    (('01', '02', 'FF'), [[2, 0], [0, 1]])
    """
    blanks = bool(null) and not null.strip()
    wide = width or len(null) or 1
    if not rows or len(rows) > MAX_SIDE or wide > WIDEST:
        raise FormatError(
            f"Expected 1 to {MAX_SIDE} rows of codes of up to {WIDEST} characters, got "
            f"{len(rows)} rows and {wide} characters. Check the map."
        )
    lines = [_cut(row, wide, blanks, number) for number, row in enumerate(rows, 1)]
    sizes = [len(line) for line in lines]
    most, least = max(sizes), min(sizes)
    if not most:
        raise FormatError("Expected rows of dies, got empty ones alone. Check the map.")
    grid = np.zeros((len(lines), most), _CODE)
    for place, line in zip(grid, lines, strict=True):
        place[: len(line)] = line
    different = np.unique(np.concatenate([np.unique(line) for line in grid]))
    if len(different) > MOST_CODES:
        raise FormatError(
            f"Expected a map of at most {MOST_CODES:,} different bins, got {len(different):,}. "
            "Check the length of its codes."
        )
    names = tuple(raw.tobytes().rstrip(b"\0").decode("latin-1") for raw in different)
    note = f"rows of {least} to {most} dies filled up on the right with no die"
    cells = np.stack([np.searchsorted(different, line).astype(np.uint16) for line in grid])
    return Codes(names, cells, () if least == most else (note,))


def _cut(row: str, width: int, blanks: bool, number: int) -> npt.NDArray[np.uint32]:
    """Return one row's codes, up to four bytes each, as numbers."""
    if len(row) > LONGEST_ROW:
        raise _unfit(number, row, f"of {len(row):,} characters")
    text = row.strip(_ENDS) if blanks else row.strip()
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise _unfit(number, row, "other than plain text") from error
    if b"\0" in raw:
        raise _unfit(number, row, "with NUL in it")
    if not blanks:
        tokens = raw.split()
        if tokens and max(map(len, tokens)) <= width:
            return _fitting(np.array(tokens, dtype=f"S{WIDEST}").view(_CODE), number, row)
        raw = b"".join(tokens)  # blanks between groups of codes
    if len(raw) % width:
        raise _unfit(number, row, f"of {len(raw)} characters, no multiple of {width}")
    padded = np.zeros((len(raw) // width, WIDEST), np.uint8)
    padded[:, :width] = np.frombuffer(raw, np.uint8).reshape(-1, width)
    return _fitting(padded.view(_CODE)[:, 0], number, row)


def _fitting(codes: npt.NDArray[np.uint32], number: int, row: str) -> npt.NDArray[np.uint32]:
    if len(codes) > MAX_SIDE:
        raise _unfit(number, row, f"of {len(codes):,} dies, more than {MAX_SIDE}")
    return codes


def _unfit(number: int, row: str, what: str) -> FormatError:
    return FormatError(
        f"Expected codes of dies in row {number} of the map, got {row[:24]!r} {what}. "
        "Check the type of its bins and the row."
    )
