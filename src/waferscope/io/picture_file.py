"""PNG and TIFF decoded within limits, and their pixels as a few colours.

Shapes: pictures are ``[h, w]``; a colour is four parts 0 to 255, red, green, blue, alpha.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.errors import FormatError
from waferscope.io.archive import Blob

Labels = npt.NDArray[np.uint8]
Colors = npt.NDArray[np.int64]

KEY: Final = "waferscope"
"""Name of the text chunk in pictures of this package, whose indices are numbers, not colours."""
DIES: Final = "waferscope.dies/1"
"""Schema of such a picture of dies."""
LARGEST: Final = 64 << 20
"""Bytes of one picture file."""
MOST_PIXELS: Final = 8 << 20
"""Pixels of all pages of one file; twice as many of indices, which take little memory."""
LONGEST_SIDE: Final = 16_384
MOST_PAGES: Final = 200
MOST_COLORS: Final = 16
_CRISP: Final = 24
_ALIKE: Final = 24
_STRANGE: Final = 90
_CHUNK: Final = 1 << 20
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_TIFF: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# What Pillow raises on damaged, cut or crafted pictures (UnidentifiedImageError is an OSError).
_DAMAGE: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    Warning,
)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture: ``labels`` uint8 ``[h, w]`` number the ``colors`` ``[n, 4]``.

    ``codes`` says that the pixels are the numbers 0, 1 and 2 rather than colours; ``crisp`` that
    every pixel has exactly its colour, else ``pixels`` uint8 ``[h, w, 4]`` have what they had.
    ``likeness`` is the share of the pixels that nearly have the colour of their number. ``text``
    are the texts that a PNG carries.
    """

    labels: Labels
    colors: Colors
    codes: bool = False
    crisp: bool = True
    likeness: float = 1.0
    pixels: npt.NDArray[np.uint8] | None = None
    text: Mapping[str, str] = field(default_factory=dict)


def is_picture(head: bytes) -> bool:
    """Tell PNG and TIFF by their magic numbers."""
    return head.startswith((_PNG, *_TIFF))


def decode_pictures(blob: Blob) -> Iterator[Picture]:
    """Yield the pictures of a file: one of a PNG, one per page of a TIFF.

    Raises FormatError for what is damaged, too large, or has more colours than a map.
    """
    for pixels, text in decode_pages(blob):
        yield _picture(pixels, text, blob.name)


def decode_pages(
    blob: Blob, indexed: bool = False
) -> Iterator[tuple[npt.NDArray[Any], dict[str, str]]]:
    """Yield the pixels of each page and the texts of a PNG.

    Pixels are ``[h, w]`` numbers (grey of any depth, or the indices of a grey palette; with
    ``indexed`` of any palette) or uint8 ``[h, w, 4]``. Nothing is decoded before its size is
    checked.
    """
    from PIL import Image

    data = blob.read_all()
    if len(data) > LARGEST:
        raise _refused(blob.name, f"{len(data):,} bytes", f"at most {LARGEST:,}")
    spent = number = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=("PNG", "TIFF"))
    except Image.DecompressionBombError as error:
        raise _refused(blob.name, "far more", f"at most {MOST_PIXELS:,} pixels") from error
    except _DAMAGE as error:
        raise _damaged(blob.name, "its header makes no sense") from error
    while True:
        width, height = image.size
        spent += width * height
        most = MOST_PIXELS * (2 if indexed or KEY in image.info else 1)
        if spent > most or max(image.size) > LONGEST_SIDE or number >= MOST_PAGES:
            limits = f"at most {most:,} pixels and {MOST_PAGES} pages"
            raise _refused(blob.name, f"{width:,} x {height:,} on page {number + 1}", limits)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                text = _texts(image)
                page = _pixels(image, indexed or KEY in text), text
        except (*_DAMAGE, Image.DecompressionBombError) as error:
            raise _damaged(
                blob.name, f"the pixels of page {number + 1} cannot be decoded"
            ) from error
        yield page
        number += 1
        if image.format != "TIFF":
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image.seek(number)
        except EOFError:
            return
        except _DAMAGE as error:
            raise _damaged(blob.name, f"page {number + 1} makes no sense") from error


