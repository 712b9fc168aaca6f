"""Lines of failing dies: oriented filters, hysteresis, and the longest connected runs.

Axes: R rows, C columns, A angles, N lines found (0 is none).
"""

from __future__ import annotations

from functools import cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from waferscope.domain.grid import FloatGrid, rho_theta
from waferscope.domain.wafermap import FAIL, DieGrid
from waferscope.synth.neighbourhood import fail_density, rim_depth

Mask = npt.NDArray[np.bool_]

LENGTH: Final = 11
"""Length of the line filter, in dies."""
SHORTEST: Final = 5
"""Dies that a filter cut by the rim must still cover, else it counts as this long."""
ANGLES: Final = 12
SURROUNDINGS: Final = 4.4
"""Scale of the fail density that a line must beat, in dies."""
SEED: Final = 0.45
"""A line's filter beats that density by this much somewhere."""
GROW: Final = 0.30
"""It goes on while it beats it by this much."""
FRINGE: Final = 0.10
"""Dies beside the line, at its ends and across its width, beat it by this much."""
SHARE: Final = 0.2
"""Lines with fewer dies than this share of the longest are second structures."""
SOLID: Final = 0.3
"""A run with more than this share of its dies amid fails on all sides is a blob."""
RIM_ANGLE: Final = np.deg2rad(25.0)
"""Outermost dies in line with the rim, to this angle, are edge fails rather than a scratch."""


def find_lines(dies: DieGrid) -> tuple[Mask, Mask]:
    """Return ``(lines, unsure)``, bool ``[rows, cols]``: failing dies on the clear lines.

    Unsure are the dies of blobs, of lines too short to be sure of, and of those along the rim.
    """
    fails, present = dies == FAIL, dies > 0
    contrast, angle = line_contrast(fails, present)
    depth = rim_depth(present)
    turn = np.abs((angle - _rim_angle(dies) + np.pi / 2) % np.pi - np.pi / 2)
    along_rim = (depth <= 1) & (turn < RIM_ANGLE)
    on_line = fails & (contrast > GROW) & ~along_rim
    joined = cv2.dilate(on_line.astype(np.uint8), np.ones((2, 2), np.uint8))  # bridges one die
    components = cv2.connectedComponents(joined, connectivity=8)[1]
    labels: npt.NDArray[np.intp] = np.where(on_line, components, 0).astype(np.intp)
    count = int(labels.max()) + 1
    peak = np.zeros(count)
    np.maximum.at(peak, labels.ravel(), contrast.ravel())
    inner = np.bincount(labels.ravel(), (depth > 2).ravel(), count)
    solid = cv2.erode(fails.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    thick = np.bincount(labels.ravel(), solid.ravel(), count) > SOLID * np.bincount(labels.ravel())
    good = (peak > SEED) & (inner > 2)
    good[0] = False
    slim = good & ~thick
    keep = slim & (inner >= SHARE * np.max(inner * slim))
    core = keep[labels]
    beside = cv2.dilate(core.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    lines = core | (fails & beside & ~along_rim & (contrast > FRINGE))
    unsure = good[labels] | (fails & along_rim & (contrast > GROW)) | (fails & beside)
    return lines, unsure & ~lines


def line_contrast(fails: Mask, present: Mask) -> tuple[FloatGrid, FloatGrid]:
    """Return how much denser the best line through each die is than its surroundings.

    The second array is that line's angle in array coordinates: radians in [0, pi), 0 along a row,
    growing from there towards the next row down.
    """
    hits, dies = fails.astype(np.float32), present.astype(np.float32)
    share = np.stack(
        [_filter(hits, k) / np.maximum(_filter(dies, k), SHORTEST) for k in _kernels()]
    )
    contrast = share.max(axis=0) - fail_density(fails, present, SURROUNDINGS)
    angle = (share.argmax(axis=0) * (np.pi / ANGLES)).astype(np.float32)
    return np.where(present, contrast, np.float32(0)), angle


def _rim_angle(dies: DieGrid) -> FloatGrid:
    """Angle of the rim nearest to each die, of the ellipse that the wafer is on its die grid."""
    rho, theta = rho_theta(dies)
    rows, cols = dies.shape
    down, right = -rho * np.sin(theta) / rows, rho * np.cos(theta) / cols
    angle: FloatGrid = np.arctan2(right, -down)
    return angle


def _filter(grid: FloatGrid, kernel: FloatGrid) -> FloatGrid:
    filtered = cv2.filter2D(grid, -1, kernel, borderType=cv2.BORDER_CONSTANT)
    return filtered.astype(np.float32, copy=False)


@cache
def _kernels() -> tuple[FloatGrid, ...]:
    """One-die-wide lines through the middle of a ``[LENGTH, LENGTH]`` grid, by angle."""
    half = LENGTH // 2
    along = np.linspace(-half, half, 4 * LENGTH)
    kernels = []
    for angle in np.arange(ANGLES) * np.pi / ANGLES:
        kernel = np.zeros((LENGTH, LENGTH), dtype=np.float32)
        down, right = np.sin(angle), np.cos(angle)
        reach = along / max(abs(down), abs(right))
        rows, cols = np.rint(half + reach * down), np.rint(half + reach * right)
        kernel[rows.astype(int), cols.astype(int)] = 1
        kernels.append(kernel)
    return tuple(kernels)
