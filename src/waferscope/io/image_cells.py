"""Dies as coloured cells: the picture of a wafer without its title and legend.

Shapes: die grids are ``[rows, cols]``, pixel arrays ``[h, w]`` with ``h = rows * cell height``.
Colour never stands alone: a die of a class carries the class's glyph where the cell is large
enough for it, a die of several classes is striped, and each zone is outlined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import WaferMap

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Color = tuple[int, int, int]
Floats = npt.NDArray[np.float32]

PAPER: Final = (255, 255, 255)
GOOD: Final = (226, 230, 236)
BAD: Final = (122, 129, 141)
"""A failing die that belongs to no class."""
INK: Final = (31, 36, 46)
_GLYPH_FROM: Final = 11
"""Smallest cell side, in pixels, that has room for a glyph."""
_GAP_FROM: Final = 5
_TARGET: Final = 760
_LARGEST_CELL: Final = 36

# Glyphs on the unit square, x and y from -1 to 1; the class's place in the taxonomy picks one.
_GLYPHS: Final[tuple[Callable[[Floats, Floats], Mask], ...]] = (
    lambda x, y: np.abs(y) < 0.3,  # bar
    lambda x, y: np.hypot(x, y) < 0.75,  # disc
    lambda x, y: (np.hypot(x, y) < 1.0) & (np.hypot(x, y) > 0.5),  # ring
    lambda x, y: np.abs(x + y) < 0.45,  # slash
    lambda x, y: (y < 0.75) & (y > 2 * np.abs(x) - 0.95),  # triangle
    lambda x, y: (np.abs(x) < 0.28) | (np.abs(y) < 0.28),  # plus
    lambda x, y: np.abs(np.abs(x) - np.abs(y)) < 0.36,  # cross
    lambda x, y: np.maximum(np.abs(x), np.abs(y)) < 0.55,  # square
)


@dataclass(frozen=True, slots=True)
class Cell:
    """Size of a die in pixels."""

    height: int
    width: int

    @property
    def gap(self) -> int:
        """Pixels between dies."""
        side = min(self.height, self.width)
        return 0 if side < _GAP_FROM else 1 if side < 16 else 2

    @property
    def has_glyphs(self) -> bool:
        """Whether a die has room for a glyph."""
        return min(self.height, self.width) >= _GLYPH_FROM


def cell_size(wafer: WaferMap, scale: int | None = None) -> Cell:
    """Return a cell of ``scale`` pixels on its longer side, of the die's proportions.

    Without a die size the wafer is taken as round. Without a scale the map is about 760 pixels.
    """
    rows, cols = np.nonzero(wafer.dies) if wafer.die_count else np.indices(wafer.shape)
    tall, wide = int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1
    if wafer.die_width_mm and wafer.die_height_mm:
        aspect = wafer.die_height_mm / wafer.die_width_mm
    else:
        aspect = wide / tall
    aspect = min(8.0, max(1 / 8, aspect))
    if scale is None:
        span = max(tall * min(1.0, aspect), wide * min(1.0, 1 / aspect), 1.0)
        scale = int(min(_LARGEST_CELL, max(1.0, round(_TARGET / span))))
    return Cell(
        height=max(1, round(scale * min(1.0, aspect))),
        width=max(1, round(scale * min(1.0, 1 / aspect))),
    )


def paint_dies(dies: npt.NDArray[np.uint8], cell: Cell) -> Pixels:
    """Return uint8 ``[h, w, 3]``: passing dies light, failing dies dark, paper elsewhere."""
    palette = np.array([PAPER, GOOD, BAD], np.uint8)
    image: Pixels = palette[_enlarge(dies, cell)]
    return image


def paint_masks(image: Pixels, masks: Mask, colors: Sequence[Color], cell: Cell) -> None:
    """Colour, in place, the dies of bool masks ``[C, rows, cols]``; shared dies get stripes."""
    shared = np.maximum(masks.sum(axis=0, dtype=np.uint8), 1)
    across = np.add.outer(np.arange(cell.height), np.arange(cell.width))
    place = np.tile(across / (cell.height + cell.width - 1), masks.shape[1:])  # 0 to 1 in each cell
    if min(cell.height, cell.width) < _GAP_FROM:  # too small for stripes of its own
        steps = np.add.outer(*(np.arange(n) for n in image.shape[:2])) // 4
        stripe = (steps % _enlarge(shared, cell)).astype(np.uint8)
    else:
        stripe = (place * _enlarge(shared, cell)).astype(np.uint8)
    rank = np.zeros(masks.shape[1:], np.uint8)
    for number, (mask, color) in enumerate(zip(masks, colors, strict=True)):
        if not mask.any():
            continue
        here = _enlarge(mask, cell) & (stripe == _enlarge(rank, cell))
        image[here] = color
        if cell.has_glyphs:
            image[here & np.tile(glyph(number, cell), mask.shape)] = glyph_color(color)
        rank += mask


def paint_gaps(image: Pixels, cell: Cell) -> None:
    """Part the dies, in place, by lines of paper."""
    for start in range(cell.gap):
        image[start :: cell.height] = PAPER
        image[:, start :: cell.width] = PAPER


def paint_outline(image: Pixels, zone: Mask, color: Color, cell: Cell, inset: int = 0) -> None:
    """Outline, in place, a bool zone ``[rows, cols]``, ``inset`` pixels inside its die edges."""
    import cv2

    solid = np.pad(_enlarge(zone, cell).astype(np.uint8), 1)
    thick = 2 if min(cell.height, cell.width) < _GLYPH_FROM else 3
    square = np.ones((3, 3), np.uint8)
    outer = cv2.erode(solid, square, iterations=inset) if inset else solid
    inner = cv2.erode(outer, square, iterations=thick)
    image[np.asarray(outer)[1:-1, 1:-1] > np.asarray(inner)[1:-1, 1:-1]] = color


def glyph(number: int, cell: Cell) -> Mask:
    """Return the glyph of a class as bool ``[cell height, cell width]``, in the cell's middle."""
    side = 0.56 * (min(cell.height, cell.width) - cell.gap) / 2
    y, x = (
        (np.arange(n, dtype=np.float32) - (n + cell.gap - 1) / 2) / side
        for n in (cell.height, cell.width)
    )
    down, right = np.meshgrid(y, x, indexing="ij")
    inside = np.maximum(np.abs(down), np.abs(right)) <= 1.0
    shape: Mask = inside & _GLYPHS[number % len(_GLYPHS)](right, down)
    return shape


def glyph_color(color: Color) -> Color:
    """Return ink or paper, whichever stands out from a colour."""
    red, green, blue = color
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else PAPER


def darker(color: Color, share: float = 0.72) -> Color:
    """Return a shade of a colour for lines upon it."""
    red, green, blue = (int(part * share) for part in color)
    return red, green, blue


def _enlarge(grid: npt.NDArray[Any], cell: Cell) -> npt.NDArray[Any]:
    return grid.repeat(cell.height, axis=0).repeat(cell.width, axis=1)
