"""The report's pictures: wafer thumbnails and the stacked fail map as small palette PNGs."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import WaferMap

GOOD_COLOR: Final = "#DDE3EA"
FAIL_COLOR: Final = "#97A1B0"
"""Failing dies that belong to no class."""
MAX_PIXELS: Final = 640
"""Longest side of a picture; denser grids are thinned so that no defect die is lost."""
MARK_GAP: Final = 0.15
"""Least distance between two class marks, as a share of the picture's side."""

# viridis at 0, 0.1, ... 1: S. van der Walt and N. Smith (2015), CC0, as shipped by matplotlib.
VIRIDIS: Final = (
    "#440154",
    "#482475",
    "#414487",
    "#355f8d",
    "#2a788e",
    "#21918c",
    "#22a884",
    "#44bf70",
    "#7ad151",
    "#bddf26",
    "#fde725",
)

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Mark:
    """A class's number on a thumbnail: where (0 to 1 from the left and top) and which class."""

    x: float
    y: float
    class_id: int


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A wafer's picture as a PNG data address, its width over its height, and its class marks."""

    uri: str
    aspect: float
    notch: str
    marks: tuple[Mark, ...]


def thumbnail_png(
    dies: Codes,
    masks: npt.NDArray[np.bool_] | None = None,
    colors: Sequence[str] = (),
    side: int = 96,
) -> bytes:
    """Return a wafer as a small PNG, its longer side about ``side`` pixels.

    ``masks`` (bool ``[C, rows, cols]``) are drawn in ``colors``, one for each class, as in
    `build_thumbnail`; without them failing dies are grey.
    """
    marked = np.zeros((0, *dies.shape), dtype=bool) if masks is None else masks
    codes = class_codes(dies, marked)[die_box(dies)]
    palette = [hex_to_rgb(color) for color in ("#FFFFFF", GOOD_COLOR, FAIL_COLOR, *colors)]
    return png_bytes(fit(codes, side), palette)


def build_thumbnail(prediction: Prediction) -> Thumbnail:
    """Return the picture of a wafer: passing, failing and, by class, explained dies.

    A die of several classes takes the colour of the one with the fewest dies on this wafer, so
    that a scratch stays visible on a gradient.
    """
    wafer, masks = prediction.wafer, prediction.masks
    box = die_box(wafer.dies)
    codes = class_codes(wafer.dies, masks)[box]
    colors = ["#FFFFFF", GOOD_COLOR, FAIL_COLOR, *(c.color for c in prediction.taxonomy.classes)]
    return Thumbnail(
        uri=png_uri(shrink(codes), [hex_to_rgb(c) for c in colors]),
        aspect=_aspect(wafer, codes.shape),
        notch=wafer.notch,
        marks=_place_marks(masks[(slice(None), *box)]),
    )


def class_codes(dies: Codes, masks: npt.NDArray[np.bool_]) -> Codes:
    """Return 0 no die, 1 pass, 2 fail without a class, 3 + c for class c, uint8 ``[rows, cols]``.

    >>> dies = np.array([[1, 2, 2]], dtype=np.uint8)
    >>> class_codes(dies, np.array([[[False, True, False]]]))
    array([[1, 3, 2]], dtype=uint8)
    """
    codes = dies.copy()
    sizes = np.count_nonzero(masks, axis=(1, 2))
    for channel in np.argsort(-sizes, kind="stable"):
        if sizes[channel]:
            codes[masks[channel]] = 3 + channel
    return codes


def die_box(dies: Codes) -> tuple[slice, slice]:
    """Return the rows and columns that hold dies; the whole array when there is none."""
    found = []
    for axis in (1, 0):
        inside = np.flatnonzero((dies > 0).any(axis=axis))
        found.append(slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(None))
    return found[0], found[1]


