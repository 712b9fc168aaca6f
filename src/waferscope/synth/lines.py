"""Lines of failing dies: oriented filters, hysteresis, and the longest connected runs."""

from __future__ import annotations

from functools import cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
FloatGrid = npt.NDArray[np.float32]

LENGTH: Final = 11
"""Length of the line filter, in dies."""
ANGLES: Final = 16
GROW: Final = 0.30
"""A line goes on where its filter beats the fail density all around by this much."""
SEED: Final = 0.50
"""A line must beat it by this much somewhere."""
MIN_DIES: Final = 5
SHARE: Final = 0.5
"""Lines shorter than this share of the longest are second structures."""


def find_lines(fails: Mask, present: Mask) -> tuple[Mask, Mask]:
    """Return ``(lines, unsure)``, bool ``[rows, cols]``: failing dies on the longest lines.

    Unsure are the dies of lines too short to be sure of.
    """
    contrast = line_contrast(fails, present)
    on_line = fails & (contrast > GROW)
    joined = cv2.dilate(on_line.astype(np.uint8), np.ones((2, 2), np.uint8))  # bridges one die
    components = cv2.connectedComponents(joined, connectivity=8)[1]
    labels: npt.NDArray[np.intp] = np.where(on_line, components, 0).astype(np.intp)
    count = int(labels.max()) + 1
    peak = np.zeros(count)
    np.maximum.at(peak, labels.ravel(), contrast.ravel())
    dies = np.bincount(labels.ravel(), minlength=count)
    good = (peak > SEED) & (dies >= MIN_DIES)
    good[0] = False
    keep = good & (dies >= SHARE * np.max(dies * good))
    return keep[labels], (good & ~keep)[labels]


def line_contrast(fails: Mask, present: Mask) -> FloatGrid:
    """Return how much denser than its surroundings the best line through each die is."""
    hits, dies = fails.astype(np.float32), present.astype(np.float32)
    best = np.zeros(fails.shape, dtype=np.float32)
    for kernel in _kernels(LENGTH):
        length = np.maximum(_filter(dies, kernel), 5)
        best = np.maximum(best, _filter(hits, kernel) / length)
    window = (0, 0), LENGTH / 2
    around = cv2.GaussianBlur(hits, *window, borderType=cv2.BORDER_CONSTANT)
    weight = cv2.GaussianBlur(dies, *window, borderType=cv2.BORDER_CONSTANT)
    return np.where(present, best - around / np.maximum(weight, 1e-6), np.float32(0))


def _filter(grid: FloatGrid, kernel: FloatGrid) -> FloatGrid:
    return cv2.filter2D(grid, -1, kernel, borderType=cv2.BORDER_CONSTANT).astype(np.float32)


@cache
def _kernels(length: int) -> tuple[FloatGrid, ...]:
    """One-die-wide lines through the middle of a ``[length, length]`` grid, by angle."""
    half = length // 2
    along = np.linspace(-half, half, 4 * length)
    kernels = []
    for angle in np.arange(ANGLES) * np.pi / ANGLES:
        kernel = np.zeros((length, length), dtype=np.float32)
        rows = np.rint(half + along * np.sin(angle)).astype(int)
        kernel[rows, np.rint(half + along * np.cos(angle)).astype(int)] = 1
        kernels.append(kernel)
    return tuple(kernels)
