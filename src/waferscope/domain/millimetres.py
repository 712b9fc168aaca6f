"""Places on the wafer in mm."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import WaferMap

_TURNS: Final = {"down": (1, 0), "left": (0, 1), "up": (-1, 0), "right": (0, -1)}


def to_mm(wafer: WaferMap, places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """Return float64 ``[n, 2]`` (x, y) in mm of ``[n, 2]`` (row, col); None without a die size.

    A die's centre has whole row and column numbers. As in SEMI M20 the origin is the wafer's
    centre (where that is unknown, of the box around its tested dies), the notch lies at -y, x
    grows to the right of it and y away from it, whatever way the array is turned.

    >>> wafer = WaferMap(np.ones((3, 5), np.uint8), die_width_mm=2.0, die_height_mm=3.0)
    >>> to_mm(wafer, np.array([[1.0, 2.0], [0.0, 4.0]])).tolist()
    [[0.0, 0.0], [4.0, 3.0]]
    """
    if wafer.die_width_mm is None or wafer.die_height_mm is None:
        return None
    row, col = wafer.centre or middle_of(wafer)
    right = (places[:, 1] - col) * wafer.die_width_mm
    up = (row - places[:, 0]) * wafer.die_height_mm
    cos, sin = _TURNS[wafer.notch]
    return np.column_stack((cos * right - sin * up, sin * right + cos * up)) + 0.0


def middle_of(wafer: WaferMap) -> tuple[float, float]:
    """Return the (row, col) of the middle of the box around the tested dies, else of the array."""
    rows, cols = np.nonzero(wafer.dies)
    rows, cols = (rows, cols) if rows.size else np.nonzero(wafer.dies == 0)
    return (rows.min() + rows.max()) / 2, (cols.min() + cols.max()) / 2