def _pixels(image: Any, indexed: bool) -> npt.NDArray[Any]:
    """Return grey numbers or indices ``[h, w]``, or RGBA ``[h, w, 4]``."""
    if indexed and image.mode in ("1", "L", "P"):
        return np.asarray(image)
    if image.mode in ("L", "I;16", "I;16L", "I;16B", "I", "1"):
        if "transparency" in image.info:
            return np.asarray(image.convert("RGBA"))
        return np.asarray(image)
    if image.mode == "P" and "transparency" not in image.info:
        indices = np.asarray(image)
        palette = np.array(image.getpalette("RGB") or [], dtype=np.int64).reshape(-1, 3)
        used = int(indices.max(initial=0)) + 1
        # A palette that only counts up (or is missing) means numbers, not colours.
        if (palette[:used] == np.arange(len(palette[:used]))[:, None]).all():
            return indices
    return np.asarray(image.convert("RGBA"))


def _texts(image: Any) -> dict[str, str]:
    texts: Mapping[Any, Any] = getattr(image, "text", {}) if image.format == "PNG" else {}
    return {str(key): str(value) for key, value in texts.items()}


def _picture(pixels: npt.NDArray[Any], text: dict[str, str], name: str) -> Picture:
    if pixels.ndim == 2:
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            raise FormatError(f"Expected finite pixels, got {name} with NaN. Save it as a PNG.")
        low, high = int(pixels.min()), int(pixels.max())
        whole = pixels.dtype.kind in "ui" and low >= 0
        if whole and (1 <= high <= 2 or (KEY in text and high <= 255)):
            greys = np.array([[v, v, v, 255] for v in range(3)])
            return Picture(pixels.astype(np.uint8), greys, codes=True, text=text)
        pixels = _eight_bits(pixels, low, high)
        pixels = np.stack([*[pixels] * 3, np.full_like(pixels, 255)], axis=-1)
    return number_colors(pixels, name, text)


def number_colors(
    pixels: npt.NDArray[np.uint8], name: str, text: dict[str, str], *, dies: bool = False
) -> Picture:
    """Return uint8 ``[h, w, 4]`` as a few colours; with ``dies`` each pixel is the middle of a die.

    Raises FormatError for more colours than a map has.
    """
    clear = pixels[..., 3] < 128
    bins, counts = _histogram(pixels, clear)
    crisp = dies or int(np.count_nonzero(counts)) <= _CRISP
    if not crisp:
        counts = _histogram(pixels, clear | ~_flat(bins))[1]
    colors, table = _main_colors(counts, name)
    labels = table[bins]
    labels[clear] = len(colors)
    colors = np.vstack([colors, [[255, 255, 255, 0]]])
    likeness = 1.0
    if dies:
        away = np.abs(pixels[..., :3] - colors[labels, :3]).max(axis=-1)
        likeness = float(((away <= _ALIKE) | clear).mean())
    exact = _exact(pixels, labels, colors)
    return Picture(labels, exact, False, crisp, likeness, None if crisp else pixels, text)


