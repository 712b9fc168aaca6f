"""Paper, frames and rims around a drawn map: taken off, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.io.pictures import disc
from waferscope.io.picture_frame import (
    extent,
    find_background,
    is_beside,
    is_one_piece,
    strip_frame,
)

PAPER, MAP, LINE = 9, 0, 7


def drawn(side: int = 15, cell: int = 6) -> np.ndarray:
    dies = disc(side, side).repeat(cell, axis=0).repeat(cell, axis=1)
    return dies.astype(np.uint8)


def test_paper_around_a_rectangle_is_cut_off() -> None:
    inner = np.pad(drawn(), 3, constant_values=MAP)
    framed = np.pad(inner, ((20, 11), (5, 30)), constant_values=PAPER)
    assert np.array_equal(strip_frame(framed), inner)
    twice = np.pad(framed, 4, constant_values=5)
    assert np.array_equal(strip_frame(twice), inner)


def test_margins_of_the_maps_own_background_stay() -> None:
    picture = np.pad(drawn(), 8, constant_values=MAP)
    assert np.array_equal(strip_frame(picture), picture)


@pytest.mark.parametrize("shape", ["ellipse", "rectangle"])
@pytest.mark.parametrize("width", [1, 3])
def test_a_line_around_the_map_becomes_background(shape: str, width: int) -> None:
    plain = np.pad(drawn(), 40, constant_values=MAP)
    image = Image.fromarray(plain)
    size = image.width
    getattr(ImageDraw.Draw(image), shape)((4, 4, size - 5, size - 5), outline=LINE, width=width)
    assert np.array_equal(strip_frame(np.asarray(image)), plain)


def test_a_map_of_dies_between_dark_lines_is_no_line() -> None:
    image = np.pad(drawn(), 8, constant_values=MAP)
    image[::6] = np.where(image[::6] > 0, LINE, image[::6])
    image[:, ::6] = np.where(image[:, ::6] > 0, LINE, image[:, ::6])
    assert np.array_equal(strip_frame(image), image)


def test_a_line_alone_stays() -> None:
    image = Image.fromarray(np.zeros((60, 60), np.uint8))
    ImageDraw.Draw(image).ellipse((4, 4, 55, 55), outline=LINE, width=2)
    assert np.array_equal(strip_frame(np.asarray(image)), np.asarray(image))


def test_backgrounds_and_boxes() -> None:
    assert find_background(np.array([[3, 1], [3, 3]], np.uint8)) is None
    assert find_background(np.full((2, 2), 3, np.uint8)) == 3
    assert extent(np.zeros((3, 3), bool)) == (slice(None), slice(None))
    assert extent(np.eye(4, dtype=bool)[1:]) == (slice(0, 3), slice(1, 4))


def test_what_lies_beside_a_map_is_none_of_its_dies() -> None:
    map_ = np.pad(disc(15, 15) > 0, 6)
    assert not is_beside(map_)
    near, title = map_.copy(), map_.copy()
    near[6, 6] = True  # an island in the corner of the map's own box
    title[1, 3:9] = True
    assert not is_beside(near)
    assert is_beside(title)
    assert is_one_piece(map_)
    assert not is_one_piece(title)
