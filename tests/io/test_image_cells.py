"""Cells: every die has its colour, its glyph and its outline, and stays in its place."""

from __future__ import annotations

import numpy as np
import pytest

from tests.io.pictures import counted
from waferscope.domain.wafermap import WaferMap
from waferscope.io.image_cells import (
    BAD,
    GOOD,
    INK,
    PAPER,
    Cell,
    cell_size,
    darker,
    glyph,
    glyph_color,
    paint_dies,
    paint_gaps,
    paint_masks,
    paint_outline,
)

COLORS = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]


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


@pytest.mark.parametrize(("side", "gap"), [(1, 0), (4, 0), (5, 1), (15, 1), (16, 2), (36, 2)])
def test_the_gap_grows_with_the_cell(side: int, gap: int) -> None:
    assert Cell(side, 36).gap == Cell(36, side).gap == gap


def test_no_cell_is_thinner_than_a_pixel_or_longer_than_eight_times_its_width() -> None:
    wafer = WaferMap(np.ones((3, 3), np.uint8), die_width_mm=100.0, die_height_mm=1.0)
    assert cell_size(wafer, 16) == Cell(2, 16)
    assert cell_size(wafer, 3) == Cell(1, 3)


def test_an_empty_border_does_not_count_as_wafer() -> None:
    dies = np.zeros((40, 90), np.uint8)
    dies[5:15, 8:18] = 1
    assert cell_size(WaferMap(dies), 9) == Cell(9, 9)
    assert cell_size(WaferMap(np.zeros((4, 4), np.uint8)), 9) == Cell(9, 9)


def test_stripes_of_each_die_count_its_own_classes() -> None:
    masks = np.zeros((3, 1, 3), bool)
    masks[0, 0] = [True, False, True]
    masks[2, 0] = [False, True, True]
    cell = Cell(8, 8)
    image = paint_dies(np.full((1, 3), 2, np.uint8), cell)
    paint_masks(image, masks, COLORS, cell)
    assert (image[:, :8] == COLORS[0]).all()
    assert (image[:, 8:16] == COLORS[2]).all()
    assert counted(image[:, 16:], COLORS[0]) + counted(image[:, 16:], COLORS[2]) == 64
    assert counted(image, COLORS[1]) == 0


def test_a_glyph_lies_in_the_middle_of_what_the_gap_leaves() -> None:
    for height, width in ((12, 12), (16, 30), (33, 20)):
        cell = Cell(height, width)
        for number in (1, 2, 5, 6, 7):  # those that are their own mirror images
            shape = glyph(number, cell)[cell.gap :, cell.gap :]
            assert np.array_equal(shape, shape[::-1])
            assert np.array_equal(shape, shape[:, ::-1])
    assert np.array_equal(glyph(9, Cell(14, 14)), glyph(1, Cell(14, 14)))


def test_an_outline_can_lie_further_inside() -> None:
    image = np.zeros((36, 36, 3), np.uint8)
    paint_outline(image, np.ones((3, 3), bool), (9, 9, 9), Cell(12, 12), inset=4)
    drawn = (image == 9).all(axis=-1)
    expected = np.zeros((36, 36), bool)
    expected[4:32, 4:32] = True
    expected[7:29, 7:29] = False
    assert np.array_equal(drawn, expected)


def test_shades() -> None:
    assert darker((100, 200, 0)) == (72, 144, 0)
    assert darker((10, 20, 30), 0.0) == (0, 0, 0)
