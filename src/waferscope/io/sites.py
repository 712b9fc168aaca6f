"""Die coordinates as they stand in a file, laid into an array.

Shapes: every argument is one value per test result, ``[n]``; grids are ``[rows, cols]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import MAX_SIDE, BinGrid, DieGrid, Frame
from waferscope.errors import FormatError
from waferscope.io.formats import Retests

Integers = npt.NDArray[np.integer]
_ENOUGH: Final = 20
_APART: Final = 30
_STRAYS: Final = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """The cells of some results in the smallest array that holds them, and the array's frame."""

    cells: npt.NDArray[np.intp]
    shape: tuple[int, int]
    frame: Frame

    def dies(self, states: Integers, order: npt.NDArray[np.intp]) -> DieGrid:
        """Return the states as a grid; where results share a die the last one in order counts."""
        grid = np.zeros(self.shape, np.uint8)
        grid.reshape(-1)[self.cells[order]] = states[order]
        return grid

    def bins(self, numbers: Integers, order: npt.NDArray[np.intp]) -> BinGrid | None:
        """Return bin numbers as a grid in the same way, or None when every one is 0."""
        if not numbers.any():
            return None
        grid = np.zeros(self.shape, np.uint16)
        grid.reshape(-1)[self.cells[order]] = numbers[order]
        return grid


def find_sites(x: Integers, y: Integers, *, right: bool = True, up: bool = False) -> Sites:
    """Return where results lie in an array whose row 0 is the top and column 0 the left.

    ``right`` and ``up`` say where x and y grow. Raises FormatError when the dies do not fit into
    the largest grid.

    >>> sites = find_sites(np.array([4, 5]), np.array([-3, -4]), up=True)
    >>> sites.shape, sites.frame.to_xy(row=1, col=1)
    ((2, 2), (5, -4))
    """
    x, y = x.astype(np.int64), y.astype(np.int64)
    left, right_end, bottom, top = int(x.min()), int(x.max()), int(y.min()), int(y.max())
    shape = top - bottom + 1, right_end - left + 1
    if max(shape) > MAX_SIDE:
        raise FormatError(
            f"Expected dies within {MAX_SIDE} rows and columns, got x from {left} to {right_end} "
            f"and y from {bottom} to {top}. Check the coordinates of the dies."
        )
    frame = Frame(
        x0=left if right else right_end,
        y0=top if up else bottom,
        dx=1 if right else -1,
        dy=-1 if up else 1,
    )
    rows, cols = (y - frame.y0) * frame.dy, (x - frame.x0) * frame.dx
    return Sites((rows * shape[1] + cols).astype(np.intp), shape, frame)


def find_strays(x: Integers, y: Integers) -> npt.NDArray[np.bool_]:
    """Return which results lie far off: places such as 32767 or -9999 that stand for none.

    That is at most one in fifty results, or one, beyond a gap wider than all the other results
    are, and than 30 dies. Of fewer than 20 results none is far off.

    >>> x = np.append(np.arange(50), 32767)
    >>> np.flatnonzero(find_strays(x, np.zeros_like(x))).tolist()
    [50]
    """
    far = np.zeros(len(x), dtype=bool)
    if len(x) < _ENOUGH:
        return far
    for values in (x, y):
        distinct, back, counts = np.unique(values, return_inverse=True, return_counts=True)
        steps = np.diff(distinct.astype(np.int64))
        group = np.append(0, np.cumsum(steps > max(_APART, len(distinct))))
        sizes = np.bincount(group, counts)
        far |= (group != sizes.argmax())[back]
    most = max(1, _STRAYS * len(x))
    return far if np.count_nonzero(far) <= most else np.zeros_like(far)


def stray_notes(x: Integers, y: Integers) -> list[str]:
    """Return the note on results that were left out as far off, if there are any."""
    places = sorted({*zip(x.tolist(), y.tolist(), strict=True)})
    listed = "; ".join(f"{place[0]},{place[1]}" for place in places[:3])
    return [f"{len(x):,} results far from all others left out: {listed}"] if places else []


def retest_notes(count: int, retests: Retests) -> list[str]:
    """Return what to say of results that another one of the same die stands for.

    >>> retest_notes(1, "last"), retest_notes(0, "last")
    (['1 result retested: the last one of a die counts'], [])
    """
    results = f"{count:,} result{'s' * (count != 1)}"
    return [f"{results} retested: the {retests} one of a die counts"] if count else []


def retest_order(states: Integers, retests: Retests) -> npt.NDArray[np.intp]:
    """Return an order of the results in which the one that counts comes last on every die.

    >>> retest_order(np.array([1, 2, 1]), "worst").tolist()
    [0, 2, 1]
    """
    if retests == "worst":
        return np.argsort(states, kind="stable")
    forward = np.arange(len(states))
    return forward if retests == "last" else forward[::-1]


def solve_frame(sites: Sites, x: Integers, y: Integers) -> Frame | None:
    """Return the frame in which the cells have the coordinates x and y, or None if there is none.

    >>> sites = find_sites(np.array([0, 1, 0]), np.array([0, 0, 1]))
    >>> solve_frame(sites, np.array([7, 6, 7]), np.array([2, 2, 3]))
    Frame(x0=7, y0=2, dx=-1, dy=1, swapped=False)
    """
    row, col = np.divmod(sites.cells, sites.shape[1])
    for swapped, (along_x, along_y) in ((False, (col, row)), (True, (row, col))):
        starts = []
        for values, along in ((x.astype(np.int64), along_x), (y.astype(np.int64), along_y)):
            for step in (1, -1):
                start = values - step * along
                if (start == start[0]).all():
                    starts.append((int(start[0]), step))
                    break
        if len(starts) == 2:
            (x0, dx), (y0, dy) = starts
            return Frame(x0, y0, dx, dy, swapped)
    return None
