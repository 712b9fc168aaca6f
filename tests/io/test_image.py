"""Pictures: every die has the colour it should have, nothing breaks on odd wafers."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.hand_made import build_prediction, disc
from waferscope.domain.wafermap import WaferMap
from waferscope.io.image import draw_map, draw_overlay, find_zone, map_png, overlay_png, parse_color
from waferscope.io.image_cells import (
    BAD,
    GOOD,
    INK,
    PAPER,
    Cell,
    cell_size,
    glyph,
    glyph_color,
    paint_dies,
    paint_gaps,
    paint_masks,
    paint_outline,
)

COLORS = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]


def counted(image: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((image == color).all(axis=-1).sum())


def test_one_cell_per_die() -> None:
    image = paint_dies(np.array([[0, 1], [2, 1]], np.uint8), Cell(3, 2))
    assert image.shape == (6, 4, 3)
    assert (image[:3, :2] == PAPER).all()
    assert (image[3:, :2] == BAD).all()
    assert (image[:, 2:] == GOOD).all()


def test_gaps_part_dies_without_moving_them() -> None:
    cell = Cell(6, 6)
    image = paint_dies(np.full((2, 3), 2, np.uint8), cell)
    paint_gaps(image, cell)
    assert counted(image, BAD) == 6 * 25
    assert Cell(4, 9).gap == 0
    assert Cell(20, 20).gap == 2


@pytest.mark.parametrize("side", [1, 2, 3, 4, 8])
def test_a_die_of_one_class_has_its_colour(side: int) -> None:
    masks = np.zeros((3, 2, 2), bool)
    masks[1, 0, 1] = True
    cell = Cell(side, side)
    image = paint_dies(np.full((2, 2), 2, np.uint8), cell)
    paint_masks(image, masks, COLORS, cell)
    assert (image[:side, side:] == COLORS[1]).all()
    assert counted(image, BAD) == 3 * side**2


@pytest.mark.parametrize("side", [5, 8, 14, 30])
def test_a_shared_die_is_striped_in_each_of_its_colours(side: int) -> None:
    masks = np.ones((3, 1, 1), bool)
    image = paint_dies(np.full((1, 1), 2, np.uint8), Cell(side, side))
    paint_masks(image, masks, COLORS, Cell(side, side))
    for color in COLORS:
        assert counted(image, color) >= 0.1 * side**2
    assert counted(image, BAD) == 0


def test_small_shared_dies_are_striped_across_the_map() -> None:
    masks = np.ones((2, 12, 12), bool)
    image = paint_dies(np.full((12, 12), 2, np.uint8), Cell(2, 2))
    paint_masks(image, masks, COLORS[:2], Cell(2, 2))
    assert counted(image, COLORS[0]) + counted(image, COLORS[1]) == 24 * 24
    assert 0.3 < counted(image, COLORS[0]) / 24**2 < 0.7


def test_glyphs_differ_and_stand_out() -> None:
    for side in (11, 14, 30):
        shapes = [glyph(number, Cell(side, side)) for number in range(8)]
        assert len({shape.tobytes() for shape in shapes}) == 8
        assert all(0.02 < shape.mean() < 0.5 for shape in shapes)
    assert glyph_color((255, 255, 0)) == INK
    assert glyph_color((0, 0, 90)) == PAPER
    assert not Cell(10, 30).has_glyphs


def test_an_outline_is_within_the_zone() -> None:
    zone = np.zeros((5, 5), bool)
    zone[1:4, 1:4] = True
    cell = Cell(12, 12)
    image = np.full((60, 60, 3), 255, np.uint8)
    paint_outline(image, zone, (9, 9, 9), cell)
    drawn = (image == 9).all(axis=-1)
    assert drawn[12:15, 12:48].all()
    assert drawn.sum() == 36**2 - 30**2


def test_cells_follow_the_die_or_make_the_wafer_round() -> None:
    dies = np.ones((10, 20), np.uint8)
    assert cell_size(WaferMap(dies), 8) == Cell(8, 4)
    assert cell_size(WaferMap(dies, die_width_mm=2, die_height_mm=1), 8) == Cell(4, 8)
    assert cell_size(WaferMap(np.ones((3000, 3000), np.uint8))) == Cell(1, 1)
    assert cell_size(WaferMap(np.ones((2, 2), np.uint8))) == Cell(36, 36)


def test_a_map_shows_every_die(rng: np.random.Generator) -> None:
    dies = disc(21) * rng.integers(1, 3, (21, 21), dtype=np.uint8)
    image = draw_map(WaferMap(dies), scale=4)[112:]  # below the title
    swatch = 24 * 24
    assert counted(image, BAD) == (dies == 2).sum() * 16 + swatch
    assert counted(image, GOOD) == (dies == 1).sum() * 16 + swatch


def test_an_overlay_shows_class_dies_in_their_colour() -> None:
    zones = {"scratch": (slice(4, 12), slice(7, 8)), "ring": (slice(2, 5), slice(2, 5))}
    prediction = build_prediction(zones, ["Scratch"], wafer_id="W1", lot_id="L")
    image = draw_overlay(prediction)
    for name in zones:
        color = parse_color(prediction.taxonomy.classes[prediction.taxonomy.channel(name)].color)
        cell = cell_size(prediction.wafer)
        dies = prediction.metrics.affected_dies[name]
        assert 0.4 * dies < counted(image, color) / (cell.height * cell.width) < dies + 1
    assert image.dtype == np.uint8
    assert image.shape[0] > 500


@pytest.mark.parametrize("notch", ["down", "up", "left", "right"])
def test_the_notch_is_where_the_wafer_says(notch: str) -> None:
    wafer = WaferMap(disc(31), notch=notch)  # type: ignore[arg-type]
    image = draw_map(wafer, scale=10)
    rows, cols = np.nonzero((image[112:, :420] == INK).all(axis=-1))
    middle = np.array([rows.mean() + 112, cols.mean()])
    rim = np.argwhere((image[112:, :420] == GOOD).all(axis=-1)).mean(axis=0) + np.array([112, 0])
    down, right = middle - rim
    side = (
        ("down" if down > 0 else "up")
        if abs(down) > abs(right)
        else ("right" if right > 0 else "left")
    )
    assert side == notch


def test_a_zone_without_marked_dies_is_not_shown() -> None:
    prediction = build_prediction({"particle": (slice(3, 6), slice(3, 6))})
    assert find_zone(prediction, prediction.taxonomy.channel("particle")).sum() == 9
    assert not find_zone(prediction, prediction.taxonomy.channel("edge")).any()


@pytest.mark.parametrize(
    "dies",
    [
        np.zeros((3, 3), np.uint8),
        np.ones((1, 1), np.uint8),
        np.full((1, 40), 2, np.uint8),
        np.full((40, 2), 1, np.uint8),
        np.pad(np.ones((2, 2), np.uint8), ((9, 0), (0, 30))),
        disc(320),
    ],
)
def test_odd_wafers_can_be_drawn(dies: np.ndarray) -> None:
    wafer = WaferMap(dies, wafer_id="x" * 500 + "\n\t\x00", lot_id="ロット")
    with Image.open(io.BytesIO(map_png(wafer))) as picture:
        assert picture.format == "PNG"
        assert picture.mode == "RGB"
    zones = {"random": (slice(None), slice(None)), "edge": (slice(0, 1), slice(None))}
    prediction = build_prediction(zones, ["Random", "Scratch"], dies=dies, wafer_id="y" * 90)
    with Image.open(io.BytesIO(overlay_png(prediction))) as picture:
        assert max(picture.size) < 2000
