"""Normalised wafer coordinates of a die grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatGrid = npt.NDArray[np.float32]


def rho_theta(dies: npt.NDArray[np.uint8]) -> tuple[FloatGrid, FloatGrid]:
    """Return the polar coordinates of every cell's centre, float32 ``[rows, cols]`` each.

    The bounding box of ``dies > 0`` is scaled per axis to the unit disc: ``rho`` is 0 at its
    centre and 1 at the rim, ``theta`` is in radians in (-pi, pi], 0 to the right and growing
    counter-clockwise as the map is drawn (row 0 at the top). A map without a die uses the whole
    array as its box.

    >>> rho, theta = rho_theta(np.ones((3, 3), dtype=np.uint8))
    >>> float(rho[1, 1]), round(float(rho[0, 1]), 3), round(float(theta[0, 1]), 3)
    (0.0, 0.667, 1.571)
    """
    up, right = unit_axes(dies)
    y, x = up[:, None], right[None, :]
    return np.hypot(y, x), np.arctan2(y, x)


def unit_axes(dies: npt.NDArray[np.uint8]) -> tuple[FloatGrid, FloatGrid]:
    """Return y (upwards) of every row and x (to the right) of every column, float32 each.

    They run from -1 to 1 over the box of ``dies > 0``, as in `rho_theta`.
    """
    present = dies > 0
    return 0.0 - _unit_axis(np.any(present, axis=1)), _unit_axis(np.any(present, axis=0))


def _unit_axis(occupied: npt.NDArray[np.bool_]) -> FloatGrid:
    inside = np.flatnonzero(occupied)
    first, last = (int(inside[0]), int(inside[-1])) if inside.size else (0, occupied.size - 1)
    centre, half = (first + last) / 2, (last - first + 1) / 2
    return ((np.arange(occupied.size) - centre) / half).astype(np.float32)
