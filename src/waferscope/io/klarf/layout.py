"""Which dies a wafer has when its file lists only those with defects."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import MAX_SIDE

_FARTHEST: Final = 1 << 30
_MOST_CELLS: Final = 4_000_000
Cells = npt.NDArray[np.int64]
NEARLY_ALL: Final = 0.85
"""Share of the whole dies from which a count of inspected dies is one of all but the edge."""


def lay_out(
    pitch: tuple[float, float],
    centre: tuple[float, float],
    diameter: float,
    failing: Cells,
    inspected: int | None,
) -> Cells | None:
    """Return ``[n, 2]`` (x, y) of the dies of a round wafer, the failing ones among them.

    Die (x, y) covers ``pitch`` from its lower left corner at (x, y) times the pitch; ``centre`` is
    the wafer's centre from the corner of die (0, 0). Where ``inspected`` is nearly the number of
    whole dies, that many are taken, those at the edge left out; else all whole ones. None when the
    figures give no grid. Lengths are in one unit.

    >>> len(lay_out((10.0, 10.0), (5.0, 5.0), 100.0, np.zeros((0, 2), np.int64), None))
    61
    """
    radius = diameter / 2
    if any(not (abs(centre[i]) + radius) / pitch[i] < _FARTHEST for i in (0, 1)):
        return None
    first = [int(np.floor((centre[i] - radius) / pitch[i])) for i in (0, 1)]
    last = [int(np.ceil((centre[i] + radius) / pitch[i])) for i in (0, 1)]
    sides = [last[i] - first[i] for i in (0, 1)]
    fits = max(sides) <= MAX_SIDE and sides[0] * sides[1] <= _MOST_CELLS
    if not fits or not _inside(failing, first, last):
        return None
    far = [
        np.maximum(np.abs(low), np.abs(low + pitch[i])).astype(np.float32)
        for i in (0, 1)
        for low in [np.arange(first[i], last[i]) * pitch[i] - centre[i]]
    ]
    reach = np.square(far[0])[:, None] + np.square(far[1])[None, :]
    whole = int(np.count_nonzero(reach <= radius * radius))
    x, y = (failing - first).T
    reach[x, y] = -1
    if inspected is not None and NEARLY_ALL * whole <= inspected <= reach.size:
        taken = np.argpartition(reach.ravel(), max(inspected - 1, 0))[:inspected]
        chosen = np.unravel_index(np.sort(taken), reach.shape)
    else:
        chosen = np.nonzero(reach <= radius * radius)
    return np.column_stack(chosen).astype(np.int64) + first


def _inside(failing: Cells, first: list[int], last: list[int]) -> bool:
    """Tell whether the dies lie within the box: figures that put them elsewhere are wrong."""
    return bool(((failing >= first) & (failing < last)).all())
