"""The page around a wafer's picture: rim and notch, title, legend, severity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from waferscope.domain.wafermap import WaferMap
from waferscope.io.image_cells import INK, PAPER, Cell, Color, Pixels, darker, glyph, glyph_color

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

_MUTED: Final = (92, 101, 115)
_RIM: Final = (176, 184, 196)
_LEVELS: Final[dict[str, Color]] = {
    "low": (39, 71, 103),
    "medium": (109, 67, 0),
    "critical": (155, 28, 28),
}
"""Colours of severity, as reports have them: none of them is that of a class."""
_MARGIN: Final = 28
_HEADER: Final = 112
_LEGEND: Final = 250
_ROW: Final = 40
_SWATCH: Final = 24
_SMALLEST: Final = 380
"""Least side of the map's area, so that title and legend have room."""


@dataclass(frozen=True, slots=True)
class LegendRow:
    """One line of the legend; ``channel`` picks the glyph and ``number`` the badge of a class."""

    color: Color
    name: str
    count: str
    more: str = ""
    channel: int | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Badge:
    """A class's number on the map, at a die."""

    row: float
    col: float
    number: int
    color: Color


@dataclass(frozen=True, slots=True)
class Page:
    """What is written around the map."""

    title: str
    subtitle: str
    patterns: str
    legend: tuple[LegendRow, ...]
    badges: tuple[Badge, ...] = ()
    severity: tuple[float, str] | None = None
    warnings: tuple[str, ...] = ()


