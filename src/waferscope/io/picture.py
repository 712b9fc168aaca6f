"""Wafer maps drawn as pictures (PNG, TIFF), read back into dies.

The die pitch is found per axis from where colours change, every die takes the colour of its
middle, and the colours are understood by habit (`picture_states`). A picture that has no lattice
of dies, is not round or has many colours is refused: a photo or a plot is no wafer map.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePath
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import MAX_SIDE, NO_DIE, PASS, Bins, Source, WaferMap
from waferscope.errors import FormatError
from waferscope.io.archive import NAMELESS, Blob
from waferscope.io.formats import ReadOptions
from waferscope.io.json_wafer import fields_of
from waferscope.io.picture_file import (
    DIES,
    KEY,
    Labels,
    Picture,
    decode_pictures,
    number_colors,
)
from waferscope.io.picture_frame import (
    extent,
    find_background,
    is_beside,
    is_one_piece,
    strip_frame,
)
from waferscope.io.picture_lattice import Axis, find_axis
from waferscope.io.picture_smooth import shrink_smooth
from waferscope.io.picture_states import Meaning, color_name, read_colors

LEAST_CONFIDENCE: Final = 0.6
_INNER: Final = 0.9
_OUTER: Final = 1.15
_PIXEL_DIES: Final = 64
_BLOCKS: Final = 8
_ONE_PHASE: Final = 0.8
Grid = npt.NDArray[np.uint8]


def read_picture(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafer of a PNG, or one wafer per page of a TIFF.

    Notes say the pitch, the meaning of each colour and the confidence. Where dies have more than
    two colours they are kept as hard bins, in an order of their own, under the colours' names. An
    indexed PNG of this package (``waferscope.io.mask_png``) is read exactly.
    Raises FormatError for a damaged picture and for one that is no wafer map.
    """
    stem = "" if blob.name == NAMELESS else PurePath(blob.name.rpartition(":")[2]).stem
    source = Source("png", blob.name, blob.sha256)
    wafers = []
    for picture in decode_pictures(blob):
        if KEY in picture.text:
            return [replace(_named(picture, blob.name), source=source)]
        wafers.append(replace(_read(picture, blob.name), wafer_id=stem, source=source))
    if len(wafers) > 1:
        wafers = [replace(w, wafer_id=f"{stem}-{n}".strip("-")) for n, w in enumerate(wafers, 1)]
    return wafers


def _named(picture: Picture, name: str) -> WaferMap:
    """Return the wafer of a picture that this package wrote, a pixel per die, with its fields."""
    try:
        record = json.loads(picture.text[KEY])
        schema = record["schema"]
        fields = fields_of(record) if schema == DIES else {}
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise _no_map(name, f"a text chunk that is not ({str(error)[:100]})") from error
    if schema != DIES or not picture.codes:
        raise _no_map(name, f"{str(schema)[:40]} where {DIES} is read")
    return WaferMap(picture.labels, **fields)


def _find_dies(picture: Picture, name: str) -> tuple[Picture, Axis, Axis, str]:
    """Return the map without what is around it, its dies down and across, and their size in words.

    Of a picture enlarged with smooth transitions it is the one of a pixel per die.
    """
    if not picture.codes:
        picture = replace(picture, labels=strip_frame(picture.labels))
    across, down = (_axis(picture.labels, axis) for axis in (1, 0))
    if picture.pixels is not None and not (across.found and down.found):
        small = shrink_smooth(picture.pixels)
        if small is not None:
            high, wide = (
                n / m for n, m in zip(picture.pixels.shape, small.shape[:2], strict=False)
            )
            words = f"{wide:.4g} x {high:.4g} pixels each with smooth transitions"
            one = Axis(0.0, 1.0, 1.0, found=False)
            return number_colors(small, name, {}, dies=True), one, one, words
    if across.found != down.found:  # a pitch along one axis alone: stripes, or one row of dies
        raise _no_map(name, "no lattice of dies along both axes")
    if not 1 / 16 <= across.pitch / down.pitch <= 16:
        raise _no_map(name, "cells that are far from square")
    if not picture.crisp and min(across.pitch, down.pitch) < 3:
        raise _no_map(name, "blurred dies of fewer than 3 pixels, or shades")
    words = (
        f"{across.pitch:.4g} x {down.pitch:.4g} pixels each" if across.found else "one pixel each"
    )
    return picture, down, across, words


def _read(picture: Picture, name: str) -> WaferMap:
    picture, down, across, pitch = _find_dies(picture, name)
    cells, purity = sample_cells(picture.labels, down, across)
    if max(cells.shape) > MAX_SIDE:
        raise _no_map(name, f"{cells.shape[0]} x {cells.shape[1]} cells")
    if picture.codes:
        sureness, words = 1.0, "values 0, 1 and 2 taken as no die, pass and fail"
        dies, bins = cells.astype(np.uint8), None
        if across.found:
            dies = dies[extent(dies != NO_DIE)]
    else:
        meaning, cells = _meaning(picture, cells, name, across.found)
        sureness, words = meaning.sureness, meaning.words
        table = np.zeros(len(picture.colors), np.uint8)
        table[list(meaning.states)] = list(meaning.states.values())
        dies, bins = table[cells], _bins(picture, cells, meaning)
    if not dies.any():
        raise _no_map(name, "no cell that is a die")
    confidence = purity * min(across.share, down.share) * sureness * picture.likeness
    if confidence < LEAST_CONFIDENCE:
        raise _no_map(name, f"a confidence of {confidence:.2f} in its lattice and colours")
    rows, cols = dies.shape
    where = f"{rows} rows and {cols} columns of dies, {pitch}, confidence {confidence:.2f}"
    return WaferMap(dies, bins=bins, notes=(f"read from a picture: {where}", words))


