"""Pictures: decoded again and compared die by die."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.hand_made import build_prediction, disc
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY as TAXONOMY
from waferscope.report.figures import (
    FAIL_COLOR,
    GOOD_COLOR,
    MARK_GAP,
    VIRIDIS,
    build_thumbnail,
    class_codes,
    die_box,
    heat_png,
    heat_uri,
    hex_to_rgb,
    ink_on,
    png_uri,
    scale_colors,
    shrink,
    thumbnail_png,
)


def decode(uri: str) -> Image.Image:
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def pixels(uri: str) -> npt.NDArray[np.uint8]:
    return np.asarray(decode(uri).convert("RGBA"))


def opened(png: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def test_png_holds_every_code_in_its_colour() -> None:
    codes = np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)
    shown = pixels(png_uri(codes, [(255, 255, 255), (1, 2, 3), (200, 100, 50)]))
    assert shown[0, 1].tolist() == [1, 2, 3, 255]
    assert shown[1, 0].tolist() == [200, 100, 50, 255]
    assert shown[0, 0, 3] == 0


def test_thumbnail_shows_passes_fails_and_classes() -> None:
    prediction = build_prediction({"center": np.s_[6:9, 6:9]}, fails=[(0, 7)])
    shown = pixels(build_thumbnail(prediction).uri)
    center = TAXONOMY.classes[TAXONOMY.channel("center")].color
    assert tuple(shown[7, 7, :3]) == hex_to_rgb(center)
    assert tuple(shown[0, 7, :3]) == hex_to_rgb(FAIL_COLOR)
    assert tuple(shown[4, 7, :3]) == hex_to_rgb(GOOD_COLOR)
    assert shown[0, 0, 3] == 0
    assert shown.shape[:2] == (15, 15)


def test_thumbnail_is_cropped_to_the_dies_and_round_when_sizes_are_unknown() -> None:
    dies = np.zeros((20, 30), dtype=np.uint8)
    dies[3:11, 5:21] = 1
    thumbnail = build_thumbnail(build_prediction(dies=dies))
    assert decode(thumbnail.uri).size == (16, 8)
    assert thumbnail.aspect == 1.0
    sized = build_prediction(dies=dies, die_width_mm=2.0, die_height_mm=5.0)
    assert build_thumbnail(sized).aspect == pytest.approx(16 * 2 / (8 * 5))


def test_the_smaller_class_lies_on_top() -> None:
    dies = np.full((4, 4), 2, dtype=np.uint8)
    masks = np.zeros((2, 4, 4), dtype=bool)
    masks[0, :2] = True
    masks[1] = True
    codes = class_codes(dies, masks)
    assert (codes[:2] == 3).all()
    assert (codes[2:] == 4).all()


def test_marks_stand_on_a_die_of_their_class_and_apart() -> None:
    zones = {"center": np.s_[5:10, 5:10], "ring": np.s_[5:10, 5:10], "edge": np.s_[0:2, 4:11]}
    prediction = build_prediction(zones, dies=disc())
    marks = build_thumbnail(prediction).marks
    assert sorted(mark.class_id for mark in marks) == [1, 2, 3]
    for mark in marks:
        row, col = int(mark.y * 15), int(mark.x * 15)
        assert prediction.masks[mark.class_id - 1, row, col]
    gaps = [np.hypot(a.x - b.x, a.y - b.y) for i, a in enumerate(marks) for b in marks[i + 1 :]]
    assert min(gaps) >= MARK_GAP


@given(
    rows=st.integers(1, 40),
    cols=st.integers(1, 40),
    limit=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_shrink_keeps_the_highest_code_of_each_block(
    rows: int, cols: int, limit: int, seed: int
) -> None:
    codes = np.random.default_rng(seed).integers(0, 9, (rows, cols)).astype(np.uint8)
    small = shrink(codes, limit)
    assert max(small.shape) <= limit
    step = -(-max(rows, cols) // limit)
    for row in range(small.shape[0]):
        for col in range(small.shape[1]):
            block = codes[row * step : (row + 1) * step, col * step : (col + 1) * step]
            assert small[row, col] == block.max(initial=0)


def test_die_box_of_an_empty_wafer_is_the_whole_array() -> None:
    empty = np.zeros((3, 4), dtype=np.uint8)
    assert empty[die_box(empty)].shape == (3, 4)


def test_heat_runs_from_the_first_to_the_last_stop() -> None:
    shown = pixels(heat_uri(np.array([[0.0, 0.25, 0.5], [np.nan, 0.5, 0.0]]), 0.5))
    assert tuple(shown[0, 0, :3]) == hex_to_rgb(VIRIDIS[0])
    assert tuple(shown[0, 2, :3]) == hex_to_rgb(VIRIDIS[-1])
    assert np.abs(shown[0, 1, :3].astype(int) - hex_to_rgb(VIRIDIS[5])).max() <= 2
    assert shown[1, 0, 3] == 0


def test_heat_as_a_file_is_the_same_picture_enlarged() -> None:
    rates = np.array([[0.0, 0.5], [np.nan, 1.0]])
    large = opened(heat_png(rates, 1.0, 9))
    assert large.shape == (8, 8, 4)
    np.testing.assert_array_equal(large[::4, ::4], pixels(heat_uri(rates, 1.0)))


@pytest.mark.parametrize(("side", "got"), [(96, 90), (15, 15), (8, 8)])
def test_a_small_picture_has_about_the_side_that_is_asked_for(side: int, got: int) -> None:
    assert opened(thumbnail_png(disc(15), side=side)).shape == (got, got, 4)


def test_a_small_picture_shows_classes_where_masks_are_given() -> None:
    prediction = build_prediction({"particle": np.s_[3:6, 6:9]}, fails=[(10, 7)])
    dies, colors = prediction.wafer.dies, [c.color for c in TAXONOMY.classes]
    shown = opened(thumbnail_png(dies, prediction.masks, colors, side=15))
    np.testing.assert_array_equal(shown, pixels(build_thumbnail(prediction).uri))
    plain = opened(thumbnail_png(dies, side=15))
    assert tuple(plain[4, 7, :3]) == tuple(plain[10, 7, :3]) == hex_to_rgb(FAIL_COLOR)


def test_heat_of_no_fails_is_drawn() -> None:
    shown = pixels(heat_uri(np.zeros((2, 2)), 0.0))
    assert (shown[..., :3] == hex_to_rgb(VIRIDIS[0])).all()


def test_the_scale_grows_lighter_all_the_way() -> None:
    light = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in scale_colors(64)]
    assert (np.diff(light) > 0).all()


@pytest.mark.parametrize("color", [c.color for c in TAXONOMY.classes])
def test_ink_reads_well_on_every_class(color: str) -> None:
    def luminance(value: str) -> float:
        channels = [c / 255 for c in hex_to_rgb(value)]
        r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    one, two = sorted([luminance(color), luminance(ink_on(color))])
    assert (two + 0.05) / (one + 0.05) >= 4.5
