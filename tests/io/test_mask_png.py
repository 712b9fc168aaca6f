"""Masks and dies as indexed PNG come back exactly; other pictures are refused."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.hand_made import build_prediction
from tests.io.pictures import file_of
from tests.io.wafers import NAMES, wafers
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, DefectClass, Taxonomy
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, write
from waferscope.io.mask_png import dies_png, mask_png, masks_png, read_mask_png

Mask = npt.NDArray[np.bool_]
SHAPES = st.tuples(st.just(8), st.integers(1, 12), st.integers(1, 12))


def plain(count: int) -> Taxonomy:
    classes = tuple(DefectClass(n, f"c{n}", "#0072B2") for n in range(1, count + 1))
    return Taxonomy("t", classes, (), {})


@settings(max_examples=60)
@given(hnp.arrays(bool, SHAPES), NAMES, st.none() | NAMES)
def test_masks_come_back(masks: Mask, wafer_id: str, lot_id: str | None) -> None:
    data = masks_png(masks, wafer_id=wafer_id, lot_id=lot_id)
    found = read_mask_png(data)
    assert np.array_equal(found.masks, masks)
    assert (found.wafer_id, found.lot_id) == (wafer_id, lot_id)


def test_the_index_is_a_set_of_classes() -> None:
    masks = np.zeros((8, 2, 3), bool)
    masks[0, 0, 0] = masks[3, 0, 0] = masks[7, 1, 2] = True
    image = Image.open(io.BytesIO(masks_png(masks)))
    assert image.mode == "P"
    assert np.asarray(image).tolist() == [[9, 0, 0], [0, 0, 128]]
    assert image.convert("RGB").getpixel((2, 1)) == (0x4D, 0x4D, 0x4D)


def test_predictions_and_other_taxonomies(tmp_path: Path) -> None:
    zone = {"particle": (slice(2, 5), slice(3, 6)), "scratch": (slice(4, 9), slice(4, 5))}
    made = [build_prediction(zone, wafer_id=f"W{n}", lot_id="L") for n in range(2)]
    assert np.array_equal(read_mask_png(mask_png(made[0])).masks, made[0].masks)
    paths = write(made, tmp_path / "masks", "mask_png")
    assert [path.name for path in paths] == ["L_W0.masks.png", "L_W1.masks.png"]
    assert read_mask_png(paths[1]).wafer_id == "W1"
    three = masks_png(np.ones((3, 2, 2), bool), plain(3))
    assert read_mask_png(three, plain(3)).masks.all()
    with pytest.raises(FormatError, match="classes c1, c2, c3"):
        read_mask_png(three)
    for count, taxonomy in ((9, plain(9)), (3, DEFAULT_TAXONOMY)):
        with pytest.raises(FormatError, match="Write COCO"):
            masks_png(np.zeros((count, 2, 2), bool), taxonomy)


def test_class_ids_of_other_tools() -> None:
    index = np.array([[0, 1, 8], [255, 4, 4]], np.uint8)
    image = Image.fromarray(index)
    image.putpalette(list(range(256)) * 3)
    for other in (image, index):
        found = read_mask_png(file_of(other))
        assert np.argwhere(found.masks).tolist() == [[0, 0, 1], [3, 1, 1], [3, 1, 2], [7, 0, 2]]
    assert np.array_equal(read_mask_png(file_of(index.astype(np.uint16))).masks, found.masks)
    index[0, 0] = 9
    with pytest.raises(FormatError, match=r"indices \[9\]|indices \[1, 4"):
        read_mask_png(file_of(index))


@settings(max_examples=40)
@given(wafers(bins=None))
def test_dies_come_back_with_their_fields(wafer: WaferMap) -> None:
    (found,) = read(dies_png(wafer))
    assert replace(found, source=None) == wafer


def test_any_dies_come_back(tmp_path: Path) -> None:
    for fill in (0, 1, 2):
        wafer = WaferMap(np.full((5, 3), fill), wafer_id="W")
        (path,) = write(wafer, tmp_path / "one.dies.png", "dies_png")
        assert path == tmp_path / "one.dies.png"
        assert np.array_equal(read(path)[0].dies, wafer.dies)


def with_text(text: str, index: Any = ((0, 1),)) -> bytes:
    info = PngInfo()
    info.add_text("waferscope", text)
    return file_of(np.array(index, np.uint8), pnginfo=info)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 9999,
        '{"schema": "waferscope.masks/2"}',
        '{"schema": "waferscope.masks/1"}',
        '{"schema": "waferscope.masks/1", "wafer_id": "", "lot_id": null, "classes": [1]}',
        '{"schema": "waferscope.dies/1", "slot": "x"}',
        '{"schema": "waferscope.dies/1", "notch": "x"}',
    ],
)
def test_text_chunks_that_are_refused(text: str) -> None:
    for reader in (read, read_mask_png):
        with pytest.raises(FormatError):
            reader(with_text(text))


def test_what_is_no_mask() -> None:
    rgb = np.zeros((4, 4, 3), np.uint8)
    for data in (b"", b"text", file_of(rgb), file_of(rgb)[:60]):
        with pytest.raises(FormatError):
            read_mask_png(data)
    masks = masks_png(np.ones((8, 2, 2), bool))
    with pytest.raises(FormatError, match="masks/1 where"):
        read(masks)
    classes = [{"id": c.id, "name": c.name} for c in DEFAULT_TAXONOMY.classes[:3]]
    about = {"schema": "waferscope.masks/1", "wafer_id": "", "lot_id": "", "classes": classes}
    with pytest.raises(FormatError, match="with classes"):
        read_mask_png(with_text(json.dumps(about), [[8]]), plain(3))
