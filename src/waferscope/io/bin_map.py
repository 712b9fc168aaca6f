"""A wafer's hard bins as rows of codes: what E142, G85 and SINF files are written from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from waferscope.domain.wafermap import PASS, Bins, WaferMap
from waferscope.errors import FormatError


@dataclass(frozen=True, slots=True)
class BinCode:
    """One bin: its code, whether its dies pass, how many there are, and its name."""

    code: str
    passes: bool
    count: int
    name: str


@dataclass(frozen=True, slots=True)
class BinMap:
    """A map as rows of codes without blanks; ``null`` is the code of a place without a die."""

    rows: tuple[str, ...]
    bins: tuple[BinCode, ...]
    null: str


def build_bin_map(wafer: WaferMap, digits: int, *, base: int = 16, null: str = "") -> BinMap:
    """Return a wafer's hard bins as codes of so many digits; 1 pass and 2 fail where it has none.

    Without ``null`` it is the highest code that no bin has. Raises FormatError for bins that do
    not fit, and for a bin of both passing and failing dies, since a file has one verdict per bin.
    """
    own = wafer.bins or Bins()
    grid = (own.hard if own.hard is not None else wafer.dies).astype(np.intp)
    tested = wafer.dies > 0
    named = set(own.hard_names)
    top, most = base**digits - 1, max(int(grid[tested].max(initial=0)), *named, 0, 0)
    if most > top or min(named, default=0) < 0:
        raise FormatError(
            f"Expected bins from 0 to {top} in this format, got {min((*named, most))} to {most}. "
            "Renumber them."
        )
    counts = np.bincount(grid[tested], minlength=most + 1)
    passed = np.bincount(grid[wafer.dies == PASS], minlength=most + 1)
    mixed = np.flatnonzero((passed > 0) & (passed < counts))
    if mixed.size:
        good, every = int(passed[mixed[0]]), int(counts[mixed[0]])
        raise FormatError(
            f"Expected each bin to pass or to fail, got bin {mixed[0]} on {good} passing and "
            f"{every - good} failing dies. Renumber the bins, or leave them out."
        )
    used = sorted({*np.flatnonzero(counts).tolist(), *named})
    codes = [_code(number, digits, base) for number in range(most + 1)]
    free = (_code(number, digits, base) for number in range(top, -1, -1) if number not in used)
    blank = null or next(free, "")
    if not blank:
        raise FormatError(
            f"Expected a number up to {top} that no bin has, got none. Give fewer bins."
        )
    text = np.where(
        tested, np.array(codes, f"S{digits}")[np.where(tested, grid, 0)], blank.encode()
    )
    found = (
        BinCode(
            codes[number],
            bool(passed[number]) if counts[number] else number == 1,
            int(counts[number]),
            own.hard_names.get(number, ""),
        )
        for number in used
    )
    return BinMap(tuple(row.tobytes().decode() for row in text), tuple(found), blank)


def highest_bin(wafer: WaferMap) -> int:
    """Return the highest bin that a tested die has, or that has a name."""
    own = wafer.bins or Bins()
    grid = own.hard if own.hard is not None else wafer.dies
    return max(int(grid.max(where=wafer.dies > 0, initial=0)), *own.hard_names, 0, 0)


def _code(number: int, digits: int, base: int) -> str:
    return f"{number:0{digits}X}" if base == 16 else f"{number:0{digits}}"
