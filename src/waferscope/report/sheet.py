"""A contact sheet of synthetic wafers: what was tested, and below it the mask that is known."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from waferscope.errors import InputError
from waferscope.io.files import write_whole
from waferscope.report.figures import (
    FAIL_COLOR,
    GOOD_COLOR,
    Codes,
    class_codes,
    die_box,
    hex_to_rgb,
    ink_on,
    shrink,
)
from waferscope.synth import SynthWafer

Mask = npt.NDArray[np.bool_]

SIDE: Final = 148
GAP: Final = 16
CAPTION: Final = 50
LEGEND: Final = 44
TESTED_FAIL: Final = "#46536A"
INK: Final = "#16202E"
SOFT: Final = "#556274"


@dataclass(frozen=True, eq=False)
class Panel:
    """One wafer of a sheet: its ``dies``, the masks drawn above and below, and its caption.

    Masks are bool ``[C, rows, cols]``; without any, failing dies are all of one colour. The
    caption has up to three lines.
    """

    dies: Codes
    above: Mask | None
    below: Mask | None
    caption: tuple[str, ...]


def write_sheet(
    wafers: Sequence[SynthWafer],
    path: str | Path,
    *,
    columns: int = 8,
    taxonomy: Taxonomy = DEFAULT_TAXONOMY,
) -> None:
    """Write a PNG with each wafer twice: its dies, and the same with the dies of each class.

    The classes of a wafer are named, with their numbers, in the caption below it. Raises
    InputError for no wafer.
    """
    write_panels([_panel(w, taxonomy) for w in wafers], path, columns=columns, taxonomy=taxonomy)


def draw_sheet(
    wafers: Sequence[SynthWafer], *, columns: int = 8, taxonomy: Taxonomy = DEFAULT_TAXONOMY
) -> Image.Image:
    """Return the sheet as a picture; see `write_sheet`."""
    return draw_panels([_panel(w, taxonomy) for w in wafers], columns=columns, taxonomy=taxonomy)


def write_panels(
    panels: Sequence[Panel],
    path: str | Path,
    *,
    columns: int = 8,
    taxonomy: Taxonomy = DEFAULT_TAXONOMY,
) -> None:
    """Write panels as a PNG; raise InputError for none."""
    image = draw_panels(panels, columns=columns, taxonomy=taxonomy)
    buffer = io.BytesIO()
    image.quantize(64, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    write_whole(Path(path), buffer.getvalue())


def draw_panels(
    panels: Sequence[Panel], *, columns: int = 8, taxonomy: Taxonomy = DEFAULT_TAXONOMY
) -> Image.Image:
    """Return panels in rows, under a legend of the classes; raise InputError for none."""
    if not panels:
        raise InputError("Expected at least one wafer for a contact sheet, got none. Make some.")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    cell = (SIDE + GAP, 2 * SIDE + CAPTION + GAP)
    image = Image.new("RGB", (GAP + columns * cell[0], LEGEND + rows * cell[1]), "#FFFFFF")
    pen = ImageDraw.Draw(image)
    _draw_legend(pen, taxonomy, image.width)
    for index, panel in enumerate(panels):
        at = (GAP + index % columns * cell[0], LEGEND + index // columns * cell[1])
        _draw_panel(image, at, panel, taxonomy)
        caption = "\n".join(panel.caption[:3])
        pen.text((at[0], at[1] + 2 * SIDE + 4), caption, INK, font=_font(11), spacing=2)
    return image


def _panel(wafer: SynthWafer, taxonomy: Taxonomy) -> Panel:
    return Panel(wafer.dies, None, wafer.masks, _caption(wafer, taxonomy))


def _draw_panel(image: Image.Image, at: tuple[int, int], panel: Panel, taxonomy: Taxonomy) -> None:
    box = die_box(panel.dies)
    for step, masks in enumerate((panel.above, panel.below)):
        codes = panel.dies if masks is None else class_codes(panel.dies, masks)
        fail = TESTED_FAIL if masks is None else FAIL_COLOR
        picture = _picture(codes[box], taxonomy, fail).resize((SIDE - 4, SIDE - 4), _scaling(codes))
        image.paste(picture, (at[0] + 2, at[1] + step * SIDE + 2))


def _picture(codes: Codes, taxonomy: Taxonomy, fail: str) -> Image.Image:
    colors = ["#FFFFFF", GOOD_COLOR, fail, *(c.color for c in taxonomy.classes)]
    palette = np.array([hex_to_rgb(color) for color in colors], dtype=np.uint8)
    return Image.fromarray(palette[shrink(codes)])


def _scaling(codes: Codes) -> Image.Resampling:
    """Whole dies where they are larger than a pixel, their average where they are smaller."""
    return Image.Resampling.NEAREST if max(codes.shape) <= SIDE else Image.Resampling.BOX


def _caption(wafer: SynthWafer, taxonomy: Taxonomy) -> tuple[str, ...]:
    """Return up to three lines: the grid, and the classes with their numbers."""
    rows, cols = wafer.dies.shape
    names = [f"{taxonomy.channel(name) + 1} {name}" for name in wafer.classes]
    return (f"{rows} x {cols}", *wrap(", ".join(names) or "no pattern", 26)[:2])


def _draw_legend(pen: ImageDraw.ImageDraw, taxonomy: Taxonomy, width: int) -> None:
    x = GAP
    entries = [(c.color, str(c.id), c.name) for c in taxonomy.classes]
    for color, number, name in [*entries, (FAIL_COLOR, "", "fail, no class")]:
        reach = x + 26 + int(pen.textlength(name, font=_font(12)))
        if reach > width:
            return
        pen.rounded_rectangle((x, 13, x + 18, 31), 4, fill=color)
        pen.text((x + 9, 22), number, ink_on(color), font=_font(11), anchor="mm")
        pen.text((x + 24, 22), name, SOFT, font=_font(12), anchor="lm")
        x = reach + 16


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
