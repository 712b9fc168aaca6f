"""Enlarged maps: the dies that they were enlarged from, by Pillow and by OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.io.pictures import PALETTES, Pixels, disc, draw, file_of, resize
from waferscope.errors import FormatError
from waferscope.io import read
from waferscope.io.picture_smooth import shrink_smooth

HOWS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def with_alpha(image: Pixels) -> Pixels:
    return np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(("shape", "size"), [((26, 31), (300, 280)), ((52, 39), (400, 512))])
def test_a_pixel_per_die_comes_back(
    how: Image.Resampling, shape: tuple[int, int], size: tuple[int, int]
) -> None:
    image = draw(disc(*shape))
    small = shrink_smooth(with_alpha(resize(image, size, how)))
    assert small is not None
    assert small.shape[:2] == shape
    assert np.abs(small[..., :3].astype(int) - image).mean() < 12


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("flag", [cv2.INTER_LINEAR, cv2.INTER_CUBIC])
def test_maps_enlarged_by_opencv_are_read(palette: str, flag: int) -> None:
    dies = disc(26, 25, seed=4)
    image = cv2.resize(draw(dies, palette), (300, 300), interpolation=flag)
    (wafer,) = read(file_of(np.asarray(image), "PNG"))
    assert np.array_equal(wafer.dies, dies)
    assert "12 x 11.54 pixels each with smooth transitions" in wafer.notes[0]


def test_greys_between_are_no_states() -> None:
    """Few levels of grey can pass for plain colours: a pixel is not a die for that."""
    dies = disc(39, 31)
    image = resize(draw(dies, "greys on black"), (300, 300), Image.Resampling.BILINEAR)
    (wafer,) = read(file_of(image[..., 0], "PNG"))
    assert np.array_equal(wafer.dies, dies)


def test_what_was_not_enlarged_gives_nothing() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 130, 4)).astype(np.uint8)
    assert shrink_smooth(noise) is None
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (180, 200, 4))
    assert shrink_smooth(np.ascontiguousarray(ramp)) is None


def test_dies_of_two_blurred_pixels_are_refused() -> None:
    image = resize(draw(disc(140, 150)), (300, 300), Image.Resampling.BILINEAR)
    with pytest.raises(FormatError, match=r"no certain pitch|blurred|shades|colours"):
        read(file_of(image, "PNG"))
