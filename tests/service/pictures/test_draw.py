"""Drawing: what was stored is what is drawn; stacks count as a plain sum does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.hand_made import build_prediction
from tests.service.stored import make_wafer
from waferscope.domain.prediction import Prediction
from waferscope.errors import NotFoundError
from waferscope.io.image import map_png, overlay_png
from waferscope.report.figures import thumbnail_png
from waferscope.service.pictures import draw
from waferscope.service.pictures.store import Stored
from waferscope.service.predicted.blob import pack
from waferscope.service.storage import Blobs
from waferscope.service.wafer_file import pack_wafer


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs((tmp_path / "blobs").as_uri())


@pytest.fixture
def predicted() -> Prediction:
    return build_prediction({"particle": np.s_[3:6, 6:9]}, ["Loc"], fails=[(10, 7)], wafer_id="W1")


def put(blobs: Blobs, prediction: Prediction) -> Stored:
    blobs.put("wafers/aa/w", pack_wafer(prediction.wafer))
    blobs.put("predictions/aa/p", pack(prediction))
    return Stored("waf_1", "content", "wafers/aa/w", "pred_1", "predictions/aa/p")


def test_a_page_shows_what_was_found(blobs: Blobs, predicted: Prediction) -> None:
    stored = put(blobs, predicted)
    assert draw.draw_wafer(blobs, stored) == overlay_png(predicted)
    assert draw.draw_wafer(blobs, stored, overlay=False) == map_png(predicted.wafer)
    bare = replace(stored, prediction_id=None, prediction_blob=None)
    assert draw.draw_wafer(blobs, bare) == map_png(predicted.wafer)


def test_a_thumbnail_has_the_colours_of_the_classes(blobs: Blobs, predicted: Prediction) -> None:
    stored, dies = put(blobs, predicted), predicted.wafer.dies
    colors = [one.color for one in predicted.taxonomy.classes]
    assert draw.draw_thumbnail(blobs, stored, 64) == thumbnail_png(
        dies, predicted.masks, colors, 64
    )
    bare = replace(stored, prediction_id=None, prediction_blob=None)
    assert draw.draw_thumbnail(blobs, bare, 64) == thumbnail_png(dies, side=64)


def test_wafers_are_laid_over_each_other_notches_down() -> None:
    wafers = [make_wafer(seed, 16) for seed in range(4)]
    turned = [replace(wafers[0], notch="up"), *wafers[1:], make_wafer(5, 20)]
    stacked = draw.stack_wafers(turned)
    truth = [wafers[0].dies[::-1, ::-1], *(wafer.dies for wafer in wafers[1:])]
    assert (stacked.stack.wafers, stacked.left_out) == (4, 1)
    np.testing.assert_array_equal(stacked.stack.fails, sum((d == 2).astype(int) for d in truth))
    shown = json.loads(draw.stack_json(stacked))
    assert shown["top"] == pytest.approx(np.nanmax(stacked.stack.rates))
    assert shown["tested"] == stacked.stack.tested.tolist()


def test_many_stored_wafers_are_read_in_parts(blobs: Blobs) -> None:
    wafers = [make_wafer(seed, 12) for seed in range(2 * draw.READS_AT_ONCE + 1)]
    stored = []
    for number, wafer in enumerate(wafers):
        blobs.put(f"wafers/aa/w{number}", pack_wafer(wafer))
        stored.append(Stored(f"waf_{number}", str(number), f"wafers/aa/w{number}"))
    assert draw.stack_stored(blobs, stored).stack.wafers == len(wafers)


def test_nothing_cannot_be_stacked() -> None:
    with pytest.raises(NotFoundError, match="Widen the filter"):
        draw.stack_wafers([])
