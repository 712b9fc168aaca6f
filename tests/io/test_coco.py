"""COCO: pycocotools and this package agree on every mask, out and in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from scipy import ndimage

from tests.hand_made import build_prediction, disc
from waferscope.domain.defects import find_defects
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError
from waferscope.io import write
from waferscope.io.coco import (
    coco_bytes,
    coco_polygon_row,
    coco_row,
    encode_mask,
    outer_rings,
)
from waferscope.io.coco_read import decode_mask, read_coco_masks

Mask = npt.NDArray[np.bool_]
ZONES = {
    "edge": (slice(0, 3), slice(3, 12)),
    "scratch": (slice(4, 12), slice(7, 8)),
    "particle": (slice(9, 12), slice(2, 5)),
}


def test_a_thousand_masks_through_pycocotools(rng: np.random.Generator) -> None:
    for _ in range(1000):
        shape = rng.integers(1, 40, 2)
        mask = rng.random(shape) < rng.random() ** 2
        encoded = encode_mask(mask)
        theirs = coco_mask.decode({**encoded, "counts": encoded["counts"].encode()})
        assert np.array_equal(theirs.astype(bool), mask)
        assert np.array_equal(decode_mask(encoded), mask)


@settings(max_examples=40)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=30)))
def test_any_mask_comes_back(mask: Mask) -> None:
    assert np.array_equal(decode_mask(encode_mask(mask)), mask)


def test_large_masks_have_long_runs() -> None:
    mask = np.zeros((300, 300), bool)
    mask[100:200] = True
    mask[0, 0] = mask[299, 299] = True
    assert np.array_equal(decode_mask(encode_mask(mask)), mask)


def test_a_file_is_read_by_pycocotools(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    prediction = build_prediction(ZONES, wafer_id="W1", lot_id="L1")
    path = tmp_path / "masks.json"
    path.write_bytes(coco_bytes([coco_row(prediction)]))
    coco = COCO(str(path))
    capsys.readouterr()
    assert sorted(coco.getCatIds()) == list(range(1, 9))
    image = coco.imgs[1]
    assert (image["height"], image["width"], image["wafer"], image["lot"]) == (15, 15, "W1", "L1")
    masks = np.zeros_like(prediction.masks)
    for annotation in coco.loadAnns(coco.getAnnIds(imgIds=1)):
        mask = coco.annToMask(annotation).astype(bool)
        masks[annotation["category_id"] - 1] |= mask
        rows, cols = np.nonzero(mask)
        x, y, width, height = annotation["bbox"]
        assert (y, x) == (rows.min(), cols.min())
        assert (y + height, x + width) == (rows.max() + 1, cols.max() + 1)
        assert annotation["area"] == mask.sum()
        assert annotation["confidence"] == pytest.approx(0.9)
        assert (annotation["wafer"], annotation["lot"]) == ("W1", "L1")
    assert np.array_equal(masks, prediction.masks)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(6, 40))
def test_masks_come_back_exactly(seed: int, side: int) -> None:
    rng = np.random.default_rng(seed)
    dies = disc(side) * rng.integers(1, 3, (side, side), dtype=np.uint8)
    starts = rng.integers(0, side // 2, (3, 2))
    boxes = [tuple(slice(int(a), int(a) + side // 2) for a in start) for start in starts]
    zones: Any = dict(zip(("ring", "particle", "etching"), boxes, strict=True))
    predictions = [build_prediction(zones, dies=dies, wafer_id=f"W{n}") for n in range(2)]
    found = read_coco_masks(coco_bytes([coco_row(p) for p in predictions]))
    for image, prediction in zip(found, predictions, strict=True):
        assert image.wafer_id == prediction.wafer.wafer_id
        assert np.array_equal(image.masks, prediction.masks)


def test_random_wafers_through_a_file_and_pycocotools(
    rng: np.random.Generator, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[Mask] = []
    images: list[Any] = []
    annotations: list[Any] = []
    for number in range(200):
        shape = int(rng.integers(5, 30)), int(rng.integers(5, 30))
        made.append(rng.random((8, *shape)) < rng.random() ** 2)
        images.append({"id": number, "width": shape[1], "height": shape[0], "wafer": f"W{number}"})
        for channel in np.flatnonzero(made[-1].any(axis=(1, 2))).tolist():
            one = {"id": len(annotations) + 1, "image_id": number, "category_id": channel + 1}
            annotations.append({**one, "segmentation": encode_mask(made[-1][channel])})
    categories = [{"id": n, "name": f"class {n}"} for n in range(1, 9)]
    path = tmp_path / "all.json"
    record = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(record))
    coco = COCO(str(path))
    capsys.readouterr()
    for annotation in coco.dataset["annotations"]:  # decoded and encoded anew by pycocotools
        runs = coco_mask.encode(np.asfortranarray(coco.annToMask(annotation)))
        annotation["segmentation"] = {**runs, "counts": runs["counts"].decode()}
    path.write_text(json.dumps({name: coco.dataset[name] for name in record}))
    for image, masks in zip(read_coco_masks(path), made, strict=True):
        assert np.array_equal(image.masks, masks)


@settings(max_examples=40)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_polygons_are_outer_rings(mask: Mask) -> None:
    mask = np.pad(mask, 2)
    probs = np.zeros((8, *mask.shape), np.float32)
    probs[1] = mask
    wafer = WaferMap(1 + mask.astype(np.uint8))
    defects = find_defects(probs > 0, probs, wafer, DEFAULT_TAXONOMY)
    for defect in defects:
        whole = np.pad(defect.mask, 1)
        parts, count = ndimage.label(whole)  # dies that share an edge
        filled = sum(ndimage.binary_fill_holes(parts == n) for n in range(1, count + 1)) > 0
        rings = outer_rings(defect)
        assert len(rings) == count
        rows, cols = wafer.shape
        theirs = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(rings, rows, cols)))
        row0, col0, row1, col1 = defect.bbox
        assert np.array_equal(theirs[row0:row1, col0:col1] > 0, filled[1:-1, 1:-1])


def test_polygons_come_back_where_there_are_no_holes() -> None:
    prediction = build_prediction(ZONES, wafer_id="W1")
    data = coco_bytes([coco_polygon_row(prediction)])
    assert all(isinstance(a["segmentation"], list) for a in json.loads(data)["annotations"])
    (image,) = read_coco_masks(data)
    assert np.array_equal(image.masks, prediction.masks)


@pytest.mark.parametrize("row_of", [coco_row, coco_polygon_row])
def test_images_are_named_as_overlays_are(row_of: Any, tmp_path: Path) -> None:
    named = [("A", "01"), ("B", "01"), ("A", "01"), ("a", "01"), (None, "W/1"), (None, "")]
    predictions = [build_prediction(lot_id=lot, wafer_id=name) for lot, name in named]
    images = json.loads(coco_bytes([row_of(p) for p in predictions]))["images"]
    found = [image["file_name"] for image in images]
    assert found == ["A_01.png", "B_01.png", "A_01~2.png", "a_01~3.png", "W_1.png", "wafer.png"]
    assert found == [path.name for path in write(predictions, tmp_path / "overlays", "png")]
    assert [(image["lot"], image["wafer"]) for image in images] == named


def test_what_is_not_written() -> None:
    with pytest.raises(FormatError, match="at least one"):
        coco_bytes([])
    row = coco_row(build_prediction())
    with pytest.raises(FormatError, match="one taxonomy"):
        coco_bytes([row, {**row, "categories": []}])