def _axis(labels: Labels, axis: int) -> Axis:
    changes = np.diff(labels, axis=axis) != 0
    return find_axis(np.count_nonzero(changes, axis=1 - axis), labels.shape[axis])


def sample_cells(labels: Labels, down: Axis, across: Axis) -> tuple[Grid, float]:
    """Return the colour number of each die ``[rows, cols]``, and how much the samples agree.

    A die is sampled at nine points in its middle half, or at one where it is smaller than that.
    """
    points, counts = [], []
    for axis, size in zip((down, across), labels.shape, strict=True):
        centres = axis.centres(size)
        offsets = np.array([-0.2, 0.0, 0.2] if axis.pitch >= 3 else [0.0]) * axis.pitch
        places = np.floor(centres[:, None] + offsets)
        points.append(np.clip(places, 0, size - 1).astype(np.intp).ravel())
        counts.append((len(centres), len(offsets)))
    (rows, high), (cols, wide) = counts
    samples = labels[np.ix_(*points)].reshape(rows, high, cols, wide)
    if high == wide == 1:
        return samples[:, 0, :, 0], 1.0
    best, cells = (np.zeros((rows, cols), np.uint8) for _ in range(2))
    for number in np.unique(samples):
        votes = (samples == number).sum(axis=(1, 3), dtype=np.uint8)
        cells[votes > best] = number
        np.maximum(best, votes, out=best)
    return cells, float(best.mean()) / (high * wide)


def _meaning(picture: Picture, cells: Grid, name: str, found: bool) -> tuple[Meaning, Grid]:
    """Return what the colours mean, and the cells without their margins; refuse what is no map."""
    background = find_background(cells)
    if background is None:
        raise _no_map(name, "corners of several colours, so no background around a wafer")
    cells = cells[extent(cells != background)]
    if found and _is_blocky(cells):
        raise _no_map(name, "cells that make up larger ones, so no certain pitch")
    if found and is_beside(cells != background):
        raise _no_map(name, "several pieces, such as a map beside a title, axes or a legend")
    if (problem := _not_round(cells != background, found)) is not None:
        raise _no_map(name, problem)
    numbers, counts = np.unique(cells[cells != background], return_counts=True)
    shares = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    return read_colors(picture.colors, shares, background), cells


def _not_round(dies: npt.NDArray[np.bool_], found: bool) -> str | None:
    """Say why cells do not make up a wafer, or None when they do.

    A wafer fills the ellipse in its bounding box and leaves the corners free. Where a pixel was
    taken as a die, anything beside it (a title, an axis) speaks against a wafer.
    """
    if not dies.any():
        return "one colour alone"
    rows, cols = dies.shape
    if min(rows, cols) < 3:
        return f"{rows} x {cols} cells"
    down, right = (
        ((np.arange(side) + 0.5) / side * 2 - 1).astype(np.float32) for side in (rows, cols)
    )
    rho = np.hypot(down[:, None], right)
    inside, outside = dies[rho <= _INNER], dies[rho > _OUTER]
    if inside.mean() < 0.7 or (outside.size and outside.mean() > 0.3):
        return "cells that do not fill a disc and leave its corners free"
    if not found and min(rows, cols) > _PIXEL_DIES and not is_one_piece(dies):
        return "several pieces, such as a map beside a title, axes or a legend"
    return None


def _is_blocky(cells: Grid) -> bool:
    """Tell cells smaller than a die: nearly all changes lie a fixed number of cells apart."""
    if min(cells.shape) < 2 * _BLOCKS:
        return False
    profiles = [np.count_nonzero(np.diff(cells, axis=a) != 0, axis=1 - a) for a in (0, 1)]
    for side in range(2, _BLOCKS + 1):
        shares = [
            np.bincount(np.arange(len(p)) % side, p).max() / max(p.sum(), 1) for p in profiles
        ]
        if min(shares) >= _ONE_PHASE:
            return True
    return False


def _bins(picture: Picture, cells: Grid, meaning: Meaning) -> Bins | None:
    """Return the colours as bins where they say more than pass and fail: passing ones first."""
    shown = [n for n, state in meaning.states.items() if state != NO_DIE]
    if len(shown) <= 2:
        return None
    shown.sort(key=lambda n: (meaning.states[n] != PASS, -np.count_nonzero(cells == n)))
    table = np.zeros(len(picture.colors), np.uint16)
    table[shown] = np.arange(1, len(shown) + 1)
    names: dict[int, Any] = {
        number: color_name(picture.colors[n]) for number, n in enumerate(shown, 1)
    }
    return Bins(hard=table[cells], hard_names=names)


def _no_map(name: str, got: str) -> FormatError:
    return FormatError(
        f"Expected a picture of one wafer map, a disc of evenly spaced dies in plain colours, got "
        f"{name} with {got}. Crop it to the map, or export the map as a die list."
    )