def shrink(codes: Codes, limit: int = MAX_PIXELS) -> Codes:
    """Thin a grid to at most ``limit`` cells a side; a block shows its highest code."""
    step = -(-max(codes.shape) // limit)
    if step == 1:
        return codes
    rows, cols = (-(-side // step) * step for side in codes.shape)
    padded = np.zeros((rows, cols), dtype=np.uint8)
    padded[: codes.shape[0], : codes.shape[1]] = codes
    blocks: Codes = padded.reshape(rows // step, step, cols // step, step).max(axis=(1, 3))
    return blocks


def fit(codes: Codes, side: int) -> Codes:
    """Thin a grid, or repeat its cells, until its longer side is about ``side`` pixels.

    >>> fit(np.array([[1, 2]], dtype=np.uint8), 4)
    array([[1, 1, 2, 2],
           [1, 1, 2, 2]], dtype=uint8)
    """
    thin = shrink(codes, side)
    times = max(1, side // max(thin.shape))
    return thin.repeat(times, axis=0).repeat(times, axis=1)


def heat_uri(rates: npt.NDArray[np.float64], top: float) -> str:
    """Return the picture of fail rates from 0 to ``top`` in viridis; NaN is transparent."""
    return _address(png_bytes(shrink(_heat_codes(rates, top)), _heat_palette()))


def heat_png(rates: npt.NDArray[np.float64], top: float, side: int = MAX_PIXELS) -> bytes:
    """Return the same picture as a PNG, its longer side about ``side`` pixels."""
    return png_bytes(fit(_heat_codes(rates, top), side), _heat_palette())


def _heat_codes(rates: npt.NDArray[np.float64], top: float) -> Codes:
    levels = np.nan_to_num(np.clip(rates / top, 0.0, 1.0) if top > 0 else rates * 0.0)
    return np.where(np.isnan(rates), 0, 1 + np.rint(levels * 254)).astype(np.uint8)


def _heat_palette() -> list[tuple[int, int, int]]:
    return [(255, 255, 255), *scale_colors(255)]


def scale_colors(count: int) -> list[tuple[int, int, int]]:
    """Return ``count`` colours of viridis, lowest first, interpolated between its stops."""
    stops = np.array([hex_to_rgb(c) for c in VIRIDIS], dtype=np.float64)
    at = np.linspace(0, len(stops) - 1, count)
    channels = [np.interp(at, np.arange(len(stops)), stops[:, k]) for k in range(3)]
    colors = np.rint(np.stack(channels, axis=1)).astype(int)
    return [(int(r), int(g), int(b)) for r, g, b in colors]


def png_uri(codes: Codes, palette: Sequence[tuple[int, int, int]]) -> str:
    """Return codes as a data address of a palette PNG; code 0 is transparent."""
    return _address(png_bytes(codes, palette))


def png_bytes(codes: Codes, palette: Sequence[tuple[int, int, int]]) -> bytes:
    """Return codes as a palette PNG; code 0 is transparent."""
    rows, cols = codes.shape
    image = Image.new("P", (cols, rows))
    image.frombytes(codes.tobytes())
    image.putpalette([value for color in palette for value in color])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0, optimize=True)
    return buffer.getvalue()


def _address(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def hex_to_rgb(color: str) -> tuple[int, int, int]:
    """Return the red, green and blue of ``#RRGGBB``, 0 to 255 each."""
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue


def ink_on(color: str) -> str:
    """Return the text colour, near black or white, with the higher contrast on ``color``.

    Relative luminance after WCAG 2.1.
    """
    linear = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
        for c in (v / 255 for v in hex_to_rgb(color))
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#FFFFFF" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.056 else "#14181F"


def _aspect(wafer: WaferMap, shape: tuple[int, ...]) -> float:
    """Width over height of the die area in mm; a wafer of unknown die size is drawn round."""
    if wafer.die_width_mm and wafer.die_height_mm:
        ratio = shape[1] * wafer.die_width_mm / (shape[0] * wafer.die_height_mm)
        return float(np.clip(ratio, 0.25, 4.0))
    return 1.0


def _place_marks(masks: npt.NDArray[np.bool_]) -> tuple[Mark, ...]:
    """One mark per class present, on one of its dies near their mean, clear of earlier marks."""
    marks: list[Mark] = []
    rows, cols = masks.shape[1:]
    sizes = np.count_nonzero(masks, axis=(1, 2))
    for channel in np.argsort(sizes, kind="stable"):
        if not sizes[channel]:
            continue
        at = (np.argwhere(masks[channel]) + 0.5) / (rows, cols)
        cost = np.hypot(*(at - at.mean(axis=0)).T)
        for mark in marks:
            near = np.hypot(at[:, 0] - mark.y, at[:, 1] - mark.x) < MARK_GAP
            cost = cost + 10.0 * near
        y, x = at[np.argmin(cost)]
        marks.append(Mark(float(x), float(y), int(channel) + 1))
    return tuple(marks)