def compose_page(page: Page, image: Pixels, wafer: WaferMap, cell: Cell) -> Pixels:
    """Return the whole picture, uint8 ``[h, w, 3]``, around the cells of a wafer."""
    from PIL import Image, ImageDraw

    disc, origin = _add_rim(image, wafer, cell)
    warnings = _wrapped(page.warnings)
    side_height = len(page.legend) * _ROW + len(warnings) * 18 + 24
    area_h, area_w = max(disc.shape[0], side_height, _SMALLEST), max(disc.shape[1], _SMALLEST)
    height, width = _HEADER + area_h + _MARGIN, area_w + _LEGEND + 3 * _MARGIN
    canvas = np.full((height, width, 3), PAPER, np.uint8)
    top = _HEADER + (area_h - disc.shape[0]) // 2
    left = _MARGIN + (area_w - disc.shape[1]) // 2
    canvas[top : top + disc.shape[0], left : left + disc.shape[1]] = disc
    page_image = Image.fromarray(canvas)
    pen = ImageDraw.Draw(page_image)
    for badge in page.badges:
        center = (
            left + origin[1] + (badge.col + 0.5) * cell.width,
            top + origin[0] + (badge.row + 0.5) * cell.height,
        )
        _draw_badge(pen, center, badge.number, badge.color)
    _draw_header(pen, page, width)
    x = area_w + 2 * _MARGIN
    y = _HEADER + max(0, (area_h - side_height) // 2)
    for row in page.legend:
        _draw_row(pen, row, (x, y), cell.has_glyphs)
        y += _ROW
    for line in warnings:
        pen.text((x, y + 12), line, fill=_MUTED, font=_font(13))
        y += 18
    return np.asarray(page_image).copy()


def _add_rim(image: Pixels, wafer: WaferMap, cell: Cell) -> tuple[Pixels, tuple[int, int]]:
    """Return the cells within the wafer's rim, with the notch, and where their origin lies."""
    import cv2

    rows, cols = np.nonzero(wafer.dies) if wafer.die_count else np.nonzero(wafer.dies == 0)
    middle_y = (rows.min() + rows.max() + 1) * cell.height / 2
    middle_x = (cols.min() + cols.max() + 1) * cell.width / 2
    reach_y = np.abs((rows + 0.5) * cell.height - middle_y) + cell.height / 2
    reach_x = np.abs((cols + 0.5) * cell.width - middle_x) + cell.width / 2
    radius = int(np.hypot(reach_y, reach_x).max()) + 5
    half = radius + 9
    disc = np.full((2 * half + 1, 2 * half + 1, 3), PAPER, np.uint8)
    origin = round(half - middle_y), round(half - middle_x)
    top, left = (max(0, o) for o in origin)
    cut = image[top - origin[0] :, left - origin[1] :]
    cut = cut[: disc.shape[0] - top, : disc.shape[1] - left]
    disc[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    cv2.circle(disc, (half, half), radius, _RIM, 2, cv2.LINE_AA)
    out = {"down": (0, 1), "up": (0, -1), "left": (-1, 0), "right": (1, 0)}[wafer.notch]
    tip = np.array([half, half]) + np.array(out) * (radius - 6)
    base = np.array([half, half]) + np.array(out) * (radius + 3)
    aside = np.array(out[::-1]) * 7
    cv2.fillPoly(disc, [np.array([tip, base + aside, base - aside], np.int32)], INK, cv2.LINE_AA)
    return disc, origin


def _draw_header(pen: ImageDraw.ImageDraw, page: Page, width: int) -> None:
    room = width - 2 * _MARGIN
    if page.severity is not None:
        score, level = page.severity
        text = f"severity {score:.0f}  {level}"
        wide = round(pen.textlength(text, font=_font(17))) + 34
        box = (width - _MARGIN - wide, 24, width - _MARGIN, 56)
        pen.rounded_rectangle(box, 6, fill=(244, 246, 249))
        pen.rounded_rectangle((box[0], 24, box[0] + 8, 56), 4, fill=_LEVELS.get(level, _MUTED))
        pen.text((box[0] + 20, 40), text, fill=INK, font=_font(17), anchor="lm")
        room -= wide + 16
    title, face = _fitted(page.title, room, 26), _font(26)
    pen.text((_MARGIN, 20), title, fill=INK, font=face, stroke_width=0.4, stroke_fill=INK)
    subtitle = _fitted(page.subtitle, room, 16)
    pen.text((_MARGIN, 55), subtitle, fill=_MUTED, font=_font(16))
    pen.text((_MARGIN, 80), _fitted(page.patterns, room, 16), fill=INK, font=_font(16))


def _draw_row(
    pen: ImageDraw.ImageDraw,
    row: LegendRow,
    at: tuple[int, int],
    has_glyphs: bool,
) -> None:
    x, y = at
    pen.rectangle((x, y, x + _SWATCH - 1, y + _SWATCH - 1), fill=row.color)
    if row.channel is not None and has_glyphs:
        shape = glyph(row.channel, Cell(_SWATCH, _SWATCH))
        from PIL import Image

        stamp = Image.fromarray(shape.astype(np.uint8) * 255)
        pen.bitmap((x, y), stamp, fill=glyph_color(row.color))
    elif row.number is not None:
        center = (x + _SWATCH // 2, y + _SWATCH // 2)
        pen.text(center, str(row.number), glyph_color(row.color), _font(15), anchor="mm")
    pen.text((x + _SWATCH + 12, y - 1), _fitted(row.name, 140, 17), fill=INK, font=_font(17))
    pen.text((x + _LEGEND, y - 1), row.count, fill=INK, font=_font(17), anchor="ra")
    if row.more:
        pen.text((x + _SWATCH + 12, y + 17), row.more, fill=_MUTED, font=_font(13))


def _draw_badge(
    pen: ImageDraw.ImageDraw, center: tuple[float, float], number: int, color: Color
) -> None:
    x, y = center
    pen.ellipse((x - 12, y - 12, x + 12, y + 12), fill=PAPER, outline=darker(color), width=3)
    pen.text((x, y), str(number), fill=INK, font=_font(15), anchor="mm")


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _fitted(text: str, room: int, size: int) -> str:
    """Return a text cut to a width in pixels, without signs that cannot be drawn."""
    text = "".join(c if c.isprintable() else " " for c in text[:300])
    font = _font(size)
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "…") > room:
        text = text[:-1]
    return text + "…"


def _wrapped(texts: tuple[str, ...]) -> list[str]:
    import textwrap

    return [line for text in texts[:4] for line in textwrap.wrap(text, 38)[:4]]