def _eight_bits(grey: npt.NDArray[Any], low: int, high: int) -> npt.NDArray[np.uint8]:
    if grey.dtype == np.bool_:
        return grey.astype(np.uint8) * 255
    if low >= 0 and high <= 255:
        return grey.astype(np.uint8)
    low = 0 if low >= 0 else low
    if grey.dtype == np.uint16:
        return (grey // ((high >> 8) + 1)).astype(np.uint8)
    scaled = grey.astype(np.float32)
    scaled -= low
    scaled *= np.float32(254.99 / (high - low))
    return scaled.astype(np.uint8)


def _histogram(
    pixels: npt.NDArray[np.uint8], left_out: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return each pixel's bin (six bits per part), and how many pixels each bin has."""
    bins = np.empty(pixels.shape[:2], np.int32)
    counts = np.zeros(1 << 18, np.int64)
    step = max(1, _CHUNK // pixels.shape[1])
    for start in range(0, len(pixels), step):
        rows = slice(start, start + step)
        parts = pixels[rows, :, :3].astype(np.int32) >> 2
        bins[rows] = parts[..., 0] << 12 | parts[..., 1] << 6 | parts[..., 2]
        counts += np.bincount(bins[rows][~left_out[rows]], minlength=1 << 18)
    return bins, counts


def _flat(bins: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Say which pixels have the colour of a neighbour on each axis: inside of dies, not edges."""
    flat = np.ones(bins.shape, np.bool_)
    for axis in (0, 1):
        same = np.diff(bins, axis=axis) == 0
        ahead, behind = ((0, 1), (1, 0))
        pads = [[(0, 0), (0, 0)] for _ in range(2)]
        pads[0][axis], pads[1][axis] = ahead, behind
        flat &= np.pad(same, pads[0]) | np.pad(same, pads[1])
    return flat


def _main_colors(counts: npt.NDArray[np.int64], name: str) -> tuple[Colors, Labels]:
    """Return the few colours that a map is made of, and the nearest of them for every bin."""
    order = np.argsort(counts)[::-1]
    order = order[counts[order] > 0]
    parts = np.stack([order >> 12, order >> 6 & 63, order & 63], axis=-1) * 4 + 2
    total, free = int(counts.sum()), np.ones(len(order), np.bool_)
    found: list[npt.NDArray[np.int64]] = []
    least = 0 if len(order) <= _CRISP else total * 0.0005
    while free.any() and len(found) <= MOST_COLORS:
        at = int(np.argmax(free))
        near = np.abs(parts - parts[at]).max(axis=1) <= _ALIKE
        if int(counts[order[near & free]].sum()) > least:
            found.append(parts[at])
        free &= ~near
    if not found or len(found) > MOST_COLORS:
        raise FormatError(
            f"Expected a picture of a wafer map with at most {MOST_COLORS} colours, got {name} "
            "with many more: a photo, or a plot with shades. Export the map as a die list, or "
            "draw it with one colour per state."
        )
    table = np.zeros(1 << 18, np.uint8)
    colors = np.array(found)
    every = np.arange(1 << 18)
    near_to = np.full(1 << 18, np.inf, np.float32)
    for number, color in enumerate(colors):
        away = sum(
            ((every >> shift & 63) * 4 + 2 - int(part)).astype(np.float32) ** 2
            for shift, part in zip((12, 6, 0), color, strict=True)
        )
        table[away < near_to] = number
        np.minimum(near_to, away, out=near_to)
    strange = int(counts[near_to > _STRANGE**2].sum())
    if strange > 0.1 * total:
        raise FormatError(
            f"Expected a picture of a wafer map with a few plain colours, got {name} with shades: "
            "a photo, or a drawing. Export the map as a die list."
        )
    return np.hstack([colors, np.full((len(colors), 1), 255)]).astype(np.int64), table


def _exact(pixels: npt.NDArray[np.uint8], labels: Labels, colors: Colors) -> Colors:
    """Return the colours as the first pixel of each has them, not as the middle of its bin."""
    exact = colors.copy()
    numbers, first = np.unique(labels, return_index=True)
    exact[numbers, :3] = pixels.reshape(-1, 4)[first, :3]
    return exact


def _refused(name: str, got: str, expected: str) -> FormatError:
    return FormatError(
        f"Expected a picture of {expected}, got {name} of {got}. Make it smaller: a few pixels "
        "per die are enough."
    )


def _damaged(name: str, reason: str) -> FormatError:
    return FormatError(
        f"Expected a sound PNG or TIFF, got {name} damaged ({reason}). Fetch or save it again."
    )
