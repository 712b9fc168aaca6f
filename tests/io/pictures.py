"""Wafer maps drawn as test programs draw them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Dies = npt.NDArray[np.uint8]

PALETTES = {
    "green and red on white": [(255, 255, 255), (0, 160, 0), (220, 0, 0)],
    "greys on black": [(0, 0, 0), (127, 127, 127), (255, 255, 255)],
    "greys on white": [(255, 255, 255), (210, 210, 210), (0, 0, 0)],
    "viridis": [(68, 1, 84), (33, 145, 140), (253, 231, 37)],
    "yellow and red on black": [(0, 0, 0), (250, 220, 0), (230, 20, 20)],
}


def disc(rows: int, cols: int, fails: float = 0.15, seed: int = 0) -> Dies:
    """A round wafer that touches its four sides, with random fails."""
    rng = np.random.default_rng(seed)
    down = (np.arange(rows) + 0.5) / rows * 2 - 1
    right = (np.arange(cols) + 0.5) / cols * 2 - 1
    dies = 1 + (rng.random((rows, cols)) < fails)
    dies[np.hypot(down[:, None], right) > 1] = 0
    dies[0, cols // 2] = dies[-1, cols // 2] = dies[rows // 2, 0] = dies[rows // 2, -1] = 1
    return dies.astype(np.uint8)


def draw(
    dies: Dies,
    palette: Any = "green and red on white",
    cell: tuple[int, int] = (1, 1),
    margin: int = 0,
    line: tuple[int, tuple[int, int, int]] | None = None,
) -> Pixels:
    """RGB ``[h, w, 3]``: cells of so many pixels (down, across), of which lines take the last."""
    colors = np.array(PALETTES[palette] if isinstance(palette, str) else palette, np.uint8)
    image = colors[dies].repeat(cell[0], axis=0).repeat(cell[1], axis=1)
    if line is not None:
        for n in range(1, line[0] + 1):
            image[cell[0] - n :: cell[0]] = line[1]
            image[:, cell[1] - n :: cell[1]] = line[1]
    framed = np.empty((image.shape[0] + 2 * margin, image.shape[1] + 2 * margin, 3), np.uint8)
    framed[:] = colors[0]
    framed[margin : margin + image.shape[0], margin : margin + image.shape[1]] = image
    return framed


def resize(image: Pixels, size: tuple[int, int], how: Image.Resampling) -> Pixels:
    """The picture at another size (width, height)."""
    return np.asarray(Image.fromarray(image).resize(size, how))


def counted(image: Pixels, color: tuple[int, int, int]) -> int:
    """How many pixels have a colour."""
    return int((image == color).all(axis=-1).sum())


def file_of(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture file of an array or a Pillow image."""
    made = image if isinstance(image, Image.Image) else Image.fromarray(image)
    sink = io.BytesIO()
    made.save(sink, kind, **options)
    return sink.getvalue()
