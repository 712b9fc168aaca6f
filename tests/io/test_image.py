"""Pictures: every die has the colour it should have, nothing breaks on odd wafers."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.hand_made import build_prediction, disc
from tests.io.pictures import counted
from waferscope.domain.wafermap import WaferMap
from waferscope.io.image import draw_map, draw_overlay, find_zone, map_png, overlay_png, parse_color
from waferscope.io.image_cells import BAD, GOOD, cell_size


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
